//! A private endpoint on the wire.
//!
//! In: the world. Out: JSON as recorded. Never: changes anything.

use serde_json::{Value, json};

use crate::azure::set;
use crate::azure::state::PrivateEndpoint;
use crate::azure::{cloud, facts};
use crate::state::World;

/// A weak `ETag`, as Network writes it.
pub(crate) fn weak(etag: &str) -> String {
    format!("W/\"{etag}\"")
}

/// The vault's public name, which the endpoint serves.
pub(crate) fn fqdn(world: &World, endpoint: &PrivateEndpoint) -> Option<String> {
    let vault = facts::vault_by_id(world, &endpoint.connection.private_link_service_id)?;
    Some(format!("{}.{}", vault.name.to_lowercase(), cloud::names(vault.cloud).vault_suffix))
}

/// The endpoint's side of the connection: the vault's record, if it is still there.
fn state(world: &World, endpoint: &PrivateEndpoint) -> Value {
    let vault = facts::vault_by_id(world, &endpoint.connection.private_link_service_id);
    let record = vault.and_then(|vault| vault.connections.get(&endpoint.connection.vault_connection));
    let shown = |status: &str, description: &str| json!({"status": status, "description": description, "actionsRequired": "None"});
    match record {
        Some(record) => shown(&record.status, &record.description),
        // Before the end of its operation the endpoint already says what it will be, spelled differently.
        None if endpoint.connection.vault_connection.is_empty() => {
            shown(&endpoint.connection.last_status, if endpoint.manual { "Awaiting Approval" } else { "Auto Approved" })
        }
        None => shown("Disconnected", "The connection was removed by the owner of the resource."),
    }
}

/// The endpoint.
pub(crate) fn json(world: &World, endpoint: &PrivateEndpoint) -> Value {
    let etag = weak(&endpoint.etag);
    let name = endpoint.id.rsplit('/').next().unwrap_or_default();
    let link = &endpoint.connection;
    let (array, kind) = if endpoint.manual {
        ("manualPrivateLinkServiceConnections", "manualPrivateLinkServiceConnections")
    } else {
        ("privateLinkServiceConnections", "privateLinkServiceConnections")
    };
    let mut connection = json!({
        "name": link.name, "id": format!("{}/{array}/{}", endpoint.id, link.name), "etag": etag,
        "type": format!("Microsoft.Network/privateEndpoints/{kind}"),
        "properties": {
            "provisioningState": "Succeeded", "privateLinkServiceId": link.private_link_service_id,
            "groupIds": link.group_ids, "privateLinkServiceConnectionState": state(world, endpoint),
        },
    });
    if let (Some(message), Some(properties)) = (&link.request_message, connection.get_mut("properties")) {
        set(properties, "requestMessage", message.clone());
    }
    let nic = world.azure.network_interfaces.get(&endpoint.network_interface.to_lowercase());
    let dns = match (nic, fqdn(world, endpoint)) {
        // A DNS zone group takes over: the list is empty then.
        (Some(nic), Some(fqdn)) if endpoint.zone_groups.is_empty() => {
            json!([{"fqdn": fqdn, "ipAddresses": [nic.private_ip_address]}])
        }
        _ => json!([]),
    };
    let mut properties = json!({
        "provisioningState": endpoint.provisioning_state, "resourceGuid": endpoint.resource_guid,
        "privateLinkServiceConnections": [], "manualPrivateLinkServiceConnections": [],
        "customNetworkInterfaceName": endpoint.custom_network_interface_name, "subnet": {"id": endpoint.subnet},
        "ipConfigurations": configurations(endpoint, &etag), "networkInterfaces": [{"id": endpoint.network_interface}],
        "customDnsConfigs": dns, "isIPv6EnabledPrivateEndpoint": false,
    });
    set(&mut properties, array, json!([connection]));
    if !endpoint.application_security_groups.is_empty() {
        set(&mut properties, "applicationSecurityGroups", json!(endpoint.application_security_groups));
    }
    let mut shown = json!({
        "name": name, "id": endpoint.id, "etag": etag, "type": "Microsoft.Network/privateEndpoints",
        "location": endpoint.location, "properties": properties,
    });
    if !endpoint.tags.is_empty() {
        set(&mut shown, "tags", json!(endpoint.tags));
    }
    shown
}

fn configurations(endpoint: &PrivateEndpoint, etag: &str) -> Vec<Value> {
    let shown = endpoint.ip_configurations.iter().map(|given| {
        json!({
            "name": given.get("name"), "etag": etag, "type": "Microsoft.Network/privateEndpoints/ipConfigurations",
            "properties": given.get("properties"),
        })
    });
    shown.collect()
}
