//! Link's sources (access rules) and what binds them to endpoints, asked from either side.
//!
//! In: a call for a parent that exists. Out: sources and bindings as JSON. Never: lets or stops traffic; the chain does.

use serde_json::{Map, Value, json};

use super::super::clock::rfc3339;
use super::super::state::{Binding, Source};
use super::endpoints::short_id;
use super::rules;
use super::{body, refused, success};
use crate::state::{World, now};
use crate::wire::{Answer, Call};

pub(super) fn list(world: &World, call: &Call, parent: &str) -> Answer {
    let wanted = match call.query("type") {
        None => None,
        Some(kind @ ("user" | "service")) => Some(kind),
        Some(other) => return refused(400, &format!("type {other} is neither user nor service")),
    };
    let found = world.ibm.sources.iter().filter(|(_, it)| it.parent == parent);
    let shown: Vec<Value> = found
        .filter(|(_, it)| wanted.is_none_or(|wanted| it.kind == wanted))
        .map(|(id, source)| json_of(id, source))
        .collect();
    Answer::json(200, &json!({"sources": shown}))
}

pub(super) fn create(world: &mut World, call: &Call, parent: &str) -> Answer {
    let time = now(world);
    let read = |body| -> Result<Source, String> {
        let members = rules::object(body, &["type", "source_name", "addresses"])?;
        let kind = rules::needed(&members, "type")?;
        if !matches!(kind.as_str(), "user" | "service") {
            return Err(format!("type {kind} is neither user nor service"));
        }
        rules::needed(&members, "source_name")?;
        let blank = Source { parent: parent.to_owned(), kind, created_at: time, ..Source::default() };
        let source = filled(blank, &members, time)?;
        if source.addresses.is_empty() { Err("addresses is required".into()) } else { Ok(source) }
    };
    let source = match body(call).map(read) {
        Ok(Ok(source)) => source,
        Ok(Err(why)) => return refused(400, &why),
        Err(answer) => return answer,
    };
    if let Some(answer) = name_taken(world, parent, &source.source_name, None) {
        return answer;
    }
    let id = format!("{parent}-Source-{}", short_id());
    let shown = json_of(&id, &source);
    world.ibm.sources.insert(id, source);
    Answer::json(world.ibm.switches.link_created, &shown)
}

pub(super) fn update(world: &mut World, call: &Call, parent: &str, id: &str) -> Answer {
    let Some(present) = world.ibm.sources.get(id).filter(|it| it.parent == parent).cloned() else {
        return refused(404, "no such source");
    };
    let time = now(world);
    let read = |body| -> Result<Source, String> {
        let members = rules::object(body, &["source_name", "addresses"])?;
        if members.is_empty() {
            return Err("nothing to change".into());
        }
        filled(present, &members, time)
    };
    let changed = match body(call).map(read) {
        Ok(Ok(changed)) => changed,
        Ok(Err(why)) => return refused(400, &why),
        Err(answer) => return answer,
    };
    if let Some(answer) = name_taken(world, parent, &changed.source_name, Some(id)) {
        return answer;
    }
    let shown = json_of(id, &changed);
    world.ibm.sources.insert(id.to_owned(), changed);
    Answer::json(200, &shown)
}

pub(super) fn delete(world: &mut World, parent: &str, id: &str) -> Answer {
    if world.ibm.sources.get(id).is_none_or(|it| it.parent != parent) {
        return refused(404, "no such source");
    }
    world.ibm.sources.remove(id);
    for endpoint in world.ibm.endpoints.values_mut() {
        endpoint.sources.remove(id);
    }
    success()
}

pub(super) fn of_endpoint(world: &World, parent: &str, endpoint: &str) -> Answer {
    match world.ibm.endpoints.get(endpoint).filter(|it| it.parent == parent) {
        Some(found) => {
            let shown: Vec<Value> = found.sources.iter().map(|(id, it)| binding(id, it)).collect();
            Answer::json(200, &json!({"sources": shown}))
        }
        None => refused(404, "no such endpoint"),
    }
}

