//! The proxy itself: hosts, certificates, protocols, the log.

use reqwest::{Method, Proxy, Version};
use serde_json::{Value, json};

use crate::bench::{Bench, KEK, KEY_VAULT, Reply, client, plain};

#[tokio::test]
async fn an_unknown_host_is_refused_and_logged() {
    let bench = Bench::usual().await;
    assert!(bench.client.get("https://example.com/x").send().await.is_err());
    let log = bench.requests().await;
    let last = log.last().unwrap();
    assert_eq!((last["service"].as_str().unwrap(), last["status"].as_u64().unwrap()), ("unknown", 403));
    assert!(last["url"].as_str().unwrap().starts_with("https://example.com"));
}

#[tokio::test]
async fn both_http_versions_are_spoken() {
    let bench = Bench::usual().await;
    let url = "https://login.microsoftonline.com/common/discovery/instance";
    assert_eq!(bench.client.get(url).send().await.unwrap().version(), Version::HTTP_2);
    let old = client(&bench.running, "ca.pem", false);
    assert_eq!(old.get(url).send().await.unwrap().version(), Version::HTTP_11);
}

#[tokio::test]
async fn a_privatelink_name_is_an_address_and_no_tls_name() {
    let bench = Bench::usual().await;
    let error =
        bench.client.get("https://payments-kv.privatelink.vaultcore.azure.net/healthstatus").send().await.unwrap_err();
    assert!(format!("{error:?}").contains("NotValidForName"), "{error:?}");
    let vault = bench.client.get("https://payments-kv.vault.azure.net/healthstatus").send().await.unwrap();
    assert_eq!(vault.status(), 200);
}

#[tokio::test]
async fn a_vault_that_is_not_there_does_not_resolve() {
    let bench = Bench::usual().await;
    assert!(bench.client.get("https://no-such-vault.vault.azure.net/keys").send().await.is_err());
    let log = bench.requests().await;
    assert_eq!((log[0]["service"].as_str().unwrap(), log[0]["status"].as_u64().unwrap()), ("kv", 502));
}

#[tokio::test]
async fn the_self_managed_uko_has_a_ca_of_its_own() {
    let bench = Bench::usual().await;
    let url = bench.of("/ibm/uko/selfManaged/url");
    assert!(bench.client.get(&url).send().await.is_err(), "the clouds' CA must not vouch for a customer's server");
    let own = client(&bench.running, "uko-ca.pem", true);
    assert!(own.get(&url).send().await.is_ok());
    assert!(own.get("https://iam.cloud.ibm.com/").send().await.is_err());
}

#[tokio::test]
async fn a_caller_cannot_claim_a_client_certificate() {
    let bench = Bench::usual().await;
    let own = client(&bench.running, "uko-ca.pem", true);
    let url = format!("{}/api/v4/vaults", bench.of("/ibm/uko/selfManaged/url"));
    let asked = own.get(&url).header("ekmf-mtls", "true").header("x-box-client-cert", "somebody");
    let reply = Reply::of(asked.send().await.unwrap()).await;
    assert_eq!(reply.status, 401, "{}", reply.body);
    assert!(!bench.requests().await.iter().any(|entry| entry["request_headers"].get("x-box-client-cert").is_some()));
}

#[tokio::test]
async fn the_metadata_service_answers_strings() {
    let bench = Bench::usual().await;
    let through = reqwest::Client::builder()
        .proxy(Proxy::http(format!("http://{}", bench.running.proxy)).unwrap())
        .build()
        .unwrap();
    let url = "http://169.254.169.254/metadata/identity/oauth2/token";
    let ask = || through.get(url).query(&[("api-version", "2018-02-01"), ("resource", "https://vault.azure.net")]);
    let refused = Reply::of(ask().send().await.unwrap()).await;
    assert_eq!((refused.status, refused.text("/error")), (400, "invalid_request"));
    let reply = Reply::of(ask().header("Metadata", "true").send().await.unwrap()).await;
    assert_eq!((reply.status, reply.text("/expires_in"), reply.text("/token_type")), (200, "86399", "Bearer"));
    let stranger = Reply::of(ask().header("Metadata", "true").query(&[("client_id", "x")]).send().await.unwrap()).await;
    assert_eq!((stranger.status, stranger.text("/error_description")), (400, "Identity not found"));
}

#[tokio::test]
async fn no_secret_is_in_the_log_but_its_name_is() {
    let bench = Bench::usual().await;
    bench.arm(Method::GET, &bench.of("/azure/vaults/premium/id"), KEY_VAULT, None).await;
    let log = bench.requests().await;
    let text = serde_json::to_string(&log).unwrap();
    assert!(!text.contains(&bench.of("/azure/operator/clientSecret")));
    assert!(!text.contains("eyJ"), "a token is in the log");
    let names = |entry: &Value| entry["secrets"].as_array().unwrap().clone();
    assert_eq!(names(&log[0]), [json!("access_token"), json!("client_secret")]);
    assert_eq!(names(&log[1]), [json!("authorization")]);
    assert_eq!(log[1]["principal"].as_str().unwrap(), bench.of("/azure/operator/objectId"));
}

#[tokio::test]
async fn the_log_goes_on_from_a_number() {
    let bench = Bench::usual().await;
    bench.token("operator", "https://vault.azure.net/.default").await;
    bench.token("operator", "https://vault.azure.net/.default").await;
    let after: Vec<Value> = plain().get(bench.control("/requests?after=1")).send().await.unwrap().json().await.unwrap();
    assert_eq!(after.iter().map(|entry| entry["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [2]);
}

#[tokio::test]
async fn reset_brings_the_seed_back() {
    let bench = Bench::usual().await;
    let before = bench.state().await;
    bench.patch(json!({"azure": {"vaults": {"payments-kv": null}}})).await;
    bench.fault(json!({"status": 500, "count": -1})).await;
    plain().post(bench.control("/reset")).send().await.unwrap();
    assert_eq!(bench.state().await, before);
    assert_eq!(bench.key("operator", Method::GET, &format!("keys/{KEK}"), None).await.code(), "KeyNotFound");
}

#[tokio::test]
async fn a_patch_that_does_not_fit_is_refused_with_the_reason() {
    let bench = Bench::usual().await;
    let patch = json!({"azure": {"vaults": {"payments-kv": {"publicNetworkAcces": "Disabled"}}}});
    let reply = Reply::of(plain().post(bench.control("/state")).json(&patch).send().await.unwrap()).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text("/error").contains("publicNetworkAcces"), "{}", reply.body);
}

#[tokio::test]
async fn a_patch_cannot_leave_half_a_key_behind() {
    let bench = Bench::usual().await;
    let patch = json!({"azure": {"vaults": {"payments-kv": {"keys": {KEK: {"deleted": null}}}}}});
    let reply = Reply::of(plain().post(bench.control("/state")).json(&patch).send().await.unwrap()).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text("/error").contains("current"), "{}", reply.body);
}
