//! Faults on demand: each kind, over real sockets.

use reqwest::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, KEK, KEY_VAULT, NETWORK, Reply, client, plain};

#[tokio::test]
async fn a_status_fault_answers_in_the_services_words_and_is_counted() {
    let bench = Bench::quick().await;
    let vault = bench.of("/azure/vaults/premium/id");
    let id = bench.fault(json!({"service": "arm", "method": "GET", "path": "/vaults/payments-kv\\?", "skip": 1, "count": 2, "status": 429, "retry_after": 7})).await;
    let mut seen = Vec::new();
    for _ in 0..4 {
        let reply = bench.arm(Method::GET, &vault, KEY_VAULT, None).await;
        seen.push((reply.status, reply.header("retry-after").to_owned()));
    }
    let fine = (200, String::new());
    assert_eq!(seen, [fine.clone(), (429, "7".into()), (429, "7".into()), fine]);
    let log = bench.requests().await;
    let struck = log.iter().filter(|entry| entry["fault"] == json!(id)).count();
    assert_eq!(struck, 2);
}

#[tokio::test]
async fn an_applied_status_is_a_lie_about_work_that_was_done() {
    let bench = Bench::quick().await;
    bench
        .fault(json!({"service": "arm", "method": "PUT", "status": 503, "apply": true, "headers": {"x-test": "1"}}))
        .await;
    let body = json!({"properties": {"kty": "RSA-HSM", "keyOps": ["import"]}});
    let id = format!("{}/keys/{KEK}", bench.of("/azure/vaults/premium/id"));
    let put = bench.arm(Method::PUT, &id, KEY_VAULT, Some(body)).await;
    assert_eq!((put.status, put.header("x-test")), (503, "1"));
    assert_eq!(bench.arm(Method::GET, &id, KEY_VAULT, None).await.status, 200);
}

#[tokio::test]
async fn a_cut_before_does_nothing_and_a_cut_after_has_done_it() {
    let bench = Bench::quick().await;
    let token = bench.token("operator", "https://management.azure.com/.default").await;
    let id = format!("{}/keys/{KEK}", bench.of("/azure/vaults/premium/id"));
    let url = format!("https://management.azure.com{id}?api-version={KEY_VAULT}");
    let body = json!({"properties": {"kty": "RSA-HSM", "keyOps": ["import"]}});
    for http2 in [true, false] {
        for (drop, status) in [(json!(true), 404), (json!("after"), 200)] {
            bench.patch(json!({"azure": {"vaults": {"payments-kv": {"keys": {KEK: null}}}}})).await;
            bench.fault(json!({"service": "arm", "method": "PUT", "drop": drop})).await;
            let caller = client(&bench.running, "ca.pem", http2);
            let cut = caller.put(&url).bearer_auth(&token).json(&body).send().await;
            assert!(cut.is_err(), "{drop} http2={http2}");
            assert_eq!(bench.arm(Method::GET, &id, KEY_VAULT, None).await.status, status, "{drop} http2={http2}");
        }
    }
    let log = bench.requests().await;
    assert!(log.iter().any(|entry| entry["method"] == "PUT" && entry["status"] == Value::Null));
}

#[tokio::test]
async fn a_late_commit_happens_after_the_answer_was_lost() {
    let bench = Bench::quick().await;
    let token = bench.token("operator", "https://management.azure.com/.default").await;
    let id = format!("{}/keys/{KEK}", bench.of("/azure/vaults/premium/id"));
    bench.fault(json!({"service": "arm", "method": "PUT", "commit_after_ms": 300})).await;
    let body = json!({"properties": {"kty": "RSA-HSM", "keyOps": ["import"]}});
    let url = format!("https://management.azure.com{id}?api-version={KEY_VAULT}");
    assert!(bench.client.put(url).bearer_auth(token).json(&body).send().await.is_err());
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while bench.arm(Method::GET, &id, KEY_VAULT, None).await.status != 200 {
        assert!(std::time::Instant::now() < deadline, "the commit never came");
    }
}

#[tokio::test]
async fn an_operation_is_accepted_and_fails_later() {
    let bench = Bench::quick().await;
    bench.fault(json!({"service": "arm", "method": "PUT", "async_fail": {"code": "InternalServerError", "message": "An error occurred."}})).await;
    let put = bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(bench.endpoint_body())).await;
    assert_eq!(put.status, 201);
    let failed = bench.follow(put.header("azure-asyncoperation")).await;
    assert_eq!(
        (failed.status, failed.text("/status"), failed.text("/error/code")),
        (200, "Failed", "InternalServerError")
    );
    let again = bench.arm(Method::PUT, &bench.endpoint_id("pe1"), NETWORK, Some(bench.endpoint_body())).await;
    assert_eq!((again.status, again.text("/properties/provisioningState")), (200, "Updating"));
    assert_eq!(bench.follow(again.header("azure-asyncoperation")).await.text("/status"), "Succeeded");
}

#[tokio::test]
async fn faults_are_listed_and_removed_and_bad_ones_refused() {
    let bench = Bench::quick().await;
    let id = bench
        .fault(json!({"host": "login.microsoftonline.com", "count": -1, "status": 500, "body": "<html>busy</html>"}))
        .await;
    let listed: Value = plain().get(bench.control("/faults")).send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (listed[0]["id"].clone(), listed[0]["status"].clone(), listed[0]["count"].clone()),
        (json!(id), json!(500), json!(-1))
    );
    let html = bench.client.post("https://login.microsoftonline.com/x/oauth2/v2.0/token").send().await.unwrap();
    assert_eq!((html.status().as_u16(), html.text().await.unwrap().as_str()), (500, "<html>busy</html>"));
    plain().delete(bench.control("/faults")).send().await.unwrap();
    assert!(!bench.token("operator", "https://vault.azure.net/.default").await.is_empty());
    let bad =
        Reply::of(plain().post(bench.control("/faults")).json(&json!({"statuss": 1})).send().await.unwrap()).await;
    assert_eq!(bad.status, 400);
    assert!(bad.text("/error").contains("statuss"));
}
