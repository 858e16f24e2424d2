//! What the chart `uko-operator` grants: read as text here, proven by an audit log in `tests/integration/rights.rs`.

use std::fs;

use serde_json::Value;

use crate::helm::{arguments, chart, documents, modes, of_kind};

const CHART: &str = "uko-operator";

/// Every rule of every Role and `ClusterRole`, with the role's name.
fn rules(documents: &[Value]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for kind in ["Role", "ClusterRole"] {
        for role in of_kind(documents, kind) {
            let name = format!("{kind} {}", role["metadata"]["name"].as_str().unwrap());
            found.extend(role["rules"].as_array().unwrap().iter().map(|rule| (name.clone(), rule.clone())));
        }
    }
    found
}

fn lists(rule: &Value, member: &str, value: &str) -> bool {
    rule[member].as_array().is_some_and(|all| all.iter().any(|one| one == value))
}

#[test]
fn no_rule_is_a_wildcard_and_none_lists_secrets_at_large() {
    for mode in modes(CHART) {
        for (role, rule) in rules(&documents(CHART, &arguments(&mode))) {
            for member in ["apiGroups", "resources", "verbs"] {
                assert!(!lists(&rule, member, "*"), "{mode:?}: {role}: {rule}");
            }
            let at_large = lists(&rule, "resources", "secrets") && rule.get("resourceNames").is_none();
            for verb in ["list", "watch", "update", "patch", "delete"] {
                assert!(!(at_large && lists(&rule, "verbs", verb)), "{mode:?}: {role}: {rule}");
            }
        }
    }
}

#[test]
fn every_rule_of_the_operator_says_why_it_is_there() {
    let text = fs::read_to_string(chart(CHART).join("templates/rbac.yaml")).unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut rules = 0;
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("- apiGroups:")) {
        let before = lines[number - 1];
        assert!(before.starts_with("# ") || before.starts_with("verbs:"), "line {}: {line} after {before}", number + 1);
        rules += 1;
    }
    assert!(rules >= 8, "{rules}");
}

#[test]
fn with_named_namespaces_nothing_is_granted_elsewhere() {
    let set =
        "watchNamespaces={b,a,b},rbac.readSecretsOfWatchedNamespaces=true,settings.clusterId=blue,rbac.aggregate=false";
    let rendered = documents(CHART, &["--set", set]);
    assert!(of_kind(&rendered, "ClusterRole").is_empty() && of_kind(&rendered, "ClusterRoleBinding").is_empty());
    let places: Vec<&str> =
        of_kind(&rendered, "Role").iter().map(|role| role["metadata"]["namespace"].as_str().unwrap()).collect();
    // The last is for `helm test`, which takes the first namespace that is named.
    assert_eq!(places.iter().filter(|place| **place == "a").count(), 1, "{places:?}");
    assert_eq!(places.iter().filter(|place| **place == "b").count(), 2, "{places:?}");
    assert_eq!(places.iter().filter(|place| **place == "ops").count(), 1, "{places:?}");
}

#[test]
fn without_named_namespaces_no_secret_of_a_team_can_be_read() {
    let rendered = documents(CHART, &[]);
    let secrets: Vec<Value> =
        rules(&rendered).into_iter().map(|(_, rule)| rule).filter(|rule| lists(rule, "resources", "secrets")).collect();
    assert_eq!(secrets.len(), 2, "{secrets:?}");
    for role in of_kind(&rendered, "ClusterRole") {
        assert!(!role["rules"].to_string().contains("secrets"), "{role}");
    }
}

#[test]
fn people_may_do_with_both_kinds_what_they_may_do_with_the_rest_of_a_namespace_but_not_write_status() {
    let rendered = documents(CHART, &[]);
    let people: Vec<&Value> = of_kind(&rendered, "ClusterRole")
        .into_iter()
        .filter(|role| role["metadata"]["labels"].to_string().contains("aggregate-to-"))
        .collect();
    assert_eq!(people.len(), 2);
    for role in people {
        let labels = role["metadata"]["labels"].to_string();
        assert!(labels.contains("aggregate-to-edit") && labels.contains("aggregate-to-admin"), "{labels}");
        let writes = lists(&role["rules"][0], "verbs", "create");
        assert_eq!(labels.contains("aggregate-to-view"), !writes, "{labels}");
        assert!(!role["rules"].to_string().contains("/status"), "{role}");
    }
}
