//! The chart `uko-operator`: a name stays a name, however much it looks like a number.
//!
//! In: values of that kind. Out: what a YAML reader makes of the objects. Never: a cluster.

use serde_json::{Value, json};

use crate::helm::template_as;

const CHART: &str = "uko-operator";

/// Every string that a person chose is one afterwards too: `40123` and `true` are names, and YAML has another opinion.
fn no_string(value: &Value, place: &str, found: &mut Vec<String>) {
    const NUMBERS: [&str; 10] = [
        "replicas",
        "port",
        "containerPort",
        "failureThreshold",
        "periodSeconds",
        "timeoutSeconds",
        "terminationGracePeriodSeconds",
        "maxSkew",
        "maxUnavailable",
        "maxSurge",
    ];
    const SWITCHES: [&str; 8] = [
        "automountServiceAccountToken",
        "allowPrivilegeEscalation",
        "readOnlyRootFilesystem",
        "readOnly",
        "enableServiceLinks",
        "runAsNonRoot",
        "honorLabels",
        "optional",
    ];
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let meant = (member.is_number() && NUMBERS.contains(&&**name))
                    || (member.is_boolean() && SWITCHES.contains(&&**name));
                if !meant {
                    no_string(member, &format!("{place}/{name}"), found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|one| no_string(one, place, found)),
        Value::String(_) => {}
        Value::Null | Value::Bool(_) | Value::Number(_) => found.push(format!("{place}: {value}")),
    }
}

#[test]
fn names_that_look_like_numbers_stay_names() {
    let values = json!({
        "watchNamespaces": ["40123", "1e3"],
        "rbac": {"secretNames": {"40123": ["7"]}, "readSecretsOfWatchedNamespaces": true},
        "fullnameOverride": "true",
        "extraCA": {"existingConfigMap": "123"},
        "proxy": {"existingSecret": "456"},
        "priorityClassName": "789",
        "serviceMonitor": {"enabled": true},
        "prometheusRule": {"enabled": true},
        "dashboard": {"enabled": true},
        "argocd": {"healthChecks": {"enabled": true}},
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values.to_string()).unwrap();
    let text = template_as("77", CHART, &["--namespace", "40123", "--values", file.to_str().unwrap()]).unwrap();
    let all: Vec<Value> = serde_yaml::from_multiple(&text).unwrap();
    let mut found = Vec::new();
    let mut seen = 0;
    for one in all.iter().filter(|one| !one.is_null() && one["kind"] != "CustomResourceDefinition") {
        no_string(one, one["kind"].as_str().unwrap(), &mut found);
        seen += usize::from(one["metadata"]["namespace"] == "40123");
    }
    assert!(found.is_empty(), "{found:#?}");
    assert!(seen > 15, "only {seen} objects are in the namespace");
}
