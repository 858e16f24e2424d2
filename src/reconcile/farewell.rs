//! Puts one pass of a deletion into status, alike for both kinds.
//!
//! In: what the pass came to. Out: `DeletionBlocked`, `Ready`, memory, and the next look. Never: decides what is removed; reads a clock.

use std::time::Duration;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::runtime::events::{Event, EventType};

use super::{
    fault::Fault,
    ownership::cut,
    pace::{PaceSettings, jittered},
    stage::{Describe, Waiting, Word},
    summary::{ATTEMPTS_MAX, last_failure},
};
use crate::{
    api::{
        condition::{self, ConditionType, Statement, Status},
        v1alpha1::{Drift, LastFailure, Memory, PlannedStep, StageFailure},
    },
    clouds::http::Class,
};

/// Reason of everything that is said while a deletion goes its way.
const IN_PROGRESS: &str = "DeletionInProgress";
/// Longest action of an event.
const ACTION_MAX: usize = 128;
/// How a person ends a deletion that cannot go on.
const WAY_OUT: &str =
    "To let this object go and leave what remains, annotate it with uko-operator.io/abandon: \"true\".";

/// What a pass concluded from what it saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next<S> {
    /// Take this away, then look again.
    Do(S),
    /// Something ends by itself.
    Wait(Waiting),
    /// It cannot go on.
    Blocked(Fault),
    /// Nothing of ours is left.
    Over,
}

/// The conclusion with everything around it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Parting<S> {
    /// What comes next.
    pub next: Next<S>,
    /// All that is still to be removed, as far as it was seen.
    pub steps: Vec<S>,
    /// What is left alone, and why, for the last event.
    pub left: Vec<String>,
}

/// What a pass came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Came {
    /// Nothing of ours is left outside.
    Over,
    /// Something was removed: look again.
    Worked(String),
    /// Something ends by itself.
    Waits(Waiting),
    /// It cannot go on.
    Blocked(Fault),
}

/// One pass of a deletion.
pub(crate) struct Farewell<S> {
    /// The status, as far as the kind alone knows it.
    pub status: S,
    /// What it came to.
    pub came: Came,
    /// What is still to be removed.
    pub steps: Vec<PlannedStep>,
    /// What happened.
    pub news: Vec<Event>,
    /// The object's interval.
    pub interval: Duration,
}

/// What both kinds' statuses have in common.
pub(crate) struct Ledger<'a> {
    /// Conditions.
    pub conditions: &'a mut Vec<Condition>,
    /// Memory.
    pub memory: &'a mut Option<Memory>,
    /// What is still to be done.
    pub plan: &'a mut Vec<PlannedStep>,
    /// Differences.
    pub drift: &'a mut Vec<Drift>,
    /// What failed last.
    pub last_failure: &'a mut Option<LastFailure>,
    /// When it was looked at.
    pub last_checked_at: &'a mut Option<Time>,
    /// Of which generation this speaks.
    pub observed_generation: &'a mut i64,
}

/// What a conclusion is drawn against.
pub(crate) struct Frame<'a> {
    /// Generation of the object.
    pub generation: i64,
    /// Now.
    pub now: Timestamp,
    /// The operator's pace.
    pub pace: &'a PaceSettings,
    /// The longest wait of this object.
    pub interval: Duration,
    /// 0..1, for the jitter.
    pub dice: f64,
}

/// Writes what a pass came to into a status. Answers when to look again.
pub(crate) fn conclude(ledger: &mut Ledger<'_>, came: &Came, steps: Vec<PlannedStep>, frame: &Frame<'_>) -> Duration {
    silence(ledger.conditions, frame);
    ledger.drift.clear();
    *ledger.plan = steps;
    *ledger.observed_generation = frame.generation;
    *ledger.last_checked_at = Some(Time(frame.now));
    let word = word(came);
    let attempts = remember(ledger.memory.get_or_insert_default(), &word, frame.now);
    say(ledger.conditions, frame, ConditionType::Ready, Status::False, &word);
    for kind in [ConditionType::DeletionBlocked, ConditionType::Reconciling, ConditionType::Stalled] {
        if flags(came).contains(&kind) {
            say(ledger.conditions, frame, kind, Status::True, &word);
        } else {
            condition::remove(ledger.conditions, kind);
        }
    }
    if let Came::Blocked(fault) = came
        && let Some(failure) = last_failure(fault, frame.now)
    {
        *ledger.last_failure = Some(failure);
    }
    let (wait, floor) = match came {
        Came::Over => (Duration::ZERO, Duration::ZERO),
        Came::Worked(_) => (frame.pace.again(attempts), Duration::ZERO),
        Came::Waits(waiting) => (frame.pace.for_cloud(waiting.look_again), Duration::ZERO),
        Came::Blocked(fault) => (frame.pace.after(fault, attempts), fault.retry_after.unwrap_or_default()),
    };
    jittered(wait, frame.dice).min(frame.interval).max(floor)
}

