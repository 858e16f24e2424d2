//! A small pure model of Azure, IBM and the namespace.
//!
//! In: a few words a scenario writes down. Out: a [`World`] to look at and to act on. Never: the wire; that is cloud-in-a-box.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    api::v1alpha1::ConnectorEndpoint,
    clouds::azure::UKO_KEY_PERMISSIONS,
    reconcile::{secrets::Secrets, stage::Seen},
};

pub(super) const SUBSCRIPTION: &str = "22222222-2222-4222-8222-222222222222";
pub(super) const TENANT: &str = "11111111-1111-4111-8111-111111111111";
pub(super) const PRINCIPAL: &str = "44444444-4444-4444-8444-444444444444";
pub(super) const UKO_VAULT: &str = "77777777-7777-4777-8777-777777777777";
pub(super) const NAMESPACE: &str = "keys";
pub(super) const CLUSTER: &str = "cluster";

/// What is out there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct World {
    /// Secrets of the namespace, with their keys.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// The operator's policy file.
    pub policy: String,
    /// Which reads get no answer, and why: `outage` passes, `forbidden` and `denied` do not.
    pub dark: BTreeMap<Part, Trouble>,
    /// What the next writes come to, in order; after that all succeed.
    pub writes: Vec<Write>,
    pub vault: Option<KeyVault>,
    pub deleted_vault: bool,
    /// Object id in the token of UKO's service principal.
    pub object_id: Option<String>,
    pub subnet: Net,
    /// Another endpoint of the vault in the same network.
    pub neighbour: bool,
    pub endpoint: Option<Endpoint>,
    pub connection: Option<Connection>,
    pub zone_group: Option<Zone>,
    /// Addresses of the vault's A record.
    pub record: Option<Vec<String>>,
    /// Whether the zone is linked to the endpoint's network.
    pub linked: bool,
    /// Ids of UKO vaults with the wanted name or id.
    pub uko_vaults: Vec<String>,
    pub keystores: Vec<Store>,
    /// Kinds of keystores in other vaults of the instance.
    pub elsewhere: Vec<String>,
    /// Creations that take effect at a later second.
    pub later: Vec<(i64, Store)>,
    pub test: Test,
    pub kek: Kek,
    pub kek_version: u32,
    pub kek_expires: Option<i64>,
    pub kek_purgeable: bool,
    /// The operator may neither recover nor make it.
    pub kek_locked: bool,
    pub connector_endpoint: Option<serde_json::Value>,
    /// UKO says this of every keystore it has looked at.
    pub health: Option<String>,
    /// How old UKO's last good contact is, in seconds.
    pub heartbeat_age: i64,
    /// Whether it is told at all.
    pub tells_contact: bool,
    /// Whether UKO shows the `tls_proxy` of a keystore.
    pub shows_proxy: bool,
}

/// Something that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Part {
    ServicePrincipal,
    Operator,
    Vault,
    Roles,
    Endpoint,
    Subnet,
    Network,
    Neighbours,
    Interface,
    ZoneGroups,
    Record,
    Links,
    Key,
    DataKey,
    UkoLogin,
    UkoVaults,
    Keystores,
    Instance,
    Keystore,
    Health,
    ConnectorEndpoint,
}

