//! The world at the start, and `seed.json`, which tells a test what is in it.
//!
//! In: nothing. Out: a [`World`] with one estate per Azure cloud. Never: randomness; the same names every time.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::azure::cloud;
use crate::azure::facts::UKO_PERMISSIONS;
use crate::azure::state::{
    AccessPolicy, Application, Azure, ClientSecret, Cloud, FederatedCredential, NetworkAcls, Permissions,
    PrivateDnsZone, ResourceGroup, RoleAssignment, Subnet, Subscription, Tenant, Vault, VirtualNetwork,
    VirtualNetworkLink,
};
use crate::ibm;
use crate::state::World;

const OWNER: &str = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635";

/// The world at the start.
#[must_use]
pub fn world() -> World {
    let mut azure = Azure::default();
    for estate in ESTATES {
        estate.build(&mut azure);
    }
    World { azure, ibm: ibm::state::Ibm::seed(), ..World::default() }
}

/// What `seed.json` says. The core adds the self-managed UKO's certificates.
#[must_use]
pub fn json(world: &World) -> Value {
    let [public, china, government] = ESTATES;
    json!({
        "azure": public.json(),
        "azureChina": china.json(),
        "azureUSGovernment": government.json(),
        "ibm": with_flat_names(ibm::seed_json(world)),
    })
}

/// The names that the box's contract gives the self-managed UKO's credentials, beside IBM's nested ones.
fn with_flat_names(mut ibm: Value) -> Value {
    let Some(own) = ibm.pointer_mut("/uko/selfManaged").and_then(Value::as_object_mut) else {
        return ibm;
    };
    let at = |own: &serde_json::Map<String, Value>, group: &str, name: &str| {
        own.get(group).and_then(|group| group.get(name)).cloned()
    };
    for (flat, group, name) in [
        ("username", "oidc", "username"),
        ("password", "oidc", "password"),
        ("userId", "passcode", "userId"),
        ("passcode", "passcode", "passcode"),
    ] {
        if let Some(value) = at(own, group, name) {
            own.insert(flat.into(), value);
        }
    }
    ibm
}

/// What one cloud holds at the start; `digit` tells the clouds' ids apart.
struct Estate {
    cloud: Cloud,
    digit: u8,
    prefix: &'static str,
    location: &'static str,
}

const ESTATES: [Estate; 3] = [
    Estate { cloud: Cloud::AzurePublic, digit: 1, prefix: "payments", location: "westeurope" },
    Estate { cloud: Cloud::AzureChina, digit: 2, prefix: "payments-cn", location: "chinanorth3" },
    Estate { cloud: Cloud::AzureUSGovernment, digit: 3, prefix: "payments-gov", location: "usgovvirginia" },
];

impl Estate {
    fn guid(&self, kind: u16) -> String {
        format!("{digit}0000000-0000-4000-8000-00000000{kind:04}", digit = self.digit)
    }
    fn tenant(&self) -> String {
        self.guid(1)
    }
    fn subscription(&self) -> String {
        self.guid(2)
    }
    fn group(&self, name: &str) -> String {
        format!("/subscriptions/{}/resourceGroups/{name}", self.subscription())
    }
    fn vnet_id(&self) -> String {
        format!("{}/providers/Microsoft.Network/virtualNetworks/vnet-keys", self.group("rg-network"))
    }
    fn zone_id(&self) -> String {
        let zone = cloud::names(self.cloud).vault_zone;
        format!("{}/providers/Microsoft.Network/privateDnsZones/{zone}", self.group("rg-network"))
    }
    fn vault_name(&self, sku: &str) -> String {
        if sku == "premium" { format!("{}-kv", self.prefix) } else { format!("{}-std-kv", self.prefix) }
    }
    fn vault_id(&self, sku: &str) -> String {
        format!("{}/providers/Microsoft.KeyVault/vaults/{}", self.group("rg-keys"), self.vault_name(sku))
    }
    fn secret(&self, of: &str) -> String {
        format!("bX{}8Q~{of}-secret.a_B+c/d=e~f{}", self.digit, self.digit)
    }

    fn build(&self, azure: &mut Azure) {
        azure.tenants.insert(self.tenant(), self.entra());
        azure.subscriptions.insert(
            self.subscription(),
            Subscription {
                tenant_id: self.tenant(),
                display_name: format!("{} keys", self.prefix),
                state: "Enabled".into(),
                registered_providers: vec!["Microsoft.KeyVault".into(), "Microsoft.Network".into()],
            },
        );
        for name in ["rg-keys", "rg-network"] {
            let group =
                ResourceGroup { id: self.group(name), location: self.location.into(), ..ResourceGroup::default() };
            azure.resource_groups.insert(group.id.to_lowercase(), group);
        }
        azure.role_assignments.insert(
            self.guid(90),
            RoleAssignment {
                scope: format!("/subscriptions/{}", self.subscription()),
                principal_id: self.guid(11),
                principal_type: "ServicePrincipal".into(),
                role: OWNER.into(),
                ..RoleAssignment::default()
            },
        );
        for sku in ["premium", "standard"] {
            azure.vaults.insert(self.vault_name(sku), self.vault(sku));
        }
        azure.virtual_networks.insert(self.vnet_id().to_lowercase(), self.network());
        azure.private_dns_zones.insert(self.zone_id().to_lowercase(), self.zone());
    }

