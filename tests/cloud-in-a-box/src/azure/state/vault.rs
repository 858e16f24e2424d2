//! Key vaults with their policies, firewall, connections and keys. In: patches and handlers. Out: state. Never: judges access.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Cloud;

/// A key vault.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Vault {
    /// Resource id, as created.
    pub id: String,
    /// Name, as created.
    pub name: String,
    /// The cloud it lives in.
    #[serde(default)]
    pub cloud: Cloud,
    /// Region.
    #[serde(default)]
    pub location: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// `standard` or `premium`.
    #[serde(default)]
    pub sku: String,
    /// Tenant whose tokens it accepts.
    #[serde(default)]
    pub tenant_id: String,
    /// Access policies; ignored while `enable_rbac_authorization`.
    #[serde(default)]
    pub access_policies: Vec<AccessPolicy>,
    /// Roles decide instead of policies; absent = policies.
    #[serde(default)]
    pub enable_rbac_authorization: Option<bool>,
    /// Soft delete; absent = on.
    #[serde(default)]
    pub enable_soft_delete: Option<bool>,
    /// Retention in days; absent = 90.
    #[serde(default)]
    pub soft_delete_retention_in_days: Option<i64>,
    /// Purge protection; absent = off.
    #[serde(default)]
    pub enable_purge_protection: Option<bool>,
    /// Firewall; kept but not shown while public access is disabled.
    #[serde(default)]
    pub network_acls: Option<NetworkAcls>,
    /// `Enabled`, `Disabled`, `SecuredByPerimeter`.
    #[serde(default)]
    pub public_network_access: String,
    /// `Succeeded`, `RegisteringDns`.
    #[serde(default)]
    pub provisioning_state: String,
    /// Connections of private endpoints by name.
    #[serde(default)]
    pub connections: BTreeMap<String, Connection>,
    /// Keys by name.
    #[serde(default)]
    pub keys: BTreeMap<String, Key>,
    /// No other mutation before this Unix time.
    #[serde(default)]
    pub locked_until: i64,
    /// Policies count from this Unix time on, by object id.
    #[serde(default)]
    pub policy_effective_at: BTreeMap<String, i64>,
}

/// One access policy of a vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AccessPolicy {
    /// Tenant of the principal.
    pub tenant_id: String,
    /// Principal.
    pub object_id: String,
    /// On-behalf-of application, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(default)]
    pub application_id: Option<String>,
    /// What it may do.
    #[serde(default)]
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
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Connection {
    /// The private endpoint's id.
    pub private_endpoint: String,
    /// `Pending`, `Approved`, `Rejected`, `Disconnected`.
    pub status: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// `Succeeded`, `Updating`, …
    #[serde(default)]
    pub provisioning_state: String,
    /// When it was approved (Unix seconds).
    #[serde(default)]
    pub approved_at: Option<i64>,
    /// The vault side shows the connection only from this Unix time.
    #[serde(default)]
    pub visible_from: i64,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}

/// A key with its versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Key {
    /// The current version.
    pub current: KeyVersion,
    /// Older versions, oldest first.
    #[serde(default)]
    pub previous: Vec<KeyVersion>,
    /// Soft-deleted, since when and until when.
    #[serde(default)]
    pub deleted: Option<DeletedKey>,
    /// Until this Unix time a deletion or recovery is under way.
    #[serde(default)]
    pub settles_at: i64,
}

/// One version of a key.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyVersion {
    /// 32 hexadecimal digits.
    pub version: String,
    /// `RSA-HSM`, `RSA`, `EC`, `EC-HSM`, `oct-HSM`.
    pub kty: String,
    /// Bits; RSA and oct only.
    #[serde(default)]
    pub key_size: u32,
    /// Curve; EC only.
    #[serde(default)]
    pub curve: Option<String>,
    /// Permitted operations.
    #[serde(default)]
    pub key_ops: Vec<String>,
    /// Enabled; a key that a patch makes is, unless it says otherwise.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Not before (Unix seconds).
    #[serde(default)]
    pub nbf: Option<i64>,
    /// Expires (Unix seconds).
    #[serde(default)]
    pub exp: Option<i64>,
    /// Created (Unix seconds).
    #[serde(default)]
    pub created: i64,
    /// Updated (Unix seconds).
    #[serde(default)]
    pub updated: i64,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The modulus to show in place of one made up from version and size.
    #[serde(default)]
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

fn yes() -> bool {
    true
}
