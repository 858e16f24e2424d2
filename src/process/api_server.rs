//! The way to the Kubernetes API, and the wait until it serves our kinds.
//!
//! In: the pod's service account or a kubeconfig. Out: a client; gates that open when the API server answers and when the
//! kinds are served. Never: a proxy; permissions on CRDs, since every authenticated user may read what is served.

use std::{error::Error, time::Duration};

use kube::{Client, Config};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::health::{Gate, Health};

/// One look at what is served takes no longer than this.
const LOOK_DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    /// Neither a service account nor a kubeconfig.
    #[error("found no way to a Kubernetes API: run in a pod with a service account, or set KUBECONFIG")]
    Unconfigured(#[source] Box<kube::config::InferConfigError>),
    /// A configuration that cannot be used.
    #[error("the configuration of the Kubernetes API cannot be used")]
    Unusable(#[source] Box<dyn Error + Send + Sync>),
}

/// A client for the cluster this process belongs to. Makes no call.
///
/// # Errors
/// When no configuration is found, or it cannot be used.
pub async fn connect(connect_timeout: Duration) -> Result<Client, NoClient> {
    let mut config = Config::infer().await.map_err(|fault| NoClient::Unconfigured(Box::new(fault)))?;
    // The proxy variables are for the clouds: kube would compare NO_PROXY with the wrong host.
    config.proxy_url = None;
    config.connect_timeout = Some(connect_timeout);
    // A watch is quiet for up to five minutes by design, so reads have no time-out here: every caller has a deadline.
    config.read_timeout = None;
    config.write_timeout = Some(Duration::from_secs(30));
    Client::try_from(config).map_err(|fault| NoClient::Unusable(plain(fault)))
}

/// The fault without kube's debug print of the whole answer.
pub(super) fn plain(fault: kube::Error) -> Box<dyn Error + Send + Sync> {
    if let kube::Error::Api(status) = fault { status } else { Box::new(fault) }
}

/// The kinds of one group and version that this process cannot work without.
#[derive(Debug)]
pub struct Kinds {
    group: &'static str,
    version: &'static str,
    gates: Vec<(String, Gate)>,
    reached: Gate,
}

impl Kinds {
    /// Makes the gates, so that /readyz names what is missing from the first moment on.
    #[must_use]
    pub fn new(
        health: &Health,
        group: &'static str,
        version: &'static str,
        plurals: impl IntoIterator<Item = String>,
    ) -> Self {
        let gate = |plural: String| {
            let gate = health.gate(format!("the CRD {plural}.{group}"));
            (plural, gate)
        };
        Self {
            group,
            version,
            gates: plurals.into_iter().map(gate).collect(),
            reached: health.gate("the Kubernetes API server"),
        }
    }

    /// Waits until the API server answers and serves every kind; a missing CRD is waited for, not died of.
    pub async fn wait(self, kube: &Client, pause: Duration) {
        let mut told = None;
        loop {
            let missing = self.look(kube).await;
            match &missing {
                Ok(missing) if missing.is_empty() => return,
                other if told.as_ref() == Some(other) => {}
                Ok(missing) => info!(?missing, "waiting for CRDs; install them with `uko-operator crds`"),
                Err(problem) => warn!(problem, "the Kubernetes API server cannot be asked; trying on"),
            }
            told = Some(missing);
            sleep(pause).await;
        }
    }

    async fn look(&self, kube: &Client) -> Result<Vec<String>, String> {
        let route = format!("{}/{}", self.group, self.version);
        let served = match timeout(LOOK_DEADLINE, kube.list_api_group_resources(&route)).await {
            Ok(Ok(list)) => list.resources,
            // Plain text instead of a Status where the whole group is unknown: only the code can be trusted.
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Vec::new(),
            Ok(Err(fault)) => return Err(plain(fault).to_string()),
            Err(_) => return Err("no answer".to_owned()),
        };
        self.reached.open();
        let mut missing = Vec::new();
        for (plural, gate) in &self.gates {
            if served.iter().any(|resource| resource.name == *plural) {
                gate.open();
            } else {
                gate.close();
                missing.push(format!("{plural}.{}", self.group));
            }
        }
        Ok(missing)
    }
}
