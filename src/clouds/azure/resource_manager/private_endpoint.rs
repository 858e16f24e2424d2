//! A private endpoint, as it is read and as it is asked for.
//!
//! In: `Microsoft.Network/privateEndpoints` JSON, or a draft. Out: [`PrivateEndpoint`], or the body of a PUT.
//! Never: leaves out on an update what somebody else has set; a PUT replaces.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{ArmId, ConnectionState, ProvisioningState, wire};

/// The sub-resource of a Key Vault that a private endpoint reaches, and the name of its one member.
const GROUP: &str = "vault";
const MEMBER: &str = "default";

/// A private endpoint with its first connection, automatic or manual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateEndpoint {
    /// The endpoint, in Azure's spelling.
    pub id: ArmId,
    /// Its name.
    pub name: String,
    /// The region.
    pub location: String,
    /// All tags, ours and others'.
    pub tags: BTreeMap<String, String>,
    /// How far Azure is.
    pub provisioning_state: ProvisioningState,
    /// Where its address comes from.
    pub subnet_id: Option<ArmId>,
    /// The resource at the other end.
    pub target_id: Option<ArmId>,
    /// The sub-resources it reaches; `vault` for a Key Vault.
    pub group_ids: Vec<String>,
    /// The name of the connection.
    pub connection_name: Option<String>,
    /// It was made to wait for a person's approval.
    pub manual: bool,
    /// The decision, seen from this side.
    pub connection: ConnectionState,
    /// Its network interface, which knows the address.
    pub nic_id: Option<ArmId>,
    /// The interface's name, if it was chosen.
    pub nic_name: Option<String>,
    /// The address, if it was chosen.
    pub static_ip: Option<String>,
    /// The body as read, so that an update can keep what is not ours.
    pub raw: Value,
}

impl PrivateEndpoint {
    /// Reads an endpoint. None if it does not say who it is.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let id = wire::id(value, "/id")?;
        let automatic = wire::list(value, "/properties/privateLinkServiceConnections").first();
        let manual = wire::list(value, "/properties/manualPrivateLinkServiceConnections").first();
        let nothing = Value::Null;
        let connection = automatic.or(manual).unwrap_or(&nothing);
        let fixed = "/properties/ipConfigurations/0/properties/privateIPAddress";
        Some(Self {
            name: id.last_segment().to_owned(),
            id,
            location: wire::owned(value, "/location").unwrap_or_default(),
            tags: wire::map(value, "/tags"),
            provisioning_state: ProvisioningState::read(value, "/properties/provisioningState"),
            subnet_id: wire::id(value, "/properties/subnet/id"),
            target_id: wire::id(connection, "/properties/privateLinkServiceId"),
            group_ids: wire::texts(connection, "/properties/groupIds"),
            connection_name: wire::owned(connection, "/name"),
            manual: automatic.is_none() && manual.is_some(),
            connection: ConnectionState::read(connection),
            nic_id: wire::id(value, "/properties/networkInterfaces/0/id"),
            nic_name: wire::owned(value, "/properties/customNetworkInterfaceName"),
            static_ip: wire::owned(value, fixed),
            raw: value.clone(),
        })
    }

    /// A tag's value; Azure compares the names of tags without case.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        tags.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body of a PUT that changes these tags (None removes one) and nothing else: what GET said, less what only Azure may say.
    pub(super) fn with_tags(&self, changes: &BTreeMap<String, Option<String>>) -> Value {
        let mut tags = self.tags.clone();
        for (name, value) in changes {
            tags.retain(|own, _| !own.eq_ignore_ascii_case(name));
            if let Some(value) = value {
                tags.insert(name.clone(), value.clone());
            }
        }
        let mut body = json!({"location": self.location, "tags": tags, "properties": {}});
        keep(&self.raw, &mut body, &["extendedLocation"]);
        let Some(properties) = body.pointer_mut("/properties") else {
            return body;
        };
        let nothing = Value::Null;
        let seen = self.raw.pointer("/properties").unwrap_or(&nothing);
        keep(seen, properties, &["applicationSecurityGroups"]);
        for name in ["privateLinkServiceConnections", "manualPrivateLinkServiceConnections"] {
            let connections: Vec<Value> = wire::list(seen, &format!("/{name}")).iter().map(connection_again).collect();
            if !connections.is_empty() {
                set(properties, name, Value::from(connections));
            }
        }
        let addresses: Vec<Value> = wire::list(seen, "/ipConfigurations").iter().map(address_again).collect();
        if !addresses.is_empty() {
            set(properties, "ipConfigurations", Value::from(addresses));
        }
        if let Some(subnet) = &self.subnet_id {
            set(properties, "subnet", json!({"id": subnet.as_str()}));
        }
        if let Some(name) = &self.nic_name {
            set(properties, "customNetworkInterfaceName", json!(name));
        }
        body
    }
}

