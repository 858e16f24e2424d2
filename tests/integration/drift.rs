//! What differs outside is noticed within the interval, field by field: set back, or only told, as the spec says.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, NAME, connection, endpoint, text},
};

/// Changes every managed field that can be changed behind the operator's back, and something that nobody manages.
async fn meddle(world: &World) {
    let state = world.cloud.state().await;
    let only = |map: &Value| map.as_object().unwrap().keys().next().unwrap().clone();
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap();
    let link = only(&state["ibm"]["endpoints"]);
    let source = only(&state["ibm"]["sources"]);
    let private = only(&state["azure"]["privateEndpoints"]);
    let keystore = only(&state["ibm"]["uko"][instance]["keystores"]);
    let description = text(&state["ibm"]["uko"][instance]["keystores"][&keystore], "/description").to_owned();
    let zone = text(&state["azure"]["privateEndpoints"][&private], "/zoneGroups/uko-operator/zones/vault").to_owned();
    let patch = json!({
        "ibm": {
            "endpoints": {&link: {"timeout": 30}},
            "sources": {&source: {"addresses": ["10.0.0.0/8", "172.16.0.0/12"]}},
            "uko": {instance: {"keystores": {&keystore: {"description": description.replace("Keys of", "Drift of")}}}},
        },
        "azure": {"privateEndpoints": {&private: {
            "tags": {"team": "drift", "theirs": "1"},
            "zoneGroups": {"uko-operator": {"zones": {"vault": format!("{zone}.example")}}},
        }}},
    });
    world.cloud.patch(&patch).await;
}

fn fields(object: &Value) -> Vec<&str> {
    let mut fields: Vec<&str> =
        object["status"]["drift"].as_array().unwrap().iter().map(|row| text(row, "/field")).collect();
    fields.sort_unstable();
    fields
}

#[tokio::test]
async fn every_managed_field_is_compared_at_the_interval() {
    let mut world = World::start_with("drift-all", |options| options.flag("full-look-interval", "2s")).await;
    world.fixture.endpoint["spec"]["allowedSources"] = json!(["10.0.0.0/8"]);
    for object in [&mut world.fixture.endpoint, &mut world.fixture.connection] {
        object["spec"]["driftPolicy"] = json!("Report");
    }
    world.apply_fixture().await;
    world.is_ready().await;
    meddle(&world).await;
    let before = world.cloud.last_request().await;
    let on_endpoint = ["spec.allowedSources", "spec.inactivityTimeoutSeconds"];
    let on_connection =
        ["spec.keystore.description", "spec.privateEndpoint.privateDnsZoneId", "spec.privateEndpoint.tags.team"];
    let object = world.hears(endpoint("Drifted", "True/DriftReported").says(&on_endpoint).ready("True")).await;
    assert_eq!(fields(&object), on_endpoint);
    let object = world.hears(connection("Drifted", "True/DriftReported").says(&on_connection).ready("True")).await;
    assert_eq!(fields(&object), on_connection, "and not the tag of others");
    let row = object["status"]["drift"].as_array().unwrap().iter().find(|row| text(row, "/field").ends_with("team"));
    assert_eq!((text(row.unwrap(), "/want"), text(row.unwrap(), "/have")), ("payments", "drift"));
    world.passes(CONNECTION, 2).await;
    assert_eq!(world.cloud.writes_after(before).await, BTreeMap::new(), "Report only reports");

    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, NAME, &json!({"spec": {"driftPolicy": "Correct"}})).await;
    }
    world.is_ready().await;
    let before = world.cloud.last_request().await;
    meddle(&world).await;
    let right = async || {
        let state = world.cloud.state().await.to_string();
        let wrong = ["Drift of", "172.16.0.0/12", ".net.example", "\"timeout\":30"];
        wrong.into_iter().filter(|word| state.contains(word)).collect::<Vec<_>>()
    };
    world
        .eventually("all is set back without anyone asking", async || {
            let left = right().await;
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    world.is_ready().await;
    let state = world.cloud.state().await;
    let made = state["azure"]["privateEndpoints"].as_object().unwrap().values().next().unwrap();
    assert_eq!(text(made, "/tags/theirs"), "1", "what we do not manage is left alone");
    let writes = world.cloud.writes_after(before).await;
    let few = writes.values().sum::<usize>();
    assert!(few <= 7, "one write a difference: {writes:?}");
}

#[tokio::test]
async fn a_permission_taken_away_is_only_told_under_report() {
    let mut world = World::start_with("drift-grant", |options| options.flag("full-look-interval", "2s")).await;
    world.fixture.connection["spec"]["azure"]["keyPermissions"] = json!("Grant");
    world.fixture.connection["spec"]["driftPolicy"] = json!("Report");
    world.apply_fixture().await;
    world.is_ready().await;
    let vault = crate::harness::story::VAULT;
    let policies = world.cloud.state().await["azure"]["vaults"][vault]["accessPolicies"].clone();
    let mut few = policies.clone();
    few[1]["permissions"]["keys"] = json!(["get", "list"]);
    world.cloud.patch(&json!({"azure": {"vaults": {vault: {"accessPolicies": few}}}})).await;
    let before = world.cloud.last_request().await;
    let told = connection("VaultReady", "False/VaultAccessIncomplete").says(&["driftPolicy is Report"]);
    let object = world.hears(told).await;
    assert_eq!(fields(&object), ["spec.azure.keyPermissions"]);
    world.passes(CONNECTION, 2).await;
    assert_eq!(world.cloud.writes_after(before).await, BTreeMap::new());
    world.change_connection(json!({"driftPolicy": "Correct"})).await;
    world.is_ready().await;
    assert_eq!(world.cloud.writes_after(before).await, [("arm PUT".to_owned(), 1)].into());
}

#[tokio::test]
async fn tls_begun_by_the_agents_is_told_under_report_and_set_back_under_correct() {
    let mut world = World::start_with("drift-tls", |options| options.flag("full-look-interval", "2s")).await;
    world.fixture.endpoint["spec"]["driftPolicy"] = json!("Report");
    world.apply_fixture().await;
    world.is_ready().await;
    let endpoints = async || world.cloud.state().await["ibm"]["endpoints"].as_object().unwrap().clone();
    let link = endpoints().await.keys().next().unwrap().clone();
    world.cloud.patch(&json!({"ibm": {"endpoints": {&link: {"serverProtocol": "tls"}}}})).await;
    let object = world.hears(endpoint("Drifted", "True/DriftReported").says(&["spec.protocol"]).ready("True")).await;
    assert_eq!(fields(&object), ["spec.protocol"]);
    world.passes(ENDPOINT, 2).await;
    let protocol = async || text(&endpoints().await[&link], "/serverProtocol").to_owned();
    assert_eq!(protocol().await, "tls", "Report only reports");
    world.merge(ENDPOINT, NAME, &json!({"spec": {"driftPolicy": "Correct"}})).await;
    world
        .eventually("bytes pass as they come", async || {
            let now = protocol().await;
            if now == "tcp" { Ok(()) } else { Err(now) }
        })
        .await;
    world.is_ready().await;
}
