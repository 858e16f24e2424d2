//! IAM.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::json;

use super::Bench;
use crate::token;
use crate::wire::Answer;

const URL: &str = "https://iam.cloud.ibm.com/identity/token";

fn asked(bench: &mut Bench, form: &str) -> Answer {
    bench.raw(Method::POST, URL, &[], form.as_bytes().to_vec())
}

fn cr_token(audience: &str, expires: i64) -> String {
    let claims = json!({"aud": [audience], "exp": expires, "sub": "system:serviceaccount:keys:operator"});
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[test]
fn a_known_key_gets_a_token_for_an_hour() {
    let mut bench = Bench::new();
    let body = format!(
        "grant_type=urn:ibm:params:oauth:grant-type:apikey&response_type=cloud_iam&apikey={}",
        bench.said("/ibm/apiKey")
    );
    let answer = asked(&mut bench, &body);
    assert_eq!(answer.status, 200);
    let value = answer.value();
    assert_eq!((&value["expires_in"], &value["token_type"]), (&json!(3600), &json!("Bearer")));
    let claims = token::read(value["access_token"].as_str().unwrap()).unwrap();
    assert_eq!(claims["account"]["bss"], json!(bench.said("/ibm/accountId")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert!(claims["iam_id"].as_str().unwrap().starts_with("iam-ServiceId-"));
}

#[test]
fn an_unknown_key_is_400_with_a_request_id() {
    let mut bench = Bench::new();
    let answer = asked(&mut bench, "grant_type=urn:ibm:params:oauth:grant-type:apikey&apikey=nope");
    assert_eq!((answer.status, &answer.value()["errorCode"]), (400, &json!("BXNIM0415E")));
    assert!(!answer.value()["context"]["requestId"].as_str().unwrap().is_empty());
    assert_eq!(answer.refusal.as_deref(), Some("no such API key"));
}

#[test]
fn a_profile_is_assumed_with_a_token_for_iam_only() {
    let mut bench = Bench::new();
    let profile = bench.said("/ibm/trustedProfileId");
    let grant = "grant_type=urn:ibm:params:oauth:grant-type:cr-token";
    let far = 4_000_000_000;
    for (token, id, status) in [
        (cr_token("iam", far), profile.as_str(), 200),
        (cr_token("kubernetes", far), &profile, 400),
        (cr_token("iam", 1), &profile, 400),
        (cr_token("iam", far), "Profile-none", 400),
        ("nonsense".into(), &profile, 400),
    ] {
        let answer = asked(&mut bench, &format!("{grant}&cr_token={token}&profile_id={id}"));
        assert_eq!(answer.status, status, "{:?}", answer.refusal);
    }
    bench.patch(&json!({"ibm": {"profiles": {&profile: {"links": ["keys/another"]}}}}));
    let answer = asked(&mut bench, &format!("{grant}&cr_token={}&profile_name=uko-operator", cr_token("iam", far)));
    assert_eq!(answer.status, 403);
}

#[test]
fn an_expired_token_and_one_without_access_are_kept_out() {
    let mut bench = Bench::new();
    let url = bench.connector("/endpoints");
    let bearer = format!("Bearer {}", bench.token());
    let asked = |bench: &mut Bench| bench.raw(Method::GET, &url, &[("authorization", &bearer)], Vec::new()).status;
    assert_eq!(asked(&mut bench), 200);
    bench.patch(&json!({"settings": {"clockOffsetSeconds": 3601}}));
    assert_eq!(asked(&mut bench), 401);
    bench.patch(&json!({"settings": {"clockOffsetSeconds": 0}, "ibm": {"apiKeys": {bench.said("/ibm/apiKey"): {"withoutAccess": true}}}}));
    assert_eq!(asked(&mut bench), 403);
    assert_eq!(bench.raw(Method::GET, &url, &[], Vec::new()).status, 401);
}
