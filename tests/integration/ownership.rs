//! What is ours, what is nobody's and what is another's: adopted, left alone, or made again.

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    deletion::{is_gone, members},
    harness::{
        World,
        fixture::at,
        story::{CONNECTION, ENDPOINT, NAME, connection, endpoint, text},
    },
};

fn instance(world: &World) -> &str {
    at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap()
}

/// Ids of connector endpoint, private endpoint and keystore; one of each.
async fn ids(world: &World) -> [String; 3] {
    let state = world.cloud.state().await;
    let only = |map: &Value| {
        let members = map.as_object().unwrap();
        assert_eq!(members.len(), 1, "{map:#}");
        members.keys().next().unwrap().clone()
    };
    [
        only(&state["ibm"]["endpoints"]),
        only(&state["azure"]["privateEndpoints"]),
        only(&state["ibm"]["uko"][instance(world)]["keystores"]),
    ]
}

/// A patch of the marks of the three.
fn marks(
    world: &World,
    [link, private, keystore]: &[String; 3],
    created_by: &Value,
    tags: &Value,
    text: &str,
) -> Value {
    json!({
        "ibm": {
            "endpoints": {link: {"createdBy": created_by}},
            "uko": {instance(world): {"keystores": {keystore: {"description": text}}}},
        },
        "azure": {"privateEndpoints": {private: {"tags": tags}}},
    })
}

#[tokio::test]
async fn what_others_own_is_never_touched_and_what_nobody_owns_only_if_the_spec_says_so() {
    let mut world = World::start("adoption").await;
    world.fixture.endpoint["spec"]["displayName"] = json!("payments-kv");
    world.apply_fixture().await;
    world.is_ready().await;
    let made = ids(&world).await;
    for kind in [CONNECTION, ENDPOINT] {
        // Suspended, so that even the marks stay.
        world.merge(kind, NAME, &json!({"spec": {"suspend": true}})).await;
        world.delete(kind, NAME).await;
        assert_eq!(world.get(kind, NAME).await, None, "Retain needs no finalizer");
    }
    assert_eq!(ids(&world).await, made, "Retain leaves everything outside");

    // Heirs under another name: to them the marks are foreign, whatever they may adopt.
    let mut heirs = [world.fixture.endpoint.clone(), world.fixture.connection.clone()];
    for heir in &mut heirs {
        heir["metadata"]["name"] = json!("heir");
        heir["spec"]["adoptionPolicy"] = json!("IfUnowned");
    }
    heirs[1]["spec"]["connectorEndpointRef"]["name"] = json!("heir");
    let before = world.cloud.last_request().await;
    for heir in &heirs {
        world.apply_value(heir).await.unwrap();
    }
    let owner = format!("{}/{NAME}", world.namespace);
    let refused = |told: crate::harness::story::Told| told.of("heir").reconciling();
    world.hears(refused(endpoint("EndpointProvisioned", "False/ClaimConflict")).says(&["payments-kv", &owner])).await;
    let told = connection("PrivateEndpointReady", "False/ClaimConflict").still(&["CredentialsValid", "VaultReady"]);
    world.hears(refused(told).says(&["payments-kv-pe", &owner])).await;
    let told = connection("KeystoreConnected", "False/ClaimConflict");
    world.hears(refused(told).says(&["payments-azure", &owner])).await;
    world.hears(connection("ClaimConflict", "True").of("heir").ready("False/ClaimConflict")).await;

    // Nobody's, but the spec says Never.
    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, "heir", &json!({"spec": {"adoptionPolicy": "Never"}})).await;
    }
    // Only once the operator has seen that: a look of before would still take them over.
    world.hears(refused(endpoint("EndpointProvisioned", "False/ClaimConflict"))).await;
    let object = world.hears(refused(connection("PrivateEndpointReady", "False/ClaimConflict"))).await;
    assert_eq!(object["status"]["azure"].get("privateEndpointId"), None, "another's endpoint is no id of ours");
    world
        .cloud
        .patch(&marks(
            &world,
            &made,
            &Value::Null,
            &json!({"uko-operator-owner": null, "uko-operator-object": null}),
            "by hand",
        ))
        .await;
    let cure = ["adoptionPolicy: IfUnowned"];
    world.hears(refused(endpoint("EndpointProvisioned", "False/ClaimConflict")).says(&cure)).await;
    world.hears(refused(connection("PrivateEndpointReady", "False/ClaimConflict")).says(&cure)).await;
    world.hears(refused(connection("KeystoreConnected", "False/ClaimConflict")).says(&cure)).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into());

    // Nobody's, and the spec says IfUnowned.
    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, "heir", &json!({"spec": {"adoptionPolicy": "IfUnowned"}})).await;
    }
    world.hears(endpoint("Ready", "True/EndpointReady").of("heir")).await;
    world.hears(connection("Ready", "True/KeysCanFlow").of("heir")).await;
    assert_eq!(ids(&world).await, made, "taken over, not made a second time");
    let state = world.cloud.state().await;
    let mark = format!("{}/heir", world.namespace);
    assert!(text(&state["ibm"]["endpoints"][&made[0]], "/createdBy").ends_with(&mark));
    assert_eq!(state["azure"]["privateEndpoints"][&made[1]]["tags"]["uko-operator-object"], mark);
    assert!(text(&state["ibm"]["uko"][instance(&world)]["keystores"][&made[2]], "/description").ends_with(&mark));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a person annotates with the time of now")]
