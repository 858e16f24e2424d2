//! Turns a plan into conditions, memory and the next look, alike for both kinds.
//!
//! In: verdicts, what stood in status before, and the time. Out: a [`Summary`]. Never: decides what to do; reads no clock.

mod news;
#[cfg(test)]
mod tests;

use std::time::Duration;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

pub(crate) use self::news::{outcome, transitions};
use super::{
    expiry::Expiring,
    fault::Fault,
    pace::{PaceSettings, jittered},
    stage::{Plan, Stage, Verdict, Word},
};
use crate::{
    api::{
        condition::{self, ConditionType, Statement, Status},
        v1alpha1::{LastFailure, Memory, Mode, StageFailure},
    },
    clouds::http::Class,
};

/// Longer counting would only rewrite status; the waits have reached their maximum.
pub(super) const ATTEMPTS_MAX: u32 = 8;
/// A missing role or a policy may just be spreading; for this long it counts as progress.
const PERSON_GRACE: Duration = Duration::from_mins(5);

/// What one pass is summarised against.
pub(crate) struct Frame<'a> {
    /// Conditions as they stand in status.
    pub previous: &'a [Condition],
    /// Memory as it stands in status.
    pub memory: &'a Memory,
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
    /// Manage or Plan.
    pub mode: Mode,
    /// Only what changes by itself was looked at.
    pub quick: bool,
    /// What this pass did outside, and how that ended.
    pub done: &'a Done,
    /// Whether differences are only reported.
    pub report_drift: bool,
    /// Credentials that end soon.
    pub expiring: Option<&'a Expiring>,
    /// Condition type `Ready` in words, once everything is met in mode Manage.
    pub ready: Word,
}

/// What a pass did outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Done {
    /// Nothing.
    Nothing,
    /// A write that was answered: look again at once.
    Wrote,
    /// An intention that must be on record first: likewise.
    Asked,
    /// A question that changed nothing and whose answer is now in status: likewise.
    Answered,
    /// Not now: somebody else is changing the same thing, or we may not write yet.
    Held(Word, Duration),
    /// A write that failed, in the stage that wanted it.
    Failed(Fault),
}

/// What goes into status.
pub(crate) struct Summary {
    /// All conditions.
    pub conditions: Vec<Condition>,
    /// Memory for the next pass.
    pub memory: Memory,
    /// When to look again.
    pub next: Duration,
    /// What failed just now, if a cloud call did.
    pub failure: Option<LastFailure>,
    /// A full look found nothing to do.
    pub settled: bool,
}

/// How a stage weighs on the whole.
#[derive(Clone, Copy)]
enum Weight {
    Carries,
    Behind,
    Passing,
    Progress,
    Person,
    Missing,
    Refused,
    Stuck,
    Loss,
}

struct Judged {
    condition: ConditionType,
    status: Status,
    reason: String,
    message: String,
    weight: Weight,
    next: Duration,
    /// What a cloud asked for at least.
    floor: Duration,
    /// A step that nobody takes.
    planned: bool,
}

/// Whether an object counts as ready, works towards it, or waits for someone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Ready,
    Working,
    Waiting,
}

