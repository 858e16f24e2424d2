//! What keystores cost: a plan tells the first of an instance from a further one, and a limit holds for two at once.

use serde_json::{Value, json};

use crate::harness::{
    Operator, Options, World,
    fixture::at,
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

#[tokio::test]
async fn of_two_that_see_room_for_one_keystore_exactly_one_makes_it() {
    let mut world = World::without_operator("room").await;
    let policy = world.fixture.policy(&world.namespace);
    let allowing = |most: u32| {
        let mut policy = policy.clone();
        policy["rules"][0]["maxKeystores"] = json!(most);
        policy
    };
    let options = Options::new(&world.namespace, allowing(0));
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
    let mut first = world.fixture.connection.clone();
    let spec = first["spec"].as_object_mut().unwrap();
    for field in ["privateEndpoint", "connectorEndpointRef", "keyEncryptionKey"] {
        spec.remove(field).unwrap();
    }
    let mut second = first.clone();
    second["metadata"]["name"] = json!("second");
    second["spec"]["azure"]["vaultName"] = at(&world.fixture.seed, "/azure/vaults/standard/name").clone();
    second["spec"]["keystore"] = json!({"name": "second", "variant": "Standard"});
    for object in [&first, &second] {
        world.apply_value(object).await.unwrap();
    }
    for name in [NAME, "second"] {
        world.hears(connection("KeystoreConnected", "False/AwaitingCostApproval").of(name)).await;
    }
    // Both are woken at the same moment, and each finds that there is room.
    world.operator.as_ref().unwrap().set_policy(&allowing(1));
    let states = async || {
        let mut states = Vec::new();
        for name in [NAME, "second"] {
            let told = world.condition(CONNECTION, name, "KeystoreConnected").await.unwrap();
            states.push(text(&told, "/reason").to_owned());
        }
        states.sort();
        states
    };
    world
        .eventually("one has a keystore, the other waits for an approval", async || {
            let states = states().await;
            if states == ["AwaitingCostApproval", "KeystoreHealthy"] { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await;
    let mut messages = Vec::new();
    for name in [NAME, "second"] {
        let told = world.condition(CONNECTION, name, "KeystoreConnected").await.unwrap();
        messages.push(text(&told, "/message").to_owned());
    }
    let price = "each further one costs money, about USD 70.00 a month by the prices of 2025-07-23.";
    assert_eq!(messages.iter().filter(|message| message.contains(price)).count(), 1, "{messages:?}");
    let sent = world.cloud.requests_after(0).await;
    let made = |one: &&Value| one["method"] == "POST" && text(one, "/url").ends_with("/api/v4/keystores");
    assert_eq!(sent.iter().filter(made).count(), 1, "one registration, ever");
}
