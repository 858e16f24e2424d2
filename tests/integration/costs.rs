//! What a plan says a keystore costs: the first of an instance, a further one, by the prices of the operator.

use serde_json::{Value, json};

use crate::harness::{
    World,
    folder::Folder,
    story::{CONNECTION, ENDPOINT, NAME, connection, endpoint, text},
};

const PRICES: &str = "pricesAsOf: 2026-03-31\ncurrency: EUR\nfirstKeystore: \"3400.50\"\nfurtherKeystore: \"65.00\"\n";

/// The row of a plan that makes a keystore.
fn keystore(object: &Value) -> &Value {
    let rows = object["status"]["plan"].as_array().unwrap();
    let made = |row: &&Value| row["action"] == "Create" && text(row, "/resource").starts_with("keystore ");
    rows.iter().find(made).unwrap_or_else(|| panic!("{rows:#?}"))
}

/// How often the keystores of the whole instance were listed since a request.
async fn counted(world: &World, since: u64) -> usize {
    let whole = |url: &str| url.contains("/api/v4/keystores?") && !url.contains("vault.id");
    world.cloud.requests_after(since).await.iter().filter(|one| whole(text(one, "/url"))).count()
}

#[tokio::test]
async fn a_plan_tells_the_first_keystore_of_an_instance_from_a_further_one() {
    let prices = Folder::new("prices").join("prices.yaml");
    std::fs::write(&prices, PRICES).unwrap();
    let world = World::start_with("costs", |options| options.flag("prices", prices.to_str().unwrap())).await;
    let [planned_endpoint, planned] = world.fixture.pair("plan-first.yaml");
    world.apply_value(&planned_endpoint).await.unwrap();
    world.apply_value(&planned).await.unwrap();
    let object = world.hears(endpoint("Ready", "False/ChangesPlanned").at_rest()).await;
    assert!(object["status"]["plan"].to_string().contains("0 of 25 endpoints"), "{}", object["status"]["plan"]);
    let object = world.hears(connection("Ready", "False/ChangesPlanned").at_rest()).await;
    let first = json!({"amount": "3400.50", "currency": "EUR", "basis": "FirstKeystore", "pricesAsOf": "2026-03-31"});
    assert_eq!(keystore(&object)["estimatedCost"], first);
    assert_eq!(world.cloud.writes_after(0).await, [].into());

    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, NAME, &json!({"spec": {"mode": "Manage"}})).await;
    }
    world.is_ready().await;
    let rest = world.cloud.last_request().await;
    world.looks_again(CONNECTION).await;
    assert_eq!(counted(&world, rest).await, 0, "what is there has its price already");

    let mut second = planned.clone();
    second["metadata"]["name"] = json!("second");
    second["spec"]["azure"]["vaultName"] = json!("not-there-yet-kv");
    second["spec"]["keystore"]["name"] = json!("second");
    world.apply_value(&second).await.unwrap();
    let object = world.hears(connection("VaultReady", "False/VaultNotFound").of("second")).await;
    let further = json!({"amount": "65.00", "currency": "EUR", "basis": "FurtherKeystore", "pricesAsOf": "2026-03-31"});
    assert_eq!(keystore(&object)["estimatedCost"], further);
}
