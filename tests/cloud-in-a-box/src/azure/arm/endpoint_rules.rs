//! What a private endpoint needs: a vault, a subnet that takes it, an address, and the right to join both.
//!
//! In: a draft. Out: nothing, or the refusal with Network's code. Never: changes anything.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::check::text;
use super::target::{self, Target};
use super::vaults::same_place;
use super::{Ask, error, rights};
use crate::azure::facts;
use crate::azure::state::{PrivateEndpoint, Subnet, VirtualNetwork};
use crate::state::{World, now};
use crate::wire::Answer;

/// A new endpoint can be made.
pub(crate) fn check(world: &World, ask: &Ask, wanted: &PrivateEndpoint) -> Result<(), Answer> {
    name_fits(ask.target.name(0))?;
    let busy = world.azure.busy_names.get(&ask.target.key());
    if busy.is_some_and(|until| *until > now(world)) {
        return Err(error::network(
            409,
            "PrivateEndpointAlreadyExists",
            format!(
                "Private endpoint {} already exists; a deleted one of this name is still being removed.",
                ask.target.id
            ),
        ));
    }
    let (network, subnet) = subnet_of(world, ask, wanted)?;
    vault_of(world, ask, wanted)?;
    subnet_takes(world, network, subnet, wanted)?;
    static_address(world, subnet, wanted)?;
    if free_address(world, wanted).is_none() {
        return Err(error::network(
            400,
            "SubnetIsFull",
            format!("Subnet {} does not have enough addresses left.", wanted.subnet),
        ));
    }
    Ok(())
}

fn name_fits(name: &str) -> Result<(), Answer> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let bytes = name.as_bytes();
    let fits = (2..=64).contains(&bytes.len())
        && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().copied().is_some_and(word)
        && bytes.iter().all(|byte| word(*byte) || [b'.', b'-'].contains(byte));
    if fits {
        return Ok(());
    }
    Err(error::network(400, "InvalidResourceName", format!("Resource name {name} is invalid.")))
}

fn bad_reference(id: &str, by: &str) -> Answer {
    error::network(
        400,
        "InvalidResourceReference",
        format!(
            "Resource {id} referenced by resource {by} was not found. Please make sure that the referenced resource exists, and that both resources are in the same region."
        ),
    )
}

/// The subnet that an id names.
pub(crate) fn find_subnet<'a>(world: &'a World, id: &str) -> Option<(&'a VirtualNetwork, &'a Subnet)> {
    let target = target::parse_id(id)?;
    if target.kind != "microsoft.network/virtualnetworks/subnets" {
        return None;
    }
    let network = world.azure.virtual_networks.get(&network_key(&target))?;
    let found = network.subnets.iter().find(|(name, _)| name.eq_ignore_ascii_case(target.name(1)));
    found.map(|(_, subnet)| (network, subnet))
}

fn network_key(target: &Target) -> String {
    let up = target.parent_id().to_lowercase();
    up.trim_end_matches('/').to_owned()
}

fn subnet_of<'a>(
    world: &'a World,
    ask: &Ask,
    wanted: &PrivateEndpoint,
) -> Result<(&'a VirtualNetwork, &'a Subnet), Answer> {
    let id = &wanted.subnet;
    let Some(target) = target::parse_id(id).filter(|target| target.kind == "microsoft.network/virtualnetworks/subnets")
    else {
        return Err(error::gateway(
            400,
            "LinkedInvalidPropertyId",
            format!(
                "Property id '{id}' at path 'properties.subnet.id' is invalid. Expect fully qualified resource Id that start with '/subscriptions/{{subscriptionId}}' or '/providers/{{resourceProviderNamespace}}/'."
            ),
        ));
    };
    rights::check_linked(world, ask, "Microsoft.Network/virtualNetworks/subnets/join/action", id)?;
    let found = find_subnet(world, id).ok_or_else(|| bad_reference(id, &wanted.id))?;
    let here = same_place(&found.0.location, &wanted.location)
        && target.subscription.eq_ignore_ascii_case(&ask.target.subscription);
    if here { Ok(found) } else { Err(bad_reference(id, &wanted.id)) }
}

