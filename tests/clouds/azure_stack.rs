//! The HTTP stack under all clients: retries, gates, tokens, trust and the way out.

use std::time::Duration;

use super::{Azure, CloudMetrics, Http, HttpSettings, ProxySettings, Value, json, settings};
use uko_operator::clouds::http::Class;

fn statuses(calls: &[Value]) -> Vec<u64> {
    calls.iter().filter_map(|call| call["status"].as_u64()).collect()
}

#[tokio::test]
async fn a_read_survives_two_faults_and_not_three() {
    let azure = Azure::start().await;
    azure.fault(json!({"service": "arm", "status": 503, "count": 2}));
    assert!(azure.arm().vault(&azure.vault()).await.is_ok());
    assert_eq!(statuses(&azure.calls("arm")), [503, 503, 200]);
    azure.fault(json!({"service": "arm", "drop": true, "count": 2}));
    assert!(azure.arm().vault(&azure.vault()).await.is_ok());
    azure.fault(json!({"service": "arm", "status": 500, "count": 3}));
    let error = azure.arm().vault(&azure.vault()).await.unwrap_err();
    assert_eq!((error.class, error.reason, error.outcome_unknown), (Class::Transient, "AzureUnavailable", false));
}

#[tokio::test]
async fn a_write_is_never_repeated_and_says_when_its_outcome_is_unknown() {
    let azure = Azure::start().await;
    let writer = azure.arm().writer();
    azure.arm().vault(&azure.vault()).await.unwrap();
    azure.fault(json!({"service": "arm", "method": "PUT", "drop": "after"}));
    let lost = writer.put_private_endpoint(&azure.endpoint_id(), &azure.draft()).await.unwrap_err();
    assert!(lost.outcome_unknown && lost.class == Class::Transient);
    let puts = |azure: &Azure| azure.calls("arm").iter().filter(|call| call["method"] == "PUT").count();
    assert_eq!(puts(&azure), 1);
    assert!(azure.arm().private_endpoint(&azure.endpoint_id()).await.unwrap().is_some(), "it was made all the same");
    azure.fault(json!({"service": "arm", "method": "PATCH", "status": 502}));
    let gateway = writer.close_public_access(&azure.vault()).await.unwrap_err();
    assert!(gateway.outcome_unknown);
    azure.fault(
        json!({"service": "arm", "method": "PATCH", "status": 400, "body": {"error": {"code": "InvalidParameter"}}}),
    );
    assert!(!writer.close_public_access(&azure.vault()).await.unwrap_err().outcome_unknown);
}

#[tokio::test]
async fn a_throttled_host_is_left_alone_and_others_are_not() {
    let azure = Azure::start().await;
    azure.fault(json!({"service": "arm", "status": 429, "retry_after": 17, "body": {"error": {"code": "SubscriptionRequestsThrottled"}}}));
    let first = azure.arm().vault(&azure.vault()).await.unwrap_err();
    assert_eq!(
        (first.class, first.reason, first.retry_after),
        (Class::Throttled, "AzureThrottled", Some(Duration::from_secs(17)))
    );
    let second = azure.arm().vault(&azure.vault()).await.unwrap_err();
    assert_eq!((second.class, second.status), (Class::Throttled, None));
    assert!(second.retry_after.unwrap() <= Duration::from_secs(17));
    assert_eq!(azure.calls("arm").len(), 1, "the second call never left");
    assert!(azure.data().key(&azure.vault().name, "any").await.is_ok());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let azure = Azure::start().await;
    azure.arm().vault(&azure.vault()).await.unwrap();
    let expired = json!({"error": {"code": "ExpiredAuthenticationToken", "message": "m"}});
    azure.fault(json!({"service": "arm", "status": 401, "body": expired}));
    assert!(azure.arm().vault(&azure.vault()).await.is_ok());
    assert_eq!(azure.calls("entra").len(), 2);
    azure.fault(json!({"service": "arm", "status": 401, "body": expired, "count": 2}));
    let error = azure.arm().vault(&azure.vault()).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, "AzureTokenRejected"));
}

