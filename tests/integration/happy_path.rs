//! Two manifests become a working, tested connection by the operator's own calls, and then nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::harness::{
    World,
    story::{CONNECTION, ENDPOINT, NAME, condition, text},
};

#[tokio::test]
async fn both_samples_become_ready_and_stay_so_without_a_call_too_many() {
    let world = World::start("happy").await;
    world.apply_fixture().await;
    world.is_ready().await;
    statuses_say_everything(&world).await;
    each_thing_was_made_once(&world).await;
    changes_of_the_vault_came_one_after_another(&world).await;
    steady_looks_are_few_and_write_nothing(&world).await;
    a_full_look_on_request_changes_nothing(&world).await;
    world.is_discreet().await;
}

async fn statuses_say_everything(world: &World) {
    let seed = world.cloud.seed();
    let state = world.cloud.state().await;
    let endpoint = world.get(ENDPOINT, NAME).await.unwrap();
    for stage in ["CredentialsValid", "ConnectorAvailable", "EndpointProvisioned", "AccessControlApplied"] {
        assert_eq!(text(condition(&endpoint, stage).unwrap(), "/status"), "True", "{stage}");
    }
    let (id, made) = only(&state["ibm"]["endpoints"]);
    assert_eq!(text(&endpoint, "/status/endpointId"), id);
    let address = format!("{}:{}", text(made, "/clientHost"), made["clientPort"]);
    assert_eq!(text(&endpoint, "/status/address"), address);
    assert_eq!(endpoint["status"]["usedBy"], serde_json::json!([NAME]));
    assert_eq!(endpoint["status"]["connector"]["endpointsUsed"], 1);
    assert_eq!(endpoint["status"]["connector"]["endpointsLimit"], 25);
    assert!(text(made, "/createdBy").starts_with("uko-operator:"), "{made}");

    let connection = world.get(CONNECTION, NAME).await.unwrap();
    let status = &connection["status"];
    let azure = &status["azure"];
    assert_eq!(azure["vaultId"], seed["azure"]["vaults"]["premium"]["id"]);
    assert_eq!(azure["sku"], "premium");
    assert_eq!(azure["connectionState"], "Approved");
    assert_eq!(azure["publicNetworkAccess"], "Enabled");
    let (_, private_endpoint) = only(&state["azure"]["privateEndpoints"]);
    assert_eq!(azure["privateEndpointId"], private_endpoint["id"]);
    let (_, interface) = only(&state["azure"]["networkInterfaces"]);
    assert_eq!(azure["privateIPAddress"], interface["privateIpAddress"]);
    assert_eq!(status["tlsProxy"], address);
    let uko = &status["uko"];
    let (keystore_id, keystore) = only(&state["ibm"]["uko"][text(&seed, "/ibm/uko/instanceId")]["keystores"]);
    assert_eq!(uko["keystoreId"], keystore_id);
    assert_eq!(uko["vaultId"], seed["ibm"]["uko"]["vault"]["id"]);
    assert_eq!(text(uko, "/baseUrl").trim_end_matches('/'), text(&seed, "/ibm/uko/url"));
    assert_eq!(uko["health"], "ok");
    assert_eq!(uko["credentials"]["secretName"], "payments-sp");
    assert_eq!(text(keystore, "/connection/tlsProxy"), address);
    assert!(text(keystore, "/description").starts_with("Keys of the payments platform in Azure\nuko-operator:"));
    assert_eq!(status["connectionTest"]["result"], "Passed");
    let kek = &status["keyEncryptionKey"];
    assert_eq!((&kek["state"], &kek["keyType"], &kek["enabled"]), (&"Healthy".into(), &"RSA-HSM".into(), &true.into()));
    assert_eq!(kek["operations"], serde_json::json!(["import"]));
    assert_eq!(status.get("pendingCreate"), None);
    assert_eq!(status.get("plan").and_then(Value::as_array).map_or(0, Vec::len), 0);
}

