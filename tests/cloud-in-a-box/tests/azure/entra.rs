//! Entra: which credential gets a token, and how the others are refused.

use cloud_in_a_box::token;
use serde_json::json;

use crate::bench::{Bench, Reply};

const ARM: &str = "https://management.azure.com/.default";

#[tokio::test]
async fn a_token_says_who_and_for_what() {
    let bench = Bench::usual().await;
    let claims = token::read(&bench.token("servicePrincipal", "https://vault.azure.net/.default").await).unwrap();
    assert_eq!(claims["oid"].as_str().unwrap(), bench.of("/azure/servicePrincipal/objectId"));
    assert_eq!(claims["tid"].as_str().unwrap(), bench.of("/azure/tenantId"));
    assert_eq!(claims["aud"], "https://vault.azure.net");
}

#[tokio::test]
async fn each_wrong_credential_has_its_code() {
    let bench = Bench::usual().await;
    let (tenant, id) = (bench.of("/azure/tenantId"), bench.of("/azure/operator/clientId"));
    let secret = bench.of("/azure/operator/clientSecret");
    let nowhere = "99999999-0000-4000-8000-000000000000";
    for (tenant, id, secret, scope, status, error, code) in [
        (tenant.as_str(), id.as_str(), "wrong", ARM, 401, "invalid_client", 7_000_215),
        (&tenant, nowhere, &secret, ARM, 400, "unauthorized_client", 700_016),
        (nowhere, &id, &secret, ARM, 400, "invalid_request", 90002),
        (&tenant, &id, &secret, "https://management.chinacloudapi.cn/.default", 400, "invalid_resource", 500_011),
        (&tenant, &id, "", ARM, 401, "invalid_client", 7_000_218),
        (&bench.of("/azureChina/tenantId"), &id, &secret, ARM, 400, "invalid_request", 90002),
    ] {
        let reply = bench.ask_token(tenant, id, secret, scope).await;
        assert_eq!((reply.status, reply.text("/error")), (status, error), "{}", reply.body);
        assert_eq!(reply.body["error_codes"], json!([code]));
        assert!(reply.text("/error_description").starts_with(&format!("AADSTS{code}: ")));
    }
}

#[tokio::test]
async fn a_secret_expires_and_an_application_is_disabled() {
    let bench = Bench::usual().await;
    let (tenant, id) = (bench.of("/azure/tenantId"), bench.of("/azure/operator/clientId"));
    let secret = bench.of("/azure/operator/clientSecret");
    let application =
        |change: serde_json::Value| json!({"azure": {"tenants": {&tenant: {"applications": {&id: change}}}}});
    bench.patch(application(json!({"secrets": {"first": {"expiresAt": 1}}}))).await;
    assert_eq!(bench.ask_token(&tenant, &id, &secret, ARM).await.body["error_codes"], json!([7_000_222]));
    bench.patch(application(json!({"disabled": true}))).await;
    assert_eq!(bench.ask_token(&tenant, &id, &secret, ARM).await.body["error_codes"], json!([7_000_112]));
}

#[tokio::test]
async fn a_federated_assertion_must_match_issuer_audience_subject_and_time() {
    let bench = Bench::usual().await;
    let ask = async |claims: serde_json::Value| {
        let id = bench.of("/azure/operator/clientId");
        let assertion = token::mint(&claims);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id.as_str()),
            ("scope", ARM),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        let url = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", bench.of("/azure/tenantId"));
        Reply::of(bench.client.post(url).form(&form).send().await.unwrap()).await
    };
    let good = json!({
        "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:uko-operator:uko-operator",
        "aud": ["api://AzureADTokenExchange"], "exp": 4_000_000_000_u64,
    });
    assert_eq!(ask(good.clone()).await.status, 200);
    for (member, value, code) in [
        ("iss", json!("https://other"), 700_211),
        ("aud", json!("api://other"), 700_212),
        ("sub", json!("system:serviceaccount:uko-operator:Uko-Operator"), 700_213),
        ("exp", json!(1), 700_024),
    ] {
        let mut claims = good.clone();
        claims[member] = value;
        let reply = ask(claims).await;
        assert_eq!((reply.status, reply.body["error_codes"].clone()), (401, json!([code])), "{member}");
    }
}
