//! Looks for everything outside that may be ours.
//!
//! In: readers, ids in status. Out: [`Remains`]. Never: takes a fault for absence; reads what deletion does not touch.

use futures::join;

use super::plan::{Known, Remains, is_our_keystore};
use crate::{
    clouds::{
        azure::{ArmId, ResourceManager},
        http::Class,
        ibm::{Keystore, Uko, UkoVaultId, uko::InstalledKeys},
    },
    keystore_connection::{
        desired::{Desired, UkoVaultWanted},
        observe::{Operation, Readers, completed, unclear},
    },
    reconcile::{driver::Shared, fault::Fault, stage::Seen, usage},
};

/// Everything at once.
pub(super) async fn everything(
    readers: &Readers,
    want: &Desired,
    known: &Known,
    shared: &Shared,
    namespace: &str,
) -> Remains {
    if want.refused.is_some() {
        return Remains::default();
    }
    let uko = async {
        match (readers.uko.as_ref().map(|uko| uko.reader.as_ref()), &want.login) {
            (_, Err(fault)) => (Seen::Unknown(fault.clone()), Seen::NotLooked),
            (Some(Ok(uko)), Ok(_)) => keystores(uko, want, known).await,
            (Some(Err(error)), Ok(_)) => (Seen::Unknown(Fault::from(error.clone())), Seen::NotLooked),
            (None, Ok(_)) => (Seen::NotLooked, Seen::NotLooked),
        }
    };
    let ((keystores, installed), azure, claimed) = join!(uko, azure(readers, want), claims(shared, namespace, known));
    Remains { keystores, installed, claimed, ..azure }
}

async fn keystores(
    uko: &Uko,
    want: &Desired,
    known: &Known,
) -> (Seen<Vec<(UkoVaultId, Keystore)>>, Seen<InstalledKeys>) {
    let Found { keystores: found, visible } = match find(uko, want, known).await {
        Ok(found) => found,
        Err(fault) => return (Seen::Unknown(fault), Seen::NotLooked),
    };
    if known.keystore.as_ref().is_some_and(|id| !visible && found.iter().all(|(_, keystore)| keystore.id != *id)) {
        return (Seen::Unknown(hidden()), Seen::NotLooked);
    }
    let ours = found.iter().find(|(_, keystore)| is_our_keystore(want, known, keystore));
    let installed = match ours {
        Some((vault, keystore)) => Seen::always(uko.installed_keys(vault, &keystore.id).await),
        None => Seen::NotLooked,
    };
    (Seen::Present(found), installed)
}

/// UKO says of what an identity may not see that it is not there. A keystore counts as gone only where its vault is shown.
fn hidden() -> Fault {
    let text = "UKO does not show the vault of this object's keystore to the identity of spec.uko, so nobody can tell whether the keystore is gone. Give the identity its role on the UKO vault again; if the vault is gone for good, annotate this object with uko-operator.io/abandon: \"true\".";
    Fault::awaiting_person("UkoVaultNotFound", text)
}

/// What UKO shows.
pub(in crate::keystore_connection) struct Found {
    /// Ours, and what stands in the place of ours.
    pub keystores: Vec<(UkoVaultId, Keystore)>,
    /// Whether the vault of ours was shown at all.
    pub visible: bool,
}

/// In every vault that fits: ours by mark, whatever bears the id in status, and whatever is for the same Key Vault. Each is read
/// once more: a list has no version, and may leave out the Key Vault.
pub(in crate::keystore_connection) async fn find(uko: &Uko, want: &Desired, known: &Known) -> Result<Found, Fault> {
    uko.sign_in().await?;
    let mut shown: Vec<UkoVaultId> = match &want.uko_vault {
        UkoVaultWanted::Id(id) => uko.vault(id).await?.into_iter().map(|vault| vault.id).collect(),
        UkoVaultWanted::Named { name, .. } => uko.vaults_named(name).await?.into_iter().map(|vault| vault.id).collect(),
    };
    if let Some(id) = known.uko_vault.as_ref().filter(|id| !shown.contains(id)) {
        shown.extend(uko.vault(id).await?.map(|vault| vault.id));
    }
    let mut found = Found { keystores: Vec::new(), visible: false };
    for vault in shown {
        let listed = match uko.keystores(&vault).await {
            Err(error) if error.class == Class::NotFound => continue,
            listed => listed?,
        };
        found.visible |= known.uko_vault.as_ref().is_none_or(|known| *known == vault);
        let counts = |keystore: &Keystore| is_our_keystore(want, known, keystore) || want.is_for_key_vault(keystore);
        let (mut counted, others): (Vec<_>, Vec<_>) = listed.into_iter().partition(counts);
        let others = completed(uko, want, &vault, others).await?;
        if let Some(fault) = unclear(&others, want) {
            return Err(fault);
        }
        counted.extend(others.into_iter().filter(counts));
        let mut ids: Vec<_> = counted.into_iter().map(|keystore| keystore.id).collect();
        if let Some(id) = known.keystore.as_ref().filter(|id| !ids.contains(id)) {
            ids.push(id.clone());
        }
        for id in ids {
            if let Some(keystore) = uko.keystore(&vault, &id).await?
                && !found.keystores.iter().any(|(_, one)| one.id == keystore.id)
            {
                found.keystores.push((vault.clone(), keystore));
            }
        }
    }
    Ok(found)
}

async fn azure(readers: &Readers, want: &Desired) -> Remains {
    let Some(wanted) = &want.private_endpoint else { return Remains::default() };
    match (&want.operator, &readers.azure) {
        (Err(fault), _) => Remains { endpoint: Seen::Unknown(fault.clone()), ..Remains::default() },
        (Ok(_), Some(azure)) => network(&azure.arm, azure.operation.clone(), &wanted.id).await,
        (Ok(_), None) => Remains::default(),
    }
}

/// A resource group that is gone took everything in it along.
async fn network(arm: &ResourceManager, operation: Operation, id: &ArmId) -> Remains {
    let endpoint = match arm.private_endpoint(id).await {
        Err(error) if error.reason == "ResourceGroupNotFound" => Seen::Absent,
        other => Seen::of(other),
    };
    let groups = match &endpoint {
        Seen::Present(_) => Seen::always(arm.dns_zone_groups(id).await),
        Seen::Absent | Seen::Unknown(_) | Seen::NotLooked => Seen::NotLooked,
    };
    Remains { operation, endpoint, groups, ..Remains::default() }
}

/// The endpoints of this namespace that say that our keystore goes through them.
async fn claims(shared: &Shared, namespace: &str, known: &Known) -> Seen<Vec<String>> {
    let Some(keystore) = &known.keystore else { return Seen::Absent };
    let all = usage::endpoints(&shared.kube, namespace).await;
    Seen::always(all.map(|all| {
        all.into_iter()
            .filter(|endpoint| usage::keystores(endpoint.metadata.annotations.as_ref()).contains(keystore.as_str()))
            .filter_map(|endpoint| endpoint.metadata.name)
            .collect()
    }))
}
