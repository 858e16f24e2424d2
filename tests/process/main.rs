//! What belongs to the pod: the election against an API server in memory, the supervisor, the HTTP port, the binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed unwrap is a failed test")]

mod api;
mod binary;
mod election;
mod key;
mod port;
mod supervisor;
