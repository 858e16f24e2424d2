//! What a person may set about the clouds' HTTP.
//!
//! In: flags, already parsed. Out: plain values. Never: reads the environment or a file.

use std::{fmt, path::PathBuf, time::Duration};

/// The outside world as the operator's flags describe it.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Deadline of one attempt, from connect to the last byte of the answer.
    pub request_timeout: Duration,
    /// Deadline of TCP and TLS together.
    pub connect_timeout: Duration,
    /// PEM file with CAs to trust beside the system's (which `SSL_CERT_FILE` may replace).
    pub extra_ca_file: Option<PathBuf>,
    /// Sent with every call: `uko-operator/<version>`.
    pub user_agent: String,
    /// The way out, if there is no direct one.
    pub proxy: ProxySettings,
    /// Calls in flight to one host at a time.
    pub concurrency_per_host: usize,
    /// First pause before an idempotent read is tried again; doubled once.
    pub read_retry_initial: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            extra_ca_file: None,
            user_agent: concat!("uko-operator/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxy: ProxySettings::default(),
            concurrency_per_host: 8,
            read_retry_initial: Duration::from_millis(250),
        }
    }
}

/// The proxy variables, spelled as everybody spells them. A proxy's URL may hold a password, so `Debug` hides it.
#[derive(Clone, Default)]
pub struct ProxySettings {
    /// For `https` targets.
    pub https_proxy: Option<String>,
    /// For `http` targets.
    pub http_proxy: Option<String>,
    /// Hosts, domains and CIDRs that are reached directly.
    pub no_proxy: Option<String>,
}

impl fmt::Debug for ProxySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySettings")
            .field("https_proxy", &self.https_proxy.is_some())
            .field("http_proxy", &self.http_proxy.is_some())
            .field("no_proxy", &self.no_proxy)
            .finish()
    }
}
