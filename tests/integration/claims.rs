//! Two want one thing, in one cluster or in two: one works, the other says whose it is and touches nothing, and a person may
//! give it away.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, NAME, Told, condition, connection, endpoint, text},
};

/// The owner hash that a message tells, as a person would copy it.
fn hash_in(object: &Value, stage: &str) -> String {
    let message = text(condition(object, stage).unwrap(), "/message").to_owned();
    let (_, hash) = message.rsplit_once("uko-operator.io/take-over: ").unwrap_or_else(|| panic!("{message}"));
    hash.trim_end_matches('.').to_owned()
}

/// The three conflicts of an object that came second; gives the hashes of the owners of both kinds.
async fn is_refused(world: &World, name: &str, owner: &str) -> [String; 2] {
    let refused = |told: Told| told.of(name).says(&[owner]).ready("False/ClaimConflict");
    let first = world.hears(refused(endpoint("EndpointProvisioned", "False/ClaimConflict"))).await;
    world.hears(refused(connection("PrivateEndpointReady", "False/ClaimConflict"))).await;
    let second = world.hears(refused(connection("KeystoreConnected", "False/ClaimConflict"))).await;
    world.hears(refused(connection("ClaimConflict", "True"))).await;
    [hash_in(&first, "EndpointProvisioned"), hash_in(&second, "KeystoreConnected")]
}

fn shared_name(world: &mut World) {
    world.fixture.endpoint["spec"]["displayName"] = json!("payments-kv");
}

fn one_of_each(world: &World, state: &Value) {
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap();
    for map in
        [&state["ibm"]["endpoints"], &state["azure"]["privateEndpoints"], &state["ibm"]["uko"][instance]["keystores"]]
    {
        assert_eq!(map.as_object().unwrap().len(), 1, "{map:#}");
    }
}

#[tokio::test]
async fn of_two_objects_in_one_cluster_one_works_and_the_other_names_it() {
    let mut world = World::start("two-objects").await;
    shared_name(&mut world);
    world.apply_fixture().await;
    world.is_ready().await;
    let before = world.cloud.last_request().await;
    for object in [&world.fixture.endpoint, &world.fixture.connection] {
        let mut second = object.clone();
        second["metadata"]["name"] = json!("second");
        second["spec"]["adoptionPolicy"] = json!("IfUnowned");
        world.apply_value(&second).await.unwrap();
    }
    is_refused(&world, "second", &format!("{}/{NAME},", world.namespace)).await;
    world.passes(CONNECTION, 3).await;
    assert_eq!(world.cloud.writes_after(before).await, BTreeMap::new(), "neither writes: one has, one may not");
    world.is_ready().await;
    one_of_each(&world, &world.cloud.state().await);
}

#[tokio::test]
async fn of_two_clusters_one_works_until_a_person_gives_its_things_to_the_other() {
    let mut blue = World::start_with("blue", |options| options.flag("cluster-id", "blue")).await;
    shared_name(&mut blue);
    blue.apply_fixture().await;
    blue.is_ready().await;
    let mut green = blue.twin("green", "green").await;
    shared_name(&mut green);
    let before = blue.cloud.last_request().await;
    green.apply_fixture().await;
    let hashes = is_refused(&green, NAME, &format!("{}/{NAME},", blue.namespace)).await;
    green.passes(CONNECTION, 2).await;
    assert_eq!(blue.cloud.writes_after(before).await, BTreeMap::new());

    // A hash that is nobody's here changes nothing.
    for kind in [ENDPOINT, CONNECTION] {
        green.annotate(kind, "take-over", &"a".repeat(26)).await;
        green.looks_again(kind).await;
    }
    is_refused(&green, NAME, &blue.namespace).await;
    assert_eq!(blue.cloud.writes_after(before).await, BTreeMap::new());

    for (kind, hash) in [ENDPOINT, CONNECTION].into_iter().zip(&hashes) {
        green.annotate(kind, "take-over", hash).await;
    }
    green.is_ready().await;
    let back = is_refused(&blue, NAME, &format!("{}/{NAME},", green.namespace)).await;
    assert_ne!(back, hashes);
    let state = blue.cloud.state().await;
    one_of_each(&blue, &state);
    for (kind, hash) in [ENDPOINT, CONNECTION].into_iter().zip(&hashes) {
        let object = green
            .eventually("the annotation is acknowledged", async || {
                let object = green.get(kind, NAME).await.unwrap();
                let done = text(&object, "/status/lastHandledTakeOver") == hash;
                if done { Ok(object) } else { Err(object["status"].to_string()) }
            })
            .await;
        assert_eq!(condition(&object, "ClaimConflict"), None);
    }
    let settled = blue.cloud.last_request().await;
    for world in [&blue, &green] {
        world.passes(CONNECTION, 2).await;
    }
    assert_eq!(blue.cloud.writes_after(settled).await, BTreeMap::new(), "nobody fights over it");

    // And back: the annotation over there has done its work and stays without effect.
    for (kind, hash) in [ENDPOINT, CONNECTION].into_iter().zip(&back) {
        blue.annotate(kind, "take-over", hash).await;
    }
    blue.is_ready().await;
    is_refused(&green, NAME, &format!("{}/{NAME},", blue.namespace)).await;
    let settled = blue.cloud.last_request().await;
    green.passes(CONNECTION, 2).await;
    assert_eq!(blue.cloud.writes_after(settled).await, BTreeMap::new());
}