/// The summary of one pass.
pub(crate) fn summarise<S>(plan: &Plan<S>, frame: &Frame<'_>) -> Summary {
    let mut memory = Memory { failures: Vec::new(), progressing_since: working_since(frame), ..frame.memory.clone() };
    let turn = plan.turn();
    let mut judged = Vec::new();
    let mut failure = None;
    for (index, stage) in plan.stages.iter().enumerate() {
        let tried = (Some(index) == turn).then_some(frame.done);
        let seen = remember(frame, &mut memory, stage, tried);
        if failure.is_none() {
            failure = fault_of(stage, tried).and_then(|fault| last_failure(fault, frame.now));
        }
        judged.push(judge(stage, tried, &seen, frame));
    }
    let mut conditions = frame.previous.to_vec();
    for row in &judged {
        say(&mut conditions, frame, row.condition, row.status, &row.reason, &row.message);
    }
    extras(plan, &judged, &mut conditions, frame);
    memory.unclear_since = unclear_since(&judged, frame);
    memory.progressing_since = match weigh(&judged, &mut conditions, &memory, frame) {
        Standing::Working => memory.progressing_since.or(Some(Time(frame.now))),
        // Who waits for a person does not use up the time for what follows.
        Standing::Ready | Standing::Waiting => None,
    };
    let settled = plan.is_settled() && !frame.quick;
    if settled {
        memory.full_look_at = Some(Time(frame.now));
    }
    if plan.is_settled() {
        memory.settled_inputs.clone_from(&memory.inputs);
    }
    if matches!(frame.done, Done::Wrote) || matches!(frame.done, Done::Failed(fault) if fault.outcome_unknown) {
        memory.last_write_at = Some(Time(frame.now));
    }
    let next = next_look(&judged, frame);
    Summary { conditions, memory, next, failure, settled }
}

/// A changed spec or Secret has its own time for progress.
fn working_since(frame: &Frame<'_>) -> Option<Time> {
    let since = frame.memory.progressing_since.clone()?;
    let changed = frame.memory.inputs_changed_at.clone().filter(|changed| changed.0 > since.0);
    Some(changed.unwrap_or(since))
}

/// Since when only passing faults stand against Ready, whichever they are: one that follows another starts no new grace.
fn unclear_since(judged: &[Judged], frame: &Frame<'_>) -> Option<Time> {
    let unclear = judged.iter().any(|row| matches!(row.weight, Weight::Passing));
    unclear.then(|| frame.memory.unclear_since.clone().unwrap_or(Time(frame.now)))
}

/// Conditions that are there only while they are true.
fn extras<S>(plan: &Plan<S>, judged: &[Judged], conditions: &mut Vec<Condition>, frame: &Frame<'_>) {
    match judged.iter().find(|row| row.reason == "ClaimConflict") {
        Some(row) => say(conditions, frame, ConditionType::ClaimConflict, Status::True, &row.reason, &row.message),
        None => condition::remove(conditions, ConditionType::ClaimConflict),
    }
    match frame.expiring {
        Some(Expiring { status, word }) => {
            say(conditions, frame, ConditionType::CredentialsExpiring, *status, word.reason, &word.message);
        }
        None => condition::remove(conditions, ConditionType::CredentialsExpiring),
    }
    let fields = || plan.drift.iter().map(|drift| drift.field.as_str()).collect::<Vec<_>>().join(", ");
    if frame.report_drift && !plan.drift.is_empty() {
        let message = format!("Different outside: {}. driftPolicy is Report, so it stays.", fields());
        say(conditions, frame, ConditionType::Drifted, Status::True, "DriftReported", &message);
    } else if plan.is_settled() && !plan.drift.is_empty() {
        let message = format!(
            "Different outside, and a correction was refused or did not last: {}. The events say which; find out who refuses it or changes it back.",
            fields()
        );
        say(conditions, frame, ConditionType::Drifted, Status::True, "CorrectionFailed", &message);
    } else {
        condition::remove(conditions, ConditionType::Drifted);
    }
}

fn fault_of<'a, S>(stage: &'a Stage<S>, tried: Option<&'a Done>) -> Option<&'a Fault> {
    match (&stage.verdict, tried) {
        (Verdict::Blocked(fault) | Verdict::Unclear(fault), _) | (Verdict::Do(..), Some(Done::Failed(fault))) => {
            Some(fault)
        }
        _ => None,
    }
}

/// What a support case needs to know of a fault of a cloud.
pub(super) fn last_failure(fault: &Fault, now: Timestamp) -> Option<LastFailure> {
    fault.call.as_ref().map(|call| LastFailure {
        operation: call.operation.clone(),
        code: call.code.clone(),
        request_id: call.request_id.clone(),
        at: Time(now),
    })
}

