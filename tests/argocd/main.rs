//! What Argo CD shows for real objects, and what its buttons do to them.
//!
//! In: `fixtures/<health>/<case>.json`, objects as an API server held them while the shipped operator worked on them. Out: the health that
//! the folder is named after. `UPDATE_GENERATED=1 cargo test --test integration argocd` takes them anew from live objects.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed unwrap is a failed test"
)]

mod lua;

use std::{fs, path::Path};

use lua::{NOW, health, run, script};
use serde_json::{Value, json};

const HEALTHS: [&str; 4] = ["Healthy", "Progressing", "Suspended", "Degraded"];

/// Expected health, case, object.
fn fixtures() -> Vec<(&'static str, String, Value)> {
    let mut found = Vec::new();
    for expected in HEALTHS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/argocd/fixtures").join(expected);
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let object = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            found.push((expected, path.file_stem().unwrap().to_str().unwrap().to_owned(), object));
        }
    }
    found
}

#[test]
fn every_real_object_has_the_health_that_people_expect() {
    let (mut kinds, mut seen) = (Vec::new(), 0);
    for (expected, case, object) in fixtures() {
        let (status, message) = health(&object);
        assert_eq!(status, expected, "{case}: {message}");
        assert!(message.len() > 10, "{case}: `{message}` tells nobody anything");
        kinds.push((expected, object["kind"].as_str().unwrap().to_owned()));
        seen += 1;
    }
    assert!(seen >= 14, "only {seen} fixtures");
    for (kind, expected) in
        ["ConnectorEndpoint", "AzureKeystoreConnection"].iter().flat_map(|kind| HEALTHS.map(|one| (kind, one)))
    {
        assert!(kinds.contains(&(expected, (*kind).to_owned())), "no {expected} {kind} among the fixtures");
    }
}

#[test]
fn whatever_was_true_of_an_older_spec_or_is_being_deleted_is_progressing() {
    for (_, case, object) in fixtures() {
        let mut newer = object.clone();
        newer["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap() + 1);
        let mut deleted = object.clone();
        deleted["metadata"]["deletionTimestamp"] = json!(NOW);
        let mut restored = object.clone();
        restored.as_object_mut().unwrap().remove("status");
        for other in [newer, deleted, restored] {
            assert_eq!(health(&other).0, "Progressing", "{case}");
        }
    }
}

#[test]
fn what_waits_for_a_person_is_suspended_by_the_first_word_of_its_reason() {
    let (_, _, mut object) = fixtures().into_iter().find(|(_, case, _)| case == "connection-awaits-approval").unwrap();
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let ready = conditions.iter().position(|one| one["type"] == "Ready").unwrap();
    for (reason, expected) in [
        ("AwaitingApproval", "Suspended"),
        ("AwaitingCostApproval", "Suspended"),
        ("AwaitingQuota", "Suspended"),
        ("AwaitedNothing", "Degraded"),
        ("AzurePermissionDenied", "Degraded"),
        ("Bwaiting", "Degraded"),
        ("KekMissing", "Degraded"),
    ] {
        object["status"]["conditions"][ready]["reason"] = json!(reason);
        assert_eq!(health(&object).0, expected, "{reason}");
    }
    // In mode Plan nobody works, so every reason waits for who reads the plan.
    object["spec"]["mode"] = json!("Plan");
    for reason in ["ChangesPlanned", "VaultNotFound", "ConnectorEndpointInProgress"] {
        object["status"]["conditions"][ready]["reason"] = json!(reason);
        assert_eq!(health(&object).0, "Suspended", "{reason}");
    }
}

#[test]
fn actions_are_offered_where_they_have_an_effect() {
    let enabled = |object: &Value| -> Vec<String> {
        let actions = run(&script("discovery"), object).unwrap();
        let actions = actions.as_object().unwrap();
        let mut names: Vec<_> =
            actions.iter().filter(|(_, one)| one["disabled"] == json!(false)).map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    };
    for (_, case, object) in fixtures() {
        let connection = object["kind"] == "AzureKeystoreConnection";
        let expected: &[&str] = match (&object["metadata"]["deletionTimestamp"], &object["spec"]["suspend"], connection)
        {
            (Value::String(_), _, _) => &[],
            (_, Value::Bool(true), _) => &["resume"],
            (_, _, true) => &["suspend", "sync-now", "test-connection"],
            (_, _, false) => &["suspend", "sync-now"],
        };
        assert_eq!(enabled(&object), expected, "{case}");
    }
}

#[test]
fn an_action_changes_one_field_and_nothing_else() {
    for (_, case, object) in fixtures() {
        for (action, pointer, value) in [
            ("sync-now", "/metadata/annotations/uko-operator.io~1reconcile-requested-at", json!(NOW)),
            ("test-connection", "/metadata/annotations/uko-operator.io~1test-requested-at", json!(NOW)),
            ("suspend", "/spec/suspend", json!(true)),
            ("resume", "/spec/suspend", json!(false)),
        ] {
            let mut expected = object.clone();
            if expected["metadata"].get("annotations").is_none() {
                expected["metadata"]["annotations"] = json!({});
            }
            let (parent, last) = pointer.rsplit_once('/').unwrap();
            expected.pointer_mut(parent).unwrap()[last.replace("~1", "/")] = value;
            let mut done = run(&script(action), &object).unwrap();
            if done["metadata"].get("annotations").is_none() {
                done["metadata"]["annotations"] = json!({});
            }
            assert_eq!(as_go_reads(done), as_go_reads(expected), "{case} {action}");
        }
    }
}

/// Lua knows no difference between an empty list and an empty map, nor between 1 and 1.0; Argo CD mends both.
fn as_go_reads(value: Value) -> Value {
    match value {
        Value::Object(members) if members.is_empty() => json!([]),
        Value::Object(members) => members.into_iter().map(|(key, value)| (key, as_go_reads(value))).collect(),
        Value::Array(items) => items.into_iter().map(as_go_reads).collect(),
        Value::Number(number) => json!(number.as_f64()),
        plain @ (Value::Null | Value::Bool(_) | Value::String(_)) => plain,
    }
}

#[test]
fn the_snippet_for_argocd_cm_holds_these_very_scripts() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/argocd/argocd-cm.yaml");
    let snippet: Value = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(snippet["metadata"]["name"], "argocd-cm");
    let data = snippet["data"].as_object().unwrap();
    assert_eq!(data.len(), 4);
    for kind in ["ConnectorEndpoint", "AzureKeystoreConnection"] {
        let entry =
            |what: &str| data[&format!("resource.customizations.{what}.uko-operator.io_{kind}")].as_str().unwrap();
        assert_eq!(entry("health"), script("health"));
        let actions: Value = serde_yaml::from_str(entry("actions")).unwrap();
        assert_eq!(actions["discovery.lua"], script("discovery"));
        let mut offered: Vec<String> = Vec::new();
        for definition in actions["definitions"].as_array().unwrap() {
            let name = definition["name"].as_str().unwrap();
            assert_eq!(definition["action.lua"], script(name), "{kind} {name}");
            offered.push(name.to_owned());
        }
        offered.sort();
        let discovered = run(&script("discovery"), &json!({"kind": kind, "metadata": {}, "spec": {}})).unwrap();
        let mut discovered: Vec<_> = discovered.as_object().unwrap().keys().cloned().collect();
        discovered.sort();
        assert_eq!(offered, discovered, "what is offered for {kind} is defined, and nothing else");
    }
}

