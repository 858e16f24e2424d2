//! Private endpoints: made and removed by operations, with their interface and their connection to a vault.
//!
//! In: PUT, GET, list, DELETE. Out: the endpoint as it stands. Never: says in a first answer that it is done.

use http::Method;
use serde_json::Value;
use uuid::Uuid;

use super::check::{self, MAY, MUST, Member, Shape, list, text};
use super::{Ask, Outcome, endpoint_rules, endpoint_view, error, operations, quirks, vaults};
use crate::azure::facts;
use crate::azure::state::{Connection, Effect, EndpointConnection, Failure, NetworkInterface, PrivateEndpoint};
use crate::state::{World, now};
use crate::wire::Answer;

/// All calls on private endpoints.
pub(crate) fn answer(world: &mut World, ask: &Ask, list: bool) -> Outcome {
    if list && ask.call.method == Method::GET {
        let below = ask
            .target
            .group
            .as_ref()
            .map_or(format!("/subscriptions/{}", ask.target.subscription), |_| ask.target.group_id());
        let found =
            world.azure.private_endpoints.values().filter(|endpoint| facts::is_at_or_below(&endpoint.id, &below));
        let items = found.map(|endpoint| endpoint_view::json(world, endpoint)).collect();
        return Ok(quirks::page(world, ask.call, items));
    }
    let group = ask.target.group.as_deref().unwrap_or_default();
    if !world.azure.resource_groups.contains_key(&ask.target.group_id().to_lowercase()) {
        return Err(error::group_not_found(group));
    }
    match ask.call.method {
        Method::GET => {
            let key = ask.target.key();
            operations::look(world, |effect| on_endpoint(effect, &key));
            shown(world, &key, 200).ok_or_else(|| error::resource_not_found(ask))
        }
        Method::PUT => put(world, ask),
        Method::DELETE => delete(world, ask),
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn on_endpoint(effect: &Effect, key: &str) -> bool {
    match effect {
        Effect::FinishEndpoint { endpoint } | Effect::RemoveEndpoint { endpoint } => endpoint == key,
        Effect::None
        | Effect::FinishZoneGroup { .. }
        | Effect::RemoveZoneGroup { .. }
        | Effect::FinishZone { .. }
        | Effect::FinishLink { .. }
        | Effect::RemoveLink { .. }
        | Effect::RemoveZone { .. } => false,
    }
}

fn shown(world: &World, key: &str, status: u16) -> Option<Answer> {
    let endpoint = world.azure.private_endpoints.get(key)?;
    let answer = Answer::json(status, &endpoint_view::json(world, endpoint));
    Some(if status == 200 { answer.header("etag", endpoint_view::weak(&endpoint.etag)) } else { answer })
}

const LINK: Shape = Shape::List(&Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MUST, Shape::Text),
    Member("type", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member("provisioningState", MAY, Shape::Any),
            Member("privateLinkServiceId", MUST, Shape::Text),
            Member("groupIds", MUST, Shape::List(&Shape::Text)),
            Member("requestMessage", MAY, Shape::Text),
            Member(
                "privateLinkServiceConnectionState",
                MAY,
                Shape::Object(&[
                    Member("status", MAY, Shape::Text),
                    Member("description", MAY, Shape::Text),
                    Member("actionsRequired", MAY, Shape::Text),
                ]),
            ),
        ]),
    ),
]));

const BODY: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("etag", MAY, Shape::Any),
    Member("location", MUST, Shape::Text),
    Member("tags", MAY, Shape::Tags),
    Member("extendedLocation", MAY, Shape::Any),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member("provisioningState", MAY, Shape::Any),
            Member("resourceGuid", MAY, Shape::Any),
            Member("networkInterfaces", MAY, Shape::Any),
            Member("isIPv6EnabledPrivateEndpoint", MAY, Shape::Flag),
            Member("ipVersionType", MAY, Shape::Text),
            Member("billingSku", MAY, Shape::Text),
            Member(
                "customDnsConfigs",
                MAY,
                Shape::List(&Shape::Object(&[
                    Member("fqdn", MAY, Shape::Text),
                    Member("ipAddresses", MAY, Shape::List(&Shape::Text)),
                ])),
            ),
            Member("customNetworkInterfaceName", MAY, Shape::Text),
            Member("applicationSecurityGroups", MAY, Shape::List(&Shape::Any)),
            Member(
                "subnet",
                MUST,
                Shape::Object(&[
                    Member("id", MUST, Shape::Text),
                    Member("name", MAY, Shape::Any),
                    Member("type", MAY, Shape::Any),
                    Member("etag", MAY, Shape::Any),
                    Member("properties", MAY, Shape::Any),
                ]),
            ),
            Member("privateLinkServiceConnections", MAY, LINK),
            Member("manualPrivateLinkServiceConnections", MAY, LINK),
            Member(
                "ipConfigurations",
                MAY,
                Shape::List(&Shape::Object(&[
                    Member("name", MUST, Shape::Text),
                    Member("type", MAY, Shape::Any),
                    Member("etag", MAY, Shape::Any),
                    Member(
                        "properties",
                        MUST,
                        Shape::Object(&[
                            Member("groupId", MAY, Shape::Text),
                            Member("memberName", MAY, Shape::Text),
                            Member("privateIPAddress", MAY, Shape::Text),
                        ]),
                    ),
                ])),
            ),
        ]),
    ),
]);

