//! What happens to every answer of Resource Manager: budget headers and, on request, odd spelling of ids.
//!
//! In: a finished answer. Out: the same with headers. Never: changes what it says.

use http::Method;
use serde_json::{Value, json};

use crate::azure::set;
use crate::state::{IdCase, World, now};
use crate::wire::{Answer, Call};

const READS: u64 = 16_500;
const CHANGES: u64 = 12_000;

/// Adds the budget headers and applies the spelling that the settings ask for.
pub(crate) fn apply(world: &mut World, call: &Call, answer: Answer) -> Answer {
    let answer = match world.settings.id_case {
        IdCase::Exact => answer,
        IdCase::Mixed => respelled(answer),
    };
    // Recorded 404s carry no budget header.
    if answer.status == 404 || answer.status == 401 {
        return answer;
    }
    let (kind, size) = match call.method {
        Method::GET | Method::HEAD => ("reads", READS),
        Method::DELETE => ("deletes", CHANGES),
        _ => ("writes", CHANGES),
    };
    let minute = now(world).div_euclid(60);
    let counters = &mut world.azure.counters;
    let minute = u64::try_from(minute).unwrap_or(0);
    if counters.insert("minute".into(), minute) != Some(minute) {
        counters.retain(|name, _| name == "minute");
    }
    let used = counters.entry(kind.into()).or_insert(0);
    *used = used.saturating_add(1);
    let left = size.saturating_sub(*used).to_string();
    if call.path.to_lowercase().contains("/microsoft.network/privatedns") {
        let left = if kind == "reads" { "499".into() } else { left };
        return answer.header("x-ms-ratelimit-remaining-subscription-resource-requests", left);
    }
    answer.header(&format!("x-ms-ratelimit-remaining-subscription-global-{kind}"), left)
}

fn respelled(mut answer: Answer) -> Answer {
    if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
        respell(&mut value);
        answer.body = value.to_string().into_bytes();
    }
    answer
}

fn respell(value: &mut Value) {
    match value {
        Value::String(text) if text.starts_with("/subscriptions/") => {
            *text = text
                .replace("/resourceGroups/", "/resourcegroups/")
                .replace("/Microsoft.KeyVault/vaults/", "/microsoft.keyvault/vaults/");
        }
        Value::Array(items) => items.iter_mut().for_each(respell),
        Value::Object(members) => members.values_mut().for_each(respell),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// One page of a list, with `nextLink` if the settings ask for small pages.
pub(crate) fn page(world: &World, call: &Call, items: Vec<Value>) -> Answer {
    let size = world.settings.page_size;
    if size == 0 {
        return Answer::json(200, &json!({"value": items}));
    }
    let start: usize = call.query("$skiptoken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start.saturating_add(shown.len());
    let mut body = json!({"value": shown});
    if end < total {
        let mut next = call.clone();
        next.query.retain(|(name, _)| name != "$skiptoken");
        next.query.push(("$skiptoken".into(), end.to_string()));
        set(&mut body, "nextLink", next.url());
    }
    Answer::json(200, &body)
}