#[test]
fn the_examples_for_argo_cd_and_flux_are_whole_and_come_in_order() {
    let read = |path: &str| -> Vec<Value> {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)).unwrap();
        serde_yaml::from_multiple(&text).unwrap()
    };
    let waves: Vec<_> = read("argocd/application.yaml")
        .iter()
        .map(|one| {
            let wave = &one["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
            (wave.as_str().unwrap().to_owned(), one["metadata"]["name"].as_str().unwrap().to_owned())
        })
        .collect();
    let expected = [("0", "uko-operator"), ("1", "keys-secrets"), ("2", "keys-endpoint"), ("3", "keys-connection")];
    assert_eq!(waves, expected.map(|(wave, name)| (wave.to_owned(), name.to_owned())));
    let granted = &read("argocd/application.yaml")[0]["spec"]["source"]["helm"]["valuesObject"]["rbac"]["secretNames"];
    assert_eq!(*granted, json!({"keys": ["payments-sp", "azure-operator", "ibm-cloud"]}), "those of deploy/samples");
    for path in ["argocd/application.yaml", "argocd/applicationset.yaml", "flux/keys.yaml", "flux/keys-plain.yaml"] {
        for object in read(path) {
            let text = object.to_string();
            assert!(!text.contains("ignoreDifferences"), "{path}: nothing differs");
            for chart in text.match_indices("charts/").map(|(at, _)| text[at..].split('"').next().unwrap()) {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(chart).exists(), "{path} names {chart}");
            }
        }
    }
}

#[test]
fn an_example_for_flux_has_one_owner_and_never_takes_a_release_down_by_itself() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/flux");
    let mut owners: Vec<(String, Value)> = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let objects: Vec<Value> = serde_yaml::from_multiple(&fs::read_to_string(&path).unwrap()).unwrap();
        let of_file: Vec<&Value> = objects.iter().filter(|one| one["kind"] != "GitRepository").collect();
        assert_eq!(of_file.len(), 1, "{} has one owner", path.display());
        let named = &of_file[0]["spec"]
            .pointer("/chart/spec/sourceRef/name")
            .unwrap_or(&of_file[0]["spec"]["sourceRef"]["name"]);
        assert!(objects.iter().any(|one| one["kind"] == "GitRepository" && one["metadata"]["name"] == **named));
        owners.push((of_file[0]["kind"].as_str().unwrap().to_owned(), of_file[0]["spec"].clone()));
    }
    owners.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!([&*owners[0].0, &*owners[1].0], ["HelmRelease", "Kustomization"]);
    for action in ["install", "upgrade"] {
        assert!(owners[0].1[action]["remediation"].is_null(), "{action}: a retry uninstalls or rolls back first");
    }
}
