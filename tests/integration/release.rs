//! `deletionPolicy: Retain`: what was made stays, its marks are given up, and its owner can take it back.

use serde_json::{Value, json};

use crate::{
    deletion::{instance, is_gone, keystores, members},
    harness::{
        World,
        story::{CONNECTION, ENDPOINT, NAME, connection, endpoint, text},
    },
};

/// The marks of connector endpoint, private endpoint and keystore, in this order.
async fn marks(world: &World) -> [String; 3] {
    let state = world.cloud.state().await;
    let only = |map: &Value| map.as_object().unwrap().values().next().cloned().unwrap_or_default();
    let tags = only(&state["azure"]["privateEndpoints"])["tags"].clone();
    [
        text(&only(&state["ibm"]["endpoints"]), "/createdBy").to_owned(),
        format!("{} {}", text(&tags, "/uko-operator-owner"), text(&tags, "/uko-operator-object")),
        text(&only(&state["ibm"]["uko"][instance(world)]["keystores"]), "/description").to_owned(),
    ]
}

async fn ids(world: &World) -> Vec<String> {
    let mut ids = members(world, "/ibm/endpoints").await;
    ids.extend(members(world, "/azure/privateEndpoints").await);
    ids.extend(keystores(world).await);
    assert_eq!(ids.len(), 3, "{ids:?}");
    ids
}

async fn delete_both(world: &World) {
    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
        is_gone(world, kind, NAME).await;
    }
}

async fn marks_are(world: &World, released: bool) -> [String; 3] {
    world
        .eventually(if released { "all marks are released" } else { "all marks are an owner's" }, async || {
            let now = marks(world).await;
            let fits = now.iter().all(|mark| mark.contains("released ") == released);
            if fits { Ok(now) } else { Err(format!("{now:?}")) }
        })
        .await
}

#[tokio::test]
async fn what_is_retained_is_released_to_heirs_and_taken_back_by_its_owner_under_never() {
    let world = World::start("release").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let (made, before) = (ids(&world).await, marks(&world).await);
    delete_both(&world).await;
    let object = format!("{}/{NAME}", world.namespace);
    for mark in marks_are(&world, true).await {
        assert!(mark.contains(&object), "it still says whose it was: {mark}");
    }
    assert_eq!(ids(&world).await, made, "nothing else changed");
    assert!(marks(&world).await[2].starts_with("Keys of the payments platform in Azure\n"));

    // The owner takes its own back, whatever its adoptionPolicy says.
    world.apply_fixture().await;
    world.is_ready().await;
    assert_eq!(marks_are(&world, false).await, before);
    assert_eq!(ids(&world).await, made);

    // An heir takes what was given up, if its spec says so; not before.
    delete_both(&world).await;
    marks_are(&world, true).await;
    let mut heirs = [world.fixture.endpoint.clone(), world.fixture.connection.clone()];
    for heir in &mut heirs {
        heir["metadata"]["name"] = json!("heir");
    }
    heirs[0]["spec"]["displayName"] = json!(display_name(&world).await);
    heirs[1]["spec"]["connectorEndpointRef"]["name"] = json!("heir");
    for heir in &heirs {
        world.apply_value(heir).await.unwrap();
    }
    world.hears(connection("PrivateEndpointReady", "False/ClaimConflict").of("heir")).await;
    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, "heir", &json!({"spec": {"adoptionPolicy": "IfUnowned"}})).await;
    }
    world.hears(endpoint("Ready", "True/EndpointReady").of("heir")).await;
    world.hears(connection("Ready", "True/KeysCanFlow").of("heir")).await;
    assert_eq!(ids(&world).await, made);
    world.is_discreet().await;
}

#[tokio::test]
async fn a_mark_is_given_up_and_taken_back_where_ibm_does_not_say_what_the_agents_speak() {
    let world = World::start("release-silent").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let link = members(&world, "/ibm/endpoints").await.remove(0);
    let silent = json!({"ibm": {"endpoints": {&link: {"serverProtocol": ""}}}});
    world.cloud.patch(&silent).await;
    delete_both(&world).await;
    marks_are(&world, true).await;
    world.cloud.patch(&silent).await;
    world.apply_fixture().await;
    world.is_ready().await;
    marks_are(&world, false).await;
}

async fn display_name(world: &World) -> String {
    let state = world.cloud.state().await;
    let endpoints = state["ibm"]["endpoints"].as_object().unwrap();
    text(endpoints.values().next().unwrap(), "/displayName").to_owned()
}

#[tokio::test]
async fn an_object_that_is_replaced_by_force_keeps_its_own() {
    let world = World::start("replaced").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let (made, before) = (ids(&world).await, marks(&world).await);
    for (kind, object) in [(ENDPOINT, &world.fixture.endpoint), (CONNECTION, &world.fixture.connection)] {
        world.delete(kind, NAME).await;
        world.apply_value(object).await.unwrap();
    }
    world.is_ready().await;
    world.passes(CONNECTION, 2).await;
    world.is_ready().await;
    assert_eq!(ids(&world).await, made);
    assert_eq!(marks_are(&world, false).await, before);
}

#[tokio::test]
async fn in_mode_plan_and_suspended_not_even_a_mark_is_touched() {
    let world = World::start("untouched").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let before = marks(&world).await;
    world.merge(ENDPOINT, NAME, &json!({"spec": {"mode": "Plan"}})).await;
    world.hears(endpoint("Ready", "True/NothingToDo")).await;
    world.change_connection(json!({"suspend": true})).await;
    world.hears(connection("Ready", "True/Suspended")).await;
    let sent = world.cloud.last_request().await;
    delete_both(&world).await;
    // A third object goes the usual way; by then the two would have been released.
    let mut third = world.fixture.endpoint.clone();
    third["metadata"]["name"] = json!("third");
    world.apply_value(&third).await.unwrap();
    world.hears(endpoint("Ready", "True/EndpointReady").of("third")).await;
    world.delete(ENDPOINT, "third").await;
    world
        .eventually("the third is released", async || {
            let state = world.cloud.state().await.to_string();
            if state.contains("uko-operator:released") { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
    let state = world.cloud.state().await.to_string();
    assert_eq!(state.matches("released").count(), 1);
    assert!(state.contains(&before[0]), "the endpoint's mark was touched");
    assert_eq!(marks(&world).await[1..], before[1..]);
    assert!(!world.cloud.writes_after(sent).await.contains_key("uko PATCH"));
}
