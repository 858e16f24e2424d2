//! The writes that an `AzureKeystoreConnection` can need.
//!
//! In: ids and drafts. Out: a step that can be put into words. Never: sends anything.

use std::collections::BTreeMap;

use crate::{
    api::v1alpha1::{EstimatedCost, KekState, PlanAction, PlannedStep},
    clouds::{
        azure::{ArmId, PrivateEndpoint, PrivateEndpointDraft},
        ibm::{KeystoreChange, KeystoreDraft, KeystoreHandle, UkoVaultId},
    },
    keystore_connection::observe::KEK_NAME,
    reconcile::stage::Describe,
};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Add key permissions to the access policy.
    GrantKeyPermissions {
        /// Of whom.
        object_id: String,
        /// Exactly what is missing.
        permissions: Vec<&'static str>,
    },
    /// Make the private endpoint.
    CreatePrivateEndpoint {
        /// Its id.
        id: ArmId,
        /// As asked for.
        draft: PrivateEndpointDraft,
    },
    /// Set tags on it; adoption is this too.
    TagPrivateEndpoint {
        /// As it was read.
        endpoint: PrivateEndpoint,
        /// All tags it shall have.
        tags: BTreeMap<String, String>,
        /// It was nobody's before.
        adopt: bool,
    },
    /// Ask again for an endpoint that Azure could not finish.
    RetryPrivateEndpoint {
        /// As it was read.
        endpoint: PrivateEndpoint,
    },
    /// Delete it, because a person asked for a new one.
    RemovePrivateEndpoint {
        /// As it was read.
        endpoint: PrivateEndpoint,
    },
    /// Approve our own connection on the vault's side.
    ApproveConnection {
        /// Its name there.
        name: String,
    },
    /// Make the DNS zone group.
    CreateDnsZoneGroup {
        /// Of which endpoint.
        endpoint: ArmId,
        /// With which zone.
        zone: ArmId,
    },
    /// Delete our own DNS zone group, which is for another zone.
    RemoveDnsZoneGroup {
        /// Which.
        group: ArmId,
    },
    /// Make the UKO vault.
    CreateUkoVault {
        /// Its name.
        name: String,
        /// Our mark.
        description: String,
    },
    /// Let UKO try the connection without keeping anything.
    TestConnection(KeystoreDraft),
    /// Register the keystore, at this cost.
    CreateKeystore(KeystoreDraft, Option<EstimatedCost>),
    /// Put our mark on an unowned keystore.
    AdoptKeystore {
        /// In which vault.
        vault: UkoVaultId,
        /// Which, at which version.
        handle: KeystoreHandle,
        /// Its name.
        name: String,
        /// The mark.
        change: KeystoreChange,
    },
    /// Change what differs.
    UpdateKeystore {
        /// In which vault.
        vault: UkoVaultId,
        /// Which, at which version.
        handle: KeystoreHandle,
        /// Its name.
        name: String,
        /// What.
        change: KeystoreChange,
    },
    /// Undo the deletion of the key-encryption key.
    RecoverKey,
    /// Make the key-encryption key, if there is none.
    RecreateKey {
        /// Its size.
        size_bits: u32,
        /// How sure it is that there is none.
        state: KekState,
    },
    /// Close the public address of the Key Vault.
    ClosePublicAccess,
}

impl Step {
    /// Whether it puts our mark on what did not carry it.
    pub(crate) fn adopts(&self) -> bool {
        matches!(self, Self::AdoptKeystore { .. } | Self::TagPrivateEndpoint { adopt: true, .. })
    }

    /// What must be announced before it is sent, because sending it twice would make two.
    pub(crate) fn creates(&self) -> Option<&'static str> {
        match self {
            Self::CreateUkoVault { .. } => Some("UkoVault"),
            Self::CreateKeystore(..) => Some("Keystore"),
            Self::GrantKeyPermissions { .. }
            | Self::CreatePrivateEndpoint { .. }
            | Self::TagPrivateEndpoint { .. }
            | Self::RetryPrivateEndpoint { .. }
            | Self::RemovePrivateEndpoint { .. }
            | Self::ApproveConnection { .. }
            | Self::CreateDnsZoneGroup { .. }
            | Self::RemoveDnsZoneGroup { .. }
            | Self::TestConnection(_)
            | Self::AdoptKeystore { .. }
            | Self::UpdateKeystore { .. }
            | Self::RecoverKey
            | Self::RecreateKey { .. }
            | Self::ClosePublicAccess => None,
        }
    }

    /// What else must not be changed by two objects at once: they would both find it missing, or busy.
    pub(crate) fn also_locks(&self) -> Option<String> {
        match self {
            Self::CreatePrivateEndpoint { draft, .. } => Some(draft.subnet_id.as_str().to_ascii_lowercase()),
            Self::CreateUkoVault { name, .. } => Some(format!("uko-vault/{name}")),
            Self::RemovePrivateEndpoint { endpoint } => {
                endpoint.subnet_id.as_ref().map(|subnet| subnet.as_str().to_ascii_lowercase())
            }
            Self::GrantKeyPermissions { .. }
            | Self::TagPrivateEndpoint { .. }
            | Self::RetryPrivateEndpoint { .. }
            | Self::ApproveConnection { .. }
            | Self::CreateDnsZoneGroup { .. }
            | Self::RemoveDnsZoneGroup { .. }
            | Self::TestConnection(_)
            | Self::CreateKeystore(..)
            | Self::AdoptKeystore { .. }
            | Self::UpdateKeystore { .. }
            | Self::RecoverKey
            | Self::RecreateKey { .. }
            | Self::ClosePublicAccess => None,
        }
    }

    /// How it brings the key-encryption key back, if it does.
    pub(crate) fn repairs_key(&self) -> Option<&'static str> {
        match self {
            Self::RecoverKey => Some("recover"),
            Self::RecreateKey { .. } => Some("recreate"),
            Self::GrantKeyPermissions { .. }
            | Self::CreatePrivateEndpoint { .. }
            | Self::TagPrivateEndpoint { .. }
            | Self::RetryPrivateEndpoint { .. }
            | Self::RemovePrivateEndpoint { .. }
            | Self::ApproveConnection { .. }
            | Self::CreateDnsZoneGroup { .. }
            | Self::RemoveDnsZoneGroup { .. }
            | Self::CreateUkoVault { .. }
            | Self::TestConnection(_)
            | Self::CreateKeystore(..)
            | Self::AdoptKeystore { .. }
            | Self::UpdateKeystore { .. }
            | Self::ClosePublicAccess => None,
        }
    }

    /// Whether it changes the Key Vault, or what stands for it in UKO: one such change runs at a time.
    pub(crate) fn touches_key_vault(&self) -> bool {
        match self {
            Self::GrantKeyPermissions { .. }
            | Self::CreatePrivateEndpoint { .. }
            | Self::TagPrivateEndpoint { .. }
            | Self::RetryPrivateEndpoint { .. }
            | Self::RemovePrivateEndpoint { .. }
            | Self::ApproveConnection { .. }
            | Self::CreateKeystore(..)
            | Self::RecoverKey
            | Self::RecreateKey { .. }
            | Self::ClosePublicAccess => true,
            Self::CreateDnsZoneGroup { .. }
            | Self::RemoveDnsZoneGroup { .. }
            | Self::CreateUkoVault { .. }
            | Self::TestConnection(_)
            | Self::AdoptKeystore { .. }
            | Self::UpdateKeystore { .. } => false,
        }
    }
}

