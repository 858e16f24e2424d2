//! Looks at UKO: vault, keystore, health.
//!
//! In: a reader of one UKO. Out: the UKO half of [`Observed`]. Never: writes; sends a password.

use futures::join;

use super::{
    Observed,
    listed::{certain, completed, pick, unclear},
};
use crate::{
    clouds::{
        http::Error,
        ibm::{Keystore, KeystoreId, Uko, UkoVaultId},
    },
    keystore_connection::{
        Past,
        desired::{Desired, UkoVaultWanted},
    },
    reconcile::{fault::Fault, stage::Seen},
};

/// A reader of one UKO, or why there is none.
pub(in crate::keystore_connection) struct UkoSide {
    /// The reader.
    pub reader: Result<Uko, Error>,
    /// Its URL.
    pub base_url: Option<String>,
}

impl UkoSide {
    /// Fills in the UKO half of `seen`.
    pub(super) async fn look(&self, seen: &mut Observed, want: &Desired, past: &Past<'_>, quick: bool) {
        let uko = match &self.reader {
            Ok(uko) => uko,
            Err(error) => {
                seen.login = Seen::Unknown(Fault::from(error.clone()));
                return;
            }
        };
        seen.base_url.clone_from(&self.base_url);
        if quick {
            if let (Some(vault), Some(keystore)) = (&past.uko_vault, &past.keystore) {
                one(seen, uko, vault, keystore).await;
            }
            return;
        }
        if let Err(error) = uko.sign_in().await {
            seen.login = Seen::Unknown(Fault::from(error));
            return;
        }
        seen.login = Seen::Present(());
        let vaults = async {
            match &want.uko_vault {
                UkoVaultWanted::Id(id) => Seen::always(uko.vault(id).await.map(|vault| vault.into_iter().collect())),
                UkoVaultWanted::Named { name, .. } => Seen::always(uko.vaults_named(name).await),
            }
        };
        let known = async {
            let mut known = Observed::default();
            if let (Some(vault), Some(keystore)) = (&past.uko_vault, &past.keystore) {
                one(&mut known, uko, vault, keystore).await;
            }
            known
        };
        let (vaults, known) = join!(vaults, known);
        let id = match vaults.present().map(Vec::as_slice) {
            Some([one]) => Some(one.id.clone()),
            Some(_) | None => None,
        };
        seen.uko_vaults = vaults;
        (seen.keystore, seen.health) = (known.keystore, known.health);
        match (&seen.keystore, id) {
            (Seen::Absent | Seen::NotLooked, Some(id)) => search(seen, uko, want, &id).await,
            (Seen::Present(_) | Seen::Unknown(_), _) | (_, None) => {}
        }
        if costs_more(seen, want, past.keystore.is_some() && past.recreate_requested.is_none()) {
            seen.instance = Seen::always(uko.kinds_of_all_keystores().await);
        }
    }
}

/// The keystore that status names, and its health, at once.
async fn one(seen: &mut Observed, uko: &Uko, vault: &UkoVaultId, keystore: &KeystoreId) {
    let (read, status) = join!(uko.keystore(vault, keystore), uko.status(vault, keystore));
    seen.keystore = Seen::of(read);
    if seen.keystore.present().is_some() {
        seen.health = Seen::always(status);
    }
}

/// Whether a plan may hold a further keystore with a known price. `removed`: somebody took ours away and nobody wants it back.
pub(in crate::keystore_connection) fn costs_more(seen: &Observed, want: &Desired, removed: bool) -> bool {
    let missing = match &seen.keystore {
        Seen::Absent | Seen::NotLooked => !removed,
        Seen::Present(_) | Seen::Unknown(_) => false,
    };
    let has_place = match (seen.uko_vaults.present().map(Vec::as_slice), &want.uko_vault) {
        (Some([_]), _) | (Some([]), UkoVaultWanted::Named { create: true, .. }) => true,
        (None | Some(_), _) => false,
    };
    want.prices.is_some() && missing && has_place && !want.is_at_its_limit()
}

/// Over all pages. The answer of a list holds no `ETag`, so the find is read again; it may also leave out for which Key Vault a keystore
/// is, so before one counts as absent, those that do not tell are read one by one.
async fn search(seen: &mut Observed, uko: &Uko, want: &Desired, vault: &UkoVaultId) {
    seen.keystores = Seen::always(listed(uko, want, vault).await);
    let Some(all) = seen.keystores.present() else {
        if let Some(fault) = seen.keystores.fault() {
            seen.keystore = Seen::Unknown(fault.clone());
        }
        return;
    };
    match (pick(all, want).map(|found| found.id.clone()), unclear(all, want)) {
        (Some(id), _) => one(seen, uko, vault, &id).await,
        (None, Some(fault)) => seen.keystore = Seen::Unknown(fault),
        (None, None) => seen.keystore = Seen::Absent,
    }
}

async fn listed(uko: &Uko, want: &Desired, vault: &UkoVaultId) -> Result<Vec<Keystore>, Error> {
    let all = uko.keystores(vault).await?;
    if certain(&all, want).is_some() { Ok(all) } else { completed(uko, want, vault, all).await }
}
