//! The connector look-up.

use serde_json::{Value, json};

use super::Bench;

const URL: &str = "https://containers.cloud.ibm.com/graphql";

fn asked(bench: &mut Bench, query: &str, variables: &Value) -> Value {
    let answer = bench.post(URL, &json!({"query": query, "variables": variables}));
    assert_eq!(answer.status, 200);
    answer.value()
}

#[test]
fn a_node_shows_the_fields_asked_for_under_the_names_asked_for() {
    let mut bench = Bench::new();
    let id = bench.said("/ibm/connector/id");
    let query = "query Q($id: ID!) { mine: node(id: $id) { __typename id ... on SatelliteConnector { called: name state region { name } } } }";
    let answer = asked(&mut bench, query, &json!({"id": id}));
    let wanted = json!({"__typename": "SatelliteConnector", "id": id, "called": "keys-eu", "state": "CREATED", "region": {"name": "eu-de"}});
    assert_eq!(answer, json!({"data": {"mine": wanted}}));
}

#[test]
fn a_missing_node_is_null_and_a_wrong_field_an_error_with_status_200() {
    let mut bench = Bench::new();
    assert_eq!(asked(&mut bench, "{ node(id: \"x\") { id } }", &Value::Null), json!({"data": {"node": null}}));
    let id = bench.said("/ibm/connector/id");
    let answer = asked(&mut bench, "query($id: ID!) { node(id: $id) { agents } }", &json!({"id": id}));
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("agents"));
    assert_eq!(answer["data"], Value::Null);
}

#[test]
fn pages_lead_through_every_connector_in_both_directions() {
    let mut bench = Bench::new();
    for (number, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let one = json!({"name": name, "region": "eu-de", "state": "CREATING", "createdDate": format!("2026-01-0{}T00:00:00Z", number + 1)});
        bench.patch(&json!({"ibm": {"connectors": {name: one}}}));
    }
    let query = "query($after: String) { satelliteConnectors(first: 2, after: $after) { edges { node { name } } pageInfo { hasNextPage endCursor } } }";
    let mut names = Vec::new();
    let mut after = Value::Null;
    for _ in 0..10 {
        let page = asked(&mut bench, query, &json!({"after": after}))["data"]["satelliteConnectors"].clone();
        names.extend(
            page["edges"].as_array().unwrap().iter().map(|edge| edge["node"]["name"].as_str().unwrap().to_owned()),
        );
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
    }
    assert_eq!(names, ["keys-eu", "a", "b", "c", "d"]);
    let back = "query($before: String) { satelliteConnectors(last: 2, before: $before) { edges { node { name } } pageInfo { hasPreviousPage } } }";
    let page = asked(&mut bench, back, &json!({"before": after}))["data"]["satelliteConnectors"].clone();
    assert_eq!(
        page,
        json!({"edges": [{"node": {"name": "b"}}, {"node": {"name": "c"}}], "pageInfo": {"hasPreviousPage": true}})
    );
}

#[test]
fn a_stranger_gets_an_error_with_status_200() {
    let mut bench = Bench::new();
    let answer = bench.raw(http::Method::POST, URL, &[], b"{\"query\": \"{ __typename }\"}".to_vec());
    assert_eq!((answer.status, &answer.value()["data"]), (200, &Value::Null));
    assert!(answer.refusal.is_some());
}
