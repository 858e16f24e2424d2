//! What the steps of a plan make of the model of the clouds.
//!
//! In: a step. Out: the [`World`] after it, or a refusal. Never: takes what would be wrong outside; that is a failed test.

use super::world::{Connection, Endpoint, Kek, Store, UKO_VAULT, Whose, World, Zone};
use crate::{
    api::v1alpha1::KekState,
    clouds::ibm::KeystoreChange,
    keystore_connection::{
        OWNER_TAG,
        desired::Desired,
        plan::{Step, kek_repair::failed},
    },
    reconcile::{
        fault::{FailedCall, Fault},
        ownership::{Mark, unmarked},
    },
};

impl World {
    /// What Azure refuses whatever else it does.
    pub(super) fn refused(&self, want: &Desired, step: &Step) -> Option<Fault> {
        let call = |code: &str| {
            let call = FailedCall {
                operation: "kv/Key".to_owned(),
                code: Some(code.to_owned()),
                request_id: None,
                field: None,
            };
            Fault { call: Some(Box::new(call)), ..Fault::awaiting_person("Refused", "") }
        };
        let (state, code) = if let Step::RecreateKey { state, .. } = step {
            let deleted = matches!(self.kek, Kek::HiddenDeleted | Kek::SoftDeleted);
            let denied = self.kek_locked.then_some("AuthorizationFailed");
            (*state, if deleted { Some("ObjectIsDeletedButRecoverable") } else { denied })
        } else {
            let recovers = self.kek_locked && matches!(step, Step::RecoverKey);
            (KekState::SoftDeleted, recovers.then_some("ForbiddenByPolicy"))
        };
        code.map(|code| failed(want, state, call(code)))
    }

    /// What was sent and takes effect by now.
    pub(super) fn land(&mut self, now: i64) {
        let (due, later) = std::mem::take(&mut self.later).into_iter().partition::<Vec<_>, _>(|(when, _)| *when <= now);
        self.later = later;
        self.keystores.extend(due.into_iter().map(|(_, store)| store));
    }

    pub(super) fn apply_later(&mut self, want: &Desired, step: &Step, now: i64) {
        let have = self.keystores.len();
        self.apply(want, step, now);
        let late = self.keystores.split_off(have.min(self.keystores.len()));
        self.later.extend(late.into_iter().map(|store| (now + 90, store)));
    }