/// `PATCH …/endpoints/{id}/sources`. The SDK reads `sources` from the answer, the contract a message: it holds both.
pub(super) fn bind(world: &mut World, call: &Call, parent: &str, endpoint: &str) -> Answer {
    let asked = match pairs(call, "sources", "source_id") {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let unknown = |id: &str| world.ibm.sources.get(id).is_none_or(|it| it.parent != parent);
    if let Some((id, _)) = asked.iter().find(|(id, _)| unknown(id)) {
        return refused(400, &format!("source {id} does not belong to this parent"));
    }
    let time = now(world);
    let Some(found) = world.ibm.endpoints.get_mut(endpoint).filter(|it| it.parent == parent) else {
        return refused(404, "no such endpoint");
    };
    for (id, enabled) in asked {
        found.sources.insert(id, Binding { enabled, last_change: time });
    }
    found.last_change = time;
    let shown: Vec<Value> = found.sources.iter().map(|(id, it)| binding(id, it)).collect();
    Answer::json(200, &json!({"message": "Success", "sources": shown}))
}

pub(super) fn endpoints_of(world: &World, parent: &str, source: &str) -> Answer {
    if world.ibm.sources.get(source).is_none_or(|it| it.parent != parent) {
        return refused(404, "no such source");
    }
    let of_parent = world.ibm.endpoints.iter().filter(|(_, it)| it.parent == parent);
    let shown: Vec<Value> = of_parent
        .filter_map(|(id, it)| it.sources.get(source).map(|bound| json!({"endpoint_id": id, "enabled": bound.enabled})))
        .collect();
    Answer::json(200, &json!({"endpoints": shown}))
}

pub(super) fn bind_endpoints(world: &mut World, call: &Call, parent: &str, source: &str) -> Answer {
    if world.ibm.sources.get(source).is_none_or(|it| it.parent != parent) {
        return refused(404, "no such source");
    }
    let asked = match pairs(call, "endpoints", "endpoint_id") {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let unknown = |id: &str| world.ibm.endpoints.get(id).is_none_or(|it| it.parent != parent);
    if let Some((id, _)) = asked.iter().find(|(id, _)| unknown(id)) {
        return refused(400, &format!("endpoint {id} does not belong to this parent"));
    }
    let time = now(world);
    for (id, enabled) in asked {
        if let Some(endpoint) = world.ibm.endpoints.get_mut(&id) {
            endpoint.sources.insert(source.to_owned(), Binding { enabled, last_change: time });
        }
    }
    success()
}

/// The body `{list: [{id, enabled}]}`.
fn pairs(call: &Call, list: &str, id: &str) -> Result<Vec<(String, bool)>, Answer> {
    let given = body(call)?;
    let read = || -> Result<Vec<(String, bool)>, String> {
        let members = rules::object(given, &[list])?;
        let items = members.get(list).and_then(Value::as_array).ok_or_else(|| format!("{list} must be a list"))?;
        items
            .iter()
            .map(|item| {
                let members = rules::object(item.clone(), &[id, "enabled"])?;
                let enabled = rules::flag(&members, "enabled")?.ok_or("enabled is required")?;
                Ok((rules::needed(&members, id)?, enabled))
            })
            .collect()
    };
    read().map_err(|why| refused(400, &why))
}

fn name_taken(world: &World, parent: &str, name: &str, but: Option<&str>) -> Option<Answer> {
    let taken = world
        .ibm
        .sources
        .iter()
        .any(|(id, it)| it.parent == parent && it.source_name == name && but != Some(id.as_str()));
    (taken && world.ibm.switches.unique_link_names)
        .then(|| refused(409, &format!("a source named {name} exists already")))
}

fn filled(mut source: Source, members: &Map<String, Value>, time: i64) -> Result<Source, String> {
    if let Some(name) = rules::text(members, "source_name")? {
        rules::name(&name, "source_name")?;
        source.source_name = name;
    }
    if let Some(addresses) = rules::addresses(members)? {
        source.addresses = addresses;
    }
    source.last_change = time;
    Ok(source)
}

fn json_of(id: &str, source: &Source) -> Value {
    json!({
        "source_id": id,
        "location_id": source.parent,
        "type": source.kind,
        "source_name": source.source_name,
        "addresses": source.addresses,
        "created_at": rfc3339(source.created_at),
        "last_change": rfc3339(source.last_change),
    })
}

pub(super) fn binding(id: &str, binding: &Binding) -> Value {
    json!({
        "source_id": id,
        "enabled": binding.enabled,
        "last_change": rfc3339(binding.last_change),
        "pending": false,
    })
}