async fn a_keystore_that_somebody_removed_is_made_again_only_on_request() {
    let world = World::start("removed").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let [_, _, keystore] = ids(&world).await;
    let gone = json!({"ibm": {"uko": {instance(&world): {"keystores": {&keystore: null}}}}});
    world.cloud.patch(&gone).await;
    let before = world.cloud.last_request().await;
    let told = connection("KeystoreConnected", "False/RemovedOutside").reconciling();
    let told = told.says(&["costs money", "uko-operator.io/recreate-requested-at"]);
    let still = ["CredentialsValid", "VaultReady", "PrivateEndpointReady", "ConnectorEndpointReady"];
    world.hears(told.still(&still)).await;
    world.annotate(CONNECTION, "recreate-requested-at", "2099-01-01T00:00:00Z").await;
    world.looks_again(CONNECTION).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into(), "no wish, or one whose time has not come");

    world.annotate(CONNECTION, "recreate-requested-at", &Timestamp::now().to_string()).await;
    world.is_ready().await;
    let [_, _, again] = ids(&world).await;
    assert_ne!(again, keystore);
}

#[tokio::test]
async fn an_endpoint_that_was_made_or_taken_is_ours_though_our_mark_is_not_shown() {
    let mut world = World::start("unshown").await;
    world.cloud.patch(&json!({"ibm": {"switches": {"createdByKept": false}}})).await;
    world.fixture.endpoint["spec"]["displayName"] = json!("payments-kv");
    world.apply_fixture().await;
    world.is_ready().await;
    for kind in [CONNECTION, ENDPOINT] {
        // Suspended, so that nothing is released.
        world.merge(kind, NAME, &json!({"spec": {"suspend": true}})).await;
        world.delete(kind, NAME).await;
    }

    let mut heir = world.fixture.endpoint.clone();
    heir["metadata"]["name"] = json!("heir");
    heir["spec"]["adoptionPolicy"] = json!("IfUnowned");
    heir["spec"]["deletionPolicy"] = json!("Delete");
    let before = world.cloud.last_request().await;
    world.apply_value(&heir).await.unwrap();
    world.hears(endpoint("Ready", "True/EndpointReady").of("heir")).await;
    let writes = world.cloud.writes_after(before).await;
    assert_eq!(writes.values().sum::<usize>(), 1, "taken over once: {writes:?}");
    world.delete(ENDPOINT, "heir").await;
    is_gone(&world, ENDPOINT, "heir").await;
    assert_eq!(members(&world, "/ibm/endpoints").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_vanished_endpoint_is_made_again_and_uko_is_led_to_the_new_one() {
    let world = World::start("vanished").await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let old = text(&object, "/status/tlsProxy").to_owned();
    let [link, private, keystore] = ids(&world).await;
    world.cloud.patch(&json!({"ibm": {"endpoints": {&link: null}}})).await;
    world
        .eventually("UKO goes through a new endpoint", async || {
            let object = world.get(CONNECTION, NAME).await.unwrap();
            let now = text(&object, "/status/tlsProxy");
            if now.contains(':') && now != old { Ok(()) } else { Err(now.to_owned()) }
        })
        .await;
    world.is_ready().await;
    let [again, same_private, same_keystore] = ids(&world).await;
    assert_ne!(again, link);
    assert_eq!((same_private, same_keystore), (private, keystore), "nothing else was made anew");
    let state = world.cloud.state().await;
    let proxy =
        text(&state["ibm"]["uko"][instance(&world)]["keystores"][&ids(&world).await[2]], "/connection/tlsProxy")
            .to_owned();
    assert_ne!(proxy, old);
}

#[tokio::test]
async fn drift_is_set_back_or_reported_as_the_spec_says() {
    let world = World::start("drift").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let [link, _, keystore] = ids(&world).await;
    let described =
        |text: &str| json!({"ibm": {"uko": {instance(&world): {"keystores": {&keystore: {"description": text}}}}}});
    let read = async || {
        let state = world.cloud.state().await;
        text(&state["ibm"]["uko"][instance(&world)]["keystores"][&keystore], "/description").to_owned()
    };
    let right = read().await;
    world.cloud.patch(&described(&right.replace("Keys of", "Drift of"))).await;
    world
        .eventually("the description is set back", async || {
            let now = read().await;
            if now == right { Ok(()) } else { Err(now) }
        })
        .await;
    world.is_ready().await;

    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, NAME, &json!({"spec": {"driftPolicy": "Report"}})).await;
    }
    world.is_ready().await;
    world.cloud.patch(&described(&right.replace("Keys of", "Drift of"))).await;
    world.cloud.patch(&json!({"ibm": {"endpoints": {&link: {"timeout": 30}}}})).await;
    let before = world.cloud.last_request().await;
    let told = connection("Drifted", "True/DriftReported").says(&["spec.keystore.description"]);
    let object = world.hears(told.ready("True")).await;
    assert_eq!(object["status"]["drift"][0]["field"], "spec.keystore.description");
    let told = endpoint("Drifted", "True/DriftReported").says(&["spec.inactivityTimeoutSeconds"]);
    world.hears(told.ready("True")).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into());
}
