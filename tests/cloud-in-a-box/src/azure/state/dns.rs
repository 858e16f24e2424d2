//! Private DNS zones, links, records. In: patches and handlers. Out: state. Never: resolves a name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A private DNS zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PrivateDnsZone {
    /// Resource id, as created.
    pub id: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Links by name.
    #[serde(default)]
    pub links: BTreeMap<String, VirtualNetworkLink>,
    /// A records by name.
    #[serde(default)]
    pub a_records: BTreeMap<String, ARecord>,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}

/// A zone's link to a virtual network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtualNetworkLink {
    /// Virtual network id.
    pub virtual_network: String,
    /// Auto-registration.
    #[serde(default)]
    pub registration_enabled: bool,
    /// `Default` or `NxDomainRedirect`.
    #[serde(default)]
    pub resolution_policy: Option<String>,
    /// `Completed`, `InProgress`.
    #[serde(default)]
    pub state: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}

/// An A record set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ARecord {
    /// Seconds.
    #[serde(default)]
    pub ttl: u32,
    /// Addresses.
    pub addresses: Vec<String>,
    /// Metadata, such as the endpoint that wrote it.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}
