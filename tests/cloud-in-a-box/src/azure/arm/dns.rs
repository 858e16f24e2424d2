//! Private DNS zones and their links to virtual networks.
//!
//! In: GET, list, PUT, DELETE with `If-Match` and `If-None-Match`. Out: 202 first, the resource later.
//! Never: takes a second link of one network to zones of one name.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check::{self, MAY, MUST, Member, Shape, text};
use super::{Ask, Outcome, error, operations, quirks, rights};
use crate::azure::facts;
use crate::azure::set;
use crate::azure::state::{Effect, Failure, PrivateDnsZone, VirtualNetworkLink};
use crate::state::World;
use crate::wire::Answer;

/// What `If-Match` and `If-None-Match` say holds for a resource with this `ETag`, or for an absent one.
pub(crate) fn conditions(ask: &Ask, etag: Option<&str>) -> Result<(), Answer> {
    if ask.call.header("if-none-match").is_some_and(|value| value == "*") && etag.is_some() {
        return Err(error::precondition(
            "The condition '*' in the If-None-Match header was not satisfied. The resource exists.",
        ));
    }
    match ask.call.header("if-match") {
        Some(value) if value != "*" && etag.is_none_or(|etag| etag != value) => {
            Err(error::precondition(&format!("The condition '{value}' in the If-Match header was not satisfied.")))
        }
        _ => Ok(()),
    }
}

fn group_exists(world: &World, ask: &Ask) -> Result<(), Answer> {
    if ask.target.group.is_none() || world.azure.resource_groups.contains_key(&ask.target.group_id().to_lowercase()) {
        return Ok(());
    }
    Err(error::group_not_found(ask.target.group.as_deref().unwrap_or_default()))
}

/// The answer that leads to a running operation.
fn accepted(world: &mut World, ask: &Ask, effect: Effect, failure: Option<Failure>) -> Answer {
    let id = operations::begin(world, true, effect, failure);
    let wait = world.settings.retry_after_seconds.saturating_mul(3).to_string();
    let answer = if ask.call.method == Method::PUT { Answer::json(202, &json!({})) } else { Answer::empty(202) };
    operations::lead(ask, answer.header("retry-after", wait), &id, "", true)
}

const ZONE: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member("location", MAY, Shape::Word(&["global"])),
    Member("tags", MAY, Shape::Tags),
    Member("properties", MAY, Shape::Any),
]);

