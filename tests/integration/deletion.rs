//! `deletionPolicy: Delete`: what was made goes, in an order that strands no key and exposes nobody.

use serde_json::{Value, json};

use crate::harness::{
    World,
    fixture::{add, at, sample},
    story::{CONNECTION, ENDPOINT, KEK, NAME, Told, VAULT, condition, connection, endpoint, text},
};

/// A world whose two objects say Delete, both Ready.
pub(crate) async fn ready_to_go(name: &str) -> World {
    let mut world = World::start(name).await;
    says_delete(&mut world);
    world.apply_fixture().await;
    world.is_ready().await;
    world
}

/// The fixture with what the sample adds.
fn says_delete(world: &mut World) {
    let sample = sample("delete-with-the-object.yaml");
    for (object, from) in [&mut world.fixture.endpoint, &mut world.fixture.connection].into_iter().zip(&sample) {
        assert_eq!(object["kind"], from["kind"]);
        add(object, "/spec", "deletionPolicy", at(from, "/spec/deletionPolicy").clone());
    }
    add(&mut world.fixture.endpoint, "/spec", "allowedSources", json!(["10.0.0.0/8"]));
}

/// What a blocked deletion says, beside Ready.
pub(crate) fn blocked(told: fn(&'static str, &'static str) -> Told, want: &'static str, ready: &'static str) -> Told {
    told("DeletionBlocked", want).ready(ready)
}

pub(crate) async fn is_gone(world: &World, kind: &str, name: &str) {
    world
        .eventually(&format!("{kind} {name} is gone"), async || match world.get(kind, name).await {
            None => Ok(()),
            Some(object) => Err(format!("{:#}", object["status"]["conditions"])),
        })
        .await;
}

fn finalizers(object: &Value) -> Vec<&str> {
    let all = object.pointer("/metadata/finalizers").and_then(Value::as_array);
    all.into_iter().flatten().filter_map(Value::as_str).collect()
}

pub(crate) fn instance(world: &World) -> String {
    at(&world.fixture.seed, "/ibm/uko/instanceId").as_str().unwrap().to_owned()
}

pub(crate) async fn members(world: &World, pointer: &str) -> Vec<String> {
    let state = world.cloud.state().await;
    let map = state.pointer(pointer).and_then(Value::as_object);
    map.into_iter().flat_map(|members| members.keys().cloned()).collect()
}

pub(crate) async fn keystores(world: &World) -> Vec<String> {
    members(world, &format!("/ibm/uko/{}/keystores", instance(world))).await
}

/// When the only request of a kind that succeeded was sent.
async fn sent_at(world: &World, service: &str, method: &str, path: &str) -> f64 {
    let all = world.cloud.requests_after(0).await;
    let hits: Vec<&Value> = all
        .iter()
        .filter(|one| {
            text(one, "/service") == service
                && text(one, "/method") == method
                && text(one, "/url").contains(path)
                && one["status"].as_u64().is_some_and(|status| status < 300)
        })
        .collect();
    assert_eq!(hits.len(), 1, "{service} {method} {path}");
    hits[0]["t_start"].as_f64().unwrap()
}