/// The endpoint that a body describes; where it is one, the box has not looked whether it can be.
pub(crate) fn draft(ask: &Ask, body: &Value) -> Result<PrivateEndpoint, Answer> {
    let automatic = list(body, "/properties/privateLinkServiceConnections");
    let manual = list(body, "/properties/manualPrivateLinkServiceConnections");
    let (([link], []) | ([], [link])) = (automatic, manual) else {
        return Err(error::parameter(
            "properties.privateLinkServiceConnections",
            "Exactly one private link service connection must be given, automatic or manual.",
        ));
    };
    let group_ids = list(link, "/properties/groupIds").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    Ok(PrivateEndpoint {
        id: ask.target.id.clone(),
        location: text(body, "/location").to_owned(),
        tags: check::tags(body).unwrap_or_default(),
        subnet: text(body, "/properties/subnet/id").to_owned(),
        custom_network_interface_name: text(body, "/properties/customNetworkInterfaceName").to_owned(),
        manual: automatic.is_empty(),
        connection: EndpointConnection {
            name: text(link, "/name").to_owned(),
            private_link_service_id: text(link, "/properties/privateLinkServiceId").to_owned(),
            group_ids,
            request_message: link.pointer("/properties/requestMessage").and_then(Value::as_str).map(str::to_owned),
            ..EndpointConnection::default()
        },
        ip_configurations: list(body, "/properties/ipConfigurations").to_vec(),
        application_security_groups: list(body, "/properties/applicationSecurityGroups").to_vec(),
        ..PrivateEndpoint::default()
    })
}

fn put(world: &mut World, ask: &Ask) -> Outcome {
    let body = check::body(ask.call, &BODY)?;
    check::tags_fit(&body)?;
    let key = ask.target.key();
    let wanted = draft(ask, &body)?;
    match world.azure.private_endpoints.get(&key) {
        None => {
            endpoint_rules::check(world, ask, &wanted)?;
            Ok(create(world, ask, &key, wanted, 201))
        }
        Some(known) => {
            endpoint_rules::check_change(known, &wanted, &body)?;
            if known.provisioning_state == "Failed" {
                endpoint_rules::check(world, ask, &wanted)?;
                return Ok(create(world, ask, &key, wanted, 200));
            }
            update(world, ask, &key, wanted)
        }
    }
}

/// A change that is none of structure: done at once, with an operation that has nothing to do.
fn update(world: &mut World, ask: &Ask, key: &str, wanted: PrivateEndpoint) -> Outcome {
    let id = operations::begin(world, false, Effect::None, None);
    let endpoint = world.azure.private_endpoints.get_mut(key).ok_or_else(|| Answer::empty(404))?;
    endpoint.tags = wanted.tags;
    endpoint.application_security_groups = wanted.application_security_groups;
    endpoint.etag = Uuid::new_v4().to_string();
    let location = endpoint.location.clone();
    let answer = shown(world, key, 200).unwrap_or_default();
    Ok(operations::lead(ask, answer, &id, &location, false))
}

fn create(world: &mut World, ask: &Ask, key: &str, mut wanted: PrivateEndpoint, status: u16) -> Answer {
    let vault = facts::vault_by_id(world, &wanted.connection.private_link_service_id);
    // Two changes of one vault at once: accepted here, failed later, as in life.
    let conflict = vault.is_some_and(|vault| vaults::busy(world, vault)).then(|| Failure {
        code: "ConflictError".into(),
        message: format!("Call to Microsoft.KeyVault/vaults failed. Error message: {}", error::VAULT_CONFLICT),
    });
    let name = ask.target.name(0);
    let nic = match wanted.custom_network_interface_name.as_str() {
        "" => format!("{name}.nic.{}", Uuid::new_v4()),
        custom => custom.to_owned(),
    };
    wanted.network_interface = format!("{}/providers/Microsoft.Network/networkInterfaces/{nic}", ask.target.group_id());
    wanted.provisioning_state = "Updating".into();
    wanted.resource_guid = Uuid::new_v4().to_string();
    wanted.etag = Uuid::new_v4().to_string();
    wanted.connection.last_status = if wanted.manual { "Pending" } else { "Approved" }.into();
    let (location, retry_after) = (wanted.location.clone(), world.settings.retry_after_seconds);
    world.azure.private_endpoints.insert(key.to_owned(), wanted);
    let effect = Effect::FinishEndpoint { endpoint: key.to_owned() };
    let id = operations::begin(world, false, effect, conflict);
    let answer = shown(world, key, status).unwrap_or_default().header("retry-after", retry_after.to_string());
    operations::lead(ask, answer, &id, &location, false)
}

