//! Metrics of the reconcile loop.
//!
//! In: outcomes, conditions, when to look again. Out: series in the shared registry. Never: a label made from an error's text,
//! or from what others wrote into a status; a series of an object that is gone.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    series::Series,
    summary::age,
    wake::{Key, Kind},
};
use crate::api::{
    condition::{self, ConditionType},
    v1alpha1::Memory,
};

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything is as asked for.
    Settled,
    /// Work is under way, or someone is awaited.
    Progressing,
    /// A fault stands in the way.
    Failed,
}

impl Outcome {
    /// As in metrics and spans.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Progressing => "progressing",
            Self::Failed => "failed",
        }
    }
}

impl Kind {
    /// As in manifests.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ConnectorEndpoint => "ConnectorEndpoint",
            Self::AzureKeystoreConnection => "AzureKeystoreConnection",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ObjectLabels {
    kind: &'static str,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, EncodeLabelSet)]
struct ConditionLabels {
    kind: &'static str,
    namespace: String,
    name: String,
    condition: &'static str,
    status: String,
    reason: String,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Metrics {
    passes: Family<PassLabels, Counter>,
    durations: Family<KindLabels, Histogram>,
    readied: Family<KindLabels, Histogram>,
    conditions: Series<ConditionLabels>,
    next_look: Series<ObjectLabels>,
    /// Objects that exist. What is told of another is not shown: a pass can end after its object.
    present: Mutex<BTreeSet<(Kind, Key)>>,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let passes: Family<PassLabels, Counter> = Family::default();
        let durations: Family<_, _> = Family::new_with_constructor(|| {
            Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
        });
        let readied: Family<KindLabels, Histogram> = Family::new_with_constructor(|| {
            Histogram::new([5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 86_400.0])
        });
        // What is rare must be seen at 0 first, or Prometheus takes the first one for the beginning and sees no increase.
        for kind in [Kind::ConnectorEndpoint, Kind::AzureKeystoreConnection] {
            let kind = kind.as_str();
            drop(readied.get_or_create(&KindLabels { kind }));
            for outcome in [Outcome::Settled, Outcome::Progressing, Outcome::Failed] {
                drop(passes.get_or_create(&PassLabels { kind, outcome: outcome.as_str() }));
            }
        }
        registry.register("reconciles", "Passes over an object, by outcome", passes.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit("reconcile_duration", "How long a pass took", seconds(), durations.clone());
        registry.register_with_unit(
            "time_to_ready",
            "From the first look at an object, or the last change of its spec and Secrets before that, to its first Ready",
            seconds(),
            readied.clone(),
        );
        let help = "1 for the state that a condition of an object is in.";
        let conditions = Series::register(registry, "condition", None, help);
        let help = "When an object is to be looked at again; long past means that nobody looks.";
        let next_look = Series::register(registry, "next_reconcile_timestamp", Some(seconds()), help);
        Self { passes, durations, readied, conditions, next_look, present: Mutex::default() }
    }

    /// A pass ended.
    pub(crate) fn reconciled(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.passes.get_or_create(&PassLabels { kind: kind.as_str(), outcome: outcome.as_str() }).inc();
        self.durations.get_or_create(&KindLabels { kind: kind.as_str() }).observe(took.as_secs_f64());
    }

    /// An object is about to be looked at. Of a new one this is when it was to be looked at, until a pass ends.
    pub(crate) fn found(&self, kind: Kind, key: &Key, now: Timestamp) {
        if self.present().insert((kind, key.clone())) {
            self.looks_again(kind, key, now);
        }
    }

    /// What a pass wrote into status, and when the next one comes. `more` tells what the kind's own metrics say.
    pub(crate) fn told(
        &self,
        kind: Kind,
        key: &Key,
        conditions: &[Condition],
        next_look: Timestamp,
        more: impl FnOnce(),
    ) {
        let present = self.present();
        if !present.contains(&(kind, key.clone())) {
            return;
        }
        let rows = ConditionType::ALL.iter().filter_map(|type_| {
            let condition = condition::get(conditions, *type_)?;
            let labels = ConditionLabels {
                kind: kind.as_str(),
                namespace: key.0.clone(),
                name: key.1.clone(),
                condition: type_.as_str(),
                status: condition.status.clone(),
                reason: condition.reason.clone(),
            };
            Some((labels, 1))
        });
        self.conditions.set(kind, key, rows.collect());
        self.looks_again(kind, key, next_look);
        more();
    }

    /// An object became Ready for the first time.
    pub(crate) fn became_ready(&self, kind: Kind, waited: Duration) {
        self.readied.get_or_create(&KindLabels { kind: kind.as_str() }).observe(waited.as_secs_f64());
    }

    /// An object is gone, and `more` forgets what the kind's own metrics say of it.
    pub(crate) fn forget(&self, kind: Kind, key: &Key, more: impl FnOnce()) {
        let mut present = self.present();
        present.remove(&(kind, key.clone()));
        self.conditions.forget(kind, key);
        self.next_look.forget(kind, key);
        more();
    }

    fn looks_again(&self, kind: Kind, key: &Key, at: Timestamp) {
        let labels = ObjectLabels { kind: kind.as_str(), namespace: key.0.clone(), name: key.1.clone() };
        self.next_look.set(kind, key, vec![(labels, at.as_second())]);
    }

    fn present(&self) -> std::sync::MutexGuard<'_, BTreeSet<(Kind, Key)>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the first Ready took, in the pass that reached it. A later one is no answer to how long a new connection takes,
/// and what was there before the operator (mode `Plan`) did not take it any time.
pub(crate) fn first_ready(
    before: Option<&Memory>,
    after: Option<&Memory>,
    conditions: &[Condition],
    now: Timestamp,
) -> Option<Duration> {
    let ready = condition::get(conditions, ConditionType::Ready)?;
    let managed = ready.status == "True" && ready.reason != "NothingToDo";
    let settled = |memory: Option<&Memory>| memory.is_some_and(|memory| memory.settled_inputs.is_some());
    if !managed || settled(before) || !settled(after) {
        return None;
    }
    after?.inputs_changed_at.as_ref().map(|since| age(since, now))
}

#[cfg(test)]
mod tests;
