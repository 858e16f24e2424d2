//! Does the whole chain hold: UKO, proxy, tunnel, private endpoint, Key Vault, service principal?
//!
//! In: the world and a keystore's connection properties. Out: nothing when it holds, or the first link that is broken,
//! with the property at fault. Never: changes the world; who asked decides what follows.

use crate::azure::cloud;
use crate::azure::facts::{self, UKO_PERMISSIONS};
use crate::azure::state::{Cloud, Vault};
use crate::ibm::link::covers;
use crate::ibm::state::{Connection, Endpoint, SELF_MANAGED};
use crate::state::World;

/// The kind of fault, as UKO's `/status` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Wrong credentials, permissions or names: `configuration_error`.
    Configuration,
    /// The Key Vault cannot be reached: `not_responding`.
    Unreachable,
}

/// The first link of the chain that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The keystore property at fault, as the API spells it.
    pub property: &'static str,
    /// Which kind of fault.
    pub fault: Fault,
    /// What is wrong, in words.
    pub why: String,
}

impl Broken {
    fn configuration(property: &'static str, why: impl Into<String>) -> Self {
        Self { property, fault: Fault::Configuration, why: why.into() }
    }

    fn unreachable(why: impl Into<String>) -> Self {
        Self { property: "tls_proxy", fault: Fault::Unreachable, why: why.into() }
    }
}

/// Walks the chain of a connection as the UKO `server` would.
///
/// # Errors
/// The first broken link: Entra, then the vault's names, the network path, the variant, the permissions.
pub fn check(world: &World, server: &str, connection: &Connection) -> Result<(), Broken> {
    let principal = entra(world, connection)?;
    let vault = vault(world, connection)?;
    path(world, server, connection, vault)?;
    variant(connection, vault)?;
    permissions(world, vault, &principal)
}

/// The service principal's object id, once Entra accepts its password.
fn entra(world: &World, connection: &Connection) -> Result<String, Broken> {
    let tenant = &connection.azure_tenant;
    if let Some((_, known)) = facts::tenant(world, tenant)
        && known.cloud != cloud_of(connection)?
    {
        let why = format!("tenant {tenant} is not in the cloud that azure_environment names");
        return Err(Broken::configuration("azure_environment", why));
    }
    let (client, password) =
        (&connection.azure_service_principal_client_id, &connection.azure_service_principal_password);
    facts::secret_is_valid(world, tenant, client, password).map_err(|refusal| {
        let property = match refusal.code {
            90_002 => "azure_tenant",
            700_016 | 7_000_112 => "azure_service_principal_client_id",
            _ => "azure_service_principal_password",
        };
        Broken::configuration(property, format!("Entra refuses the service principal: AADSTS{}", refusal.code))
    })
}

fn cloud_of(connection: &Connection) -> Result<Cloud, Broken> {
    match connection.azure_environment.as_deref() {
        None | Some("azure") => Ok(Cloud::AzurePublic),
        Some("azure_china") => Ok(Cloud::AzureChina),
        Some("azure_us_government") => Ok(Cloud::AzureUSGovernment),
        Some(other) => Err(Broken::configuration("azure_environment", format!("no cloud answers for {other}"))),
    }
}

/// The Key Vault that the names mean.
fn vault<'a>(world: &'a World, connection: &Connection) -> Result<&'a Vault, Broken> {
    let subscription = &connection.azure_subscription_id;
    let owned = world.azure.subscriptions.iter().find(|(id, _)| id.eq_ignore_ascii_case(subscription));
    if owned.is_none_or(|(_, owner)| !owner.tenant_id.eq_ignore_ascii_case(&connection.azure_tenant)) {
        let why = format!("the tenant has no subscription {subscription}");
        return Err(Broken::configuration("azure_subscription_id", why));
    }
    let name = &connection.azure_service_name;
    let Some(vault) = facts::vault_by_name(world, name) else {
        return Err(Broken::configuration("azure_service_name", format!("there is no Key Vault {name}")));
    };
    if vault.cloud != cloud_of(connection)? || !vault.tenant_id.eq_ignore_ascii_case(&connection.azure_tenant) {
        let why = format!("Key Vault {name} belongs to another tenant");
        return Err(Broken::configuration("azure_tenant", why));
    }
    let in_subscription = format!("/subscriptions/{subscription}");
    if !facts::is_at_or_below(&vault.id, &in_subscription) {
        let why = format!("Key Vault {name} is not in subscription {subscription}");
        return Err(Broken::configuration("azure_subscription_id", why));
    }
    let group = &connection.azure_resource_group;
    if !facts::is_at_or_below(&vault.id, &format!("{in_subscription}/resourceGroups/{group}")) {
        let why = format!("Key Vault {name} is not in resource group {group}");
        return Err(Broken::configuration("azure_resource_group", why));
    }
    Ok(vault)
}

