//! Turns a spec and what it names into what is wanted, with every default filled in.
//!
//! In: the object, [`Found`] and the policy. Out: [`Desired`]. Never: reads anything; a missing Secret is a fact, not an end.

mod identity;

use std::collections::BTreeMap;

pub(super) use self::identity::{Login, Target};
use super::resolve::{Found, uko_of};
use crate::{
    api::v1alpha1::{
        self as api, Approval, AzureKeystoreConnection, AzureKeystoreConnectionSpec, ConnectionTestPolicy,
        ConnectorEndpoint, DriftPolicy, KeyEncryptionKeyPolicy, KeyPermissions, Mode, UkoSpec, Variant,
    },
    clouds::{
        azure::{ArmId, Credential, VaultId},
        hosts::AzureCloud,
        ibm::{
            Keystore, KeystoreDraft, UkoVaultId,
            uko::{AzureEnvironment, AzureVariant, KeystoreKind, Password},
        },
    },
    reconcile::{
        fault::Fault,
        ownership::{Adoption, Owner},
        policy_file::Policy,
        prices::Prices,
        stage::Seen,
        wake::Key,
    },
};

/// Azure's own default for such keys \[S\]; IBM does not publish the size that UKO uses.
const KEK_SIZE_BITS: u32 = 4096;

/// What is wanted.
pub(super) struct Desired {
    /// Who we are outside.
    pub owner: Owner,
    /// Something that only spec or policy can mend; nothing is done while it stands.
    pub refused: Option<Fault>,
    /// Which Azure.
    pub cloud: AzureCloud,
    /// The Key Vault.
    pub vault: VaultId,
    /// Its tenant.
    pub tenant_id: String,
    /// The identity that UKO uses.
    pub service_principal: Result<Credential, Fault>,
    /// Its password, as UKO gets it.
    pub password: Result<Password, Fault>,
    /// Its Secret.
    pub password_secret: String,
    /// Its client id.
    pub client_id: String,
    /// Its object id, if the spec says so.
    pub object_id: Option<String>,
    /// The operator's own identity.
    pub operator: Result<Credential, Fault>,
    /// The UKO and who signs in.
    pub login: Result<Login, Fault>,
    /// What to do about key permissions.
    pub key_permissions: KeyPermissions,
    /// Whether the public address is to be closed.
    pub close_public_access: bool,
    /// The private endpoint, if it is ours to make.
    pub private_endpoint: Option<PrivateEndpointWanted>,
    /// How UKO gets to it.
    pub path: Path,
    /// The UKO vault.
    pub uko_vault: UkoVaultWanted,
    /// The keystore.
    pub keystore: KeystoreWanted,
    /// How many keystores the policy file lets this namespace have there, and how many it has; none is no limit.
    pub keystores_allowed: Option<(u32, Seen<u32>)>,
    /// Where there is a limit: one object at a time may use up what is left of it.
    pub keystores_lock: Option<String>,
    /// What a keystore costs there, if anybody knows.
    pub prices: Option<Prices>,
    /// What a failed test means.
    pub connection_test: ConnectionTestPolicy,
    /// What to do about the key-encryption key.
    pub kek: KeyEncryptionKeyPolicy,
    /// How large one is that must be made again.
    pub kek_size_bits: u32,
    /// What may be taken that does not carry our mark.
    pub adoption: Adoption,
    /// Whether differences are set back.
    pub drift: DriftPolicy,
    /// Manage or plan.
    pub mode: Mode,
}

/// A private endpoint as asked for.
pub(super) struct PrivateEndpointWanted {
    /// Its id.
    pub id: ArmId,
    /// Its subnet.
    pub subnet: ArmId,
    /// Its virtual network.
    pub network: ArmId,
    /// Its region, if the spec says so.
    pub location: Option<String>,
    /// Name of its network interface.
    pub network_interface_name: Option<String>,
    /// Its static address.
    pub address: Option<String>,
    /// The DNS zone of its group.
    pub zone: Option<ArmId>,
    /// The message to the approver; none asks for automatic approval.
    pub manual_request: Option<String>,
    /// Tags, marks among them.
    pub tags: BTreeMap<String, String>,
}

/// How UKO gets to the Key Vault.
#[expect(clippy::large_enum_variant, reason = "one a pass")]
pub(super) enum Path {
    /// On its public address, or straight through the customer's network.
    Direct,
    /// Through a forwarder that others manage.
    External(String),
    /// Through a `ConnectorEndpoint`.
    Connector {
        /// Its name.
        name: String,
        /// What was found.
        found: Seen<ConnectorEndpoint>,
    },
}

/// Which UKO vault.
pub(super) enum UkoVaultWanted {
    /// By id.
    Id(UkoVaultId),
    /// By exact name.
    Named {
        /// The name.
        name: String,
        /// Make it when there is none.
        create: bool,
    },
}

