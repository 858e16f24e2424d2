//! Everything that is changed through Resource Manager.
//!
//! In: ids and drafts, chosen by somebody else. Out: that Azure accepted it, never that it worked: read it back.
//! Never: more than one property at a time, or a removal.
//!
//! All methods share their errors: `Conflict` (`VaultBusy`, `SubnetBusy`, `OperationInProgress`) comes with a wait where Azure
//! advises one; `AwaitingPerson` names a missing action. With `outcome_unknown` the change may have been made: read first.
//! None is safe to cancel; all are safe to repeat after a read, because each says what shall be, not what to add.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    super::{ArmId, Key, VaultId},
    Accepted, Call, DnsZoneGroup, PrivateEndpoint, PrivateEndpointDraft, ResourceManager, bad_id,
    reader::{key_path, vault_path},
    version,
};
use crate::clouds::http::{Answer, Body, Error};

/// The changing client of Resource Manager.
#[derive(Clone, Debug)]
pub struct ResourceManagerWriter {
    reader: ResourceManager,
}

impl ResourceManagerWriter {
    pub(super) fn new(reader: ResourceManager) -> Self {
        Self { reader }
    }

    /// Makes a private endpoint.
    ///
    /// Shape: `PUT …/privateEndpoints/{name}`; 201 says `Approved` while it is still `Updating` \[W\].
    /// # Errors
    /// See the module; `ApprovalPermissionMissing` when automatic approval needs a right the identity lacks.
    pub async fn put_private_endpoint(&self, id: &ArmId, draft: &PrivateEndpointDraft) -> Result<Accepted, Error> {
        let body = draft.body(id.last_segment());
        self.put(Call { operation: "PutPrivateEndpoint", path: id.as_str(), version: version::NETWORK }, &body).await
    }

    /// Changes tags of a private endpoint (None removes one) and sends back all else as it was read.
    ///
    /// # Errors
    /// See the module.
    pub async fn update_private_endpoint_tags(
        &self,
        endpoint: &PrivateEndpoint,
        tags: &BTreeMap<String, Option<String>>,
    ) -> Result<Accepted, Error> {
        let body = endpoint.with_tags(tags);
        let path = endpoint.id.as_str();
        self.put(Call { operation: "UpdatePrivateEndpointTags", path, version: version::NETWORK }, &body).await
    }

    /// Removes a private endpoint, and with it the vault's connection, the interface and the records of its zone group.
    /// Already gone is a success.
    ///
    /// # Errors
    /// See the module.
    pub async fn delete_private_endpoint(&self, id: &ArmId) -> Result<Accepted, Error> {
        let call = Call { operation: "DeletePrivateEndpoint", path: id.as_str(), version: version::NETWORK };
        self.delete(call).await
    }

    /// Approves a pending connection of a Key Vault.
    ///
    /// Shape: `PUT …/privateEndpointConnections/{name}` with the state alone \[S\].
    /// # Errors
    /// See the module; `ProviderNotRegistered` when the endpoint's subscription does not know Key Vault \[P\].
    pub async fn approve_connection(&self, vault: &VaultId, connection_name: &str) -> Result<Accepted, Error> {
        let operation = "ApproveConnection";
        let vault = vault.arm_id().ok_or_else(|| bad_id(operation))?;
        let id = vault.child("privateEndpointConnections", connection_name).ok_or_else(|| bad_id(operation))?;
        let state = json!({"status": "Approved", "description": "approved by uko-operator"});
        let body = json!({"properties": {"privateLinkServiceConnectionState": state}});
        self.put(Call { operation, path: id.as_str(), version: version::KEY_VAULT }, &body).await
    }

    /// Adds key permissions to an identity's access policy, and leaves all others alone.
    ///
    /// Shape: `PUT …/accessPolicies/add`; Azure joins them with what is there \[K\]: read the vault to be sure.
    /// # Errors
    /// See the module.
    pub async fn add_access_policy(
        &self,
        vault: &VaultId,
        tenant_id: &str,
        object_id: &str,
        permissions: &[&str],
    ) -> Result<(), Error> {
        let operation = "AddAccessPolicy";
        let path = vault_path(vault, operation, "/accessPolicies/add")?;
        let policy = json!({"tenantId": tenant_id, "objectId": object_id, "permissions": {"keys": permissions}});
        let body = json!({"properties": {"accessPolicies": [policy]}});
        let call = Call { operation, path: &path, version: version::KEY_VAULT };
        self.send(Method::PUT, call, &body).await.map(drop)
    }