async fn each_thing_was_made_once(world: &World) {
    let requests = world.cloud.requests_after(0).await;
    let made = |service: &str, what: &str| {
        let posts = requests.iter().filter(|one| {
            text(one, "/service") == service
                && text(one, "/method") == "POST"
                && text(one, "/url").ends_with(what)
                && one["status"].as_u64().is_some_and(|status| status < 300)
        });
        posts.count()
    };
    assert_eq!(made("uko", "/keystores"), 1);
    assert_eq!(made("link", "/endpoints"), 1);
    assert_eq!(made("uko", "/keystores?dry_run=true"), 1, "one connection test is enough");
}

/// Key Vault takes one change at a time; a second one meets `ConflictError`.
async fn changes_of_the_vault_came_one_after_another(world: &World) {
    let mut ended = 0.0;
    let mut seen = 0;
    let requests = world.cloud.requests_after(0).await;
    let mut changes: Vec<&Value> = requests
        .iter()
        .filter(|one| text(one, "/service") == "arm" && !matches!(text(one, "/method"), "GET" | "HEAD"))
        .collect();
    changes.sort_by(|a, b| a["t_start"].as_f64().unwrap().total_cmp(&b["t_start"].as_f64().unwrap()));
    for change in changes {
        let start = change["t_start"].as_f64().unwrap();
        assert!(start >= ended, "{} {} began before the last change ended", change["method"], change["url"]);
        assert!(change["status"].as_u64().unwrap() < 300, "{change}");
        ended = change["t_end"].as_f64().unwrap();
        seen += 1;
    }
    assert!(seen >= 2, "endpoint and zone group were made");
}

async fn steady_looks_are_few_and_write_nothing(world: &World) {
    world.passes(CONNECTION, 1).await;
    let versions = versions(world).await;
    let before = world.cloud.last_request().await;
    world.passes(CONNECTION, 3).await;
    let mut reads: BTreeMap<String, usize> = BTreeMap::new();
    for request in world.cloud.requests_after(before).await {
        assert_eq!(text(&request, "/method"), "GET", "{} {}", request["method"], request["url"]);
        if text(&request, "/service") != "link" {
            *reads.entry(text(&request, "/url").to_owned()).or_default() += 1;
        }
    }
    assert_eq!(reads.len(), 4, "vault, key, keystore and status: {reads:#?}");
    assert!(reads.values().all(|count| (2..=4).contains(count)), "once a pass: {reads:#?}");
    assert_eq!(self::versions(world).await, versions, "a status was written although nothing changed");
}

async fn a_full_look_on_request_changes_nothing(world: &World) {
    let before = world.cloud.last_request().await;
    let events = world.events().await;
    for kind in [ENDPOINT, CONNECTION] {
        world.annotate(kind, "reconcile-requested-at", "2027-01-01T00:00:00Z").await;
        world
            .eventually("the request is acknowledged", async || {
                let object = world.get(kind, NAME).await.unwrap();
                let handled = text(&object, "/status/lastHandledReconcileAt");
                if handled == "2027-01-01T00:00:00Z" { Ok(()) } else { Err(format!("`{handled}`")) }
            })
            .await;
    }
    world.is_ready().await;
    assert_eq!(world.cloud.writes_after(before).await, BTreeMap::new());
    let requests = world.cloud.requests_after(before).await;
    let reads: BTreeSet<&str> = requests
        .iter()
        .filter(|one| !matches!(text(one, "/service"), "link" | "containers"))
        .map(|one| text(one, "/url"))
        .collect();
    assert!(reads.len() > 4 && reads.len() <= 14, "{} reads: {reads:#?}", reads.len());
    let versions = versions(world).await;
    world.passes(CONNECTION, 2).await;
    assert_eq!(self::versions(world).await, versions);
    assert_eq!(world.events().await, events, "nothing happened, so nothing is announced");
}

async fn versions(world: &World) -> Vec<String> {
    let mut versions = Vec::new();
    for kind in [ENDPOINT, CONNECTION] {
        let object = world.get(kind, NAME).await.unwrap();
        versions.push(text(&object, "/metadata/resourceVersion").to_owned());
    }
    versions
}

/// The one member of a map.
fn only(map: &Value) -> (&str, &Value) {
    let members = map.as_object().unwrap();
    assert_eq!(members.len(), 1, "{map:#}");
    let (name, value) = members.iter().next().unwrap();
    (name, value)
}