/// The keystore as asked for.
pub(super) struct KeystoreWanted {
    /// Its name when it is made.
    pub name: String,
    /// The name is the user's own choice and is kept.
    pub name_managed: bool,
    /// The user's description.
    pub description: Option<String>,
    /// Its groups.
    pub groups: Option<Vec<String>>,
    /// Its tier.
    pub variant: Variant,
    /// UKO's name of the region.
    pub location: Option<String>,
}

impl Desired {
    /// Never fails: what cannot be used is a fault where it is needed.
    pub(super) fn parse(
        object: &AzureKeystoreConnection,
        key: &Key,
        cluster_id: &str,
        found: Found,
        policy: &Policy,
    ) -> Self {
        let spec = &object.spec;
        let azure = &spec.azure;
        let owner = Owner::new(cluster_id, "AzureKeystoreConnection", &key.0, &key.1);
        let secrets = &found.secrets;
        let password = secrets.value(
            "spec.azure.servicePrincipal.passwordSecretRef",
            &azure.service_principal.password_secret_ref,
            "clientSecret",
        );
        let operator = identity::operator(azure, secrets);
        let login = identity::login(&spec.uko, secrets);
        let keystores_allowed = identity::keystores_allowed(&spec.uko, &key.0, policy);
        Self {
            refused: identity::refusal(spec, &key.0, policy).or_else(|| identity::unsupported(&operator, &login)),
            cloud: cloud(azure.cloud),
            vault: VaultId {
                subscription_id: azure.subscription_id.to_string(),
                resource_group: azure.resource_group.to_string(),
                name: azure.vault_name.to_string(),
            },
            tenant_id: azure.tenant_id.to_string(),
            service_principal: password
                .clone()
                .map(|secret| identity::with_secret(azure, &azure.service_principal.client_id, secret)),
            password: password.map(Password::from),
            password_secret: azure.service_principal.password_secret_ref.name.to_string(),
            client_id: azure.service_principal.client_id.to_string(),
            object_id: azure.service_principal.object_id.as_ref().map(ToString::to_string),
            operator,
            login,
            key_permissions: azure.key_permissions.unwrap_or_default(),
            close_public_access: azure.public_network_access.is_some(),
            private_endpoint: spec.private_endpoint.as_ref().and_then(|wanted| private_endpoint(wanted, &owner)),
            path: path(spec, found.endpoint),
            uko_vault: uko_vault(spec),
            keystore: KeystoreWanted {
                name: spec.keystore.name.as_deref().unwrap_or(&key.1).to_owned(),
                name_managed: spec.keystore.name.is_some(),
                description: spec.keystore.description.as_deref().map(str::to_owned),
                groups: spec.keystore.groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect()),
                variant: spec.keystore.variant,
                location: spec.keystore.location.as_deref().map(str::to_owned),
            },
            keystores_allowed: keystores_allowed.map(|most| (most, found.keystores)),
            keystores_lock: keystores_allowed.and(uko_of(&spec.uko)).map(|uko| format!("keystores/{uko}/{}", key.0)),
            prices: None,
            connection_test: spec.connection_test.unwrap_or_default(),
            kek: spec.key_encryption_key.as_ref().and_then(|kek| kek.policy).unwrap_or_default(),
            kek_size_bits: spec.key_encryption_key.as_ref().and_then(|kek| kek.key_size_bits).unwrap_or(KEK_SIZE_BITS),
            adoption: Adoption::of(
                spec.adoption_policy,
                object.metadata.annotations.as_ref(),
                object.status.as_ref().and_then(|status| status.last_handled_take_over.as_deref()),
            ),
            drift: spec.drift_policy.unwrap_or_default(),
            mode: spec.mode.unwrap_or_default(),
            owner,
        }
    }

    /// With what a keystore costs there. IBM sells them by the instance; a server of one's own has no list of prices.
    pub(super) fn priced(self, uko: &UkoSpec, prices: &Prices) -> Self {
        Self { prices: uko.hpcs.is_some().then(|| prices.clone()), ..self }
    }

    /// Whether the policy file lets no further keystore be made.
    pub(super) fn is_at_its_limit(&self) -> bool {
        matches!(&self.keystores_allowed, Some((most, Seen::Present(count))) if count >= most)
    }

    /// The keystore as it would be registered: also what a connection test sends.
    pub(super) fn draft(&self, vault_id: &UkoVaultId, tls_proxy: Option<String>) -> Result<KeystoreDraft, Fault> {
        Ok(KeystoreDraft {
            vault_id: vault_id.clone(),
            name: self.keystore.name.clone(),
            description: self.owner.marked(self.keystore.description.as_deref().unwrap_or_default()),
            groups: self.keystore.groups.clone(),
            tls_proxy,
            azure_service_name: self.vault.name.clone(),
            azure_resource_group: self.vault.resource_group.clone(),
            azure_location: self.keystore.location.clone(),
            azure_service_principal_client_id: self.client_id.clone(),
            azure_service_principal_password: self.password.clone()?,
            azure_tenant: self.tenant_id.clone(),
            azure_subscription_id: self.vault.subscription_id.clone(),
            azure_environment: AzureEnvironment::of(self.cloud.uko_environment()),
            azure_variant: self.variant(),
        })
    }

    /// Whether a keystore is for the Key Vault of the spec, whoever made it. None: the answer lacks what would tell.
    pub(super) fn for_key_vault(&self, keystore: &Keystore) -> Option<bool> {
        let same = |have: &Option<String>, want: &str| have.as_deref().map(|have| have.eq_ignore_ascii_case(want));
        let facts = [
            // No type is no other type: Azure's members tell then.
            Some(keystore.kind == KeystoreKind::AzureKeyVault || keystore.kind.as_str().is_empty()),
            same(&keystore.azure_service_name, &self.vault.name),
            // The name of a Key Vault is its own in all of Azure: without the subscription it tells as well.
            same(&keystore.azure_subscription_id, &self.vault.subscription_id).or(Some(true)),
        ];
        if facts.contains(&Some(false)) { Some(false) } else { facts.iter().all(Option::is_some).then_some(true) }
    }

    /// Whether it certainly is.
    pub(super) fn is_for_key_vault(&self, keystore: &Keystore) -> bool {
        self.for_key_vault(keystore) == Some(true)
    }

    /// Whether anyone looks at the key-encryption key.
    pub(super) fn watches_kek(&self) -> bool {
        self.kek != KeyEncryptionKeyPolicy::Ignore && self.keystore.variant == Variant::Premium
    }

    /// Whether anyone looks at key permissions.
    pub(super) fn checks_permissions(&self) -> bool {
        self.key_permissions != KeyPermissions::Trust
    }

    /// The tier in UKO's words.
    pub(super) fn variant(&self) -> AzureVariant {
        match self.keystore.variant {
            Variant::Premium => AzureVariant::Premium,
            Variant::Standard => AzureVariant::Standard,
        }
    }
}