impl Describe for Step {
    fn describe(&self) -> PlannedStep {
        let (action, resource, detail) = match self {
            Self::GrantKeyPermissions { object_id, permissions } => (
                PlanAction::Update,
                "access policy of the Key Vault".to_owned(),
                format!("grant {object_id}: {}", permissions.join(", ")),
            ),
            Self::CreatePrivateEndpoint { id, draft } => (
                PlanAction::Create,
                format!("private endpoint {}", id.last_segment()),
                format!(
                    "in {}, {}",
                    draft.subnet_id.last_segment(),
                    draft.private_ip_address.as_deref().unwrap_or("dynamic address")
                ),
            ),
            Self::TagPrivateEndpoint { endpoint, adopt, .. } => (
                if *adopt { PlanAction::Adopt } else { PlanAction::Update },
                format!("private endpoint {}", endpoint.name),
                if *adopt { "put the owner's tags on it" } else { "set its tags" }.to_owned(),
            ),
            Self::RetryPrivateEndpoint { endpoint } => {
                (PlanAction::Update, format!("private endpoint {}", endpoint.name), "ask Azure for it again".to_owned())
            }
            Self::RemovePrivateEndpoint { endpoint } => (
                PlanAction::Delete,
                format!("private endpoint {}", endpoint.name),
                "to make it anew, as recreate-requested-at asks".to_owned(),
            ),
            Self::RemoveDnsZoneGroup { group } => (
                PlanAction::Delete,
                format!("DNS zone group {}", group.last_segment()),
                "it is for another zone than the spec's".to_owned(),
            ),
            Self::ApproveConnection { name } => (
                PlanAction::Update,
                format!("private endpoint connection {name}"),
                "approve it on the Key Vault".to_owned(),
            ),
            Self::CreateDnsZoneGroup { zone, .. } => {
                (PlanAction::Create, "DNS zone group uko-operator".to_owned(), format!("in {}", zone.last_segment()))
            }
            Self::CreateUkoVault { name, .. } => {
                (PlanAction::Create, format!("UKO vault {name}"), "as spec.uko.vault asks".to_owned())
            }
            Self::TestConnection(draft) => (
                PlanAction::Wait,
                format!("keystore {}", draft.name),
                "let UKO test the connection (dry run; it may have effects in the Key Vault)".to_owned(),
            ),
            Self::CreateKeystore(draft, _) => (
                PlanAction::Create,
                format!("keystore {}", draft.name),
                format!("for Key Vault {}; a keystore costs money", draft.azure_service_name),
            ),
            Self::AdoptKeystore { name, .. } => {
                (PlanAction::Adopt, format!("keystore {name}"), "put the owner's mark into its description".to_owned())
            }
            Self::UpdateKeystore { name, change, .. } => (
                PlanAction::Update,
                format!("keystore {name}"),
                match change {
                    KeystoreChange::Labels(_) => "set name, description or groups",
                    KeystoreChange::Connection(_) => "set connection properties",
                }
                .to_owned(),
            ),
            Self::RecoverKey => {
                (PlanAction::Update, format!("key {KEK_NAME}"), "recover it from its soft deletion".to_owned())
            }
            Self::RecreateKey { size_bits, .. } => (
                PlanAction::Create,
                format!("key {KEK_NAME}"),
                format!("RSA-HSM, {size_bits} bits, only to import; if there is still none"),
            ),
            Self::ClosePublicAccess => {
                (PlanAction::Update, "Key Vault".to_owned(), "disable public network access".to_owned())
            }
        };
        let estimated_cost = if let Self::CreateKeystore(_, cost) = self { cost.clone() } else { None };
        PlannedStep { action, resource, detail, estimated_cost }
    }
}
