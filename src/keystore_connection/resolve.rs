//! Reads what an `AzureKeystoreConnection` names in its namespace.
//!
//! In: the object. Out: [`Found`]. Never: writes; speaks to a cloud.

use kube::{Api, Client, api::ListParams};

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
    /// How many other connections of the namespace have a keystore in the same UKO; counted before one is registered.
    pub keystores: Seen<u32>,
}

/// Reads everything at once. The endpoint's status is read like any other client reads it.
pub(super) async fn references(kube: &Client, namespace: &str, object: &AzureKeystoreConnection) -> Found {
    let names = reference::of_keystore_connection(object);
    let (secrets, endpoint, keystores) = futures::join!(
        Secrets::read(kube, namespace, names.secrets),
        endpoint(kube, namespace, names.connector_endpoint),
        keystores(kube, namespace, object)
    );
    Found { secrets, endpoint, keystores }
}

async fn keystores(kube: &Client, namespace: &str, object: &AzureKeystoreConnection) -> Seen<u32> {
    if has_keystore(object) {
        return Seen::NotLooked;
    }
    let api: Api<AzureKeystoreConnection> = Api::namespaced(kube.clone(), namespace);
    let same = |other: &&AzureKeystoreConnection| {
        let hpcs =
            |object: &AzureKeystoreConnection| object.spec.uko.hpcs.as_ref().map(|hpcs| hpcs.instance_id.clone());
        let server =
            |object: &AzureKeystoreConnection| object.spec.uko.server.as_ref().map(|server| server.url.clone());
        has_keystore(other) && hpcs(other) == hpcs(object) && server(other) == server(object)
    };
    let list = timely(api.list(&ListParams::default())).await.map_err(Fault::from);
    Seen::always(list.map(|list| u32::try_from(list.items.iter().filter(same).count()).unwrap_or(u32::MAX)))
}

fn has_keystore(object: &AzureKeystoreConnection) -> bool {
    object.status.as_ref().and_then(|status| status.uko.as_ref()).is_some_and(|uko| uko.keystore_id.is_some())
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
