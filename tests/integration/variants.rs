//! The other shapes of a connection: each becomes Ready by the operator's own calls, and what was asked for stands outside.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::at,
    story::{CONNECTION, ENDPOINT, NAME, VAULT, connection, endpoint, text},
};

#[tokio::test]
async fn an_address_is_published_only_once_the_access_control_list_is_bound() {
    let mut world = World::start("access-control").await;
    world.fixture.endpoint["spec"]["allowedSources"] = json!(["10.0.0.0/8"]);
    world
        .cloud
        .fault(&json!({"service": "link", "path": "/sources(\\?|$)", "method": "PATCH", "count": -1, "status": 503}))
        .await;
    world.cloud.fault(&json!({"service": "link", "path": "endpoints/[^/]+/sources", "method": "PATCH", "count": -1, "status": 503})).await;
    world.apply_fixture().await;
    let told = endpoint("AccessControlApplied", "Unknown/LinkUnavailable").reconciling();
    let object = world.hears(told.still(&["CredentialsValid", "ConnectorAvailable", "EndpointProvisioned"])).await;
    assert_eq!(object["status"].get("address"), None, "an open door has no address");
    world.hears(connection("ConnectorEndpointReady", "False/ConnectorEndpointInProgress")).await;

    world.cloud.no_faults().await;
    world.is_ready().await;
    let object = world.hears(endpoint("AccessControlApplied", "True").ready("True").says(&["Only 10.0.0.0/8"])).await;
    assert!(text(&object, "/status/address").contains(':'));
    let state = world.cloud.state().await;
    let sources = state["ibm"]["sources"].as_object().unwrap();
    assert_eq!(sources.len(), 1);
    let (id, source) = sources.iter().next().unwrap();
    assert_eq!(source["addresses"], json!(["10.0.0.0/8"]));
    assert!(text(source, "/sourceName").starts_with("uko-"));
    let bound = state["ibm"]["endpoints"].as_object().unwrap().values().next().unwrap();
    assert_eq!(bound["sources"][id]["enabled"], true);

    world.merge(ENDPOINT, NAME, &json!({"spec": {"allowedSources": ["10.208.0.0/16"]}})).await;
    world.hears(endpoint("AccessControlApplied", "True").ready("True").says(&["Only 10.208.0.0/16"])).await;
    assert_eq!(world.cloud.state().await["ibm"]["sources"][id]["addresses"], json!(["10.208.0.0/16"]));
}

#[tokio::test]
async fn a_static_address_a_named_interface_and_tags_stand_as_asked_for() {
    let mut world = World::start("static").await;
    let endpoint = &mut world.fixture.connection["spec"]["privateEndpoint"];
    endpoint["privateIPAddress"] = json!("10.0.0.10");
    endpoint["networkInterfaceName"] = json!("payments-kv-nic");
    endpoint["tags"] = json!({"team": "payments", "cost-centre": "4711"});
    world.apply_fixture().await;
    let object = world.is_ready().await;
    assert_eq!(object["status"]["azure"]["privateIPAddress"], "10.0.0.10");
    let state = world.cloud.state().await;
    let interface = state["azure"]["networkInterfaces"].as_object().unwrap().values().next().unwrap();
    assert!(text(interface, "/id").ends_with("/payments-kv-nic"), "{interface}");
    assert_eq!((&interface["privateIpAddress"], &interface["staticAllocation"]), (&json!("10.0.0.10"), &json!(true)));
    let made = state["azure"]["privateEndpoints"].as_object().unwrap().values().next().unwrap();
    let tags = &made["tags"];
    assert_eq!((&tags["team"], &tags["cost-centre"]), (&json!("payments"), &json!("4711")));
    assert_eq!(tags["uko-operator-object"], format!("{}/payments", world.namespace));
    assert_eq!(text(tags, "/uko-operator-owner").len(), 26);

    world.change_connection(json!({"privateEndpoint": {"tags": {"team": "treasury"}}})).await;
    let id = text(made, "/id").to_lowercase();
    world
        .eventually("the tag follows the spec", async || {
            let state = world.cloud.state().await;
            let tags = &state["azure"]["privateEndpoints"][&id]["tags"];
            let whole = tags["team"] == "treasury" && tags["uko-operator-owner"].is_string();
            if whole { Ok(()) } else { Err(tags.to_string()) }
        })
        .await;
    world.is_ready().await;
}

