//! Reads what an `AzureKeystoreConnection` names in its namespace.
//!
//! In: the object. Out: [`Found`]. Never: writes; speaks to a cloud.

use kube::{Api, Client};

use crate::{
    api::{
        reference,
        v1alpha1::{AzureKeystoreConnection, ConnectorEndpoint},
    },
    reconcile::{
        driver::timely,
        fault::Fault,
        secrets::Secrets,
        stage::Seen,
        wake::{Named, Names},
    },
};

/// What was found in Kubernetes.
pub(super) struct Found {
    /// The Secrets.
    pub secrets: Secrets,
    /// The `ConnectorEndpoint`, if one is named.
    pub endpoint: Seen<ConnectorEndpoint>,
}

/// Reads everything at once. The endpoint's status is read like any other client reads it.
pub(super) async fn references(kube: &Client, namespace: &str, object: &AzureKeystoreConnection) -> Found {
    let names = reference::of_keystore_connection(object);
    let (secrets, endpoint) = futures::join!(
        Secrets::read(kube, namespace, names.secrets),
        endpoint(kube, namespace, names.connector_endpoint)
    );
    Found { secrets, endpoint }
}

async fn endpoint(kube: &Client, namespace: &str, name: Option<String>) -> Seen<ConnectorEndpoint> {
    let Some(name) = name else { return Seen::NotLooked };
    let api: Api<ConnectorEndpoint> = Api::namespaced(kube.clone(), namespace);
    Seen::of(timely(api.get_opt(&name)).await.map_err(Fault::from))
}

/// What wakes it: its Secrets and its endpoint.
pub(super) fn names(object: &AzureKeystoreConnection) -> Names {
    let names = reference::of_keystore_connection(object);
    let secrets = names.secrets.into_iter().map(|name| (Named::Secret, name));
    secrets.chain(names.connector_endpoint.map(|name| (Named::ConnectorEndpoint, name))).collect()
}
