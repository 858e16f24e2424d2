//! Makes, tests, changes and disconnects keystores, and makes vaults.
//!
//! In: drafts, changes, handles. Out: what UKO made of them.
//! Never: repeats a create, sends the mask of a password, mixes labels and connection, or disconnects with any mode but
//! `restrict`.

use std::time::Duration;

use reqwest::{Method, header::IF_MATCH};

use super::{
    Keystore, KeystoreChange, KeystoreDraft, KeystoreHandle, Uko, UkoVault, etag, read, refusal, wire, with_query,
};
use crate::clouds::{
    http::{Body, Error},
    ibm::UkoVaultId,
};

/// How long a connection test may take; unpublished, a minute at least \[I\].
const TEST_PATIENCE: Duration = Duration::from_secs(90);

/// The right to write to one UKO. Made by [`Uko::writer`].
#[derive(Clone, Debug)]
pub struct UkoWriter {
    reader: Uko,
}

impl UkoWriter {
    pub(super) fn new(reader: Uko) -> Self {
        Self { reader }
    }

    /// Makes a vault. It is never deleted by us.
    ///
    /// Shape: `POST /api/v4/vaults`; 201 with `ETag` \[S\].
    /// # Errors
    /// `Conflict`, reason `UkoVaultNameTaken`. With `outcome_unknown` set it may exist: list by name before repeating.
    /// # Cancel safety
    /// None: dropped in flight, the vault may exist.
    pub async fn create_vault(&self, name: &str, description: &str) -> Result<UkoVault, Error> {
        let request = self.reader.request("CreateVault", Method::POST, &["vaults"], None)?;
        let request = request.with_body(Body::json(&wire::create_vault(name, description)));
        let answer = self.reader.session.send(request).await?;
        read(&answer, |body| wire::vault(body, etag(&answer)))
    }

    /// Tests the data of a keystore without storing it. Any 2xx is a pass, with or without a body.
    ///
    /// Shape: `POST /api/v4/keystores?dry_run=true` with the body of a create \[D\]. Statuses, bodies, duration and side
    /// effects are unpublished \[I\]; since it may have some, it is never repeated here.
    /// # Errors
    /// Reason `ConnectionTestFailed`: `Invalid` when UKO names the field, `AwaitingPerson` when it does not. A refusal
    /// that names a field is a failed test under any status \[I\]; other 5xx are outages.
    /// # Cancel safety
    /// Nothing is stored, but UKO may still be calling Azure.
    pub async fn test_keystore(&self, draft: &KeystoreDraft) -> Result<(), Error> {
        let request = self.reader.request("TestKeystore", Method::POST, &["keystores"], Some(&draft.vault_id))?;
        let request = with_query(request, &[("dry_run", "true")])
            .with_body(Body::json(&wire::create_keystore(draft)))
            .with_timeout(TEST_PATIENCE);
        let answer = self.reader.session.send(request).await?;
        if answer.is_success() { Ok(()) } else { Err(refusal::uko(&answer)) }
    }

    /// Registers a Key Vault with UKO and returns the keystore UKO made. It costs money.
    ///
    /// Shape: `POST /api/v4/keystores`, [`KeystoreDraft`]; 201 with `ETag` \[S\]. `tls_proxy` is `host:port`, no scheme \[E\].
    /// A 201 does not say that the data are right: judge by the status \[I\].
    /// # Errors
    /// `Invalid` names the refused field. `Conflict`, reason `KeystoreNameTaken`. With `outcome_unknown` set it may exist:
    /// list by vault before repeating.
    /// # Cancel safety
    /// None: dropped in flight, the keystore may exist and cost money. The ownership mark lets the next pass find it.
    pub async fn create_keystore(&self, draft: &KeystoreDraft) -> Result<Keystore, Error> {
        let request = self.reader.request("CreateKeystore", Method::POST, &["keystores"], Some(&draft.vault_id))?;
        let request = request.with_body(Body::json(&wire::create_keystore(draft)));
        let answer = self.reader.session.send(request).await?;
        read(&answer, |body| wire::keystore(body, etag(&answer)))
    }

    /// Changes labels or connection properties of a keystore, at the version that was looked at.
    ///
    /// Shape: `PATCH /api/v4/keystores/{id}` with `If-Match`; 200 with a new `ETag` \[S\].
    /// # Errors
    /// `Conflict`, reason `KeystoreChanged` (409 or 412, unpublished which \[I\]): read again and decide again.
    /// # Cancel safety
    /// Safe: the old version is no longer accepted if it was carried out.
    pub async fn update_keystore(
        &self,
        vault: &UkoVaultId,
        handle: &KeystoreHandle,
        change: &KeystoreChange,
    ) -> Result<Keystore, Error> {
        let path = ["keystores", handle.id.as_str()];
        let request = self.reader.request("UpdateKeystore", Method::PATCH, &path, Some(vault))?;
        let request =
            request.with_header(IF_MATCH, handle.etag.as_str()).with_body(Body::json(&wire::update_keystore(change)));
        let answer = self.reader.session.send(request).await?;
        read(&answer, |body| wire::keystore(body, etag(&answer)))
    }

    /// Disconnects a keystore, at the version that was looked at; one that is gone already is fine. The Key Vault itself
    /// is left as it is \[S\].
    ///
    /// Shape: `DELETE /api/v4/keystores/{id}?mode=restrict` with `If-Match`; 204 \[S\].
    /// # Errors
    /// `Conflict`, reason `KeystoreChangedOrInUse`; `AwaitingPerson`, reason `UkoRequestRejected`: it may still hold keys,
    /// ask [`Uko::installed_keys`].
    /// # Cancel safety
    /// Safe to repeat.
    pub async fn delete_keystore(&self, vault: &UkoVaultId, handle: &KeystoreHandle) -> Result<(), Error> {
        let path = ["keystores", handle.id.as_str()];
        let request = self.reader.request("DeleteKeystore", Method::DELETE, &path, Some(vault))?;
        let request = with_query(request, &[("mode", "restrict")]).with_header(IF_MATCH, handle.etag.as_str());
        let answer = self.reader.session.send(request).await?;
        if answer.is_success() {
            return Ok(());
        }
        let gone = answer.status == 404 && self.reader.keystore(vault, &handle.id).await?.is_none();
        if gone { Ok(()) } else { Err(refusal::uko(&answer)) }
    }
}