/// A living object that says Delete could not be given its finalizer. Answers when to try again.
pub(crate) fn unguarded(ledger: &mut Ledger<'_>, fault: &Fault, frame: &Frame<'_>) -> Duration {
    let message =
        format!("Nothing is done before the finalizer that deletionPolicy: Delete needs is there. {}", fault.message);
    let word = Word { reason: fault.reason, message };
    say(ledger.conditions, frame, ConditionType::Ready, Status::False, &word);
    for kind in [ConditionType::Reconciling, ConditionType::Stalled] {
        condition::remove(ledger.conditions, kind);
    }
    *ledger.observed_generation = frame.generation;
    jittered(frame.pace.after(fault, 1), frame.dice).min(frame.interval)
}

/// A deleted object that this version cannot read, and that says Delete.
pub(crate) fn unreadable() -> Fault {
    let text = format!(
        "The object says deletionPolicy: Delete, and this version of the operator cannot read it, so it does not know what to remove. Upgrade the operator, or correct the spec. {WAY_OUT}"
    );
    Fault::invalid("ObjectUnreadable", text)
}

/// Nobody looks at the stages any more, so nothing may be claimed of them.
fn silence(conditions: &mut Vec<Condition>, frame: &Frame<'_>) {
    for kind in [ConditionType::ClaimConflict, ConditionType::Drifted, ConditionType::CredentialsExpiring] {
        condition::remove(conditions, kind);
    }
    let own =
        [ConditionType::Ready, ConditionType::Reconciling, ConditionType::Stalled, ConditionType::DeletionBlocked];
    let word =
        Word { reason: IN_PROGRESS, message: "The object is being deleted; nobody looks at this any more.".to_owned() };
    let stages = ConditionType::ALL.iter().filter(|kind| !own.contains(kind));
    for kind in stages {
        if condition::get(conditions, *kind).is_some() {
            say(conditions, frame, *kind, Status::Unknown, &word);
        }
    }
}

fn word(came: &Came) -> Word {
    match came {
        Came::Over => Word { reason: IN_PROGRESS, message: "Everything that was to be removed is gone.".to_owned() },
        Came::Worked(message) => Word { reason: IN_PROGRESS, message: message.clone() },
        Came::Waits(waiting) => waiting.word.clone(),
        Came::Blocked(fault) if fault.is_passing() => Word { reason: fault.reason, message: fault.message.clone() },
        Came::Blocked(fault) => Word { reason: fault.reason, message: format!("{} {WAY_OUT}", fault.message) },
    }
}

/// The conditions that are True beside Ready=False.
fn flags(came: &Came) -> &'static [ConditionType] {
    match came {
        Came::Over | Came::Worked(_) | Came::Waits(_) => &[ConditionType::Reconciling],
        Came::Blocked(fault) => match fault.class {
            Class::Transient | Class::Throttled | Class::Conflict | Class::Provisioning => {
                &[ConditionType::DeletionBlocked, ConditionType::Reconciling]
            }
            Class::Denied | Class::Invalid => &[ConditionType::DeletionBlocked, ConditionType::Stalled],
            Class::NotFound | Class::AwaitingPerson => &[ConditionType::DeletionBlocked],
        },
    }
}

/// How often the same came in a row.
fn remember(memory: &mut Memory, word: &Word, now: Timestamp) -> u32 {
    let stage = ConditionType::DeletionBlocked.as_str();
    let before = memory.failures.drain(..).find(|row| row.stage == stage && row.reason == word.reason);
    let attempts = before.as_ref().map_or(0, |row| row.attempts).saturating_add(1).min(ATTEMPTS_MAX);
    let since = before.map_or(Time(now), |row| row.since);
    memory.failures.push(StageFailure { stage: stage.to_owned(), reason: word.reason.to_owned(), since, attempts });
    attempts
}

fn say(list: &mut Vec<Condition>, frame: &Frame<'_>, kind: ConditionType, status: Status, word: &Word) {
    let statement = Statement { kind, status, reason: word.reason, message: &word.message };
    condition::set(list, &statement, frame.generation, frame.now);
}

/// Only these two conditions are news while an object leaves.
pub(crate) fn worth_telling(conditions: &[Condition]) -> Vec<Condition> {
    let told = [ConditionType::Ready, ConditionType::DeletionBlocked];
    told.iter().filter_map(|kind| condition::get(conditions, *kind)).cloned().collect()
}

/// Something was removed.
pub(crate) fn removed<S: Describe>(step: &S) -> Event {
    let row = step.describe();
    event(EventType::Normal, "Deleted", &row.resource, format!("{}: {}.", row.resource, row.detail))
}

