//! Takes away what a deleted `AzureKeystoreConnection` made, one thing a pass.
//!
//! In: the object. Out: what the pass came to. Never: removes what is not ours; touches the UKO vault, the Key Vault or a key in it;
//! opens the public address again; goes on while something cannot be read.

mod look;
mod plan;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(super) mod tests;

use k8s_openapi::jiff::Timestamp;
use kube::runtime::events::Event;
use tokio::time::Instant;

pub(super) use self::look::find as find_keystores;
use self::plan::{Case, Known, Remains, Step, is_our_keystore, part};
use super::{
    KeystoreConnections,
    desired::Desired,
    observe::{Operation, Readers},
    resolve,
};
use crate::{
    api::v1alpha1::{AzureKeystoreConnection, AzureKeystoreConnectionStatus},
    clouds::{
        azure::ArmId,
        ibm::{KeystoreId, UkoVaultId},
    },
    reconcile::{
        announce::{Seen as SeenAt, Turn},
        driver::{self, lock_owner},
        farewell::{Came, Farewell, Next, Parting, left, removed},
        fault::Fault,
        finalizer::Patched,
        stage::{Describe, Waiting},
        summary::Done,
        usage,
        wake::{Key, Kind},
    },
};

/// One pass of a deletion.
pub(super) async fn pass(
    connections: &KeystoreConnections,
    object: &AzureKeystoreConnection,
    key: &Key,
    now: Timestamp,
) -> Farewell<AzureKeystoreConnectionStatus> {
    let shared = &connections.shared;
    let mut status = object.status.clone().unwrap_or_default();
    let owner = lock_owner(Kind::AzureKeystoreConnection, key);
    let found = resolve::references(&shared.kube, &key.0, object, shared.announced.age(driver::now())).await;
    let policy = std::sync::Arc::clone(&connections.policy.borrow().policy);
    let want = Desired::parse(object, key, &shared.cluster_id, found, &policy);
    let mut known = known(&status);
    let asked = connections.operations.endpoint_asked_at(&owner);
    known.last_write_at = known.last_write_at.into_iter().chain(asked).max_by_key(|at| at.0);
    let looked = SeenAt { clock: now, looked: Instant::now() };
    // While the policy refuses the target, not even a token is asked for there.
    let readers = match want.refused {
        Some(_) => Readers { azure: None, uko: None },
        None => connections.readers(&want, &owner).await,
    };
    let seen = look::everything(&readers, &want, &known, shared, &key.0).await;
    if matches!(seen.operation, Operation::None) {
        shared.locks.clear(&owner);
    }
    let pending =
        status.pending_create.clone().filter(|pending| pending.kind == "Keystore" && !seen.has_ours(&want, &known));
    let age = shared.announced.age(now);
    let pause = shared.leadership.create_pause_left();
    let Parting { next, steps, left: remaining } =
        part(&Case { want: &want, seen: &seen, known: &known, pending: pending.as_ref(), age, pause });
    status.pending_create = pending;
    let (came, news) = match next {
        // Its id must survive us: it tells which claims on a ConnectorEndpoint were ours.
        Next::Do(_) if put_on_record(&mut status, &want, &known, &seen) => {
            (Came::Worked("The keystore's id is put on record before it is disconnected.".to_owned()), Vec::new())
        }
        Next::Do(step) => connections.remove(&readers, &want, &known, (&step, looked), key).await,
        Next::Wait(waiting) => (Came::Waits(waiting), Vec::new()),
        Next::Blocked(fault) => (Came::Blocked(fault), Vec::new()),
        Next::Over => (Came::Over, remaining.iter().map(|what| left(what)).collect()),
    };
    let interval = shared.pace.interval(object.spec.interval_seconds);
    Farewell { status, came, steps: steps.iter().map(Describe::describe).collect(), news, interval }
}

/// What status says was ours.
pub(super) fn known(status: &AzureKeystoreConnectionStatus) -> Known {
    let (azure, uko) = (status.azure.as_ref(), status.uko.as_ref());
    Known {
        keystore: uko.and_then(|uko| uko.keystore_id.as_deref()).map(KeystoreId::new),
        uko_vault: uko.and_then(|uko| uko.vault_id.as_deref()).map(UkoVaultId::new),
        private_endpoint: azure.and_then(|azure| azure.private_endpoint_id.as_deref()).and_then(ArmId::parse),
        last_write_at: status.memory.as_ref().and_then(|memory| memory.last_write_at.clone()),
    }
}

