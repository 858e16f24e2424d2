//! Looks at Azure: identities, Key Vault, private endpoint, DNS, key-encryption key.
//!
//! In: readers. Out: the Azure half of [`Observed`]. Never: writes; a fact that hangs on another is asked as soon as that one is there.

use futures::{future::join_all, join};

use super::{KEK_NAME, Observed, Operation};
use crate::{
    clouds::azure::{ArmId, Audience, Credential, Entra, KeyVaultData, PrivateEndpoint, ResourceManager},
    keystore_connection::desired::{Desired, PrivateEndpointWanted},
    reconcile::stage::Seen,
};

/// Readers of Azure.
pub(in crate::keystore_connection) struct Azure {
    /// Tokens.
    pub entra: Entra,
    /// ARM, as the operator.
    pub arm: ResourceManager,
    /// The data plane, as the operator.
    pub data: KeyVaultData,
    /// The operator.
    pub operator: Credential,
    /// What the last write to the private endpoint came to.
    pub operation: Operation,
}

impl Azure {
    /// Fills in the Azure half of `seen`.
    pub(super) async fn look(&self, seen: &mut Observed, want: &Desired, quick: bool) {
        let vault = async {
            let vault = Seen::of(self.arm.vault(&want.vault).await);
            let deleted = match &vault {
                Seen::Absent => Seen::of(self.arm.deleted_vault(&want.vault, None).await),
                Seen::Present(_) | Seen::Unknown(_) | Seen::NotLooked => Seen::NotLooked,
            };
            (vault, deleted)
        };
        let key = self.key(want);
        if quick {
            // Both tokens are at hand for most of their hour, so this costs no call.
            let ((vault, deleted), (key, data_key, deleted_key), (principal, operator)) =
                join!(vault, key, self.identities(want));
            (seen.vault, seen.deleted_vault) = (vault, deleted);
            (seen.key, seen.data_key, seen.deleted_key) = (key, data_key, deleted_key);
            (seen.service_principal, seen.operator) = (principal, operator);
            return;
        }
        let ((vault, deleted), (key, data_key, deleted_key), (principal, operator), ()) =
            join!(vault, key, self.identities(want), self.private_endpoint(seen, want));
        (seen.vault, seen.deleted_vault) = (vault, deleted);
        (seen.key, seen.data_key, seen.deleted_key) = (key, data_key, deleted_key);
        (seen.service_principal, seen.operator) = (principal, operator);
        let (roles, neighbours) = join!(self.roles(seen, want), self.neighbours(seen, want));
        (seen.roles, seen.neighbours) = (roles, neighbours);
    }

    async fn identities(&self, want: &Desired) -> (Seen<Option<String>>, Seen<()>) {
        let principal = async {
            match &want.service_principal {
                Ok(principal) => {
                    let token = self.entra.token(want.cloud, principal, Audience::KeyVault).await;
                    Seen::always(token.map(|token| token.claims.oid.clone()))
                }
                Err(_) => Seen::NotLooked,
            }
        };
        let operator = async {
            Seen::always(self.entra.token(want.cloud, &self.operator, Audience::ResourceManager).await.map(drop))
        };
        join!(principal, operator)
    }

    /// ARM answers from anywhere. Only where it says "not there" can the data plane add whether it was deleted.
    async fn key(
        &self,
        want: &Desired,
    ) -> (Seen<crate::clouds::azure::Key>, Seen<crate::clouds::azure::Key>, Seen<crate::clouds::azure::DeletedKey>)
    {
        if !want.watches_kek() {
            return (Seen::NotLooked, Seen::NotLooked, Seen::NotLooked);
        }
        let key = Seen::of(self.arm.key(&want.vault, KEK_NAME).await);
        match key {
            Seen::Absent => {
                let name = &want.vault.name;
                let (data, deleted) = join!(self.data.key(name, KEK_NAME), self.data.deleted_key(name, KEK_NAME));
                (key, Seen::of(data), Seen::of(deleted))
            }
            Seen::Present(_) | Seen::Unknown(_) | Seen::NotLooked => (key, Seen::NotLooked, Seen::NotLooked),
        }
    }

