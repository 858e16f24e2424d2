//! The grammar that both controllers share.
//!
//! In: an object and what a controller says of it. Out: finalizers, status, events, the time of the next look.
//! Never: names a cloud or a controller.

pub mod fingerprint;
pub mod leadership;
pub mod policy_file;
