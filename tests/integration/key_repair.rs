//! The key-encryption key brought back: recovered by the data plane, made again by Resource Manager, or told why neither went.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::{at, sample},
    story::{CONNECTION, KEK, STAGES, Told, VAULT, connection, text},
};

const KEY: &str = "KeyEncryptionKeyHealthy";

/// A patch of the key in the Key Vault.
fn key(change: &Value) -> Value {
    json!({"azure": {"vaults": {VAULT: {"keys": {KEK: change}}}}})
}

fn deleted() -> Value {
    key(&json!({"deleted": {"deletedDate": 1_790_000_000, "scheduledPurgeDate": 4_000_000_000_u64}}))
}

fn public_access(word: &str) -> Value {
    json!({"azure": {"vaults": {VAULT: {"publicNetworkAccess": word}}}})
}

/// Ready, with the sample's wish for the key, under one policy.
async fn ready_world(name: &str, policy: &str) -> World {
    let mut world = World::start(name).await;
    let mut wish = at(&sample("self-healing-key.yaml")[0], "/spec/keyEncryptionKey").clone();
    wish["policy"] = json!(policy);
    wish["checkIntervalSeconds"] = json!(10);
    world.fixture.connection["spec"]["keyEncryptionKey"] = wish;
    world.apply_fixture().await;
    world.is_ready().await;
    world
}

/// Lost, red at once, and nothing else is.
fn lost(reason: &'static str) -> Told {
    let others: Vec<&str> = STAGES.into_iter().filter(|stage| *stage != KEY).collect();
    connection(KEY, reason).at_rest().still(&others).says(&[KEK, VAULT])
}

fn back(reason: &'static str) -> Told {
    connection(KEY, reason).ready("True/KeysCanFlow").at_rest().still(&STAGES)
}

/// What was asked of keys that changes them, since `seq`: `(METHOD, path, status)`.
async fn changes(world: &World, seq: u64) -> Vec<(String, String, u64)> {
    let all = world.cloud.requests_after(seq).await;
    let of_key = |one: &&Value| text(one, "/url").contains(KEK) && text(one, "/method") != "GET";
    let told = |one: &Value| {
        let path = text(one, "/url").split('?').next().unwrap().rsplit_once('/').unwrap().1.to_owned();
        (text(one, "/method").to_owned(), path, one["status"].as_u64().unwrap_or_default())
    };
    all.iter().filter(of_key).map(told).collect()
}

fn change(method: &str, path: &str, status: u64) -> (String, String, u64) {
    (method.to_owned(), path.to_owned(), status)
}

async fn event(world: &World, start: &str) {
    world
        .eventually(start, async || {
            let events = world.events().await;
            events.iter().any(|event| event.starts_with(start)).then_some(()).ok_or(format!("{events:?}"))
        })
        .await;
}

#[tokio::test]
async fn a_deleted_key_is_recovered_by_the_operators_own_identity() {
    let world = ready_world("kek-recover", "Recover").await;
    world.cloud.patch(&json!({"settings": {"keyTransitionSeconds": 3}})).await;
    let before = world.cloud.last_request().await;
    world.cloud.patch(&deleted()).await;
    let object = world.hears(back("True/KekRecovered").says(&["recovered it on", "Distribute again"])).await;
    assert_eq!(text(&object, "/status/keyEncryptionKey/state"), "Healthy");

    assert_eq!(changes(&world, before).await, [change("POST", "recover", 200)], "asked once, then waited for");
    let asked = world.cloud.requests_after(before).await;
    let recovery = asked.iter().find(|one| text(one, "/url").contains("/recover")).unwrap();
    assert_eq!(&recovery["principal"], at(&world.fixture.seed, "/azure/operator/objectId"), "never UKO's own identity");
    event(&world, "Warning KekSoftDeleted AzureKeystoreConnection/payments").await;
    event(&world, "Normal KekRecovered AzureKeystoreConnection/payments").await;
    let metrics = world.operator.as_ref().unwrap().metrics().await;
    let line = r#"uko_operator_key_encryption_key_repairs_total{action="recover",outcome="accepted"} 1"#;
    assert!(metrics.contains(line), "{metrics}");
    world.is_discreet().await;
}

#[tokio::test]
async fn a_key_that_is_gone_is_made_again_once_and_only_if_there_is_none() {
    let world = ready_world("kek-recreate", "Recreate").await;
    let old = world.get(CONNECTION, "payments").await.unwrap()["status"]["keyEncryptionKey"]["keyId"].clone();
    let before = world.cloud.last_request().await;
    world.cloud.patch(&key(&Value::Null)).await;
    let object = world.hears(back("True/KekRecreated").says(&["made it again on", "distribute again in UKO"])).await;
    assert_ne!(object["status"]["keyEncryptionKey"]["keyId"], old);
    assert_eq!(changes(&world, before).await, [change("PUT", KEK, 200)]);
    let asked = world.cloud.requests_after(before).await;
    let made = asked.iter().find(|one| text(one, "/method") == "PUT").unwrap();
    assert_eq!(text(made, "/service"), "arm", "the data plane would add a version to a key that is there");
    let body = &made["request_body"];
    let body = body.as_str().map_or_else(|| body.clone(), |body| serde_json::from_str(body).unwrap());
    let wanted = json!({"kty": "RSA-HSM", "keySize": 4096, "keyOps": ["import"], "attributes": {"enabled": true}});
    assert_eq!(body, json!({ "properties": wanted }));
    event(&world, "Warning KekMissing AzureKeystoreConnection/payments").await;
    event(&world, "Normal KekRecreated AzureKeystoreConnection/payments").await;

    // A key of the wrong kind is nobody's to replace.
    let before = world.cloud.last_request().await;
    world.cloud.patch(&key(&json!({"current": {"kty": "RSA"}}))).await;
    world.hears(lost("False/KekWrongType")).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(changes(&world, before).await, []);
}