/// Whether status had to be changed.
fn put_on_record(status: &mut AzureKeystoreConnectionStatus, want: &Desired, known: &Known, seen: &Remains) -> bool {
    let all = seen.keystores.present().into_iter().flatten();
    let Some((_, ours)) = all.into_iter().find(|(_, keystore)| is_our_keystore(want, known, keystore)) else {
        return false;
    };
    if known.keystore.as_ref() == Some(&ours.id) {
        return false;
    }
    status.uko.get_or_insert_default().keystore_id = Some(ours.id.as_str().to_owned());
    true
}

impl KeystoreConnections {
    async fn remove(
        &self,
        readers: &Readers,
        want: &Desired,
        known: &Known,
        (step, looked): (&Step, SeenAt),
        key: &Key,
    ) -> (Came, Vec<Event>) {
        let owner = lock_owner(Kind::AzureKeystoreConnection, key);
        let locks = locks(step, want);
        match self.shared.turn(&owner, &locks, None, None, looked) {
            Turn::Send => {}
            Turn::Held(word, pause) => {
                return (Came::Waits(Waiting { word, look_again: Some(pause), person: false }), Vec::new());
            }
            Turn::Record(_) => return (Came::Worked(String::new()), Vec::new()),
        }
        let sent = match self.shared.leadership.check() {
            Err(why) => Err(Fault::from(why)),
            Ok(_) => self.send(readers, known, step, (&owner, key)).await,
        };
        let done = sent.map_or_else(Done::Failed, |()| Done::Wrote);
        self.shared.ended(&owner, &locks, None, &done, driver::now());
        match done {
            Done::Failed(fault) => (Came::Blocked(fault), Vec::new()),
            Done::Nothing | Done::Wrote | Done::Asked | Done::Answered | Done::Held(..) => {
                let row = step.describe();
                let news = step.is_outside().then(|| removed(step));
                (Came::Worked(format!("{}: {}.", row.resource, row.detail)), news.into_iter().collect())
            }
        }
    }

    async fn send(
        &self,
        readers: &Readers,
        known: &Known,
        step: &Step,
        (owner, key): (&str, &Key),
    ) -> Result<(), Fault> {
        let uko = readers.uko.as_ref().and_then(|uko| uko.reader.as_ref().ok());
        let arm = readers.azure.as_ref().map(|azure| azure.arm.writer());
        match (step, uko, arm) {
            (Step::DisconnectKeystore { vault, handle, .. }, Some(uko), _) => {
                Ok(uko.writer().delete_keystore(vault, handle).await?)
            }
            (Step::DeleteDnsZoneGroup(group), _, Some(arm)) => {
                self.operations.follow(owner, arm.delete_dns_zone_group(group).await?);
                Ok(())
            }
            (Step::DeletePrivateEndpoint { id, .. }, _, Some(arm)) => {
                self.operations.follow(owner, arm.delete_private_endpoint(id).await?);
                Ok(())
            }
            (Step::ReleaseConnectorEndpoint(name), _, _) => self.let_go(known, name, key).await,
            (Step::DisconnectKeystore { .. }, None, _)
            | (Step::DeleteDnsZoneGroup(_) | Step::DeletePrivateEndpoint { .. }, _, None) => Ok(()),
        }
    }

    /// Read afresh, so that the ids of other keystores stay.
    async fn let_go(&self, known: &Known, name: &str, key: &Key) -> Result<(), Fault> {
        let all = usage::endpoints(&self.shared.kube, &key.0).await?;
        for endpoint in all.iter().filter(|endpoint| endpoint.metadata.name.as_deref() == Some(name)) {
            let mut keystores = usage::keystores(endpoint.metadata.annotations.as_ref());
            if let Some(ours) = &known.keystore {
                keystores.remove(ours.as_str());
            }
            match usage::set(&self.shared.kube, endpoint, &keystores, &self.shared.leadership).await? {
                Patched::Done | Patched::Outdated => {}
            }
        }
        Ok(())
    }
}

/// One change of a Key Vault, or of what stands for it in UKO, at a time; and one of a subnet.
fn locks(step: &Step, want: &Desired) -> Vec<String> {
    let vault = || format!("vault/{}/{}", want.vault.subscription_id, want.vault.name).to_ascii_lowercase();
    match step {
        Step::DisconnectKeystore { .. } => vec![vault()],
        Step::DeletePrivateEndpoint { subnet, .. } => {
            let subnet = subnet.as_ref().map(|subnet| subnet.as_str().to_ascii_lowercase());
            [vault()].into_iter().chain(subnet).collect()
        }
        Step::DeleteDnsZoneGroup(_) | Step::ReleaseConnectorEndpoint(_) => Vec::new(),
    }
}
