//! Which cluster the ownership marks speak of.
//!
//! In: `--cluster-id`, else the uid of namespace kube-system. Out: an id that outlives every object of ours.
//! Never: a name, which a second cluster may share by chance.

use std::{error::Error, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use tokio::time::timeout;

use super::api_server::plain;

const DEADLINE: Duration = Duration::from_secs(30);

/// Why this cluster has no id.
#[derive(Debug, thiserror::Error)]
pub enum NoClusterId {
    /// The uid could not be read.
    #[error(
        "cannot read the uid of namespace kube-system, which marks what we own in the clouds: grant the service account get on it, or set --cluster-id"
    )]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
    /// No answer in time.
    #[error("the API server did not say the uid of namespace kube-system within {DEADLINE:?}")]
    Late,
    /// The server left it out.
    #[error("namespace kube-system has no uid: set --cluster-id")]
    Absent,
}

/// # Errors
/// When the flag is absent and the namespace cannot be read.
pub async fn cluster_id(kube: &Client, flag: Option<&str>) -> Result<String, NoClusterId> {
    if let Some(id) = flag {
        return Ok(id.to_owned());
    }
    let namespaces: Api<Namespace> = Api::all(kube.clone());
    timeout(DEADLINE, namespaces.get("kube-system"))
        .await
        .map_err(|_| NoClusterId::Late)?
        .map_err(|fault| NoClusterId::Unreadable(plain(fault)))?
        .metadata
        .uid
        .ok_or(NoClusterId::Absent)
}
