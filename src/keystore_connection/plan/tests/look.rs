//! What a look at the model sees.
//!
//! In: a [`World`] and what is wanted. Out: [`Observed`], in the order in which the operator asks. Never: a step.

use serde_json::json;

use super::world::{
    CLUSTER, Endpoint, Kek, KeyVault, PRINCIPAL, Part, SUBSCRIPTION, Store, TENANT, Trouble, UKO_VAULT, Whose, World,
    Zone,
};
use crate::{
    clouds::{
        azure::{
            ARecord, AccessPolicy, ArmId, ConnectionState, ConnectionStatus, DeletedKey, DeletedVault, DnsZoneGroup,
            IpConfiguration, Key, NetworkInterface, PrivateEndpoint, PrivateEndpointConnection, ProvisioningState,
            PublicAccess, RoleAssignment, Sku, Subnet, Vault, VirtualNetwork, VirtualNetworkLink, ZoneConfig,
        },
        http::Class,
        ibm::{
            ETag, Health, Keystore, KeystoreId, KeystoreStatus, UkoVault, UkoVaultId,
            uko::{AzureEnvironment, AzureVariant, KeystoreKind},
        },
    },
    keystore_connection::{
        OBJECT_TAG, OWNER_TAG,
        desired::Desired,
        observe::{Observed, Operation, costs_more, pick},
    },
    reconcile::{
        fault::Fault,
        ownership::{Mark, Owner},
        stage::Seen,
    },
};

impl World {
    /// What a look at `part` says.
    pub(super) fn read<T>(&self, part: Part, there: impl FnOnce() -> Option<T>) -> Seen<T> {
        match self.dark.get(&part) {
            Some(trouble) => Seen::Unknown(trouble.fault()),
            None => there().map_or(Seen::Absent, Seen::Present),
        }
    }

    /// The look itself, in the order in which the operator asks.
    pub(super) fn look(&self, want: &Desired, known: Option<&KeystoreId>, quick: bool, now: i64) -> Observed {
        let mut seen = Observed::default();
        if want.refused.is_some() {
            return seen;
        }
        if want.operator.is_ok() {
            self.azure(&mut seen, want, quick, now);
        }
        if want.login.is_ok() {
            self.uko(&mut seen, want, known, quick, now);
            if !quick && costs_more(&seen, want, known.is_some()) {
                let kinds = || self.elsewhere.iter().map(|kind| KeystoreKind::of(kind)).collect();
                seen.instance = self.read(Part::Instance, || Some(kinds()));
            }
        }
        seen
    }

    fn azure(&self, seen: &mut Observed, want: &Desired, quick: bool, now: i64) {
        seen.operator = self.read(Part::Operator, || Some(()));
        if want.service_principal.is_ok() {
            seen.service_principal = self.read(Part::ServicePrincipal, || Some(self.object_id.clone()));
        }
        seen.vault = self.read(Part::Vault, || self.vault.as_ref().map(|vault| self.key_vault(vault, want)));
        if matches!(seen.vault, Seen::Absent) {
            seen.deleted_vault = if self.deleted_vault { Seen::Present(DeletedVault::default()) } else { Seen::Absent };
        }
        if want.watches_kek() {
            self.keys(seen, now);
        }
        if quick {
            return;
        }
        self.private_endpoint(seen, want);
        if let (Some(vault), true) = (&self.vault, want.checks_permissions()) {
            let role = |role: &String| RoleAssignment {
                principal_id: None,
                role_definition_id: ArmId::parse(&format!("/subscriptions/{SUBSCRIPTION}/roleDefinitions/{role}")),
                scope: Some(format!("/subscriptions/{SUBSCRIPTION}")),
                conditional: false,
            };
            if vault.rbac && seen.vault.present().is_some() {
                seen.roles = self.read(Part::Roles, || Some(vault.roles.iter().map(role).collect()));
            }
        }
    }