fn vault_of(world: &World, ask: &Ask, wanted: &PrivateEndpoint) -> Result<(), Answer> {
    let link = &wanted.connection;
    let id = &link.private_link_service_id;
    if facts::vault_by_id(world, id).is_none() {
        return Err(error::network(
            400,
            "InvalidPrivateLinkServiceId",
            format!("The private link service id {id} of private link service connection {} is invalid.", link.name),
        ));
    }
    if link.group_ids.len() != 1 || !link.group_ids.iter().all(|group| group == "vault") {
        return Err(error::parameter(
            "properties.privateLinkServiceConnections[0].properties.groupIds",
            "The group id of a key vault is 'vault'.",
        ));
    }
    if link.request_message.as_ref().is_some_and(|message| message.chars().count() > 140) {
        return Err(error::parameter(
            "properties.manualPrivateLinkServiceConnections[0].properties.requestMessage",
            "A request message has at most 140 characters.",
        ));
    }
    if wanted.manual {
        return Ok(());
    }
    rights::check_linked(world, ask, "Microsoft.KeyVault/vaults/PrivateEndpointConnectionsApproval/action", id)
}

fn subnet_takes(
    world: &World,
    network: &VirtualNetwork,
    subnet: &Subnet,
    wanted: &PrivateEndpoint,
) -> Result<(), Answer> {
    let id = &wanted.subnet;
    if !subnet.delegations.is_empty() {
        return Err(error::network(
            400,
            "PrivateEndpointCreationNotAllowedAsSubnetIsDelegated",
            format!("Private endpoint {} cannot be created as subnet {id} is delegated.", wanted.id),
        ));
    }
    let shared = world.settings.subnet_exclusive
        && world.azure.private_endpoints.values().any(|other| {
            other.subnet.eq_ignore_ascii_case(id)
                && ["Updating", "Deleting"].contains(&other.provisioning_state.as_str())
        });
    if shared
        || subnet.updating_until > now(world)
        || subnet.provisioning_state == "Updating"
        || network.provisioning_state == "Updating"
    {
        let inner = format!(
            "Cannot proceed with operation because resource {id} used by resource {} is not in Succeeded state. Resource is in Updating state and the last operation that updated/is updating the resource is PutSubnetOperation.",
            wanted.id
        );
        let body = serde_json::json!({"error": {
            "code": "RetryableError", "message": "A retryable error occurred.",
            "details": [{"code": "ReferencedResourceNotProvisioned", "message": inner}],
        }});
        return Err(Answer::json(429, &body).header("retry-after", "10").refused(inner));
    }
    Ok(())
}

fn static_of(endpoint: &PrivateEndpoint) -> Option<&str> {
    let first = endpoint.ip_configurations.first()?;
    Some(text(first, "/properties/privateIPAddress"))
}

fn static_address(world: &World, subnet: &Subnet, wanted: &PrivateEndpoint) -> Result<(), Answer> {
    for given in &wanted.ip_configurations {
        if text(given, "/properties/memberName") != "default" || text(given, "/properties/groupId") != "vault" {
            return Err(error::network(
                400,
                "PrivateEndpointIpConfigurationMissingMemberNamesRequiredByFps",
                format!(
                    "Private endpoint {} has ip configurations that miss the member names required by the resource: default.",
                    wanted.id
                ),
            ));
        }
    }
    let Some(address) = static_of(wanted) else {
        return Ok(());
    };
    let Some(range) = Range::of(subnet) else {
        return Ok(());
    };
    let refuse = |code: &str, why: &str| {
        Err(error::network(
            400,
            code,
            format!("Private static IP address {address} {why} of subnet {}.", wanted.subnet),
        ))
    };
    match address.parse::<Ipv4Addr>().map(u32::from) {
        Ok(number) if number < range.first || number > range.last => {
            refuse("PrivateIPAddressNotInSubnet", "does not belong to the range")
        }
        Err(_) => refuse("PrivateIPAddressNotInSubnet", "is no address"),
        Ok(number) if number < range.first.saturating_add(4) || number == range.last => {
            refuse("PrivateIPAddressInReservedRange", "falls within reserved IP range")
        }
        Ok(_) if taken(world, wanted).any(|used| used == address) => {
            refuse("PrivateIPAddressIsAllocated", "is already allocated in the range")
        }
        Ok(_) => Ok(()),
    }
}