/// The operation's end: address, interface and the vault's side of the connection appear.
pub(crate) fn finished(world: &mut World, key: &str, failed: bool) {
    let Some(endpoint) = world.azure.private_endpoints.get(key).cloned() else {
        return;
    };
    let address = if failed { None } else { endpoint_rules::free_address(world, &endpoint) };
    let Some(address) = address else {
        set_state(world, key, "Failed");
        return;
    };
    let now = now(world);
    let lag = world.settings.connection_lag_seconds;
    let name = endpoint.id.rsplit('/').next().unwrap_or_default();
    let connection_name = format!("{name}.{}", Uuid::new_v4());
    let connection = Connection {
        private_endpoint: endpoint.id.clone(),
        status: endpoint.connection.last_status.clone(),
        description: match (&endpoint.connection.request_message, endpoint.manual) {
            (Some(message), true) => message.clone(),
            (None, true) => String::new(),
            (_, false) => "Auto-Approved".into(),
        },
        provisioning_state: "Succeeded".into(),
        approved_at: (!endpoint.manual).then_some(now),
        visible_from: now.saturating_add(lag),
        etag: Uuid::new_v4().to_string(),
    };
    let service = facts::vault_by_id(world, &endpoint.connection.private_link_service_id);
    let Some(vault_key) = service.map(|vault| vault.name.to_lowercase()) else {
        set_state(world, key, "Failed");
        return;
    };
    if let Some(vault) = world.azure.vaults.get_mut(&vault_key) {
        vault.connections.insert(connection_name.clone(), connection);
    }
    let nic = interface(world, &endpoint, address);
    world.azure.network_interfaces.insert(nic.id.to_lowercase(), nic);
    if let Some(endpoint) = world.azure.private_endpoints.get_mut(key) {
        endpoint.connection.vault_connection = connection_name;
    }
    set_state(world, key, "Succeeded");
}

fn interface(world: &World, endpoint: &PrivateEndpoint, address: String) -> NetworkInterface {
    let fqdns = endpoint_view::fqdn(world, endpoint).into_iter().collect();
    NetworkInterface {
        id: endpoint.network_interface.clone(),
        location: endpoint.location.clone(),
        private_endpoint: endpoint.id.clone(),
        subnet: endpoint.subnet.clone(),
        ip_configuration_name: format!("privateEndpointIpConfig.{}", Uuid::new_v4()),
        private_ip_address: address,
        static_allocation: !endpoint.ip_configurations.is_empty(),
        fqdns,
        etag: Uuid::new_v4().to_string(),
        ..NetworkInterface::default()
    }
}

fn set_state(world: &mut World, key: &str, state: &str) {
    if let Some(endpoint) = world.azure.private_endpoints.get_mut(key) {
        endpoint.provisioning_state = state.into();
        endpoint.etag = Uuid::new_v4().to_string();
    }
}

fn delete(world: &mut World, ask: &Ask) -> Outcome {
    let key = ask.target.key();
    let Some(endpoint) = world.azure.private_endpoints.get(&key) else {
        return Ok(Answer::empty(204));
    };
    let group = world.azure.resource_groups.get(&ask.target.group_id().to_lowercase());
    if let Some(lock) = group.and_then(|group| group.lock.as_ref()) {
        return Err(error::gateway(
            409,
            "ScopeLocked",
            format!(
                "The scope '{}' cannot perform delete operation because following scope(s) are locked: '{}' ({lock}). Please remove the lock and try again.",
                ask.target.id,
                ask.target.group_id(),
            ),
        ));
    }
    if ["Updating", "Deleting"].contains(&endpoint.provisioning_state.as_str()) {
        return Err(error::another_operation(&endpoint.id));
    }
    let vault = facts::vault_by_id(world, &endpoint.connection.private_link_service_id);
    if vault.is_some_and(|vault| vaults::busy(world, vault)) {
        return Err(error::vault_conflict());
    }
    let location = endpoint.location.clone();
    set_state(world, &key, "Deleting");
    let retry_after = world.settings.retry_after_seconds.to_string();
    let id = operations::begin(world, false, Effect::RemoveEndpoint { endpoint: key }, None);
    Ok(operations::lead(ask, Answer::empty(202).header("retry-after", retry_after), &id, &location, true))
}

/// The end of a deletion: interface, connection and records go with the endpoint; its name stays busy for a while.
pub(crate) fn removed(world: &mut World, key: &str, failed: bool) {
    if failed {
        set_state(world, key, "Failed");
        return;
    }
    let Some(endpoint) = world.azure.private_endpoints.get(key).cloned() else {
        return;
    };
    for group in endpoint.zone_groups.keys() {
        super::zone_groups::removed(world, key, group, false);
    }
    world.azure.private_endpoints.remove(key);
    world.azure.network_interfaces.remove(&endpoint.network_interface.to_lowercase());
    let service = facts::vault_by_id(world, &endpoint.connection.private_link_service_id);
    let vault_key = service.map(|vault| vault.name.to_lowercase()).unwrap_or_default();
    if let Some(vault) = world.azure.vaults.get_mut(&vault_key) {
        vault.connections.remove(&endpoint.connection.vault_connection);
    }
    let busy_until = now(world).saturating_add(world.settings.name_busy_seconds);
    world.azure.busy_names.insert(key.to_owned(), busy_until);
}
