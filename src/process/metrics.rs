//! The one registry of the process, and what the process itself measures.
//!
//! In: a room's `register`. Out: `OpenMetrics` text. Never: knows what a room measures.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{gauge::ConstGauge, info::Info},
    registry::Registry,
};

use super::{COMMIT, VERSION};
use crate::reconcile::leadership::Leadership;

/// Cheap to clone; all clones are one registry. Names get the prefix `uko_operator_`.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// A registry with the metrics of the process: `uko_operator_build_info` and `uko_operator_leader`.
    #[must_use]
    pub fn new(leadership: &Leadership) -> Self {
        let metrics = Self(Arc::new(Mutex::new(Registry::with_prefix("uko_operator"))));
        metrics.register(|registry| {
            registry.register(
                "build",
                "Version and commit of the running operator",
                Info::new(vec![("version", VERSION), ("commit", COMMIT)]),
            );
            registry.register_collector(Box::new(Leader(leadership.clone())));
        });
        metrics
    }

    /// Lets a room register what it measures: `metrics.register(RoomMetrics::register)`.
    pub fn register<T>(&self, room: impl FnOnce(&mut Registry) -> T) -> T {
        room(&mut self.registry())
    }

    /// The text that `/metrics` answers.
    ///
    /// # Errors
    /// When a label of a room cannot be encoded.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry())?;
        Ok(text)
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Computed at each scrape, so that a hung election cannot leave a stale 1 behind.
#[derive(Debug)]
struct Leader(Leadership);

impl Collector for Leader {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let leads = ConstGauge::new(i64::from(self.0.check().is_ok()));
        let metric = encoder.encode_descriptor(
            "leader",
            "1 while this process holds the Lease and may write, else 0",
            None,
            leads.metric_type(),
        )?;
        leads.encode(metric)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;
    use crate::reconcile::leadership::{CREATE_PAUSE, Term, leadership};

    #[tokio::test(start_paused = true)]
    async fn the_leader_metric_falls_when_the_proof_runs_out() {
        let (mut tenure, leadership) = leadership(CREATE_PAUSE);
        let metrics = Metrics::new(&leadership);
        let line = |value: u8| format!("\nuko_operator_leader {value}\n");
        assert!(metrics.encode().unwrap().contains(&line(0)));
        tenure.begin(Term(1), Instant::now() + Duration::from_secs(10), None);
        assert!(metrics.encode().unwrap().contains(&line(1)));
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(metrics.encode().unwrap().contains(&line(0)));
    }

    #[test]
    fn the_build_is_told_and_the_text_is_complete() {
        let (_tenure, leadership) = leadership(CREATE_PAUSE);
        let text = Metrics::new(&leadership).encode().unwrap();
        let build = format!("uko_operator_build_info{{version=\"{VERSION}\",commit=\"{COMMIT}\"}} 1");
        assert!(text.contains(&build), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