/// What this stage has been failing with, kept while the reason stays the same.
fn remember<S>(frame: &Frame<'_>, memory: &mut Memory, stage: &Stage<S>, tried: Option<&Done>) -> StageFailure {
    let reason = match (&stage.verdict, tried) {
        (Verdict::Wait(waiting), _) => waiting.word.reason,
        (
            Verdict::Do(_, word),
            None | Some(Done::Nothing | Done::Wrote | Done::Asked | Done::Answered | Done::Held(..)),
        ) => word.reason,
        _ => fault_of(stage, tried).map_or("", |fault| fault.reason),
    };
    let last = frame.memory.failures.iter().find(|row| row.stage == stage.condition.as_str());
    // An announcement, or a question, is only half of a step: what came of the step before still counts.
    if let (Some(Done::Asked), Some(last)) = (tried, last) {
        memory.failures.push(last.clone());
        return last.clone();
    }
    let before = last.filter(|row| row.reason == reason);
    // Of a step, only what was written counts: looking again or waiting for a turn is no attempt.
    let counts = match (&stage.verdict, tried) {
        (Verdict::Do(..), None | Some(Done::Nothing | Done::Answered | Done::Held(..))) => 0,
        _ => 1,
    };
    let row = StageFailure {
        stage: stage.condition.as_str().to_owned(),
        reason: reason.to_owned(),
        since: before.map_or(Time(frame.now), |row| row.since.clone()),
        attempts: before.map_or(0, |row| row.attempts).saturating_add(counts).min(ATTEMPTS_MAX),
    };
    if !reason.is_empty() {
        memory.failures.push(row.clone());
    }
    row
}

fn judge<S>(stage: &Stage<S>, tried: Option<&Done>, seen: &StageFailure, frame: &Frame<'_>) -> Judged {
    let row = |status, word: &Word, weight, next| Judged {
        condition: stage.condition,
        status,
        reason: word.reason.to_owned(),
        message: word.message.clone(),
        weight,
        next,
        floor: Duration::ZERO,
        planned: false,
    };
    match &stage.verdict {
        Verdict::Met(word) => row(Status::True, word, Weight::Carries, frame.interval),
        Verdict::Skipped(word) => row(Status::Unknown, word, Weight::Carries, frame.interval),
        Verdict::Unchanged => unchanged(stage, frame),
        Verdict::Behind(on) => {
            let word =
                Word { reason: "WaitingForEarlierStage", message: format!("Waits until {} is true.", on.as_str()) };
            row(Status::Unknown, &word, Weight::Behind, frame.interval)
        }
        Verdict::Wait(waiting) if waiting.person => {
            row(Status::False, &waiting.word, Weight::Person, PaceSettings::for_person(seen.attempts))
        }
        Verdict::Wait(waiting) => {
            row(Status::False, &waiting.word, Weight::Progress, frame.pace.for_cloud(waiting.look_again))
        }
        Verdict::Blocked(fault) | Verdict::Unclear(fault) => by_class(stage, fault, seen, frame),
        // A loss stays one while it is being mended, and in a plan.
        Verdict::Do(_, word) if stage.red_at_once => match tried {
            Some(Done::Failed(fault)) => by_class(stage, fault, seen, frame),
            Some(Done::Held(_, wait)) => row(Status::False, word, Weight::Loss, *wait),
            Some(Done::Wrote | Done::Asked | Done::Answered) => {
                row(Status::False, word, Weight::Loss, frame.pace.again(seen.attempts))
            }
            Some(Done::Nothing) | None => row(Status::False, word, Weight::Loss, frame.interval),
        },
        Verdict::Do(_, word) => match tried {
            Some(Done::Failed(fault)) => by_class(stage, fault, seen, frame),
            Some(Done::Held(word, wait)) => row(Status::False, word, Weight::Progress, *wait),
            Some(Done::Answered) => row(Status::False, word, Weight::Progress, Duration::ZERO),
            Some(Done::Wrote | Done::Asked) => {
                row(Status::False, word, Weight::Progress, frame.pace.again(seen.attempts))
            }
            Some(Done::Nothing) | None if matches!(frame.mode, Mode::Plan) => {
                let message = "Mode is Plan: status.plan lists what Manage would do.".to_owned();
                let word = Word { reason: "Planned", message };
                Judged { planned: true, ..row(Status::False, &word, Weight::Progress, frame.interval) }
            }
            Some(Done::Nothing) | None => row(Status::False, word, Weight::Progress, frame.interval),
        },
    }
}

