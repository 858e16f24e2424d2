//! Link: endpoints, sources, bindings.

use http::Method;
use serde_json::{Value, json};

use super::Bench;

pub(super) fn draft(name: &str, host: &str) -> Value {
    json!({
        "conn_type": "location", "display_name": name, "server_host": host, "server_port": 443,
        "client_protocol": "tcp", "server_protocol": "tcp", "timeout": 60,
    })
}

fn made(bench: &mut Bench, name: &str) -> String {
    let answer = bench.post(&bench.connector("/endpoints"), &draft(name, "a.example.com"));
    assert_eq!(answer.status, 200, "{:?}", answer.refusal);
    answer.value()["endpoint_id"].as_str().unwrap().to_owned()
}

#[test]
fn the_address_comes_after_the_reads_of_the_switch_and_stays_through_a_change() {
    let mut bench = Bench::new();
    bench.switch("readsToClientAddress", &json!(2));
    let id = made(&mut bench, "one");
    let url = bench.connector(&format!("/endpoints/{id}"));
    assert_eq!(bench.get(&url).value()["client_host"], Value::Null);
    assert_eq!(bench.get(&bench.connector("/endpoints")).value()["endpoints"][0]["client_port"], Value::Null);
    let seen = bench.get(&url).value();
    assert_eq!(seen["client_host"], json!("c-01.private.eu-de.link.satellite.cloud.ibm.com"));
    let changed =
        bench.with(Method::PATCH, &url, &[], &json!({"server_host": "b.example.com", "enabled": false})).value();
    assert_eq!((&changed["client_port"], &changed["status"]), (&seen["client_port"], &json!("disabled")));
    assert_eq!(changed["server_host"], json!("b.example.com"));
}

#[test]
fn a_left_out_server_protocol_falls_back_to_its_default_even_on_patch() {
    let mut bench = Bench::new();
    let body = json!({
        "conn_type": "location", "display_name": "one", "server_host": "a.example.com", "server_port": 443,
        "client_protocol": "tls", "server_protocol": "tcp",
    });
    let answer = bench.post(&bench.connector("/endpoints"), &body).value();
    assert_eq!(answer["server_protocol"], json!("tcp"));
    let url = bench.connector(&format!("/endpoints/{}", answer["endpoint_id"].as_str().unwrap()));
    assert_eq!(bench.with(Method::PATCH, &url, &[], &json!({"timeout": 61})).value()["server_protocol"], json!("tls"));
}

#[test]
fn wrong_bodies_are_refused_and_the_log_says_why() {
    let mut bench = Bench::new();
    let url = bench.connector("/endpoints");
    let good = draft("one", "a.example.com");
    for (member, value) in [
        ("timeout", json!(0)),
        ("timeout", json!(181)),
        ("server_port", json!(0)),
        ("server_port", json!("443")),
        ("display_name", json!("1x")),
        ("conn_type", json!("elsewhere")),
        ("client_protocol", json!("smoke")),
        ("server_protocol", json!("udp")),
        ("server_host", json!("https://a")),
        ("created_by", json!("x".repeat(1001))),
        ("colour", json!("red")),
    ] {
        let mut body = good.clone();
        body[member] = value;
        let answer = bench.post(&url, &body);
        assert_eq!(answer.status, 400, "{member}");
        assert!(answer.refusal.unwrap().contains(member), "{member}");
    }
    for member in ["conn_type", "display_name", "server_host", "server_port", "client_protocol"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        assert_eq!(bench.post(&url, &body).status, 400, "{member}");
    }
    assert_eq!(bench.post(&url, &good).status, 200);
}

#[test]
fn names_are_unique_unless_the_switch_says_otherwise() {
    let mut bench = Bench::new();
    made(&mut bench, "one");
    let url = bench.connector("/endpoints");
    assert_eq!(bench.post(&url, &draft("one", "b.example.com")).status, 409);
    bench.switch("uniqueLinkNames", &json!(false));
    assert_eq!(bench.post(&url, &draft("one", "b.example.com")).status, 200);
}