/// Zones.
pub(crate) fn zone(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    group_exists(world, ask)?;
    if list && ask.call.method == Method::GET {
        let below = ask
            .target
            .group
            .as_ref()
            .map_or(format!("/subscriptions/{}", ask.target.subscription), |_| ask.target.group_id());
        let found = world.azure.private_dns_zones.values().filter(|zone| facts::is_at_or_below(&zone.id, &below));
        return Ok(quirks::page(world, ask.call, found.map(zone_json).collect()));
    }
    let key = ask.target.key();
    if ask.call.method == Method::GET {
        operations::look(world, |effect| matches!(effect, Effect::FinishZone { zone, .. } if *zone == key));
    }
    let found = world.azure.private_dns_zones.get(&key);
    match (&ask.call.method, found) {
        (&Method::GET, Some(found)) => Ok(Answer::json(200, &zone_json(found)).header("etag", found.etag.clone())),
        (&Method::GET, None) => Err(error::resource_not_found(ask)),
        (&Method::PUT, found) => {
            let body = check::body(ask.call, &ZONE)?;
            check::tags_fit(&body)?;
            conditions(ask, found.map(|found| found.etag.as_str()))?;
            let mut value = found.cloned().unwrap_or_default();
            value.id.clone_from(&ask.target.id);
            value.tags = check::tags(&body).unwrap_or_default();
            value.etag = Uuid::new_v4().to_string();
            Ok(accepted(world, ask, Effect::FinishZone { zone: key, value: Box::new(value) }, None))
        }
        (&Method::DELETE, None) => Ok(Answer::empty(204)),
        (&Method::DELETE, Some(found)) => {
            conditions(ask, Some(&found.etag))?;
            if let Some(link) = found.links.keys().next() {
                let nested =
                    format!("Microsoft.Network/privateDnsZones/{}/virtualNetworkLinks/{link}", ask.target.name(0));
                return Err(error::gateway(
                    409,
                    "CannotDeleteResource",
                    format!(
                        "Cannot delete resource while nested resources exist. Some existing nested resource IDs include: '{nested}'. Please delete all nested resources before deleting this resource."
                    ),
                ));
            }
            Ok(accepted(world, ask, Effect::RemoveZone { zone: key }, None))
        }
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn zone_json(zone: &PrivateDnsZone) -> Value {
    let with_registration = zone.links.values().filter(|link| link.registration_enabled).count();
    let mut shown = json!({
        "id": zone.id, "name": zone.id.rsplit('/').next(), "type": "Microsoft.Network/privateDnsZones", "etag": zone.etag,
        "location": "global",
        "properties": {
            "maxNumberOfRecordSets": 25000, "maxNumberOfVirtualNetworkLinks": 1000,
            "maxNumberOfVirtualNetworkLinksWithRegistration": 100, "numberOfRecordSets": zone.a_records.len() + 1,
            "numberOfVirtualNetworkLinks": zone.links.len(),
            "numberOfVirtualNetworkLinksWithRegistration": with_registration, "provisioningState": "Succeeded",
        },
    });
    if !zone.tags.is_empty() {
        set(&mut shown, "tags", json!(zone.tags));
    }
    shown
}

/// The zone appears, with the links and records it had.
pub(crate) fn zone_finished(world: &mut World, key: String, value: PrivateDnsZone, failed: bool) {
    if failed {
        return;
    }
    let known = world.azure.private_dns_zones.entry(key).or_default();
    known.id = value.id;
    known.tags = value.tags;
    known.etag = value.etag;
}

/// The zone disappears.
pub(crate) fn zone_removed(world: &mut World, key: &str, failed: bool) {
    if !failed {
        world.azure.private_dns_zones.remove(key);
    }
}

const LINK: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member("location", MAY, Shape::Word(&["global"])),
    Member("tags", MAY, Shape::Tags),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member("virtualNetwork", MUST, Shape::Object(&[Member("id", MUST, Shape::Text)])),
            Member("registrationEnabled", MAY, Shape::Flag),
            Member("resolutionPolicy", MAY, Shape::Word(&["Default", "NxDomainRedirect"])),
            Member("provisioningState", MAY, Shape::Any),
            Member("virtualNetworkLinkState", MAY, Shape::Any),
        ]),
    ),
]);

/// Links of a zone.
pub(crate) fn link(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    group_exists(world, ask)?;
    let key = ask.target.parent_id().to_lowercase();
    let name = ask.target.name(1).to_owned();
    if ask.call.method == Method::GET {
        operations::look(
            world,
            |effect| matches!(effect, Effect::FinishLink { zone, link, .. } if *zone == key && *link == name),
        );
    }
    let zone = world.azure.private_dns_zones.get(&key).ok_or_else(|| error::parent_not_found(ask))?;
    if list {
        return match ask.call.method {
            Method::GET => Ok(quirks::page(
                world,
                ask.call,
                zone.links.iter().map(|(name, link)| link_json(zone, name, link)).collect(),
            )),
            _ => Err(error::method_not_allowed(ask)),
        };
    }
    let found = zone.links.iter().find(|(known, _)| known.eq_ignore_ascii_case(&name));
    let etag = found.map(|(_, link)| quoted(&link.etag));
    match (&ask.call.method, found) {
        (&Method::GET, Some((known, link))) => {
            Ok(Answer::json(200, &link_json(zone, known, link)).header("etag", quoted(&link.etag)))
        }
        (&Method::GET, None) => Err(error::child_not_found(ask)),
        (&Method::PUT, _) => {
            conditions(ask, etag.as_deref())?;
            put_link(world, ask, key, name)
        }
        (&Method::DELETE, None) => Ok(Answer::empty(204)),
        (&Method::DELETE, Some((known, _))) => {
            conditions(ask, etag.as_deref())?;
            let effect = Effect::RemoveLink { zone: key.clone(), link: known.clone() };
            Ok(accepted(world, ask, effect, None))
        }
        _ => Err(error::method_not_allowed(ask)),
    }
}

