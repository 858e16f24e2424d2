//! Placeholder head, replaced in the next commit.

use serde_json::json;

use crate::state::World;
use crate::wire::{Answer, Call};

/// Answers a call.
pub fn answer(_world: &mut World, call: &Call) -> Answer {
    Answer::json(
        404,
        &json!({"error": {"code": "NotFound", "message": call.path}}),
    )
}
