//! The flags of `uko-operator run`, each with its twin in the environment.
//!
//! In: the command line. Out: [`Flags`]. Never: a rule that spans two flags; those are in [`super::Settings`].

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum, builder::NonEmptyStringValueParser};

use super::duration;

/// Flags of `uko-operator run`.
#[derive(Args, Clone, Debug)]
pub struct Flags {
    /// Policy file: which namespaces may aim at which UKO, and who may use the operator's own Azure identity.
    ///
    /// Read again whenever it changes. Without it, or while it is missing, every target is refused.
    #[arg(long, value_name = "FILE", env = "UKO_OPERATOR_POLICY")]
    pub policy: Option<PathBuf>,

    /// Price file: what a keystore costs a month, for `estimatedCost` in `status.plan`.
    ///
    /// Read at the start. Without it IBM's list prices count, as of the day that `estimatedCost.pricesAsOf` says.
    #[arg(long, value_name = "FILE", env = "UKO_OPERATOR_PRICES")]
    pub prices: Option<PathBuf>,

    /// Id of this cluster in the ownership marks; default the uid of namespace kube-system.
    ///
    /// Two clusters that share it (blue and green) own each other's objects in the clouds. Changing it disowns them.
    #[arg(long, value_name = "ID", env = "UKO_OPERATOR_CLUSTER_ID", value_parser = NonEmptyStringValueParser::new())]
    pub cluster_id: Option<String>,

    /// Namespace to watch; repeat it, or separate several by commas. Default all.
    #[arg(long, value_name = "NAMESPACE", env = "UKO_OPERATOR_WATCH_NAMESPACE", value_delimiter = ',')]
    pub watch_namespace: Vec<String>,

    /// Where /healthz, /readyz, /metrics and /version answer. Port 0 takes a free one and logs it.
    #[arg(long, value_name = "ADDRESS", env = "UKO_OPERATOR_LISTEN", default_value = "0.0.0.0:8080")]
    pub listen: SocketAddr,

    /// The operator's own namespace, for its Lease and its fingerprint key.
    ///
    /// Default: `POD_NAMESPACE`, the namespace of the service account, the only watched namespace, or uko-operator.
    #[arg(long, value_name = "NAMESPACE", env = "UKO_OPERATOR_NAMESPACE", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,

    /// What the Lease calls this process. Default: `POD_NAME`, else the host's name and a random part.
    #[arg(long, value_name = "NAME", env = "UKO_OPERATOR_IDENTITY", value_parser = NonEmptyStringValueParser::new())]
    pub identity: Option<String>,

    /// Deadline of one call to a cloud, from connect to the last byte.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_REQUEST_TIMEOUT", default_value = "30s", value_parser = duration::parse)]
    pub request_timeout: Duration,

    /// Deadline of TCP and TLS together, to a cloud and to the Kubernetes API.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_CONNECT_TIMEOUT", default_value = "5s", value_parser = duration::parse)]
    pub connect_timeout: Duration,

    /// First pause after a fault that may pass by itself; it doubles with each repetition.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_BACKOFF_INITIAL", default_value = "2s", value_parser = duration::parse)]
    pub backoff_initial: Duration,

    /// Longest pause after such a fault.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_BACKOFF_MAX", default_value = "2m", value_parser = duration::parse)]
    pub backoff_max: Duration,

    /// How long Ready stays True while a cloud cannot be asked.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_READY_GRACE", default_value = "5m", value_parser = duration::parse)]
    pub ready_grace: Duration,

    /// How long a resource may be Reconciling before it counts as degraded.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_PROGRESS_DEADLINE", default_value = "30m", value_parser = duration::parse)]
    pub progress_deadline: Duration,

    /// Pause between two looks at something that is in progress, where the cloud does not say.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_POLL_INTERVAL", default_value = "10s", value_parser = duration::parse)]
    pub poll_interval: Duration,

    /// Shortest `intervalSeconds` that takes effect; a shorter one in a resource is raised to it.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_MIN_INTERVAL", default_value = "60s", value_parser = duration::parse)]
    pub min_interval: Duration,

    /// Shortest pause between two full looks (every managed field, network, permissions) at a resource that is Ready. Each look
    /// at its interval is full unless the last one is younger than this; looks between, such as those at the KEK, are quick.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_FULL_LOOK_INTERVAL", default_value = "60s", value_parser = duration::parse)]
    pub full_look_interval: Duration,

    /// How long the Lease must stay unchanged before another process may lead. Whole seconds.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_LEASE_DURATION", default_value = "15s", value_parser = duration::parse)]
    pub lease_duration: Duration,

    /// How long the leader may go on writing after its last renewal. Shorter than the lease duration.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_LEASE_RENEW_DEADLINE", default_value = "10s", value_parser = duration::parse)]
    pub lease_renew_deadline: Duration,

    /// Pause between two renewals, or between two looks of a standby.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_LEASE_RETRY_PERIOD", default_value = "2s", value_parser = duration::parse)]
    pub lease_retry_period: Duration,

    /// How long a create whose answer was lost may still take effect: before that it is looked for and not sent again.
    ///
    /// A leader that took an expired Lease creates nothing that could double for as long. At least `--request-timeout`.
    #[arg(long, value_name = "DURATION", env = "UKO_OPERATOR_LOST_CREATE_TIMEOUT", default_value = "2m", value_parser = duration::parse)]
    pub lost_create_timeout: Duration,

    /// PEM file with CAs to trust beside the system's, for the clouds and for proxies that break TLS.
    #[arg(long, value_name = "FILE", env = "UKO_OPERATOR_EXTRA_CA_FILE")]
    pub extra_ca_file: Option<PathBuf>,

    /// Which routes of the Satellite Link API serve connectors: IBM publishes both forms.
    #[arg(long, value_name = "SCOPE", env = "UKO_OPERATOR_LINK_SCOPE", value_enum, default_value = "connectors")]
    pub link_scope: LinkScope,

    /// How log lines look on standard error.
    #[arg(long, value_name = "FORMAT", env = "UKO_OPERATOR_LOG_FORMAT", value_enum, default_value = "text")]
    pub log_format: LogFormat,

    /// error, warn, info, debug, trace, off, or tracing directives such as `info,kube=debug`. Default: `RUST_LOG`, else info.
    #[arg(long, value_name = "LEVEL", env = "UKO_OPERATOR_LOG_LEVEL", value_parser = NonEmptyStringValueParser::new())]
    pub log_level: Option<String>,

    /// Resources of one kind that are worked on at the same time.
    #[arg(long, value_name = "COUNT", env = "UKO_OPERATOR_CONCURRENCY", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
}

/// Where the Satellite Link API keeps a connector's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkScope {
    /// `/v1/connectors/{id}/endpoints`
    Connectors,
    /// `/v1/locations/{id}/endpoints`
    Locations,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
