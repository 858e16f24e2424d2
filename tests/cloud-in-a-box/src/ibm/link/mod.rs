//! Satellite Link: `/v1/connectors/{id}` and `/v1/locations/{id}` with endpoints, sources and their bindings.
//!
//! In: a call to any of Link's host forms. Out: what section 4.3 of the contract lists, alike for both parents.
//! Never: pages, knows `ETag`s or idempotency keys; Link has none.

mod endpoints;
mod rules;
mod sources;

pub use rules::covers;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::rfc3339;
use super::iam;
use crate::state::World;
use crate::wire::{Answer, Call};

/// What Link calls the thing that endpoints belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    Connector,
    Location,
}

/// Answers a Link route.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    let transaction = Uuid::new_v4().to_string();
    answered(world, call).header("X-Global-Transaction-Id", transaction)
}

fn answered(world: &mut World, call: &Call) -> Answer {
    let caller = match iam::caller(world, call) {
        Ok(caller) => caller,
        Err(stranger) => return refused(stranger.status, &stranger.why),
    };
    if let Some(account) = call.header("x-auth-resource-account")
        && account != caller.account
    {
        let why = "X-Auth-Resource-Account is not the account of the token";
        return refused(403, why).by(caller.iam_id);
    }
    routed(world, call).by(caller.iam_id)
}

fn routed(world: &mut World, call: &Call) -> Answer {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (kind, id, rest) = match parts.as_slice() {
        ["v1", "connectors", id, rest @ ..] => (Parent::Connector, *id, rest),
        ["v1", "locations", id, rest @ ..] => (Parent::Location, *id, rest),
        _ => return refused(404, "Link has no such route"),
    };
    if let Err(answer) = is_there(world, call, kind, id) {
        return answer;
    }
    let method = &call.method;
    match rest {
        [] if method == Method::GET => Answer::json(200, &shown(world, kind, id)),
        ["endpoints"] if method == Method::GET => endpoints::list(world, call, id),
        ["endpoints"] if method == Method::POST => endpoints::create(world, call, id),
        ["endpoints", endpoint] if method == Method::GET => endpoints::read(world, id, endpoint),
        ["endpoints", endpoint] if method == Method::PATCH => endpoints::update(world, call, id, endpoint),
        ["endpoints", endpoint] if method == Method::DELETE => endpoints::delete(world, id, endpoint),
        ["endpoints", endpoint, "sources"] if method == Method::GET => sources::of_endpoint(world, id, endpoint),
        ["endpoints", endpoint, "sources"] if method == Method::PATCH => sources::bind(world, call, id, endpoint),
        ["sources"] if method == Method::GET => sources::list(world, call, id),
        ["sources"] if method == Method::POST => sources::create(world, call, id),
        ["sources", source] if method == Method::PATCH => sources::update(world, call, id, source),
        ["sources", source] if method == Method::DELETE => sources::delete(world, id, source),
        ["sources", source, "endpoints"] if method == Method::GET => sources::endpoints_of(world, id, source),
        ["sources", source, "endpoints"] if method == Method::PATCH => sources::bind_endpoints(world, call, id, source),
        [] | ["endpoints" | "sources", ..] => refused(405, "this route has no such method in the box"),
        _ => refused(404, "Link has no such route"),
    }
}

/// Is the parent known, and is the host form one that serves it?
fn is_there(world: &World, call: &Call, kind: Parent, id: &str) -> Result<(), Answer> {
    let region = match kind {
        Parent::Connector => {
            let connector = world.ibm.connectors.get(id).ok_or_else(|| refused(404, "no such connector"))?;
            if connector.state != "CREATED" {
                return Err(refused(409, &format!("the connector is {}", connector.state)));
            }
            &connector.region
        }
        Parent::Location if world.ibm.locations.contains_key(id) => &world.ibm.region,
        Parent::Location => return Err(refused(404, "no such location")),
    };
    match region_of(&call.host) {
        Some(asked) if asked != *region => Err(refused(404, "the parent lives in another region than the host's")),
        _ => Ok(()),
    }
}

/// The region in `api.<region>.link…` and `private.<region>.api.link…`.
fn region_of(host: &str) -> Option<&str> {
    let own = host.strip_suffix(".link.satellite.cloud.ibm.com")?;
    own.split('.').find(|label| !matches!(*label, "api" | "private"))
}

fn shown(world: &World, kind: Parent, id: &str) -> Value {
    let (desc, tunnels, created) = match kind {
        Parent::Connector => {
            let found = world.ibm.connectors.get(id);
            found.map_or_else(Default::default, |it| (it.name.clone(), it.tunnels, it.created_date.clone()))
        }
        Parent::Location => {
            let found = world.ibm.locations.get(id);
            found.map_or_else(Default::default, |it| (it.description.clone(), it.tunnels, rfc3339(it.created_at)))
        }
    };
    let region = &world.ibm.region;
    let health = match tunnels {
        0 => "Down",
        1 => "Critical",
        _ => "Up",
    };
    json!({
        "ws_endpoint": format!("c-01-ws.{region}.link.satellite.cloud.ibm.com"),
        "location_id": id,
        "crn": format!("crn:v1:bluemix:public:satellite:{region}:a/{}:{id}::", world.ibm.account),
        "desc": desc,
        "satellite_link_host": format!("c-01.{region}.link.satellite.cloud.ibm.com"),
        "status": "enabled",
        "created_at": created,
        "last_change": created,
        "performance": {
            "tunnels": tunnels,
            "healthStatus": health,
            "avg_latency": if tunnels == 0 { -1 } else { 12 },
            "rx_bandwidth": 0,
            "tx_bandwidth": 0,
            "bandwidth": 0,
            "connectors": [],
        },
    })
}

/// A refusal. Link publishes no error shape; this one holds a message and nothing to rely on [I].
fn refused(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({"message": why})).refused(why)
}

/// The body as JSON.
fn body(call: &Call) -> Result<Value, Answer> {
    serde_json::from_slice(&call.body).map_err(|_| refused(400, "the body is not JSON"))
}

fn success() -> Answer {
    Answer::json(200, &json!({"message": "Success"}))
}
