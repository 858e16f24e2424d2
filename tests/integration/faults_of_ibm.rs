//! What IBM Cloud lacks or refuses: named with its cure, the rest of the status still true, and mended without a restart.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, NAME, connection, endpoint, text},
};

const AZURE: [&str; 3] = ["CredentialsValid", "VaultReady", "PrivateEndpointReady"];

fn seed<'a>(world: &'a World, pointer: &str) -> &'a str {
    at(&world.fixture.seed, pointer).as_str().unwrap()
}

/// A patch of the seed's connector.
fn connector(world: &World, change: &Value) -> Value {
    json!({"ibm": {"connectors": {seed(world, "/ibm/connector/id"): change}}})
}

/// A patch of the seed's UKO.
fn uko(world: &World, change: &Value) -> Value {
    json!({"ibm": {"uko": {seed(world, "/ibm/uko/instanceId"): change}}})
}

#[tokio::test]
async fn an_absent_or_failed_connector_is_told_at_the_endpoint_and_the_connection_waits() {
    let world = World::start("connector").await;
    let whole = world.cloud.state().await["ibm"]["connectors"][seed(&world, "/ibm/connector/id")].clone();
    world.cloud.patch(&connector(&world, &Value::Null)).await;
    world.apply_fixture().await;
    let told = |reason| endpoint("ConnectorAvailable", reason).still(&["CredentialsValid"]);
    world.hears(told("False/ConnectorNotFound").reconciling().says(&["Correct spec.connector, or create it"])).await;
    let waits = connection("ConnectorEndpointReady", "False/ConnectorEndpointInProgress").reconciling();
    world.hears(waits.says(&["payments is not Ready yet", "kubectl describe ukoep payments"]).still(&AZURE)).await;

    let mut failed = whole.clone();
    failed["state"] = json!("FAILED");
    world.cloud.patch(&connector(&world, &failed)).await;
    world.hears(told("False/ConnectorFailed").reconciling().says(&["failed", "create it again"])).await;

    world.cloud.patch(&connector(&world, &whole)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn two_connectors_of_one_name_are_ambiguous() {
    let mut world = World::start("ambiguous").await;
    world.fixture.endpoint["spec"]["connector"] = json!({"name": "keys-eu", "region": "eu-de"});
    let whole = world.cloud.state().await["ibm"]["connectors"][seed(&world, "/ibm/connector/id")].clone();
    let second = |value: &Value| json!({"ibm": {"connectors": {"U2F0ZWxsaXRlQ29ubmVjdG9yOiJzZWNvbmQi": value}}});
    world.cloud.patch(&second(&whole)).await;
    world.apply_fixture().await;
    let told = endpoint("ConnectorAvailable", "False/ConnectorAmbiguous").stalled().still(&["CredentialsValid"]);
    world.hears(told.says(&["2 Satellite Connectors", "spec.connector.id"])).await;
    world.cloud.patch(&second(&Value::Null)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn an_endpoint_name_that_others_hold_is_a_conflict_until_it_is_free() {
    let mut world = World::start("endpoint-taken").await;
    world.fixture.endpoint["spec"]["displayName"] = json!("payments-kv");
    let theirs = json!({"ibm": {"endpoints": {"theirs_0001": {
        "parent": seed(&world, "/ibm/connector/id"), "connType": "location", "displayName": "payments-kv",
        "serverHost": "else.example.com", "serverPort": 443, "clientProtocol": "tcp", "serverProtocol": "tcp",
        "clientHost": "c-01.private.eu-de.link.satellite.cloud.ibm.com", "clientPort": 40001, "enabled": true,
    }}}});
    world.cloud.patch(&theirs).await;
    world.apply_fixture().await;
    let told = endpoint("EndpointProvisioned", "False/ClaimConflict").reconciling();
    let told = told.says(&["payments-kv", "adoptionPolicy"]).still(&["CredentialsValid", "ConnectorAvailable"]);
    world.hears(told).await;
    world.hears(endpoint("ClaimConflict", "True").ready("False/ClaimConflict")).await;
    world.passes(ENDPOINT, 1).await;
    assert_eq!(world.cloud.state().await["ibm"]["endpoints"]["theirs_0001"]["serverHost"], "else.example.com");

    world.cloud.patch(&json!({"ibm": {"endpoints": {"theirs_0001": null}}})).await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_full_connector_waits_for_room() {
    let world = World::start("quota").await;
    world.cloud.patch(&json!({"ibm": {"switches": {"endpointQuota": {"limit": 0}}}})).await;
    world.apply_fixture().await;
    let told = endpoint("EndpointProvisioned", "False/AwaitingQuota").at_rest();
    world.hears(told.says(&["25", "remove unused ones"]).still(&["CredentialsValid", "ConnectorAvailable"])).await;
    world.cloud.patch(&json!({"ibm": {"switches": {"endpointQuota": {"limit": 25}}}})).await;
    world.annotate(ENDPOINT, "reconcile-requested-at", "1").await;
    world.is_ready().await;
}

#[tokio::test]
async fn an_absent_uko_vault_is_named_and_used_once_it_is_there() {
    let world = World::start("uko-vault").await;
    let id = seed(&world, "/ibm/uko/vault/id");
    let vaults = |change: Value| uko(&world, &json!({"vaults": {id: change}}));
    world.cloud.patch(&vaults(json!({"name": "someone-elses"}))).await;
    world.apply_fixture().await;
    let told = connection("ConnectionTested", "False/UkoVaultNotFound").reconciling();
    let told = told.says(&["no vault named payments", "spec.uko.vault.create: true"]);
    world.hears(told.still(&AZURE).still(&["ConnectorEndpointReady"])).await;
    world.cloud.patch(&vaults(json!({"name": "payments"}))).await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_uko_vault_is_made_where_the_spec_says_so() {
    let mut world = World::start("uko-vault-made").await;
    world.fixture.connection["spec"]["uko"]["vault"] = json!({"name": "payments-eu", "create": true});
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let state = world.cloud.state().await;
    let vaults = state["ibm"]["uko"][seed(&world, "/ibm/uko/instanceId")]["vaults"].as_object().unwrap();
    let made: Vec<_> = vaults.iter().filter(|(_, vault)| vault["name"] == "payments-eu").collect();
    assert_eq!(made.len(), 1);
    assert_eq!(text(&object, "/status/uko/vaultId"), made[0].0);
    assert!(text(made[0].1, "/description").contains("uko-operator:"), "{}", made[0].1);
}

#[tokio::test]
async fn each_property_that_the_dry_run_refuses_is_named_with_its_place_in_the_manifest() {
    let world = World::start("dry-run").await;
    let refusal = |field: &str| {
        json!({
            "service": "uko", "method": "POST", "path": "dry_run=true", "count": -1, "status": 400,
            "body": {"errors": [{"code": "connection_failed", "message": "no", "target": {"type": "field", "name": field}}]},
        })
    };
    let rows = [
        ("azure_tenant", "spec.azure.tenantId"),
        ("azure_service_principal_client_id", "spec.azure.servicePrincipal.clientId"),
        ("azure_service_principal_password", "spec.azure.servicePrincipal.passwordSecretRef"),
        ("azure_subscription_id", "spec.azure.subscriptionId"),
        ("azure_service_name", "spec.azure.vaultName"),
        ("azure_resource_group", "spec.azure.resourceGroup"),
        ("azure_location", "spec.keystore.location"),
        ("azure_environment", "spec.azure.cloud"),
        ("azure_variant", "spec.keystore.variant"),
        ("tls_proxy", "spec.connectorEndpointRef"),
        ("name", "spec.keystore.name"),
        ("groups", "spec.keystore.groups"),
    ];
    for (number, (field, place)) in rows.into_iter().enumerate() {
        world.cloud.no_faults().await;
        world.cloud.fault(&refusal(field)).await;
        if number == 0 {
            world.apply_fixture().await;
        } else {
            world.annotate(CONNECTION, "test-requested-at", field).await;
        }
        let told = connection("ConnectionTested", "False/ConnectionTestFailed").reconciling().says(&[place]);
        let object = world.hears(told.still(&AZURE).still(&["ConnectorEndpointReady"])).await;
        assert_eq!(object["status"]["connectionTest"]["result"], "Failed");
    }
    let made = world.cloud.state().await["ibm"]["uko"][seed(&world, "/ibm/uko/instanceId")]["keystores"].clone();
    assert_eq!(made, json!({}), "nothing is registered before the test has passed");

    world.cloud.no_faults().await;
    world.annotate(CONNECTION, "test-requested-at", "mended").await;
    let object = world.is_ready().await;
    assert_eq!(object["status"]["connectionTest"]["result"], "Passed");
    assert_eq!(object["status"]["lastHandledTestAt"], "mended");

    // Registered under its name, which UKO may then call taken: that is no failure of the connection.
    world.cloud.fault(&refusal("name")).await;
    world.annotate(CONNECTION, "test-requested-at", "again").await;
    world
        .eventually("the test is told to say nothing", async || {
            let object = world.get(CONNECTION, NAME).await.unwrap();
            let said = text(&object["status"]["connectionTest"], "/message").contains("so this test says nothing");
            let handled = object["status"]["lastHandledTestAt"] == "again";
            if said && handled { Ok(()) } else { Err(object["status"].to_string()) }
        })
        .await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_failed_test_is_repeated_by_itself_and_an_advisory_one_stops_nothing() {
    let mut world = World::start("advisory").await;
    world.fixture.connection["spec"]["connectionTest"] = json!("Advisory");
    world.cloud.fault(&json!({"service": "uko", "method": "POST", "path": "dry_run=true", "count": -1, "status": 400, "body": {"errors": [{"code": "connection_failed", "message": "no"}]}})).await;
    world.apply_fixture().await;
    world.hears(connection("KeystoreConnected", "True/KeystoreHealthy").ready("True/KeysCanFlow")).await;

    drop(world);

    let strict = World::start("strict").await;
    strict.cloud.fault(&json!({"service": "uko", "method": "POST", "path": "dry_run=true", "count": 2, "status": 400, "body": {"errors": [{"code": "connection_failed", "message": "no"}]}})).await;
    strict.apply_fixture().await;
    let told = connection("ConnectionTested", "False/ConnectionTestFailed").reconciling();
    strict.hears(told.says(&["does not say why", "ten key permissions"]).still(&AZURE)).await;
    strict.is_ready().await;
}

#[tokio::test]
async fn a_keystore_name_that_is_taken_elsewhere_asks_for_another_name() {
    let world = World::start("keystore-taken").await;
    world.cloud.fault(&json!({"service": "uko", "method": "POST", "path": "/keystores$", "count": -1, "status": 409, "body": {"errors": [{"code": "conflict", "message": "no"}]}})).await;
    world.apply_fixture().await;
    let told = connection("KeystoreConnected", "False/KeystoreNameTaken").reconciling();
    let told = told.says(&["payments-azure is taken", "spec.keystore.name"]);
    world.hears(told.still(&AZURE).still(&["ConnectorEndpointReady", "ConnectionTested"])).await;
    world.cloud.no_faults().await;
    world.change_connection(json!({"keystore": {"name": "payments-azure-2"}})).await;
    world.is_ready().await;
}

#[tokio::test]
async fn the_health_that_uko_reports_is_told_with_where_to_look() {
    let world = World::start("health").await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let id = text(&object, "/status/uko/keystoreId").to_owned();
    let health = |word: Value| uko(&world, &json!({"keystores": {&id: {"forcedHealth": word}}}));
    for (word, reason, cure) in [
        ("not_responding", "False/UkoNotResponding", "connector's agents"),
        ("configuration_error", "False/UkoConfigurationError", "service principal's secret"),
    ] {
        world.cloud.patch(&health(json!(word))).await;
        let told = connection("KeystoreConnected", reason).says(&[cure]).reconciling();
        let told = told.still(&AZURE).still(&["ConnectorEndpointReady", "KeyEncryptionKeyHealthy"]);
        let object = world.hears(told).await;
        assert_eq!(text(&object, "/status/uko/health"), word);
    }
    world.cloud.patch(&health(Value::Null)).await;
    let object = world.is_ready().await;
    assert_eq!(text(&object, "/status/uko/health"), "ok");
}
