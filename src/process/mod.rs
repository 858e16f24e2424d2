//! What belongs to the pod and not to a resource: settings, lease, probes, metrics, logs, traces, signals.
//!
//! In: flags, the environment, the Kubernetes API. Out: a process that leads or stands by, says so, and ends in order.
//! Never: knows a kind or a cloud.

pub mod api_server;
pub mod cluster_id;
pub mod health;
pub mod leader;
pub mod lease;
pub mod metrics;
pub mod otlp;
pub mod server;
pub mod settings;
pub mod supervise;
pub mod telemetry;

/// Version of this build.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Commit of this build; `unknown` unless the build set `UKO_OPERATOR_COMMIT`.
pub const COMMIT: &str = match option_env!("UKO_OPERATOR_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};
