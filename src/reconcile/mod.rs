//! The grammar that both controllers share: faults, stages, pace, ownership, status.
//!
//! In: the API and the class of a cloud's error. Out: conditions and the next look. Never: names a cloud or a controller.

pub(crate) mod announce;
mod deletion;
pub(crate) mod driver;
pub(crate) mod expiry;
pub(crate) mod farewell;
pub(crate) mod fault;
pub(crate) mod finalizer;
pub mod fingerprint;
pub mod leadership;
pub(crate) mod locks;
pub(crate) mod look;
pub(crate) mod metrics;
pub(crate) mod ownership;
pub(crate) mod pace;
pub mod policy_file;
pub mod prices;
pub mod reasons;
pub(crate) mod release;
#[cfg(test)]
pub(crate) mod scenario;
pub(crate) mod secrets;
pub(crate) mod series;
pub(crate) mod span;
pub(crate) mod stage;
pub(crate) mod status;
pub(crate) mod summary;
pub(crate) mod usage;
pub(crate) mod wake;
