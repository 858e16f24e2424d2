//! The chain, as UKO judges it: dry runs, `/status`, the key-encryption key.

use serde_json::{Value, json};

use super::{Bench, blamed};

/// A bench whose whole private chain holds, the proxy's address and the endpoint's id.
fn whole() -> (Bench, String, String) {
    let mut bench = Bench::new();
    bench.private_path();
    let (id, address) = bench.link_endpoint();
    (bench, address, id)
}

fn tested(bench: &mut Bench, body: &Value) -> (u16, String) {
    let answer = bench.post(&bench.uko("/keystores?dry_run=true"), body);
    (answer.status, blamed(&answer))
}

#[test]
fn a_whole_chain_passes_and_stores_nothing() {
    let (mut bench, address, _) = whole();
    let body = bench.keystore("one", Some(&address));
    assert_eq!(tested(&mut bench, &body), (201, String::new()));
    assert_eq!(bench.get(&bench.uko("/keystores")).value()["total_count"], json!(0));
    assert!(!bench.has_kek());
}

#[test]
fn each_wrong_property_is_named() {
    let (mut bench, address, _) = whole();
    let good = bench.keystore("one", Some(&address));
    let elsewhere = bench.said("/azureChina/tenantId");
    let other_client = bench.said("/azure/operator/clientId");
    for (member, value, named) in [
        ("azure_tenant", json!("00000000-0000-0000-0000-000000000000"), "azure_tenant"),
        ("azure_tenant", json!(elsewhere), "azure_environment"),
        ("azure_environment", json!("azure_china"), "azure_environment"),
        (
            "azure_service_principal_client_id",
            json!("00000000-0000-0000-0000-000000000000"),
            "azure_service_principal_client_id",
        ),
        ("azure_service_principal_client_id", json!(other_client), "azure_service_principal_password"),
        ("azure_service_principal_password", json!("wrong"), "azure_service_principal_password"),
        ("azure_subscription_id", json!("00000000-0000-0000-0000-000000000000"), "azure_subscription_id"),
        ("azure_service_name", json!("no-such-vault"), "azure_service_name"),
        ("azure_resource_group", json!("rg-network"), "azure_resource_group"),
        ("azure_variant", json!("standard"), "azure_variant"),
        ("tls_proxy", json!("c-01.private.eu-de.link.satellite.cloud.ibm.com:1"), "tls_proxy"),
        ("tls_proxy", json!(format!("https://{address}")), "tls_proxy"),
        ("tls_proxy", json!(""), "tls_proxy"),
    ] {
        let mut body = good.clone();
        body[member] = value;
        assert_eq!(tested(&mut bench, &body), (400, named.to_owned()), "{member}");
    }
}

#[test]
fn each_broken_link_of_the_path_is_noticed() {
    let (bench, address, id) = whole();
    let connector = bench.said("/ibm/connector/id");
    let zone = bench.said("/azure/privateDnsZoneId").to_lowercase();
    let vault = |patch: Value| json!({"azure": {"vaults": {"payments-kv": patch}}});
    let endpoint = |patch: Value| json!({"ibm": {"endpoints": {&id: patch}}});
    let source = |addresses: Value| {
        json!({"ibm": {
            "sources": {"s": {"parent": connector, "addresses": addresses}},
            "endpoints": {&id: {"sources": {"s": {"enabled": true}}}},
        }})
    };
    for (what, patch, whole) in [
        ("nothing", json!({}), true),
        ("disabled", endpoint(json!({"enabled": false})), false),
        ("other port", endpoint(json!({"serverPort": 8443})), false),
        ("TLS in the tunnel", endpoint(json!({"serverProtocol": "tls"})), false),
        (
            "other destination",
            endpoint(json!({"serverHost": "payments-std-kv.privatelink.vaultcore.azure.net"})),
            false,
        ),
        ("public name", endpoint(json!({"serverHost": "payments-kv.vault.azure.net"})), false),
        ("the NIC's address", endpoint(json!({"serverHost": "10.0.0.4"})), true),
        ("no agent", json!({"ibm": {"connectors": {&connector: {"tunnels": 0}}}}), false),
        ("rejected", vault(json!({"connections": {"pe": {"status": "Rejected"}}})), false),
        ("no record", json!({"azure": {"privateDnsZones": {&zone: {"aRecords": null}}}}), false),
        ("source elsewhere", source(json!(["172.16.0.0/12"])), false),
        ("source that holds UKO", source(json!(["10.208.0.0/16"])), true),
    ] {
        let mut bench = Bench { world: bench.world.clone(), seed: bench.seed.clone() };
        bench.patch(&patch);
        let body = bench.keystore("one", Some(&address));
        let wanted = if whole { (201, String::new()) } else { (400, "tls_proxy".to_owned()) };
        assert_eq!(tested(&mut bench, &body), wanted, "{what}");
        let answer = bench.post(&bench.uko("/keystores"), &body);
        let url = bench.uko(&format!("/keystores/{}/status", answer.value()["id"].as_str().unwrap()));
        let health = if whole { "ok" } else { "not_responding" };
        assert_eq!(bench.get(&url).value()["health_status"], json!(health), "{what}");
        assert_eq!(bench.has_kek(), whole, "{what}");
    }
}

