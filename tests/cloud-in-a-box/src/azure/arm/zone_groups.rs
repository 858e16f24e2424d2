//! DNS zone groups of private endpoints: they write the A record and take it away.
//!
//! In: PUT, GET, list, DELETE. Out: the group with the records it made. Never: makes the zone or its link.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check::{self, MAY, MUST, Member, Shape, list, text};
use super::{Ask, Outcome, endpoint_view, error, operations, quirks, rights, target};
use crate::azure::facts;
use crate::azure::state::{ARecord, Effect, PrivateEndpoint, ZoneGroup};
use crate::state::World;
use crate::wire::Answer;

/// The TTL of a record that a group writes.
const TTL: u32 = 10;

/// All calls on zone groups.
pub(crate) fn answer(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    let key = ask.target.id.to_lowercase();
    let key = key.split("/privatednszonegroups").next().unwrap_or_default().to_owned();
    if !world.azure.private_endpoints.contains_key(&key) {
        return Err(error::parent_not_found(ask));
    }
    let name = ask.target.name(1).to_owned();
    if ask.call.method == Method::GET {
        operations::look(world, |effect| on_group(effect, &key));
    }
    let endpoint = world.azure.private_endpoints.get(&key).ok_or_else(|| error::parent_not_found(ask))?;
    let found = endpoint.zone_groups.keys().find(|known| known.eq_ignore_ascii_case(&name)).cloned();
    match (&ask.call.method, list, found) {
        (&Method::GET, true, _) => {
            let items = endpoint.zone_groups.keys().filter_map(|group| json(world, endpoint, group)).collect();
            Ok(quirks::page(world, ask.call, items))
        }
        (&Method::GET, false, Some(group)) => {
            shown(world, &key, &group, 200).ok_or_else(|| error::child_not_found(ask))
        }
        (&Method::GET, false, None) => Err(error::child_not_found(ask)),
        (&Method::PUT, false, found) => put(world, ask, &key, &found.unwrap_or(name)),
        (&Method::DELETE, false, None) => Ok(Answer::empty(204)),
        (&Method::DELETE, false, Some(group)) => delete(world, ask, &key, &group),
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn on_group(effect: &Effect, key: &str) -> bool {
    match effect {
        Effect::FinishZoneGroup { endpoint, .. } | Effect::RemoveZoneGroup { endpoint, .. } => endpoint == key,
        Effect::None
        | Effect::FinishEndpoint { .. }
        | Effect::RemoveEndpoint { .. }
        | Effect::FinishZone { .. }
        | Effect::FinishLink { .. }
        | Effect::RemoveLink { .. }
        | Effect::RemoveZone { .. } => false,
    }
}

fn shown(world: &World, key: &str, group: &str, status: u16) -> Option<Answer> {
    let endpoint = world.azure.private_endpoints.get(key)?;
    let etag = endpoint_view::weak(&endpoint.zone_groups.get(group)?.etag);
    let answer = Answer::json(status, &json(world, endpoint, group)?);
    Some(if status == 200 { answer.header("etag", etag) } else { answer })
}

/// Zone name and record name that a zone id leads to for this endpoint.
fn record_name(world: &World, endpoint: &PrivateEndpoint) -> Option<String> {
    let vault = facts::vault_by_id(world, &endpoint.connection.private_link_service_id)?;
    Some(vault.name.to_lowercase())
}

fn json(world: &World, endpoint: &PrivateEndpoint, name: &str) -> Option<Value> {
    let group = endpoint.zone_groups.get(name)?;
    let id = format!("{}/privateDnsZoneGroups/{name}", endpoint.id);
    let etag = endpoint_view::weak(&group.etag);
    let nic = world.azure.network_interfaces.get(&endpoint.network_interface.to_lowercase());
    let addresses: Vec<&str> = nic.iter().map(|nic| nic.private_ip_address.as_str()).collect();
    let record = record_name(world, endpoint).unwrap_or_default();
    let configs: Vec<Value> = group
        .zones
        .iter()
        .map(|(config, zone)| {
            let zone_name = zone.rsplit('/').next().unwrap_or_default();
            json!({
                "name": config, "id": format!("{id}/privateDnsZoneConfigs/{config}"), "etag": etag,
                "type": "Microsoft.Network/privateEndpoints/privateDnsZoneGroups/privateDnsZoneConfigs",
                "properties": {
                    "provisioningState": group.provisioning_state, "privateDnsZoneId": zone,
                    "recordSets": [{
                        "recordType": "A", "recordSetName": record, "fqdn": format!("{record}.{zone_name}"), "ttl": TTL,
                        "provisioningState": group.provisioning_state, "ipAddresses": addresses,
                    }],
                },
            })
        })
        .collect();
    Some(json!({
        "name": name, "id": id, "etag": etag, "type": "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
        "properties": {"provisioningState": group.provisioning_state, "privateDnsZoneConfigs": configs},
    }))
}

const BODY: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member("provisioningState", MAY, Shape::Any),
            Member(
                "privateDnsZoneConfigs",
                MUST,
                Shape::List(&Shape::Object(&[
                    Member("id", MAY, Shape::Any),
                    Member("name", MUST, Shape::Text),
                    Member("type", MAY, Shape::Any),
                    Member("etag", MAY, Shape::Any),
                    Member(
                        "properties",
                        MUST,
                        Shape::Object(&[
                            Member("privateDnsZoneId", MUST, Shape::Text),
                            Member("recordSets", MAY, Shape::Any),
                            Member("provisioningState", MAY, Shape::Any),
                        ]),
                    ),
                ])),
            ),
        ]),
    ),
]);

