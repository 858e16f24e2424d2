//! A records of private DNS zones.
//!
//! In: GET, list, PUT, DELETE. Out: the record set, at once. Never: writes one without its zone.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check::{self, MAY, MUST, Member, Shape, list as items_of, text};
use super::dns::conditions;
use super::{Ask, Outcome, error, quirks};
use crate::azure::set;
use crate::azure::state::{ARecord, PrivateDnsZone};
use crate::state::World;
use crate::wire::Answer;

const BODY: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member("ttl", MAY, Shape::Number),
            Member("fqdn", MAY, Shape::Any),
            Member("isAutoRegistered", MAY, Shape::Any),
            Member("metadata", MAY, Shape::Tags),
            Member("aRecords", MUST, Shape::List(&Shape::Object(&[Member("ipv4Address", MUST, Shape::Text)]))),
        ]),
    ),
]);

/// All calls on A records.
pub(crate) fn answer(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    let key = ask.target.parent_id().to_lowercase();
    let name = ask.target.name(1).to_lowercase();
    let zone = world.azure.private_dns_zones.get(&key).ok_or_else(|| error::parent_not_found(ask))?;
    if list && ask.call.method == Method::GET {
        return Ok(quirks::page(
            world,
            ask.call,
            zone.a_records.iter().map(|(name, record)| json(zone, name, record)).collect(),
        ));
    }
    let found = zone.a_records.get(&name);
    match (&ask.call.method, found) {
        (&Method::GET, Some(record)) => {
            Ok(Answer::json(200, &json(zone, &name, record)).header("etag", record.etag.clone()))
        }
        (&Method::GET, None) => Err(error::plain(
            404,
            "NotFound",
            format!("The resource record '{}' does not exist in the zone.", ask.target.name(1)),
        )),
        (&Method::PUT, found) => {
            conditions(ask, found.map(|record| record.etag.as_str()))?;
            let status = if found.is_some() { 200 } else { 201 };
            let record = parse(&check::body(ask.call, &BODY)?)?;
            let zone = world.azure.private_dns_zones.get_mut(&key).ok_or_else(|| Answer::empty(404))?;
            let answer = Answer::json(status, &json(zone, &name, &record)).header("etag", record.etag.clone());
            zone.a_records.insert(name, record);
            Ok(answer)
        }
        (&Method::DELETE, None) => Ok(Answer::empty(204)),
        (&Method::DELETE, Some(record)) => {
            conditions(ask, Some(&record.etag))?;
            if let Some(zone) = world.azure.private_dns_zones.get_mut(&key) {
                zone.a_records.remove(&name);
            }
            Ok(Answer::empty(200))
        }
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn parse(body: &Value) -> Result<ARecord, Answer> {
    let addresses: Vec<String> =
        items_of(body, "/properties/aRecords").iter().map(|record| text(record, "/ipv4Address").to_owned()).collect();
    if let Some(bad) = addresses.iter().find(|address| address.parse::<std::net::Ipv4Addr>().is_err()) {
        return Err(error::parameter("properties.aRecords.ipv4Address", &format!("'{bad}' is no IPv4 address.")));
    }
    let ttl = body.pointer("/properties/ttl").and_then(Value::as_u64).unwrap_or(3600);
    let metadata = body.pointer("/properties/metadata").cloned().unwrap_or_else(|| json!({}));
    Ok(ARecord {
        ttl: u32::try_from(ttl).unwrap_or(u32::MAX),
        addresses,
        metadata: serde_json::from_value(metadata).unwrap_or_default(),
        etag: Uuid::new_v4().to_string(),
    })
}

fn json(zone: &PrivateDnsZone, name: &str, record: &ARecord) -> Value {
    let zone_name = zone.id.rsplit('/').next().unwrap_or_default();
    let addresses: Vec<Value> = record.addresses.iter().map(|address| json!({"ipv4Address": address})).collect();
    let mut properties = json!({
        "fqdn": format!("{name}.{zone_name}."), "ttl": record.ttl, "aRecords": addresses, "isAutoRegistered": false,
    });
    if !record.metadata.is_empty() {
        set(&mut properties, "metadata", json!(record.metadata));
    }
    json!({
        "id": format!("{}/A/{name}", zone.id), "name": name, "type": "Microsoft.Network/privateDnsZones/A",
        "etag": record.etag, "properties": properties,
    })
}
