//! Networks, private endpoints and their interfaces. In: patches and handlers. Out: state. Never: allocates an address.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A virtual network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VirtualNetwork {
    /// Resource id, as created.
    pub id: String,
    /// Region.
    #[serde(default)]
    pub location: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Address space.
    #[serde(default)]
    pub address_prefixes: Vec<String>,
    /// Custom DNS servers.
    #[serde(default)]
    pub dns_servers: Vec<String>,
    /// `Succeeded`, `Updating`.
    #[serde(default)]
    pub provisioning_state: String,
    /// Subnets by name.
    #[serde(default)]
    pub subnets: BTreeMap<String, Subnet>,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}

/// A subnet.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Subnet {
    /// CIDR.
    pub address_prefix: String,
    /// Services it is delegated to, such as `Microsoft.Web/serverFarms`.
    #[serde(default)]
    pub delegations: Vec<String>,
    /// `Disabled`, `Enabled`, `NetworkSecurityGroupEnabled`, `RouteTableEnabled`.
    #[serde(default)]
    pub private_endpoint_network_policies: String,
    /// `Succeeded`, `Updating`.
    #[serde(default)]
    pub provisioning_state: String,
    /// While this Unix time lies ahead, it shows `Updating` and refuses endpoints.
    #[serde(default)]
    pub updating_until: i64,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}

/// A private endpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PrivateEndpoint {
    /// Resource id, as created.
    pub id: String,
    /// Region.
    #[serde(default)]
    pub location: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Subnet id.
    #[serde(default)]
    pub subnet: String,
    /// Name the NIC shall have; empty = Azure's choice.
    #[serde(default)]
    pub custom_network_interface_name: String,
    /// NIC id, once allocated.
    #[serde(default)]
    pub network_interface: String,
    /// Manual approval was asked for.
    #[serde(default)]
    pub manual: bool,
    /// The connections array as it was sent (one entry): name, target, group ids, request message.
    #[serde(default)]
    pub connection: EndpointConnection,
    /// Static addresses as they were sent.
    #[serde(default)]
    pub ip_configurations: Vec<Value>,
    /// Application security groups as they were sent.
    #[serde(default)]
    pub application_security_groups: Vec<Value>,
    /// `Updating`, `Succeeded`, `Failed`, `Deleting`.
    #[serde(default)]
    pub provisioning_state: String,
    /// DNS zone groups by name.
    #[serde(default)]
    pub zone_groups: BTreeMap<String, ZoneGroup>,
    /// Resource GUID.
    #[serde(default)]
    pub resource_guid: String,
    /// Changes with each write.
    #[serde(default)]
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
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NetworkInterface {
    /// Resource id, as created.
    pub id: String,
    /// Region.
    #[serde(default)]
    pub location: String,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Private endpoint id.
    #[serde(default)]
    pub private_endpoint: String,
    /// Subnet id.
    #[serde(default)]
    pub subnet: String,
    /// Name of its IP configuration.
    #[serde(default)]
    pub ip_configuration_name: String,
    /// Address.
    #[serde(default)]
    pub private_ip_address: String,
    /// Asked for by address.
    #[serde(default)]
    pub static_allocation: bool,
    /// Names served.
    #[serde(default)]
    pub fqdns: Vec<String>,
    /// Changes with each write.
    #[serde(default)]
    pub etag: String,
}
