//! `helm install --wait` of `charts/keystore-connection`: it comes back when keys can flow, not before the operator's first look, and
//! fails when nothing but a change can help.
//!
//! In: the real helm (kstatus), the shipped operator. Out: how helm ends, and when. Never: a wait longer than helm's own.

use std::{
    process::Output,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::{
    Helm, Operator, Options, World,
    helm::chart,
    story::{CONNECTION, ENDPOINT, NAME, VAULT, condition, connection, text},
};

/// Long enough that a test which fails at once has clearly not waited for it.
const LONG: &str = "90s";

/// The fixture as a team's values.
fn values(world: &World) -> Value {
    json!({
        "operator": {"namespace": world.namespace, "serviceAccount": "uko-operator"},
        "connectorEndpoints": {NAME: {"spec": world.fixture.endpoint["spec"]}},
        "azureKeystoreConnections": {NAME: {"spec": world.fixture.connection["spec"]}},
    })
}

/// `helm upgrade --install --wait`, beside what else the test does.
async fn install(world: &World, timeout: &str) -> Output {
    let (helm, cluster) = (Helm::with(&values(world)), world.cluster);
    let (namespace, timeout) = (world.namespace.clone(), timeout.to_owned());
    let run = move || {
        let chart = chart("keystore-connection");
        let chart = chart.to_str().unwrap();
        let wait = ["--namespace", &namespace, "--wait", "--timeout", &timeout];
        helm.run_on(cluster, &[["upgrade", "--install", "payments", chart].as_slice(), &wait].concat())
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Both objects say Ready of the generation that is there.
async fn is_ready_now(world: &World) {
    for kind in [ENDPOINT, CONNECTION] {
        let object = world.get(kind, NAME).await.unwrap();
        assert_eq!(object.pointer("/status/observedGeneration"), object.pointer("/metadata/generation"), "{object}");
        assert_eq!(text(condition(&object, "Ready").unwrap(), "/status"), "True", "{object}");
    }
}

#[tokio::test]
async fn helm_comes_back_when_keys_can_flow_and_not_before_the_first_look() {
    let mut world = World::without_operator("helm-wait").await;
    // Nobody looks: an object without a word of the operator is not "done".
    let told = complaint(&install(&world, "3s").await);
    assert!(told.contains("context deadline exceeded") && told.contains("InProgress"), "{told}");
    assert_eq!(world.get(CONNECTION, NAME).await.unwrap()["status"]["observedGeneration"], json!(-1));

    world.cloud.patch(&json!({"settings": {"operationPolls": 3}})).await;
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &world.options()));
    let output = install(&world, LONG).await;
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), world.diagnosis().await);
    is_ready_now(&world).await;

    // A change is not taken for done because of what was true of the spec before.
    world.fixture.connection["spec"]["privateEndpoint"]["tags"] = json!({"team": "treasury"});
    let output = install(&world, LONG).await;
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), world.diagnosis().await);
    is_ready_now(&world).await;
    let state = world.cloud.state().await;
    let made = state["azure"]["privateEndpoints"].as_object().unwrap().values().next().unwrap();
    assert_eq!(made["tags"]["team"], "treasury");
}

#[tokio::test]
async fn helm_fails_at_once_and_names_the_object_when_only_a_change_can_help() {
    let mut world = World::without_operator("helm-stalled").await;
    let options = Options::new(&world.namespace, json!({"rules": []}));
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
    let started = Instant::now();
    let told = complaint(&install(&world, "10m").await);
    assert!(started.elapsed() < Duration::from_mins(5), "it waited for its time-out");
    assert!(told.contains(CONNECTION) && told.contains(NAME) && told.contains("Failed"), "{told}");
    world.hears(connection("Ready", "False/TargetNotAllowed").stalled()).await;

    world.operator.as_ref().unwrap().set_policy(&world.fixture.policy(&world.namespace));
    world.is_ready().await;
    let output = install(&world, LONG).await;
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), world.diagnosis().await);
    is_ready_now(&world).await;
}

#[tokio::test]
async fn helm_waits_for_a_person_until_its_time_is_over_and_the_next_run_finds_everything() {
    let mut world = World::start("helm-person").await;
    world.fixture.connection["spec"]["privateEndpoint"]["approval"] = json!("Manual");
    let told = complaint(&install(&world, "20s").await);
    assert!(told.contains("context deadline exceeded"), "{told}");
    world.hears(connection("PrivateEndpointReady", "False/AwaitingApproval").at_rest()).await;

    let state = world.cloud.state().await;
    let pending = state["azure"]["vaults"][VAULT]["connections"].as_object().unwrap().keys().next().unwrap().clone();
    let approved = json!({"status": "Approved", "approvedAt": 1});
    world.cloud.patch(&json!({"azure": {"vaults": {VAULT: {"connections": {pending: approved}}}}})).await;
    world.annotate(CONNECTION, "reconcile-requested-at", "approved").await;
    let output = install(&world, LONG).await;
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), world.diagnosis().await);
    is_ready_now(&world).await;
}