    /// Closes the public address of a Key Vault. Sends this one property: a GET may leave out firewall rules that a full
    /// update would then erase \[P\].
    ///
    /// # Errors
    /// See the module.
    pub async fn close_public_access(&self, vault: &VaultId) -> Result<(), Error> {
        let operation = "ClosePublicAccess";
        let path = vault_path(vault, operation, "")?;
        let body = json!({"properties": {"publicNetworkAccess": "Disabled"}});
        let call = Call { operation, path: &path, version: version::KEY_VAULT };
        self.send(Method::PATCH, call, &body).await.map(drop)
    }

    /// Makes the DNS zone group of a private endpoint, which keeps the A record in a zone.
    ///
    /// # Errors
    /// See the module; `DnsZoneJoinDenied` when the identity may not join the zone.
    pub async fn put_dns_zone_group(
        &self,
        private_endpoint: &ArmId,
        name: &str,
        zone: &ArmId,
    ) -> Result<Accepted, Error> {
        let operation = "PutDnsZoneGroup";
        let id = private_endpoint.child("privateDnsZoneGroups", name).ok_or_else(|| bad_id(operation))?;
        let body = DnsZoneGroup::body(zone);
        self.put(Call { operation, path: id.as_str(), version: version::NETWORK }, &body).await
    }

    /// Removes a DNS zone group and its records. Already gone is a success.
    ///
    /// # Errors
    /// See the module.
    pub async fn delete_dns_zone_group(&self, group: &ArmId) -> Result<Accepted, Error> {
        let call = Call { operation: "DeleteDnsZoneGroup", path: group.as_str(), version: version::NETWORK };
        self.delete(call).await
    }

    /// Makes the key-encryption key if no key of that name exists; else returns the one that does, unchanged \[S\].
    ///
    /// # Errors
    /// See the module; `KekSoftDeleted` when a deleted key holds the name, `VaultNotPremium` on a Standard vault.
    pub async fn create_key(&self, vault: &VaultId, name: &str, size_bits: u32) -> Result<Key, Error> {
        let operation = "CreateKey";
        let path = key_path(vault, operation, name)?;
        let properties = json!({
            "kty": "RSA-HSM", "keySize": size_bits, "keyOps": ["import"], "attributes": {"enabled": true},
        });
        let call = Call { operation, path: &path, version: version::KEY_VAULT };
        let answer = self.send(Method::PUT, call, &json!({"properties": properties})).await?;
        let body: Value = answer.json()?;
        Key::read_resource(&body).ok_or_else(|| answer.unreadable())
    }

    async fn put(&self, call: Call<'_>, body: &Value) -> Result<Accepted, Error> {
        let answer = self.send(Method::PUT, call, body).await?;
        Ok(Accepted::read(self.reader.cloud(), &answer))
    }

    async fn delete(&self, call: Call<'_>) -> Result<Accepted, Error> {
        let request = self.reader.request(Method::DELETE, call)?;
        match self.reader.send(&request).await {
            Ok(answer) => Ok(Accepted::read(self.reader.cloud(), &answer)),
            Err(error) if is_gone(&error) => Ok(Accepted { operation: None, retry_after: None }),
            Err(error) => Err(error),
        }
    }

    async fn send(&self, method: Method, call: Call<'_>, body: &Value) -> Result<Answer, Error> {
        let request = self.reader.request(method, call)?.with_body(Body::json(body));
        self.reader.send(&request).await
    }
}

/// A 404 with Azure's own word for it: the thing, or the group it was in.
fn is_gone(error: &Error) -> bool {
    let words = ["ResourceNotFound", "NotFound", "ResourceGroupNotFound", "ParentResourceNotFound"];
    let said = error.code.as_deref().is_some_and(|code| words.iter().any(|word| word.eq_ignore_ascii_case(code)));
    error.status == Some(404) && said
}
