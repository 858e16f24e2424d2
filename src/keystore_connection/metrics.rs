//! What only a connection can measure.
//!
//! In: its status, and attempts to bring a lost key back. Out: the state of its key-encryption key, and a count. Never: an id of a key or a vault as a label.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::{
    api::v1alpha1::AzureKeystoreConnectionStatus,
    reconcile::{
        series::Series,
        summary::Done,
        wake::{Key, Kind},
    },
};

const KIND: Kind = Kind::AzureKeystoreConnection;

#[derive(Clone, Debug, EncodeLabelSet)]
struct KekLabels {
    namespace: String,
    name: String,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RepairLabels {
    action: &'static str,
    outcome: &'static str,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct ConnectionMetrics {
    kek: Series<KekLabels>,
    repairs: Family<RepairLabels, Counter>,
}

impl ConnectionMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let help = "1 for the state that the key-encryption key of a connection is in.";
        let kek = Series::register(registry, "key_encryption_key_state", None, help);
        let repairs: Family<RepairLabels, Counter> = Family::default();
        // What is rare must be seen at 0 first, or Prometheus takes the first one for the beginning and sees no increase.
        for action in ["recover", "recreate"] {
            for outcome in ["accepted", "refused", "failed", "unknown"] {
                drop(repairs.get_or_create(&RepairLabels { action, outcome }));
            }
        }
        registry.register(
            "key_encryption_key_repairs",
            "Attempts to bring a lost key-encryption key back, by how Azure answered",
            repairs.clone(),
        );
        Self { kek, repairs }
    }

    /// A pass ended with this status.
    pub(super) fn told(&self, key: &Key, status: &AzureKeystoreConnectionStatus) {
        let rows = status.key_encryption_key.iter().map(|kek| {
            let labels = KekLabels { namespace: key.0.clone(), name: key.1.clone(), state: kek.state.as_str() };
            (labels, 1)
        });
        self.kek.set(KIND, key, rows.collect());
    }

    /// A lost key-encryption key was asked for: `recover` or `recreate`.
    pub(super) fn repaired(&self, action: &'static str, done: &Done) {
        let outcome = match done {
            Done::Wrote => "accepted",
            Done::Failed(fault) if fault.outcome_unknown => "unknown",
            Done::Failed(fault) if fault.is_passing() => "failed",
            Done::Failed(_) => "refused",
            Done::Nothing | Done::Asked | Done::Answered | Done::Held(..) => return,
        };
        self.repairs.get_or_create(&RepairLabels { action, outcome }).inc();
    }

    /// The connection is gone.
    pub(super) fn forget(&self, key: &Key) {
        self.kek.forget(KIND, key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::v1alpha1::KekState;

    #[test]
    fn the_key_is_in_one_state_and_goes_with_its_connection() {
        let mut registry = Registry::with_prefix("uko_operator");
        let metrics = ConnectionMetrics::register(&mut registry);
        let key = ("keys".to_owned(), "payments".to_owned());
        let status = |state: &str| {
            let status = json!({ "observedGeneration": 1, "keyEncryptionKey": { "state": state } });
            serde_json::from_value(status).unwrap()
        };
        let scrape = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        metrics.told(&key, &status("Healthy"));
        metrics.told(&key, &status("SoftDeleted"));
        let line = r#"uko_operator_key_encryption_key_state{namespace="keys",name="payments",state="SoftDeleted"} 1"#;
        assert!(scrape().contains(line) && !scrape().contains("Healthy"), "{}", scrape());
        metrics.told(&key, &AzureKeystoreConnectionStatus::default());
        assert!(!scrape().contains("payments"), "nobody knows any more\n{}", scrape());
        metrics.told(&key, &status("Healthy"));
        metrics.forget(&key);
        assert!(!scrape().contains("payments"), "{}", scrape());
        metrics.repaired("recover", &Done::Wrote);
        metrics.repaired("recover", &Done::Nothing);
        let repairs =
            |labels: &str, count: u8| format!("\nuko_operator_key_encryption_key_repairs_total{{{labels}}} {count}\n");
        assert!(scrape().contains(&repairs(r#"action="recover",outcome="accepted""#, 1)), "{}", scrape());
        assert!(scrape().contains(&repairs(r#"action="recreate",outcome="refused""#, 0)), "{}", scrape());
    }

    #[test]
    fn a_state_is_called_as_in_status() {
        for name in ["Healthy", "Missing", "SoftDeleted", "MissingOrDeleted", "Disabled", "Expired", "NotYetValid"]
            .into_iter()
            .chain(["WrongType", "WrongOperations", "WrongSize", "InTransition", "Unreadable", "NotApplicable"])
        {
            assert_eq!(serde_json::from_value::<KekState>(json!(name)).unwrap().as_str(), name);
        }
    }
}
