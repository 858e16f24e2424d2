//! UKO's vaults and the broker.

use http::Method;
use serde_json::{Value, json};

use super::{Bench, blamed, etag};

#[test]
fn the_broker_names_the_instances_host_without_a_scheme() {
    let mut bench = Bench::new();
    let url = format!("{}/crypto_v2/instances/{}", bench.said("/ibm/uko/brokerUrl"), bench.said("/ibm/uko/instanceId"));
    let host = bench.get(&url).value()["uko"]["public"].as_str().unwrap().to_owned();
    assert_eq!(format!("https://{host}"), bench.said("/ibm/uko/url"));
    assert_eq!(bench.get(&format!("{url}x")).status, 404);
    assert_eq!(bench.raw(Method::GET, &url, &[], Vec::new()).status, 401);
}

#[test]
fn both_host_forms_reach_the_same_vaults_and_other_hosts_none() {
    let mut bench = Bench::new();
    let legacy = format!("{}/api/v4/vaults", bench.said("/ibm/uko/legacyUrl"));
    let answer = bench.get(&legacy);
    assert_eq!(answer.value()["vaults"][0]["id"], json!(bench.said("/ibm/uko/vault/id")));
    assert!(answer.header_value("x-correlation-id").is_some());
    assert_eq!(bench.get(&legacy.replace(":9100", ":9101")).status, 404);
    assert_eq!(bench.get("https://00000000.uko.eu-de.hs-crypto.appdomain.cloud/api/v4/vaults").status, 404);
}

#[test]
fn a_list_matches_the_start_of_a_name_and_pages_by_href() {
    let mut bench = Bench::new();
    let url = bench.uko("/vaults");
    for name in ["pay", "apay", "payments-2"] {
        assert_eq!(bench.post(&url, &json!({"name": name})).status, 201);
    }
    let names = |page: &Value| {
        page["vaults"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    let mut next = Some("/api/v4/vaults?name=pay&limit=1&sort=name".to_owned());
    while let Some(href) = next {
        let page = bench.get(&format!("{}{href}", bench.said("/ibm/uko/url"))).value();
        assert_eq!(page["total_count"], json!(3));
        found.extend(names(&page));
        next = page["next"]["href"].as_str().map(str::to_owned);
    }
    assert_eq!(found, ["pay", "payments", "payments-2"]);
    for bad in ["limit=0", "limit=1001", "offset=-1", "sort=A", "colour=red"] {
        let answer = bench.get(&format!("{url}?{bad}"));
        assert_eq!((answer.status, blamed(&answer)), (400, bad.split('=').next().unwrap().to_owned()));
    }
}

#[test]
fn a_vault_changes_and_goes_only_by_its_etag_and_empty() {
    let mut bench = Bench::new();
    let made = bench.post(&bench.uko("/vaults"), &json!({"name": "mine", "description": "d"}));
    let url = format!("{}{}", bench.said("/ibm/uko/url"), made.header_value("location").unwrap());
    assert_eq!(made.value()["keystores_count"], json!(0));
    assert_eq!(made.value().get("recovery_key_label"), None);
    assert_eq!(made.value()["updated_at"].as_str().unwrap(), etag(&made));
    assert_eq!(blamed(&bench.with(Method::PATCH, &url, &[], &json!({"name": "x"}))), "If-Match");
    assert_eq!(bench.patched(&url, "2001-01-01T00:00:00Z", &json!({"name": "x"})).status, 412);
    bench.switch("staleEtag", &json!(409));
    assert_eq!(bench.delete(&url, "2001-01-01T00:00:00Z").status, 409);
    assert_eq!(bench.patched(&url, &etag(&made), &json!({"name": "payments"})).status, 409);
    bench.patch(&json!({"settings": {"clockOffsetSeconds": 5}}));
    let changed = bench.patched(&url, &etag(&made), &json!({"description": "e"}));
    assert_eq!(changed.value()["description"], json!("e"));
    assert_ne!(etag(&changed), etag(&made));
    assert_eq!(bench.delete(&url, &etag(&made)).status, 409);
    assert_eq!(bench.delete(&url, &etag(&changed)).status, 204);
    assert_eq!(bench.get(&url).status, 404);
}

#[test]
fn a_vault_with_a_keystore_stays() {
    let mut bench = Bench::new();
    let body = bench.keystore("one", None);
    assert_eq!(bench.post(&bench.uko("/keystores"), &body).status, 201);
    let url = bench.uko(&format!("/vaults/{}", bench.said("/ibm/uko/vault/id")));
    let seen = bench.get(&url);
    assert_eq!(seen.value()["keystores_count"], json!(1));
    let answer = bench.delete(&url, &etag(&seen));
    assert_eq!(answer.status, 409);
    assert!(answer.refusal.unwrap().contains("still contains"));
}
