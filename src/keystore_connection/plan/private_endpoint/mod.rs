//! Stage `PrivateEndpointReady`: the endpoint exists, is ours, approved on both sides, and has an address and a name.
//!
//! In: the endpoint and everything around it. Out: a verdict. Never: recreates what a person refused; replaces what Azure cannot change.

mod connection;
mod create;
mod dns;
mod tags;

use std::time::Duration;

pub(in crate::keystore_connection) use self::tags::set_by_us;
use super::{Case, Step, faulty};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, DriftPolicy},
    },
    clouds::{
        azure::{ConnectionStatus, PrivateEndpoint, Vault},
        http::Class,
    },
    keystore_connection::{OBJECT_TAG, OWNER_TAG, desired::PrivateEndpointWanted, observe::Operation},
    reconcile::{
        fault::Fault,
        ownership::{Claim, Mark},
        stage::{Seen, Verdict},
        summary::age,
    },
};

/// Azure has finished an endpoint long before \[P\].
const BUDGET: Duration = Duration::from_mins(15);
/// What a person may ask for where nothing else helps.
const AGAIN: &str =
    "annotate this object with uko-operator.io/recreate-requested-at: <now, RFC 3339> to have it deleted and made anew";

pub(super) fn private_endpoint_ready(case: Case<'_>, vault: &Verdict<Step>, drift: &mut Vec<Drift>) -> Verdict<Step> {
    let Some(wanted) = &case.want.private_endpoint else {
        return Verdict::met("NotManaged", not_managed(case));
    };
    if case.quick {
        return side_of_the_vault(case, wanted);
    }
    match &case.seen.operation {
        Operation::None => {}
        Operation::Running(wait) => {
            return Verdict::in_progress(
                "PrivateEndpointInProgress",
                "Azure is working on the private endpoint.",
                Some(*wait),
            );
        }
        Operation::Failed(fault) => return faulty(fault),
    }
    let endpoint = match &case.seen.endpoint {
        Seen::NotLooked => return Verdict::Behind(ConditionType::CredentialsValid),
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent if !vault.carries() => return Verdict::Behind(ConditionType::VaultReady),
        Seen::Absent if is_gone(case) => {
            let (field, want) = ("spec.privateEndpoint.name".to_owned(), wanted.id.last_segment().to_owned());
            drift.push(Drift { field, want, have: String::new() });
            let text = "The private endpoint is gone, and driftPolicy is Report: set it to Correct, or annotate this object with uko-operator.io/recreate-requested-at: <now, RFC 3339>, to have it made again.";
            return Verdict::Blocked(Fault::awaiting_person("PrivateEndpointGone", text));
        }
        Seen::Absent => return create::create(case, wanted),
        Seen::Present(endpoint) => endpoint,
    };
    let claim = claim(case, endpoint);
    if let Claim::Refused(why) = claim {
        let text = format!("Azure already has a private endpoint {}: {why}.", endpoint.name);
        return Verdict::Blocked(Fault::awaiting_person("ClaimConflict", text));
    }
    let fixed = fixed_differences(wanted, endpoint, case.seen.vault.present());
    if !fixed.is_empty() {
        let fields = fixed.iter().map(|drift| drift.field.clone()).collect::<Vec<_>>().join(", ");
        drift.extend(fixed);
        return match claim {
            Claim::Ours => {
                let text = format!(
                    "Private endpoint {} differs in {fields}, which Azure cannot change in place. Undo the change, or {AGAIN}.",
                    endpoint.name
                );
                again_or(case, endpoint, Fault::new(Class::Denied, "PrivateEndpointImmutable", text))
            }
            Claim::Adoptable | Claim::Refused(_) => Verdict::Blocked(Fault::invalid(
                "AdoptionMismatch",
                format!(
                    "Private endpoint {} may be taken over, but differs in {fields}. Make the spec fit it, or choose another name.",
                    endpoint.name
                ),
            )),
        };
    }
    if endpoint.provisioning_state.is_running() && working_for(case) > BUDGET {
        let text = "Azure has not finished the private endpoint within 15 minutes. Look at its activity log.";
        return Verdict::Blocked(Fault::awaiting_person("OperationTimedOut", text));
    }
    if endpoint.provisioning_state.is_running() {
        return Verdict::in_progress("PrivateEndpointInProgress", "Azure is working on the private endpoint.", None);
    }
    if let Some(verdict) = tags::tags(case, wanted, endpoint, &claim, drift) {
        return verdict;
    }
    connection::provisioned(case, wanted, endpoint, drift)
}

/// It was there, and only a person may have it made again.
fn is_gone(case: Case<'_>) -> bool {
    case.past.private_endpoint.is_some() && case.want.drift == DriftPolicy::Report && !case.may_replace_endpoint()
}

