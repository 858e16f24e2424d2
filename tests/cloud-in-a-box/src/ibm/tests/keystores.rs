//! UKO's keystores: bodies, versions, switches, disconnecting.

use http::Method;
use serde_json::{Value, json};

use super::{Bench, blamed, etag};

fn create(bench: &mut Bench, body: &Value) -> (String, String) {
    let answer = bench.post(&bench.uko("/keystores"), body);
    assert_eq!(answer.status, 201, "{:?}", answer.refusal);
    (format!("{}{}", bench.said("/ibm/uko/url"), answer.header_value("location").unwrap()), etag(&answer))
}

fn one(bench: &mut Bench) -> (String, String) {
    let body = bench.keystore("one", None);
    create(bench, &body)
}

#[test]
fn a_body_is_read_strictly_and_the_refusal_names_the_field() {
    let mut bench = Bench::new();
    let url = bench.uko("/keystores");
    let good = bench.keystore("one", None);
    for (member, value) in [
        ("type", json!("floppy")),
        ("name", json!("-x")),
        ("name", json!("a".repeat(101))),
        ("description", json!("a".repeat(201))),
        ("groups", json!([])),
        ("groups", json!(["x"])),
        ("tls_proxy", json!(1)),
        ("azure_service_name", json!("ab")),
        ("azure_resource_group", json!("rg.")),
        ("azure_service_principal_client_id", json!("a_b")),
        ("azure_service_principal_password", json!("")),
        ("azure_tenant", json!(null)),
        ("azure_environment", json!("Azure")),
        ("azure_variant", json!("Premium")),
        ("colour", json!("red")),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let answer = bench.post(&url, &body);
        assert_eq!((answer.status, blamed(&answer)), (400, member.to_owned()));
        assert!(answer.refusal.unwrap().contains(member));
    }
    for member in [
        "type",
        "vault",
        "azure_service_name",
        "azure_resource_group",
        "azure_service_principal_client_id",
        "azure_service_principal_password",
        "azure_tenant",
        "azure_subscription_id",
    ] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        let answer = bench.post(&url, &body);
        assert_eq!((answer.status, blamed(&answer)), (400, member.to_owned()));
        assert_eq!(answer.value()["errors"][0]["code"], json!("missing_field"));
    }
    let mut body = good;
    body["vault"] = json!({"id": "00000000-0000-4000-8000-000000000000"});
    assert_eq!(bench.post(&url, &body).status, 404);
}

#[test]
fn the_switches_of_older_servers_refuse_what_newer_ones_take() {
    let mut bench = Bench::new();
    let url = bench.uko("/keystores?dry_run=true");
    let body = bench.keystore("my-keystore", None);
    assert_eq!(bench.post(&url, &body).status, 201);
    for (switch, value, field) in [
        ("hyphenInNames", json!(false), "name"),
        ("tildeInSecrets", json!(false), "azure_service_principal_password"),
        ("azureLocationRequired", json!(true), "azure_location"),
        ("vaultHeaderRequired", json!(true), "UKO-Vault"),
    ] {
        let mut bench = Bench::new();
        bench.switch(switch, &value);
        let answer = bench.post(&url, &body);
        assert_eq!((answer.status, blamed(&answer)), (400, field.to_owned()), "{switch}");
    }
    bench.switch("vaultHeaderRequired", &json!(true));
    let vault = bench.said("/ibm/uko/vault/id");
    assert_eq!(bench.with(Method::POST, &url, &[("uko-vault", &vault)], &body).status, 201);
    assert_eq!(bench.with(Method::POST, &url, &[("uko-vault", "other")], &body).status, 400);
}

#[test]
fn a_password_is_never_shown_and_a_mask_sent_back_becomes_the_password() {
    let mut bench = Bench::new();
    let (url, tag) = one(&mut bench);
    assert_eq!(bench.get(&url).value()["azure_service_principal_password"], json!("***"));
    assert_eq!(bench.get(&format!("{url}/status")).value()["health_status"], json!("ok"));
    let mask = json!({"azure_service_principal_password": "***"});
    let changed = bench.patched(&url, &tag, &mask);
    assert_eq!(changed.status, 200);
    assert_eq!(bench.get(&format!("{url}/status")).value()["health_status"], json!("configuration_error"));
    bench.switch("maskedPasswordIgnored", &json!(true));
    let right = json!({"azure_service_principal_password": bench.said("/azure/servicePrincipal/clientSecret")});
    let changed = bench.patched(&url, &etag(&changed), &right);
    bench.patched(&url, &etag(&changed), &mask);
    assert_eq!(bench.get(&format!("{url}/status")).value()["health_status"], json!("ok"));
}

#[test]
fn locked_fields_mixed_changes_and_a_fixed_proxy_are_refused_as_the_switches_say() {
    let mut bench = Bench::new();
    let (url, tag) = one(&mut bench);
    let same = json!({"azure_resource_group": "rg-keys"});
    assert_eq!(bench.patched(&url, &tag, &same).status, 200);
    let tag = etag(&bench.get(&url));
    let other = json!({"azure_resource_group": "rg-other"});
    assert_eq!(blamed(&bench.patched(&url, &tag, &other)), "azure_resource_group");
    assert_eq!(blamed(&bench.patched(&url, &tag, &json!({"vault": {"id": "x"}}))), "vault");
    let mixed = json!({"name": "two", "tls_proxy": "a:1"});
    assert_eq!(bench.patched(&url, &tag, &mixed).status, 400);
    bench.switch("mixedPatchRefused", &json!(false));
    bench.switch("tlsProxyMutable", &json!(false));
    assert_eq!(blamed(&bench.patched(&url, &tag, &mixed)), "tls_proxy");
    bench.switch("tlsProxyMutable", &json!(true));
    bench.switch("lockedFields", &json!("ignored"));
    assert_eq!(bench.patched(&url, &tag, &other).value()["azure_resource_group"], json!("rg-keys"));
    bench.switch("patchTestsConnection", &json!(true));
    let tag = etag(&bench.get(&url));
    assert_eq!(blamed(&bench.patched(&url, &tag, &mixed)), "tls_proxy");
    assert_eq!(bench.get(&url).value()["name"], json!("one"));
}