/// First and last address of a subnet.
struct Range {
    first: u32,
    last: u32,
}

impl Range {
    fn of(subnet: &Subnet) -> Option<Self> {
        let (base, bits) = subnet.address_prefix.split_once('/')?;
        let (base, bits) = (base.parse::<Ipv4Addr>().ok()?, bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?);
        let host = u32::MAX.checked_shr(bits).unwrap_or(0);
        let first = u32::from(base) & !host;
        Some(Self { first, last: first | host })
    }
}

/// Addresses in use in the subnet by others, promised ones included.
fn taken<'a>(world: &'a World, wanted: &'a PrivateEndpoint) -> impl Iterator<Item = String> + 'a {
    let others = world.azure.private_endpoints.values().filter(|other| {
        !other.id.eq_ignore_ascii_case(&wanted.id) && other.subnet.eq_ignore_ascii_case(&wanted.subnet)
    });
    let promised = others.filter_map(static_of).map(str::to_owned);
    let nics = world.azure.network_interfaces.values().filter(|nic| {
        nic.subnet.eq_ignore_ascii_case(&wanted.subnet) && !nic.private_endpoint.eq_ignore_ascii_case(&wanted.id)
    });
    promised.chain(nics.map(|nic| nic.private_ip_address.clone()))
}

/// The address the endpoint gets: its own static one, or the next free from the fifth on.
pub(crate) fn free_address(world: &World, wanted: &PrivateEndpoint) -> Option<String> {
    if let Some(address) = static_of(wanted) {
        return Some(address.to_owned());
    }
    let (_, subnet) = find_subnet(world, &wanted.subnet)?;
    let range = Range::of(subnet)?;
    let used: Vec<String> = taken(world, wanted).collect();
    let candidates = range.first.saturating_add(4)..range.last;
    candidates.map(|number| Ipv4Addr::from(number).to_string()).find(|address| !used.contains(address))
}

/// What cannot change has not changed, and nothing runs on the endpoint.
pub(crate) fn check_change(known: &PrivateEndpoint, wanted: &PrivateEndpoint, body: &Value) -> Result<(), Answer> {
    if ["Updating", "Deleting"].contains(&known.provisioning_state.as_str()) {
        return Err(error::another_operation(&known.id));
    }
    if !same_place(&known.location, &wanted.location) {
        return Err(error::gateway(
            409,
            "InvalidResourceLocation",
            format!(
                "The resource '{}' already exists in location '{}'. A resource with the same name cannot be created in location '{}'.",
                known.id, known.location, wanted.location
            ),
        ));
    }
    let (old, new) = (&known.connection, &wanted.connection);
    let same_link = old.name == new.name
        && old.private_link_service_id.eq_ignore_ascii_case(&new.private_link_service_id)
        && old.group_ids == new.group_ids
        && known.manual == wanted.manual;
    if !same_link {
        return Err(error::network(
            400,
            "CannotChangePrivateLinkConnectionOnPrivateEndpoint",
            format!("Cannot change the private link connection on private endpoint {}.", known.id),
        ));
    }
    let nic_given = !text(body, "/properties/customNetworkInterfaceName").is_empty();
    let changed = if !known.subnet.eq_ignore_ascii_case(&wanted.subnet) {
        Some("properties.subnet")
    } else if nic_given && known.custom_network_interface_name != wanted.custom_network_interface_name {
        Some("properties.customNetworkInterfaceName")
    } else if known.provisioning_state != "Failed" && static_of(known) != static_of(wanted) {
        Some("properties.ipConfigurations")
    } else {
        None
    };
    match changed {
        None => Ok(()),
        Some(name) => Err(error::network(
            400,
            "PropertyChangeNotAllowed",
            format!("Changing property '{name}' is not allowed on {}.", known.id),
        )),
    }
}
