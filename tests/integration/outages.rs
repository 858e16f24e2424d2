//! Clouds that throttle, stumble or are out of reach: the status says which, what is known stays told, and all is well afterwards by itself.

use serde_json::{Value, json};

use crate::harness::{
    World,
    story::{Told, connection, endpoint, text},
};

fn dark(service: &str) -> Value {
    json!({"service": service, "count": -1, "drop": true})
}

/// A cloud is dark from the start: what is told of it, and what is reached all the same.
async fn dark_from_the_start(service: &str, told: Told) {
    let world = World::start(&format!("dark-{service}")).await;
    world.cloud.fault(&dark(service)).await;
    world.apply_fixture().await;
    world.hears(told).await;
    world.cloud.no_faults().await;
    world.is_ready().await;
    world.no_secret_anywhere().await;
}

/// A cloud goes dark while all is well: `Ready` is held, then says what is dark; the rest stands.
async fn dark_later(service: &str, told: Told) {
    let world = World::start(&format!("later-{service}")).await;
    world.apply_fixture().await;
    world.is_ready().await;
    let before = world.cloud.last_request().await;
    world.cloud.fault(&dark(service)).await;
    world.hears(told).await;
    world.cloud.no_faults().await;
    world.is_ready().await;
    assert_eq!(world.cloud.writes_after(before).await, [].into(), "an outage is no reason to change anything");
    let events = world.events().await;
    assert!(events.iter().any(|event| event.contains("Unavailable")), "{events:#?}");
}

#[tokio::test]
async fn a_dark_entra_leaves_ibms_half_told() {
    let told = connection("CredentialsValid", "Unknown/EntraUnavailable").reconciling();
    dark_from_the_start("entra", told.still(&["ConnectorEndpointReady"])).await;
}

#[tokio::test]
async fn a_dark_resource_manager_leaves_ibms_half_told() {
    let told = connection("VaultReady", "Unknown/AzureUnavailable").reconciling();
    dark_from_the_start("arm", told.still(&["CredentialsValid", "ConnectorEndpointReady"])).await;
}

#[tokio::test]
async fn a_dark_iam_leaves_azures_half_told() {
    let told = connection("CredentialsValid", "Unknown/IamUnavailable").reconciling();
    // The endpoint that cannot be looked at either is the more certain news.
    let told = told.ready("False/ConnectorEndpointInProgress");
    dark_from_the_start("iam", told.still(&["VaultReady", "PrivateEndpointReady"])).await;
}