fn put(world: &mut World, ask: &Ask, key: &str, name: &str) -> Outcome {
    let body = check::body(ask.call, &BODY)?;
    let configs = list(&body, "/properties/privateDnsZoneConfigs");
    let zones: BTreeMap<String, String> = configs
        .iter()
        .map(|config| (text(config, "/name").to_owned(), text(config, "/properties/privateDnsZoneId").to_owned()))
        .collect();
    for zone in zones.values() {
        zone_usable(world, ask, zone)?;
    }
    let endpoint = world.azure.private_endpoints.get_mut(key).ok_or_else(|| Answer::empty(404))?;
    if endpoint.provisioning_state != "Succeeded"
        || endpoint.zone_groups.values().any(|group| group.provisioning_state != "Succeeded")
    {
        return Err(error::another_operation(&endpoint.id));
    }
    if endpoint.zone_groups.keys().any(|known| known != name) {
        return Err(error::network(
            400,
            "BadRequest",
            format!("Private endpoint {} has a private DNS zone group already.", endpoint.id),
        ));
    }
    let location = endpoint.location.clone();
    let same = endpoint.zone_groups.get(name).is_some_and(|known| known.zones == zones);
    if same {
        let id = operations::begin(world, false, Effect::None, None);
        let answer = shown(world, key, name, 200).unwrap_or_default();
        return Ok(operations::lead(ask, answer, &id, &location, false));
    }
    let group = ZoneGroup { provisioning_state: "Updating".into(), zones, etag: Uuid::new_v4().to_string() };
    let status = if endpoint.zone_groups.insert(name.to_owned(), group).is_none() { 201 } else { 200 };
    let effect = Effect::FinishZoneGroup { endpoint: key.to_owned(), group: name.to_owned() };
    let id = operations::begin(world, false, effect, None);
    let retry_after = world.settings.retry_after_seconds.to_string();
    let answer = shown(world, key, name, status).unwrap_or_default().header("retry-after", retry_after);
    Ok(operations::lead(ask, answer, &id, &location, false))
}