    fn key_vault(&self, vault: &KeyVault, want: &Desired) -> Vault {
        let id = want.vault.arm_id().unwrap();
        let connection = self.connection.as_ref().zip(want.private_endpoint.as_ref()).map(|(connection, wanted)| {
            PrivateEndpointConnection {
                id: id.child("privateEndpointConnections", "c1").unwrap(),
                name: "c1".to_owned(),
                private_endpoint_id: Some(wanted.id.clone()),
                state: decision(&connection.status),
                provisioning_state: state(&connection.state),
            }
        });
        Vault {
            id,
            location: "westeurope".to_owned(),
            tenant_id: vault.tenant.clone(),
            sku: match vault.sku.as_str() {
                "premium" => Sku::Premium,
                "standard" => Sku::Standard,
                other => Sku::Other(other.to_owned()),
            },
            vault_uri: Some("https://payments-kv.vault.azure.net/".to_owned()),
            rbac: vault.rbac,
            access_policies: vec![AccessPolicy {
                tenant_id: TENANT.to_owned(),
                object_id: PRINCIPAL.to_owned(),
                application_id: None,
                keys: vault.permissions.clone(),
            }],
            soft_delete: vault.soft_delete,
            purge_protection: true,
            soft_delete_days: Some(90),
            public_network_access: match vault.public.as_str() {
                "Enabled" => PublicAccess::Enabled,
                "Disabled" => PublicAccess::Disabled,
                "SecuredByPerimeter" => PublicAccess::SecuredByPerimeter,
                other => PublicAccess::Other(other.to_owned()),
            },
            connections: connection.into_iter().collect(),
            provisioning_state: state(&vault.state),
        }
    }

    fn keys(&self, seen: &mut Observed, now: i64) {
        let key = |kek: Kek| Key {
            id: Some(format!("https://payments-kv.vault.azure.net/keys/EKMF-BYOK-KEK-FOR-IMPORT/{}", self.kek_version)),
            version: Some(self.kek_version.to_string()),
            kty: if kek == Kek::WrongType { "RSA" } else { "RSA-HSM" }.to_owned(),
            size_bits: Some(if kek == Kek::WrongSize { 1024 } else { 4096 }),
            ops: if kek == Kek::WrongOperations { vec!["wrapKey".to_owned()] } else { vec!["import".to_owned()] },
            enabled: kek != Kek::Disabled,
            expires: (kek == Kek::Expired).then_some(now).or(self.kek_expires),
            recovery_level: Some(if self.kek_purgeable { "Recoverable+Purgeable" } else { "Recoverable" }.to_owned()),
            ..Key::default()
        };
        let kek = if self.kek == Kek::MadeByUko && self.keystores.is_empty() { Kek::Missing } else { self.kek };
        let gone = matches!(kek, Kek::Missing | Kek::SoftDeleted | Kek::Hidden | Kek::HiddenDeleted);
        seen.key = self.read(Part::Key, || (!gone).then(|| key(kek)));
        if !matches!(seen.key, Seen::Absent) {
            return;
        }
        let dark = self.dark.get(&Part::DataKey);
        if matches!(kek, Kek::Hidden | Kek::HiddenDeleted) || dark.is_some() {
            let fault = match dark {
                Some(Trouble::Outage) => Fault::new(Class::Transient, "CloudUnavailable", ""),
                Some(Trouble::Forbidden | Trouble::Denied) | None => Fault::awaiting_person("VaultForbidden", ""),
            };
            (seen.data_key, seen.deleted_key) = (Seen::Unknown(fault.clone()), Seen::Unknown(fault));
        } else {
            seen.data_key = Seen::Absent;
            let deleted =
                DeletedKey { key: key(Kek::Healthy), deleted_at: Some(now), scheduled_purge_at: Some(now + 7_776_000) };
            seen.deleted_key = if kek == Kek::SoftDeleted { Seen::Present(deleted) } else { Seen::Absent };
        }
    }

    fn private_endpoint(&self, seen: &mut Observed, want: &Desired) {
        let Some(wanted) = &want.private_endpoint else { return };
        seen.operation = Operation::None;
        seen.endpoint = self.read(Part::Endpoint, || self.endpoint.as_ref().map(|have| as_read(have, want)));
        let network_id = wanted.network.clone();
        match &seen.endpoint {
            Seen::Absent => {
                seen.subnet = self.read(Part::Subnet, || {
                    self.subnet.exists.then(|| Subnet {
                        id: wanted.subnet.clone(),
                        provisioning_state: state(&self.subnet.state),
                        prefixes: vec!["10.1.0.0/24".to_owned()],
                        delegations: if self.subnet.delegated { vec!["Microsoft.Sql".to_owned()] } else { Vec::new() },
                        private_endpoint_network_policies: None,
                        private_endpoint_ids: Vec::new(),
                    })
                });
                seen.network = self.read(Part::Network, || {
                    Some(VirtualNetwork {
                        id: network_id,
                        location: self.subnet.location.clone(),
                        provisioning_state: ProvisioningState::Succeeded,
                        dns_servers: Vec::new(),
                    })
                });
                let other = || {
                    let mut other = as_read(&Endpoint::default(), want);
                    other.name = "other-pe".to_owned();
                    other
                };
                seen.neighbours =
                    self.read(Part::Neighbours, || Some(self.neighbour.then(other).into_iter().collect()));
            }
            Seen::Present(_) => self.around(seen, want),
            Seen::Unknown(_) | Seen::NotLooked => {}
        }
    }

