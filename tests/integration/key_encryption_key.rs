//! The key without which nothing can be distributed: each way of losing it is told within one interval, and so is its return.

use serde_json::{Value, json};

use crate::harness::{
    World,
    story::{CONNECTION, KEK, STAGES, Told, VAULT, connection, text},
};

/// A patch of the key in the Key Vault.
fn key(change: &Value) -> Value {
    json!({"azure": {"vaults": {VAULT: {"keys": {KEK: change}}}}})
}

async fn ready_world(name: &str) -> World {
    let world = World::start(name).await;
    world.apply_fixture().await;
    world.is_ready().await;
    world
}

/// Everything but the key is still true, and nothing softens the loss.
fn lost(reason: &'static str) -> Told {
    let others: Vec<&str> = STAGES.into_iter().filter(|stage| *stage != "KeyEncryptionKeyHealthy").collect();
    connection("KeyEncryptionKeyHealthy", reason).at_rest().still(&others).says(&[KEK, VAULT])
}

async fn state_is(world: &World, want: &str, through: &str) {
    let object = world.get(CONNECTION, "payments").await.unwrap();
    let kek = &object["status"]["keyEncryptionKey"];
    assert_eq!((text(kek, "/state"), text(kek, "/observedThrough")), (want, through), "{kek}");
}

#[tokio::test]
async fn a_deleted_key_turns_the_status_and_its_recovery_turns_it_back() {
    let world = ready_world("kek-deleted").await;
    world
        .cloud
        .patch(&key(&json!({"deleted": {"deletedDate": 1_790_000_000, "scheduledPurgeDate": 4_000_000_000_u64}})))
        .await;
    let told = lost("False/KekSoftDeleted").says(&["az keyvault key recover", "No key can be distributed"]);
    let object = world.hears(told).await;
    state_is(&world, "SoftDeleted", "DataPlane").await;
    assert_eq!(text(&object, "/status/keyEncryptionKey/scheduledPurgeAt"), "2096-10-02T07:06:40Z");
    let warned = world.events().await.iter().any(|event| event.starts_with("Warning KekSoftDeleted"));
    assert!(warned, "{:?}", world.events().await);

    world.cloud.patch(&key(&json!({"deleted": null}))).await;
    world.connection_is_ready().await;
    state_is(&world, "Healthy", "ResourceManager").await;
}

#[tokio::test]
async fn a_key_that_is_gone_for_good_is_told_apart_from_one_that_nobody_can_tell() {
    let world = ready_world("kek-gone").await;
    let kept = world.cloud.state().await["azure"]["vaults"][VAULT]["keys"][KEK].clone();
    world.cloud.patch(&key(&Value::Null)).await;
    world.hears(lost("False/KekMissing").says(&["Make it again", "RSA-HSM"])).await;
    state_is(&world, "Missing", "DataPlane").await;

    let access = |word: &str| json!({"azure": {"vaults": {VAULT: {"publicNetworkAccess": word}}}});
    world.cloud.patch(&access("Disabled")).await;
    world
        .hears(lost("False/KekMissingOrDeleted").says(&["Try first", "az keyvault key recover", "make it again"]))
        .await;
    state_is(&world, "MissingOrDeleted", "ResourceManager").await;

    world.cloud.patch(&access("Enabled")).await;
    world.cloud.patch(&key(&kept)).await;
    world.connection_is_ready().await;
}

#[tokio::test]
async fn a_key_of_the_wrong_kind_is_told_by_its_property() {
    let world = ready_world("kek-wrong").await;
    let right = world.cloud.state().await["azure"]["vaults"][VAULT]["keys"][KEK]["current"].clone();
    let current = |change: Value| key(&json!({"current": change}));
    for (change, reason, state, cure) in [
        (json!({"enabled": false}), "False/KekDisabled", "Disabled", "--enabled true"),
        (json!({"exp": 1_700_000_000}), "False/KekExpired", "Expired", "later expiry date"),
        (json!({"nbf": 4_000_000_000_u64}), "False/KekNotYetValid", "NotYetValid", "earlier activation date"),
        (json!({"kty": "RSA"}), "False/KekWrongType", "WrongType", "not of type RSA-HSM"),
        (
            json!({"keyOps": ["import", "encrypt"]}),
            "False/KekWrongOperations",
            "WrongOperations",
            "exactly the operation import",
        ),
        (json!({"keySize": 1024}), "False/KekWrongSize", "WrongSize", "2048, 3072 or 4096"),
    ] {
        world.cloud.patch(&current(right.clone())).await;
        world.cloud.patch(&current(change)).await;
        world.annotate(CONNECTION, "reconcile-requested-at", state).await;
        world.hears(lost(reason).says(&[cure])).await;
        state_is(&world, state, "ResourceManager").await;
    }
    world.cloud.patch(&current(json!({"keySize": right["keySize"]}))).await;
    world.connection_is_ready().await;
}

#[tokio::test]
async fn a_key_that_may_not_be_read_is_no_lost_key() {
    let world = ready_world("kek-forbidden").await;
    let deny = |list: Value| json!({"settings": {"deny": list}});
    world.cloud.patch(&deny(json!([{"action": "Microsoft.KeyVault/vaults/keys/read"}]))).await;
    world.hears(lost("False/KekUnreadable").says(&["keys/read"])).await;
    state_is(&world, "Unreadable", "ResourceManager").await;
    world.cloud.patch(&deny(json!([]))).await;
    world.connection_is_ready().await;
}

#[tokio::test]
async fn nobody_looks_at_a_key_that_the_spec_leaves_alone() {
    let mut world = World::start("kek-ignored").await;
    world.fixture.connection["spec"]["keyEncryptionKey"] = json!({"policy": "Ignore"});
    world.apply_fixture().await;
    let object = world.is_ready().await;
    world.hears(connection("KeyEncryptionKeyHealthy", "True/NotManaged").ready("True")).await;
    assert_eq!(object["status"].get("keyEncryptionKey"), None);
    world.passes(CONNECTION, 1).await;
    let asked = world.cloud.requests_after(0).await;
    assert!(!asked.iter().any(|one| text(one, "/url").contains(KEK)), "the key was asked for");
}