#[tokio::test]
async fn a_dark_link_leaves_the_connection_to_wait_for_its_endpoint() {
    let world = World::start("dark-link").await;
    world.cloud.fault(&dark("link")).await;
    world.apply_fixture().await;
    world
        .hears(endpoint("ConnectorAvailable", "Unknown/LinkUnavailable").reconciling().still(&["CredentialsValid"]))
        .await;
    let waits = connection("ConnectorEndpointReady", "False/ConnectorEndpointInProgress").reconciling();
    world.hears(waits.still(&["CredentialsValid", "VaultReady", "PrivateEndpointReady"])).await;
    world.cloud.no_faults().await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_dark_connector_lookup_is_told_at_the_endpoint() {
    let told = endpoint("ConnectorAvailable", "Unknown/ConnectorLookupUnavailable").reconciling();
    dark_from_the_start("containers", told.still(&["CredentialsValid"])).await;
}

#[tokio::test]
async fn a_dark_broker_leaves_azures_half_told() {
    let told = connection("CredentialsValid", "Unknown/BrokerUnavailable").reconciling();
    dark_from_the_start("broker", told.still(&["VaultReady", "PrivateEndpointReady"])).await;
}

#[tokio::test]
async fn a_dark_uko_leaves_azures_half_told() {
    let told = connection("ConnectionTested", "Unknown/UkoUnavailable").reconciling();
    let still = ["CredentialsValid", "VaultReady", "PrivateEndpointReady", "ConnectorEndpointReady"];
    dark_from_the_start("uko", told.still(&still)).await;
}

#[tokio::test]
async fn a_resource_manager_that_goes_dark_later_hides_nothing_of_uko() {
    let told = connection("VaultReady", "Unknown/AzureUnavailable").reconciling();
    let still = ["CredentialsValid", "ConnectorEndpointReady", "ConnectionTested", "KeystoreConnected"];
    dark_later("arm", told.still(&still)).await;
}

#[tokio::test]
async fn a_uko_that_goes_dark_later_hides_nothing_of_azure() {
    let told = connection("KeystoreConnected", "Unknown/UkoUnavailable").reconciling();
    let still =
        ["CredentialsValid", "VaultReady", "PrivateEndpointReady", "ConnectorEndpointReady", "KeyEncryptionKeyHealthy"];
    dark_later("uko", told.still(&still)).await;
}

#[tokio::test]
async fn a_link_that_goes_dark_later_hides_nothing_of_the_rest() {
    dark_later("link", endpoint("ConnectorAvailable", "Unknown/LinkUnavailable").reconciling()).await;
}

#[tokio::test]
async fn a_short_outage_does_not_shake_ready() {
    let world = World::start_with("grace", |options| options.flag("ready-grace", "5m")).await;
    world.apply_fixture().await;
    world.is_ready().await;
    world.cloud.fault(&dark("arm")).await;
    let held = connection("VaultReady", "Unknown/AzureUnavailable").at_rest().ready("True/KeysCanFlow");
    world.hears(held).await;
    world.cloud.no_faults().await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_throttled_cloud_is_left_alone_for_as_long_as_it_asks() {
    let world = World::start("throttled").await;
    let asked = 6.0;
    world
        .cloud
        .fault(&json!({"service": "arm", "method": "GET", "path": "/vaults/[^/]+\\?", "status": 429, "retry_after": 6}))
        .await;
    world.apply_fixture().await;
    let told = connection("VaultReady", "Unknown/AzureThrottled").reconciling();
    let object = world.hears(told.still(&["CredentialsValid", "ConnectorEndpointReady"])).await;
    assert_eq!(text(&object, "/status/lastFailure/operation"), "arm/GetVault");
    world.is_ready().await;
    let requests = world.cloud.requests_after(0).await;
    let refused = requests.iter().find(|one| one["status"] == 429).unwrap();
    let until = refused["t_end"].as_f64().unwrap() + asked;
    // What was already on its way when the answer came is no disobedience.
    let after = refused["t_end"].as_f64().unwrap() + 0.5;
    for request in requests.iter().filter(|one| text(one, "/service") == "arm") {
        let start = request["t_start"].as_f64().unwrap();
        assert!(!(after..until - 0.1).contains(&start), "{} came {} s too early", request["url"], until - start);
    }
}

#[tokio::test]
async fn server_errors_for_a_while_are_ridden_out() {
    for service in ["arm", "uko", "link"] {
        let world = World::start(&format!("stumbling-{service}")).await;
        world.cloud.fault(&json!({"service": service, "count": -1, "status": 503, "body": "<html>no</html>"})).await;
        world.apply_fixture().await;
        let told = match service {
            "arm" => connection("VaultReady", "Unknown/AzureUnavailable").reconciling(),
            "uko" => connection("ConnectionTested", "Unknown/UkoUnavailable").reconciling(),
            _ => endpoint("ConnectorAvailable", "Unknown/LinkUnavailable").reconciling(),
        };
        world.hears(told.still(&["CredentialsValid"])).await;
        world.cloud.no_faults().await;
        world.is_ready().await;
    }
}

#[tokio::test]
async fn an_operation_that_azure_accepts_and_then_fails_is_asked_for_again() {
    let world = World::start("async-fail").await;
    world.cloud.fault(&json!({"service": "arm", "method": "PUT", "path": "privateEndpoints/payments-kv-pe\\?", "async_fail": {"code": "InternalServerError", "message": "x"}})).await;
    world.apply_fixture().await;
    world.is_ready().await;
    let state = world.cloud.state().await;
    assert_eq!(state["azure"]["privateEndpoints"].as_object().unwrap().len(), 1);
}
