//! The HPCS broker: which hosts an instance answers at.
//!
//! In: `GET /crypto_v2/instances/{id}` with a bearer token. Out: hosts without a scheme. Never: lists instances.

use serde_json::json;

use super::iam;
use super::state::SELF_MANAGED;
use crate::state::World;
use crate::wire::{Answer, Call};

/// Answers the broker's one route.
#[must_use]
pub fn answer(world: &World, call: &Call) -> Answer {
    let refused = |status, why: &str| Answer::json(status, &json!({"message": why})).refused(why);
    let caller = match iam::caller(world, call) {
        Ok(caller) => caller,
        Err(stranger) => return refused(stranger.status, &stranger.why),
    };
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["crypto_v2", "instances", id] = parts.as_slice() else {
        return refused(404, "the broker has no such route").by(caller.iam_id);
    };
    if call.method != http::Method::GET {
        return refused(405, "the broker only answers GET").by(caller.iam_id);
    }
    let region = call.host.split('.').next().unwrap_or_default();
    let known = world.ibm.uko.get(*id).filter(|_| *id != SELF_MANAGED && region == world.ibm.region);
    let Some(host) = known.and_then(|server| server.hosts.first()) else {
        return refused(404, "no such instance in this region").by(caller.iam_id);
    };
    let pair = |kind: &str| {
        json!({
            "public": format!("{id}.{kind}.{region}.hs-crypto.appdomain.cloud"),
            "private": format!("{id}.{kind}.private.{region}.hs-crypto.appdomain.cloud"),
        })
    };
    let body = json!({"instance_id": id, "kms": pair("api"), "ep11": pair("ep11"), "uko": {"public": host}});
    Answer::json(200, &body).by(caller.iam_id)
}
