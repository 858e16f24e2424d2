//! Argo CD's view of live objects: the shipped health check in Lua, run on what the API server holds.
//!
//! In: the shipped operator, a cloud that works, waits and fails. Out: the health at each station; with `UPDATE_GENERATED=1` the objects
//! become the fixtures of `tests/argocd`. Never: an object that the operator did not write.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    argocd_lua::health,
    harness::{
        Operator, Options, World, sample,
        story::{CONNECTION, ENDPOINT, KEK, NAME, VAULT, connection, endpoint, text},
    },
};

/// Waits until Argo CD shows an object as `expected`, and keeps the object as a fixture when asked to.
async fn is_shown(world: &World, kind: &str, expected: &str, case: &str) {
    let object = world
        .eventually(&format!("{case}: Argo CD shows {kind} as {expected}"), async || {
            let object = world.get(kind, NAME).await.ok_or("no such object")?;
            let (status, message) = health(&object);
            if status == expected { Ok(object) } else { Err(format!("{status}: {message}")) }
        })
        .await;
    keep(object, expected, case);
}

fn keep(mut object: Value, expected: &str, case: &str) {
    if std::env::var_os("UPDATE_GENERATED").is_none_or(|value| value != "1") {
        return;
    }
    object["metadata"].as_object_mut().unwrap().remove("managedFields"); // long, and Argo CD hides it too
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/argocd/fixtures").join(expected);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("{case}.json")), format!("{object:#}\n")).unwrap();
}

#[tokio::test]
async fn argo_cd_sees_provisioning_readiness_a_change_suspension_and_deletion() {
    let mut world = World::without_operator("argo-life").await;
    world.fixture.connection["spec"]["privateEndpoint"]["tags"] = json!({"team": "payments"});
    world.apply_fixture().await;
    is_shown(&world, ENDPOINT, "Progressing", "endpoint-before-the-first-look").await;
    is_shown(&world, CONNECTION, "Progressing", "connection-before-the-first-look").await;

    // Azure works as long as the test wants.
    world.cloud.patch(&json!({"settings": {"operationPolls": 100_000}})).await;
    let options = world.options().flag("lost-create-timeout", "5s");
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
    world.hears(connection("PrivateEndpointReady", "False/PrivateEndpointInProgress").reconciling()).await;
    // What the cloud forgets below must be known by then, not under way.
    world.wait_condition(ENDPOINT, NAME, "Ready", "True").await;
    is_shown(&world, CONNECTION, "Progressing", "connection-provisioning").await;
    let missing = world.get(CONNECTION, NAME).await.unwrap();
    assert_eq!(health(&missing).0, "Progressing");
    world.cloud.reset().await;
    world.cloud.patch(&json!({"settings": {"operationPolls": 0, "retryAfterSeconds": 0}})).await;
    world.is_ready().await;
    is_shown(&world, ENDPOINT, "Healthy", "endpoint-ready").await;
    is_shown(&world, CONNECTION, "Healthy", "connection-ready").await;

    // What was true of the spec before counts no more, although Ready still says True.
    world.operator.as_mut().unwrap().stop().await;
    world.change_connection(json!({"intervalSeconds": 11})).await;
    world.merge(ENDPOINT, NAME, &json!({"spec": {"intervalSeconds": 11}})).await;
    is_shown(&world, CONNECTION, "Progressing", "connection-changed").await;
    is_shown(&world, ENDPOINT, "Progressing", "endpoint-changed").await;

    world.operator = Some(Operator::start(world.cluster, &world.cloud, &world.options()));
    world.is_ready().await;
    for (kind, case) in [(ENDPOINT, "endpoint-suspended"), (CONNECTION, "connection-suspended")] {
        world.merge(kind, NAME, &json!({"spec": {"suspend": true}})).await;
        is_shown(&world, kind, "Suspended", case).await;
    }
    for (kind, case) in [(ENDPOINT, "endpoint-deleted"), (CONNECTION, "connection-deleted")] {
        world.merge(kind, NAME, &json!({"metadata": {"finalizers": ["example.com/kept-by-the-test"]}})).await;
        world.delete(kind, NAME).await;
        is_shown(&world, kind, "Progressing", case).await;
        world.merge(kind, NAME, &json!({"metadata": {"finalizers": []}})).await;
    }
}

#[tokio::test]
async fn argo_cd_sees_who_waits_for_a_person() {
    let mut world = World::start("argo-person").await;
    world.fixture.connection["spec"]["privateEndpoint"]["approval"] = json!("Manual");
    world.apply_fixture().await;
    world.hears(connection("PrivateEndpointReady", "False/AwaitingApproval").at_rest()).await;
    is_shown(&world, CONNECTION, "Suspended", "connection-awaits-approval").await;
}

#[tokio::test]
async fn argo_cd_sees_a_plan_as_waiting_for_whoever_reads_it() {
    let mut world = World::start("argo-plan").await;
    for object in [&mut world.fixture.endpoint, &mut world.fixture.connection] {
        object["spec"]["mode"] = json!("Plan");
    }
    world.apply_fixture().await;
    world.hears(endpoint("Ready", "False/ChangesPlanned").at_rest()).await;
    is_shown(&world, ENDPOINT, "Suspended", "endpoint-plans-changes").await;
    world.hears(connection("Ready", "False/ChangesPlanned").at_rest()).await;
    is_shown(&world, CONNECTION, "Suspended", "connection-plans-changes").await;
    for kind in [ENDPOINT, CONNECTION] {
        world.merge(kind, NAME, &json!({"spec": {"mode": "Manage"}})).await;
    }
    world.is_ready().await;
    world.change_connection(json!({"mode": "Plan"})).await;
    world.hears(connection("Ready", "True/NothingToDo").at_rest()).await;
    is_shown(&world, CONNECTION, "Healthy", "connection-plans-nothing").await;
}

#[tokio::test]
async fn argo_cd_sees_what_is_wrong() {
    let mut world = World::without_operator("argo-wrong").await;
    let options = Options::new(&world.namespace, json!({"rules": []})).flag("progress-deadline", "2s");
    world.operator = Some(Operator::start(world.cluster, &world.cloud, &options));
    let key = world.fixture.secrets.iter().find(|secret| text(secret, "/metadata/name") == "ibm-cloud").unwrap();
    let key = text(key, "/stringData/apiKey").to_owned();
    world.put_secret("ibm-cloud", "apiKey", Some("not-a-key")).await;
    world.apply_fixture().await;
    world.hears(connection("Ready", "False/TargetNotAllowed").stalled()).await;
    is_shown(&world, CONNECTION, "Degraded", "connection-not-allowed").await;
    is_shown(&world, ENDPOINT, "Degraded", "endpoint-key-refused").await;

    world.put_secret("ibm-cloud", "apiKey", Some(&key)).await;
    world.operator.as_ref().unwrap().set_policy(&world.fixture.policy(&world.namespace));
    world.is_ready().await;
    let lost = json!({"deleted": {"deletedDate": 1, "scheduledPurgeDate": 4_000_000_000_u64}});
    world.cloud.patch(&json!({"azure": {"vaults": {VAULT: {"keys": {KEK: lost}}}}})).await;
    world.hears(connection("KeyEncryptionKeyHealthy", "False/KekSoftDeleted").at_rest()).await;
    is_shown(&world, CONNECTION, "Degraded", "connection-lost-its-key").await;
}

#[tokio::test]
async fn argo_cd_is_patient_with_an_outage_and_then_is_not() {
    let world = World::start_with("argo-outage", |options| options.flag("progress-deadline", "20s")).await;
    world.cloud.fault(&json!({"service": "arm", "status": 503, "count": -1})).await;
    world.apply_fixture().await;
    world.hears(connection("VaultReady", "Unknown").ready("Unknown").reconciling()).await;
    is_shown(&world, CONNECTION, "Progressing", "connection-cloud-is-dark").await;
    is_shown(&world, CONNECTION, "Degraded", "connection-cloud-stays-dark").await;
    world.cloud.no_faults().await;
    world.is_ready().await;
}

#[tokio::test]
async fn what_a_manifest_says_never_differs_from_what_is_there() {
    let world = World::start("argo-diff").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let fixture = [world.fixture.endpoint.clone(), world.fixture.connection.clone()];
    let others = ["manual-approval", "existing-tls-proxy", "close-public-access", "self-managed-uko"];
    let others = others.map(|name| sample(&format!("{name}.yaml")).remove(0));
    let all: Vec<Value> = fixture.into_iter().chain(others).collect();
    for side in [["apply", "--server-side=false"].as_slice(), &["apply", "--server-side", "--force-conflicts"]] {
        for object in &all {
            let told = world.kubectl_with(side, object);
            assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        }
        for object in &all {
            let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
            world
                .eventually(&format!("the operator looked at {kind} {name}"), async || {
                    let live = world.get(kind, name).await.ok_or("no such object")?;
                    let seen = live.pointer("/status/observedGeneration") == live.pointer("/metadata/generation");
                    if seen { Ok(()) } else { Err(live["status"].to_string()) }
                })
                .await;
        }
        world.passes(CONNECTION, 4).await;
        world.is_ready().await;
        for object in &all {
            for how in [["diff", "--server-side=false"].as_slice(), &["diff", "--server-side", "--force-conflicts"]] {
                let told = world.kubectl_with(how, object);
                assert!(told.status.success(), "{how:?}: {}", String::from_utf8_lossy(&told.stdout));
            }
        }
    }
    let mut changed = all[1].clone();
    changed["spec"]["keystore"]["description"] = json!("something else");
    let told = world.kubectl_with(&["diff", "--server-side=false"], &changed);
    assert_eq!(told.status.code(), Some(1), "a real difference shows: {}", String::from_utf8_lossy(&told.stderr));
}