    async fn private_endpoint(&self, seen: &mut Observed, want: &Desired) {
        let Some(wanted) = &want.private_endpoint else { return };
        seen.operation = self.operation.clone();
        seen.endpoint = Seen::of(self.arm.private_endpoint(&wanted.id).await);
        match &seen.endpoint {
            Seen::Absent => {
                let (subnet, network) =
                    join!(self.arm.subnet(&wanted.subnet), self.arm.virtual_network(&wanted.network));
                (seen.subnet, seen.network) = (Seen::of(subnet), Seen::of(network));
            }
            Seen::Present(endpoint) => {
                let (interface, groups) = join!(self.interface(endpoint), self.arm.dns_zone_groups(&wanted.id));
                let groups = Seen::always(groups);
                let zone = zone(wanted, &groups);
                (seen.record, seen.links) = self.names(want, zone.as_ref()).await;
                (seen.interface, seen.zone_groups) = (interface, groups);
            }
            Seen::Unknown(_) | Seen::NotLooked => {}
        }
    }

    async fn interface(&self, endpoint: &PrivateEndpoint) -> Seen<crate::clouds::azure::NetworkInterface> {
        match &endpoint.nic_id {
            Some(id) => Seen::of(self.arm.network_interface(id).await),
            None => Seen::NotLooked,
        }
    }

    async fn names(
        &self,
        want: &Desired,
        zone: Option<&ArmId>,
    ) -> (Seen<crate::clouds::azure::ARecord>, Seen<Vec<crate::clouds::azure::VirtualNetworkLink>>) {
        let Some(zone) = zone else { return (Seen::NotLooked, Seen::NotLooked) };
        let name = want.vault.name.to_ascii_lowercase();
        let (record, links) = join!(self.arm.a_record(zone, &name), self.arm.virtual_network_links(zone));
        (Seen::of(record), Seen::always(links))
    }

    async fn roles(&self, seen: &Observed, want: &Desired) -> Seen<Vec<crate::clouds::azure::RoleAssignment>> {
        let object_id = want.object_id.clone().or_else(|| seen.service_principal.present().cloned().flatten());
        match (seen.vault.present(), object_id) {
            (Some(vault), Some(object_id)) if vault.rbac && want.checks_permissions() => {
                Seen::always(self.arm.role_assignments(&want.vault, &object_id).await)
            }
            (Some(_) | None, _) => Seen::NotLooked,
        }
    }

    /// Other endpoints of the vault, before one is made: two in one network overwrite each other's name. What others hide
    /// from us for good is left out; what only did not answer is not.
    async fn neighbours(&self, seen: &Observed, want: &Desired) -> Seen<Vec<PrivateEndpoint>> {
        let (Some(wanted), Seen::Absent, Some(vault)) = (&want.private_endpoint, &seen.endpoint, seen.vault.present())
        else {
            return Seen::NotLooked;
        };
        let others = vault.connections.iter().filter_map(|connection| connection.private_endpoint_id.as_ref());
        let reads = others.filter(|id| !id.same_as(&wanted.id)).map(|id| self.arm.private_endpoint(id));
        let mut found = Vec::new();
        for read in join_all(reads).await {
            match read {
                Ok(endpoint) => found.extend(endpoint),
                Err(error) if error.is_retryable() => return Seen::Unknown(error.into()),
                Err(_) => {}
            }
        }
        Seen::Present(found)
    }
}

/// The zone of the spec, else that of whatever zone group the endpoint has: landing zones often make it by policy \[P\].
fn zone(wanted: &PrivateEndpointWanted, groups: &Seen<Vec<crate::clouds::azure::DnsZoneGroup>>) -> Option<ArmId> {
    let of_group = || groups.present()?.iter().flat_map(|group| &group.zones).find_map(|zone| zone.zone_id.clone());
    wanted.zone.clone().or_else(of_group)
}
