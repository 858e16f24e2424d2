//! Secrets and identities that are not what they should be: named with their cure, and mended without a restart.
//!
//! The interval is an hour here, so that it is the watch which brings the operator back, never the clock.

use serde_json::json;

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, connection, endpoint},
};

/// A world whose objects are looked at once an hour.
async fn hourly(name: &str) -> World {
    let mut world = World::start(name).await;
    for object in [&mut world.fixture.endpoint, &mut world.fixture.connection] {
        object["spec"]["intervalSeconds"] = json!(3600);
    }
    world.fixture.connection["spec"]["keyEncryptionKey"] = json!({"policy": "Observe"});
    world
}

fn secret<'a>(world: &'a World, pointer: &str) -> &'a str {
    at(&world.fixture.seed, pointer).as_str().unwrap()
}

#[tokio::test]
async fn the_service_principals_secret_is_named_until_it_is_right_and_then_taken_at_once() {
    let world = hourly("sp-secret").await;
    let value = secret(&world, "/azure/servicePrincipal/clientSecret").to_owned();
    world.delete("Secret", "payments-sp").await;
    world.apply_fixture().await;
    let field = "spec.azure.servicePrincipal.passwordSecretRef";
    let told = |reason| connection("CredentialsValid", reason).stalled().still(&["ConnectorEndpointReady"]);
    world
        .hears(told("False/SecretNotFound").says(&[
            field,
            "payments-sp",
            &world.namespace,
            "Create it",
            "clientSecret",
        ]))
        .await;

    let empty = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "payments-sp"}});
    world.apply_value(&empty).await.unwrap();
    world.hears(told("False/SecretKeyMissing").says(&[field, "payments-sp", "no key clientSecret", "Add it"])).await;

    world.put_secret("payments-sp", "clientSecret", Some("")).await;
    world.hears(told("False/SecretKeyEmpty").says(&[field, "is empty", "Put the value in"])).await;

    world.put_secret("payments-sp", "clientSecret", Some("not-the-secret")).await;
    let who = "UKO's service principal (spec.azure.servicePrincipal)";
    world.hears(told("False/ClientSecretInvalid").says(&[who, "the secret's value, not its id"])).await;

    world.put_secret("payments-sp", "clientSecret", Some(&value)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn the_operators_secret_is_named_until_it_is_right_and_then_taken_at_once() {
    let world = hourly("operator-secret").await;
    let value = secret(&world, "/azure/operator/clientSecret").to_owned();
    world.put_secret("azure-operator", "clientSecret", None).await;
    world.apply_fixture().await;
    let told = |reason| connection("CredentialsValid", reason).stalled().still(&["ConnectorEndpointReady"]);
    let field = "spec.azure.identity.servicePrincipal.passwordSecretRef";
    world.hears(told("False/SecretKeyMissing").says(&[field, "azure-operator", "no key clientSecret"])).await;

    world.put_secret("azure-operator", "clientSecret", Some("wrong")).await;
    let who = "The operator's Azure identity (spec.azure.identity)";
    world.hears(told("False/ClientSecretInvalid").says(&[who])).await;
    world.put_secret("azure-operator", "clientSecret", Some(&value)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn ibms_key_is_named_at_both_objects_until_it_is_right() {
    let world = hourly("ibm-key").await;
    let value = secret(&world, "/ibm/apiKey").to_owned();
    world.delete("Secret", "ibm-cloud").await;
    world.apply_fixture().await;

    let field = "spec.authentication.apiKey.secretRef";
    world.hears(endpoint("CredentialsValid", "False/SecretNotFound").says(&[field, "ibm-cloud"]).stalled()).await;
    let field = "spec.uko.hpcs.authentication.apiKey.secretRef";
    world.hears(connection("CredentialsValid", "False/SecretNotFound").says(&[field, "ibm-cloud"]).stalled()).await;

    let refused = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "ibm-cloud"}, "stringData": {"apiKey": "nobody-knows-it"}});
    world.apply_value(&refused).await.unwrap();
    world.hears(endpoint("CredentialsValid", "False/ApiKeyInvalid").says(&["API key"]).stalled()).await;
    let who = "The operator's identity at UKO (spec.uko)";
    world.hears(connection("CredentialsValid", "False/ApiKeyInvalid").says(&[who, "API key"]).stalled()).await;

    world.put_secret("ibm-cloud", "apiKey", Some(&value)).await;
    world.is_ready().await;
}

#[tokio::test]
async fn an_expired_client_secret_is_told_from_a_wrong_one_and_a_new_one_is_taken_at_once() {
    let world = hourly("expired").await;
    let (tenant, client) = (secret(&world, "/azure/tenantId"), secret(&world, "/azure/servicePrincipal/clientId"));
    let secrets = |secrets| json!({"azure": {"tenants": {tenant: {"applications": {client: {"secrets": secrets}}}}}});
    world.cloud.patch(&secrets(json!({"first": {"expiresAt": 1}}))).await;
    world.apply_fixture().await;
    let told = connection("CredentialsValid", "False/ClientSecretExpired").stalled();
    let object =
        world.hears(told.says(&["Make a new client secret", "Secret"]).still(&["ConnectorEndpointReady"])).await;
    assert_eq!(object["status"]["lastFailure"]["code"], "AADSTS7000222");

    world.cloud.patch(&secrets(json!({"second": {"value": "a-new~client-secret"}}))).await;
    world.put_secret("payments-sp", "clientSecret", Some("a-new~client-secret")).await;
    world.is_ready().await;
}

#[tokio::test]
async fn a_rotated_password_reaches_uko_in_place_and_nothing_is_made_again() {
    let world = hourly("rotation").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let (tenant, client) = (secret(&world, "/azure/tenantId"), secret(&world, "/azure/servicePrincipal/clientId"));
    let both = json!({"azure": {"tenants": {tenant: {"applications": {client: {"secrets": {"second": {"value": "a-new~client-secret"}}}}}}}});
    world.cloud.patch(&both).await;
    let before = world.cloud.last_request().await;
    let fingerprint = world.is_ready().await["status"]["uko"]["credentials"]["fingerprint"].clone();
    world.put_secret("payments-sp", "clientSecret", Some("a-new~client-secret")).await;
    world
        .eventually("UKO holds the new password", async || {
            let object = world.get(CONNECTION, "payments").await.unwrap();
            let now = &object["status"]["uko"]["credentials"]["fingerprint"];
            if *now == fingerprint { Err("the old fingerprint".to_owned()) } else { Ok(()) }
        })
        .await;
    world.is_ready().await;
    assert_eq!(world.cloud.writes_after(before).await, [("uko PATCH".to_owned(), 1)].into());
    let gone = json!({"azure": {"tenants": {tenant: {"applications": {client: {"secrets": {"first": null}}}}}}});
    world.cloud.patch(&gone).await;
    world.looks_again(CONNECTION).await;
    world.is_ready().await;
    world.no_secret_anywhere().await;
}

#[tokio::test]
async fn a_wrong_tenant_is_a_matter_of_the_spec() {
    let mut world = hourly("tenant").await;
    let right = world.fixture.connection.clone();
    world.fixture.connection["spec"]["azure"]["tenantId"] = json!("99999999-9999-4999-8999-999999999999");
    world.apply_fixture().await;
    let told = connection("CredentialsValid", "False/TenantNotFound").stalled().still(&["ConnectorEndpointReady"]);
    world.hears(told.says(&["tenant"])).await;
    // The tenant is part of the identity: it can only be right in a new object.
    world.delete(CONNECTION, "payments").await;
    world.apply_value(&right).await.unwrap();
    world.is_ready().await;
}