#[tokio::test]
async fn a_deleted_key_behind_a_closed_door_is_told_with_the_command() {
    let world = ready_world("kek-closed", "Recover").await;
    let before = world.cloud.last_request().await;
    world.cloud.patch(&public_access("Disabled")).await;
    world.cloud.patch(&deleted()).await;
    let command = "az keyvault key recover --vault-name payments-kv --name EKMF-BYOK-KEK-FOR-IMPORT";
    world.hears(lost("False/KekMissingOrDeleted").says(&["Try first", command])).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(changes(&world, before).await, [], "nobody knows that there is something to recover");

    // Recreate finds out: a deleted key keeps its name.
    world.change_connection(json!({"keyEncryptionKey": {"policy": "Recreate"}})).await;
    let object = world
        .hears(lost("False/KekMissingOrDeleted").says(&[
            "a deleted key holds the name",
            "cannot be recovered",
            command,
        ]))
        .await;
    assert_eq!(text(&object, "/status/lastFailure/code"), "ObjectIsDeletedButRecoverable");
    world.passes(CONNECTION, 3).await;
    assert_eq!(changes(&world, before).await, [change("PUT", KEK, 409)], "not at each look");

    // The door opens, and a person asks.
    world.cloud.patch(&public_access("Enabled")).await;
    world.annotate(CONNECTION, "reconcile-requested-at", "now").await;
    world.hears(back("True/KekRecovered")).await;
}

#[tokio::test]
async fn a_missing_right_is_named_and_the_next_request_succeeds() {
    let world = ready_world("kek-right", "Recover").await;
    let before = world.cloud.last_request().await;
    let policies = world.cloud.state().await["azure"]["vaults"][VAULT]["accessPolicies"].clone();
    let operator = at(&world.fixture.seed, "/azure/operator/objectId");
    let mut fewer = policies.clone();
    for policy in fewer.as_array_mut().unwrap().iter_mut().filter(|policy| policy["objectId"] == *operator) {
        policy["permissions"]["keys"] = json!(["get", "list"]);
    }
    assert_ne!(fewer, policies);
    let grant = |list: &Value| json!({"azure": {"vaults": {VAULT: {"accessPolicies": list}}}});
    world.cloud.patch(&grant(&fewer)).await;
    world.cloud.patch(&deleted()).await;
    let told = lost("False/KekSoftDeleted");
    world.hears(told.says(&["key permission recover", "access policy", "az keyvault key recover"])).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(changes(&world, before).await, [change("POST", "recover", 403)]);

    world.cloud.patch(&grant(&policies)).await;
    world.annotate(CONNECTION, "reconcile-requested-at", "granted").await;
    world.hears(back("True/KekRecovered")).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_is_no_second_recovery() {
    let world = ready_world("kek-lost-answer", "Recreate").await;
    for (path, loss, reason) in
        [("/recover", deleted(), "True/KekRecovered"), ("/keys/", key(&Value::Null), "True/KekRecreated")]
    {
        let method = if path == "/recover" { "POST" } else { "PUT" };
        let service = if path == "/recover" { "kv" } else { "arm" };
        let before = world.cloud.last_request().await;
        world
            .cloud
            .fault(&json!({"service": service, "method": method, "path": path, "count": 1, "drop": "after"}))
            .await;
        world.cloud.patch(&loss).await;
        world.hears(back(reason)).await;
        world.passes(CONNECTION, 2).await;
        assert_eq!(changes(&world, before).await.len(), 1);
    }
}

#[tokio::test]
async fn mode_plan_says_what_it_would_do_and_does_nothing() {
    let world = ready_world("kek-plan", "Recreate").await;
    world.change_connection(json!({"mode": "Plan"})).await;
    world.hears(connection(KEY, "True/KekPurgeable").ready("True/NothingToDo")).await;
    let before = world.cloud.last_request().await;
    world.cloud.patch(&deleted()).await;
    let object = world.hears(connection(KEY, "False/KekSoftDeleted").at_rest().says(&["In mode Manage"])).await;
    let plan = &object["status"]["plan"];
    assert_eq!((text(plan, "/0/action"), text(plan, "/0/detail")), ("Update", "recover it from its soft deletion"));
    world.cloud.patch(&key(&Value::Null)).await;
    let object = world.hears(connection(KEY, "False/KekMissing").at_rest()).await;
    assert_eq!(text(&object["status"]["plan"], "/0/action"), "Create");
    world.passes(CONNECTION, 2).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into());
}

#[tokio::test]
async fn what_is_coming_is_warned_about_once_while_ready_stays() {
    let world = ready_world("kek-warnings", "Observe").await;
    let told = |reason: &'static str| back(reason);
    let current = |change: Value| key(&json!({"current": change}));
    let soon = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 864_000;
    world.cloud.patch(&current(json!({"exp": soon}))).await;
    world.hears(told("True/KekExpiring").says(&["within 30 days", "later expiry date"])).await;
    world.cloud.patch(&current(json!({"version": "0123456789abcdef0123456789abcdef", "exp": null}))).await;
    world.hears(told("True/KekVersionChanged").says(&["0123456789abcdef0123456789abcdef", "distribute again"])).await;
    world.passes(CONNECTION, 3).await;
    for reason in ["KekPurgeable", "KekExpiring", "KekVersionChanged"] {
        event(&world, &format!("Warning {reason} AzureKeystoreConnection/payments")).await;
        let events = world.events().await;
        let start = format!("Warning {reason}");
        assert_eq!(events.iter().filter(|event| event.starts_with(&start)).count(), 1, "{events:?}");
    }
}
