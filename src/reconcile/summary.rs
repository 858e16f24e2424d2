//! Turns a plan into conditions, memory and the next look, alike for both kinds.
//!
//! In: verdicts, what stood in status before, and the time. Out: a [`Summary`]. Never: decides what to do; reads no clock.

use std::time::Duration;

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

use super::{
    fault::Fault,
    pace::{PaceSettings, jittered},
    stage::{Plan, Stage, Verdict, Word},
};
use crate::{
    api::{
        condition,
        v1alpha1::{LastFailure, Memory, Mode, StageFailure},
    },
    clouds::http::Class,
};

/// Longer counting would only rewrite status; the waits have reached their maximum.
const ATTEMPTS_MAX: u32 = 8;
/// A missing role or a policy may just be spreading; for this long it counts as progress.
const PERSON_GRACE: Duration = Duration::from_secs(300);

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
    /// What this pass did outside, and how that ended.
    pub done: &'a Done,
    /// Condition type `Ready` in words, once everything is met.
    pub ready: Word,
}

/// What a pass did outside.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Done {
    /// Nothing.
    Nothing,
    /// A write that was answered, or an intention that must be on record first: look again at once.
    Wrote,
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
}

/// How a stage weighs on the whole.
enum Weight {
    Carries,
    Behind,
    Passing(Fault),
    Progress,
    Person,
    Missing(Fault),
    Refused(Fault),
    Stuck,
    Loss,
}

struct Judged {
    condition: &'static str,
    status: &'static str,
    reason: String,
    message: String,
    weight: Weight,
    next: Duration,
}

/// The summary of one pass.
pub(crate) fn summarise<S>(plan: &Plan<S>, frame: &Frame<'_>) -> Summary {
    let mut memory = Memory { failures: Vec::new(), ..frame.memory.clone() };
    let failing = plan.stages.iter().position(|stage| matches!(stage.verdict, Verdict::Do(..)));
    let mut judged = Vec::new();
    let mut failure = None;
    for (index, stage) in plan.stages.iter().enumerate() {
        let tried = (Some(index) == failing).then_some(frame.done);
        let seen = remember(frame, &mut memory, stage, tried);
        if failure.is_none() {
            failure = fault_of(stage, tried).and_then(|fault| last_failure(fault, frame.now));
        }
        judged.push(judge(stage, tried, &seen, frame));
    }
    let mut conditions = frame.previous.to_vec();
    for row in &judged {
        let message = row.message.as_str();
        condition::set(&mut conditions, row.condition, row.status, &row.reason, message, frame.generation, frame.now);
    }
    let ready = weigh(&judged, &mut conditions, &memory, frame);
    memory.progressing_since = if ready { None } else { memory.progressing_since.or(Some(Time(frame.now))) };
    let next = next_look(&judged, frame);
    Summary { conditions, memory, next, failure }
}

fn fault_of<'a, S>(stage: &'a Stage<S>, tried: Option<&'a Done>) -> Option<&'a Fault> {
    match (&stage.verdict, tried) {
        (Verdict::Blocked(fault) | Verdict::Unclear(fault), _) | (Verdict::Do(..), Some(Done::Failed(fault))) => Some(fault),
        _ => None,
    }
}

fn last_failure(fault: &Fault, now: Timestamp) -> Option<LastFailure> {
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
        _ => fault_of(stage, tried).map_or("", |fault| fault.reason),
    };
    let before = frame.memory.failures.iter().find(|row| row.stage == stage.condition && row.reason == reason);
    let row = StageFailure {
        stage: stage.condition.to_owned(),
        reason: reason.to_owned(),
        since: before.map_or(Time(frame.now), |row| row.since.clone()),
        attempts: before.map_or(1, |row| row.attempts.saturating_add(1).min(ATTEMPTS_MAX)),
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
    };
    match &stage.verdict {
        Verdict::Met(word) => row("True", word, Weight::Carries, frame.interval),
        Verdict::Skipped(word) => row("Unknown", word, Weight::Carries, frame.interval),
        Verdict::Unchanged => match condition::get(frame.previous, stage.condition) {
            Some(before) => Judged {
                condition: stage.condition,
                status: match before.status.as_str() {
                    "True" => "True",
                    "False" => "False",
                    _ => "Unknown",
                },
                reason: before.reason.clone(),
                message: before.message.clone(),
                weight: Weight::Carries,
                next: frame.interval,
            },
            None => row("Unknown", &Word { reason: "NotLooked", message: String::new() }, Weight::Behind, Duration::ZERO),
        },
        Verdict::Behind(on) => {
            let word = Word { reason: "WaitingForEarlierStage", message: format!("Waits until {on} is true.") };
            row("Unknown", &word, Weight::Behind, frame.interval)
        }
        Verdict::Wait(waiting) if waiting.person => {
            row("False", &waiting.word, Weight::Person, PaceSettings::for_person(seen.attempts))
        }
        Verdict::Wait(waiting) => {
            row("False", &waiting.word, Weight::Progress, frame.pace.for_cloud(waiting.look_again))
        }
        Verdict::Blocked(fault) | Verdict::Unclear(fault) => by_class(stage, fault, seen, frame),
        Verdict::Do(_, word) => match tried {
            Some(Done::Failed(fault)) => by_class(stage, fault, seen, frame),
            Some(Done::Held(word, wait)) => row("False", word, Weight::Progress, *wait),
            Some(Done::Wrote) => row("False", word, Weight::Progress, Duration::ZERO),
            Some(Done::Nothing) | None => row("False", word, Weight::Progress, frame.interval),
        },
    }
}

