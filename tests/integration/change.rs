//! A changed spec reaches the outside with the smallest write, and what cannot be changed in place is said and left alone.

use serde_json::{Value, json};

use crate::harness::{
    World,
    story::{CONNECTION, ENDPOINT, NAME, connection, endpoint, text},
};

/// A write as `METHOD last-part-of-the-path`, with its body and whether it names a version.
struct Sent {
    what: String,
    body: Value,
    versioned: bool,
}

/// What was written after `seq`, in the order of the clouds' log.
async fn sent_after(world: &World, seq: u64) -> Vec<Sent> {
    let all = world.cloud.requests_after(seq).await;
    let writes = all.iter().filter(|one| {
        !matches!(text(one, "/method"), "GET" | "HEAD")
            && !matches!(text(one, "/service"), "entra" | "iam" | "containers")
            && !text(one, "/url").contains("dry_run=true")
    });
    writes
        .map(|one| {
            let path = text(one, "/url").split('?').next().unwrap().to_owned();
            let body = &one["request_body"];
            let body =
                body.as_str().map_or_else(|| body.clone(), |text| serde_json::from_str(text).unwrap_or(Value::Null));
            Sent {
                what: format!("{} {}", text(one, "/method"), path.rsplit('/').next().unwrap()),
                body,
                versioned: one["request_headers"].to_string().to_lowercase().contains("if-match"),
            }
        })
        .collect()
}

