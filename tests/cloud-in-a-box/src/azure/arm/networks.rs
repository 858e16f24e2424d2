//! Virtual networks, subnets and network interfaces: read only, as the operator uses them.
//!
//! In: GET and list. Out: the resource. Never: writes one; the seed and `POST /state` make them.

use http::Method;
use serde_json::{Value, json};

use super::endpoint_view::weak;
use super::{Ask, Outcome, error, quirks};
use crate::azure::facts;
use crate::azure::set;
use crate::azure::state::{NetworkInterface, Subnet, VirtualNetwork};
use crate::state::{World, now};
use crate::wire::Answer;

fn group_exists(world: &World, ask: &Ask) -> Result<(), Answer> {
    let group = ask.target.group.as_deref();
    let there = group.is_none() || world.azure.resource_groups.contains_key(&ask.target.group_id().to_lowercase());
    if there { Ok(()) } else { Err(error::group_not_found(group.unwrap_or_default())) }
}

fn below(ask: &Ask) -> String {
    ask.target.group.as_ref().map_or(format!("/subscriptions/{}", ask.target.subscription), |_| ask.target.group_id())
}

/// Virtual networks.
pub(crate) fn network(world: &World, ask: &Ask, list: bool) -> Outcome {
    group_exists(world, ask)?;
    if ask.call.method != Method::GET {
        return Err(error::method_not_allowed(ask));
    }
    if list {
        let found =
            world.azure.virtual_networks.values().filter(|network| facts::is_at_or_below(&network.id, &below(ask)));
        return Ok(quirks::page(world, ask.call, found.map(|network| network_json(world, network)).collect()));
    }
    let found = world.azure.virtual_networks.get(&ask.target.key()).ok_or_else(|| error::resource_not_found(ask))?;
    Ok(Answer::json(200, &network_json(world, found)).header("etag", weak(&found.etag)))
}

fn network_json(world: &World, network: &VirtualNetwork) -> Value {
    let subnets: Vec<Value> =
        network.subnets.iter().map(|(name, subnet)| subnet_json(world, network, name, subnet)).collect();
    let mut properties = json!({
        "provisioningState": network.provisioning_state, "addressSpace": {"addressPrefixes": network.address_prefixes},
        "subnets": subnets, "virtualNetworkPeerings": [], "enableDdosProtection": false,
    });
    if !network.dns_servers.is_empty() {
        set(&mut properties, "dhcpOptions", json!({"dnsServers": network.dns_servers}));
    }
    let mut shown = json!({
        "name": network.id.rsplit('/').next(), "id": network.id, "etag": weak(&network.etag),
        "type": "Microsoft.Network/virtualNetworks", "location": network.location, "properties": properties,
    });
    if !network.tags.is_empty() {
        set(&mut shown, "tags", json!(network.tags));
    }
    shown
}

/// Subnets.
pub(crate) fn subnet(world: &World, ask: &Ask, list: bool) -> Outcome {
    group_exists(world, ask)?;
    if ask.call.method != Method::GET {
        return Err(error::method_not_allowed(ask));
    }
    let parent = ask.target.parent_id().to_lowercase();
    let network = world.azure.virtual_networks.get(&parent).ok_or_else(|| error::resource_not_found(ask))?;
    if list {
        let items = network.subnets.iter().map(|(name, subnet)| subnet_json(world, network, name, subnet));
        return Ok(quirks::page(world, ask.call, items.collect()));
    }
    let found = network.subnets.iter().find(|(name, _)| name.eq_ignore_ascii_case(ask.target.name(1)));
    let (name, subnet) = found.ok_or_else(|| error::child_not_found(ask))?;
    Ok(Answer::json(200, &subnet_json(world, network, name, subnet)).header("etag", weak(&subnet.etag)))
}

fn subnet_json(world: &World, network: &VirtualNetwork, name: &str, subnet: &Subnet) -> Value {
    let id = format!("{}/subnets/{name}", network.id);
    let state = if subnet.updating_until > now(world) { "Updating" } else { &subnet.provisioning_state };
    let delegations: Vec<Value> = subnet
        .delegations
        .iter()
        .enumerate()
        .map(|(at, service)| {
            json!({
                "name": at.to_string(), "id": format!("{id}/delegations/{at}"), "etag": weak(&subnet.etag),
                "type": "Microsoft.Network/virtualNetworks/subnets/delegations",
                "properties": {"provisioningState": "Succeeded", "serviceName": service, "actions": []},
            })
        })
        .collect();
    let endpoints = world.azure.private_endpoints.values().filter(|endpoint| endpoint.subnet.eq_ignore_ascii_case(&id));
    let endpoints: Vec<Value> = endpoints.map(|endpoint| json!({"id": endpoint.id})).collect();
    let mut properties = json!({
        "provisioningState": state, "addressPrefix": subnet.address_prefix, "delegations": delegations,
        "privateEndpointNetworkPolicies": subnet.private_endpoint_network_policies,
        "privateLinkServiceNetworkPolicies": "Enabled",
    });
    if !endpoints.is_empty() {
        set(&mut properties, "privateEndpoints", json!(endpoints));
    }
    json!({
        "name": name, "id": id, "etag": weak(&subnet.etag), "type": "Microsoft.Network/virtualNetworks/subnets",
        "properties": properties,
    })
}

/// Network interfaces of private endpoints.
pub(crate) fn interface(world: &World, ask: &Ask, list: bool) -> Outcome {
    group_exists(world, ask)?;
    if ask.call.method != Method::GET {
        return Err(error::method_not_allowed(ask));
    }
    if list {
        let found = world.azure.network_interfaces.values().filter(|nic| facts::is_at_or_below(&nic.id, &below(ask)));
        return Ok(quirks::page(world, ask.call, found.map(interface_json).collect()));
    }
    let found = world.azure.network_interfaces.get(&ask.target.key()).ok_or_else(|| error::resource_not_found(ask))?;
    Ok(Answer::json(200, &interface_json(found)).header("etag", weak(&found.etag)))
}

fn interface_json(nic: &NetworkInterface) -> Value {
    let (etag, name) = (weak(&nic.etag), &nic.ip_configuration_name);
    let method = if nic.static_allocation { "Static" } else { "Dynamic" };
    let mut shown = json!({
        "name": nic.id.rsplit('/').next(), "id": nic.id, "etag": etag, "location": nic.location,
        "type": "Microsoft.Network/networkInterfaces", "kind": "Regular",
        "properties": {
            "provisioningState": "Succeeded", "privateEndpoint": {"id": nic.private_endpoint},
            "ipConfigurations": [{
                "name": name, "id": format!("{}/ipConfigurations/{name}", nic.id), "etag": etag,
                "type": "Microsoft.Network/networkInterfaces/ipConfigurations",
                "properties": {
                    "provisioningState": "Succeeded", "privateIPAddress": nic.private_ip_address,
                    "privateIPAllocationMethod": method, "subnet": {"id": nic.subnet}, "primary": true,
                    "privateIPAddressVersion": "IPv4",
                    "privateLinkConnectionProperties": {
                        "groupId": "vault", "requiredMemberName": "default", "fqdns": nic.fqdns,
                    },
                },
            }],
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "enableAcceleratedNetworking": false, "enableIPForwarding": false, "hostedWorkloads": [],
            "tapConfigurations": [], "nicType": "Standard",
        },
    });
    if !nic.tags.is_empty() {
        set(&mut shown, "tags", json!(nic.tags));
    }
    shown
}
