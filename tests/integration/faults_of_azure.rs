//! What Azure lacks or forbids: named with its cure, the rest of the status still true, and mended without a restart.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, NAME, VAULT, connection, endpoint, text},
};

/// What no fault of Azure touches.
const BESIDE: [&str; 2] = ["CredentialsValid", "ConnectorEndpointReady"];

/// Breaks the cloud before anything is applied, hears what is told, mends it, and waits until all is well.
async fn broken_then_mended(name: &str, broken: Value, mended: Value, told: crate::harness::story::Told) {
    let world = World::start(name).await;
    world.cloud.patch(&broken).await;
    world.apply_fixture().await;
    world.hears(told).await;
    world.hears(endpoint("Ready", "True/EndpointReady")).await;
    world.cloud.patch(&mended).await;
    world.is_ready().await;
}

fn subnet(change: &Value) -> Value {
    let network = "/subscriptions/10000000-0000-4000-8000-000000000002/resourcegroups/rg-network/providers/microsoft.network/virtualnetworks/vnet-keys";
    json!({"azure": {"virtualNetworks": {network: {"subnets": {"private-endpoints": change}}}}})
}

#[tokio::test]
async fn an_absent_vault_is_waited_for() {
    let world = World::start("vault-absent").await;
    let vault = world.cloud.state().await["azure"]["vaults"][VAULT].clone();
    world.cloud.patch(&json!({"azure": {"vaults": {VAULT: null}}})).await;
    world.apply_fixture().await;
    let told = connection("VaultReady", "False/VaultNotFound").reconciling().still(&BESIDE);
    world.hears(told.says(&[VAULT, "rg-keys", "Create it, or correct spec.azure"])).await;

    let deleted = json!({"vault": vault, "deletionDate": 1_790_000_000, "scheduledPurgeDate": 4_000_000_000_u64});
    world.cloud.patch(&json!({"azure": {"deletedVaults": {VAULT: deleted}}})).await;
    let told = connection("VaultReady", "False/VaultSoftDeleted").reconciling().still(&BESIDE);
    world.hears(told.says(&["az keyvault recover --name payments-kv"])).await;

    world.cloud.patch(&json!({"azure": {"deletedVaults": {VAULT: null}, "vaults": {VAULT: vault}}})).await;
    world.is_ready().await;
}

