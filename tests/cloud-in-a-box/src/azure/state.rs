//! What Azure knows: tenants, subscriptions, vaults with their keys, networks, private endpoints, private DNS.
//!
//! In: handlers and merge patches. Out: the `azure` part of `GET /state`. Never: computes an answer.
//! Resources are keyed by their id in lower case, vaults by their name in lower case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

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

/// An Entra tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Tenant {
    /// The cloud it lives in.
    pub cloud: Cloud,
    /// A verified domain, usable in place of the id.
    pub domain: String,
    /// Applications (with their service principal) by client id.
    pub applications: BTreeMap<String, Application>,
}

/// An application and its service principal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Application {
    /// Object id of the service principal: `oid` in its tokens.
    pub object_id: String,
    /// Name for people.
    pub display_name: String,
    /// Disabled: tokens are refused with 7000112.
    pub disabled: bool,
    /// Not seen before this Unix time (replication); refused with 700016.
    pub visible_from: Option<i64>,
    /// Client secrets by name.
    pub secrets: BTreeMap<String, ClientSecret>,
    /// Federated credentials by name.
    pub federated: BTreeMap<String, FederatedCredential>,
    /// Usable through IMDS as a managed identity.
    pub managed_identity: bool,
}

/// A client secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientSecret {
    /// Its value.
    pub value: String,
    /// Known to every Entra node only from this Unix time; before: 7000215.
    pub valid_from: Option<i64>,
    /// Refused with 7000222 from this Unix time.
    pub expires_at: Option<i64>,
}

/// A federated credential: which assertions stand for the application.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FederatedCredential {
    /// Issuer, compared exactly.
    pub issuer: String,
    /// Subject, compared exactly (case matters).
    pub subject: String,
    /// Audience, compared exactly.
    pub audience: String,
}

/// A subscription.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Subscription {
    /// Tenant that owns it.
    pub tenant_id: String,
    /// Name for people.
    pub display_name: String,
    /// `Enabled`, `Disabled`, `Warned`.
    pub state: String,
    /// Resource providers registered.
    pub registered_providers: Vec<String>,
}

/// A resource group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ResourceGroup {
    /// Its id, as created.
    pub id: String,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// `CanNotDelete` or `ReadOnly`, if a lock stands on it.
    pub lock: Option<String>,
}

/// A key vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Vault {
    /// Resource id, as created.
    pub id: String,
    /// Name, as created.
    pub name: String,
    /// The cloud it lives in.
    pub cloud: Cloud,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// `standard` or `premium`.
    pub sku: String,
    /// Tenant whose tokens it accepts.
    pub tenant_id: String,
    /// Access policies; ignored while `enable_rbac_authorization`.
    pub access_policies: Vec<AccessPolicy>,
    /// Roles decide instead of policies; absent = policies.
    pub enable_rbac_authorization: Option<bool>,
    /// Soft delete; absent = on.
    pub enable_soft_delete: Option<bool>,
    /// Retention in days; absent = 90.
    pub soft_delete_retention_in_days: Option<i64>,
    /// Purge protection; absent = off.
    pub enable_purge_protection: Option<bool>,
    /// Firewall; kept but not shown while public access is disabled.
    pub network_acls: Option<NetworkAcls>,
    /// `Enabled`, `Disabled`, `SecuredByPerimeter`.
    pub public_network_access: String,
    /// `Succeeded`, `RegisteringDns`.
    pub provisioning_state: String,
    /// Connections of private endpoints by name.
    pub connections: BTreeMap<String, Connection>,
    /// Keys by name.
    pub keys: BTreeMap<String, Key>,
    /// No other mutation before this Unix time.
    pub locked_until: i64,
    /// Policies count from this Unix time on, by object id.
    pub policy_effective_at: BTreeMap<String, i64>,
}

/// One access policy of a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AccessPolicy {
    /// Tenant of the principal.
    pub tenant_id: String,
    /// Principal.
    pub object_id: String,
    /// On-behalf-of application, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// What it may do.
    pub permissions: Permissions,
}

/// Permissions of an access policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Permissions {
    /// On keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<Vec<String>>,
    /// On secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// On certificates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<Vec<String>>,
    /// On storage accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Vec<String>>,
}

/// A vault's firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkAcls {
    /// `AzureServices` or `None`.
    pub bypass: String,
    /// `Allow` or `Deny`.
    pub default_action: String,
    /// Allowed addresses.
    pub ip_rules: Vec<IpRule>,
    /// Allowed subnets.
    pub virtual_network_rules: Vec<VirtualNetworkRule>,
}