fn by_class<S>(stage: &Stage<S>, fault: &Fault, seen: &StageFailure, frame: &Frame<'_>) -> Judged {
    // What became of the attempt to mend a loss does not make the loss less certain.
    let mending = stage.red_at_once && matches!(stage.verdict, Verdict::Do(..));
    let (status, weight) = match fault.class {
        _ if mending => (Status::False, Weight::Loss),
        Class::Transient | Class::Throttled | Class::Conflict => (Status::Unknown, Weight::Passing),
        Class::Provisioning => (Status::False, Weight::Progress),
        _ if stage.red_at_once => (Status::False, Weight::Loss),
        Class::NotFound => (Status::False, Weight::Missing),
        Class::AwaitingPerson if fault.reason.starts_with("Awaiting") => (Status::False, Weight::Person),
        Class::AwaitingPerson => (Status::False, Weight::Refused),
        Class::Denied | Class::Invalid => (Status::False, Weight::Stuck),
    };
    Judged {
        condition: stage.condition,
        status,
        reason: fault.reason.to_owned(),
        message: fault.message.clone(),
        weight,
        next: frame.pace.after(fault, seen.attempts),
        floor: fault.retry_after.unwrap_or_default(),
        planned: false,
    }
}

/// What was said last time stands, but only a stage that held carries the next ones.
fn unchanged<S>(stage: &Stage<S>, frame: &Frame<'_>) -> Judged {
    let before = condition::get(frame.previous, stage.condition);
    let holds = before.is_some_and(|before| before.status == "True");
    Judged {
        condition: stage.condition,
        status: match before.map(|before| before.status.as_str()) {
            Some("True") => Status::True,
            Some("False") => Status::False,
            Some(_) | None => Status::Unknown,
        },
        reason: before.map_or("NotLooked", |before| before.reason.as_str()).to_owned(),
        message: before.map_or("Nobody has looked yet.", |before| before.message.as_str()).to_owned(),
        weight: if holds { Weight::Carries } else { Weight::Behind },
        next: if holds { frame.interval } else { frame.pace.poll_interval },
        floor: Duration::ZERO,
        planned: false,
    }
}

fn say(list: &mut Vec<Condition>, frame: &Frame<'_>, kind: ConditionType, status: Status, reason: &str, message: &str) {
    condition::set(list, &Statement { kind, status, reason, message }, frame.generation, frame.now);
}

