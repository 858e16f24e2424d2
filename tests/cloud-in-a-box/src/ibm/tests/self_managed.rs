//! The UKO that customers run: its three ways in, and its own ways to Azure.

use http::Method;
use serde_json::{Value, json};

use super::Bench;
use crate::wire::Answer;

fn base(bench: &Bench) -> String {
    bench.said("/ibm/uko/selfManaged/url")
}

fn oidc(bench: &mut Bench, provider: &str, password: &str) -> Answer {
    let form = format!(
        "grant_type=password&client_id=uko-operator&client_secret=oidc-client-secret&username=operator&password={password}&scope=openid%20profile%20email"
    );
    let url = format!("{}/oidc/endpoint/{provider}/token", base(bench));
    bench.raw(Method::POST, &url, &[], form.into_bytes())
}

fn bearer(bench: &mut Bench) -> String {
    let answer = oidc(bench, "EkmfOpenIdConnect", "oidc-user-password");
    format!("Bearer {}", answer.value()["access_token"].as_str().unwrap())
}

fn call(bench: &mut Bench, method: Method, rest: &str, body: &Value) -> Answer {
    let bearer = bearer(bench);
    let url = format!("{}/api/v4{rest}", base(bench));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    bench.raw(method, &url, &headers, body.to_string().into_bytes())
}

#[test]
fn each_way_in_leads_to_the_same_vaults() {
    let mut bench = Bench::new();
    let vaults = format!("{}/api/v4/vaults", base(&bench));
    let wanted = bench.said("/ibm/uko/selfManaged/vault/id");
    let passcode = json!({"userId": "UKOOPER", "passcode": "passcode-of-operator"}).to_string().into_bytes();
    let login = bench.raw(Method::POST, &format!("{}/api/v2/system/login", base(&bench)), &[], passcode);
    let by_passcode = login.value()["authorizationToken"].as_str().unwrap().to_owned();
    assert!(by_passcode.starts_with("Bearer "));
    let by_oidc = bearer(&mut bench);
    for headers in [
        vec![("authorization", by_oidc.as_str())],
        vec![("authorization", by_passcode.as_str())],
        vec![("ekmf-mtls", "true"), ("x-box-client-cert", "box-uko-operator")],
    ] {
        let answer = bench.raw(Method::GET, &vaults, &headers, Vec::new());
        assert_eq!(answer.value()["vaults"][0]["id"], json!(wanted), "{:?}", answer.refusal);
    }
}

#[test]
fn strangers_stay_outside() {
    let mut bench = Bench::new();
    let vaults = format!("{}/api/v4/vaults", base(&bench));
    assert_eq!(oidc(&mut bench, "EkmfOpenIdConnect", "wrong").value()["error"], json!("invalid_grant"));
    assert_eq!(oidc(&mut bench, "UKOOpenIdConnect", "oidc-user-password").status, 404);
    let login = format!("{}/api/v2/system/login", base(&bench));
    let wrong = json!({"userId": "UKOOPER", "passcode": ""}).to_string().into_bytes();
    assert_eq!(bench.raw(Method::POST, &login, &[], wrong).status, 401);
    let of_ibm = format!("Bearer {}", bench.token());
    for headers in [
        vec![],
        vec![("authorization", of_ibm.as_str())],
        vec![("ekmf-mtls", "true")],
        vec![("ekmf-mtls", "true"), ("x-box-client-cert", "someone")],
        vec![("x-box-client-cert", "box-uko-operator")],
    ] {
        assert_eq!(bench.raw(Method::GET, &vaults, &headers, Vec::new()).status, 401, "{headers:?}");
    }
}

#[test]
fn a_forwarder_or_a_route_of_its_own_reaches_the_private_endpoint() {
    let mut bench = Bench::new();
    bench.private_path();
    let own_vault = json!({"id": bench.said("/ibm/uko/selfManaged/vault/id")});
    let mut body = bench.keystore("one", Some("forwarder.example.com:9443"));
    body["vault"] = own_vault;
    let test = |bench: &mut Bench, body: &Value| call(bench, Method::POST, "/keystores?dry_run=true", body).status;
    assert_eq!(test(&mut bench, &body), 201);
    body["tls_proxy"] = json!("forwarder.example.com:1");
    assert_eq!(test(&mut bench, &body), 400);
    body.as_object_mut().unwrap().remove("tls_proxy");
    assert_eq!(test(&mut bench, &body), 400);
    bench.patch(&json!({"ibm": {"selfManaged": {"directRoute": true}}}));
    assert_eq!(test(&mut bench, &body), 201);
    let made = call(&mut bench, Method::POST, "/keystores", &body);
    assert_eq!((made.status, bench.has_kek()), (201, true));
    assert_eq!(bench.get(&bench.uko("/keystores")).value()["total_count"], json!(0));
}

#[test]
fn an_older_server_knows_no_api_v4() {
    let mut bench = Bench::new();
    bench.patch(&json!({"ibm": {"selfManaged": {"withoutApiV4": true}}}));
    assert_eq!(call(&mut bench, Method::GET, "/vaults", &Value::Null).status, 404);
}
