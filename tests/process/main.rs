//! What belongs to the pod: the election against an API server in memory, the supervisor, the HTTP port, exports, the binary.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed unwrap is a failed test")]

mod api;
mod binary;
#[path = "../integration/harness/collector.rs"]
mod collector;
mod election;
mod key;
mod otlp;
mod port;
mod supervisor;