/// The `ETag` of a link is quoted on the wire; those of zones and records are bare.
fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn put_link(world: &mut World, ask: &Ask, key: String, name: String) -> Outcome {
    let body = check::body(ask.call, &LINK)?;
    check::tags_fit(&body)?;
    let network = text(&body, "/properties/virtualNetwork/id").to_owned();
    rights::check_linked(world, ask, "Microsoft.Network/virtualNetworks/join/action", &network)?;
    if !world.azure.virtual_networks.contains_key(&network.to_lowercase()) {
        return Err(error::plain(400, "BadRequest", format!("The virtual network '{network}' does not exist.")));
    }
    let zone_name = ask.target.name(0).to_lowercase();
    let overlapping = world.azure.private_dns_zones.iter().any(|(other, zone)| {
        let same_name = other.rsplit('/').next() == Some(zone_name.as_str());
        let others = zone.links.iter().filter(|(known, _)| *other != key || !known.eq_ignore_ascii_case(&name));
        same_name && others.into_iter().any(|(_, link)| link.virtual_network.eq_ignore_ascii_case(&network))
    });
    let failure = overlapping.then(|| Failure {
        code: "BadRequest".into(),
        message: "A virtual network cannot be linked to multiple zones with overlapping namespaces.".into(),
    });
    let value = VirtualNetworkLink {
        virtual_network: network,
        registration_enabled: body.pointer("/properties/registrationEnabled").and_then(Value::as_bool).unwrap_or(false),
        resolution_policy: body.pointer("/properties/resolutionPolicy").and_then(Value::as_str).map(str::to_owned),
        state: "Completed".into(),
        tags: check::tags(&body).unwrap_or_default(),
        etag: Uuid::new_v4().to_string(),
    };
    let effect = Effect::FinishLink { zone: key, link: name, value: Box::new(value) };
    Ok(accepted(world, ask, effect, failure))
}

fn link_json(zone: &PrivateDnsZone, name: &str, link: &VirtualNetworkLink) -> Value {
    let mut properties = json!({
        "provisioningState": "Succeeded", "registrationEnabled": link.registration_enabled,
        "virtualNetwork": {"id": link.virtual_network}, "virtualNetworkLinkState": link.state,
    });
    if let Some(policy) = &link.resolution_policy {
        set(&mut properties, "resolutionPolicy", policy.clone());
    }
    let mut shown = json!({
        "id": format!("{}/virtualNetworkLinks/{name}", zone.id), "name": name,
        "type": "Microsoft.Network/privateDnsZones/virtualNetworkLinks", "etag": quoted(&link.etag),
        "location": "global", "properties": properties,
    });
    if !link.tags.is_empty() {
        set(&mut shown, "tags", json!(link.tags));
    }
    shown
}

/// The link is there.
pub(crate) fn link_finished(world: &mut World, key: &str, name: String, value: VirtualNetworkLink, failed: bool) {
    if let Some(zone) = world.azure.private_dns_zones.get_mut(key).filter(|_| !failed) {
        zone.links.insert(name, value);
    }
}

/// The link is gone.
pub(crate) fn link_removed(world: &mut World, key: &str, name: &str, failed: bool) {
    if let Some(zone) = world.azure.private_dns_zones.get_mut(key).filter(|_| !failed) {
        zone.links.remove(name);
    }
}
