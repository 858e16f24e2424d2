//! What the chart gives to Prometheus and Grafana is what stands in `deploy/`, and promtool agrees with it.
//!
//! In: the chart, `deploy/prometheus`, `deploy/grafana`. Out: what a Prometheus would load. Never: what a process exposes; that is in `tests/integration/`.

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    helm::{documents, of_kind},
    tools::tool,
};

const CHART: &str = "uko-operator";
const ALL: &str = "serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true";

fn file(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn groups(rules: &Value) -> Vec<Value> {
    rules["groups"].as_array().unwrap().clone()
}

fn alert<'a>(groups: &'a [Value], name: &str) -> &'a Value {
    groups[0]["rules"].as_array().unwrap().iter().find(|rule| rule["alert"] == name).unwrap()
}

#[test]
fn nothing_for_prometheus_or_grafana_is_there_unless_asked_for() {
    let rendered = documents(CHART, &[]);
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        assert_eq!(of_kind(&rendered, kind).len(), 0, "{kind}");
    }
    let dashboards = rendered.iter().filter(|one| one["metadata"]["labels"].get("grafana_dashboard").is_some());
    assert_eq!(dashboards.count(), 0);
}

#[test]
fn the_rules_of_the_chart_are_those_of_the_rule_file_and_each_release_watches_its_own_leader() {
    let wanted: Value = serde_yaml::from_str(&file("deploy/prometheus/rules.yaml")).unwrap();
    for (set, leader) in [
        ("prometheusRule.enabled=true", r#"uko_operator_leader{namespace="ops"}"#),
        (ALL, r#"uko_operator_leader{namespace="ops", job="uko-uko-operator"}"#),
    ] {
        let rendered = documents(CHART, &["--set", set]);
        let mut found = groups(&of_kind(&rendered, "PrometheusRule")[0]["spec"]);
        assert_eq!(alert(&found, "OperatorDown")["expr"], format!("absent({leader} == 1)"));
        for rule in found[0]["rules"].as_array_mut().unwrap() {
            let plain = rule["expr"].as_str().unwrap().replace(leader, "uko_operator_leader");
            rule["expr"] = json!(plain);
        }
        assert_eq!(found, groups(&wanted));
    }
}

#[test]
fn a_runbook_is_found_where_the_values_say() {
    for base in ["https://git.example.com/uko/blob/main", "https://git.example.com/uko/blob/main/"] {
        let set = format!("prometheusRule.enabled=true,prometheusRule.runbookBaseUrl={base}");
        let rendered = documents(CHART, &["--set", &set]);
        for rule in groups(&of_kind(&rendered, "PrometheusRule")[0]["spec"])[0]["rules"].as_array().unwrap() {
            let wanted =
                format!("https://git.example.com/uko/blob/main/docs/runbooks/{}.md", rule["alert"].as_str().unwrap());
            assert_eq!(rule["annotations"]["runbook_url"], wanted);
        }
    }
}

#[test]
fn the_service_monitor_finds_the_service_and_leaves_objects_their_namespace() {
    let rendered = documents(CHART, &["--set", ALL]);
    let monitor = of_kind(&rendered, "ServiceMonitor")[0];
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!((&endpoint["honorLabels"], &endpoint["port"]), (&json!(true), &json!("metrics")));
    let wanted = monitor["spec"]["selector"]["matchLabels"].as_object().unwrap();
    let services = of_kind(&rendered, "Service");
    let chosen: Vec<_> = services
        .iter()
        .filter(|service| wanted.iter().all(|(name, value)| &service["metadata"]["labels"][name] == value))
        .collect();
    assert_eq!(chosen.len(), 1);
    assert_eq!(chosen[0]["spec"]["ports"][0]["name"], "metrics");
    // The rule for OperatorDown takes the Service's name for the job.
    assert_eq!(chosen[0]["metadata"]["name"], "uko-uko-operator");
}

#[test]
fn the_dashboard_of_the_chart_is_the_one_to_import() {
    let rendered = documents(CHART, &["--set", ALL]);
    let maps = of_kind(&rendered, "ConfigMap");
    let map = maps.iter().find(|map| map["metadata"]["labels"]["grafana_dashboard"] == "1").unwrap();
    let found: Value = serde_json::from_str(map["data"]["uko-operator.json"].as_str().unwrap()).unwrap();
    assert_eq!(found, serde_json::from_str::<Value>(&file("deploy/grafana/uko-operator.json")).unwrap());
}

fn promtool(arguments: &[&str]) {
    let done = Command::new(tool("promtool")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "promtool {arguments:?}\n{}", String::from_utf8_lossy(&said));
}

#[test]
fn promtool_takes_the_rules_as_they_stand_and_as_the_chart_renders_them() {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "deploy/prometheus/rules.yaml"]);
    let rendered = documents(CHART, &["--set", ALL]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.yaml");
    fs::write(&path, of_kind(&rendered, "PrometheusRule")[0]["spec"].to_string()).unwrap(); // JSON is YAML
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", path.to_str().unwrap()]);
}

#[test]
fn promtool_finds_that_every_alert_fires_when_it_must_and_stays_quiet_when_it_must() {
    promtool(&["test", "rules", "tests/monitoring/rules.test.yaml"]);
}