#[tokio::test]
async fn everything_that_is_ours_goes_in_an_order_that_strands_no_key_and_exposes_nobody() {
    let world = ready_to_go("delete").await;
    for kind in [CONNECTION, ENDPOINT] {
        assert_eq!(finalizers(&world.get(kind, NAME).await.unwrap()), ["uko-operator.io/finalizer"], "{kind}");
    }
    let keystore = keystores(&world).await.remove(0);
    let object = world.get(ENDPOINT, NAME).await.unwrap();
    assert_eq!(object["metadata"]["annotations"]["uko-operator.io/used-by-keystore"], keystore);

    // The endpoint waits for who goes through it.
    world.delete(ENDPOINT, NAME).await;
    let told = blocked(endpoint, "True/ConnectorEndpointInUse", "False/ConnectorEndpointInUse");
    world.hears(told.at_rest().says(&["AzureKeystoreConnection payments", "uko-operator.io/abandon"])).await;

    // The connection waits for its keys.
    let key = json!({"vault": at(&world.fixture.seed, "/ibm/uko/vault/id"), "label": "card-master-key", "state": "active",
        "algorithm": "rsa", "size": 2048, "keystores": [keystore]});
    let keys = |key: &Value| json!({"ibm": {"uko": {instance(&world): {"managedKeys": {"a": key}}}}});
    world.cloud.patch(&keys(&key)).await;
    let before = world.cloud.last_request().await;
    world.delete(CONNECTION, NAME).await;
    let told = blocked(connection, "True/KeystoreInUse", "False/KeystoreInUse").at_rest();
    let object = world.hears(told.says(&["card-master-key", "destroy them", "uko-operator.io/abandon"])).await;
    assert_eq!(object["status"]["plan"][0]["action"], "Delete");
    assert_eq!(text(condition(&object, "KeystoreConnected").unwrap(), "/status"), "Unknown");
    world.passes(CONNECTION, 2).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into(), "nothing goes before the keystore");

    // Destroyed keys hold nothing.
    world.cloud.patch(&keys(&json!({"state": "destroyed"}))).await;
    is_gone(&world, CONNECTION, NAME).await;
    is_gone(&world, ENDPOINT, NAME).await;
    assert_eq!(keystores(&world).await, Vec::<String>::new());
    for place in ["/azure/privateEndpoints", "/azure/networkInterfaces", "/ibm/endpoints", "/ibm/sources"] {
        assert_eq!(members(&world, place).await, Vec::<String>::new(), "{place}");
    }
    nothing_else_went(&world).await;
    let disconnected = sent_at(&world, "uko", "DELETE", "/keystores/").await;
    assert!(disconnected < sent_at(&world, "arm", "DELETE", "/privateDnsZoneGroups/").await);
    assert!(disconnected < sent_at(&world, "arm", "DELETE", "/privateEndpoints/payments-kv-pe?").await);
    assert!(disconnected < sent_at(&world, "link", "DELETE", "/endpoints/").await);
    assert!(
        sent_at(&world, "link", "DELETE", "/endpoints/").await < sent_at(&world, "link", "DELETE", "/sources/").await
    );
    world.is_discreet().await;
    let events = world.events().await.join("\n");
    for what in [
        "keystore payments-azure",
        "DNS zone group uko-operator",
        "private endpoint payments-kv-pe",
        "connector endpoint",
        "access rule",
    ] {
        assert!(events.contains("Normal Deleted") && events.contains(what), "{what} in\n{events}");
    }
}

/// The Key Vault, its key and UKO's vault are nobody's to delete, and the public address stays as it was.
async fn nothing_else_went(world: &World) {
    let state = world.cloud.state().await;
    let vault = &state["azure"]["vaults"][VAULT];
    assert!(
        vault["keys"][KEK].is_object() && vault["keys"][KEK].get("deleted").is_none_or(Value::is_null),
        "{vault:#}"
    );
    assert_eq!(vault["connections"], json!({}));
    let id = at(&world.fixture.seed, "/ibm/uko/vault/id").as_str().unwrap();
    assert!(state["ibm"]["uko"][instance(world)]["vaults"][id].is_object());
    let requests = world.cloud.requests_after(0).await;
    let patched = requests.iter().filter(|one| text(one, "/service") == "arm" && text(one, "/method") == "PATCH");
    assert_eq!(patched.count(), 0, "public access was touched");
    let zones = state["azure"]["privateDnsZones"].as_object().unwrap();
    let records = |zone: &Value| zone["aRecords"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(zones.values().map(records).sum::<usize>(), 0, "the A record stays behind");
}

#[tokio::test]
async fn an_endpoint_waits_for_a_keystore_that_was_retained() {
    let world = ready_to_go("retained").await;
    let keystore = keystores(&world).await.remove(0);
    world.change_connection(json!({"deletionPolicy": "Retain"})).await;
    world.delete(CONNECTION, NAME).await;
    is_gone(&world, CONNECTION, NAME).await;
    world.delete(ENDPOINT, NAME).await;
    let told = blocked(endpoint, "True/ConnectorEndpointInUse", "False/ConnectorEndpointInUse");
    world.hears(told.says(&[&keystore, "used-by-keystore"])).await;
    assert_eq!(keystores(&world).await, [keystore]);
    let none = json!({"metadata": {"annotations": {"uko-operator.io/used-by-keystore": null}}});
    world.merge(ENDPOINT, NAME, &none).await;
    is_gone(&world, ENDPOINT, NAME).await;
    assert_eq!(members(&world, "/ibm/endpoints").await, Vec::<String>::new());
}

#[tokio::test]
async fn only_an_object_that_says_delete_and_may_act_is_held() {
    let world = ready_to_go("held").await;
    let foreign = json!({"metadata": {"finalizers": ["example.com/theirs", "uko-operator.io/finalizer"]}});
    world.merge(CONNECTION, NAME, &foreign).await;
    let holds = async |change: Value, wanted: &[&str]| {
        world.change_connection(change.clone()).await;
        world
            .eventually(&format!("finalizers after {change}"), async || {
                let object = world.get(CONNECTION, NAME).await.unwrap();
                let now = finalizers(&object);
                if now == wanted { Ok(()) } else { Err(format!("{now:?}")) }
            })
            .await;
    };
    let (theirs, both) = (["example.com/theirs"], ["example.com/theirs", "uko-operator.io/finalizer"]);
    for (change, back) in [
        (json!({"deletionPolicy": "Retain"}), json!({"deletionPolicy": "Delete"})),
        (json!({"mode": "Plan"}), json!({"mode": "Manage"})),
        (json!({"suspend": true}), json!({"suspend": false})),
    ] {
        holds(change, &theirs).await;
        holds(back, &both).await;
    }
    world.is_ready().await;
    let before = world.cloud.last_request().await;
    holds(json!({"suspend": true}), &theirs).await;
    world.merge(CONNECTION, NAME, &json!({"metadata": {"finalizers": null}})).await;
    world.delete(CONNECTION, NAME).await;
    is_gone(&world, CONNECTION, NAME).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into(), "suspend at deletion time leaves everything");
    assert_eq!(keystores(&world).await.len(), 1);
}