#[test]
fn the_twenty_sixth_endpoint_is_refused_as_the_switch_says() {
    let mut bench = Bench::new();
    for number in 0..25 {
        made(&mut bench, &format!("n{number}"));
    }
    let url = bench.connector("/endpoints");
    assert_eq!(bench.post(&url, &draft("more", "a.example.com")).status, 400);
    bench.switch("endpointQuota", &json!({"status": 403, "message": "full"}));
    let answer = bench.post(&url, &draft("more", "a.example.com"));
    assert_eq!((answer.status, answer.value()), (403, json!({"message": "full"})));
    let location =
        format!("https://api.link.satellite.cloud.ibm.com/v1/locations/{}/endpoints", bench.said("/ibm/locationId"));
    assert_eq!(bench.post(&location, &draft("more", "a.example.com")).status, 200);
}

#[test]
fn bindings_look_the_same_from_both_sides_and_go_with_the_source() {
    let mut bench = Bench::new();
    let endpoint = made(&mut bench, "one");
    let source = json!({"type": "user", "source_name": "uko", "addresses": ["10.0.0.0/8"]});
    let source = bench.post(&bench.connector("/sources"), &source).value()["source_id"].as_str().unwrap().to_owned();
    assert!(source.contains("-Source-"));
    let of_endpoint = bench.connector(&format!("/endpoints/{endpoint}/sources"));
    let of_source = bench.connector(&format!("/sources/{source}/endpoints"));
    let bind = json!({"sources": [{"source_id": source, "enabled": true}]});
    assert_eq!(bench.with(Method::PATCH, &of_endpoint, &[], &bind).value()["message"], json!("Success"));
    assert_eq!(bench.get(&of_source).value(), json!({"endpoints": [{"endpoint_id": endpoint, "enabled": true}]}));
    let unbind = json!({"endpoints": [{"endpoint_id": endpoint, "enabled": false}]});
    assert_eq!(bench.with(Method::PATCH, &of_source, &[], &unbind).status, 200);
    assert_eq!(bench.get(&of_endpoint).value()["sources"][0]["enabled"], json!(false));
    let unknown = json!({"sources": [{"source_id": "none", "enabled": true}]});
    assert_eq!(bench.with(Method::PATCH, &of_endpoint, &[], &unknown).status, 400);
    let gone = bench.with(Method::DELETE, &bench.connector(&format!("/sources/{source}")), &[], &Value::Null);
    assert_eq!(gone.value(), json!({"message": "Success"}));
    assert_eq!(bench.get(&of_endpoint).value(), json!({"sources": []}));
}

#[test]
fn the_account_header_and_the_region_of_the_host_must_fit() {
    let mut bench = Bench::new();
    let url = bench.connector("/endpoints");
    let account = bench.said("/ibm/accountId");
    assert_eq!(bench.with(Method::GET, &url, &[("x-auth-resource-account", &account)], &Value::Null).status, 200);
    assert_eq!(bench.with(Method::GET, &url, &[("x-auth-resource-account", "other")], &Value::Null).status, 403);
    assert_eq!(bench.get(&url.replace("api.link", "api.eu-de.link")).status, 200);
    assert_eq!(bench.get(&url.replace("api.link", "api.us-east.link")).status, 404);
    assert_eq!(bench.get(&url.replace("/endpoints", "x/endpoints")).status, 404);
}

#[test]
fn a_connector_shows_its_tunnels() {
    let mut bench = Bench::new();
    let seen = bench.get(&bench.connector("")).value();
    assert_eq!(seen["performance"]["healthStatus"], json!("Up"));
    let id = bench.said("/ibm/connector/id");
    bench.patch(&json!({"ibm": {"connectors": {id: {"tunnels": 0}}}}));
    let seen = bench.get(&bench.connector("")).value();
    assert_eq!(
        (&seen["performance"]["healthStatus"], &seen["performance"]["avg_latency"]),
        (&json!("Down"), &json!(-1))
    );
}

#[test]
fn a_creator_s_text_is_kept_unless_the_switch_says_otherwise() {
    let mut bench = Bench::new();
    let url = bench.connector("/endpoints");
    let mut body = draft("one", "a.example.com");
    body["created_by"] = json!("mine");
    assert_eq!(bench.post(&url, &body).value()["created_by"], json!("mine"));
    bench.switch("createdByKept", &json!(false));
    body["display_name"] = json!("two");
    assert_eq!(bench.post(&url, &body).value()["created_by"], json!("iam-ServiceId-5f0c"));
}