/// Something was left as it is, and why.
pub(crate) fn left(what: &str) -> Event {
    event(EventType::Warning, "LeftBehind", what, what.to_owned())
}

/// A person let it go.
pub(crate) fn abandoned(remains: &[String]) -> Event {
    let what = if remains.is_empty() { "whatever it made outside".to_owned() } else { remains.join(", ") };
    let note = format!("Let go by uko-operator.io/abandon. Left behind, with its marks: {what}. Remove it by hand.");
    event(EventType::Warning, "Abandoned", "Delete", note)
}

/// Events of one reason and one action become one, and only the first is told: so each thing has an action of its own.
fn event(type_: EventType, reason: &str, action: &str, note: String) -> Event {
    Event { type_, reason: reason.to_owned(), note: Some(note), action: cut(action, ACTION_MAX), secondary: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::v1alpha1::ConnectorEndpointStatus, reconcile::scenario};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn pass(status: &mut ConnectorEndpointStatus, came: &Came, second: i64) -> Duration {
        let pace = scenario::pace();
        let interval = Duration::from_mins(5);
        let frame = Frame { generation: 3, now: at(second), pace: &pace, interval, dice: 0.5 };
        conclude(&mut ledger(status), came, Vec::new(), &frame)
    }

    fn ledger(status: &mut ConnectorEndpointStatus) -> Ledger<'_> {
        Ledger {
            conditions: &mut status.conditions,
            memory: &mut status.memory,
            plan: &mut status.plan,
            drift: &mut status.drift,
            last_failure: &mut status.last_failure,
            last_checked_at: &mut status.last_checked_at,
            observed_generation: &mut status.observed_generation,
        }
    }

    fn told(status: &ConnectorEndpointStatus, kind: ConditionType) -> Option<(&str, &str)> {
        condition::get(&status.conditions, kind).map(|one| (one.status.as_str(), one.reason.as_str()))
    }

    fn healthy() -> ConnectorEndpointStatus {
        let mut status = ConnectorEndpointStatus::default();
        for kind in [ConditionType::Ready, ConditionType::EndpointProvisioned, ConditionType::Drifted] {
            let statement = Statement { kind, status: Status::True, reason: "Because", message: "" };
            condition::set(&mut status.conditions, &statement, 2, at(0));
        }
        status
    }

    #[test]
    fn a_blocked_deletion_says_why_and_how_a_person_can_end_it() {
        let mut status = healthy();
        let fault = Fault::awaiting_person("KeystoreInUse", "Two keys.");
        let next = pass(&mut status, &Came::Blocked(fault), 1);
        assert_eq!(told(&status, ConditionType::DeletionBlocked), Some(("True", "KeystoreInUse")));
        assert_eq!(told(&status, ConditionType::Ready), Some(("False", "KeystoreInUse")));
        assert_eq!(told(&status, ConditionType::EndpointProvisioned), Some(("Unknown", IN_PROGRESS)));
        assert_eq!(told(&status, ConditionType::Drifted), None);
        let blocked = condition::get(&status.conditions, ConditionType::DeletionBlocked).unwrap();
        assert!(blocked.message.contains("Two keys.") && blocked.message.contains("abandon"));
        assert!(next > Duration::from_mins(3) && next <= Duration::from_mins(5), "{next:?}");
        assert_eq!((status.observed_generation, worth_telling(&status.conditions).len()), (3, 2));
    }

    #[test]
    fn what_a_cloud_hides_for_a_while_blocks_too_and_is_asked_ever_more_slowly() {
        let mut status = healthy();
        let fault = Fault::new(Class::Transient, "UkoUnavailable", "");
        let waits: Vec<u64> = (0..4).map(|n| pass(&mut status, &Came::Blocked(fault.clone()), n).as_secs()).collect();
        assert!(waits.is_sorted() && waits.first() < waits.last(), "{waits:?}");
        assert_eq!(told(&status, ConditionType::DeletionBlocked), Some(("True", "UkoUnavailable")));
        assert_eq!(told(&status, ConditionType::Reconciling), Some(("True", "UkoUnavailable")));
        assert!(!condition::get(&status.conditions, ConditionType::Ready).unwrap().message.contains("abandon"));
    }

    #[test]
    fn a_deletion_that_goes_on_is_no_longer_blocked() {
        let mut status = healthy();
        pass(&mut status, &Came::Blocked(Fault::invalid("SecretNotFound", "")), 1);
        assert_eq!(told(&status, ConditionType::Stalled), Some(("True", "SecretNotFound")));
        assert_eq!(pass(&mut status, &Came::Worked("x".to_owned()), 2), Duration::ZERO);
        assert_eq!(told(&status, ConditionType::DeletionBlocked), None);
        assert_eq!(told(&status, ConditionType::Stalled), None);
        assert_eq!(told(&status, ConditionType::Reconciling), Some(("True", IN_PROGRESS)));
    }
}