#[tokio::test]
async fn two_clusters_with_one_id_are_one_owner() {
    let mut blue = World::start_with("one-id-a", |options| options.flag("cluster-id", "keys-prod")).await;
    shared_name(&mut blue);
    blue.apply_fixture().await;
    blue.is_ready().await;
    // The same namespace and name: what a rebuilt cluster holds. Its status is empty.
    blue.operator = None;
    for kind in [CONNECTION, ENDPOINT] {
        blue.delete(kind, NAME).await;
    }
    let before = blue.cloud.last_request().await;
    let options = blue.options().flag("cluster-id", "keys-prod");
    blue.operator = Some(crate::harness::Operator::start(blue.cluster, &blue.cloud, &options));
    blue.apply_fixture().await;
    blue.is_ready().await;
    one_of_each(&blue, &blue.cloud.state().await);
    let writes = blue.cloud.writes_after(before).await;
    assert!(writes.keys().all(|write| write == "uko PATCH"), "nothing is made again: {writes:?}");
}

#[tokio::test]
async fn the_sample_plans_and_then_adopts_what_was_made_by_hand() {
    let mut world = World::start("by-hand").await;
    let pair = world.fixture.pair("adopt-by-hand.yaml");
    world.fixture.endpoint["spec"]["displayName"] = pair[0]["spec"]["displayName"].clone();
    world.apply_fixture().await;
    world.is_ready().await;
    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
    }
    let made = world.cloud.state().await;
    let only = |map: &Value| map.as_object().unwrap().keys().next().unwrap().clone();
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap();
    let [link, private, keystore] = [
        only(&made["ibm"]["endpoints"]),
        only(&made["azure"]["privateEndpoints"]),
        only(&made["ibm"]["uko"][instance]["keystores"]),
    ];
    let by_hand = json!({
        "ibm": {
            "endpoints": {&link: {"createdBy": null}},
            "uko": {instance: {"keystores": {&keystore: {"description": "made by hand"}}}},
        },
        "azure": {"privateEndpoints": {&private: {"tags": {"uko-operator-owner": null, "uko-operator-object": null}}}},
    });
    world.cloud.patch(&by_hand).await;
    let before = world.cloud.last_request().await;
    for object in &pair {
        world.apply_value(object).await.unwrap();
    }
    let rows = |object: &Value| {
        let rows = object["status"]["plan"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", text(row, "/action"), text(row, "/resource"))).collect::<Vec<_>>()
    };
    let object = world.hears(endpoint("Ready", "False/ChangesPlanned").at_rest()).await;
    assert_eq!(rows(&object), ["Adopt connector endpoint payments-by-hand"]);
    let object = world.hears(connection("Ready", "False/ChangesPlanned").at_rest()).await;
    let adopted = ["Adopt private endpoint payments-kv-pe", "Adopt keystore payments-azure"];
    assert_eq!(rows(&object), adopted);
    assert_eq!(world.cloud.writes_after(before).await, BTreeMap::new());

    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, NAME, &json!({"spec": {"mode": "Manage"}})).await;
    }
    world.is_ready().await;
    let state = world.cloud.state().await;
    one_of_each(&world, &state);
    let kept = text(&state["ibm"]["uko"][instance]["keystores"][&keystore], "/description");
    // The sample describes the keystore; without a description in the spec, the old one would stand.
    assert!(kept.starts_with("Keys of the payments platform in Azure\nuko-operator:"), "{kept}");
}

/// IBM's own sample of a list of keystores does not tell the Key Vault; each keystore by itself does.
#[tokio::test]
async fn a_list_that_does_not_tell_the_key_vault_leads_to_no_second_keystore() {
    let mut world = World::start("sparse").await;
    world.apply_fixture().await;
    world.is_ready().await;
    world.operator = None;
    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
    }
    // What is left is a keystore that a person made, under a name of their own.
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap().to_owned();
    let state = world.cloud.state().await;
    let keystore = state["ibm"]["uko"][&instance]["keystores"].as_object().unwrap().keys().next().unwrap();
    let by_hand = json!({"name": "by-hand", "description": "made by hand"});
    let uko = json!({&instance: {"keystores": {keystore: by_hand}}});
    world.cloud.patch(&json!({"ibm": {"switches": {"sparseLists": true}, "uko": uko}})).await;
    let before = world.cloud.last_request().await;
    let none_made = async || {
        let writes = world.cloud.writes_after(before).await;
        assert_eq!(writes.get("uko POST"), None, "{writes:?}");
    };

    // It cannot be read: that is not absence.
    let path = format!("/keystores/{keystore}$");
    world.cloud.fault(&json!({"service": "uko", "method": "GET", "path": path, "status": 503, "count": -1})).await;
    world.operator = Some(crate::harness::Operator::start(world.cluster, &world.cloud, &world.options()));
    world.apply_fixture().await;
    let paths = ["PrivateEndpointReady", "ConnectorEndpointReady"];
    world.hears(connection("KeystoreConnected", "Unknown/UkoUnavailable").still(&paths)).await;
    world.passes(CONNECTION, 2).await;
    none_made().await;

    world.cloud.no_faults().await;
    let told = connection("KeystoreConnected", "False/ClaimConflict").ready("False/ClaimConflict");
    world.hears(told.says(&["by-hand", "adoptionPolicy: IfUnowned"])).await;
    world.passes(CONNECTION, 2).await;
    none_made().await;

    world.change_connection(json!({"adoptionPolicy": "IfUnowned"})).await;
    world.is_ready().await;
    none_made().await;
    one_of_each(&world, &world.cloud.state().await);
}
