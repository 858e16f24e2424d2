//! Everything that is read through Resource Manager.
//!
//! In: ids. Out: values. Never: a call that changes anything.
//!
//! All methods share their errors: `AwaitingPerson` with reason `AzurePermissionDenied` names the missing action in its
//! advice; `NotFound` is something further up (resource group, vault, zone); `Throttled` comes with a wait. All are safe to
//! cancel. Shapes: Key Vault 2026-02-01 \[S\], network 2024-03-01 \[S\]\[W\], private DNS 2024-06-01 \[S\]\[W\].

use reqwest::Method;
use serde_json::Value;

use super::{
    super::{ArmId, Key, VaultId, wire},
    ARecord, Call, DeletedVault, DnsZoneGroup, NetworkInterface, OperationState, OperationUrl, PrivateEndpoint,
    PrivateEndpointConnection, ResourceManager, RoleAssignment, Subnet, Vault, VirtualNetwork, VirtualNetworkLink,
    bad_id,
    lookup::parent_missing,
    version,
};
use crate::clouds::http::{Class, Error, Request, Service, allowed};

const VAULT_MISSING: (&str, &str) = ("VaultNotFound", "Correct the vault's name, or recover the deleted vault.");

impl ResourceManager {
    /// A Key Vault, or nothing. A missing resource group is an error of its own, `ResourceGroupNotFound`.
    ///
    /// # Errors
    /// See the module.
    pub async fn vault(&self, vault: &VaultId) -> Result<Option<Vault>, Error> {
        let path = vault_path(vault, "GetVault", "")?;
        self.one(Call { operation: "GetVault", path: &path, version: version::KEY_VAULT }, Vault::read).await
    }

    /// The deleted twin of a Key Vault that is gone: by its region, or from the subscription's list when that is unknown.
    ///
    /// # Errors
    /// See the module.
    pub async fn deleted_vault(&self, vault: &VaultId, location: Option<&str>) -> Result<Option<DeletedVault>, Error> {
        let operation = "GetDeletedVault";
        let own = vault.arm_id().ok_or_else(|| bad_id(operation))?;
        let root = format!("/subscriptions/{}/providers/Microsoft.KeyVault", vault.subscription_id);
        let place = location.map(|place| place.replace(' ', "").to_ascii_lowercase());
        if let Some(place) = place.and_then(|place| allowed(&place, 64, "")) {
            let path = format!("{root}/locations/{place}/deletedVaults/{}", vault.name);
            return self.one(Call { operation, path: &path, version: version::KEY_VAULT }, DeletedVault::read).await;
        }
        let path = format!("{root}/deletedVaults");
        let call = Call { operation: "ListDeletedVaults", path: &path, version: version::KEY_VAULT };
        let all = self.all(self.request(Method::GET, call)?, DeletedVault::read).await?;
        Ok(all.into_iter().find(|deleted| deleted.vault_id.as_ref().is_some_and(|id| id.same_as(&own))))
    }

    /// A key, seen from outside the vault: its firewall does not cover this view. None cannot tell missing from deleted.
    ///
    /// # Errors
    /// See the module; `VaultRoleMissing` when the vault itself refuses, even with status 400 \[P\].
    pub async fn key(&self, vault: &VaultId, name: &str) -> Result<Option<Key>, Error> {
        let path = key_path(vault, "GetKey", name)?;
        self.one(Call { operation: "GetKey", path: &path, version: version::KEY_VAULT }, Key::read_resource).await
    }

    /// A private endpoint, or nothing. A missing resource group is an error of its own, `ResourceGroupNotFound`.
    ///
    /// # Errors
    /// See the module.
    pub async fn private_endpoint(&self, id: &ArmId) -> Result<Option<PrivateEndpoint>, Error> {
        self.network(id, "GetPrivateEndpoint", PrivateEndpoint::read).await
    }

    /// A network interface.
    ///
    /// # Errors
    /// See the module.
    pub async fn network_interface(&self, id: &ArmId) -> Result<Option<NetworkInterface>, Error> {
        self.network(id, "GetNetworkInterface", NetworkInterface::read).await
    }

    /// A subnet.
    ///
    /// # Errors
    /// See the module; `ParentNotFound` when its network is missing.
    pub async fn subnet(&self, id: &ArmId) -> Result<Option<Subnet>, Error> {
        self.network(id, "GetSubnet", Subnet::read).await
    }

    /// A virtual network.
    ///
    /// # Errors
    /// See the module.
    pub async fn virtual_network(&self, id: &ArmId) -> Result<Option<VirtualNetwork>, Error> {
        self.network(id, "GetVirtualNetwork", VirtualNetwork::read).await
    }

    /// The DNS zone groups of a private endpoint: one at most, whatever its name.
    ///
    /// # Errors
    /// See the module; `PrivateEndpointNotFound` when the endpoint is missing.
    pub async fn dns_zone_groups(&self, private_endpoint: &ArmId) -> Result<Vec<DnsZoneGroup>, Error> {
        let path = format!("{private_endpoint}/privateDnsZoneGroups");
        let call = Call { operation: "ListDnsZoneGroups", path: &path, version: version::NETWORK };
        let found = self.all(self.request(Method::GET, call)?, DnsZoneGroup::read).await;
        found.map_err(|error| parent_missing(error, "PrivateEndpointNotFound", "The private endpoint is not there."))
    }

