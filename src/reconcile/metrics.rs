//! Metrics of the reconcile loop.
//!
//! In: outcomes and condition states. Out: series in the shared registry. Never: a label made from an error's text.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    summary::Done,
    wake::{Key, Kind},
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct ConditionLabels {
    kind: &'static str,
    namespace: String,
    name: String,
    condition: String,
    status: String,
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
struct KekLabels {
    namespace: String,
    name: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RepairLabels {
    action: &'static str,
    outcome: &'static str,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Metrics {
    passes: Family<PassLabels, Counter>,
    durations: Family<KindLabels, Histogram>,
    conditions: Family<ConditionLabels, Gauge>,
    kek: Family<KekLabels, Gauge>,
    repairs: Family<RepairLabels, Counter>,
    known: Mutex<(BTreeSet<ConditionLabels>, BTreeSet<KekLabels>)>,
}

impl Metrics {
    /// Registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            passes: Family::default(),
            durations: Family::new_with_constructor(|| {
                Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
            }),
            conditions: Family::default(),
            kek: Family::default(),
            repairs: Family::default(),
            known: Mutex::default(),
        };
        registry.register("reconciles", "Passes over an object, by outcome", metrics.passes.clone());
        registry.register_with_unit(
            "reconcile_duration",
            "How long a pass took",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        registry.register(
            "condition",
            "1 for the state that a condition of an object is in",
            metrics.conditions.clone(),
        );
        registry.register(
            "key_encryption_key_state",
            "1 for the state that the key-encryption key of a connection is in",
            metrics.kek.clone(),
        );
        registry.register(
            "key_encryption_key_repairs",
            "Attempts to bring a lost key-encryption key back, by how Azure answered",
            metrics.repairs.clone(),
        );
        metrics
    }

    /// A pass ended.
    pub(crate) fn reconciled(&self, kind: Kind, outcome: Outcome, took: Duration) {
        self.passes.get_or_create(&PassLabels { kind: kind.as_str(), outcome: outcome.as_str() }).inc();
        self.durations.get_or_create(&KindLabels { kind: kind.as_str() }).observe(took.as_secs_f64());
    }

    /// The conditions of an object are now these.
    pub(crate) fn conditions(&self, kind: Kind, key: &Key, conditions: &[Condition]) {
        let now: BTreeSet<ConditionLabels> = conditions
            .iter()
            .map(|condition| ConditionLabels {
                kind: kind.as_str(),
                namespace: key.0.clone(),
                name: key.1.clone(),
                condition: condition.type_.clone(),
                status: condition.status.clone(),
                reason: condition.reason.clone(),
            })
            .collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.0.retain(|old| {
            let of_another = old.kind != kind.as_str() || (&old.namespace, &old.name) != (&key.0, &key.1);
            let keep = of_another || now.contains(old);
            if !keep {
                self.conditions.remove(old);
            }
            keep
        });
        for labels in now {
            self.conditions.get_or_create(&labels).set(1);
            known.0.insert(labels);
        }
    }

    /// The key-encryption key of a connection is in this state.
    pub(crate) fn kek(&self, key: &Key, state: Option<String>) {
        let now = state.map(|state| KekLabels { namespace: key.0.clone(), name: key.1.clone(), state });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.retain(|old| {
            let keep = (&old.namespace, &old.name) != (&key.0, &key.1) || Some(old) == now.as_ref();
            if !keep {
                self.kek.remove(old);
            }
            keep
        });
        if let Some(labels) = now {
            self.kek.get_or_create(&labels).set(1);
            known.1.insert(labels);
        }
    }

    /// A lost key-encryption key was asked for: `recover` or `recreate`.
    pub(crate) fn repaired(&self, action: &'static str, done: &Done) {
        let outcome = match done {
            Done::Wrote => "accepted",
            Done::Failed(fault) if fault.outcome_unknown => "unknown",
            Done::Failed(fault) if fault.is_passing() => "failed",
            Done::Failed(_) => "refused",
            Done::Nothing | Done::Asked | Done::Answered | Done::Held(..) => return,
        };
        self.repairs.get_or_create(&RepairLabels { action, outcome }).inc();
    }

    /// An object is gone.
    pub(crate) fn forget(&self, kind: Kind, key: &Key) {
        self.conditions(kind, key, &[]);
        if kind == Kind::AzureKeystoreConnection {
            self.kek(key, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_appear_under_their_published_names_and_go_with_their_object() {
        let mut registry = Registry::with_prefix("uko_operator"); // as the process makes it
        let metrics = Metrics::register(&mut registry);
        let key = ("keys".to_owned(), "payments".to_owned());
        metrics.reconciled(Kind::AzureKeystoreConnection, Outcome::Settled, Duration::from_millis(40));
        metrics.kek(&key, Some("Missing".to_owned()));
        metrics.kek(&key, Some("Healthy".to_owned()));
        metrics.repaired("recover", &Done::Wrote);
        metrics.repaired("recover", &Done::Nothing);
        let text = |registry: &Registry| {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
            text
        };
        let state = r#"uko_operator_key_encryption_key_state{namespace="keys",name="payments",state="Healthy"} 1"#;
        for line in [
            r#"uko_operator_reconciles_total{kind="AzureKeystoreConnection",outcome="settled"} 1"#,
            r#"uko_operator_key_encryption_key_repairs_total{action="recover",outcome="accepted"} 1"#,
            r#"uko_operator_reconcile_duration_seconds_count{kind="AzureKeystoreConnection"} 1"#,
            state,
        ] {
            assert!(text(&registry).contains(&format!("\n{line}\n")), "{line} not in\n{}", text(&registry));
        }
        assert!(!text(&registry).contains(r#"state="Missing""#), "an object is in one state");
        metrics.forget(Kind::AzureKeystoreConnection, &key);
        assert!(!text(&registry).contains(state), "{}", text(&registry));
    }
}