#[tokio::test]
async fn without_its_secret_delete_waits_until_a_person_lets_it_go_and_retain_does_not() {
    let world = ready_to_go("no-secret").await;
    world.delete("Secret", "ibm-cloud").await;
    let before = world.cloud.last_request().await;
    world.delete(CONNECTION, NAME).await;
    let told = blocked(connection, "True/SecretNotFound", "False/SecretNotFound").stalled();
    world.hears(told.says(&["ibm-cloud", "uko-operator.io/abandon"])).await;
    world.delete(ENDPOINT, NAME).await;
    world.hears(blocked(endpoint, "True/ConnectorEndpointInUse", "False/ConnectorEndpointInUse")).await;

    world.annotate(CONNECTION, "abandon", "true").await;
    is_gone(&world, CONNECTION, NAME).await;
    world.merge(ENDPOINT, NAME, &json!({"spec": {"deletionPolicy": "Retain"}})).await;
    is_gone(&world, ENDPOINT, NAME).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into(), "everything is left");
    let keystore = keystores(&world).await.remove(0);
    world
        .eventually("the event names what stays", async || {
            let events = world.events().await.join("\n");
            let told = events.lines().any(|line| {
                line.starts_with("Warning Abandoned") && line.contains(&keystore) && line.contains("payments-kv-pe")
            });
            if told { Ok(()) } else { Err(events) }
        })
        .await;
}

#[tokio::test]
async fn what_bears_anothers_mark_stays_and_what_is_gone_already_is_no_obstacle() {
    let world = ready_to_go("foreign").await;
    let (link, private) =
        (members(&world, "/ibm/endpoints").await.remove(0), members(&world, "/azure/privateEndpoints").await.remove(0));
    let keystore = keystores(&world).await.remove(0);
    let other = format!("uko-operator:{} other/thing", "x".repeat(26));
    // Another took endpoint and private endpoint over; a person removed the keystore in UKO.
    world.operator.as_ref().unwrap().freeze();
    world
        .cloud
        .patch(&json!({
            "ibm": {"endpoints": {&link: {"createdBy": other}}, "uko": {instance(&world): {"keystores": {&keystore: null}}}},
            "azure": {"privateEndpoints": {&private: {"tags": {"uko-operator-owner": "x".repeat(26), "uko-operator-object": "other/thing"}}}},
        }))
        .await;
    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
    }
    let before = world.cloud.last_request().await;
    world.operator.as_ref().unwrap().thaw();
    is_gone(&world, CONNECTION, NAME).await;
    is_gone(&world, ENDPOINT, NAME).await;
    assert_eq!(members(&world, "/ibm/endpoints").await, [link]);
    assert_eq!(members(&world, "/azure/privateEndpoints").await, [private]);
    assert_eq!(members(&world, "/ibm/sources").await.len(), 1, "the other's endpoint would stand open without it");
    assert_eq!(world.cloud.writes_after(before).await, [].into());
    let events = world.events().await;
    for what in ["private endpoint payments-kv-pe is not ours", "connector endpoint", "access rule"] {
        assert!(
            events.iter().any(|line| line.starts_with("Warning LeftBehind") && line.contains(what)),
            "{what}: {events:#?}"
        );
    }
}

