//! The fingerprint key: made once, the same for everybody.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use uko_operator::reconcile::fingerprint::Fingerprints;

use crate::api::{ApiServer, Wire};

fn secrets(server: &ApiServer) -> Api<Secret> {
    Api::namespaced(server.client(&Wire::default()), "uko-operator")
}

#[tokio::test]
async fn everyone_ends_with_the_same_key_however_many_start_at_once() {
    let server = ApiServer::default();
    let clients: Vec<Api<Secret>> = (0..8).map(|_| secrets(&server)).collect();
    let made = futures::future::join_all(clients.iter().map(Fingerprints::load_or_make)).await;
    let again = Fingerprints::load_or_make(&secrets(&server)).await.unwrap();
    for fingerprints in made {
        assert_eq!(fingerprints.unwrap().of(&[b"x"]), again.of(&[b"x"]));
    }
}

#[tokio::test]
async fn a_spoilt_key_is_told_and_never_replaced() {
    let server = ApiServer::default();
    Fingerprints::load_or_make(&secrets(&server)).await.unwrap();
    let path = "/api/v1/namespaces/uko-operator/secrets/uko-operator-fingerprint-key";
    server.change(path, |secret| secret["data"]["key"] = "YQ==".into());
    let spoilt = server.object(path);
    let fault = Fingerprints::load_or_make(&secrets(&server)).await.unwrap_err();
    assert!(fault.to_string().contains("delete it"), "{fault}");
    assert_eq!(server.object(path), spoilt);
}
