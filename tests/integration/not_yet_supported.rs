//! What this version does not act on yet is refused by name, and while it stands nobody outside is called.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, connection, endpoint, text},
};

const REASON: &str = "False/NotYetSupported";

/// A row: the spec's change as a merge patch, and the field that the message must name.
fn rows() -> Vec<(Value, &'static str)> {
    let operator = "c4a8e2b6-7f1d-4390-b5e3-6d2c8f0a1b94";
    vec![
        (
            json!({"azure": {"identity": {"type": "WorkloadIdentity", "servicePrincipal": null, "workloadIdentity": {"clientId": operator, "serviceAccountRef": {"name": "uko"}}}}}),
            "spec.azure.identity.type: WorkloadIdentity",
        ),
        (
            json!({"azure": {"identity": {"type": "OperatorIdentity", "servicePrincipal": null}}}),
            "spec.azure.identity.type: OperatorIdentity",
        ),
        (
            json!({"azure": {"identity": {"servicePrincipal": {"passwordSecretRef": null, "certificateSecretRef": {"name": "azure-certificate"}}}}}),
            "spec.azure.identity.servicePrincipal.certificateSecretRef",
        ),
        (
            json!({"uko": {"hpcs": {"authentication": {"type": "TrustedProfile", "apiKey": null, "trustedProfile": {"id": "Profile-7d2c1f0e-5b4a-4c3d-9e8f-1a2b3c4d5e6f", "serviceAccountRef": {"name": "uko"}}}}}}),
            "spec.uko.hpcs.authentication.type: TrustedProfile",
        ),
    ]
}

#[tokio::test]
async fn each_value_of_a_connection_that_is_not_acted_on_is_refused_and_calls_nobody() {
    let world = World::start("not-yet").await;
    for (number, (change, field)) in rows().into_iter().enumerate() {
        let mut object = world.fixture.connection.clone();
        let name = format!("payments-{number}");
        object["metadata"]["name"] = json!(name);
        merge(&mut object["spec"], &change);
        world.apply_value(&object).await.unwrap();
        let told = connection("CredentialsValid", REASON).of(&name).stalled();
        world.hears(told.says(&[field, "is not supported by this version"])).await;
    }
    let made = world.cloud.writes_after(0).await;
    assert_eq!(made, [].into(), "nothing may be changed");
    let called = world.cloud.requests_after(0).await;
    let called: Vec<&str> = called.iter().map(|one| text(one, "/url")).collect();
    assert_eq!(called, Vec::<&str>::new(), "nothing outside may be called");

    // Put right, it goes its way.
    world.apply_value(&world.fixture.endpoint).await.unwrap();
    let mut right = world.fixture.connection["spec"]["azure"]["identity"].clone();
    right["workloadIdentity"] = Value::Null;
    world.merge(CONNECTION, "payments-0", &json!({"spec": {"azure": {"identity": right}}})).await;
    world.hears(connection("Ready", "True/KeysCanFlow").of("payments-0")).await;
}

#[tokio::test]
async fn each_value_of_an_endpoint_that_is_not_acted_on_is_refused_and_calls_nobody() {
    let world = World::start("not-yet-endpoint").await;
    let profile = json!({"authentication": {"type": "TrustedProfile", "apiKey": null, "trustedProfile": {"id": "Profile-7d2c1f0e-5b4a-4c3d-9e8f-1a2b3c4d5e6f", "serviceAccountRef": {"name": "uko"}}}});
    let mut object = world.fixture.endpoint.clone();
    object["metadata"]["name"] = json!("profile");
    merge(&mut object["spec"], &profile);
    world.apply_value(&object).await.unwrap();
    let told = endpoint("CredentialsValid", REASON).of("profile").stalled();
    let field = "spec.authentication.type: TrustedProfile";
    world.hears(told.says(&[field, "is not supported by this version"])).await;
    assert_eq!(world.cloud.requests_after(0).await, Vec::<Value>::new(), "nothing outside may be called");

    let key = json!({"spec": {"authentication": {"type": "APIKey", "trustedProfile": null, "apiKey": {"secretRef": {"name": "ibm-cloud"}}}}});
    world.merge(ENDPOINT, "profile", &key).await;
    world.hears(endpoint("Ready", "True/EndpointReady").of("profile")).await;
    assert_eq!(at(&world.get(ENDPOINT, "profile").await.unwrap(), "/metadata").get("finalizers"), None);
    assert_eq!(world.list(CONNECTION).await.len(), 0);
}

/// A JSON merge patch (RFC 7396).
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let members = target.as_object_mut().unwrap();
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}
