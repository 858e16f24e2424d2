//! What lies around a private endpoint: its interface, subnet and virtual network. All of it is only read.
//!
//! In: `Microsoft.Network` JSON. Out: the few facts that matter. Never: anything to write.

use serde_json::Value;

use super::super::{ArmId, ProvisioningState, wire};

/// One address of a network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpConfiguration {
    /// The address; none while Azure is still choosing.
    pub private_ip_address: Option<String>,
    /// The first one of the interface.
    pub primary: bool,
    /// The sub-resource it belongs to; `vault` for a Key Vault.
    pub group_id: Option<String>,
    /// The member of that sub-resource; `default` for a Key Vault.
    pub member: Option<String>,
}

/// The network interface of a private endpoint: the source of truth for its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkInterface {
    /// The interface.
    pub id: ArmId,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
    /// The endpoint it belongs to.
    pub private_endpoint_id: Option<ArmId>,
    /// Its addresses.
    pub ip_configurations: Vec<IpConfiguration>,
}

impl NetworkInterface {
    /// Reads an interface. None if it does not say who it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let link = "/properties/privateLinkConnectionProperties";
        let configuration = |value: &Value| IpConfiguration {
            private_ip_address: wire::owned(value, "/properties/privateIPAddress"),
            primary: wire::flag(value, "/properties/primary").unwrap_or(false),
            group_id: wire::owned(value, &format!("{link}/groupId")),
            member: wire::owned(value, &format!("{link}/requiredMemberName")),
        };
        Some(Self {
            id: wire::id(value, "/id")?,
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
            private_endpoint_id: wire::id(value, "/properties/privateEndpoint/id"),
            ip_configurations: wire::list(value, "/properties/ipConfigurations").iter().map(configuration).collect(),
        })
    }

    /// The address under which the Key Vault is reached: that of group `vault`, member `default`, else the primary one.
    #[must_use]
    pub fn vault_address(&self) -> Option<&str> {
        let is_vault =
            |ip: &&IpConfiguration| ip.group_id.as_deref() == Some("vault") && ip.member.as_deref() == Some("default");
        let mut all = self.ip_configurations.iter();
        let found = all.find(is_vault).or_else(|| self.ip_configurations.iter().find(|ip| ip.primary));
        found.and_then(|ip| ip.private_ip_address.as_deref())
    }
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The subnet.
    pub id: ArmId,
    /// How far Azure is; while it runs, endpoints cannot be made here.
    pub provisioning_state: ProvisioningState,
    /// Its address ranges.
    pub prefixes: Vec<String>,
    /// Services it was handed over to; must be empty for private endpoints.
    pub delegations: Vec<String>,
    /// `Disabled` unless security groups or route tables apply to private endpoints.
    pub private_endpoint_network_policies: Option<String>,
    /// The private endpoints in it.
    pub private_endpoint_ids: Vec<ArmId>,
}

impl Subnet {
    /// Reads a subnet. None if it does not say who it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let mut prefixes = wire::texts(value, "/properties/addressPrefixes");
        if prefixes.is_empty() {
            prefixes.extend(wire::owned(value, "/properties/addressPrefix"));
        }
        let delegation = |value: &Value| {
            wire::owned(value, "/properties/serviceName").or_else(|| wire::owned(value, "/name")).unwrap_or_default()
        };
        Some(Self {
            id: wire::id(value, "/id")?,
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
            prefixes,
            delegations: wire::list(value, "/properties/delegations").iter().map(delegation).collect(),
            private_endpoint_network_policies: wire::owned(value, "/properties/privateEndpointNetworkPolicies"),
            private_endpoint_ids: wire::ids(value, "/properties/privateEndpoints", "/id"),
        })
    }
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualNetwork {
    /// The network.
    pub id: ArmId,
    /// Its region, and so that of every endpoint in it.
    pub location: String,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
    /// DNS servers of the customer's own; then Azure's private zones are not enough by themselves.
    pub dns_servers: Vec<String>,
}

impl VirtualNetwork {
    /// Reads a network. None if it does not say who and where it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: wire::id(value, "/id")?,
            location: wire::owned(value, "/location")?,
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
            dns_servers: wire::texts(value, "/properties/dhcpOptions/dnsServers"),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NETWORK: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network";

    fn interface(configurations: &Value) -> NetworkInterface {
        let body =
            json!({"id": format!("{NETWORK}/networkInterfaces/n"), "properties": {"ipConfigurations": configurations}});
        NetworkInterface::read(&body).unwrap()
    }

    #[test]
    fn the_address_is_that_of_the_vaults_member_else_the_primary_one() {
        let link = json!({"groupId": "vault", "requiredMemberName": "default", "fqdns": ["kv1.vault.azure.net"]});
        let primary = json!({"properties": {"privateIPAddress": "10.0.0.4", "primary": true}});
        let member = json!({"properties": {"privateIPAddress": "10.0.0.5", "privateLinkConnectionProperties": link}});
        assert_eq!(interface(&json!([primary, member])).vault_address(), Some("10.0.0.5"));
        assert_eq!(interface(&json!([primary])).vault_address(), Some("10.0.0.4"));
        assert_eq!(interface(&json!([{"properties": {"primary": true}}])).vault_address(), None);
        assert_eq!(interface(&json!(null)).vault_address(), None);
    }

    #[test]
    fn a_subnet_spells_its_prefix_in_two_ways() {
        let read = |properties: Value| {
            Subnet::read(&json!({"id": format!("{NETWORK}/virtualNetworks/v/subnets/pe"), "properties": properties}))
                .unwrap()
        };
        assert_eq!(read(json!({"addressPrefix": "10.0.0.0/24"})).prefixes, ["10.0.0.0/24"]);
        let newer = read(
            json!({"addressPrefixes": ["10.0.0.0/24", "fd00::/64"], "delegations": [{"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}],
            "privateEndpoints": [{"id": format!("{NETWORK}/privateEndpoints/pe1")}, {"id": "odd"}]}),
        );
        assert_eq!(newer.prefixes.len(), 2);
        assert_eq!(newer.delegations, ["Microsoft.Web/serverFarms"]);
        assert_eq!(newer.private_endpoint_ids.len(), 1);
    }

    #[test]
    fn a_network_knows_its_region_and_its_own_dns_servers() {
        let body = json!({"id": format!("{NETWORK}/virtualNetworks/v"), "location": "westeurope", "properties": {"dhcpOptions": {"dnsServers": ["10.1.0.4"]}}});
        assert_eq!(VirtualNetwork::read(&body).unwrap().dns_servers, ["10.1.0.4"]);
        assert_eq!(VirtualNetwork::read(&json!({"location": "westeurope"})), None);
    }
}