/// Writes `Ready`, `Reconciling` and `Stalled`.
fn weigh(judged: &[Judged], conditions: &mut Vec<Condition>, memory: &Memory, frame: &Frame<'_>) -> Standing {
    let first = |wanted: fn(Weight) -> bool| judged.iter().find(|row| wanted(row.weight));
    let certain = first(|weight| !matches!(weight, Weight::Carries | Weight::Behind | Weight::Passing));
    let passing = first(|weight| matches!(weight, Weight::Passing));
    let Some(row) = certain.or(passing).or_else(|| first(|weight| matches!(weight, Weight::Behind))) else {
        let (reason, message) = match frame.mode {
            Mode::Plan => ("NothingToDo", "Mode is Plan, and nothing would be done."),
            Mode::Manage => (frame.ready.reason, frame.ready.message.as_str()),
        };
        say(conditions, frame, ConditionType::Ready, Status::True, reason, message);
        flags(conditions, frame, None, None);
        return Standing::Ready;
    };
    if matches!(row.weight, Weight::Passing) && is_held(memory, frame) {
        return Standing::Ready;
    }
    let failure = memory.failures.iter().find(|failure| failure.stage == row.condition.as_str());
    let since = failure.map_or(Duration::ZERO, |failure| age(&failure.since, frame.now));
    let working = memory.progressing_since.as_ref().map_or(Duration::ZERO, |time| age(time, frame.now));
    let in_time = working < frame.pace.progress_deadline;
    let (reconciling, standing) = match row.weight {
        Weight::Progress => (true, Standing::Working),
        Weight::Missing | Weight::Passing | Weight::Behind | Weight::Carries => (in_time, Standing::Working),
        Weight::Refused if since < PERSON_GRACE => (true, Standing::Working),
        Weight::Refused | Weight::Person | Weight::Loss | Weight::Stuck => (false, Standing::Waiting),
    };
    // In mode Plan nobody works.
    let reconciling = reconciling && frame.mode == Mode::Manage;
    let stalled = matches!(row.weight, Weight::Stuck).then_some(ConditionType::Stalled);
    let flag = stalled.or(reconciling.then_some(ConditionType::Reconciling));
    let status = if certain.is_none() && in_time { Status::Unknown } else { Status::False };
    if row.planned {
        let message = "Mode is Plan: status.plan lists what Manage would do.";
        say(conditions, frame, ConditionType::Ready, Status::False, "ChangesPlanned", message);
        flags(conditions, frame, None, None);
    } else {
        say(conditions, frame, ConditionType::Ready, status, &row.reason, &row.message);
        flags(conditions, frame, flag, Some(row));
    }
    standing
}

/// `Ready` was true, of this very spec: what was true of another says nothing about this one.
fn is_held(memory: &Memory, frame: &Frame<'_>) -> bool {
    let was_ready = condition::get(frame.previous, ConditionType::Ready)
        .is_some_and(|ready| ready.status == "True" && ready.observed_generation == Some(frame.generation));
    let unclear = memory.unclear_since.as_ref().map_or(Duration::ZERO, |time| age(time, frame.now));
    was_ready && unclear < frame.pace.ready_grace
}

/// `Reconciling` and `Stalled` are present only while they are true, and never together.
fn flags(list: &mut Vec<Condition>, frame: &Frame<'_>, on: Option<ConditionType>, row: Option<&Judged>) {
    for kind in [ConditionType::Reconciling, ConditionType::Stalled] {
        match row {
            Some(row) if on == Some(kind) => say(list, frame, kind, Status::True, &row.reason, &row.message),
            _ => condition::remove(list, kind),
        }
    }
}

fn next_look(judged: &[Judged], frame: &Frame<'_>) -> Duration {
    let shortest = judged.iter().map(|row| row.next).min().unwrap_or(frame.interval);
    let floor = judged.iter().map(|row| row.floor).max().unwrap_or_default();
    // Nobody waits longer than the interval they asked for, unless a cloud asked for more.
    jittered(shortest, frame.dice).min(frame.interval.mul_f64(1.0 - 0.2 * frame.dice.clamp(0.0, 1.0))).max(floor)
}

/// A suspended object is woken by its own change only; this is a long stop.
const SUSPENDED_LOOK: Duration = Duration::from_hours(24);

/// No call was made: the conditions stay as they were, `Ready` says why nothing moves. Answers when to look again.
pub(crate) fn suspend(conditions: &mut Vec<Condition>, generation: i64, now: Timestamp) -> Duration {
    let status = match condition::get(conditions, ConditionType::Ready).map(|ready| ready.status.as_str()) {
        Some("True") => Status::True,
        Some("False") => Status::False,
        Some(_) | None => Status::Unknown,
    };
    let message =
        "spec.suspend is true: nothing is looked at or changed, and the other conditions tell the last known state.";
    condition::set(
        conditions,
        &Statement { kind: ConditionType::Ready, status, reason: "Suspended", message },
        generation,
        now,
    );
    condition::remove(conditions, ConditionType::Reconciling);
    condition::remove(conditions, ConditionType::Stalled);
    SUSPENDED_LOOK
}

/// How long ago `time` was; nothing for the future.
pub(crate) fn age(time: &Time, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time.0)).unwrap_or_default()
}
