//! Private endpoint connections as the vault sees them, and what can be linked to.
//!
//! In: GET, PUT (approve, reject), DELETE. Out: the vault's side of the one record. Never: makes a connection by itself.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::check::{self, MAY, MUST, Member, Shape, text};
use super::{Ask, Outcome, error, quirks, vaults};
use crate::azure::cloud;
use crate::azure::state::{Connection, Vault};
use crate::state::{World, now};
use crate::wire::Answer;

/// `GET …/privateLinkResources`.
pub(crate) fn link_resources(world: &World, ask: &Ask) -> Outcome {
    let key = vaults::find(world, ask)?;
    let vault = world.azure.vaults.get(&key).ok_or_else(|| Answer::empty(404))?;
    Ok(Answer::json(
        200,
        &json!({"value": [{
            "id": format!("{}/privateLinkResources/vault", vault.id), "name": "vault",
            "type": "Microsoft.KeyVault/vaults/privateLinkResources",
            "properties": {
                "groupId": "vault", "requiredMembers": ["default"],
                "requiredZoneNames": [cloud::names(vault.cloud).vault_zone],
            },
        }]}),
    ))
}

/// The connections that the vault's side shows by now, as the vault carries them: without a name.
pub(crate) fn on_vault(world: &World, vault: &Vault) -> Vec<Value> {
    visible(world, vault)
        .map(|(name, connection)| {
            let mut value = connection_json(vault, name, connection);
            if let Value::Object(members) = &mut value {
                members.remove("name");
                members.remove("type");
            }
            value
        })
        .collect()
}

fn visible<'a>(world: &World, vault: &'a Vault) -> impl Iterator<Item = (&'a String, &'a Connection)> {
    let now = now(world);
    vault.connections.iter().filter(move |(_, connection)| connection.visible_from <= now)
}

fn connection_json(vault: &Vault, name: &str, connection: &Connection) -> Value {
    json!({
        "id": format!("{}/privateEndpointConnections/{name}", vault.id), "name": name,
        "type": "Microsoft.KeyVault/vaults/privateEndpointConnections", "etag": connection.etag,
        "properties": {
            "provisioningState": connection.provisioning_state,
            "privateEndpoint": {"id": connection.private_endpoint},
            "privateLinkServiceConnectionState": {
                "status": connection.status, "description": connection.description, "actionsRequired": "None",
            },
        },
    })
}

/// List, GET, PUT, DELETE of a vault's connections.
pub(crate) fn answer(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    let key = vaults::find(world, ask)?;
    let vault = world.azure.vaults.get(&key).ok_or_else(|| Answer::empty(404))?;
    if list {
        let items = visible(world, vault).map(|(name, connection)| connection_json(vault, name, connection)).collect();
        return Ok(quirks::page(world, ask.call, items));
    }
    let wanted = ask.target.name(1);
    let name = visible(world, vault).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(name, _)| name.clone());
    match (&ask.call.method, name) {
        (&Method::GET, Some(name)) => Ok(shown(world, &key, &name)),
        // The specification declares 204 for a connection that is not there.
        (&Method::GET | &Method::DELETE, None) => Ok(Answer::empty(204)),
        (&Method::PUT, Some(name)) => decide(world, ask, &key, &name),
        (&Method::PUT, None) => Err(error::plain(
            404,
            "PrivateEndpointConnectionNotFound",
            format!("The connection '{wanted}' was not found."),
        )),
        (&Method::DELETE, Some(name)) => {
            vaults::lock(world, &key)?;
            let vault = world.azure.vaults.get_mut(&key).ok_or_else(|| Answer::empty(404))?;
            vault.connections.remove(&name);
            Ok(Answer::empty(200))
        }
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn shown(world: &World, key: &str, name: &str) -> Answer {
    let vault = world.azure.vaults.get(key);
    let found = vault.and_then(|vault| Some((vault, vault.connections.get(name)?)));
    found.map_or(Answer::empty(204), |(vault, connection)| Answer::json(200, &connection_json(vault, name, connection)))
}

const BODY: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("location", MAY, Shape::Any),
    Member("tags", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member("privateEndpoint", MAY, Shape::Any),
            Member("provisioningState", MAY, Shape::Any),
            Member(
                "privateLinkServiceConnectionState",
                MUST,
                Shape::Object(&[
                    Member("status", MUST, Shape::Word(&["Approved", "Rejected"])),
                    Member("description", MAY, Shape::Text),
                    Member("actionsRequired", MAY, Shape::Text),
                ]),
            ),
        ]),
    ),
]);

fn decide(world: &mut World, ask: &Ask, key: &str, name: &str) -> Outcome {
    let body = check::body(ask.call, &BODY)?;
    let state = body.pointer("/properties/privateLinkServiceConnectionState").unwrap_or(&Value::Null);
    vaults::lock(world, key)?;
    let now = now(world);
    let vault = world.azure.vaults.get_mut(key).ok_or_else(|| Answer::empty(404))?;
    let connection = vault.connections.get_mut(name).ok_or_else(|| Answer::empty(404))?;
    if connection.status == "Disconnected" {
        return Err(error::plain(
            409,
            "Conflict",
            "The connection is disconnected; its private endpoint must be made anew.",
        ));
    }
    let status = text(state, "/status");
    let was = std::mem::replace(
        &mut connection.status,
        if status.eq_ignore_ascii_case("approved") { "Approved" } else { "Rejected" }.into(),
    );
    text(state, "/description").clone_into(&mut connection.description);
    connection.etag = Uuid::new_v4().to_string();
    if connection.status == "Approved" && was != "Approved" {
        connection.approved_at = Some(now);
    }
    Ok(shown(world, key, name))
}
