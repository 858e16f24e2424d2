//! Reads what a `ConnectorEndpoint` names in its namespace.
//!
//! In: the object. Out: [`Found`]. Never: writes; speaks to a cloud.

use kube::{Api, ResourceExt, api::ListParams};

use crate::{
    api::{
        reference,
        v1alpha1::{AzureKeystoreConnection, ConnectorEndpoint},
    },
    reconcile::{
        driver::{Shared, timely},
        secrets::Secrets,
        wake::{Key, Named, Names},
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
    let (secrets, used_by) =
        futures::join!(Secrets::read(&shared.kube, &key.0, names.secrets), used_by(shared, object, key));
    Found { secrets, used_by }
}

/// Asked of the API server and not of our own index, which is not full yet just after a start. While it does not answer,
/// what status says stands: nobody is cut off because we know too little.
async fn used_by(shared: &Shared, object: &ConnectorEndpoint, key: &Key) -> Vec<String> {
    let api: Api<AzureKeystoreConnection> = Api::namespaced(shared.kube.clone(), &key.0);
    match timely(api.list(&ListParams::default())).await {
        Ok(list) => list
            .items
            .iter()
            .filter(|user| reference::of_keystore_connection(user).connector_endpoint.as_ref() == Some(&key.1))
            .map(ResourceExt::name_any)
            .collect(),
        Err(_) => object.status.as_ref().map(|status| status.used_by.clone()).unwrap_or_default(),
    }
}

/// What wakes it: the Secrets it names. Connections that name it wake it through the index.
pub(super) fn names(object: &ConnectorEndpoint) -> Names {
    reference::of_connector_endpoint(object).secrets.into_iter().map(|name| (Named::Secret, name)).collect()
}
