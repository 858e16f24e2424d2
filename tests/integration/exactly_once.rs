//! Lost answers and a killed process around the two creations that must not happen twice.

use serde_json::{Value, json};

use crate::harness::{
    Operator, World,
    fixture::at,
    story::{CONNECTION, NAME, connection, text},
};

/// Requests that create `what` at `service`, answered or not.
async fn creations(world: &World, service: &str, what: &str) -> usize {
    let all = world.cloud.requests_after(0).await;
    all.iter()
        .filter(|one| {
            text(one, "/service") == service && text(one, "/method") == "POST" && text(one, "/url").ends_with(what)
        })
        .count()
}

async fn keystores(world: &World) -> usize {
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap();
    world.cloud.state().await["ibm"]["uko"][instance]["keystores"].as_object().unwrap().len()
}

async fn endpoints(world: &World) -> usize {
    world.cloud.state().await["ibm"]["endpoints"].as_object().unwrap().len()
}

fn at_creation(service: &str, effect: (&str, Value)) -> Value {
    let path = if service == "uko" { "/keystores$" } else { "/endpoints$" };
    let mut fault = json!({"service": service, "method": "POST", "path": path});
    fault[effect.0] = effect.1;
    fault
}

#[tokio::test]
async fn a_lost_answer_leads_to_no_second_keystore_and_no_second_endpoint() {
    for (name, effect) in [("lost-answer", ("drop", json!("after"))), ("late-commit", ("commit_after_ms", json!(3000)))]
    {
        let world = World::start(name).await;
        // UKO would take a second one of the same name: only the operator's own care prevents it.
        world.cloud.patch(&json!({"ibm": {"switches": {"duplicateNames": "allowed", "uniqueLinkNames": false}}})).await;
        world.cloud.fault(&at_creation("uko", effect.clone())).await;
        world.cloud.fault(&at_creation("link", effect)).await;
        world.apply_fixture().await;
        world.is_ready().await;
        assert_eq!((keystores(&world).await, endpoints(&world).await), (1, 1), "{name}");
        assert_eq!(creations(&world, "uko", "/keystores").await, 1, "{name}");
        assert_eq!(creations(&world, "link", "/endpoints").await, 1, "{name}");
        let object = world.get(CONNECTION, NAME).await.unwrap();
        assert_eq!(object["status"].get("pendingCreate"), None, "{name}");
    }
}

#[tokio::test]
async fn a_process_that_is_killed_after_the_creation_leaves_one_keystore() {
    let mut world = World::without_operator("killed-after").await;
    world.cloud.patch(&json!({"ibm": {"switches": {"duplicateNames": "allowed"}}})).await;
    world.cloud.fault(&at_creation("uko", ("drop", json!("after")))).await;
    start(&mut world);
    world.apply_fixture().await;
    world
        .eventually("the creation was sent", async || match creations(&world, "uko", "/keystores").await {
            0 => Err("not yet".to_owned()),
            _ => Ok(()),
        })
        .await;
    world.operator.as_mut().unwrap().kill();
    start(&mut world);
    world.is_ready().await;
    assert_eq!(creations(&world, "uko", "/keystores").await, 1);
    assert_eq!(keystores(&world).await, 1);
}

#[tokio::test]
async fn a_process_that_is_killed_before_the_answer_has_a_successor_that_looks_and_waits() {
    let mut world = World::without_operator("killed-before").await;
    world.cloud.patch(&json!({"ibm": {"switches": {"duplicateNames": "allowed"}}})).await;
    world.cloud.fault(&at_creation("uko", ("latency_ms", json!(120_000)))).await;
    start(&mut world);
    world.apply_fixture().await;
    world
        .eventually("the creation is on record", async || {
            let object = world.get(CONNECTION, NAME).await.unwrap();
            let kind = text(&object, "/status/pendingCreate/kind").to_owned();
            if kind == "Keystore" { Ok(()) } else { Err(kind) }
        })
        .await;
    world.operator.as_mut().unwrap().kill();
    let before = world.cloud.last_request().await;
    start(&mut world);
    let told = connection("KeystoreConnected", "False/CreationOutcomeInProgress").reconciling();
    let still =
        ["CredentialsValid", "VaultReady", "PrivateEndpointReady", "ConnectorEndpointReady", "ConnectionTested"];
    world.hears(told.says(&["asked again before a new one is sent"]).still(&still)).await;
    world.passes(CONNECTION, 2).await;
    let writes = world.cloud.writes_after(before).await;
    assert!(!writes.contains_key("uko POST"), "{writes:?}");
}

/// A process whose lease is taken over quickly.
fn start(world: &mut World) {
    let options = world
        .options()
        .flag("lease-duration", "10s")
        .flag("lease-renew-deadline", "8s")
        .flag("lease-retry-period", "1s");
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
}