/// What may be said again of a connection: its state and the decision are Azure's and the owner's.
fn connection_again(connection: &Value) -> Value {
    let mut again = json!({"properties": {}});
    keep(connection, &mut again, &["name"]);
    if let (Some(seen), Some(properties)) = (connection.pointer("/properties"), again.pointer_mut("/properties")) {
        keep(seen, properties, &["privateLinkServiceId", "groupIds", "requestMessage"]);
    }
    again
}

fn address_again(address: &Value) -> Value {
    let mut again = json!({"properties": {}});
    keep(address, &mut again, &["name"]);
    if let (Some(seen), Some(properties)) = (address.pointer("/properties"), again.pointer_mut("/properties")) {
        keep(seen, properties, &["groupId", "memberName", "privateIPAddress"]);
    }
    again
}

fn keep(from: &Value, to: &mut Value, names: &[&str]) {
    for name in names {
        if let Some(value) = from.get(name).filter(|value| !value.is_null()) {
            set(to, name, value.clone());
        }
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// A private endpoint for a Key Vault that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateEndpointDraft {
    /// The virtual network's region.
    pub location: String,
    /// Tags, the ownership mark among them.
    pub tags: BTreeMap<String, String>,
    /// Where its address comes from.
    pub subnet_id: ArmId,
    /// The Key Vault.
    pub vault_id: ArmId,
    /// A name for its network interface, if one is wished for.
    pub network_interface_name: Option<String>,
    /// A fixed address, if one is wished for.
    pub private_ip_address: Option<String>,
    /// Wait for a person's approval, with this message (at most 140 characters); None asks for automatic approval.
    pub manual_request: Option<String>,
}

impl PrivateEndpointDraft {
    /// The body of the PUT that makes it. The connection bears the endpoint's name.
    pub(super) fn body(&self, name: &str) -> Value {
        let mut target = json!({"privateLinkServiceId": self.vault_id.as_str(), "groupIds": [GROUP]});
        let list = match &self.manual_request {
            None => "privateLinkServiceConnections",
            Some(message) => {
                set(&mut target, "requestMessage", json!(message));
                "manualPrivateLinkServiceConnections"
            }
        };
        let mut properties = json!({"subnet": {"id": self.subnet_id.as_str()}});
        set(&mut properties, list, json!([{"name": name, "properties": target}]));
        if let Some(interface) = &self.network_interface_name {
            set(&mut properties, "customNetworkInterfaceName", json!(interface));
        }
        if let Some(address) = &self.private_ip_address {
            let fixed = json!({"groupId": GROUP, "memberName": MEMBER, "privateIPAddress": address});
            set(&mut properties, "ipConfigurations", json!([{"name": GROUP, "properties": fixed}]));
        }
        json!({"location": self.location, "tags": self.tags, "properties": properties})
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::ConnectionStatus;
    use super::*;

    const GROUP_ID: &str = "/subscriptions/s/resourceGroups/rg/providers";

    fn seen() -> Value {
        json!({"name": "pe1", "id": format!("{GROUP_ID}/Microsoft.Network/privateEndpoints/pe1"), "etag": "W/\"1\"", "location": "westeurope",
            "tags": {"team": "keys", "UKO-operator-owner": "old"},
            "properties": {"provisioningState": "Succeeded", "resourceGuid": "x", "privateLinkServiceConnections": [{"name": "pe1", "id": "x", "etag": "y", "properties": {
                "provisioningState": "Succeeded", "privateLinkServiceId": format!("{GROUP_ID}/Microsoft.KeyVault/vaults/kv1"), "groupIds": ["vault"],
                "privateLinkServiceConnectionState": {"status": "Approved", "description": "Auto-Approved", "actionsRequired": "None"}}}],
             "manualPrivateLinkServiceConnections": [], "customNetworkInterfaceName": "", "subnet": {"id": format!("{GROUP_ID}/Microsoft.Network/virtualNetworks/vnet1/subnets/pe")},
             "applicationSecurityGroups": [{"id": "asg"}], "ipConfigurations": [], "customDnsConfigs": [{"fqdn": "kv1.vault.azure.net", "ipAddresses": ["10.0.0.4"]}],
             "networkInterfaces": [{"id": format!("{GROUP_ID}/Microsoft.Network/networkInterfaces/pe1.nic.0")}]}})
    }

    #[test]
    fn an_endpoint_is_read_whichever_array_holds_its_connection() {
        let automatic = PrivateEndpoint::read(&seen()).unwrap();
        assert!(!automatic.manual && automatic.nic_name.is_none() && automatic.static_ip.is_none());
        assert_eq!(automatic.connection.status, ConnectionStatus::Approved);
        assert_eq!(automatic.nic_id.unwrap().last_segment(), "pe1.nic.0");
        let mut body = seen();
        let properties = body.pointer_mut("/properties").unwrap().as_object_mut().unwrap();
        let connections = properties.remove("privateLinkServiceConnections").unwrap();
        properties.insert("manualPrivateLinkServiceConnections".into(), connections);
        let manual = PrivateEndpoint::read(&body).unwrap();
        assert!(manual.manual && manual.target_id.unwrap().last_segment() == "kv1");
    }

    #[test]
    fn a_torn_endpoint_is_pending_and_without_an_interface() {
        let bare = PrivateEndpoint::read(&json!({"id": format!("{GROUP_ID}/Microsoft.Network/privateEndpoints/pe1")}))
            .unwrap();
        assert_eq!(bare.connection.status, ConnectionStatus::Pending);
        assert!(bare.nic_id.is_none() && bare.target_id.is_none() && bare.tags.is_empty());
        assert_eq!(PrivateEndpoint::read(&json!({"name": "pe1"})), None);
    }

    #[test]
    fn an_update_of_tags_keeps_what_others_have_set_and_drops_what_only_azure_says() {
        let endpoint = PrivateEndpoint::read(&seen()).unwrap();
        let changes =
            BTreeMap::from([("uko-operator-owner".to_owned(), Some("new".to_owned())), ("gone".to_owned(), None)]);
        let body = endpoint.with_tags(&changes);
        assert_eq!(body.pointer("/tags").unwrap(), &json!({"team": "keys", "uko-operator-owner": "new"}));
        assert_eq!(body.pointer("/properties/applicationSecurityGroups/0/id").unwrap(), "asg");
        assert_eq!(
            body.pointer("/properties/privateLinkServiceConnections/0/properties/groupIds").unwrap(),
            &json!(["vault"])
        );
        let text = body.to_string();
        for foreign in [
            "etag",
            "provisioningState",
            "customDnsConfigs",
            "networkInterfaces",
            "Auto-Approved",
            "resourceGuid",
            "customNetworkInterfaceName",
        ] {
            assert!(!text.contains(foreign), "{foreign}");
        }
    }

    #[test]
    fn a_draft_fills_exactly_one_array() {
        let mut draft = PrivateEndpointDraft {
            location: "westeurope".into(),
            tags: BTreeMap::from([("uko-operator-owner".into(), "hash".into())]),
            subnet_id: ArmId::parse(&format!("{GROUP_ID}/Microsoft.Network/virtualNetworks/vnet1/subnets/pe")).unwrap(),
            vault_id: ArmId::parse(&format!("{GROUP_ID}/Microsoft.KeyVault/vaults/kv1")).unwrap(),
            network_interface_name: Some("pe1-nic".into()),
            private_ip_address: None,
            manual_request: None,
        };
        let automatic = draft.body("pe1");
        assert_eq!(automatic.pointer("/properties/privateLinkServiceConnections/0/name").unwrap(), "pe1");
        assert!(automatic.pointer("/properties/manualPrivateLinkServiceConnections").is_none());
        draft.manual_request = Some("please".into());
        draft.private_ip_address = Some("10.0.0.10".into());
        let manual = draft.body("pe1");
        assert!(manual.pointer("/properties/privateLinkServiceConnections").is_none());
        assert_eq!(
            manual.pointer("/properties/manualPrivateLinkServiceConnections/0/properties/requestMessage").unwrap(),
            "please"
        );
        assert_eq!(manual.pointer("/properties/ipConfigurations/0/properties/memberName").unwrap(), "default");
    }
}