/// One allowed address range.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IpRule {
    /// Address or CIDR.
    pub value: String,
}

/// One allowed subnet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtualNetworkRule {
    /// Subnet id.
    pub id: String,
    /// Accepted without a service endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_missing_vnet_service_endpoint: Option<bool>,
}

/// A private endpoint connection: one record, seen from both sides.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Connection {
    /// The private endpoint's id.
    pub private_endpoint: String,
    /// `Pending`, `Approved`, `Rejected`, `Disconnected`.
    pub status: String,
    /// Free text.
    pub description: String,
    /// `Succeeded`, `Updating`, …
    pub provisioning_state: String,
    /// When it was approved (Unix seconds).
    pub approved_at: Option<i64>,
    /// The vault side shows the connection only from this Unix time.
    pub visible_from: i64,
    /// Changes with each write.
    pub etag: String,
}

/// A key with its versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Key {
    /// The current version.
    pub current: KeyVersion,
    /// Older versions, oldest first.
    pub previous: Vec<KeyVersion>,
    /// Soft-deleted, since when and until when.
    pub deleted: Option<DeletedKey>,
    /// Until this Unix time a deletion or recovery is under way.
    pub settles_at: i64,
}

/// One version of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyVersion {
    /// 32 hexadecimal digits.
    pub version: String,
    /// `RSA-HSM`, `RSA`, `EC`, `EC-HSM`, `oct-HSM`.
    pub kty: String,
    /// Bits; RSA and oct only.
    pub key_size: u32,
    /// Curve; EC only.
    pub curve: Option<String>,
    /// Permitted operations.
    pub key_ops: Vec<String>,
    /// Enabled.
    pub enabled: bool,
    /// Not before (Unix seconds).
    pub nbf: Option<i64>,
    /// Expires (Unix seconds).
    pub exp: Option<i64>,
    /// Created (Unix seconds).
    pub created: i64,
    /// Updated (Unix seconds).
    pub updated: i64,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The modulus to show in place of one made up from version and size.
    pub n: Option<String>,
}

/// When a key was deleted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeletedKey {
    /// Unix seconds.
    pub deleted_date: i64,
    /// Unix seconds.
    pub scheduled_purge_date: i64,
}

/// A soft-deleted vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DeletedVault {
    /// What it was.
    pub vault: Vault,
    /// Unix seconds.
    pub deletion_date: i64,
    /// Unix seconds.
    pub scheduled_purge_date: i64,
}

/// A virtual network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtualNetwork {
    /// Resource id, as created.
    pub id: String,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Address space.
    pub address_prefixes: Vec<String>,
    /// Custom DNS servers.
    pub dns_servers: Vec<String>,
    /// `Succeeded`, `Updating`.
    pub provisioning_state: String,
    /// Subnets by name.
    pub subnets: BTreeMap<String, Subnet>,
    /// Changes with each write.
    pub etag: String,
}

/// A subnet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Subnet {
    /// CIDR.
    pub address_prefix: String,
    /// Services it is delegated to, such as `Microsoft.Web/serverFarms`.
    pub delegations: Vec<String>,
    /// `Disabled`, `Enabled`, `NetworkSecurityGroupEnabled`, `RouteTableEnabled`.
    pub private_endpoint_network_policies: String,
    /// `Succeeded`, `Updating`.
    pub provisioning_state: String,
    /// While this Unix time lies ahead, it shows `Updating` and refuses endpoints.
    pub updating_until: i64,
    /// Changes with each write.
    pub etag: String,
}

/// A private endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PrivateEndpoint {
    /// Resource id, as created.
    pub id: String,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Subnet id.
    pub subnet: String,
    /// Name the NIC shall have; empty = Azure's choice.
    pub custom_network_interface_name: String,
    /// NIC id, once allocated.
    pub network_interface: String,
    /// Manual approval was asked for.
    pub manual: bool,
    /// The connections array as it was sent (one entry): name, target, group ids, request message.
    pub connection: EndpointConnection,
    /// Static addresses as they were sent.
    pub ip_configurations: Vec<Value>,
    /// Application security groups as they were sent.
    pub application_security_groups: Vec<Value>,
    /// `Updating`, `Succeeded`, `Failed`, `Deleting`.
    pub provisioning_state: String,
    /// DNS zone groups by name.
    pub zone_groups: BTreeMap<String, ZoneGroup>,
    /// Resource GUID.
    pub resource_guid: String,
    /// Changes with each write.
    pub etag: String,
}