fn cloud(cloud: api::AzureCloud) -> AzureCloud {
    match cloud {
        api::AzureCloud::AzurePublic => AzureCloud::Public,
        api::AzureCloud::AzureChina => AzureCloud::China,
        api::AzureCloud::AzureUSGovernment => AzureCloud::UsGovernment,
    }
}

/// None only if the ids do not parse, which the CRD's patterns exclude.
fn private_endpoint(wanted: &api::PrivateEndpointSpec, owner: &Owner) -> Option<PrivateEndpointWanted> {
    let subnet = ArmId::parse(&wanted.subnet_id)?;
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in wanted.tags.iter().flatten() {
        // Azure knows one of two names that differ in case only; setting both would never end.
        if !tags.keys().any(|other| other.eq_ignore_ascii_case(name)) {
            tags.insert(name.clone(), value.0.clone());
        }
    }
    tags.insert(super::OWNER_TAG.to_owned(), owner.hash.clone());
    tags.insert(super::OBJECT_TAG.to_owned(), owner.object.clone());
    let message = wanted.request_message.as_deref().unwrap_or("Requested by uko-operator");
    Some(PrivateEndpointWanted {
        id: ArmId::of(
            subnet.subscription(),
            &wanted.resource_group,
            "Microsoft.Network/privateEndpoints",
            &wanted.name,
        )?,
        network: subnet.parent()?,
        subnet,
        location: wanted.location.as_deref().map(str::to_owned),
        network_interface_name: wanted.network_interface_name.as_deref().map(str::to_owned),
        address: wanted.private_ip_address.as_deref().map(str::to_owned),
        zone: wanted.private_dns_zone_id.as_deref().and_then(ArmId::parse),
        manual_request: (wanted.approval.unwrap_or_default() == Approval::Manual).then(|| message.to_owned()),
        tags,
    })
}

fn path(spec: &AzureKeystoreConnectionSpec, found: Seen<ConnectorEndpoint>) -> Path {
    match (&spec.connector_endpoint_ref, &spec.tls_proxy) {
        (Some(reference), _) => Path::Connector { name: reference.name.to_string(), found },
        (None, Some(proxy)) => Path::External(proxy.to_string()),
        (None, None) => Path::Direct,
    }
}

fn uko_vault(spec: &AzureKeystoreConnectionSpec) -> UkoVaultWanted {
    let vault = &spec.uko.vault;
    match (&vault.id, &vault.name) {
        (None, Some(name)) => {
            UkoVaultWanted::Named { name: name.to_string(), create: vault.create.unwrap_or_default() }
        }
        (id, _) => UkoVaultWanted::Id(UkoVaultId::new(id.as_deref().unwrap_or_default())),
    }
}