#[test]
fn duplicate_names_follow_the_switch() {
    for (switch, status) in [("refused", 409), ("badRequest", 400), ("allowed", 201)] {
        let mut bench = Bench::new();
        bench.switch("duplicateNames", &json!(switch));
        let body = bench.keystore("one", None);
        create(&mut bench, &body);
        assert_eq!(bench.post(&bench.uko("/keystores"), &body).status, status);
    }
}

#[test]
fn lists_filter_and_page() {
    let mut bench = Bench::new();
    for name in ["alpha", "alphabet", "beta"] {
        let mut body = bench.keystore(name, None);
        body["groups"] = json!([name, "all keys"]);
        body["azure_location"] = json!(if name == "beta" { "us_east" } else { "europe_west" });
        create(&mut bench, &body);
    }
    let base = bench.uko("/keystores");
    let vault = bench.said("/ibm/uko/vault/id");
    let mut count = |query: &str| bench.get(&format!("{base}?{query}")).value()["total_count"].as_u64().unwrap();
    assert_eq!(count("name=alpha"), 2);
    assert_eq!(count("name=phab"), 1);
    assert_eq!(count("group=beta"), 1);
    assert_eq!(count("groups[]=all keys"), 3);
    assert_eq!(count("location=us_east,uk_west"), 1);
    assert_eq!(count("type=aws_kms"), 0);
    assert_eq!(count("type=aws_kms,azure_key_vault"), 3);
    assert_eq!(count(&format!("vault.id={vault},other")), 3);
    assert_eq!(count("vault.id=other"), 0);
    assert_eq!(count("status.health_status=ok"), 3);
    assert_eq!(count("status.health_status=not_responding"), 0);
    let page = bench.get(&format!("{base}?limit=2&sort=-name")).value();
    assert_eq!(page["keystores"][0]["name"], json!("beta"));
    assert!(page["next"]["href"].as_str().unwrap().contains("offset=2"));
    assert_eq!(bench.get(&format!("{base}?group=a&groups[]=b")).status, 400);
    bench.switch("sparseLists", &json!(true));
    assert_eq!(bench.get(&base).value()["keystores"][0].get("status"), None);
}

#[test]
fn installed_keys_block_a_restrict_and_show_only_in_their_states() {
    let mut bench = Bench::new();
    let (url, tag) = one(&mut bench);
    let id = url.rsplit('/').next().unwrap().to_owned();
    let instance = bench.said("/ibm/uko/instanceId");
    let key =
        |state: &str| json!({"label": state, "state": state, "algorithm": "rsa", "keystores": [id], "vault": "v"});
    let keys = json!({"a": key("active"), "p": key("pre_activation"), "d": key("deactivated"), "x": key("destroyed")});
    bench.patch(&json!({"ibm": {"uko": {&instance: {"managedKeys": keys}}}}));
    let count = |bench: &mut Bench, url: String| bench.get(&url).value()["total_count"].as_u64().unwrap();
    assert_eq!(count(&mut bench, format!("{url}/managed_keys")), 1);
    assert_eq!(count(&mut bench, format!("{url}/managed_keys?state=active,deactivated,destroyed")), 2);
    let all = bench.uko("/managed_keys");
    assert_eq!(count(&mut bench, format!("{all}?referenced_keystores[].name=one")), 2);
    assert_eq!(count(&mut bench, format!("{all}?referenced_keystores[].name=two")), 0);
    assert_eq!(bench.get(&format!("{url}/managed_keys?state=lost")).status, 400);
    assert_eq!(count(&mut bench, format!("{url}/associated_resources")), 0);
    let refused = bench.delete(&format!("{url}?mode=restrict"), &tag);
    assert_eq!(refused.status, 409);
    assert!(refused.value()["errors"][0]["message"].as_str().unwrap().contains("still contains some keys"));
    assert_eq!(bench.delete(&format!("{url}?mode=sometimes"), &tag).status, 400);
    bench.patch(&json!({"ibm": {"uko": {&instance: {"managedKeys": {"a": null, "d": null}}}}}));
    assert_eq!(bench.delete(&format!("{url}?mode=restrict"), &tag).status, 204);
    assert_eq!(bench.get(&url).status, 404);
}

#[test]
fn a_vendor_media_type_is_taken_and_a_form_is_not() {
    let mut bench = Bench::new();
    let body = bench.keystore("one", None);
    let url = bench.uko("/keystores?dry_run=true");
    let vendor = [
        ("content-type", "application/vnd.ibm.uko.keystore-creation.v4.1+json"),
        ("accept", "application/vnd.ibm.uko.keystore.v4.1+json"),
    ];
    assert_eq!(bench.with(Method::POST, &url, &vendor, &body).status, 201);
    assert_eq!(bench.with(Method::POST, &url, &[("content-type", "text/plain")], &body).status, 415);
}