#[tokio::test]
async fn an_absent_subnet_is_waited_for() {
    let world = World::start("subnet-absent").await;
    let seed = world.fixture.seed.clone();
    let there = world.cloud.state().await;
    let network = at(&seed, "/azure/vnetId").as_str().unwrap().to_lowercase();
    let whole = there["azure"]["virtualNetworks"][&network]["subnets"]["private-endpoints"].clone();
    world.cloud.patch(&subnet(&Value::Null)).await;
    world.apply_fixture().await;
    let told = connection("PrivateEndpointReady", "False/SubnetNotFound").reconciling();
    world
        .hears(
            told.says(&["subnets/private-endpoints", "spec.privateEndpoint.subnetId", "create it"])
                .still(&BESIDE)
                .still(&["VaultReady"]),
        )
        .await;
    world.cloud.patch(&subnet(&whole)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_delegated_subnet_takes_no_endpoint() {
    let told = connection("PrivateEndpointReady", "False/SubnetDelegated").stalled();
    broken_then_mended(
        "subnet-delegated",
        subnet(&json!({"delegations": ["Microsoft.Web/serverFarms"]})),
        subnet(&json!({"delegations": []})),
        told.says(&["Microsoft.Web/serverFarms", "remove the delegation"]).still(&BESIDE).still(&["VaultReady"]),
    )
    .await;
}

#[tokio::test]
async fn a_vault_that_does_not_fit_is_told_by_what_does_not() {
    let change = |change: Value| json!({"azure": {"vaults": {VAULT: change}}});
    let world = World::start("vault-unfit").await;
    let whole = world.cloud.state().await["azure"]["vaults"][VAULT].clone();
    let operator = whole["accessPolicies"][0].clone();
    world.cloud.patch(&change(json!({"sku": "standard"}))).await;
    world.apply_fixture().await;
    let told = |reason| connection("VaultReady", reason).still(&BESIDE);
    world.hears(told("False/VaultNotPremium").stalled().says(&["Standard", "keystore.variant"])).await;
    world.cloud.patch(&change(json!({"sku": "premium", "enableSoftDelete": false}))).await;
    world.hears(told("False/SoftDeleteDisabled").says(&["properties.enableSoftDelete=true"]).reconciling()).await;
    world.cloud.patch(&change(json!({"enableSoftDelete": true, "accessPolicies": [operator]}))).await;
    let lacks = told("False/VaultAccessIncomplete").reconciling();
    world
        .hears(lacks.says(&["create, import, update", "Add them to the access policy", "azure.keyPermissions: Grant"]))
        .await;
    world.cloud.patch(&change(json!({"accessPolicies": whole["accessPolicies"]}))).await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_missing_right_of_the_operator_is_told_with_what_to_grant() {
    let told = connection("VaultReady", "False/AzurePermissionDenied").reconciling().still(&BESIDE);
    broken_then_mended(
        "right-missing",
        json!({"settings": {"deny": [{"action": "Microsoft.KeyVault/vaults/read"}]}}),
        json!({"settings": {"deny": []}}),
        told.says(&["Grant the operator's identity"]),
    )
    .await;
}

#[tokio::test]
async fn a_manual_approval_waits_without_an_error_and_goes_on_once_it_is_given() {
    let mut world = World::start("approval").await;
    let endpoint = &mut world.fixture.connection["spec"]["privateEndpoint"];
    endpoint["approval"] = json!("Manual");
    endpoint["requestMessage"] = json!("Keys of the payments platform, ticket KEYS-1234");
    world.apply_fixture().await;
    let told =
        connection("PrivateEndpointReady", "False/AwaitingApproval").at_rest().still(&BESIDE).still(&["VaultReady"]);
    world.hears(told.says(&["payments-kv-pe", "Networking, Private endpoint connections, Approve"])).await;
    let announced = world.events().await;
    assert!(announced.iter().any(|event| event.starts_with("Normal AwaitingApproval")), "{announced:#?}");

    let asked = world.cloud.last_request().await;
    world.looks_again(CONNECTION).await;
    assert_eq!(world.cloud.writes_after(asked).await, [].into(), "it waits; it neither approves nor makes it anew");

    let vault = world.cloud.state().await["azure"]["vaults"][VAULT]["connections"].clone();
    let (name, pending) = vault.as_object().unwrap().iter().next().unwrap();
    assert_eq!(text(pending, "/description"), "Keys of the payments platform, ticket KEYS-1234");
    world
        .cloud
        .patch(&json!({"azure": {"vaults": {VAULT: {"connections": {name: {"status": "Approved", "approvedAt": 1}}}}}}))
        .await;
    // What a person mends in a cloud wakes nobody; the interval or a request does.
    world.annotate(CONNECTION, "reconcile-requested-at", "2").await;
    world.is_ready().await;
    let made = world.get(ENDPOINT, NAME).await.unwrap();
    assert_eq!(made["status"]["usedBy"], json!([NAME]));
}

#[tokio::test]
async fn a_rejected_or_disconnected_endpoint_is_never_made_anew() {
    let world = World::start("rejected").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let before = world.cloud.last_request().await;
    let connections = world.cloud.state().await["azure"]["vaults"][VAULT]["connections"].clone();
    let (name, _) = connections.as_object().unwrap().iter().next().unwrap();
    let status = |word: &str| json!({"azure": {"vaults": {VAULT: {"connections": {name: {"status": word}}}}}});
    for (word, reason, cure) in [
        ("Rejected", "False/PrivateEndpointRejected", "Approve it there"),
        ("Disconnected", "False/PrivateEndpointDisconnected", "recreate-requested-at"),
    ] {
        world.cloud.patch(&status(word)).await;
        let told = connection("PrivateEndpointReady", reason).says(&["payments-kv-pe", cure]).reconciling();
        world.hears(told.still(&BESIDE).still(&["VaultReady", "KeyEncryptionKeyHealthy"])).await;
    }
    world.passes(CONNECTION, 1).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into());
    world.cloud.patch(&status("Approved")).await;
    world.is_ready().await;
}

#[tokio::test]
async fn who_is_refused_does_not_keep_others_from_the_same_vault_and_subnet() {
    let mut world = World::start("refused-neighbour").await;
    // Who was refused rests for longer than the test waits.
    world.fixture.connection["spec"]["intervalSeconds"] = json!(3600);
    world.fixture.connection["spec"]["keyEncryptionKey"]["checkIntervalSeconds"] = json!(3600);
    let refused = json!({"error": {"code": "AuthorizationFailed", "message": "x"}});
    let path = "privateEndpoints/payments-kv-pe\\?";
    let fault = json!({"service": "arm", "method": "PUT", "path": path, "count": -1, "status": 403, "body": refused.to_string()});
    world.cloud.fault(&fault).await;
    world.apply_fixture().await;
    world.hears(connection("PrivateEndpointReady", "False/AzurePermissionDenied").reconciling().still(&BESIDE)).await;

    let mut neighbour = world.fixture.connection.clone();
    neighbour["metadata"]["name"] = json!("neighbour");
    neighbour["spec"]["privateEndpoint"]["name"] = json!("neighbour-pe");
    // Not the same connector endpoint: its news would wake the one at rest.
    neighbour["spec"]["connectorEndpointRef"]["name"] = json!("absent");
    world.apply_value(&neighbour).await.unwrap();
    world
        .eventually("the neighbour's private endpoint is made", async || {
            let state = world.cloud.state().await["azure"]["privateEndpoints"].to_string();
            if state.contains("neighbour-pe") { Ok(()) } else { Err(state) }
        })
        .await;
}
