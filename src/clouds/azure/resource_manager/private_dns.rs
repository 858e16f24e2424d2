//! Private DNS as far as a private endpoint needs it: zone groups, links and A records.
//!
//! In: JSON of zone groups, `virtualNetworkLinks` and `A`. Out: the few facts that matter. Never: writes a record or a zone.

use serde_json::{Value, json};

use super::super::{ArmId, ProvisioningState, wire};

/// One zone of a group, with the record Azure keeps in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneConfig {
    /// The zone.
    pub zone_id: Option<ArmId>,
    /// The full names of its records.
    pub fqdns: Vec<String>,
    /// The addresses of its records.
    pub addresses: Vec<String>,
}

/// A DNS zone group of a private endpoint. There is one at most, under a name of its maker's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsZoneGroup {
    /// The group.
    pub id: ArmId,
    /// Its name.
    pub name: String,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
    /// Its zones.
    pub zones: Vec<ZoneConfig>,
}

impl DnsZoneGroup {
    /// Reads a group. None if it does not say who it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let id = wire::id(value, "/id")?;
        let zone = |value: &Value| {
            let records = wire::list(value, "/properties/recordSets");
            ZoneConfig {
                zone_id: wire::id(value, "/properties/privateDnsZoneId"),
                fqdns: records.iter().filter_map(|record| wire::owned(record, "/fqdn")).collect(),
                addresses: records.iter().flat_map(|record| wire::texts(record, "/ipAddresses")).collect(),
            }
        };
        Some(Self {
            name: id.last_segment().to_owned(),
            id,
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
            zones: wire::list(value, "/properties/privateDnsZoneConfigs").iter().map(zone).collect(),
        })
    }

    /// True when the group keeps a record in this zone.
    #[must_use]
    pub fn covers(&self, zone: &ArmId) -> bool {
        self.zones.iter().any(|config| config.zone_id.as_ref().is_some_and(|id| id.same_as(zone)))
    }

    /// The body of the PUT that makes a group for one zone.
    pub(super) fn body(zone: &ArmId) -> Value {
        json!({"properties": {"privateDnsZoneConfigs": [{"name": "vault", "properties": {"privateDnsZoneId": zone.as_str()}}]}})
    }
}

/// A link from a private zone to a virtual network whose machines may ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualNetworkLink {
    /// The link.
    pub id: ArmId,
    /// The network.
    pub virtual_network_id: Option<ArmId>,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
    /// `Completed` once names resolve.
    pub link_state: Option<String>,
    /// `NxDomainRedirect` hides a missing record behind public DNS.
    pub resolution_policy: Option<String>,
}

impl VirtualNetworkLink {
    /// Reads a link. None if it does not say who it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        Some(Self {
            id: wire::id(value, "/id")?,
            virtual_network_id: wire::id(value, "/properties/virtualNetwork/id"),
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
            link_state: wire::owned(value, "/properties/virtualNetworkLinkState"),
            resolution_policy: wire::owned(value, "/properties/resolutionPolicy"),
        })
    }

    /// True when machines of the linked network resolve the zone's names.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let completed = self.link_state.as_deref().is_none_or(|state| state.eq_ignore_ascii_case("Completed"));
        self.provisioning_state == ProvisioningState::Succeeded && completed
    }

    /// True when the link leads to this network.
    #[must_use]
    pub fn leads_to(&self, network: &ArmId) -> bool {
        self.virtual_network_id.as_ref().is_some_and(|id| id.same_as(network))
    }
}

/// The A record of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ARecord {
    /// The record.
    pub id: ArmId,
    /// The full name, without the dot at its end.
    pub fqdn: Option<String>,
    /// Its addresses; more than one means two endpoints overwrite each other.
    pub addresses: Vec<String>,
}

impl ARecord {
    /// Reads a record. None if it does not say who it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let records = wire::list(value, "/properties/aRecords");
        Some(Self {
            id: wire::id(value, "/id")?,
            fqdn: wire::text(value, "/properties/fqdn").map(|name| name.trim_end_matches('.').to_owned()),
            addresses: records.iter().filter_map(|record| wire::owned(record, "/ipv4Address")).collect(),
        })
    }

    /// True when the record says exactly this address.
    #[must_use]
    pub fn is_exactly(&self, address: &str) -> bool {
        self.addresses == [address]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Network";

    fn zone() -> ArmId {
        ArmId::parse(&format!("{NETWORK}/privateDnsZones/privatelink.vaultcore.azure.net")).unwrap()
    }

    #[test]
    fn a_group_covers_its_zone_in_any_case() {
        let group = DnsZoneGroup::read(
            &json!({"id": format!("{NETWORK}/privateEndpoints/pe1/privateDnsZoneGroups/default"), "properties": {"provisioningState": "Succeeded",
            "privateDnsZoneConfigs": [{"name": "vault", "properties": {"privateDnsZoneId": zone().as_str().replace("privateDnsZones", "privatednszones"),
            "recordSets": [{"recordType": "A", "fqdn": "kv1.privatelink.vaultcore.azure.net", "ipAddresses": ["10.0.0.4"]}]}}]}}),
        );
        let group = group.unwrap();
        assert!(group.covers(&zone()) && group.name == "default");
        assert_eq!(group.zones.first().unwrap().addresses, ["10.0.0.4"]);
        assert_eq!(DnsZoneGroup::read(&json!({})), None);
    }

    #[test]
    fn a_link_is_ready_when_both_words_say_so() {
        let link = |state: &str, link_state: Value| {
            VirtualNetworkLink::read(&json!({"id": format!("{}/virtualNetworkLinks/l", zone()),
            "properties": {"provisioningState": state, "virtualNetworkLinkState": link_state, "virtualNetwork": {"id": format!("{NETWORK}/virtualNetworks/V")}}})).unwrap()
        };
        assert!(link("Succeeded", json!("Completed")).is_ready() && link("Succeeded", Value::Null).is_ready());
        assert!(!link("Updating", json!("Completed")).is_ready() && !link("Succeeded", json!("InProgress")).is_ready());
        assert!(
            link("Succeeded", Value::Null).leads_to(&ArmId::parse(&format!("{NETWORK}/virtualNetworks/v")).unwrap())
        );
    }

    #[test]
    fn a_record_is_right_only_when_it_holds_one_address() {
        let record = |addresses: Value| {
            ARecord::read(&json!({"id": format!("{}/A/kv1", zone()), "properties": {"fqdn": "kv1.privatelink.vaultcore.azure.net.", "aRecords": addresses}})).unwrap()
        };
        let one = record(json!([{"ipv4Address": "10.0.0.4"}]));
        assert!(one.is_exactly("10.0.0.4") && !one.is_exactly("10.0.0.5"));
        assert_eq!(one.fqdn.as_deref(), Some("kv1.privatelink.vaultcore.azure.net"));
        assert!(!record(json!([{"ipv4Address": "10.0.0.4"}, {"ipv4Address": "10.0.0.5"}])).is_exactly("10.0.0.4"));
        assert!(!record(Value::Null).is_exactly("10.0.0.4"));
    }
}