/// The list does not tell the Key Vault, and nothing else leads to the other's keystore.
#[tokio::test]
async fn the_path_stays_for_anothers_keystore_of_the_same_key_vault() {
    let world = ready_to_go("sparse-path").await;
    let keystore = keystores(&world).await.remove(0);
    let private = members(&world, "/azure/privateEndpoints").await;
    world.operator.as_ref().unwrap().freeze();
    let mut theirs = world.cloud.state().await["ibm"]["uko"][instance(&world)]["keystores"][&keystore].clone();
    theirs["name"] = json!("theirs");
    theirs["description"] = json!(format!("uko-operator:{} other/thing", "x".repeat(26)));
    let id = "5b0e7c1a-0000-4000-8000-0000000000aa";
    let uko = json!({instance(&world): {"keystores": {&keystore: null, id: theirs}}});
    world.cloud.patch(&json!({"ibm": {"switches": {"sparseLists": true}, "uko": uko}})).await;
    world.delete(CONNECTION, NAME).await;
    let before = world.cloud.last_request().await;
    world.operator.as_ref().unwrap().thaw();
    is_gone(&world, CONNECTION, NAME).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into());
    assert_eq!(
        (keystores(&world).await, members(&world, "/azure/privateEndpoints").await),
        (vec![id.to_owned()], private)
    );
}

