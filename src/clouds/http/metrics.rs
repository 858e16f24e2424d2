//! What the clouds room counts.
//!
//! In: one finished attempt. Out: a counter and a histogram. Never: a label with an id, a host or an error text.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{Service, budget::Refusal};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Attempt {
    cloud: &'static str,
    operation: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    cloud: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Withheld {
    cloud: &'static str,
    cause: &'static str,
}

/// `uko_operator_cloud_requests_total`, `uko_operator_cloud_requests_withheld_total` and
/// `uko_operator_cloud_request_duration_seconds`. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct CloudMetrics {
    attempts: Family<Attempt, Counter>,
    withheld: Family<Withheld, Counter>,
    durations: Family<Call, Histogram, fn() -> Histogram>,
}

impl Default for CloudMetrics {
    fn default() -> Self {
        Self {
            attempts: Family::default(),
            withheld: Family::default(),
            durations: Family::new_with_constructor(histogram),
        }
    }
}

fn histogram() -> Histogram {
    Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
}

impl CloudMetrics {
    /// Makes the metrics and hangs them into the registry under the operator's prefix.
    #[must_use]
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "cloud_requests",
            "Attempts of calls to the clouds, by HTTP status class or error",
            metrics.attempts.clone(),
        );
        registry.register(
            "cloud_requests_withheld",
            "Calls that were not made: the service asked for patience, did not answer lately, or too many calls wait",
            metrics.withheld.clone(),
        );
        registry.register_with_unit(
            "cloud_request_duration",
            "How long one attempt took, from connect to the last byte",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        metrics
    }

    pub(super) fn count(&self, service: Service, operation: &'static str, status: Option<u16>, took: Duration) {
        let cloud = service.as_str();
        self.attempts.get_or_create(&Attempt { cloud, operation, status: class(status) }).inc();
        self.durations.get_or_create(&Call { cloud, operation }).observe(took.as_secs_f64());
    }

    pub(super) fn withheld(&self, service: Service, refusal: Refusal) {
        let cause = match refusal {
            Refusal::Gate(_) => "throttled",
            Refusal::Broken(_) => "unanswered",
            Refusal::Busy => "busy",
        };
        self.withheld.get_or_create(&Withheld { cloud: service.as_str(), cause }).inc();
    }
}

fn class(status: Option<u16>) -> &'static str {
    match status {
        Some(100..=199) => "1xx",
        Some(200..=299) => "2xx",
        Some(300..=399) => "3xx",
        Some(429) => "429",
        Some(400..=499) => "4xx",
        Some(500..=599) => "5xx",
        Some(_) | None => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_appear_under_their_published_names() {
        let mut registry = Registry::with_prefix("uko_operator");
        let metrics = CloudMetrics::register(&mut registry);
        metrics.count(Service::KeyVault, "GetKey", Some(403), Duration::from_millis(40));
        metrics.count(Service::KeyVault, "GetKey", None, Duration::from_secs(1));
        metrics.withheld(Service::Arm, Refusal::Gate(Duration::from_secs(1)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            r#"uko_operator_cloud_requests_total{cloud="kv",operation="GetKey",status="4xx"} 1"#,
            r#"uko_operator_cloud_requests_total{cloud="kv",operation="GetKey",status="error"} 1"#,
            r#"uko_operator_cloud_request_duration_seconds_count{cloud="kv",operation="GetKey"} 2"#,
            r#"uko_operator_cloud_requests_withheld_total{cloud="arm",cause="throttled"} 1"#,
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} not in\n{text}");
        }
    }
}
