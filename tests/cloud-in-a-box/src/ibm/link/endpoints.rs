//! Link's endpoints: list, create, read, change, remove.
//!
//! In: a call for a parent that exists. Out: endpoints as JSON. Never: opens a connection; the chain asks what is here.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::super::clock::rfc3339;
use super::super::state::Endpoint;
use super::rules;
use super::{body, refused, success};
use crate::state::{World, now};
use crate::wire::{Answer, Call};

const CREATE: [&str; 13] = [
    "conn_type",
    "display_name",
    "server_host",
    "server_port",
    "sni",
    "client_protocol",
    "client_mutual_auth",
    "server_protocol",
    "server_mutual_auth",
    "reject_unauth",
    "timeout",
    "created_by",
    "certs",
];
const UPDATE: [&str; 13] = [
    "display_name",
    "server_host",
    "server_port",
    "sni",
    "client_protocol",
    "client_mutual_auth",
    "server_protocol",
    "server_mutual_auth",
    "reject_unauth",
    "timeout",
    "created_by",
    "certs",
    "enabled",
];
/// Where Link starts to hand out client ports \[E].
const FIRST_PORT: u16 = 32_768;
const LAST_PORT: u16 = 52_768;

pub(super) fn list(world: &mut World, call: &Call, parent: &str) -> Answer {
    let wanted = match call.query("type") {
        None => None,
        Some("enabled") => Some(true),
        Some("disabled") => Some(false),
        Some(other) => {
            return refused(400, &format!("type {other} is neither enabled nor disabled"));
        }
    };
    let mut found: Vec<_> = world
        .ibm
        .endpoints
        .iter_mut()
        .filter(|(_, it)| it.parent == parent && wanted.is_none_or(|wanted| it.enabled == wanted))
        .collect();
    found.sort_by(|(id, one), (other_id, other)| (one.created_at, id).cmp(&(other.created_at, other_id)));
    let endpoints: Vec<Value> =
        found.into_iter().map(|(id, endpoint)| seen(&world.ibm.region, &world.ibm.account, id, endpoint)).collect();
    Answer::json(200, &json!({"endpoints": endpoints}))
}

pub(super) fn read(world: &mut World, parent: &str, id: &str) -> Answer {
    match world.ibm.endpoints.get_mut(id).filter(|it| it.parent == parent) {
        Some(endpoint) => Answer::json(200, &seen(&world.ibm.region, &world.ibm.account, id, endpoint)),
        None => refused(404, "no such endpoint"),
    }
}

