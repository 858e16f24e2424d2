//! The charts without a cluster: rendered, linted, refused, in step with what they are made from.
//!
//! In: `charts/`, the real helm and helm-docs. Out: what a user would get. Never: a cluster; that is in `tests/integration/`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a failed unwrap is a failed test")]

mod deploy;
mod helm;
mod monitoring;
mod operator;
mod operator_names;
mod operator_network;
mod operator_rights;
mod readme;
mod team;
#[path = "../tools/mod.rs"]
mod tools;
