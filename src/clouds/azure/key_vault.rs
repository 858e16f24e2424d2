//! The data plane of a Key Vault, as far as the key-encryption key needs it.
//!
//! In: a vault's name and a key's. Out: the key, its deleted twin, or nothing. Never: creates a key (a second create would add
//! a version), or follows the vault's own links.

use std::sync::Arc;

use reqwest::{Method, header::HeaderName};
use serde_json::Value;
use url::Url;

use super::{
    DeletedKey, Key,
    entra::{Audience, Credential, Entra, Identity},
    refusal,
};
use crate::clouds::{
    hosts::AzureCloud,
    http::{Class, Error, Http, Request, Service, allowed},
};

/// Stable, and not touched by the retirement of the control plane's versions \[P\].
const VERSION: &str = "7.5";

/// The reading client of the data plane, as one identity. A clone shares everything.
///
/// All methods share their errors: `AwaitingPerson` with `NotOnPrivatePath` or `BlockedByVaultFirewall` is a fact about where
/// the operator runs; `VaultAccessDenied` and `VaultRoleMissing` are about its rights; `VaultNameUnresolvable` means the vault
/// is gone or lies in another cloud. All are safe to cancel. Shapes: data plane 7.5 \[S\].
#[derive(Clone, Debug)]
pub struct KeyVaultData {
    http: Http,
    identity: Identity,
}

impl KeyVaultData {
    /// A client; no call is made.
    #[must_use]
    pub fn new(http: Http, entra: Entra, cloud: AzureCloud, credential: Credential) -> Self {
        let audience = Audience::KeyVault;
        let identity = Identity { entra, cloud, credential: Arc::new(credential), audience };
        Self { http, identity }
    }

    /// The same identity with the right to change things.
    #[must_use]
    pub fn writer(&self) -> KeyVaultWriter {
        KeyVaultWriter { reader: self.clone() }
    }

    /// A key, enabled or not, in its newest version.
    ///
    /// # Errors
    /// See the type.
    pub async fn key(&self, vault_name: &str, name: &str) -> Result<Option<Key>, Error> {
        let request = self.request(Method::GET, "GetKey", vault_name, &["keys", name])?;
        self.one(&request, Key::read_bundle).await
    }

    /// A key that was deleted and can still be recovered.
    ///
    /// # Errors
    /// See the type.
    pub async fn deleted_key(&self, vault_name: &str, name: &str) -> Result<Option<DeletedKey>, Error> {
        let request = self.request(Method::GET, "GetDeletedKey", vault_name, &["deletedkeys", name])?;
        self.one(&request, DeletedKey::read_bundle).await
    }

    async fn one<T>(&self, request: &Request, read: fn(&Value) -> Option<T>) -> Result<Option<T>, Error> {
        let answer = self.http.send_as(request, &self.identity).await?;
        if refusal::is_absence(&answer) {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(refusal::of(&answer));
        }
        let body: Value = answer.json()?;
        read(&body).map(Some).ok_or_else(|| answer.unreadable())
    }

    fn request(
        &self,
        method: Method,
        operation: &'static str,
        vault_name: &str,
        path: &[&str],
    ) -> Result<Request, Error> {
        let plain = |text: &&&str| allowed(text, 127, "-").is_some();
        let fits = allowed(vault_name, 24, "-").is_some() && path.iter().filter(plain).count() == path.len();
        let address = format!("https://{}/{}", self.identity.cloud.vault_host(vault_name), path.join("/"));
        let mut url = Url::parse(&address).ok().filter(|_| fits).ok_or_else(|| {
            let advice = "Correct the name of the vault or the key: letters, digits and hyphens.";
            Error::new(Service::KeyVault, operation, Class::Invalid, "ResourceIdInvalid", advice)
        })?;
        url.query_pairs_mut().append_pair("api-version", VERSION);
        Ok(Request::new(Service::KeyVault, operation, method, url)
            .with_attempt_id(HeaderName::from_static("x-ms-client-request-id"))
            .with_header(HeaderName::from_static("x-ms-return-client-request-id"), "true"))
    }
}

/// The changing client of the data plane.
#[derive(Clone, Debug)]
pub struct KeyVaultWriter {
    reader: KeyVaultData,
}

impl KeyVaultWriter {
    /// Brings a deleted key back. It is readable seconds after this has answered.
    ///
    /// Shape: `POST /deletedkeys/{name}/recover`, empty body; 200 with the key \[S\].
    /// # Errors
    /// See [`KeyVaultData`]; `KekInTransition` while it is still being deleted or already being recovered.
    /// # Cancel safety
    /// None needed: a second recovery of the same key is refused, not doubled.
    pub async fn recover_key(&self, vault_name: &str, name: &str) -> Result<(), Error> {
        let path = ["deletedkeys", name, "recover"];
        let request = self.reader.request(Method::POST, "RecoverKey", vault_name, &path)?;
        let answer = self.reader.http.send_as(&request, &self.reader.identity).await?;
        if answer.is_success() { Ok(()) } else { Err(refusal::of(&answer)) }
    }
}