#[test]
fn a_missing_permission_is_a_configuration_error() {
    let (mut bench, address, _) = whole();
    let principal = bench.said("/azure/servicePrincipal/objectId");
    let vault = bench.world.azure.vaults.get_mut("payments-kv").unwrap();
    for policy in &mut vault.access_policies {
        if policy.object_id == principal {
            policy.permissions.keys.as_mut().unwrap().retain(|word| word != "backup");
        }
    }
    let body = bench.keystore("one", Some(&address));
    assert_eq!(tested(&mut bench, &body), (400, "azure_service_principal_client_id".to_owned()));
    let answer = bench.post(&bench.uko("/keystores"), &body);
    assert_eq!(answer.value()["status"]["health_status"], json!("configuration_error"));
    assert!(!bench.has_kek());
}

#[test]
fn the_answers_of_a_dry_run_follow_the_switch() {
    let (mut bench, address, _) = whole();
    let good = bench.keystore("one", Some(&address));
    let wrong = bench.keystore("one", Some("nowhere:1"));
    for (passed, failed) in [(200, 422), (204, 500), (201, 400)] {
        bench.switch("dryRunAnswers", &json!({"passed": passed, "failed": failed, "namesTheField": false}));
        assert_eq!(tested(&mut bench, &good).0, passed);
        assert_eq!(tested(&mut bench, &wrong), (failed, String::new()));
    }
}

#[test]
fn without_a_proxy_public_access_must_be_open() {
    let mut bench = Bench::new();
    let body = bench.keystore("one", None);
    assert_eq!(tested(&mut bench, &body).0, 201);
    bench.patch(&json!({"azure": {"vaults": {"payments-kv": {"publicNetworkAccess": "Disabled"}}}}));
    assert_eq!(tested(&mut bench, &body), (400, "tls_proxy".to_owned()));
}

#[test]
fn the_key_is_made_once_as_azures_byok_wants_it_and_never_again() {
    let (mut bench, address, _) = whole();
    bench.patch(&json!({"azure": {"vaults": {"payments-kv": {"connections": {"pe": {"status": "Pending"}}}}}}));
    let body = bench.keystore("one", Some(&address));
    let answer = bench.post(&bench.uko("/keystores"), &body);
    assert_eq!((answer.status, bench.has_kek()), (201, false));
    let status = bench.uko(&format!("/keystores/{}/status", answer.value()["id"].as_str().unwrap()));
    assert_eq!(bench.get(&status).value().get("last_heartbeat"), None);
    bench.patch(&json!({"azure": {"vaults": {"payments-kv": {"connections": {"pe": {"status": "Approved"}}}}}}));
    let seen = bench.get(&status).value();
    assert_eq!(seen["health_status"], json!("ok"));
    assert!(seen["last_heartbeat"].as_str().unwrap().ends_with('Z'));
    let vault = &bench.world.azure.vaults["payments-kv"];
    let key = &vault.keys["EKMF-BYOK-KEK-FOR-IMPORT"].current;
    assert_eq!(
        (key.kty.as_str(), key.key_size, key.key_ops.as_slice()),
        ("RSA-HSM", 4096, ["import".to_owned()].as_slice())
    );
    bench.patch(&json!({"azure": {"vaults": {"payments-kv": {"keys": null}}}}));
    bench.get(&status);
    assert!(!bench.has_kek());
    bench.switch("kekMadeAgain", &json!(true));
    bench.get(&status);
    assert!(bench.has_kek());
}

#[test]
fn a_pending_check_lasts_as_many_reads_as_the_switch_says() {
    let (mut bench, address, _) = whole();
    bench.switch("pendingChecks", &json!(2));
    let body = bench.keystore("one", Some(&address));
    let id = bench.post(&bench.uko("/keystores"), &body).value()["id"].as_str().unwrap().to_owned();
    let status = bench.uko(&format!("/keystores/{id}/status"));
    let seen: Vec<Value> = (0..3).map(|_| bench.get(&status).value()["health_status"].clone()).collect();
    assert_eq!(seen, [json!("pending_check"), json!("pending_check"), json!("ok")]);
    let instance = bench.said("/ibm/uko/instanceId");
    bench.patch(&json!({"ibm": {"uko": {instance: {"keystores": {id: {"forcedHealth": "not_responding"}}}}}}));
    assert_eq!(bench.get(&status).value()["health_status"], json!("not_responding"));
}

#[test]
fn a_create_may_test_the_connection() {
    let mut bench = Bench::new();
    bench.switch("createTestsConnection", &json!(true));
    let body = bench.keystore("one", Some("nowhere:1"));
    let answer = bench.post(&bench.uko("/keystores"), &body);
    assert_eq!((answer.status, blamed(&answer)), (400, "tls_proxy".to_owned()));
}
