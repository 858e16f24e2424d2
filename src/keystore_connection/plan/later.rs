//! What is certain to follow although an earlier stage hides it still, so that a reviewer of a plan sees everything that costs
//! money, waits for a person or closes a door.
//!
//! In: the case and the verdicts of its stages. Out: rows of `status.plan` in the order of the stages. Never: a step to take now.

use super::{Case, Step, cost, keystore::keystore_connected, private_endpoint, test::uko_vault};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{ConnectionTestPolicy, PlanAction, PlannedStep},
    },
    clouds::azure::PublicAccess,
    reconcile::stage::{Describe, Seen, Stage, Verdict},
};

pub(super) fn later(case: Case<'_>, stages: &[Stage<Step>]) -> Vec<PlannedStep> {
    if case.quick || case.want.refused.is_some() {
        return Vec::new();
    }
    let verdict = |condition| stages.iter().find(|stage| stage.condition == condition).map(|stage| &stage.verdict);
    let mut rows = endpoint(case, verdict(ConditionType::PrivateEndpointReady));
    rows.extend(keystore(case, verdict(ConditionType::ConnectionTested), verdict(ConditionType::KeystoreConnected)));
    let open = case.seen.vault.present().is_some_and(|vault| vault.public_network_access == PublicAccess::Enabled);
    if case.want.close_public_access && open && is_hidden(verdict(ConditionType::NetworkAccessApplied)) {
        rows.push(row(
            PlanAction::Update,
            "Key Vault".to_owned(),
            "disable public network access, once the private path is proven",
        ));
    }
    rows
}

fn row(action: PlanAction, resource: String, detail: &str) -> PlannedStep {
    PlannedStep { action, resource, detail: detail.to_owned(), estimated_cost: None }
}

fn is_hidden(verdict: Option<&Verdict<Step>>) -> bool {
    matches!(verdict, Some(Verdict::Behind(_)))
}

fn endpoint(case: Case<'_>, verdict: Option<&Verdict<Step>>) -> Vec<PlannedStep> {
    let Some(wanted) = &case.want.private_endpoint else { return Vec::new() };
    let name = format!("private endpoint {}", wanted.id.last_segment());
    let mut rows = Vec::new();
    let new = matches!(case.seen.endpoint, Seen::Absent);
    if new && is_hidden(verdict) {
        rows.push(row(PlanAction::Create, name.clone(), &format!("in {}", wanted.subnet.last_segment())));
    }
    if let Some(fields) = private_endpoint::immutable(verdict) {
        rows.push(row(PlanAction::Wait, name.clone(), fields));
    }
    if new && wanted.manual_request.is_some() {
        rows.push(row(PlanAction::Wait, name, "until a person approves it on the Key Vault"));
    }
    let group_is_next = matches!(verdict.and_then(Verdict::to_do), Some(Step::CreateDnsZoneGroup { .. }));
    let blocked = matches!(verdict, Some(Verdict::Blocked(_)));
    let bare = new || !blocked && case.seen.zone_groups.present().is_some_and(Vec::is_empty);
    if let Some(zone) = wanted.zone.as_ref().filter(|_| bare && !group_is_next) {
        rows.push(row(
            PlanAction::Create,
            "DNS zone group uko-operator".to_owned(),
            &format!("in {}", zone.last_segment()),
        ));
    }
    rows
}

/// UKO vault, connection test and keystore, as they would be if every earlier stage held.
fn keystore(case: Case<'_>, tested: Option<&Verdict<Step>>, connected: Option<&Verdict<Step>>) -> Vec<PlannedStep> {
    let mut rows = Vec::new();
    if !is_hidden(connected) {
        return rows;
    }
    let new_vault = uko_vault(case).err().and_then(|verdict| verdict.to_do().cloned());
    let vault_is_next = matches!(tested.and_then(Verdict::to_do), Some(Step::CreateUkoVault { .. }));
    rows.extend(new_vault.as_ref().filter(|_| !vault_is_next).map(Describe::describe));
    let unregistered = case.seen.keystore.present().is_none() && (case.past.keystore.is_none() || case.may_recreate());
    if unregistered && case.want.connection_test != ConnectionTestPolicy::Skip && (is_hidden(tested) || vault_is_next) {
        rows.push(row(
            PlanAction::Wait,
            format!("keystore {}", case.want.keystore.name),
            "let UKO test the connection (dry run; it may have effects in the Key Vault)",
        ));
    }
    match keystore_connected(case, None, &mut Vec::new()) {
        Verdict::Do(Step::CreateUkoVault { .. }, _) => rows.push(creation(case)),
        Verdict::Do(step, _) => rows.push(step.describe()),
        Verdict::Wait(waiting) if waiting.person => {
            rows.push(row(PlanAction::Wait, format!("keystore {}", case.want.keystore.name), &waiting.word.message));
        }
        Verdict::Blocked(_) | Verdict::Unclear(_) | Verdict::Behind(_) if unregistered && new_vault.is_some() => {
            rows.push(creation(case));
        }
        Verdict::Met(_)
        | Verdict::Wait(_)
        | Verdict::Blocked(_)
        | Verdict::Unclear(_)
        | Verdict::Behind(_)
        | Verdict::Skipped(_)
        | Verdict::Unchanged => {}
    }
    rows
}

/// The registration of a keystore whose draft cannot be written yet.
fn creation(case: Case<'_>) -> PlannedStep {
    let detail = format!("for Key Vault {}; a keystore costs money", case.want.vault.name);
    let row = row(PlanAction::Create, format!("keystore {}", case.want.keystore.name), &detail);
    PlannedStep { estimated_cost: cost::of_keystore(case), ..row }
}