    fn around(&self, seen: &mut Observed, want: &Desired) {
        let wanted = want.private_endpoint.as_ref().unwrap();
        let id = |kind: &str, name: &str| {
            ArmId::of(SUBSCRIPTION, "rg-network", &format!("Microsoft.Network/{kind}"), name).unwrap()
        };
        let address = self.endpoint.as_ref().and_then(|have| have.address.clone());
        seen.interface = self.read(Part::Interface, || {
            Some(NetworkInterface {
                id: id("networkInterfaces", "nic"),
                provisioning_state: ProvisioningState::Succeeded,
                private_endpoint_id: Some(wanted.id.clone()),
                ip_configurations: vec![IpConfiguration {
                    private_ip_address: address,
                    primary: true,
                    group_id: None,
                    member: None,
                }],
            })
        });
        let zone_id = wanted.zone.clone().unwrap_or_else(|| id("privateDnsZones", "privatelink.vaultcore.azure.net"));
        seen.zone_groups = self.read(Part::ZoneGroups, || {
            Some(
                self.zone_group
                    .iter()
                    .map(|zone| DnsZoneGroup {
                        id: wanted.id.child("privateDnsZoneGroups", zone.name()).unwrap(),
                        name: zone.name().to_owned(),
                        provisioning_state: state(if *zone == Zone::Updating { "Updating" } else { "Succeeded" }),
                        zones: vec![ZoneConfig {
                            zone_id: Some(if matches!(zone, Zone::Other | Zone::OursElsewhere) {
                                id("privateDnsZones", "elsewhere")
                            } else {
                                zone_id.clone()
                            }),
                            ..ZoneConfig::default()
                        }],
                    })
                    .collect(),
            )
        });
        if wanted.zone.is_none() && self.zone_group.is_none() {
            return;
        }
        seen.record = self.read(Part::Record, || {
            self.record.clone().map(|addresses| ARecord {
                id: zone_id.child("A", "payments-kv").unwrap(),
                fqdn: None,
                addresses,
            })
        });
        seen.links = self.read(Part::Links, || {
            Some(
                self.linked
                    .then(|| VirtualNetworkLink {
                        id: zone_id.child("virtualNetworkLinks", "l").unwrap(),
                        virtual_network_id: Some(wanted.network.clone()),
                        provisioning_state: ProvisioningState::Succeeded,
                        link_state: Some("Completed".to_owned()),
                        resolution_policy: None,
                    })
                    .into_iter()
                    .collect(),
            )
        });
    }

    fn uko(&self, seen: &mut Observed, want: &Desired, known: Option<&KeystoreId>, quick: bool, now: i64) {
        let keystore = |id: &str| self.keystores.iter().find(|store| store.id == id);
        let one = |seen: &mut Observed, id: &str| {
            seen.keystore =
                self.read(Part::Keystore, || keystore(id).map(|store| store.as_read(want, self.shows_proxy)));
            if seen.keystore.present().is_some() {
                seen.health = self.read(Part::Health, || Some(self.health(now)));
            }
        };
        if let Some(trouble) = self.dark.get(&Part::UkoLogin) {
            seen.login = Seen::Unknown(trouble.fault());
            return;
        }
        if !quick {
            seen.login = Seen::Present(());
            let vault = |id: &String| UkoVault {
                id: UkoVaultId::new(id.clone()),
                name: "payments".to_owned(),
                description: String::new(),
                keystores: None,
                etag: None,
            };
            seen.uko_vaults = self.read(Part::UkoVaults, || Some(self.uko_vaults.iter().map(vault).collect()));
        }
        if let Some(known) = known {
            one(seen, known.as_str());
        }
        let searched = !quick && matches!(seen.keystore, Seen::Absent | Seen::NotLooked);
        if !searched || seen.uko_vaults.present().is_none_or(|vaults| vaults.len() != 1) {
            return;
        }
        seen.keystores = self.read(Part::Keystores, || {
            Some(self.keystores.iter().map(|store| store.as_read(want, self.shows_proxy)).collect())
        });
        match &seen.keystores {
            Seen::Unknown(fault) => seen.keystore = Seen::Unknown(fault.clone()),
            Seen::Present(all) => match pick(all, want).map(|found| found.id.clone()) {
                Some(id) => one(seen, id.as_str()),
                None => seen.keystore = Seen::Absent,
            },
            Seen::Absent | Seen::NotLooked => {}
        }
    }