    /// The virtual networks that may ask a private DNS zone.
    ///
    /// # Errors
    /// See the module; `DnsZoneNotFound` when the zone is missing.
    pub async fn virtual_network_links(&self, zone: &ArmId) -> Result<Vec<VirtualNetworkLink>, Error> {
        let path = format!("{zone}/virtualNetworkLinks");
        let call = Call { operation: "ListVirtualNetworkLinks", path: &path, version: version::PRIVATE_DNS };
        let found = self.all(self.request(Method::GET, call)?, VirtualNetworkLink::read).await;
        found.map_err(zone_missing)
    }

    /// The A record of a name in a private DNS zone; the name of a vault is written in lower case.
    ///
    /// # Errors
    /// See the module; `DnsZoneNotFound` when the zone is missing.
    pub async fn a_record(&self, zone: &ArmId, name: &str) -> Result<Option<ARecord>, Error> {
        let operation = "GetARecord";
        let id = zone.child("A", &name.to_ascii_lowercase()).ok_or_else(|| bad_id(operation))?;
        let call = Call { operation, path: id.as_str(), version: version::PRIVATE_DNS };
        self.one(call, ARecord::read).await.map_err(zone_missing)
    }

    /// The private endpoint connections of a Key Vault. The vault's own body has them too.
    ///
    /// # Errors
    /// See the module; `VaultNotFound` when the vault is missing.
    pub async fn private_endpoint_connections(&self, vault: &VaultId) -> Result<Vec<PrivateEndpointConnection>, Error> {
        let operation = "ListPrivateEndpointConnections";
        let path = vault_path(vault, operation, "/privateEndpointConnections")?;
        let request = self.request(Method::GET, Call { operation, path: &path, version: version::KEY_VAULT })?;
        self.all(request, PrivateEndpointConnection::read).await.map_err(vault_missing)
    }

    /// The roles an identity holds on a Key Vault, through its groups as well where Azure can tell.
    ///
    /// # Errors
    /// See the module; a 403 is `AccessCheckNotPermitted`: nobody knows, rather than no role.
    pub async fn role_assignments(&self, vault: &VaultId, object_id: &str) -> Result<Vec<RoleAssignment>, Error> {
        let operation = "ListRoleAssignments";
        let oid = allowed(object_id, 64, "-").ok_or_else(|| bad_id(operation))?;
        let transitive = self.assignments(vault, &format!("assignedTo('{oid}')")).await;
        let found = match transitive {
            // Older regions and some kinds of principals know only direct assignments.
            Err(error) if error.status == Some(400) => {
                self.assignments(vault, &format!("principalId eq '{oid}'")).await
            }
            other => other,
        };
        found.map_err(|error| match error.status {
            Some(403) => {
                let advice = error.advice.clone();
                error.reread(Class::AwaitingPerson, "AccessCheckNotPermitted", advice)
            }
            _ => vault_missing(error),
        })
    }

    async fn assignments(&self, vault: &VaultId, filter: &str) -> Result<Vec<RoleAssignment>, Error> {
        let operation = "ListRoleAssignments";
        let path = vault_path(vault, operation, "/providers/Microsoft.Authorization/roleAssignments")?;
        let mut request =
            self.request(Method::GET, Call { operation, path: &path, version: version::AUTHORIZATION })?;
        request.url.query_pairs_mut().append_pair("$filter", filter);
        self.all(request, RoleAssignment::read).await
    }

    /// The private DNS zone that Azure wants for Key Vaults of this cloud; None if it does not say.
    ///
    /// # Errors
    /// See the module; `VaultNotFound` when the vault is missing.
    pub async fn private_link_zone(&self, vault: &VaultId) -> Result<Option<String>, Error> {
        let operation = "ListPrivateLinkResources";
        let path = vault_path(vault, operation, "/privateLinkResources")?;
        let request = self.request(Method::GET, Call { operation, path: &path, version: version::KEY_VAULT })?;
        let zones = self.all(request, vault_zone).await.map_err(vault_missing)?;
        Ok(zones.into_iter().next())
    }

    /// How an operation is getting on.
    ///
    /// # Errors
    /// Only when the question itself failed; an operation that failed is `Ok(OperationState::Failed)`.
    pub async fn operation(&self, url: &OperationUrl) -> Result<OperationState, Error> {
        let request = Self::dressed(Request::new(Service::Arm, "GetOperation", Method::GET, url.url().clone()));
        let answer = self.http.send_as(&request, &self.identity).await?;
        OperationState::read(&answer)
    }

    async fn network<T>(
        &self,
        id: &ArmId,
        operation: &'static str,
        read: fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        self.one(Call { operation, path: id.as_str(), version: version::NETWORK }, read).await
    }
}

/// The path of a vault and of what lies below it.
pub(super) fn vault_path(vault: &VaultId, operation: &'static str, below: &str) -> Result<String, Error> {
    let id = vault.arm_id().ok_or_else(|| bad_id(operation))?;
    Ok(format!("{id}{below}"))
}

/// The path of a key; its name is letters, digits and hyphens \[S\].
pub(super) fn key_path(vault: &VaultId, operation: &'static str, name: &str) -> Result<String, Error> {
    let name = allowed(name, 127, "-").ok_or_else(|| bad_id(operation))?;
    vault_path(vault, operation, &format!("/keys/{name}"))
}

fn vault_missing(error: Error) -> Error {
    parent_missing(error, VAULT_MISSING.0, VAULT_MISSING.1)
}

fn zone_missing(error: Error) -> Error {
    parent_missing(error, "DnsZoneNotFound", "Correct the id of the private DNS zone, or create the zone.")
}

fn vault_zone(value: &Value) -> Option<String> {
    let is_vault = wire::text(value, "/properties/groupId").is_some_and(|group| group.eq_ignore_ascii_case("vault"));
    wire::owned(value, "/properties/requiredZoneNames/0").filter(|_| is_vault)
}
