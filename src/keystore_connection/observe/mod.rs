//! Looks at Azure and IBM at once.
//!
//! In: readers and what is wanted. Out: [`Observed`]. Never: writes; gives up because one cloud is dark.

mod azure;
mod listed;
mod uko;

pub(super) use self::{
    azure::Azure,
    listed::{completed, unclear},
    uko::UkoSide,
};
#[cfg(test)]
pub(super) use self::{listed::pick, uko::costs_more};
use super::{Past, desired::Desired};
use crate::{
    clouds::{
        azure::{
            ARecord, DeletedKey, DeletedVault, DnsZoneGroup, Key, NetworkInterface, PrivateEndpoint, RoleAssignment,
            Subnet, Vault, VirtualNetwork, VirtualNetworkLink,
        },
        ibm::{Keystore, KeystoreStatus, UkoVault, uko::KeystoreKind},
    },
    reconcile::{fault::Fault, stage::Seen},
};

/// The key that UKO makes when it registers a Premium vault, and needs ever after \[D\].
pub(super) const KEK_NAME: &str = "EKMF-BYOK-KEK-FOR-IMPORT";

/// What one look told us.
#[derive(Default)]
pub(super) struct Observed {
    /// Object id of UKO's service principal, from its own token.
    pub service_principal: Seen<Option<String>>,
    /// Whether the operator could sign in to Azure.
    pub operator: Seen<()>,
    /// Whether the operator could sign in to UKO.
    pub login: Seen<()>,
    /// The Key Vault.
    pub vault: Seen<Vault>,
    /// A deleted Key Vault of that name.
    pub deleted_vault: Seen<DeletedVault>,
    /// Roles of UKO's service principal on an RBAC vault.
    pub roles: Seen<Vec<RoleAssignment>>,
    /// The private endpoint.
    pub endpoint: Seen<PrivateEndpoint>,
    /// The last write to the private endpoint, while Azure is working on it or when it failed.
    pub operation: Operation,
    /// The subnet; looked at before an endpoint is made.
    pub subnet: Seen<Subnet>,
    /// The virtual network; likewise.
    pub network: Seen<VirtualNetwork>,
    /// Other endpoints of the vault; likewise.
    pub neighbours: Seen<Vec<PrivateEndpoint>>,
    /// The endpoint's network interface.
    pub interface: Seen<NetworkInterface>,
    /// DNS zone groups of the endpoint.
    pub zone_groups: Seen<Vec<DnsZoneGroup>>,
    /// The vault's A record in the zone.
    pub record: Seen<ARecord>,
    /// The zone's links to virtual networks.
    pub links: Seen<Vec<VirtualNetworkLink>>,
    /// The key-encryption key through ARM.
    pub key: Seen<Key>,
    /// The same through the data plane; looked at where ARM cannot tell.
    pub data_key: Seen<Key>,
    /// A deleted one, through the data plane.
    pub deleted_key: Seen<DeletedKey>,
    /// URL of the UKO in use.
    pub base_url: Option<String>,
    /// UKO vaults that fit: one is right.
    pub uko_vaults: Seen<Vec<UkoVault>>,
    /// Keystores of the UKO vault; looked at while ours is not known.
    pub keystores: Seen<Vec<Keystore>>,
    /// The keystores of the whole UKO instance; looked at where a plan has the cost of one more.
    pub instance: Seen<Vec<KeystoreKind>>,
    /// Our keystore, or the one in our place.
    pub keystore: Seen<Keystore>,
    /// UKO's own judgement of it.
    pub health: Seen<KeystoreStatus>,
}

/// The last write to the private endpoint.
#[derive(Clone, Debug, Default)]
pub(super) enum Operation {
    /// Ended, or none.
    #[default]
    None,
    /// Azure is working; ask again after this long.
    Running(std::time::Duration),
    /// Accepted, and failed later.
    Failed(Fault),
}

/// The readers of one pass; what could not be built is a fault that is told in its place.
pub(super) struct Readers {
    /// Azure.
    pub azure: Option<Azure>,
    /// UKO.
    pub uko: Option<UkoSide>,
}

/// Everything, or on a `quick` look the four things that change by themselves.
pub(super) async fn everything(readers: &Readers, want: &Desired, past: &Past<'_>, quick: bool) -> Observed {
    let mut seen = Observed::default();
    let mut ibm = Observed::default();
    futures::join!(
        async {
            if let Some(azure) = &readers.azure {
                Box::pin(azure.look(&mut seen, want, quick)).await;
            }
        },
        async {
            if let Some(uko) = &readers.uko {
                Box::pin(uko.look(&mut ibm, want, past, quick)).await;
            }
        },
    );
    Observed {
        login: ibm.login,
        base_url: ibm.base_url,
        uko_vaults: ibm.uko_vaults,
        keystores: ibm.keystores,
        instance: ibm.instance,
        keystore: ibm.keystore,
        health: ibm.health,
        ..seen
    }
}
