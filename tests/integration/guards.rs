//! The guards: two identities stay two, only allowed targets are called, a suspended or planning object changes nothing.

use serde_json::{Value, json};

use crate::harness::{
    Operator, Options, World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, NAME, condition, connection, endpoint, text},
};

#[tokio::test]
async fn one_secret_for_both_identities_is_refused_by_the_api_server() {
    let world = World::without_operator("one-secret").await;
    let mut object = world.fixture.connection.clone();
    object["spec"]["azure"]["identity"]["servicePrincipal"]["passwordSecretRef"]["name"] = json!("payments-sp");
    let refused = world.apply_value(&object).await.unwrap_err().to_string();
    assert!(refused.contains("spec.azure") && refused.contains("Secret"), "{refused}");
}

#[tokio::test]
async fn one_client_id_for_both_identities_stops_before_the_first_call() {
    let mut world = World::start("one-client").await;
    let right = world.fixture.connection.clone();
    let operator = at(&world.fixture.seed, "/azure/operator/clientId").clone();
    world.fixture.connection["spec"]["azure"]["servicePrincipal"]["clientId"] = operator;
    world.apply_value(&world.fixture.connection).await.unwrap();
    let told = connection("CredentialsValid", "False/IdentitiesNotSeparated").stalled();
    world.hears(told.says(&["spec.azure.identity", "spec.azure.servicePrincipal", "of its own"])).await;
    assert_eq!(world.cloud.requests_after(0).await, Vec::<Value>::new(), "not even a token is asked for");
    world.apply_value(&world.fixture.endpoint).await.unwrap();
    world.apply_value(&right).await.unwrap();
    world.is_ready().await;
}

#[tokio::test]
async fn a_target_outside_the_policy_file_is_refused_with_the_lines_to_add_until_they_are_there() {
    let mut world = World::without_operator("policy").await;
    let instance = at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap().to_owned();
    let options = Options::new(&world.namespace, json!({"rules": []}));
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
    world.fixture.connection["spec"]["intervalSeconds"] = json!(3600);
    world.apply_value(&world.fixture.connection).await.unwrap();
    let told = connection("CredentialsValid", "False/TargetNotAllowed").stalled();
    let lines = format!("- namespaces: [\"{}\"]\n  ukoInstances: [\"{instance}\"]", world.namespace);
    world.hears(told.says(&["spec.uko.hpcs.instanceId", "policy file", &lines])).await;
    assert_eq!(world.cloud.requests_after(0).await, Vec::<Value>::new(), "nothing outside may be called");

    world.apply_value(&world.fixture.endpoint).await.unwrap();
    world.hears(endpoint("Ready", "True/EndpointReady")).await;
    world.operator.as_ref().unwrap().set_policy(&world.fixture.policy(&world.namespace));
    world.is_ready().await;
    world.is_discreet().await;

    // Taken away again, nothing more is changed there, and the status says so.
    world.operator.as_ref().unwrap().set_policy(&json!({"rules": []}));
    world.hears(connection("CredentialsValid", "False/TargetNotAllowed").stalled()).await;
}

#[tokio::test]
async fn a_broken_policy_file_allows_nothing_new_and_says_so() {
    let world = World::start("policy-broken").await;
    world.apply_fixture().await;
    world.is_ready().await;
    world.operator.as_ref().unwrap().write_policy("rules: [{namespaces: 7}]");
    world
        .eventually("the policy counts as invalid", async || {
            let metrics = world.operator.as_ref().unwrap().metrics().await;
            if metrics.contains("uko_operator_policy_valid 0") { Ok(()) } else { Err(metrics) }
        })
        .await;
    let before = world.cloud.last_request().await;
    world.looks_again(CONNECTION).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into());
}

#[tokio::test]
async fn a_suspended_object_is_neither_looked_at_nor_changed() {
    let world = World::start("suspend").await;
    world.apply_fixture().await;
    let ready = world.is_ready().await;
    for kind in [CONNECTION, ENDPOINT] {
        world.merge(kind, NAME, &json!({"spec": {"suspend": true}})).await;
    }
    let told = connection("Ready", "True/Suspended").at_rest();
    let object = world.hears(told.says(&["spec.suspend is true", "last known state"])).await;
    world.hears(endpoint("Ready", "True/Suspended")).await;
    let stage = |object: &Value| condition(object, "KeystoreConnected").cloned();
    assert_eq!(stage(&object), stage(&ready), "the other conditions tell the last known state");

    let before = world.cloud.last_request().await;
    for kind in [CONNECTION, ENDPOINT] {
        world.looks_again(kind).await;
    }
    assert_eq!(world.cloud.requests_after(before).await, Vec::<Value>::new());
    for kind in [CONNECTION, ENDPOINT] {
        world.merge(kind, NAME, &json!({"spec": {"suspend": false}})).await;
    }
    world.is_ready().await;
}

#[tokio::test]
async fn a_plan_says_what_would_be_done_and_does_nothing() {
    let mut world = World::start("plan").await;
    for object in [&mut world.fixture.endpoint, &mut world.fixture.connection] {
        object["spec"]["mode"] = json!("Plan");
    }
    world.apply_fixture().await;
    let told = endpoint("EndpointProvisioned", "False/Planned").ready("False/ChangesPlanned").at_rest();
    let object = world.hears(told).await;
    let planned = |object: &Value| {
        let rows = object["status"]["plan"].as_array().unwrap().clone();
        rows.iter().map(|row| format!("{} {}", text(row, "/action"), text(row, "/resource"))).collect::<Vec<_>>()
    };
    assert!(planned(&object)[0].starts_with("Create connector endpoint uko-"), "{:?}", planned(&object));
    let object = world.hears(connection("Ready", "False/ChangesPlanned").at_rest()).await;
    let whole = [
        "Create private endpoint payments-kv-pe",
        "Create DNS zone group uko-operator",
        "Wait keystore payments-azure",
        "Create keystore payments-azure",
    ];
    assert_eq!(planned(&object), whole, "a plan tells the whole way, not the next step only");
    world.passes(CONNECTION, 1).await;
    assert_eq!(world.cloud.writes_after(0).await, [].into());
    let tested = world.cloud.requests_after(0).await;
    assert!(!tested.iter().any(|one| text(one, "/url").contains("dry_run")), "a plan tests nothing by itself");

    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, NAME, &json!({"spec": {"mode": "Manage"}})).await;
    }
    world.is_ready().await;
    world.merge(CONNECTION, NAME, &json!({"spec": {"mode": "Plan"}})).await;
    world.hears(connection("Ready", "True/NothingToDo").at_rest()).await;
}