/// All of them.
pub(super) const PARTS: [Part; 21] = [
    Part::ServicePrincipal,
    Part::Operator,
    Part::Vault,
    Part::Roles,
    Part::Endpoint,
    Part::Subnet,
    Part::Network,
    Part::Neighbours,
    Part::Interface,
    Part::ZoneGroups,
    Part::Record,
    Part::Links,
    Part::Key,
    Part::DataKey,
    Part::UkoLogin,
    Part::UkoVaults,
    Part::Keystores,
    Part::Instance,
    Part::Keystore,
    Part::Health,
    Part::ConnectorEndpoint,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Trouble {
    Outage,
    Forbidden,
    Denied,
}

/// What a write comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Write {
    Done,
    /// Nothing happens and nobody answers.
    LostBefore,
    /// It happens and nobody answers.
    LostAfter,
    /// Nobody answers, and it happens a minute and a half later.
    DoneLater,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Whose {
    Ours,
    Nobodys,
    Released,
    Others,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct KeyVault {
    pub tenant: String,
    pub sku: String,
    pub rbac: bool,
    /// Role definitions of UKO's service principal.
    pub roles: Vec<String>,
    pub permissions: Vec<String>,
    pub soft_delete: bool,
    pub public: String,
    pub state: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Net {
    pub exists: bool,
    pub delegated: bool,
    pub state: String,
    pub location: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Endpoint {
    pub whose: Whose,
    pub tags: BTreeMap<String, String>,
    pub state: String,
    pub status: String,
    pub manual: bool,
    pub subnet: String,
    pub address: Option<String>,
    pub fixed_address: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Connection {
    pub status: String,
    pub state: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Zone {
    Ours,
    /// Of others, for another zone.
    Other,
    /// Ours, for another zone.
    OursElsewhere,
    Updating,
}

impl Zone {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours | Self::OursElsewhere => "uko-operator",
            Self::Other | Self::Updating => "default",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Store {
    pub id: String,
    pub name: String,
    pub whose: Whose,
    pub description: String,
    pub groups: Vec<String>,
    pub vault_name: String,
    pub tls_proxy: Option<String>,
    pub client_id: String,
    pub etag: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Test {
    Passes,
    Fails,
    Names(String),
    Outage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kek {
    Healthy,
    Missing,
    SoftDeleted,
    Hidden,
    /// The same, and what nobody can tell is that it was deleted.
    HiddenDeleted,
    Disabled,
    Expired,
    WrongType,
    WrongOperations,
    WrongSize,
    /// UKO makes it when a keystore is registered.
    MadeByUko,
}

impl Default for KeyVault {
    fn default() -> Self {
        Self {
            tenant: TENANT.to_owned(),
            sku: "premium".to_owned(),
            rbac: false,
            roles: Vec::new(),
            permissions: UKO_KEY_PERMISSIONS.iter().map(ToString::to_string).collect(),
            soft_delete: true,
            public: "Enabled".to_owned(),
            state: "Succeeded".to_owned(),
        }
    }
}

impl Default for Net {
    fn default() -> Self {
        Self { exists: true, delegated: false, state: "Succeeded".to_owned(), location: "westeurope".to_owned() }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            whose: Whose::Ours,
            tags: BTreeMap::new(),
            state: "Succeeded".to_owned(),
            status: "Approved".to_owned(),
            manual: false,
            subnet: "private-endpoints".to_owned(),
            address: Some("10.1.0.4".to_owned()),
            fixed_address: None,
        }
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self { status: "Approved".to_owned(), state: "Succeeded".to_owned() }
    }
}

impl Default for Store {
    fn default() -> Self {
        Self {
            id: "88888888-8888-4888-8888-888888888888".to_owned(),
            name: "payments".to_owned(),
            whose: Whose::Ours,
            description: String::new(),
            groups: Vec::new(),
            vault_name: "payments-kv".to_owned(),
            tls_proxy: Some(ADDRESS.to_owned()),
            client_id: "33333333-3333-4333-8333-333333333333".to_owned(),
            etag: true,
        }
    }
}

/// Where the connector endpoint answers.
pub(super) const ADDRESS: &str = "c-01.private.eu-de.link.satellite.cloud.ibm.com:32768";

/// A `ConnectorEndpoint` that is Ready.
pub(super) fn connector_endpoint() -> serde_json::Value {
    json!({
        "metadata": {"name": "payments", "namespace": NAMESPACE, "generation": 1},
        "spec": {
            "connector": {"id": "U2F0"},
            "authentication": {"type": "APIKey", "apiKey": {"secretRef": {"name": "ibm-cloud"}}},
            "destination": {"host": "payments-kv.privatelink.vaultcore.azure.net", "port": 443},
        },
        "status": {
            "address": ADDRESS, "enabled": true, "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True", "reason": "EndpointReady", "message": "", "lastTransitionTime": "2027-01-15T08:00:00Z"}],
        },
    })
}

impl Default for World {
    /// Everything that others must make is there, and nothing of what the operator makes.
    fn default() -> Self {
        let one = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        Self {
            secrets: BTreeMap::from([
                ("payments-sp".to_owned(), one("clientSecret", "secret-of-uko")),
                ("azure-operator".to_owned(), one("clientSecret", "secret-of-the-operator")),
                ("ibm-cloud".to_owned(), one("apiKey", "key-of-ibm")),
            ]),
            policy: "rules: [{namespaces: [keys], ukoInstances: [66666666-6666-4666-8666-666666666666]}]".to_owned(),
            dark: BTreeMap::new(),
            writes: Vec::new(),
            vault: Some(KeyVault::default()),
            deleted_vault: false,
            object_id: Some(PRINCIPAL.to_owned()),
            subnet: Net::default(),
            neighbour: false,
            endpoint: None,
            connection: None,
            zone_group: None,
            record: None,
            linked: true,
            uko_vaults: vec![UKO_VAULT.to_owned()],
            keystores: Vec::new(),
            elsewhere: Vec::new(),
            later: Vec::new(),
            test: Test::Passes,
            kek: Kek::MadeByUko,
            kek_version: 1,
            kek_expires: None,
            kek_purgeable: false,
            kek_locked: false,
            connector_endpoint: Some(connector_endpoint()),
            health: None,
            heartbeat_age: 0,
            tells_contact: true,
            shows_proxy: true,
        }
    }
}

impl World {
    /// Everything is made and healthy.
    pub(super) fn settled() -> Self {
        Self {
            endpoint: Some(Endpoint {
                tags: BTreeMap::from([("team".to_owned(), "payments".to_owned())]),
                ..Endpoint::default()
            }),
            connection: Some(Connection::default()),
            zone_group: Some(Zone::Ours),
            record: Some(vec!["10.1.0.4".to_owned()]),
            keystores: vec![Store::default()],
            ..Self::default()
        }
    }

    pub(super) fn darken(&mut self, part: Part, trouble: Trouble) {
        self.dark.insert(part, trouble);
    }

    pub(super) fn secrets(&self) -> Secrets {
        let secret = |keys: &BTreeMap<String, String>| {
            let data = keys.iter().map(|(key, value)| (key.clone(), ByteString(value.clone().into_bytes())));
            Some(Secret { data: Some(data.collect()), ..Secret::default() })
        };
        Secrets::holding(NAMESPACE, self.secrets.iter().map(|(name, keys)| (name.clone(), Ok(secret(keys)))).collect())
    }

    pub(super) fn connector_endpoint(&self) -> Seen<ConnectorEndpoint> {
        self.read(Part::ConnectorEndpoint, || {
            self.connector_endpoint.clone().map(|mut value| {
                value["apiVersion"] = json!("uko-operator.io/v1alpha1");
                value["kind"] = json!("ConnectorEndpoint");
                serde_json::from_value(value).unwrap()
            })
        })
    }
}