fn by_class<S>(stage: &Stage<S>, fault: &Fault, seen: &StageFailure, frame: &Frame<'_>) -> Judged {
    let (status, weight) = match fault.class {
        Class::Transient | Class::Throttled | Class::Conflict => ("Unknown", Weight::Passing(fault.clone())),
        Class::Provisioning => ("False", Weight::Progress),
        _ if stage.red_at_once => ("False", Weight::Loss),
        Class::NotFound => ("False", Weight::Missing(fault.clone())),
        Class::AwaitingPerson if fault.reason.starts_with("Awaiting") => ("False", Weight::Person),
        Class::AwaitingPerson => ("False", Weight::Refused(fault.clone())),
        Class::Denied | Class::Invalid => ("False", Weight::Stuck),
    };
    Judged {
        condition: stage.condition,
        status,
        reason: fault.reason.to_owned(),
        message: fault.message.clone(),
        weight,
        next: frame.pace.after(fault, seen.attempts),
    }
}

/// Writes `Ready`, `Reconciling` and `Stalled`; answers whether the object counts as ready.
fn weigh(judged: &[Judged], conditions: &mut Vec<Condition>, memory: &Memory, frame: &Frame<'_>) -> bool {
    let certain = judged.iter().find(|row| !matches!(row.weight, Weight::Carries | Weight::Behind | Weight::Passing(_)));
    let passing = judged.iter().find(|row| matches!(row.weight, Weight::Passing(_)));
    let since = |row: &Judged| {
        memory.failures.iter().find(|f| f.stage == row.condition).map_or(Duration::ZERO, |f| age(&f.since, frame.now))
    };
    let working = memory.progressing_since.as_ref().map_or(Duration::ZERO, |time| age(time, frame.now));
    let mut say = |kind: &str, status: &str, reason: &str, message: &str| {
        condition::set(conditions, kind, status, reason, message, frame.generation, frame.now);
    };
    let (reconciling, stalled, ready, row) = match (certain, passing) {
        (None, None) => {
            say(condition::READY, "True", frame.ready.reason, &frame.ready.message);
            condition::remove(conditions, condition::RECONCILING);
            condition::remove(conditions, condition::STALLED);
            return true;
        }
        (None, Some(row)) => {
            let held = condition::get(frame.previous, condition::READY).is_some_and(|ready| ready.status == "True")
                && since(row) < frame.pace.ready_grace;
            if held {
                return true;
            }
            let in_time = working < frame.pace.progress_deadline;
            (in_time, false, if in_time { "Unknown" } else { "False" }, row)
        }
        (Some(row), _) => {
            let (reconciling, stalled) = match &row.weight {
                Weight::Progress => (true, false),
                Weight::Missing(_) => (working < frame.pace.progress_deadline, false),
                Weight::Refused(_) => (since(row) < PERSON_GRACE, false),
                Weight::Stuck => (false, true),
                Weight::Person | Weight::Loss | Weight::Carries | Weight::Behind | Weight::Passing(_) => (false, false),
            };
            (reconciling, stalled, "False", row)
        }
    };
    let planned = matches!(frame.mode, Mode::Plan) && matches!(row.weight, Weight::Progress);
    if planned {
        say(condition::READY, "False", "ChangesPlanned", "Mode is Plan: status.plan lists what Manage would do.");
    } else {
        say(condition::READY, ready, &row.reason, &row.message);
    }
    for (kind, on) in [(condition::RECONCILING, reconciling && !planned), (condition::STALLED, stalled)] {
        if on {
            condition::set(conditions, kind, "True", &row.reason, &row.message, frame.generation, frame.now);
        } else {
            condition::remove(conditions, kind);
        }
    }
    false
}

fn next_look(judged: &[Judged], frame: &Frame<'_>) -> Duration {
    if matches!(frame.done, Done::Wrote) {
        return Duration::ZERO;
    }
    let shortest = judged.iter().map(|row| row.next).min().unwrap_or(frame.interval).min(frame.interval);
    jittered(shortest, frame.dice)
}

/// How long ago `time` was; nothing for the future.
pub(crate) fn age(time: &Time, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(time.0)).unwrap_or_default()
}
