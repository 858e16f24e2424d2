//! Compares what is wanted with what was seen: a verdict for each stage, and the steps still to do.
//!
//! In: [`Desired`], [`Observed`], [`Past`], the time. Out: a [`Plan`]. Never: I/O, clock, log.

mod cost;
mod identities;
pub(super) mod kek;
pub(super) mod kek_repair;
pub(super) mod kek_words;
mod keystore;
mod later;
pub(super) mod network_access;
pub(super) mod path;
pub(super) mod private_endpoint;
pub(super) mod rotation;
mod step;
mod test;
#[cfg(test)]
mod tests;
mod vault;

use k8s_openapi::jiff::Timestamp;

pub(super) use self::{keystore::is_ours, step::Step};
use super::{Past, desired::Desired, observe::Observed};
use crate::{
    api::{condition::ConditionType, v1alpha1::DriftPolicy},
    reconcile::{
        fault::Fault,
        stage::{Plan, Seen, Stage, Verdict},
    },
};

/// Everything that a stage may look at.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    /// What is wanted.
    pub want: &'a Desired,
    /// What was seen.
    pub seen: &'a Observed,
    /// What status remembers.
    pub past: &'a Past<'a>,
    /// Only the four things that change by themselves were looked at.
    pub quick: bool,
    /// Now.
    pub now: Timestamp,
}

impl Case<'_> {
    /// A person asked for a removed keystore to be made again. A wish from the future would count for every later removal too.
    fn may_recreate(self) -> bool {
        self.past.recreate_requested.is_some_and(|asked| asked <= self.now)
    }

    /// The same for the private endpoint.
    fn may_replace_endpoint(self) -> bool {
        self.past.replace_requested.is_some_and(|asked| asked <= self.now)
    }

    /// The same for one that stands there and cannot be used, which is deleted first. One wish deletes one endpoint; while the
    /// keystore is what is missing, that is what it is for; and one from before the spec changed was for something else.
    fn may_remove_endpoint(self, reason: &str) -> bool {
        let memory = self.past.memory;
        let for_keystore = self.past.keystore.is_some() && matches!(self.seen.keystore, Seen::Absent);
        let too_old = |asked: Timestamp| {
            reason == "PrivateEndpointImmutable"
                && memory.inputs_changed_at.as_ref().is_some_and(|changed| changed.0 >= asked)
        };
        let served = |asked: Timestamp| memory.replaced_for.as_ref().is_some_and(|wish| wish.0 == asked);
        let wish = self.past.replace_requested.filter(|asked| !served(*asked) && !too_old(*asked));
        self.may_replace_endpoint() && wish.is_some() && !for_keystore
    }

    /// Everything was once as this very spec wants it, and what differs since is only to be reported.
    fn only_reports(self) -> bool {
        self.want.drift == DriftPolicy::Report && self.past.settled
    }
}

/// The plan.
pub(super) fn plan(case: Case<'_>) -> Plan<Step> {
    let mut drift = Vec::new();
    let credentials = identities::credentials_valid(case);
    let may_act = credentials.carries() || matches!(&credentials, Verdict::Unclear(_));
    let vault = hold(vault::vault_ready(case, &mut drift), may_act);
    let endpoint = hold(private_endpoint::private_endpoint_ready(case, &vault, &mut drift), may_act);
    let path = path::connector_endpoint_ready(case);
    let ready_path = first_open([
        (ConditionType::CredentialsValid, &credentials),
        (ConditionType::VaultReady, &vault),
        (ConditionType::PrivateEndpointReady, &endpoint),
        (ConditionType::ConnectorEndpointReady, &path),
    ]);
    let tested = test::connection_tested(case, ready_path);
    let open = ready_path.or_else(|| first_open([(ConditionType::ConnectionTested, &tested)]));
    let keystore = keystore::keystore_connected(case, open, &mut drift);
    let kek = kek::key_encryption_key_healthy(case, &keystore, may_act);
    let before = open.or_else(|| first_open([(ConditionType::KeystoreConnected, &keystore)]));
    let access = network_access::network_access_applied(case, before, &keystore, &mut drift);
    let stages = vec![
        Stage::new(ConditionType::CredentialsValid, credentials),
        Stage::new(ConditionType::VaultReady, vault),
        Stage::new(ConditionType::PrivateEndpointReady, endpoint),
        Stage::new(ConditionType::ConnectorEndpointReady, path),
        Stage::new(ConditionType::ConnectionTested, tested),
        Stage::new(ConditionType::KeystoreConnected, keystore),
        Stage { red_at_once: true, ..Stage::new(ConditionType::KeyEncryptionKeyHealthy, kek) },
        Stage::new(ConditionType::NetworkAccessApplied, access),
    ];
    let later = later::later(case, &stages);
    Plan { stages, drift, later }
}

/// The first of these stages that does not carry.
fn first_open<const N: usize>(stages: [(ConditionType, &Verdict<Step>); N]) -> Option<ConditionType> {
    stages.into_iter().find(|(_, verdict)| !verdict.carries()).map(|(condition, _)| condition)
}

/// Whether what a record of creation speaks of is there.
pub(super) fn found(seen: &Observed, kind: &str) -> bool {
    match kind {
        "UkoVault" => seen.uko_vaults.present().is_some_and(|vaults| !vaults.is_empty()),
        _ => seen.keystore.present().is_some(),
    }
}

/// Nothing is written while we do not know who we are.
fn hold(verdict: Verdict<Step>, may_act: bool) -> Verdict<Step> {
    if verdict.to_do().is_some() && !may_act { Verdict::Behind(ConditionType::CredentialsValid) } else { verdict }
}

/// A fault that was read: passing ones leave the stage unclear, others block it.
fn faulty(fault: &Fault) -> Verdict<Step> {
    if fault.is_passing() { Verdict::Unclear(fault.clone()) } else { Verdict::Blocked(fault.clone()) }
}
