//! Alerts and dashboards hold together without a process to scrape: shapes, words, pages, tests.
//!
//! `tests/integration/monitoring.rs` compares the same files with what the shipped binary exposes, and `tests/charts` runs
//! their unit tests and looks at what the chart makes of them.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed unwrap is a failed test")]

mod exposition;
mod judge;
mod promql;
mod sources;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use exposition::Exposed;
use serde_json::{Value, json};
use uko_operator::api::{condition::ConditionType, v1alpha1::KekState};

use sources::{alerts, dashboards, queries, root, text, yaml};

/// What the tests of the rules expect of each alert: whether it fires somewhere, and stays quiet somewhere.
fn expectations() -> BTreeMap<String, (bool, bool)> {
    let mut found: BTreeMap<String, (bool, bool)> = BTreeMap::new();
    for test in yaml("tests/monitoring/rules.test.yaml")["tests"].as_array().unwrap() {
        for expected in test["alert_rule_test"].as_array().unwrap() {
            let (fires, quiet) = found.entry(expected["alertname"].as_str().unwrap().to_owned()).or_default();
            let expects_silence = expected["exp_alerts"].as_array().unwrap().is_empty();
            *(if expects_silence { quiet } else { fires }) = true;
        }
    }
    found
}

#[test]
fn every_alert_has_a_severity_a_page_and_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let tested = expectations();
    let mut pages = BTreeSet::new();
    for alert in alerts() {
        let name = alert["alert"].as_str().unwrap();
        assert!(matches!(alert["labels"]["severity"].as_str(), Some("critical" | "warning")), "{name}: severity");
        assert_eq!(alert["labels"]["component"], "uko-operator", "{name}");
        assert!(alert["for"].is_string(), "{name} fires on a single look");
        assert_eq!(tested.get(name), Some(&(true, true)), "{name}: it must fire in one test and stay quiet in one");
        let link = alert["annotations"]["runbook_url"].as_str().unwrap();
        assert_eq!(link, format!("docs/runbooks/{name}.md"));
        pages.insert(format!("{name}.md"));
        let page = text(link);
        assert!(page.starts_with(&format!("# {name}\n")), "{link} has another title");
        for heading in ["## What it means", "## Look first", "## Mend", "## It clears"] {
            assert!(page.contains(&format!("\n{heading}\n")), "{link} lacks `{heading}`");
        }
    }
    let found: BTreeSet<String> = fs::read_dir(root().join("docs/runbooks"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(found, pages, "a page for each alert, and no other");
    let overview = text("docs/runbooks/README.md");
    for page in pages {
        assert!(overview.contains(&format!("({page})")), "docs/runbooks/README.md does not lead to {page}");
    }
}

#[test]
fn every_query_asks_for_metrics_and_labels_that_the_guide_names() {
    let told = Exposed::of_page(&text("docs/guides/metrics.md"));
    assert!(told.0.len() > 10, "the table of docs/guides/metrics.md was not found");
    let queries = queries();
    assert!(queries.len() > 20, "only {} queries were found", queries.len());
    let wrong: Vec<String> = queries.iter().flat_map(|query| judge::faults(query, &told)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The words that a label of the condition metric, or of the KEK's state, can be.
fn known(label: &str) -> Option<Vec<String>> {
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    Some(match label {
        "kind" => owned(&["ConnectorEndpoint", "AzureKeystoreConnection"]),
        "status" => owned(&["True", "False", "Unknown"]),
        "condition" => ConditionType::ALL.iter().map(|kind| kind.as_str().to_owned()).collect(),
        "reason" => {
            let page = text("docs/reasons/README.md");
            page.lines().filter_map(|line| line.strip_prefix("### ")).map(str::to_owned).collect()
        }
        _ => return None,
    })
}

#[test]
fn every_value_that_a_query_compares_with_can_occur() {
    for query in queries() {
        for selector in promql::read(&query.text).unwrap().selectors {
            for matcher in &selector.matchers {
                for said in &matcher.alternatives {
                    let (place, value) = (&query.place, &said.value);
                    if selector.metric == "uko_operator_key_encryption_key_state" && matcher.label == "state" {
                        let state = serde_json::from_value::<KekState>(json!(value));
                        assert!(state.is_ok(), "{place}: no key-encryption key is ever {value}");
                    }
                    if selector.metric != "uko_operator_condition" {
                        continue;
                    }
                    if let Some(words) = known(&matcher.label) {
                        let occurs = words.iter().any(|word| said.is_match(word));
                        assert!(occurs, "{place}: no {} is ever {value}", matcher.label);
                    }
                }
            }
        }
    }
}

/// Every datasource that a dashboard names, wherever it stands.
fn datasources(value: &Value, found: &mut Vec<Value>) {
    if let Some(members) = value.as_object() {
        found.extend(members.get("datasource").cloned());
        members.values().for_each(|member| datasources(member, found));
    }
    value.as_array().into_iter().flatten().for_each(|member| datasources(member, found));
}

#[test]
fn every_dashboard_can_be_imported_and_takes_the_datasource_that_its_reader_chooses() {
    assert!(!dashboards().is_empty());
    for (file, dashboard) in dashboards() {
        assert_eq!(format!("{}.json", dashboard["uid"].as_str().unwrap()), file);
        assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39, "{file}");
        assert_eq!(dashboard["id"], Value::Null, "{file}: a number of another Grafana");
        let variables = dashboard["templating"]["list"].as_array().unwrap();
        let chosen = variables.iter().find(|one| one["name"] == "datasource").unwrap();
        assert_eq!((&chosen["type"], &chosen["query"]), (&json!("datasource"), &json!("prometheus")), "{file}");
        let mut named = Vec::new();
        datasources(&dashboard, &mut named);
        assert!(named.len() > 20, "{file}");
        for one in named {
            assert_eq!(one, json!({"type": "prometheus", "uid": "${datasource}"}), "{file}");
        }
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{file}: two panels have one id");
        for panel in panels.iter().filter(|panel| panel["type"] != "row") {
            assert!(
                panel["description"].as_str().is_some_and(|text| text.ends_with('.')),
                "{file}: {}",
                panel["title"]
            );
        }
    }
}