#[tokio::test]
async fn grant_adds_exactly_the_key_permissions_that_are_missing() {
    let mut world = World::start("grant").await;
    world.fixture.connection["spec"]["azure"]["keyPermissions"] = json!("Grant");
    let policies = world.cloud.state().await["azure"]["vaults"][VAULT]["accessPolicies"].clone();
    let mut few = policies.clone();
    few[1]["permissions"]["keys"] = json!(["get", "list", "sign"]);
    few[1]["permissions"]["secrets"] = json!(["get"]);
    world.cloud.patch(&json!({"azure": {"vaults": {VAULT: {"accessPolicies": few}}}})).await;
    world.apply_fixture().await;
    world.is_ready().await;
    let after = world.cloud.state().await["azure"]["vaults"][VAULT]["accessPolicies"].clone();
    let mut keys: Vec<&str> =
        after[1]["permissions"]["keys"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    keys.sort_unstable();
    let mut wanted: Vec<&str> =
        policies[1]["permissions"]["keys"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    wanted.push("sign");
    wanted.sort_unstable();
    assert_eq!(keys, wanted, "what was there stays, what was missing is there");
    assert_eq!(after[1]["permissions"]["secrets"], json!(["get"]));
    assert_eq!(after[0], policies[0], "others keep theirs");
}

#[tokio::test]
async fn a_given_tls_proxy_and_a_given_endpoint_need_no_connector_endpoint_of_ours() {
    let world = World::start("external").await;
    world.apply_fixture().await;
    let object = world.is_ready().await;
    let proxy = text(&object, "/status/tlsProxy").to_owned();
    world.change_connection(json!({"connectorEndpointRef": null, "tlsProxy": proxy})).await;
    world.hears(connection("ConnectorEndpointReady", "True/ExternallyManaged").ready("True/KeysCanFlow")).await;
    world.change_connection(json!({"privateEndpoint": null})).await;
    world.hears(connection("PrivateEndpointReady", "True/NotManaged").ready("True/KeysCanFlow")).await;
    assert_eq!(
        world.cloud.state().await["azure"]["privateEndpoints"].as_object().unwrap().len(),
        1,
        "it is left alone"
    );
}

/// The sample's connection, aimed at a UKO of the customer's own.
pub(crate) fn self_managed(world: &World, authentication: &Value) -> Value {
    let mut object = world.fixture.connection.clone();
    let spec = object["spec"].as_object_mut().unwrap();
    spec.remove("connectorEndpointRef");
    spec.insert("tlsProxy".to_owned(), json!("forwarder.example.com:9443"));
    spec["uko"] = json!({
        "server": {
            "url": at(&world.fixture.seed, "/ibm/uko/selfManaged/url"),
            "caBundle": {"secretRef": {"name": "uko-ca"}},
            "authentication": authentication,
        },
        "vault": {"name": "payments"},
    });
    object
}

pub(crate) async fn secret(world: &World, name: &str, data: Value) {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    world.apply_value(&secret).await.unwrap();
}

async fn ready_at_a_server_of_ones_own(name: &str, kind: &str, data: fn(&Value) -> Value) {
    let world = World::start(name).await;
    let own = at(&world.fixture.seed, "/ibm/uko/selfManaged").clone();
    secret(&world, "uko-ca", json!({"ca.crt": own["caPem"]})).await;
    secret(&world, "uko-login", data(&own)).await;
    let mut member = json!({"secretRef": {"name": "uko-login"}});
    if kind == "OidcPassword" {
        member["provider"] = own["oidc"]["provider"].clone();
        member["clientId"] = own["oidc"]["clientId"].clone();
    }
    let field = match kind {
        "MutualTLS" => "mutualTLS",
        "Passcode" => "passcode",
        _ => "oidcPassword",
    };
    let object = self_managed(&world, &json!({"type": kind, field: member}));
    world.apply_value(&object).await.unwrap();
    let object = world.connection_is_ready().await;
    assert_eq!(text(&object, "/status/uko/baseUrl").trim_end_matches('/'), text(&own, "/url"));
    let state = world.cloud.state().await;
    assert_eq!(state["ibm"]["uko"]["self-managed"]["keystores"].as_object().unwrap().len(), 1);
    let called = world.cloud.requests_after(0).await;
    assert!(
        !called.iter().any(|one| matches!(text(one, "/service"), "iam" | "broker" | "link")),
        "IBM Cloud has no part in it"
    );
    world.is_discreet().await;
}

#[tokio::test]
async fn a_server_of_ones_own_takes_an_oidc_password() {
    ready_at_a_server_of_ones_own("own-oidc", "OidcPassword", |own| {
        json!({"username": own["username"], "password": own["password"], "clientSecret": own["oidc"]["clientSecret"]})
    })
    .await;
}

#[tokio::test]
async fn a_server_of_ones_own_takes_a_passcode() {
    ready_at_a_server_of_ones_own("own-passcode", "Passcode", |own| {
        json!({"userId": own["userId"], "passcode": own["passcode"].as_str().map_or_else(|| own["passcode"]["passcode"].clone(), Into::into)})
    })
    .await;
}

#[tokio::test]
async fn a_server_of_ones_own_takes_a_client_certificate() {
    ready_at_a_server_of_ones_own(
        "own-mtls",
        "MutualTLS",
        |own| json!({"tls.crt": own["clientCertPem"], "tls.key": own["clientKeyPem"]}),
    )
    .await;
}

#[tokio::test]
async fn a_server_of_ones_own_with_a_strange_certificate_is_not_trusted_until_its_authority_is_named() {
    let world = World::start("own-ca").await;
    let own = at(&world.fixture.seed, "/ibm/uko/selfManaged").clone();
    secret(&world, "uko-ca", json!({"ca.crt": std::fs::read_to_string(world.cloud.ca()).unwrap()})).await;
    secret(
        &world,
        "uko-login",
        json!({"username": own["username"], "password": own["password"], "clientSecret": own["oidc"]["clientSecret"]}),
    )
    .await;
    let login = json!({"provider": own["oidc"]["provider"], "clientId": own["oidc"]["clientId"], "secretRef": {"name": "uko-login"}});
    let object = self_managed(&world, &json!({"type": "OidcPassword", "oidcPassword": login}));
    world.apply_value(&object).await.unwrap();
    let told = connection("CredentialsValid", "False/CertificateNotTrusted").reconciling();
    world.hears(told.says(&["The operator's identity at UKO"]).still(&["VaultReady"])).await;
    secret(&world, "uko-ca", json!({"ca.crt": own["caPem"]})).await;
    world.connection_is_ready().await;
    assert_eq!(world.list(ENDPOINT).await.len(), 0);
    assert_eq!(world.list(CONNECTION).await.len(), 1);
}
