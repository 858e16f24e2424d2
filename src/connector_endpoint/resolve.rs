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
        fault::Fault,
        secrets::Secrets,
        stage::Seen,
        wake::{Key, Named, Names},
    },
};

/// What was found in Kubernetes.
pub(super) struct Found {
    /// The Secrets.
    pub secrets: Secrets,
    /// Connections of the namespace that name this endpoint.
    pub used_by: Seen<Vec<String>>,
}

/// Reads everything at once.
pub(super) async fn references(shared: &Shared, object: &ConnectorEndpoint, key: &Key) -> Found {
    let names = reference::of_connector_endpoint(object);
    let (secrets, used_by) = futures::join!(Secrets::read(&shared.kube, &key.0, names.secrets), used_by(shared, key));
    Found { secrets, used_by }
}

/// Asked of the API server and not of our own index, which is not full yet just after a start.
async fn used_by(shared: &Shared, key: &Key) -> Seen<Vec<String>> {
    let api: Api<AzureKeystoreConnection> = Api::namespaced(shared.kube.clone(), &key.0);
    let names_us = |user: &&AzureKeystoreConnection| {
        reference::of_keystore_connection(user).connector_endpoint.as_ref() == Some(&key.1)
    };
    let list = timely(api.list(&ListParams::default())).await.map_err(Fault::from);
    Seen::always(list.map(|list| list.items.iter().filter(names_us).map(ResourceExt::name_any).collect()))
}

/// What wakes it: the Secrets it names. Connections that name it wake it through the index.
pub(super) fn names(object: &ConnectorEndpoint) -> Names {
    reference::of_connector_endpoint(object).secrets.into_iter().map(|name| (Named::Secret, name)).collect()
}
