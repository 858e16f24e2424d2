//! One exchange from request to answer: fault first, handler, log last.
//!
//! In: a [`Call`]. Out: an [`Answer`], or nothing when the connection is to be cut. Never: reads or writes a socket.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Core;
use super::faults::{Cut, EffectFields, Rule};
use super::log::{Entry, clock};
use crate::state::World;
use crate::wire::{Answer, Call, Service};
use crate::{azure, ibm};

/// The answer to a call; `None` = cut the connection.
pub async fn run(core: &Arc<Core>, call: Call) -> Option<Answer> {
    let started = clock();
    let fault = core.faults().take(&call);
    if let Some(delay) = fault.as_ref().and_then(|rule| rule.effect.latency_ms) {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    let answer = decide(core, &call, fault.as_ref());
    let held = answer.is_none() && fault.as_ref().is_some_and(|rule| rule.effect.hold == Some(true));
    core.log().push(Entry::new(&call, answer.as_ref(), fault.map(|rule| rule.id), started));
    if held {
        std::future::pending::<()>().await; // until the client goes away
    }
    answer
}

fn decide(core: &Arc<Core>, call: &Call, fault: Option<&Rule>) -> Option<Answer> {
    let Some(effect) = fault.map(|rule| &rule.effect) else {
        return Some(handle(core, call, None));
    };
    if effect.cut() == Some(Cut::Before) {
        return None;
    }
    if let Some(delay) = effect.commit_after_ms {
        commit_later(core, call, delay);
        return None;
    }
    if effect.status.is_some() && effect.apply != Some(true) {
        return Some(dressed(call, faulty(call, effect, None)));
    }
    let answer = handle(core, call, Some(effect));
    if effect.cut() == Some(Cut::After) {
        return None;
    }
    if effect.status.is_some() {
        return Some(dressed(call, faulty(call, effect, answer.principal)));
    }
    Some(answer)
}

/// Runs the handler once more than the connection lives: the box's own late commit.
fn commit_later(core: &Arc<Core>, call: &Call, delay: u64) {
    let (core, call) = (Arc::clone(core), call.clone());
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(delay)).await;
        handle(&core, &call, None);
    });
}

fn handle(core: &Core, call: &Call, effect: Option<&EffectFields>) -> Answer {
    let mut world = core.world();
    world.azure.fail_next = effect.and_then(|effect| effect.async_fail.clone());
    let answer = route(&mut world, call);
    world.azure.fail_next = None;
    drop(world);
    dressed(call, answer)
}

/// The service's own answer, without the headers every answer of it carries.
pub fn route(world: &mut World, call: &Call) -> Answer {
    match call.service {
        Service::Entra | Service::Imds => azure::entra::answer(world, call),
        Service::Arm => azure::arm::answer(world, call),
        Service::Kv => azure::kv::answer(world, call),
        Service::Iam | Service::Containers | Service::Link | Service::Broker | Service::Uko => ibm::answer(world, call),
        Service::Unknown => Answer::empty(403).refused("no service of the box has this host"),
    }
}

fn dressed(call: &Call, answer: Answer) -> Answer {
    azure::with_request_ids(call, answer)
}

/// The answer a status fault gives; without a body of its own, the service's usual words for that status.
fn faulty(call: &Call, effect: &EffectFields, principal: Option<String>) -> Answer {
    let status = effect.status.unwrap_or(500);
    let mut answer = match &effect.body {
        Some(Value::String(text)) => {
            let kind = if text.trim_start().starts_with('<') { "text/html" } else { "text/plain" };
            Answer::empty(status).header("content-type", kind).with_body(text.clone().into_bytes())
        }
        Some(value) => Answer::json(status, value),
        None => Answer::json(status, &usual_words(call.service, status)),
    };
    answer.principal = principal;
    match &effect.retry_after {
        Some(Value::String(text)) => answer = answer.header("retry-after", text.clone()),
        Some(number) => answer = answer.header("retry-after", number.to_string()),
        None => {}
    }
    for (name, value) in effect.headers.iter().flatten() {
        answer.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        answer = answer.header(name, value.clone());
    }
    answer.refused("a fault that was set")
}

fn usual_words(service: Service, status: u16) -> Value {
    let code = match (service, status) {
        (Service::Kv, 429) => "Throttled",
        (_, 429) => "TooManyRequests",
        (Service::Kv, 403) => "Forbidden",
        (_, 401) => "InvalidAuthenticationToken",
        (_, 403) => "AuthorizationFailed",
        (_, 404) => "ResourceNotFound",
        (_, 409) => "Conflict",
        (_, 412) => "PreconditionFailed",
        (_, 502) => "BadGateway",
        (_, 503) => "ServiceUnavailable",
        (_, 504) => "GatewayTimeout",
        (_, 500..) => "InternalServerError",
        (_, _) => "BadRequest",
    };
    let message = format!("The box was told to answer {status}.");
    match service {
        Service::Entra | Service::Imds => {
            json!({"error": "temporarily_unavailable", "error_description": message})
        }
        Service::Iam => json!({"errorCode": format!("BXNIM0{status}E"), "errorMessage": message}),
        Service::Arm | Service::Kv | Service::Unknown => {
            json!({"error": {"code": code, "message": message}})
        }
        Service::Containers | Service::Link | Service::Broker | Service::Uko => json!({
            "status_code": status, "trace": "box", "errors": [{"code": code.to_lowercase(), "message": message}],
        }),
    }
}
