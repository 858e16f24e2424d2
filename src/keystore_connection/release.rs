//! Gives up the marks of what a deleted `AzureKeystoreConnection` leaves behind.
//!
//! In: the object as it was last read. Out: how many marks were rewritten. Never: changes anything else; touches what is not ours, or
//! what the policy file no longer allows.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    KeystoreConnections, OBJECT_TAG, OWNER_TAG,
    cleanup::{find_keystores, known},
    desired::Desired,
    observe::{Operation, Readers},
    resolve,
};
use crate::{
    api::v1alpha1::AzureKeystoreConnection,
    clouds::{
        azure::ResourceManager,
        http::Class,
        ibm::{KeystoreChange, uko::LabelChange},
    },
    reconcile::{
        driver::lock_owner,
        fault::Fault,
        ownership::{Mark, unmarked},
        wake::{Key, Kind},
    },
};

/// How often Azure is asked whether it has set the tags; others wait for that.
const POLLS: u32 = 60;

/// One best-effort pass.
pub(super) async fn pass(
    connections: &KeystoreConnections,
    object: &AzureKeystoreConnection,
    key: &Key,
) -> Result<usize, Fault> {
    let shared = &connections.shared;
    let found =
        resolve::references(&shared.kube, &key.0, object, shared.announced.age(crate::reconcile::driver::now())).await;
    let policy = Arc::clone(&connections.policy.borrow().policy);
    let want = Desired::parse(object, key, &shared.cluster_id, found, &policy);
    if let Some(fault) = &want.refused {
        return Err(fault.clone());
    }
    // Not the owner of a new object of the same name, which may be at work already.
    let owner = format!("release/{}", lock_owner(Kind::AzureKeystoreConnection, key));
    let readers = connections.readers(&want, &owner).await;
    let keystores = connections.release_keystores(&readers, object, &want).await;
    let endpoint = connections.release_endpoint(&readers, &want, &owner).await;
    // One dark cloud does not keep the other's marks.
    Ok(keystores? + endpoint?)
}

impl KeystoreConnections {
    async fn release_keystores(
        &self,
        readers: &Readers,
        object: &AzureKeystoreConnection,
        want: &Desired,
    ) -> Result<usize, Fault> {
        let uko = match (&want.login, readers.uko.as_ref().map(|uko| uko.reader.as_ref())) {
            (Err(fault), _) => return Err(fault.clone()),
            (Ok(_), Some(reader)) => reader.map_err(|error| Fault::from(error.clone()))?,
            (Ok(_), None) => return Ok(0),
        };
        let mut marks = 0;
        let known = known(&object.status.clone().unwrap_or_default());
        for (vault, keystore) in find_keystores(uko, want, &known).await?.keystores {
            let marked = matches!(Mark::find(&keystore.description), Mark::Of(hash, _) if hash == want.owner.hash);
            let Some(handle) = keystore.handle().filter(|_| marked) else { continue };
            let text = unmarked(&keystore.description);
            let mark = want.owner.released();
            let description = if text.is_empty() { mark } else { format!("{text}\n{mark}") };
            let change =
                KeystoreChange::Labels(LabelChange { description: Some(description), ..LabelChange::default() });
            self.shared.may_release()?;
            uko.writer().update_keystore(&vault, &handle, &change).await?;
            marks += 1;
        }
        Ok(marks)
    }

    async fn release_endpoint(&self, readers: &Readers, want: &Desired, owner: &str) -> Result<usize, Fault> {
        let Some(wanted) = &want.private_endpoint else { return Ok(0) };
        let arm = match (&want.operator, &readers.azure) {
            (Err(fault), _) => return Err(fault.clone()),
            (Ok(_), Some(azure)) => &azure.arm,
            (Ok(_), None) => return Ok(0),
        };
        let looked = Instant::now();
        let Some(endpoint) = arm.private_endpoint(&wanted.id).await? else { return Ok(0) };
        if endpoint.tag(OWNER_TAG) != Some(want.owner.hash.as_str()) {
            return Ok(0);
        }
        let vault = format!("vault/{}/{}", want.vault.subscription_id, want.vault.name).to_ascii_lowercase();
        if endpoint.provisioning_state.is_running() || !self.shared.locks.take(&[vault], owner, looked) {
            let text = "Azure is working on the private endpoint, or another object is changing the same Key Vault.";
            return Err(Fault::new(Class::Conflict, "OtherChangeInProgress", text));
        }
        let [tag, object] = want.owner.released_tags();
        let tags = BTreeMap::from([(OWNER_TAG.to_owned(), Some(tag)), (OBJECT_TAG.to_owned(), Some(object))]);
        let sent = match self.shared.may_release() {
            Ok(()) => arm.writer().update_private_endpoint_tags(&endpoint, &tags).await.map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        if let Ok(accepted) = &sent {
            self.operations.follow(owner, accepted.clone());
            self.finish(arm, owner).await;
        }
        self.shared.locks.clear(owner);
        sent.map(|_| 1)
    }

    /// The Key Vault takes one change at a time, so others wait until this one has ended.
    async fn finish(&self, arm: &ResourceManager, owner: &str) {
        for _ in 0..POLLS {
            match self.operations.poll(arm, owner, &self.shared.pace).await {
                Operation::None | Operation::Failed(_) => return,
                Operation::Running(pause) => tokio::time::sleep(pause.max(Duration::from_millis(200))).await,
            }
        }
        self.operations.forget(owner);
    }
}
