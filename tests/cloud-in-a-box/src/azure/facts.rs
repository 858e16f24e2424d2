//! Facts about Azure that others ask for: Entra's verdict on a secret, a principal's key rights, private reach.
//!
//! In: the world. Out: plain answers, without HTTP. Never: writes, except for the key that UKO's connection makes.

use std::collections::BTreeSet;

use super::cloud;
use super::state::{Application, Key, RoleAssignment, Tenant, Vault};
use super::vault_keys;
use crate::state::{World, now};

/// Key Vault Crypto Officer.
pub const CRYPTO_OFFICER: &str = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603";
/// Key Vault Administrator.
pub const KEY_VAULT_ADMINISTRATOR: &str = "00482a5a-887f-4fb3-b363-3b7fe8e74483";
/// Key Vault Reader.
pub const KEY_VAULT_READER: &str = "21090545-7ca7-4776-b22c-e363652d74d2";
/// Key Vault Crypto User.
pub const CRYPTO_USER: &str = "12338af0-0e69-4776-bea7-57ae8d297424";
/// The ten key permissions UKO needs.
pub const UKO_PERMISSIONS: [&str; 10] =
    ["create", "import", "update", "list", "delete", "get", "recover", "purge", "backup", "restore"];
/// The name UKO gives its key-encryption key.
pub const KEK: &str = "EKMF-BYOK-KEK-FOR-IMPORT";

/// Why Entra refuses a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraError {
    /// The number after `AADSTS`.
    pub code: u64,
    /// HTTP status.
    pub status: u16,
    /// OAuth error word.
    pub error: &'static str,
    /// Text, without trace and correlation id.
    pub message: String,
}

impl EntraError {
    pub(crate) fn new(code: u64, status: u16, error: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, error, message: message.into() }
    }
}

/// A tenant by id or by domain.
#[must_use]
pub fn tenant<'a>(world: &'a World, name: &str) -> Option<(&'a str, &'a Tenant)> {
    let known = world.azure.tenants.iter();
    let mut fitting = known.filter(|(id, tenant)| {
        id.eq_ignore_ascii_case(name) || (!tenant.domain.is_empty() && tenant.domain.eq_ignore_ascii_case(name))
    });
    fitting.next().map(|(id, tenant)| (id.as_str(), tenant))
}

/// The application of a tenant that may ask for tokens.
///
/// # Errors
/// 90002, 700016 or 7000112, as Entra.
pub fn application<'a>(world: &'a World, tenant_name: &str, client_id: &str) -> Result<&'a Application, EntraError> {
    let Some((_, tenant)) = tenant(world, tenant_name) else {
        return Err(EntraError::new(
            90002,
            400,
            "invalid_request",
            format!(
                "Tenant '{tenant_name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
            ),
        ));
    };
    let found = tenant.applications.iter().find(|(id, _)| id.eq_ignore_ascii_case(client_id)).map(|(_, found)| found);
    let Some(found) = found.filter(|found| found.visible_from.is_none_or(|from| from <= now(world))) else {
        return Err(EntraError::new(
            700_016,
            400,
            "unauthorized_client",
            format!("Application with identifier '{client_id}' was not found in the directory '{tenant_name}'."),
        ));
    };
    if found.disabled {
        return Err(EntraError::new(
            7_000_112,
            401,
            "unauthorized_client",
            format!("Application '{client_id}' is disabled."),
        ));
    }
    Ok(found)
}

/// Entra's verdict on a client secret: the service principal's object id, or the refusal.
///
/// # Errors
/// What the token endpoint would answer.
pub fn secret_is_valid(world: &World, tenant: &str, client_id: &str, secret: &str) -> Result<String, EntraError> {
    let found = application(world, tenant, client_id)?;
    let wrong = || {
        EntraError::new(
            7_000_215,
            401,
            "invalid_client",
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        )
    };
    let known = found.secrets.values().find(|known| known.value == secret).ok_or_else(wrong)?;
    let now = now(world);
    if known.valid_from.is_some_and(|from| from > now) {
        return Err(wrong());
    }
    if known.expires_at.is_some_and(|end| end <= now) {
        return Err(EntraError::new(
            7_000_222,
            401,
            "invalid_client",
            format!(
                "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys for your app."
            ),
        ));
    }
    Ok(found.object_id.clone())
}