fn zone_usable(world: &World, ask: &Ask, id: &str) -> Result<(), Answer> {
    let parsed = target::parse_id(id).filter(|zone| zone.kind == "microsoft.network/privatednszones");
    if parsed.is_none() {
        return Err(error::gateway(
            400,
            "LinkedInvalidPropertyId",
            format!("Property id '{id}' at path 'properties.privateDnsZoneConfigs' is invalid."),
        ));
    }
    rights::check_linked(world, ask, "Microsoft.Network/privateDnsZones/join/action", id)?;
    rights::check_linked(world, ask, "Microsoft.Network/privateDnsZones/A/write", id)?;
    if world.azure.private_dns_zones.contains_key(&id.to_lowercase()) {
        return Ok(());
    }
    Err(error::network(
        400,
        "InvalidResourceReference",
        format!(
            "Resource {id} referenced by resource {} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.",
            ask.target.id
        ),
    ))
}

/// The operation's end: the record is written, over whatever stood there.
pub(crate) fn finished(world: &mut World, key: &str, group: &str, failed: bool) {
    let Some(endpoint) = world.azure.private_endpoints.get(key).cloned() else {
        return;
    };
    let nic = world.azure.network_interfaces.get(&endpoint.network_interface.to_lowercase());
    let address = nic.map(|nic| nic.private_ip_address.clone());
    let record = record_name(world, &endpoint);
    if let (false, Some(address), Some(record), Some(group)) =
        (failed, address, record, endpoint.zone_groups.get(group))
    {
        for zone in group.zones.values() {
            let entry = ARecord {
                ttl: TTL,
                addresses: vec![address.clone()],
                metadata: BTreeMap::from([("creator".into(), format!("created by private endpoint {}", endpoint.id))]),
                etag: Uuid::new_v4().to_string(),
            };
            if let Some(zone) = world.azure.private_dns_zones.get_mut(&zone.to_lowercase()) {
                zone.a_records.insert(record.clone(), entry);
            }
        }
    }
    let endpoint = world.azure.private_endpoints.get_mut(key);
    if let Some(group) = endpoint.and_then(|endpoint| endpoint.zone_groups.get_mut(group)) {
        group.provisioning_state = if failed { "Failed" } else { "Succeeded" }.into();
        group.etag = Uuid::new_v4().to_string();
    }
}

fn delete(world: &mut World, ask: &Ask, key: &str, group: &str) -> Outcome {
    let endpoint = world.azure.private_endpoints.get_mut(key).ok_or_else(|| Answer::empty(404))?;
    let (id, location) = (endpoint.id.clone(), endpoint.location.clone());
    let found = endpoint.zone_groups.get_mut(group).ok_or_else(|| Answer::empty(404))?;
    if ["Updating", "Deleting"].contains(&found.provisioning_state.as_str()) {
        return Err(error::another_operation(&id));
    }
    found.provisioning_state = "Deleting".into();
    let effect = Effect::RemoveZoneGroup { endpoint: key.to_owned(), group: group.to_owned() };
    let id = operations::begin(world, false, effect, None);
    let retry_after = world.settings.retry_after_seconds.to_string();
    Ok(operations::lead(ask, Answer::empty(202).header("retry-after", retry_after), &id, &location, true))
}

/// The end of a deletion: the record goes, if it still is this endpoint's.
pub(crate) fn removed(world: &mut World, key: &str, group: &str, failed: bool) {
    let Some(endpoint) = world.azure.private_endpoints.get(key).cloned() else {
        return;
    };
    let Some(found) = endpoint.zone_groups.get(group) else {
        return;
    };
    if failed {
        if let Some(found) =
            world.azure.private_endpoints.get_mut(key).and_then(|endpoint| endpoint.zone_groups.get_mut(group))
        {
            found.provisioning_state = "Failed".into();
        }
        return;
    }
    let record = record_name(world, &endpoint).unwrap_or_default();
    for zone in found.zones.values() {
        if let Some(zone) = world.azure.private_dns_zones.get_mut(&zone.to_lowercase()) {
            let ours = |entry: &ARecord| entry.metadata.get("creator").is_some_and(|by| by.contains(&endpoint.id));
            if zone.a_records.get(&record).is_some_and(ours) {
                zone.a_records.remove(&record);
            }
        }
    }
    if let Some(endpoint) = world.azure.private_endpoints.get_mut(key) {
        endpoint.zone_groups.remove(group);
    }
}
