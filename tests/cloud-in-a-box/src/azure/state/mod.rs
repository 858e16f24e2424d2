//! What Azure knows: tenants, subscriptions, vaults with their keys, networks, private endpoints, private DNS.
//!
//! In: handlers and merge patches. Out: the `azure` part of `GET /state`. Never: computes an answer.
//! Resources are keyed by their id in lower case, vaults by their name in lower case.
//! Members that make a thing what it is are required: a patch cannot leave half a key behind.

mod dns;
mod entra;
mod network;
mod operation;
mod vault;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::dns::{ARecord, PrivateDnsZone, VirtualNetworkLink};
pub use self::entra::{Application, ClientSecret, FederatedCredential, Tenant};
pub use self::network::{EndpointConnection, NetworkInterface, PrivateEndpoint, Subnet, VirtualNetwork, ZoneGroup};
pub use self::operation::{Effect, Failure, Operation};
pub use self::vault::{
    AccessPolicy, Connection, DeletedKey, DeletedVault, IpRule, Key, KeyVersion, NetworkAcls, Permissions, Vault,
    VirtualNetworkRule,
};

/// All of Azure.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Azure {
    /// Entra tenants by id.
    pub tenants: BTreeMap<String, Tenant>,
    /// Subscriptions by id.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Resource groups by lower-case id.
    pub resource_groups: BTreeMap<String, ResourceGroup>,
    /// Key vaults by lower-case name (names are unique across a cloud).
    pub vaults: BTreeMap<String, Vault>,
    /// Soft-deleted vaults by lower-case name.
    pub deleted_vaults: BTreeMap<String, DeletedVault>,
    /// Virtual networks with their subnets, by lower-case id.
    pub virtual_networks: BTreeMap<String, VirtualNetwork>,
    /// Private endpoints by lower-case id.
    pub private_endpoints: BTreeMap<String, PrivateEndpoint>,
    /// Network interfaces by lower-case id.
    pub network_interfaces: BTreeMap<String, NetworkInterface>,
    /// Private DNS zones with links and records, by lower-case id.
    pub private_dns_zones: BTreeMap<String, PrivateDnsZone>,
    /// Role assignments by name (a GUID).
    pub role_assignments: BTreeMap<String, RoleAssignment>,
    /// Running and finished operations by id.
    pub operations: BTreeMap<String, Operation>,
    /// Names of deleted private endpoints (lower-case id) and until when they stay busy.
    pub busy_names: BTreeMap<String, i64>,
    /// How the next accepted ARM operation shall fail; set by the fault `async_fail`, taken by the handler.
    pub fail_next: Option<Failure>,
    /// ARM requests counted per kind, for the rate-limit headers.
    pub counters: BTreeMap<String, u64>,
}

/// One of Azure's clouds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Cloud {
    /// The public cloud.
    #[default]
    AzurePublic,
    /// 21Vianet.
    AzureChina,
    /// US Government.
    AzureUSGovernment,
}

/// A subscription.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Subscription {
    /// Tenant that owns it.
    pub tenant_id: String,
    /// Name for people.
    #[serde(default)]
    pub display_name: String,
    /// `Enabled`, `Disabled`, `Warned`.
    #[serde(default)]
    pub state: String,
    /// Resource providers registered.
    #[serde(default)]
    pub registered_providers: Vec<String>,
}

/// A resource group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ResourceGroup {
    /// Its id, as created.
    pub id: String,
    /// Region.
    #[serde(default)]
    pub location: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// `CanNotDelete` or `ReadOnly`, if a lock stands on it.
    #[serde(default)]
    pub lock: Option<String>,
}

/// A role assignment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleAssignment {
    /// Where it counts: an id and everything below it.
    pub scope: String,
    /// Who.
    pub principal_id: String,
    /// `ServicePrincipal`, `User`, `Group`.
    #[serde(default)]
    pub principal_type: String,
    /// Role definition GUID.
    pub role: String,
    /// Condition, if any.
    #[serde(default)]
    pub condition: Option<String>,
    /// When it was made (Unix seconds).
    #[serde(default)]
    pub created_at: i64,
}
