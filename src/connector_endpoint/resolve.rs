//! Reads what a `ConnectorEndpoint` names in its namespace.
//!
//! In: the object. Out: [`Found`]. Never: writes; speaks to a cloud.

use crate::{
    api::{reference, v1alpha1::ConnectorEndpoint},
    reconcile::{
        driver::Shared,
        secrets::Secrets,
        wake::{Key, Kind, Named, Names},
    },
};

/// What was found in Kubernetes.
pub(super) struct Found {
    /// The Secrets.
    pub secrets: Secrets,
    /// Connections of the namespace that name this endpoint.
    pub used_by: Vec<String>,
}

/// Reads everything at once.
pub(super) async fn references(shared: &Shared, object: &ConnectorEndpoint, key: &Key) -> Found {
    let names = reference::of_connector_endpoint(object);
    let users = shared.wakes.users(Kind::AzureKeystoreConnection, Named::ConnectorEndpoint, key);
    Found {
        secrets: Secrets::read(&shared.kube, &key.0, names.secrets).await,
        used_by: users.into_iter().map(|(_, name)| name).collect(),
    }
}

/// What wakes it: the Secrets it names. Connections that name it wake it through the index.
pub(super) fn names(object: &ConnectorEndpoint) -> Names {
    reference::of_connector_endpoint(object).secrets.into_iter().map(|name| (Named::Secret, name)).collect()
}
