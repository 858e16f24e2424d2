//! The words in which a plan speaks: what was seen, what a stage says of itself, what comes next.
//!
//! In: verdicts of the stages in order. Out: a [`Plan`] with at most one next step. Never: I/O, clock, log.

use std::time::Duration;

use super::fault::Fault;
use crate::api::{
    condition::ConditionType,
    v1alpha1::{Drift, PlannedStep},
};

/// What one look told us. `Unknown` is not `Absent`: nothing is ever created behind a 403 or a timeout.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Seen<T> {
    /// It is certainly not there.
    Absent,
    /// It is there.
    Present(T),
    /// It could not be read.
    Unknown(Fault),
    /// Nobody looked this time: a quick look, or what it hangs on is not there.
    #[default]
    NotLooked,
}

impl<T> Seen<T> {
    /// From a read that answers "none" for an absent thing.
    pub(crate) fn of<E: Into<Fault>>(read: Result<Option<T>, E>) -> Self {
        match read {
            Ok(Some(value)) => Self::Present(value),
            Ok(None) => Self::Absent,
            Err(error) => Self::Unknown(error.into()),
        }
    }

    /// From a read that always has an answer.
    pub(crate) fn always<E: Into<Fault>>(read: Result<T, E>) -> Self {
        Self::of(read.map(Some))
    }

    /// What is there, if it was seen.
    pub(crate) fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unknown(_) | Self::NotLooked => None,
        }
    }

    /// Why it could not be read.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Unknown(fault) => Some(fault),
            Self::Absent | Self::Present(_) | Self::NotLooked => None,
        }
    }
}

/// What a stage says of itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict<S> {
    /// Fulfilled, or nothing to do here.
    Met(Word),
    /// Work to do; the first of these is the next step.
    Do(S, Word),
    /// Under way; nobody needs to act.
    Wait(Waiting),
    /// Something is wrong and we know what.
    Blocked(Fault),
    /// A fact this stage needs could not be read.
    Unclear(Fault),
    /// An earlier stage must be met first.
    Behind(ConditionType),
    /// Switched off by the spec; does not count.
    Skipped(Word),
    /// Not looked at this time; what was said last time stands.
    Unchanged,
}

/// Reason and message of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    /// Stable CamelCase reason.
    pub reason: &'static str,
    /// One or two sentences.
    pub message: String,
}

/// Something that ends by itself, or when a person acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// What a person reads.
    pub word: Word,
    /// When to look again; the class's own pace otherwise.
    pub look_again: Option<Duration>,
    /// True while a person is awaited, false while a cloud works.
    pub person: bool,
}

impl<S> Verdict<S> {
    /// Fulfilled.
    pub(crate) fn met(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Met(Word { reason, message: message.into() })
    }

    /// A step to take.
    pub(crate) fn step(step: S, reason: &'static str, message: impl Into<String>) -> Self {
        Self::Do(step, Word { reason, message: message.into() })
    }

    /// A cloud is working.
    pub(crate) fn in_progress(reason: &'static str, message: impl Into<String>, look_again: Option<Duration>) -> Self {
        Self::Wait(Waiting { word: Word { reason, message: message.into() }, look_again, person: false })
    }

    /// A person is awaited.
    pub(crate) fn awaiting(reason: &'static str, message: impl Into<String>) -> Self {
        Self::Wait(Waiting { word: Word { reason, message: message.into() }, look_again: None, person: true })
    }

    /// Whether later stages may rely on this one. `Skipped` is a choice of the user, not a gap.
    pub(crate) fn carries(&self) -> bool {
        match self {
            Self::Met(_) | Self::Skipped(_) | Self::Unchanged => true,
            Self::Do(..) | Self::Wait(_) | Self::Blocked(_) | Self::Unclear(_) | Self::Behind(_) => false,
        }
    }

    /// The step, if there is one.
    pub(crate) fn to_do(&self) -> Option<&S> {
        match self {
            Self::Do(step, _) => Some(step),
            Self::Met(_)
            | Self::Wait(_)
            | Self::Blocked(_)
            | Self::Unclear(_)
            | Self::Behind(_)
            | Self::Skipped(_)
            | Self::Unchanged => None,
        }
    }
}

/// A stage with its verdict.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage<S> {
    /// Type of its condition.
    pub condition: ConditionType,
    /// What it says.
    pub verdict: Verdict<S>,
    /// A loss here is red at once: no `Reconciling` softens it.
    pub red_at_once: bool,
}

impl<S> Stage<S> {
    /// A stage with the usual pace.
    pub(crate) fn new(condition: ConditionType, verdict: Verdict<S>) -> Self {
        Self { condition, verdict, red_at_once: false }
    }
}

/// Verdicts of all stages in order, and what follows from them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan<S> {
    /// In the order in which they are reported.
    pub stages: Vec<Stage<S>>,
    /// Managed fields that differ outside.
    pub drift: Vec<Drift>,
    /// What is certain to follow although an earlier stage hides it still.
    pub later: Vec<PlannedStep>,
}

impl<S: Describe> Plan<S> {
    /// What would be done, for `status.plan`, in the order in which it would be.
    pub(crate) fn preview(&self) -> Vec<PlannedStep> {
        let first = self.turn();
        let rest = (0..self.stages.len()).filter(|index| Some(*index) != first);
        let stages = first.into_iter().chain(rest).filter_map(|index| self.stages.get(index));
        let now = stages.filter_map(|stage| stage.verdict.to_do()).map(Describe::describe);
        now.chain(self.later.iter().cloned()).collect()
    }
}

impl<S> Plan<S> {
    /// Whose turn it is: what mends a loss goes before all else, the rest goes in order.
    pub(crate) fn turn(&self) -> Option<usize> {
        let to_do = |stage: &Stage<S>| stage.verdict.to_do().is_some();
        let loss = self.stages.iter().position(|stage| stage.red_at_once && to_do(stage));
        loss.or_else(|| self.stages.iter().position(to_do))
    }

    /// The one step to take now.
    pub(crate) fn next(&self) -> Option<&S> {
        self.stages.get(self.turn()?)?.verdict.to_do()
    }

    /// Whether every stage carries.
    pub(crate) fn is_settled(&self) -> bool {
        self.stages.iter().all(|stage| stage.verdict.carries())
    }
}

/// A step that can be put into words.
pub(crate) trait Describe {
    /// As a row of `status.plan`.
    fn describe(&self) -> PlannedStep;
}