/// Nothing in status tells of the request: the deletion came between it and the status that would have said so.
#[tokio::test]
async fn a_private_endpoint_that_azure_makes_after_its_object_was_deleted_goes_as_well() {
    let mut world = World::start_with("late-endpoint", |options| {
        options.flag("request-timeout", "4s").flag("connect-timeout", "2s").flag("lost-create-timeout", "30s")
    })
    .await;
    says_delete(&mut world);
    let late = json!({"service": "arm", "method": "PUT", "path": "privateEndpoints/payments-kv-pe\\?", "commit_after_ms": 12_000, "hold": true});
    world.cloud.fault(&late).await;
    world.apply_fixture().await;
    let of_endpoint = async |method: &str| {
        let sent = world.cloud.requests_after(0).await;
        sent.iter()
            .any(|one| one["method"] == method && text(one, "/url").contains("/privateEndpoints/payments-kv-pe?"))
    };
    world
        .eventually("the private endpoint is asked for", async || {
            if of_endpoint("PUT").await { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
    world.delete(CONNECTION, NAME).await;
    is_gone(&world, CONNECTION, NAME).await;
    assert!(of_endpoint("DELETE").await, "it was not waited for");
    assert_eq!(members(&world, "/azure/privateEndpoints").await, Vec::<String>::new());
}

#[tokio::test]
async fn an_operator_that_dies_in_the_middle_has_a_successor_that_goes_on() {
    let mut world = ready_to_go("successor").await;
    // Carried out, and the answer is lost with the process.
    world.cloud.fault(&json!({"service": "uko", "method": "DELETE", "drop": "after"})).await;
    world.cloud.fault(&json!({"service": "arm", "method": "DELETE", "path": "privateEndpoints/payments-kv-pe\\?", "latency_ms": 60_000})).await;
    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
    }
    world
        .eventually("the keystore is gone", async || {
            let left = keystores(&world).await;
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        })
        .await;
    world.operator.as_mut().unwrap().kill();
    world.cloud.no_faults().await;
    let quick = world
        .options()
        .flag("lease-duration", "10s")
        .flag("lease-renew-deadline", "8s")
        .flag("lease-retry-period", "1s");
    world.operator = Some(crate::harness::Operator::start(world.cluster, &world.cloud, &quick));
    is_gone(&world, CONNECTION, NAME).await;
    is_gone(&world, ENDPOINT, NAME).await;
    for place in ["/azure/privateEndpoints", "/ibm/endpoints", "/ibm/sources"] {
        assert_eq!(members(&world, place).await, Vec::<String>::new(), "{place}");
    }
}

#[tokio::test]
async fn a_keystore_whose_vault_is_hidden_is_not_taken_for_gone() {
    let world = ready_to_go("hidden").await;
    let vault = at(&world.fixture.seed, "/ibm/uko/vault/id").as_str().unwrap().to_owned();
    let vaults = |value: &Value| json!({"ibm": {"uko": {instance(&world): {"vaults": {vault.clone(): value}}}}});
    let shown = world.cloud.state().await["ibm"]["uko"][instance(&world)]["vaults"][&vault].clone();
    world.cloud.patch(&vaults(&Value::Null)).await;
    let before = world.cloud.last_request().await;
    world.delete(CONNECTION, NAME).await;
    let told = blocked(connection, "True/UkoVaultNotFound", "False/UkoVaultNotFound");
    world.hears(told.says(&["nobody can tell", "uko-operator.io/abandon"])).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(world.cloud.writes_after(before).await, [].into(), "the path of a keystore that may be there stays");
    world.cloud.patch(&vaults(&shown)).await;
    world.annotate(CONNECTION, "reconcile-requested-at", "now").await;
    is_gone(&world, CONNECTION, NAME).await;
    assert_eq!(keystores(&world).await.len(), 0);
}

#[tokio::test]
async fn what_the_policy_file_no_longer_allows_is_not_touched() {
    let world = ready_to_go("policy").await;
    let operator = world.operator.as_ref().unwrap();
    operator.set_policy(&json!({"rules": []}));
    world.hears(connection("CredentialsValid", "False/TargetNotAllowed")).await;
    let before = world.cloud.last_request().await;
    world.delete(CONNECTION, NAME).await;
    let told = blocked(connection, "True/TargetNotAllowed", "False/TargetNotAllowed").stalled();
    world.hears(told.says(&["uko-operator.io/abandon"])).await;
    let called = world.cloud.requests_after(before).await;
    let called: Vec<&str> =
        called.iter().filter(|one| text(one, "/service") != "link").map(|one| text(one, "/url")).collect();
    assert!(!called.iter().any(|url| url.contains("hs-crypto") || url.contains("management.azure")), "{called:?}");
    operator.set_policy(&world.fixture.policy(&world.namespace));
    is_gone(&world, CONNECTION, NAME).await;
    assert_eq!(keystores(&world).await.len(), 0);
}

#[tokio::test]
async fn a_namespace_with_objects_that_say_retain_goes_away_by_itself() {
    let world = World::start("namespace").await;
    world.apply_fixture().await;
    world.is_ready().await;
    world.delete_namespace().await;
    world
        .eventually("the namespace is gone", async || match world.namespace_phase().await {
            None => Ok(()),
            Some(phase) => Err(phase),
        })
        .await;
    assert_eq!(keystores(&world).await.len(), 1);
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_held_only_while_it_says_delete() {
    let world = ready_to_go("unreadable").await;
    // A word of a later version.
    let place = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/driftPolicy/enum/-";
    let patch = json!([{"op": "add", "path": place, "value": "Negotiate"}]).to_string();
    for crd in ["connectorendpoints", "azurekeystoreconnections"] {
        let crd = format!("{crd}.uko-operator.io");
        let patched = world.cluster.kubectl(&["patch", "crd", &crd, "--type=json", "-p", &patch]).output().unwrap();
        assert!(patched.status.success(), "{}", String::from_utf8_lossy(&patched.stderr));
    }
    world
        .eventually("the word is known", async || {
            world.try_merge(CONNECTION, NAME, &json!({"spec": {"driftPolicy": "Negotiate"}})).await
        })
        .await;
    let before = world.cloud.last_request().await;
    world.delete(CONNECTION, NAME).await;
    world
        .eventually("the status says that it cannot be read", async || {
            let object = world.get(CONNECTION, NAME).await.unwrap();
            let told = condition(&object, "DeletionBlocked").cloned().unwrap_or_default();
            let fits = text(&told, "/reason") == "ObjectUnreadable" && text(&told, "/message").contains("abandon");
            if fits { Ok(()) } else { Err(told.to_string()) }
        })
        .await;
    world.merge(CONNECTION, NAME, &json!({"spec": {"deletionPolicy": "Retain"}})).await;
    is_gone(&world, CONNECTION, NAME).await;
    assert!(!world.cloud.writes_after(before).await.keys().any(|write| write.contains("DELETE")));
    assert_eq!(keystores(&world).await.len(), 1);
}