/// A vault by name, without case.
#[must_use]
pub fn vault_by_name<'a>(world: &'a World, name: &str) -> Option<&'a Vault> {
    world.azure.vaults.get(&name.to_lowercase())
}

/// A vault by resource id, without case.
#[must_use]
pub fn vault_by_id<'a>(world: &'a World, id: &str) -> Option<&'a Vault> {
    world.azure.vaults.values().find(|vault| vault.id.eq_ignore_ascii_case(id.trim_end_matches('/')))
}

/// The key permissions a principal has on a vault today, in lower case; `all` is written out.
#[must_use]
pub fn key_permissions(world: &World, vault: &Vault, oid: &str) -> BTreeSet<String> {
    if vault.enable_rbac_authorization == Some(true) {
        return permissions_by_role(world, vault, oid);
    }
    let effective = vault.policy_effective_at.get(&oid.to_lowercase()).is_none_or(|at| *at <= now(world));
    let policies = vault
        .access_policies
        .iter()
        .filter(|policy| effective && policy.application_id.is_none() && policy.object_id.eq_ignore_ascii_case(oid));
    let words = policies.flat_map(|policy| policy.permissions.keys.iter().flatten());
    let mut found: BTreeSet<String> = words.map(|word| word.to_lowercase()).collect();
    if found.contains("all") {
        found.extend(EVERY_PERMISSION.iter().map(|word| (*word).to_owned()));
    }
    found
}

const EVERY_PERMISSION: [&str; 17] = [
    "create",
    "import",
    "update",
    "list",
    "delete",
    "get",
    "recover",
    "purge",
    "backup",
    "restore",
    "decrypt",
    "encrypt",
    "unwrapkey",
    "wrapkey",
    "verify",
    "sign",
    "getrotationpolicy",
];

fn permissions_by_role(world: &World, vault: &Vault, oid: &str) -> BTreeSet<String> {
    let now = now(world);
    let lag = world.settings.policy_lag_seconds;
    let roles = world.azure.role_assignments.values();
    let counting = roles.filter(|role| {
        role.principal_id.eq_ignore_ascii_case(oid)
            && covers(role, &vault.id)
            && role.created_at.saturating_add(lag) <= now
    });
    let mut found = BTreeSet::new();
    for role in counting {
        match role.role.as_str() {
            CRYPTO_OFFICER | KEY_VAULT_ADMINISTRATOR => {
                found.extend(EVERY_PERMISSION.map(str::to_owned));
            }
            KEY_VAULT_READER => found.extend(["list".to_owned(), "get".to_owned()]),
            CRYPTO_USER => {
                let words =
                    ["list", "get", "update", "backup", "encrypt", "decrypt", "wrapkey", "unwrapkey", "sign", "verify"];
                found.extend(words.map(str::to_owned));
            }
            _ => {}
        }
    }
    found
}

/// Whether an assignment counts at this resource: its scope is the resource or lies above it.
#[must_use]
pub fn covers(role: &RoleAssignment, id: &str) -> bool {
    is_at_or_below(id, &role.scope)
}

/// Whether `id` equals `scope` or lies below it, segment by segment, without case.
#[must_use]
pub fn is_at_or_below(id: &str, scope: &str) -> bool {
    let (id, scope) = (id.to_lowercase(), scope.trim_end_matches('/').to_lowercase());
    id.strip_prefix(&scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// How a host leads to a vault in private.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serving {
    /// The private endpoint.
    pub private_endpoint: String,
    /// The vault's side of the connection.
    pub connection: String,
    /// The NIC's address.
    pub address: String,
    /// Found by DNS name (`true`) or by address.
    pub by_name: bool,
}

/// The private endpoint that serves this vault at `host`: the vault's `privatelink` name (an A record in a zone that is
/// linked to some network, equal to the NIC's address), or that address. The connection is Approved and settled.
#[must_use]
pub fn private_endpoint_serving(world: &World, vault_name: &str, host: &str) -> Option<Serving> {
    let vault = vault_by_name(world, vault_name)?;
    let zone_name = cloud::names(vault.cloud).vault_zone;
    let host = host.trim_end_matches('.').to_lowercase();
    let by_name = host == format!("{}.{zone_name}", vault.name.to_lowercase());
    approved_endpoints(world, vault).into_iter().find_map(|(connection, endpoint, nic)| {
        let address = &nic.private_ip_address;
        let fits = if by_name { a_record_says(world, vault, zone_name, address) } else { host == *address };
        fits.then(|| Serving {
            private_endpoint: endpoint.id.clone(),
            connection: connection.clone(),
            address: address.clone(),
            by_name,
        })
    })
}

type Approved<'a> = (&'a String, &'a super::state::PrivateEndpoint, &'a super::state::NetworkInterface);