    /// What a step makes of the model.
    pub(super) fn apply(&mut self, want: &Desired, step: &Step, now: i64) {
        match step {
            Step::GrantKeyPermissions { permissions, .. } => {
                let vault = self.vault.as_mut().unwrap();
                vault.permissions.extend(permissions.iter().map(ToString::to_string));
            }
            Step::CreatePrivateEndpoint { draft, .. } => {
                assert!(self.endpoint.is_none(), "an endpoint was replaced");
                let manual = draft.manual_request.is_some();
                let word = if manual { "Pending" } else { "Approved" }.to_owned();
                self.endpoint = Some(Endpoint {
                    whose: Whose::Ours,
                    tags: draft
                        .tags
                        .iter()
                        .filter(|(name, _)| !name.starts_with("uko-operator-"))
                        .map(|(n, v)| (n.clone(), v.clone()))
                        .collect(),
                    status: word.clone(),
                    manual,
                    fixed_address: draft.private_ip_address.clone(),
                    ..Endpoint::default()
                });
                self.connection = Some(Connection { status: word, ..Connection::default() });
            }
            Step::TagPrivateEndpoint { tags, adopt, .. } => {
                let have = self.endpoint.as_mut().unwrap();
                let may = have.whose != Whose::Others || (*adopt && want.adoption.take_over.is_some());
                assert!(may, "another owner's endpoint was tagged");
                assert!(tags.contains_key(OWNER_TAG));
                have.whose = Whose::Ours;
                have.tags = tags
                    .iter()
                    .filter(|(name, _)| !name.starts_with("uko-operator-"))
                    .map(|(n, v)| (n.clone(), v.clone()))
                    .collect();
            }
            Step::RetryPrivateEndpoint { .. } => self.endpoint.as_mut().unwrap().state = "Succeeded".to_owned(),
            Step::ApproveConnection { .. } => {
                let connection = self.connection.as_mut().unwrap();
                assert_eq!(connection.status, "Pending", "only a pending connection may be approved");
                assert_ne!(self.endpoint.as_ref().unwrap().whose, Whose::Others);
                connection.status = "Approved".to_owned();
                self.endpoint.as_mut().unwrap().status = "Approved".to_owned();
            }
            Step::CreateDnsZoneGroup { .. } => {
                self.zone_group = Some(Zone::Ours);
                self.record = self.endpoint.as_ref().and_then(|have| have.address.clone()).map(|address| vec![address]);
            }
            Step::RemovePrivateEndpoint { .. } => {
                assert_eq!(self.endpoint.as_ref().unwrap().whose, Whose::Ours, "another owner's endpoint was deleted");
                (self.endpoint, self.connection, self.zone_group, self.record) = (None, None, None, None);
            }
            Step::RemoveDnsZoneGroup { .. } => {
                assert_eq!(self.zone_group, Some(Zone::OursElsewhere), "another's zone group was deleted");
                (self.zone_group, self.record) = (None, None);
            }
            Step::CreateUkoVault { .. } => self.uko_vaults.push(UKO_VAULT.to_owned()),
            Step::TestConnection(_) => {}
            Step::CreateKeystore(draft, _) => {
                let number = self.keystores.len() + self.later.len() + 1;
                self.keystores.push(Store {
                    id: format!("88888888-8888-4888-8888-{:012}", i64::try_from(number).unwrap() + now),
                    name: draft.name.clone(),
                    description: unmarked(&draft.description),
                    groups: draft.groups.clone().unwrap_or_default(),
                    tls_proxy: draft.tls_proxy.clone(),
                    client_id: draft.azure_service_principal_client_id.clone(),
                    ..Store::default()
                });
            }
            Step::AdoptKeystore { handle, change, .. } | Step::UpdateKeystore { handle, change, .. } => {
                let store = self.keystores.iter_mut().find(|store| store.id == handle.id.as_str()).unwrap();
                let given = matches!(step, Step::AdoptKeystore { .. }) && want.adoption.take_over.is_some();
                assert!(given || store.whose != Whose::Others, "another owner's keystore was changed");
                change_store(store, want, change);
            }
            Step::RecoverKey => {
                assert_eq!(self.kek, Kek::SoftDeleted, "only a deleted key can be recovered");
                self.kek = Kek::Healthy;
            }
            Step::RecreateKey { .. } => {
                let again = matches!(self.kek, Kek::Missing | Kek::Hidden | Kek::MadeByUko | Kek::Healthy);
                assert!(again, "a key was made over another one: {:?}", self.kek);
                if self.kek != Kek::Healthy {
                    (self.kek, self.kek_version) = (Kek::Healthy, self.kek_version + 1);
                }
            }
            Step::ClosePublicAccess => self.vault.as_mut().unwrap().public = "Disabled".to_owned(),
        }
    }
}

fn change_store(store: &mut Store, want: &Desired, change: &KeystoreChange) {
    match change {
        KeystoreChange::Labels(labels) => {
            if let Some(name) = &labels.name {
                store.name.clone_from(name);
            }
            if let Some(description) = &labels.description {
                assert!(description.chars().count() <= 200, "UKO takes 200 characters");
                assert!(matches!(Mark::find(description), Mark::Of(hash, _) if hash == want.owner.hash));
                store.description = unmarked(description);
                store.whose = Whose::Ours;
            }
            if let Some(groups) = &labels.groups {
                store.groups.clone_from(groups);
            }
        }
        KeystoreChange::Connection(connection) => {
            if let Some(proxy) = &connection.tls_proxy {
                store.tls_proxy = Some(proxy.clone());
            }
            if let Some(client_id) = &connection.azure_service_principal_client_id {
                store.client_id.clone_from(client_id);
            }
        }
    }
}
