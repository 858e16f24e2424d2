//! Reads what an `AzureKeystoreConnection` names in its namespace.
//!
//! In: the object. Out: [`Found`]. Never: writes; speaks to a cloud.

use kube::{Api, Client, api::ListParams};

use crate::{
    api::{
        reference,
        v1alpha1::{AzureKeystoreConnection, ConnectorEndpoint, UkoSpec},
    },
    reconcile::{
        announce::{Age, may_still_come},
        driver::timely,
        fault::Fault,
        policy_file::Target,
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
    /// How many other connections of the namespace have a keystore in the same UKO, or are making one; counted before one is
    /// registered.
    pub keystores: Seen<u32>,
}

/// Reads everything at once. The endpoint's status is read like any other client reads it.
pub(super) async fn references(kube: &Client, namespace: &str, object: &AzureKeystoreConnection, age: Age) -> Found {
    let names = reference::of_keystore_connection(object);
    let (secrets, endpoint, keystores) = futures::join!(
        Secrets::read(kube, namespace, names.secrets),
        endpoint(kube, namespace, names.connector_endpoint),
        keystores(kube, namespace, object, age)
    );
    Found { secrets, endpoint, keystores }
}

async fn keystores(kube: &Client, namespace: &str, object: &AzureKeystoreConnection, age: Age) -> Seen<u32> {
    if has_keystore(object) {
        return Seen::NotLooked;
    }
    let api: Api<AzureKeystoreConnection> = Api::namespaced(kube.clone(), namespace);
    let list = timely(api.list(&ListParams::default())).await.map_err(Fault::from);
    Seen::always(list.map(|list| others_with_keystores(&list.items, object, age)))
}

/// Of the connections of a namespace. One that is about to be made counts: of two that saw room for one, the second would make
/// one too many.
fn others_with_keystores(all: &[AzureKeystoreConnection], object: &AzureKeystoreConnection, age: Age) -> u32 {
    let counts = |other: &&AzureKeystoreConnection| {
        other.metadata.name != object.metadata.name
            && uko_of(&other.spec.uko) == uko_of(&object.spec.uko)
            && (has_keystore(other) || is_making_one(other, age))
    };
    u32::try_from(all.iter().filter(counts).count()).unwrap_or(u32::MAX)
}

fn is_making_one(object: &AzureKeystoreConnection, age: Age) -> bool {
    let pending = object.status.as_ref().and_then(|status| status.pending_create.as_ref());
    pending.is_some_and(|pending| pending.kind == "Keystore" && may_still_come(pending, age))
}

/// Where it is, as the policy file names it.
pub(super) fn target(uko: &UkoSpec) -> Option<Target<'_>> {
    match (&uko.hpcs, &uko.server) {
        (Some(hpcs), _) => Some(Target::Instance(&hpcs.instance_id)),
        (None, Some(server)) => Some(Target::Server(&server.url)),
        (None, None) => None,
    }
}

/// What tells one UKO from another, however it is spelled.
pub(super) fn uko_of(uko: &UkoSpec) -> Option<String> {
    target(uko)?.spelled()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn object(name: &str, instance: &str, status: Value) -> AzureKeystoreConnection {
        let sample = include_str!("../../deploy/samples/azure-keystore-connection.yaml");
        let mut object: Value = serde_yaml::from_str(sample).unwrap();
        object["metadata"]["name"] = json!(name);
        object["spec"]["uko"]["hpcs"]["instanceId"] = json!(instance);
        object["status"] = status;
        serde_json::from_value(object).unwrap()
    }

    #[test]
    fn a_keystore_counts_from_its_announcement_on_and_ones_own_does_not() {
        let [here, there] = ["3f8a6b1c-2d4e-4a5b-9c7d-8e0f1a2b3c4d", "00000000-0000-4000-8000-000000000000"];
        let pending = |kind: &str, second: i64| {
            let at = Timestamp::from_second(second).unwrap().to_string();
            json!({"observedGeneration": 1, "pendingCreate": {"kind": kind, "startedAt": at}})
        };
        let made = json!({"observedGeneration": 1, "uko": {"keystoreId": "k"}});
        let nothing = json!({"observedGeneration": 1});
        let age = Age { now: Timestamp::from_second(NOW).unwrap(), lost_after: Duration::from_mins(2) };
        let one = object("one", here, pending("Keystore", NOW - 1));
        for (status, instance, counted) in [
            (made.clone(), here, 1),
            (pending("Keystore", NOW - 10), here, 1),
            (pending("Keystore", NOW - 130), here, 0),
            (pending("UkoVault", NOW - 10), here, 0),
            (nothing, here, 0),
            (made, there, 0),
            (pending("Keystore", NOW - 10), there, 0),
        ] {
            let all = [one.clone(), object("other", instance, status.clone())];
            assert_eq!(others_with_keystores(&all, &one, age), counted, "{status}");
        }
    }

    #[test]
    fn a_uko_is_the_same_one_in_every_spelling() {
        let uko = |mut spec: Value| {
            spec["vault"] = json!({"name": "payments"});
            uko_of(&serde_json::from_value(spec).unwrap()).unwrap()
        };
        let hosted = |id: &str| {
            uko(json!({"hpcs": {"instanceId": id, "region": "eu-de", "authentication": {"type": "APIKey"}}}))
        };
        assert_eq!(hosted("3f8a6b1c-2d4e-4a5b-9c7d-8e0f1a2b3c4d"), hosted("3F8A6B1C-2D4E-4A5B-9C7D-8E0F1A2B3C4D"));
        let own = |url: &str| uko(json!({"server": {"url": url, "authentication": {"type": "Passcode"}}}));
        for same in ["https://uko.example.com/", "https://UKO.example.com", "https://uko.example.com:443"] {
            assert_eq!(own(same), own("https://uko.example.com"), "{same}");
        }
        for other in ["https://uko.example.com:8443", "https://uko.example.org"] {
            assert_ne!(own(other), own("https://uko.example.com"), "{other}");
        }
    }
}