fn path(world: &World, server: &str, connection: &Connection, vault: &Vault) -> Result<(), Broken> {
    let proxy = connection.tls_proxy.as_deref().filter(|proxy| !proxy.is_empty());
    match (proxy, server == SELF_MANAGED) {
        (Some(proxy), false) => through_link(world, proxy, vault),
        (Some(proxy), true) => through_forwarder(world, proxy, vault),
        (None, true) if world.ibm.self_managed.direct_route => served(world, vault, &private_name(vault)),
        (None, _) if facts::public_access_allowed(world, vault) => Ok(()),
        (None, _) => Err(Broken::unreachable(format!(
            "Key Vault {} refuses public access and no tls_proxy is given",
            vault.name
        ))),
    }
}

/// `<vault>.privatelink.…`
fn private_name(vault: &Vault) -> String {
    format!("{}.{}", vault.name.to_lowercase(), cloud::names(vault.cloud).vault_zone)
}

fn through_link(world: &World, proxy: &str, vault: &Vault) -> Result<(), Broken> {
    let at_address = |it: &&Endpoint| format!("{}:{}", it.client_host, it.client_port).eq_ignore_ascii_case(proxy);
    let Some(endpoint) = world.ibm.endpoints.values().find(at_address) else {
        return Err(Broken::unreachable(format!("no Link endpoint has the address {proxy}")));
    };
    let name = &endpoint.display_name;
    if !endpoint.enabled {
        return Err(Broken::unreachable(format!("Link endpoint {name} is disabled")));
    }
    if endpoint.conn_type != "location" {
        return Err(Broken::unreachable(format!("Link endpoint {name} leads into IBM Cloud, not out of it")));
    }
    tunnel(world, endpoint)?;
    let source = &world.ibm.switches.uko_source_address;
    if !admits(world, endpoint, source) {
        return Err(Broken::unreachable(format!("Link endpoint {name} is not open to UKO's address {source}")));
    }
    if endpoint.client_protocol != "tcp" || endpoint.server_protocol != "tcp" {
        let (client, server) = (&endpoint.client_protocol, &endpoint.server_protocol);
        let why = format!("Link endpoint {name} speaks {client} to {server}, UKO's own TLS needs tcp to tcp");
        return Err(Broken::unreachable(why));
    }
    if endpoint.server_port != 443 {
        return Err(Broken::unreachable(format!(
            "Link endpoint {name} leads to port {}, not 443",
            endpoint.server_port
        )));
    }
    served(world, vault, &endpoint.server_host)
}

fn tunnel(world: &World, endpoint: &Endpoint) -> Result<(), Broken> {
    let connector = world.ibm.connectors.get(&endpoint.parent).map(|it| (it.state == "CREATED", it.tunnels));
    let location = world.ibm.locations.get(&endpoint.parent).map(|it| (true, it.tunnels));
    match connector.or(location) {
        Some((true, 1..)) => Ok(()),
        Some((true, 0)) => Err(Broken::unreachable("no agent has an open tunnel")),
        Some((false, _)) | None => Err(Broken::unreachable("the connector is not there")),
    }
}

/// Does access control let this address in? No enabled rule means everyone [D].
fn admits(world: &World, endpoint: &Endpoint, address: &str) -> bool {
    let acting: Vec<_> = endpoint.sources.iter().filter(|(_, binding)| binding.enabled).collect();
    let lets_in = |id: &String| world.ibm.sources.get(id).is_some_and(|source| covers(&source.addresses, address));
    acting.is_empty() || acting.iter().any(|(id, _)| lets_in(id))
}

fn through_forwarder(world: &World, proxy: &str, vault: &Vault) -> Result<(), Broken> {
    let forwarders = &world.ibm.self_managed.forwarders;
    let Some((_, destination)) = forwarders.iter().find(|(address, _)| address.eq_ignore_ascii_case(proxy)) else {
        return Err(Broken::unreachable(format!("nothing listens at {proxy}")));
    };
    match destination.rsplit_once(':') {
        Some((host, "443")) => served(world, vault, host),
        _ => Err(Broken::unreachable(format!("the forwarder at {proxy} leads to {destination}, not to port 443"))),
    }
}

fn served(world: &World, vault: &Vault, host: &str) -> Result<(), Broken> {
    match facts::private_endpoint_serving(world, &vault.name, host) {
        Some(_) => Ok(()),
        None => Err(Broken::unreachable(format!(
            "no approved private endpoint of Key Vault {} answers at {host}",
            vault.name
        ))),
    }
}

fn variant(connection: &Connection, vault: &Vault) -> Result<(), Broken> {
    match connection.azure_variant.as_deref() {
        Some(variant) if !variant.eq_ignore_ascii_case(&vault.sku) => {
            let why = format!("azure_variant is {variant}, the Key Vault's SKU is {}", vault.sku);
            Err(Broken::configuration("azure_variant", why))
        }
        _ => Ok(()),
    }
}

fn permissions(world: &World, vault: &Vault, principal: &str) -> Result<(), Broken> {
    let held = facts::key_permissions(world, vault, principal);
    let missing: Vec<&str> = UKO_PERMISSIONS.into_iter().filter(|word| !held.contains(*word)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!("the service principal lacks key permissions: {}", missing.join(", "));
    Err(Broken::configuration("azure_service_principal_client_id", why))
}