fn members(body: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// Changes a spec, waits until that very generation is Ready, and gives what was written for it.
async fn change(world: &World, kind: &str, spec: &Value) -> Vec<Sent> {
    let before = world.cloud.last_request().await;
    let object = world.merge(kind, NAME, &json!({ "spec": spec })).await;
    let generation = object["metadata"]["generation"].clone();
    world
        .eventually("the new generation is Ready", async || {
            let object = world.get(kind, NAME).await.unwrap();
            let seen = object["status"]["observedGeneration"] == generation && object["status"].get("drift").is_none();
            if seen { Ok(()) } else { Err(object["status"].to_string()) }
        })
        .await;
    world.is_ready().await;
    sent_after(world, before).await
}

#[tokio::test]
async fn a_connector_endpoint_is_changed_by_one_patch_that_says_only_what_differs() {
    let mut world = World::start("change-endpoint").await;
    world.fixture.endpoint["spec"]["displayName"] = json!("payments-kv");
    world.apply_fixture().await;
    world.is_ready().await;
    for (spec, member, value) in [
        (json!({"inactivityTimeoutSeconds": 90}), "timeout", json!(90)),
        (json!({"displayName": "payments-kv-2"}), "display_name", json!("payments-kv-2")),
    ] {
        let sent = change(&world, ENDPOINT, &spec).await;
        let [patch] = sent.as_slice() else { panic!("{:?}", sent.iter().map(|one| &one.what).collect::<Vec<_>>()) };
        assert!(patch.what.starts_with("PATCH "), "{}", patch.what);
        let mut wanted = vec![member, "server_protocol"];
        wanted.sort_unstable();
        assert_eq!(members(&patch.body), wanted, "server_protocol with every PATCH, and nothing that stays");
        assert_eq!(patch.body[member], value);
    }
    let before = world.cloud.last_request().await;
    world.merge(ENDPOINT, NAME, &json!({"spec": {"enabled": false}})).await;
    world.hears(connection("ConnectorEndpointReady", "False/ConnectorEndpointDisabled")).await;
    let sent = sent_after(&world, before).await;
    assert_eq!(sent.len(), 1, "the switch, and nothing at UKO");
    let sent = change(&world, ENDPOINT, &json!({"enabled": true})).await;
    assert_eq!((sent.len(), members(&sent[0].body)), (1, vec!["enabled", "server_protocol"]));
    let sent = change(&world, ENDPOINT, &json!({"allowedSources": ["10.0.0.0/8"]})).await;
    assert!(sent.iter().all(|one| one.what.ends_with("/sources") || one.what.contains("sources")), "the rule alone");
}

#[tokio::test]
async fn a_keystore_is_changed_by_a_patch_a_kind_of_field_each_with_its_version() {
    let world = World::start("change-keystore").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let sent = change(&world, CONNECTION, &json!({"keystore": {"description": "Keys of the bank"}})).await;
    assert_eq!((sent.len(), members(&sent[0].body), sent[0].versioned), (1, vec!["description"], true));

    // Another way to the same Key Vault, and another name, at once.
    let mut second = world.fixture.endpoint.clone();
    second["metadata"]["name"] = json!("second");
    world.apply_value(&second).await.unwrap();
    world.hears(endpoint("Ready", "True/EndpointReady").of("second")).await;
    let spec = json!({"connectorEndpointRef": {"name": "second"}, "keystore": {"name": "payments-2"}});
    let sent = change(&world, CONNECTION, &spec).await;
    let mut bodies: Vec<_> = sent.iter().map(|one| (members(&one.body), one.versioned)).collect();
    bodies.sort();
    assert_eq!(bodies, [(vec!["name"], true), (vec!["tls_proxy"], true)], "never both in one call");
    let object = world.is_ready().await;
    let address = world.get(ENDPOINT, "second").await.unwrap()["status"]["address"].clone();
    assert_eq!(object["status"]["tlsProxy"], address);
}

#[tokio::test]
async fn a_public_keystore_is_led_through_the_proxy_that_its_spec_names_later() {
    let mut world = World::start("change-to-private").await;
    world.fixture.connection["spec"].as_object_mut().unwrap().remove("connectorEndpointRef").unwrap();
    world.apply_fixture().await;
    world.is_ready().await;
    let sent = change(&world, CONNECTION, &json!({"connectorEndpointRef": {"name": NAME}})).await;
    let [patch] = sent.as_slice() else { panic!("{:?}", sent.iter().map(|one| &one.what).collect::<Vec<_>>()) };
    assert_eq!((members(&patch.body), patch.versioned), (vec!["tls_proxy"], true));
    let address = world.get(ENDPOINT, NAME).await.unwrap()["status"]["address"].clone();
    assert_eq!(patch.body["tls_proxy"], address);
}

#[tokio::test]
async fn a_refused_tls_proxy_needs_a_reconnect_that_the_operator_never_makes() {
    let world = World::start("reconnect").await;
    world.apply_fixture().await;
    world.is_ready().await;
    world.cloud.patch(&json!({"ibm": {"switches": {"tlsProxyMutable": false}}})).await;
    let before = world.cloud.last_request().await;
    world.change_connection(json!({"connectorEndpointRef": null, "tlsProxy": "forwarder.example.com:443"})).await;
    let told = connection("KeystoreConnected", "False/ReconnectNeeded").says(&["disconnect and reconnect", "by hand"]);
    world.hears(told).await;
    let sent = sent_after(&world, before).await;
    assert!(sent.iter().all(|one| one.what.starts_with("PATCH ")), "it is asked, and never removed or made anew");
}

#[tokio::test]
async fn tags_and_dns_zone_group_follow_the_spec_and_others_keep_theirs() {
    let mut world = World::start("change-network").await;
    world.fixture.connection["spec"]["privateEndpoint"]["tags"] = json!({"team": "payments", "stage": "prod"});
    world.apply_fixture().await;
    world.is_ready().await;
    let state = world.cloud.state().await;
    let (id, made) = state["azure"]["privateEndpoints"].as_object().unwrap().iter().next().unwrap();
    world.cloud.patch(&json!({"azure": {"privateEndpoints": {id: {"tags": {"cost-centre": "7"}}}}})).await;
    let tags = async || world.cloud.state().await["azure"]["privateEndpoints"][id]["tags"].clone();
    for (spec, team, stage) in [
        (json!({"team": "treasury", "stage": null}), json!("treasury"), Value::Null),
        (json!({"team": null}), Value::Null, Value::Null),
    ] {
        let sent = change(&world, CONNECTION, &json!({"privateEndpoint": {"tags": spec}})).await;
        assert_eq!(sent.iter().map(|one| one.what.as_str()).collect::<Vec<_>>(), ["PUT payments-kv-pe"]);
        let tags = tags().await;
        assert_eq!((&tags["team"], &tags["stage"], &tags["cost-centre"]), (&team, &stage, &json!("7")));
    }

    // Our zone group was led to another zone: it is replaced, and the endpoint stays as it is.
    let zone = text(made, "/zoneGroups/uko-operator/zones/vault").to_owned();
    assert!(zone.ends_with("privatelink.vaultcore.azure.net"), "{made:#}");
    let elsewhere = format!("{zone}.example");
    let group = json!({"zoneGroups": {"uko-operator": {"zones": {"vault": elsewhere}}}});
    world.cloud.patch(&json!({"azure": {"privateEndpoints": {id: group}}})).await;
    let before = world.cloud.last_request().await;
    world.looks_again(CONNECTION).await;
    world
        .eventually("the group is for the spec's zone", async || {
            let state = world.cloud.state().await;
            let now = text(&state["azure"]["privateEndpoints"][id], "/zoneGroups/uko-operator/zones/vault").to_owned();
            if now == zone { Ok(()) } else { Err(now) }
        })
        .await;
    world.is_ready().await;
    let sent = sent_after(&world, before).await;
    let sent: Vec<_> = sent.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(sent, ["DELETE uko-operator", "PUT uko-operator"]);
}

#[tokio::test]
async fn an_endpoint_that_the_spec_names_no_more_stays_outside_with_an_event() {
    let world = World::start("change-leave").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let sent = change(&world, CONNECTION, &json!({"privateEndpoint": null})).await;
    assert!(sent.is_empty());
    let state = world.cloud.state().await;
    assert_eq!(state["azure"]["privateEndpoints"].as_object().unwrap().len(), 1);
    world
        .eventually("the event says that it stays", async || {
            let events = world.events().await;
            let said = events.iter().any(|one| one.contains("NotManaged") && one.contains("stays in Azure as it is"));
            if said { Ok(()) } else { Err(events.join("\n")) }
        })
        .await;
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "a person annotates with the time of now")]
async fn what_azure_cannot_change_in_place_is_said_and_replaced_only_when_a_person_asks() {
    let world = World::start("change-never").await;
    world.apply_fixture().await;
    world.is_ready().await;
    // The API server refuses the change while the endpoint is in the spec; taken out and put in again, it is one.
    let mut endpoint = world.fixture.connection["spec"]["privateEndpoint"].clone();
    world.change_connection(json!({"privateEndpoint": null})).await;
    world.hears(connection("PrivateEndpointReady", "True/NotManaged").ready("True/KeysCanFlow")).await;
    endpoint["approval"] = json!("Manual");
    let before = world.cloud.last_request().await;
    world.change_connection(json!({"privateEndpoint": endpoint})).await;
    let told = connection("PrivateEndpointReady", "False/PrivateEndpointImmutable");
    let object = world.hears(told.says(&["spec.privateEndpoint.approval", "cannot change in place"])).await;
    assert!(text(&object, "/status/plan/0/detail").contains("spec.privateEndpoint.approval"), "{}", object["status"]);
    assert_eq!(object["status"]["drift"][0]["field"], "spec.privateEndpoint.approval");
    assert!(sent_after(&world, before).await.is_empty());

    world.annotate(CONNECTION, "recreate-requested-at", &k8s_openapi::jiff::Timestamp::now().to_string()).await;
    world.hears(connection("PrivateEndpointReady", "False/AwaitingApproval")).await;
    let sent = sent_after(&world, before).await;
    let sent: Vec<_> = sent.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(sent, ["DELETE payments-kv-pe", "PUT payments-kv-pe"]);
}