/// Every endpoint whose connection to this vault carries traffic now.
pub(crate) fn approved_endpoints<'a>(world: &'a World, vault: &'a Vault) -> Vec<Approved<'a>> {
    let ready_before = now(world).saturating_sub(world.settings.private_path_lag_seconds);
    let approved = vault.connections.iter().filter(|(_, connection)| {
        connection.status == "Approved"
            && connection.provisioning_state == "Succeeded"
            && connection.approved_at.is_none_or(|at| at <= ready_before)
    });
    approved
        .filter_map(|(name, connection)| {
            let endpoint = world.azure.private_endpoints.get(&connection.private_endpoint.to_lowercase())?;
            let nic = world.azure.network_interfaces.get(&endpoint.network_interface.to_lowercase())?;
            (endpoint.provisioning_state == "Succeeded").then_some((name, endpoint, nic))
        })
        .collect()
}

fn a_record_says(world: &World, vault: &Vault, zone_name: &str, address: &str) -> bool {
    let zones = world.azure.private_dns_zones.values();
    let mut fitting =
        zones.filter(|zone| zone.id.rsplit('/').next().is_some_and(|name| name.eq_ignore_ascii_case(zone_name)));
    fitting.any(|zone| {
        let linked = zone.links.values().any(|link| link.state == "Completed");
        let record = zone.a_records.get(&vault.name.to_lowercase());
        linked && record.is_some_and(|record| record.addresses == [address.to_owned()])
    })
}

/// Whether anyone on the internet reaches the vault's public listener.
#[must_use]
pub fn public_access_allowed(_world: &World, vault: &Vault) -> bool {
    public_access_allowed_from(vault, None)
}

/// Whether this address reaches the vault's public listener.
#[must_use]
pub fn public_access_allowed_from(vault: &Vault, address: Option<&str>) -> bool {
    if !vault.public_network_access.is_empty() && !vault.public_network_access.eq_ignore_ascii_case("Enabled") {
        return false;
    }
    let Some(acls) = &vault.network_acls else {
        return true;
    };
    if !acls.default_action.eq_ignore_ascii_case("Deny") {
        return true;
    }
    address.is_some_and(|address| acls.ip_rules.iter().any(|rule| range_holds(&rule.value, address)))
}

/// Whether a CIDR or a plain address holds this IPv4 address.
pub(crate) fn range_holds(range: &str, address: &str) -> bool {
    let (base, bits) = range.split_once('/').unwrap_or((range, "32"));
    let numbers = (base.parse::<std::net::Ipv4Addr>(), address.parse::<std::net::Ipv4Addr>(), bits.parse::<u32>());
    let (Ok(base), Ok(address), Ok(bits @ 0..=32)) = numbers else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(base) & mask == u32::from(address) & mask
}

/// A key of a vault, deleted or not; names have no case.
#[must_use]
pub fn find_key<'a>(world: &'a World, vault_name: &str, key: &str) -> Option<&'a Key> {
    let keys = &vault_by_name(world, vault_name)?.keys;
    keys.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, found)| found)
}

/// Makes an RSA-HSM key that may only import, unless a key of this name exists; the version's identifier, or `None`
/// if the vault is absent or holds a soft-deleted key of this name.
pub fn create_kek(world: &mut World, vault_id: &str, name: &str, size: u32) -> Option<String> {
    let vault = vault_by_id(world, vault_id)?;
    let (key_name, vault_name) = (vault.name.to_lowercase(), vault.name.clone());
    let uri = cloud::names(vault.cloud).vault_uri(&vault_name);
    let now = now(world);
    if let Some(found) = find_key(world, &vault_name, name) {
        return found.deleted.is_none().then(|| format!("{uri}keys/{name}/{}", found.current.version));
    }
    let key = Key { current: vault_keys::kek_version(size, now), ..Key::default() };
    let kid = format!("{uri}keys/{name}/{}", key.current.version);
    world.azure.vaults.get_mut(&key_name)?.keys.insert(name.to_owned(), key);
    Some(kid)
}