/// What the spec no longer names stays outside, and that is said once.
fn not_managed(case: Case<'_>) -> String {
    case.past.private_endpoint.as_ref().map_or_else(
        || "spec.privateEndpoint is absent: the private endpoint, if any, is managed elsewhere.".to_owned(),
        |id| {
            format!(
                "spec.privateEndpoint was removed: private endpoint {} stays in Azure as it is, marks included. Delete it there once nothing uses it.",
                id.last_segment()
            )
        },
    )
}

/// A person asked for it since it was made: then it makes room for a new one. It is never replaced otherwise.
fn again_or(case: Case<'_>, endpoint: &PrivateEndpoint, fault: Fault) -> Verdict<Step> {
    if !case.may_remove_endpoint(fault.reason) {
        return Verdict::Blocked(fault);
    }
    let step = Step::RemovePrivateEndpoint { endpoint: endpoint.clone() };
    Verdict::step(
        step,
        "PrivateEndpointInProgress",
        "The private endpoint is being deleted, to be made anew as asked for.",
    )
}

/// What `status.plan` says of an endpoint that stands as the spec does not want it.
pub(super) fn immutable(verdict: Option<&Verdict<Step>>) -> Option<&str> {
    match verdict {
        Some(Verdict::Blocked(fault)) if fault.reason == "PrivateEndpointImmutable" => Some(&fault.message),
        Some(_) | None => None,
    }
}

/// Since when Azure has been working on it, as far as we know.
fn working_for(case: Case<'_>) -> Duration {
    let stage = ConditionType::PrivateEndpointReady.as_str();
    let row = case.past.memory.failures.iter().find(|row| row.stage == stage);
    row.filter(|row| matches!(row.reason.as_str(), "PrivateEndpointInProgress" | "OperationTimedOut")).map_or(
        Duration::ZERO,
        |row| {
            if row.reason == "OperationTimedOut" { Duration::MAX } else { age(&row.since, case.now) }
        },
    )
}

fn claim(case: Case<'_>, endpoint: &PrivateEndpoint) -> Claim {
    let mark =
        Mark::from_parts(endpoint.tag(OWNER_TAG).unwrap_or_default(), endpoint.tag(OBJECT_TAG).unwrap_or_default());
    match mark {
        // The id stands in status, so it was ours; someone took the tags off.
        Mark::None if case.past.private_endpoint.as_ref().is_some_and(|id| id.same_as(&endpoint.id)) => Claim::Ours,
        Mark::None | Mark::Released(_) | Mark::Of(..) => case.want.owner.claim(&mark, &case.want.adoption),
    }
}

/// Whether its id may stand in status: from then on that alone makes it ours.
pub(in crate::keystore_connection) fn is_ours(case: Case<'_>, endpoint: &PrivateEndpoint) -> bool {
    claim(case, endpoint) == Claim::Ours
}

/// What Azure cannot change in place. An answer without the fact is no difference.
fn fixed_differences(wanted: &PrivateEndpointWanted, have: &PrivateEndpoint, vault: Option<&Vault>) -> Vec<Drift> {
    let mut found = Vec::new();
    let mut differs = |field: &str, different: bool, want: &str, have: &str| {
        if different {
            found.push(Drift {
                field: format!("spec.privateEndpoint.{field}"),
                want: want.to_owned(),
                have: have.to_owned(),
            });
        }
    };
    if let Some(subnet) = &have.subnet_id {
        differs("subnetId", !subnet.same_as(&wanted.subnet), wanted.subnet.as_str(), subnet.as_str());
    }
    if let (Some(target), Some(vault)) = (&have.target_id, vault) {
        differs("name", !target.same_as(&vault.id), vault.id.as_str(), target.as_str());
    }
    if let (Some(want), Some(have)) = (&wanted.network_interface_name, &have.nic_name) {
        differs("networkInterfaceName", !want.eq_ignore_ascii_case(have), want, have);
    }
    if let Some(want) = &wanted.address {
        let have = have.static_ip.as_deref().unwrap_or("dynamic");
        differs("privateIPAddress", want != have, want, have);
    }
    let word = |manual: bool| if manual { "Manual" } else { "Automatic" };
    let manual = wanted.manual_request.is_some();
    differs("approval", manual != have.manual, word(manual), word(have.manual));
    found
}

/// On a quick look the vault's own answer still carries the state of our connection.
fn side_of_the_vault(case: Case<'_>, wanted: &PrivateEndpointWanted) -> Verdict<Step> {
    let state = case
        .seen
        .vault
        .present()
        .and_then(|vault| vault.connection_of(&wanted.id))
        .map(|connection| &connection.state.status);
    match state {
        Some(ConnectionStatus::Approved) => Verdict::Unchanged,
        Some(_) | None => Verdict::Behind(ConditionType::VaultReady),
    }
}
