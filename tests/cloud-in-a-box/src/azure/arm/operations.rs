//! Long-running operations: begun by a PUT or DELETE, ended by polls.
//!
//! In: an effect. Out: the headers that lead to the operation, and its polls. Never: lets an altered operation URL pass.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use super::{Ask, Outcome, dns, endpoints, error, zone_groups};
use crate::azure::state::{Effect, Failure, Operation};
use crate::state::{World, now};
use crate::wire::Answer;

/// Seconds after which an operation ends although nobody asks.
const LONGEST: i64 = 300;
const SIGNATURE: usize = 2900;

/// Begins an operation and returns its id. The fault `async_fail` decides here that it will fail.
pub(crate) fn begin(world: &mut World, private_dns: bool, effect: Effect, failure: Option<Failure>) -> String {
    let guid = Uuid::new_v4();
    let id = if private_dns {
        URL_SAFE_NO_PAD.encode(format!("FrontEndAsyncOperation;{guid}_{}", Uuid::new_v4()))
    } else {
        guid.to_string()
    };
    let failure = world.azure.fail_next.take().or(failure);
    let operation = Operation {
        polls_left: world.settings.operation_polls,
        private_dns,
        effect,
        failure,
        done: false,
        started_at: now(world),
    };
    forget_old(world);
    world.azure.operations.insert(id.clone(), operation);
    id
}

fn forget_old(world: &mut World) {
    if world.azure.operations.len() > 2000 {
        world.azure.operations.retain(|_, operation| !operation.done);
    }
}

/// Adds the headers that lead to an operation.
pub(crate) fn lead(ask: &Ask, answer: Answer, id: &str, location: &str, with_location: bool) -> Answer {
    let private_dns = ask.target.kind.starts_with("microsoft.network/privatedns");
    let url = |results: bool| {
        let word = match (private_dns, results) {
            (false, false) => "operations",
            (false, true) => "operationResults",
            (true, false) => "privateDnsOperationStatuses",
            (true, true) => "privateDnsOperationResults",
        };
        let path = if private_dns {
            format!("{}/providers/Microsoft.Network/{word}/{id}", ask.target.group_id())
        } else {
            let subscription = &ask.target.subscription;
            format!("/subscriptions/{subscription}/providers/Microsoft.Network/locations/{location}/{word}/{id}")
        };
        signed(ask, &path, id)
    };
    let mut answer = answer.header("azure-asyncoperation", url(false));
    if !private_dns {
        answer = answer.header("azure-asyncnotification", "Enabled");
    }
    if with_location { answer.header("location", url(true)) } else { answer }
}

fn signed(ask: &Ask, path: &str, id: &str) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("api-version", &ask.version)
        .append_pair("t", "638000000000000000")
        .append_pair("c", &signature(id))
        .append_pair("s", &tail(id))
        .append_pair("h", "box")
        .finish();
    format!("https://{}{path}?{query}", ask.cloud.arm)
}

/// A long text that only this operation has, as the real URL carries a certificate.
fn signature(id: &str) -> String {
    let unit = URL_SAFE_NO_PAD.encode(format!("cloud-in-a-box;{id};"));
    unit.chars().cycle().take(SIGNATURE).collect()
}

fn tail(id: &str) -> String {
    URL_SAFE_NO_PAD.encode(id.chars().rev().collect::<String>())
}

/// Answers a poll, at the operation or at its result.
pub(crate) fn poll(world: &mut World, ask: &Ask) -> Outcome {
    let id = ask.target.names.last().map_or("", String::as_str).to_owned();
    let whole = ask.call.query("c") == Some(&signature(&id)) && ask.call.query("s") == Some(&tail(&id));
    if !whole {
        return Err(error::plain(
            403,
            "AuthorizationFailed",
            "The operation's URL is not the one that was handed out.",
        ));
    }
    if !world.azure.operations.contains_key(&id) {
        return Err(error::network(404, "NotFound", format!("The operation '{id}' was not found.")));
    }
    advance(world, &id);
    let results = ask.target.kind.ends_with("results");
    let retry_after = world.settings.retry_after_seconds;
    let Some(operation) = world.azure.operations.get(&id) else {
        return Ok(Answer::empty(404));
    };
    if operation.done {
        return Ok(match (&operation.failure, results) {
            (Some(failure), _) => {
                let body = json!({"status": "Failed", "error": error::body(&failure.code, &failure.message)});
                Answer::json(200, &body)
            }
            (None, true) => Answer::empty(204),
            (None, false) => Answer::json(200, &json!({"status": "Succeeded"})),
        });
    }
    let running = json!({"status": "InProgress"});
    Ok(match (operation.private_dns, results) {
        (false, false) => Answer::json(200, &running).header("retry-after", retry_after.to_string()),
        (false, true) => lead(ask, Answer::empty(202), &id, "", true).header("retry-after", retry_after.to_string()),
        (true, _) => {
            let wait = retry_after.saturating_mul(3).to_string();
            lead(ask, Answer::json(202, &running), &id, "", true).header("retry-after", wait)
        }
    })
}

/// One look at an operation: the last one ends it.
pub(crate) fn advance(world: &mut World, id: &str) {
    let Some(operation) = world.azure.operations.get_mut(id) else {
        return;
    };
    if operation.done {
        return;
    }
    if operation.polls_left == 0 {
        finish(world, id);
    } else {
        operation.polls_left -= 1;
    }
}

/// A look at a resource counts as a poll of the operation that runs on it.
pub(crate) fn look(world: &mut World, on: impl Fn(&Effect) -> bool) {
    let running = world.azure.operations.iter().find(|(_, operation)| !operation.done && on(&operation.effect));
    if let Some(id) = running.map(|(id, _)| id.clone()) {
        advance(world, &id);
    }
}

/// Ends what has run for too long without being asked.
pub(crate) fn settle(world: &mut World) {
    let limit = now(world).saturating_sub(LONGEST);
    let overdue =
        world.azure.operations.iter().filter(|(_, operation)| !operation.done && operation.started_at < limit);
    let overdue: Vec<String> = overdue.map(|(id, _)| id.clone()).collect();
    for id in overdue {
        finish(world, &id);
    }
}

fn finish(world: &mut World, id: &str) {
    let Some(operation) = world.azure.operations.get_mut(id) else {
        return;
    };
    operation.done = true;
    let (effect, failed) = (operation.effect.clone(), operation.failure.is_some());
    match effect {
        Effect::None => {}
        Effect::FinishEndpoint { endpoint } => endpoints::finished(world, &endpoint, failed),
        Effect::RemoveEndpoint { endpoint } => endpoints::removed(world, &endpoint, failed),
        Effect::FinishZoneGroup { endpoint, group } => {
            zone_groups::finished(world, &endpoint, &group, failed);
        }
        Effect::RemoveZoneGroup { endpoint, group } => {
            zone_groups::removed(world, &endpoint, &group, failed);
        }
        Effect::FinishZone { zone, value } => dns::zone_finished(world, zone, *value, failed),
        Effect::FinishLink { zone, link, value } => {
            dns::link_finished(world, &zone, link, *value, failed);
        }
        Effect::RemoveLink { zone, link } => dns::link_removed(world, &zone, &link, failed),
        Effect::RemoveZone { zone } => dns::zone_removed(world, &zone, failed),
    }
}
