//! The public address of the Key Vault is closed as the last step, once the private path is proven, and never on a guess.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::{add, at},
    story::{CONNECTION, STAGES, VAULT, connection, text},
};

fn closing(world: &mut World) {
    add(&mut world.fixture.connection, "/spec/azure", "publicNetworkAccess", json!("Disabled"));
}

async fn access(world: &World) -> String {
    world.cloud.state().await["azure"]["vaults"][VAULT]["publicNetworkAccess"].as_str().unwrap().to_owned()
}

/// A patch of what UKO says of the keystore, whatever the path.
fn health(world: &World, object: &Value, forced: &Value) -> Value {
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap();
    let id = text(object, "/status/uko/keystoreId");
    json!({"ibm": {"uko": {instance: {"keystores": {id: {"forcedHealth": forced}}}}}})
}

/// The zone's link to the virtual network, to take away and give back.
async fn link(world: &World, state: &str) {
    let zone = at(&world.fixture.seed, "/azure/privateDnsZoneId").as_str().unwrap().to_lowercase();
    let link = json!({"links": {"vnet-keys": {"state": state}}});
    world.cloud.patch(&json!({"azure": {"privateDnsZones": {zone: link}}})).await;
}

#[tokio::test]
async fn the_public_address_is_closed_last_and_the_path_holds() {
    let mut world = World::start("closing").await;
    closing(&mut world);
    world.apply_fixture().await;
    let object = world.is_ready().await;
    world.hears(connection("NetworkAccessApplied", "True/PublicAccessDisabled").ready("True")).await;
    assert_eq!(access(&world).await, "Disabled");
    assert_eq!(object["status"]["azure"]["publicNetworkAccess"], "Disabled");

    let requests = world.cloud.requests_after(0).await;
    let changes: Vec<&Value> = requests
        .iter()
        .filter(|one| !matches!(text(one, "/method"), "GET") && matches!(text(one, "/service"), "arm" | "uko"))
        .collect();
    let last = changes.last().unwrap();
    assert_eq!(text(last, "/method"), "PATCH");
    assert!(text(last, "/url").contains("/vaults/payments-kv?"), "closing is the last change: {}", last["url"]);
    world.passes(CONNECTION, 2).await;
    world.is_ready().await;
}

#[tokio::test]
async fn without_the_zones_link_the_path_is_unproven_and_the_address_stays_open() {
    let world = World::start("unproven").await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    // UKO may be well by luck, over the public address or another network's link: that proves nothing.
    world.cloud.patch(&health(&world, &object, &json!("ok"))).await;
    link(&world, "InProgress").await;
    world.change_connection(json!({"azure": {"publicNetworkAccess": "Disabled"}})).await;
    let before: Vec<&str> = STAGES.into_iter().filter(|stage| *stage != "NetworkAccessApplied").collect();
    let unproven = |why| {
        let told = connection("NetworkAccessApplied", "False/PrivatePathUnproven").reconciling();
        told.says(&["stays open", why, "link the zone"]).still(&before)
    };
    world.hears(unproven("not linked to the endpoint's virtual network")).await;
    let deny = |list: Value| json!({"settings": {"deny": list}});
    world.cloud.patch(&deny(json!([{"action": "Microsoft.Network/privateDnsZones/virtualNetworkLinks/read"}]))).await;
    world.hears(unproven("links could not be read")).await;
    world.looks_again(CONNECTION).await;
    assert_eq!(access(&world).await, "Enabled");

    world.cloud.patch(&deny(json!([]))).await;
    world.cloud.patch(&health(&world, &object, &Value::Null)).await;
    link(&world, "Completed").await;
    world.is_ready().await;
    assert_eq!(access(&world).await, "Disabled");
}

#[tokio::test]
async fn an_address_that_others_open_again_and_again_is_left_to_a_person() {
    let mut world = World::start("reopened").await;
    closing(&mut world);
    world.cloud.patch(&json!({"settings": {"publicAccessDrift": true}})).await;
    world.apply_fixture().await;
    let told = connection("NetworkAccessApplied", "False/PublicAccessDrift")
        .says(&["opens the public address again", "Find out who"]);
    world.hears(told).await;
    let closings = world.cloud.writes_after(0).await["arm PATCH"];
    world.passes(CONNECTION, 2).await;
    assert_eq!(world.cloud.writes_after(0).await["arm PATCH"], closings, "it is not closed for ever");
}

#[tokio::test]
async fn a_path_that_is_lost_right_after_closing_is_told_with_the_way_back() {
    let mut world = World::start("path-lost").await;
    closing(&mut world);
    world.apply_fixture().await;
    let object = world.is_ready().await;
    world.cloud.patch(&health(&world, &object, &json!("not_responding"))).await;
    let told = connection("KeystoreConnected", "False/PathLostAfterClosing");
    world
        .hears(told.says(&[
            "az keyvault update --name payments-kv --public-network-access Enabled",
            "neither opens it nor closes it again",
        ]))
        .await;
    world.passes(CONNECTION, 1).await;
    assert_eq!(access(&world).await, "Disabled");
    world.cloud.patch(&health(&world, &object, &Value::Null)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_closing_whose_answer_is_lost_is_not_repeated_over_a_persons_repair() {
    let world = World::start("closing-unheard").await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let lost = json!({"service": "arm", "method": "PATCH", "path": "/vaults/", "count": 1, "drop": "after"});
    world.cloud.fault(&lost).await;
    world.change_connection(json!({"azure": {"publicNetworkAccess": "Disabled"}})).await;
    world.hears(connection("NetworkAccessApplied", "True/PublicAccessDisabled").ready("True")).await;
    world.cloud.patch(&health(&world, &object, &json!("not_responding"))).await;
    let told = connection("KeystoreConnected", "False/PathLostAfterClosing");
    world.hears(told.says(&["az keyvault update --name payments-kv --public-network-access Enabled"])).await;

    world.cloud.patch(&json!({"azure": {"vaults": {VAULT: {"publicNetworkAccess": "Enabled"}}}})).await;
    world.cloud.patch(&health(&world, &object, &Value::Null)).await;
    world.hears(connection("NetworkAccessApplied", "False/PathLostAfterClosing")).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(access(&world).await, "Enabled");
    assert_eq!(world.cloud.writes_after(0).await["arm PATCH"], 1, "closed once, heard or not");
}