    fn entra(&self) -> Tenant {
        let application = |kind: u16, name: &str| Application {
            object_id: self.guid(kind + 1),
            display_name: name.into(),
            secrets: BTreeMap::from([(
                "first".into(),
                ClientSecret { value: self.secret(name), ..ClientSecret::default() },
            )]),
            ..Application::default()
        };
        let mut operator = application(10, "operator");
        operator.managed_identity = true;
        operator.federated.insert(
            "cluster".into(),
            FederatedCredential {
                issuer: "https://kubernetes.default.svc".into(),
                subject: "system:serviceaccount:uko-operator:uko-operator".into(),
                audience: cloud::names(self.cloud).federated_audience.into(),
            },
        );
        Tenant {
            cloud: self.cloud,
            domain: format!("{}.onmicrosoft.com", self.prefix),
            applications: BTreeMap::from([
                (self.guid(10), operator),
                (self.guid(20), application(20, "service-principal")),
            ]),
        }
    }

    fn vault(&self, sku: &str) -> Vault {
        let policy = |object_id: String, words: &[&str]| AccessPolicy {
            tenant_id: self.tenant(),
            object_id,
            application_id: None,
            permissions: Permissions {
                keys: Some(words.iter().map(|word| (*word).to_owned()).collect()),
                secrets: Some(Vec::new()),
                certificates: Some(Vec::new()),
                storage: None,
            },
        };
        Vault {
            id: self.vault_id(sku),
            name: self.vault_name(sku),
            cloud: self.cloud,
            location: self.location.into(),
            sku: sku.into(),
            tenant_id: self.tenant(),
            access_policies: vec![policy(self.guid(11), &["all"]), policy(self.guid(21), &UKO_PERMISSIONS)],
            enable_rbac_authorization: Some(false),
            enable_soft_delete: Some(true),
            soft_delete_retention_in_days: Some(90),
            network_acls: Some(NetworkAcls {
                bypass: "AzureServices".into(),
                default_action: "Allow".into(),
                ..NetworkAcls::default()
            }),
            public_network_access: "Enabled".into(),
            provisioning_state: "Succeeded".into(),
            ..Vault::default()
        }
    }

    fn network(&self) -> VirtualNetwork {
        let subnet = Subnet {
            address_prefix: "10.0.0.0/24".into(),
            private_endpoint_network_policies: "Disabled".into(),
            provisioning_state: "Succeeded".into(),
            etag: self.guid(81),
            ..Subnet::default()
        };
        VirtualNetwork {
            id: self.vnet_id(),
            location: self.location.into(),
            address_prefixes: vec!["10.0.0.0/16".into()],
            provisioning_state: "Succeeded".into(),
            subnets: BTreeMap::from([("private-endpoints".into(), subnet)]),
            etag: self.guid(80),
            ..VirtualNetwork::default()
        }
    }

    fn zone(&self) -> PrivateDnsZone {
        let link = VirtualNetworkLink {
            virtual_network: self.vnet_id(),
            state: "Completed".into(),
            etag: self.guid(83),
            ..VirtualNetworkLink::default()
        };
        PrivateDnsZone {
            id: self.zone_id(),
            links: BTreeMap::from([("vnet-keys".into(), link)]),
            etag: self.guid(82),
            ..PrivateDnsZone::default()
        }
    }

    fn json(&self) -> Value {
        let names = cloud::names(self.cloud);
        let vault = |sku: &str| json!({"name": self.vault_name(sku), "id": self.vault_id(sku), "uri": names.vault_uri(&self.vault_name(sku)), "sku": sku});
        json!({
            "cloud": self.cloud,
            "tenantId": self.tenant(),
            "subscriptionId": self.subscription(),
            "location": self.location,
            "resourceGroup": "rg-keys",
            "networkResourceGroup": "rg-network",
            "vnetId": self.vnet_id(),
            "subnetId": format!("{}/subnets/private-endpoints", self.vnet_id()),
            "privateDnsZoneName": names.vault_zone,
            "privateDnsZoneId": self.zone_id(),
            "operator": {"clientId": self.guid(10), "objectId": self.guid(11), "clientSecret": self.secret("operator")},
            "servicePrincipal": {"clientId": self.guid(20), "objectId": self.guid(21), "clientSecret": self.secret("service-principal")},
            "vaults": {"premium": vault("premium"), "standard": vault("standard")},
        })
    }
}
