//! Two operators, one works: the other takes over at once when it is released, and only after the first has stopped when it is not.

use serde_json::{Value, json};

use crate::harness::{
    Cloud, DEADLINE, Operator, Options, World, eventually,
    fixture::at,
    story::{CONNECTION, NAME, text},
};

/// A pair in one world. With `lease`, both have these lease timings.
async fn pair(name: &str, lease: [&str; 3]) -> (World, Operator) {
    let mut world = World::without_operator(name).await;
    let [duration, deadline, retry] = lease;
    let options = world
        .options()
        .flag("lease-duration", duration)
        .flag("lease-renew-deadline", deadline)
        .flag("lease-retry-period", retry)
        .flag("min-interval", "2s");
    let first = start(&world, &options, "first");
    leads(&first).await;
    let second = start(&world, &options, "second");
    second.is_answering().await;
    world.operator = Some(first);
    (world, second)
}

fn start(world: &World, options: &Options, identity: &str) -> Operator {
    Operator::start(world.cluster, &world.cloud, &options.clone().flag("identity", identity))
}

async fn leads(operator: &Operator) {
    eventually("it leads", DEADLINE, async || {
        let metrics = operator.metrics().await;
        if metrics.contains("\nuko_operator_leader 1\n") { Ok(()) } else { Err(operator.log_tail(5)) }
    })
    .await;
}

async fn holder(world: &World) -> String {
    let leases = world.list("Lease").await;
    assert_eq!(leases.len(), 1, "{leases:#?}");
    text(&leases[0], "/spec/holderIdentity").to_owned()
}

fn keystore(world: &World, object: &Value, description: &str) -> Value {
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap();
    let id = text(object, "/status/uko/keystoreId");
    json!({"ibm": {"uko": {instance: {"keystores": {id: {"description": description}}}}}})
}

async fn description(cloud: &Cloud) -> String {
    let state = cloud.state().await;
    let servers = state["ibm"]["uko"].as_object().unwrap().values();
    let mut all = servers.flat_map(|server| server["keystores"].as_object().unwrap().values());
    text(all.next().unwrap(), "/description").to_owned()
}

#[tokio::test]
async fn one_of_two_works_and_the_other_takes_over_at_once_when_it_is_released() {
    // An hour: only a release can explain a takeover within the deadline.
    let (mut world, second) = pair("two", ["1h", "10s", "1s"]).await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    assert_eq!(holder(&world).await, "first");
    let idle = second.metrics().await;
    assert!(idle.contains("\nuko_operator_leader 0\n"), "{idle}");
    assert!(!idle.contains("uko_operator_reconciles_total{") && !idle.contains("cloud_requests_total{"), "{idle}");
    assert_eq!(second.get("/healthz").await.0, 200);
    assert_eq!(second.get("/readyz").await, (200, "ok\n".to_owned()), "a standby is ready to take over");

    let left = world.operator.as_mut().unwrap().stop().await;
    assert!(left.success(), "{left}");
    leads(&second).await;
    assert_eq!(holder(&world).await, "second");
    let before = world.cloud.last_request().await;
    world.cloud.patch(&keystore(&world, &object, "drift")).await;
    world.operator = Some(second);
    world
        .eventually("the successor sets it back", async || match description(&world.cloud).await {
            now if now.starts_with("Keys of the payments platform in Azure\nuko-operator:") => Ok(()),
            now => Err(now),
        })
        .await;
    world.is_ready().await;
    assert_eq!(world.cloud.writes_after(before).await, [("uko PATCH".to_owned(), 1)].into());
}

#[tokio::test]
async fn a_frozen_leader_writes_nothing_more_when_it_wakes_after_another_took_over() {
    let (mut world, second) = pair("frozen", ["10s", "8s", "1s"]).await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let right = description(&world.cloud).await;
    let mut first = world.operator.take().unwrap();
    first.freeze();
    leads(&second).await;
    assert_eq!(holder(&world).await, "second");
    world.operator = Some(second);
    let before = world.cloud.last_request().await;
    world.cloud.patch(&keystore(&world, &object, "drift")).await;
    world.looks_again(CONNECTION).await;
    world.is_ready().await;
    assert_eq!(description(&world.cloud).await, right);

    first.thaw();
    let ended = eventually("the old leader ends", DEADLINE, async || first.ended().ok_or("it still runs")).await;
    assert!(!ended.success(), "a lost lease is no success: {ended}");
    assert!(first.log().contains("Lease"), "{}", first.log_tail(5));
    assert_eq!(world.cloud.writes_after(before).await, [("uko PATCH".to_owned(), 1)].into());
    assert_eq!(holder(&world).await, "second");
}

#[tokio::test]
async fn a_leader_whose_lease_is_taken_stops_before_its_next_write() {
    let (mut world, second) = pair("taken", ["6s", "4s", "1s"]).await;
    drop(second);
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let name = text(&world.list("Lease").await[0], "/metadata/name").to_owned();
    let theft = json!({"spec": {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600}});
    world.merge("Lease", &name, &theft).await;
    let mut operator = world.operator.take().unwrap();
    let ended = eventually("it ends", DEADLINE, async || operator.ended().ok_or("it still runs")).await;
    assert!(!ended.success(), "{ended}");
    assert!(operator.log().contains("somebody-else"), "{}", operator.log_tail(5));
    let before = world.cloud.last_request().await;
    world.cloud.patch(&keystore(&world, &object, "drift")).await;
    // Whoever is started now finds the Lease held and touches nothing.
    let options = world.options();
    let third = start(&world, &options, "third");
    third.is_answering().await;
    world.merge(CONNECTION, NAME, &json!({"spec": {"keystore": {"description": "Another one"}}})).await;
    assert_eq!(holder(&world).await, "somebody-else");
    assert_eq!(world.cloud.writes_after(before).await, [].into());
}
