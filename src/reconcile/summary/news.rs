//! What changed in the conditions: events for people, an outcome for the metrics.
//!
//! In: conditions before and after. Out: events, an outcome. Never: says the same twice.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType};

use crate::{
    api::condition::{self, ConditionType},
    reconcile::metrics::Outcome,
};

/// How a pass ended, for the metrics.
pub(crate) fn outcome(conditions: &[Condition]) -> Outcome {
    let is = |kind| condition::get(conditions, kind).is_some_and(|condition| condition.status == "True");
    if is(ConditionType::Ready) {
        Outcome::Settled
    } else if is(ConditionType::Reconciling) {
        Outcome::Progressing
    } else {
        Outcome::Failed
    }
}

/// One event for each stage whose state changed, and one for `Ready` where it says something of its own.
pub(crate) fn transitions(before: &[Condition], after: &[Condition]) -> Vec<Event> {
    let said_by_stage = |condition: &Condition| {
        condition.type_ == ConditionType::Ready.as_str()
            && after.iter().any(|stage| stage.type_ != condition.type_ && stage.reason == condition.reason)
    };
    after
        .iter()
        .filter(|condition| condition.type_ != ConditionType::Stalled.as_str() && !said_by_stage(condition))
        .filter(|condition| condition.type_ != ConditionType::Reconciling.as_str())
        .filter(|condition| {
            let old = before.iter().find(|old| old.type_ == condition.type_);
            let known = condition.status != "Unknown"
                || bad_when_true(&condition.type_)
                || old.is_some_and(|old| old.status == "True");
            known && old.is_none_or(|old| (&old.status, &old.reason) != (&condition.status, &condition.reason))
        })
        .map(|condition| {
            let expected = condition.reason.ends_with("InProgress")
                || condition.reason.starts_with("Awaiting")
                || matches!(condition.reason.as_str(), "ChangesPlanned" | "Planned");
            let bad = bad_when_true(&condition.type_) || is_warning(&condition.reason);
            let good = (condition.status == "True" && !bad) || expected;
            Event {
                type_: if good { EventType::Normal } else { EventType::Warning },
                reason: condition.reason.clone(),
                note: Some(condition.message.clone()),
                action: condition.type_.clone(),
                secondary: None,
            }
        })
        .collect()
}

/// Conditions that are there only to complain.
fn bad_when_true(type_: &str) -> bool {
    [
        ConditionType::CredentialsExpiring,
        ConditionType::DeletionBlocked,
        ConditionType::ClaimConflict,
        ConditionType::Drifted,
    ]
    .iter()
    .any(|kind| kind.as_str() == type_)
}

/// Reasons of a condition that is True still, but that a person should look at.
fn is_warning(reason: &str) -> bool {
    matches!(reason, "KekExpiring" | "KekPurgeable" | "KekVersionChanged")
}