pub(super) fn create(world: &mut World, call: &Call, parent: &str) -> Answer {
    let given = match body(call) {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let endpoint = match draft(world, parent, given) {
        Ok(endpoint) => signed(world, endpoint),
        Err(why) => return refused(400, &why),
    };
    if let Some(answer) = name_taken(world, parent, &endpoint.display_name, None) {
        return answer;
    }
    let quota = &world.ibm.switches.endpoint_quota;
    let of_kind = |it: &&Endpoint| it.parent == parent && it.conn_type == "location";
    if endpoint.conn_type == "location" && world.ibm.endpoints.values().filter(of_kind).count() >= quota.limit {
        return refused(quota.status, &quota.message);
    }
    let id = format!("{parent}_{}", short_id());
    world.ibm.next_client_port = if endpoint.client_port >= LAST_PORT { FIRST_PORT } else { endpoint.client_port + 1 };
    let shown = json_of(&world.ibm.region, &world.ibm.account, &id, &endpoint);
    world.ibm.endpoints.insert(id, endpoint);
    Answer::json(world.ibm.switches.link_created, &shown)
}

pub(super) fn update(world: &mut World, call: &Call, parent: &str, id: &str) -> Answer {
    let Some(present) = world.ibm.endpoints.get(id).filter(|it| it.parent == parent).cloned() else {
        return refused(404, "no such endpoint");
    };
    let given = match body(call) {
        Ok(given) => given,
        Err(answer) => return answer,
    };
    let changed = match change(present, given, now(world)) {
        Ok(changed) => signed(world, changed),
        Err(why) => return refused(400, &why),
    };
    if let Some(answer) = name_taken(world, parent, &changed.display_name, Some(id)) {
        return answer;
    }
    let shown = json_of(&world.ibm.region, &world.ibm.account, id, &changed);
    world.ibm.endpoints.insert(id.to_owned(), changed);
    Answer::json(200, &shown)
}

pub(super) fn delete(world: &mut World, parent: &str, id: &str) -> Answer {
    if world.ibm.endpoints.get(id).is_none_or(|it| it.parent != parent) {
        return refused(404, "no such endpoint");
    }
    world.ibm.endpoints.remove(id);
    success()
}

/// Five characters, as Link's ids end.
pub(super) fn short_id() -> String {
    Uuid::new_v4().simple().to_string().chars().take(5).collect()
}

fn name_taken(world: &World, parent: &str, name: &str, but: Option<&str>) -> Option<Answer> {
    let taken = world
        .ibm
        .endpoints
        .iter()
        .any(|(id, it)| it.parent == parent && it.display_name == name && but != Some(id.as_str()));
    (taken && world.ibm.switches.unique_link_names)
        .then(|| refused(409, &format!("an endpoint named {name} exists already")))
}

fn draft(world: &World, parent: &str, body: Value) -> Result<Endpoint, String> {
    let members = rules::object(body, &CREATE)?;
    let conn_type = rules::needed(&members, "conn_type")?;
    if !matches!(conn_type.as_str(), "location" | "cloud") {
        return Err(format!("conn_type {conn_type} is neither location nor cloud"));
    }
    for name in ["display_name", "server_host", "client_protocol"] {
        rules::needed(&members, name)?;
    }
    if !members.contains_key("server_port") {
        return Err("server_port is required".into());
    }
    let time = now(world);
    let region = world.ibm.connectors.get(parent).map_or(&world.ibm.region, |it| &it.region);
    let blank = Endpoint {
        parent: parent.to_owned(),
        conn_type,
        timeout: Some(60),
        client_host: format!("c-01.private.{region}.link.satellite.cloud.ibm.com"),
        client_port: world.ibm.next_client_port.max(FIRST_PORT),
        reads_to_address: world.ibm.switches.reads_to_client_address,
        enabled: true,
        created_at: time,
        ..Endpoint::default()
    };
    filled(blank, &members, time)
}

fn change(present: Endpoint, body: Value, time: i64) -> Result<Endpoint, String> {
    let members = rules::object(body, &UPDATE)?;
    if members.is_empty() {
        return Err("nothing to change".into());
    }
    filled(present, &members, time)
}

/// Puts the members of a body into an endpoint. A missing `server_protocol` means its default, even here \[S].
fn filled(mut endpoint: Endpoint, members: &Map<String, Value>, time: i64) -> Result<Endpoint, String> {
    if let Some(name) = rules::text(members, "display_name")? {
        rules::name(&name, "display_name")?;
        endpoint.display_name = name;
    }
    if let Some(protocol) = rules::text(members, "client_protocol")? {
        endpoint.client_protocol = protocol;
    }
    endpoint.server_protocol =
        rules::server_protocol(&endpoint.client_protocol, rules::text(members, "server_protocol")?)?;
    if let Some(host) = rules::text(members, "server_host")? {
        rules::host(&host, &endpoint.client_protocol)?;
        endpoint.server_host = host;
    }
    let lowest = u16::from(endpoint.client_protocol != "http-tunnel");
    if let Some(port) = rules::number(members, "server_port", lowest, u16::MAX)? {
        endpoint.server_port = port;
    }
    if let Some(timeout) = rules::number(members, "timeout", 1, 180)? {
        endpoint.timeout = Some(timeout);
    }
    if let Some(text) = rules::text(members, "created_by")? {
        if text.chars().count() > 1000 {
            return Err("created_by holds at most 1000 characters".into());
        }
        endpoint.created_by = Some(text);
    }
    endpoint.sni = rules::text(members, "sni")?.or(endpoint.sni);
    endpoint.tls.client_mutual_auth =
        rules::flag(members, "client_mutual_auth")?.unwrap_or(endpoint.tls.client_mutual_auth);
    endpoint.tls.server_mutual_auth =
        rules::flag(members, "server_mutual_auth")?.unwrap_or(endpoint.tls.server_mutual_auth);
    endpoint.tls.reject_unauth = rules::flag(members, "reject_unauth")?.unwrap_or(endpoint.tls.reject_unauth);
    endpoint.enabled = rules::flag(members, "enabled")?.unwrap_or(endpoint.enabled);
    endpoint.last_change = time;
    Ok(endpoint)
}

/// What Link makes of the creator's text.
fn signed(world: &World, endpoint: Endpoint) -> Endpoint {
    if world.ibm.switches.created_by_kept {
        return endpoint;
    }
    Endpoint { created_by: Some("iam-ServiceId-5f0c".into()), ..endpoint }
}

/// An endpoint as a read shows it; each read brings a new one closer to its address.
fn seen(region: &str, account: &str, id: &str, endpoint: &mut Endpoint) -> Value {
    let shown = json_of(region, account, id, endpoint);
    endpoint.reads_to_address = endpoint.reads_to_address.saturating_sub(1);
    shown
}

fn json_of(region: &str, account: &str, id: &str, endpoint: &Endpoint) -> Value {
    let known = endpoint.reads_to_address == 0;
    let sources: Vec<Value> =
        endpoint.sources.iter().map(|(source, binding)| super::sources::binding(source, binding)).collect();
    json!({
        "endpoint_id": id,
        "location_id": endpoint.parent,
        "crn": format!("crn:v1:bluemix:public:satellite:{region}:a/{account}:{}:endpoint:{id}", endpoint.parent),
        "service_name": format!("satellite-link-{}", endpoint.display_name),
        "conn_type": endpoint.conn_type,
        "display_name": endpoint.display_name,
        "server_host": endpoint.server_host,
        "server_port": endpoint.server_port,
        "sni": endpoint.sni,
        "client_protocol": endpoint.client_protocol,
        "client_mutual_auth": endpoint.tls.client_mutual_auth,
        "server_protocol": endpoint.server_protocol,
        "server_mutual_auth": endpoint.tls.server_mutual_auth,
        "reject_unauth": endpoint.tls.reject_unauth,
        "timeout": endpoint.timeout,
        "created_by": endpoint.created_by,
        "client_host": known.then_some(&endpoint.client_host),
        "client_port": known.then_some(endpoint.client_port),
        "connector_port": known.then_some(endpoint.client_port),
        "status": if endpoint.enabled { "enabled" } else { "disabled" },
        "sources": sources,
        "created_at": rfc3339(endpoint.created_at),
        "last_change": rfc3339(endpoint.last_change),
        "performance": {"connection": 0, "rx_bandwidth": 0, "tx_bandwidth": 0, "bandwidth": 0, "connectors": []},
    })
}