/// The one connection of a private endpoint, its own side.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct EndpointConnection {
    /// Connection name on the endpoint.
    pub name: String,
    /// The vault's resource id.
    pub private_link_service_id: String,
    /// Group ids: `vault`.
    pub group_ids: Vec<String>,
    /// Request message.
    pub request_message: Option<String>,
    /// The connection's name on the vault's side.
    pub vault_connection: String,
    /// The state the endpoint keeps when the vault's side is gone.
    pub last_status: String,
}

/// A DNS zone group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ZoneGroup {
    /// `Updating`, `Succeeded`, `Deleting`.
    pub provisioning_state: String,
    /// Zone id by configuration name.
    pub zones: BTreeMap<String, String>,
    /// Changes with each write.
    pub etag: String,
}

/// A network interface of a private endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkInterface {
    /// Resource id, as created.
    pub id: String,
    /// Region.
    pub location: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Private endpoint id.
    pub private_endpoint: String,
    /// Subnet id.
    pub subnet: String,
    /// Name of its IP configuration.
    pub ip_configuration_name: String,
    /// Address.
    pub private_ip_address: String,
    /// Asked for by address.
    pub static_allocation: bool,
    /// Names served.
    pub fqdns: Vec<String>,
    /// Changes with each write.
    pub etag: String,
}

/// A private DNS zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct PrivateDnsZone {
    /// Resource id, as created.
    pub id: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Links by name.
    pub links: BTreeMap<String, VirtualNetworkLink>,
    /// A records by name.
    pub a_records: BTreeMap<String, ARecord>,
    /// Changes with each write.
    pub etag: String,
}

/// A zone's link to a virtual network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtualNetworkLink {
    /// Virtual network id.
    pub virtual_network: String,
    /// Auto-registration.
    pub registration_enabled: bool,
    /// `Default` or `NxDomainRedirect`.
    pub resolution_policy: Option<String>,
    /// `Completed`, `InProgress`.
    pub state: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Changes with each write.
    pub etag: String,
}

/// An A record set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ARecord {
    /// Seconds.
    pub ttl: u32,
    /// Addresses.
    pub addresses: Vec<String>,
    /// Metadata, such as the endpoint that wrote it.
    pub metadata: BTreeMap<String, String>,
    /// Changes with each write.
    pub etag: String,
}

/// A role assignment.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct RoleAssignment {
    /// Where it counts: an id and everything below it.
    pub scope: String,
    /// Who.
    pub principal_id: String,
    /// `ServicePrincipal`, `User`, `Group`.
    pub principal_type: String,
    /// Role definition GUID.
    pub role: String,
    /// Condition, if any.
    pub condition: Option<String>,
    /// When it was made (Unix seconds).
    pub created_at: i64,
}

/// A long-running operation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Operation {
    /// Polls that still say `InProgress`.
    pub polls_left: u32,
    /// An operation of private DNS: its polls answer 202 while it runs.
    pub private_dns: bool,
    /// What happens at its end.
    pub effect: Effect,
    /// Its end is a failure.
    pub failure: Option<Failure>,
    /// Over: its effect has happened.
    pub done: bool,
    /// When it began (Unix seconds); after five minutes it ends although nobody asks.
    pub started_at: i64,
}

/// What an operation does when it ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// A private endpoint becomes `Succeeded`, with address and connection.
    FinishEndpoint {
        /// Lower-case id.
        endpoint: String,
    },
    /// A private endpoint disappears.
    RemoveEndpoint {
        /// Lower-case id.
        endpoint: String,
    },
    /// A zone group becomes `Succeeded` and writes its records.
    FinishZoneGroup {
        /// Lower-case id of the endpoint.
        endpoint: String,
        /// Group name.
        group: String,
    },
    /// A zone group disappears with its records.
    RemoveZoneGroup {
        /// Lower-case id of the endpoint.
        endpoint: String,
        /// Group name.
        group: String,
    },
    /// A private DNS zone appears.
    FinishZone {
        /// Lower-case id.
        zone: String,
        /// What appears.
        value: Box<PrivateDnsZone>,
    },
    /// A link is `Completed`.
    FinishLink {
        /// Lower-case id of the zone.
        zone: String,
        /// Link name.
        link: String,
        /// What appears.
        value: Box<VirtualNetworkLink>,
    },
    /// A link disappears.
    RemoveLink {
        /// Lower-case id of the zone.
        zone: String,
        /// Link name.
        link: String,
    },
    /// A zone disappears.
    RemoveZone {
        /// Lower-case id.
        zone: String,
    },
}

/// Why an operation failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Error code.
    pub code: String,
    /// Message.
    #[serde(default)]
    pub message: String,
}
