//! IBM Cloud and the self-managed UKO.

pub mod state;

use serde_json::{Value, json};

use crate::state::World;
use crate::wire::{Answer, Call};

/// Answers a call to any of IBM's hosts or to the self-managed UKO.
pub fn answer(_world: &mut World, call: &Call) -> Answer {
    Answer::json(404, &json!({"message": call.path}))
}

/// The `ibm` part of `seed.json`; the core adds `uko.selfManaged.{caFile, caPem, clientCertPem, clientKeyPem}`.
#[must_use]
pub fn seed_json(_world: &World) -> Value {
    json!({})
}