    fn health(&self, now: i64) -> KeystoreStatus {
        let way = self.vault.as_ref().is_some_and(|vault| vault.public != "Disabled")
            || self.connection.as_ref().is_some_and(|connection| connection.status == "Approved");
        let word = self.health.as_deref().unwrap_or(if way { "ok" } else { "not_responding" });
        let at = now - self.heartbeat_age;
        KeystoreStatus { health: Health::of(word), last_heartbeat: (word == "ok" && self.tells_contact).then_some(at) }
    }
}

impl Trouble {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Outage => {
                Fault::new(Class::Transient, "CloudUnavailable", "The cloud did not answer; this is retried.")
            }
            Self::Forbidden => Fault::awaiting_person("RoleMissing", "A role is missing. Grant it."),
            Self::Denied => Fault::new(
                Class::Denied,
                "CredentialsRefused",
                "The credential was refused. Put a valid one into the Secret.",
            ),
        }
    }
}

impl Store {
    fn as_read(&self, want: &Desired, shows_proxy: bool) -> Keystore {
        let text = &self.description;
        let other = other();
        Keystore {
            id: KeystoreId::new(self.id.clone()),
            vault_id: Some(UkoVaultId::new(UKO_VAULT)),
            kind: KeystoreKind::AzureKeyVault,
            name: self.name.clone(),
            description: match self.whose {
                Whose::Ours => want.owner.marked(text),
                Whose::Nobodys => text.clone(),
                Whose::Released => format!("{text}\nuko-operator:released keys/payments"),
                Whose::Others => other.marked(text),
            },
            groups: self.groups.clone(),
            tls_proxy: self.tls_proxy.clone().filter(|_| shows_proxy),
            azure_service_name: Some(self.vault_name.clone()),
            azure_resource_group: Some("rg-keys".to_owned()),
            azure_location: None,
            azure_service_principal_client_id: Some(self.client_id.clone()),
            azure_tenant: Some(TENANT.to_owned()),
            azure_subscription_id: Some(SUBSCRIPTION.to_owned()),
            azure_environment: Some(AzureEnvironment::Azure),
            azure_variant: Some(AzureVariant::Premium),
            status: None,
            etag: self.etag.then(|| ETag::new("v1")),
        }
    }
}

/// Whose the things of [`Whose::Others`] are.
pub(super) fn other() -> Owner {
    Owner::new(CLUSTER, "AzureKeystoreConnection", "elsewhere", "thing")
}

/// The endpoint as a GET shows it.
pub(super) fn as_read(have: &Endpoint, want: &Desired) -> PrivateEndpoint {
    let wanted = want.private_endpoint.as_ref().unwrap();
    let mut tags = have.tags.clone();
    let mark = match have.whose {
        Whose::Ours => Mark::Of(want.owner.hash.clone(), want.owner.object.clone()),
        Whose::Nobodys => Mark::None,
        Whose::Released => Mark::Released(String::new()),
        Whose::Others => Mark::Of(other().hash, other().object),
    };
    match mark {
        Mark::None => {}
        Mark::Released(_) => {
            tags.insert(OWNER_TAG.to_owned(), "released".to_owned());
        }
        Mark::Of(hash, object) => {
            tags.insert(OWNER_TAG.to_owned(), hash);
            tags.insert(OBJECT_TAG.to_owned(), object);
        }
    }
    PrivateEndpoint {
        id: wanted.id.clone(),
        name: wanted.id.last_segment().to_owned(),
        location: "westeurope".to_owned(),
        tags,
        provisioning_state: state(&have.state),
        subnet_id: wanted.network.child("subnets", &have.subnet),
        target_id: want.vault.arm_id(),
        group_ids: vec!["vault".to_owned()],
        connection_name: None,
        manual: have.manual,
        connection: decision(&have.status),
        nic_id: None,
        nic_name: None,
        static_ip: have.fixed_address.clone(),
        raw: serde_json::Value::Null,
    }
}

pub(super) fn decision(word: &str) -> ConnectionState {
    let status = match word {
        "Pending" => ConnectionStatus::Pending,
        "Approved" => ConnectionStatus::Approved,
        "Rejected" => ConnectionStatus::Rejected,
        "Disconnected" => ConnectionStatus::Disconnected,
        other => ConnectionStatus::Other(other.to_owned()),
    };
    ConnectionState { status, description: None, actions_required: None }
}

fn state(word: &str) -> ProvisioningState {
    ProvisioningState::read(&json!({ "state": word }), "/state")
}