#[tokio::test]
async fn every_call_says_who_it_is_and_carries_a_fresh_id() {
    let azure = Azure::start().await;
    azure.fault(json!({"service": "arm", "status": 503}));
    azure.arm().vault(&azure.vault()).await.unwrap();
    let calls = azure.calls("arm");
    let header = |call: &Value, name: &str| call["request_headers"][name].as_str().unwrap_or_default().to_owned();
    let ids: Vec<String> = calls.iter().map(|call| header(call, "x-ms-client-request-id")).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1] && !ids[0].is_empty());
    let agent = concat!("uko-operator/", env!("CARGO_PKG_VERSION"));
    assert!(calls.iter().all(|call| header(call, "user-agent") == agent));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let azure = Azure::start().await;
    azure.fault(json!({"service": "arm", "status": 307, "headers": {"Location": "https://evil.example/"}}));
    let error = azure.arm().vault(&azure.vault()).await.unwrap_err();
    assert_eq!(error.status, Some(307));
    assert!(azure.calls("unknown").is_empty());
}

#[tokio::test]
async fn a_server_nobody_vouches_for_is_named_as_such() {
    let azure = Azure::start().await;
    let stranger = rcgen_ca();
    let file = azure.folder.path().join("other.pem");
    std::fs::write(&file, stranger).unwrap();
    let settings = HttpSettings { extra_ca_file: Some(file), ..settings(&azure.running, &azure.folder) };
    let http = Http::new(&settings, &CloudMetrics::default()).unwrap();
    let entra = super::Entra::new(http, std::sync::Arc::default());
    let credential = azure.credential("operator");
    let token = entra.token(super::AzureCloud::Public, &credential, uko_operator::clouds::azure::Audience::KeyVault);
    let error = token.await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "CertificateNotTrusted"));
    let mended =
        Http::trusting(&azure_http(&settings), Some(&std::fs::read(azure.folder.path().join("ca.pem")).unwrap()), None)
            .unwrap();
    let entra = super::Entra::new(mended, std::sync::Arc::default());
    assert!(
        entra
            .token(super::AzureCloud::Public, &credential, uko_operator::clouds::azure::Audience::KeyVault)
            .await
            .is_ok()
    );
}

fn azure_http(settings: &HttpSettings) -> Http {
    Http::new(settings, &CloudMetrics::default()).unwrap()
}

/// The CA of a second box: as real as the first, and not the one in use.
fn rcgen_ca() -> String {
    cloud_in_a_box::server::tls::Certificates::new("anybody").unwrap().ca_pem().to_owned()
}

#[tokio::test]
async fn a_dead_way_out_breaks_the_circuit_instead_of_piling_up() {
    let azure = Azure::start().await;
    let proxy = ProxySettings { https_proxy: Some("http://127.0.0.1:1".into()), ..ProxySettings::default() };
    let settings = HttpSettings { proxy, ..settings(&azure.running, &azure.folder) };
    let entra = super::Entra::new(azure_http(&settings), std::sync::Arc::default());
    let audience = uko_operator::clouds::azure::Audience::KeyVault;
    let mut last = None;
    for n in 0..4 {
        let credential = super::Credential { client_id: n.to_string(), ..azure.credential("operator") };
        last = entra.token(super::AzureCloud::Public, &credential, audience).await.err();
    }
    let error = last.unwrap();
    assert_eq!((error.class, error.reason), (Class::Transient, "EntraUnavailable"));
    assert!(error.retry_after.is_some(), "the breaker answered");
}

#[test]
fn files_that_cannot_be_used_are_said_at_the_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let reason = |settings: HttpSettings| Http::new(&settings, &CloudMetrics::default()).unwrap_err().reason;
    let missing = HttpSettings { extra_ca_file: Some(folder.path().join("none.pem")), ..HttpSettings::default() };
    assert_eq!(reason(missing), "ExtraCaUnreadable");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no pem").unwrap();
    assert_eq!(reason(HttpSettings { extra_ca_file: Some(empty), ..HttpSettings::default() }), "CaBundleInvalid");
    let proxy = ProxySettings { https_proxy: Some("http://user:hunter2@bad host".into()), ..ProxySettings::default() };
    let error = Http::new(&HttpSettings { proxy: proxy.clone(), ..HttpSettings::default() }, &CloudMetrics::default())
        .unwrap_err();
    assert_eq!(error.reason, "ProxyInvalid");
    assert!(!format!("{error:?} {proxy:?}").contains("hunter2"));
}
