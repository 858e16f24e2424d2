//! Azure Resource Manager. In: a call to a `management.…` host. Out: the answer. Never: the data plane.

use serde_json::json;

use crate::state::World;
use crate::wire::{Answer, Call};

/// Answers a call to Resource Manager.
pub fn answer(_world: &mut World, call: &Call) -> Answer {
    Answer::json(
        404,
        &json!({"error": {"code": "ResourceNotFound", "message": call.path}}),
    )
}
