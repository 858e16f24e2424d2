//! The chart `uko-operator`: every mode renders, bad values are refused, and what it hands to the operator is what the operator takes.

use std::{collections::BTreeSet, path::Path, process::Command};

use serde_json::{Value, json};
use uko_operator::api::v1alpha1::crds;

use crate::helm::{arguments, chart, documents, helm, modes, of_kind, template, template_as};

const CHART: &str = "uko-operator";

#[test]
fn every_mode_passes_the_strict_lint() {
    for mode in modes(CHART) {
        let path = chart(CHART);
        let output = helm(&[&["lint", "--strict", path.to_str().unwrap()], &*arguments(&mode)].concat());
        assert!(output.status.success(), "{mode:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn every_mode_renders_objects_that_have_a_place_and_a_name_of_their_own() {
    assert!(modes(CHART).len() >= 6);
    for mode in modes(CHART) {
        let mut seen = BTreeSet::new();
        for document in documents(CHART, &arguments(&mode)) {
            let text = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (kind, name, namespace) = (text("/kind"), text("/metadata/name"), text("/metadata/namespace"));
            let everywhere = ["CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding"].contains(&kind.as_str());
            assert_eq!(namespace.is_empty(), everywhere, "{mode:?}: {kind} {name} in `{namespace}`");
            assert!(text("/metadata/labels/app.kubernetes.io~1managed-by") == "Helm", "{mode:?}: {kind} {name}");
            assert!(seen.insert((kind.clone(), namespace, name.clone())), "{mode:?}: {kind} {name} twice");
        }
    }
}

#[test]
fn every_pod_has_two_siblings_unless_asked_otherwise_and_nothing_to_write_to() {
    for mode in modes(CHART) {
        let rendered = documents(CHART, &arguments(&mode));
        let pods: Vec<&Value> = of_kind(&rendered, "Deployment")
            .iter()
            .map(|one| &one["spec"]["template"]["spec"])
            .chain(of_kind(&rendered, "Pod").iter().map(|one| &one["spec"]))
            .collect();
        assert_eq!(pods.len(), 2, "the operator and its check");
        for pod in pods {
            // No runAsUser: OpenShift's restricted-v2 admits only those of the namespace's own range.
            let wanted = json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}});
            assert_eq!(pod["securityContext"], wanted, "{mode:?}");
            let security = &pod["containers"][0]["securityContext"];
            let wanted = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}});
            assert_eq!(*security, wanted, "{mode:?}");
        }
    }
    let rendered = documents(CHART, &[]);
    assert_eq!(of_kind(&rendered, "Deployment")[0]["spec"]["replicas"], 2);
    assert_eq!(of_kind(&rendered, "PodDisruptionBudget").len(), 1);
    let alone = documents(CHART, &["--set", "replicas=1"]);
    assert_eq!(of_kind(&alone, "PodDisruptionBudget").len(), 0, "a budget of one pod would block every drain");
}

#[test]
fn the_crds_are_those_of_the_binary_and_stay_on_uninstall() {
    let rendered = documents(CHART, &[]);
    let found = of_kind(&rendered, "CustomResourceDefinition");
    let ours = crds();
    assert_eq!(found.len(), ours.len());
    for crd in ours {
        let name = crd.metadata.name.clone().unwrap();
        let one = found.iter().find(|one| one["metadata"]["name"] == name.as_str()).unwrap();
        assert_eq!(one["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
        let kind: String = serde_json::from_value(one["spec"]["names"]["kind"].clone()).unwrap();
        assert_eq!(kind, crd.spec.names.kind);
        let versions = one["spec"]["versions"].as_array().unwrap();
        assert_eq!(versions.len(), crd.spec.versions.len());
        assert!(versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"].is_object());
    }
    assert!(of_kind(&documents(CHART, &["--set", "crds.enabled=false"]), "CustomResourceDefinition").is_empty());
}

#[test]
fn a_typo_or_a_bad_value_is_refused_with_its_place() {
    for (set, words) in [
        ("replica=3", "replica"),
        ("crds.enable=true", "enable"),
        ("policy.rule=1", "rule"),
        ("policy.rules[0].namespace=keys", "namespace"),
        ("policy.rules[0].ukoInstances[0]=x", "/policy/rules/0"),
        ("policy.rules[0].namespaces[0]=keys,policy.rules[0].ukoServers[0]=http://uko", "ukoServers"),
        ("policy.rules[0].namespaces[0]=keys,policy.rules[0].ukoServers[0]=https://uko.example.com/api", "ukoServers"),
        ("policy.rules[0].namespaces[0]=keys,policy.rules[0].ukoServers[0]=https://me@uko.example.com", "ukoServers"),
        ("proxy.httpsProxy=http://me:word@proxy:3128", "/proxy/httpsProxy"),
        ("watchNamespaces[0]=Keys", "/watchNamespaces/0"),
        ("image.digest=sha256:12", "/image/digest"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("settings.minIntervall=5s", "minIntervall"),
        ("settings.minInterval=5", "/settings/minInterval"),
        ("settings.requestTimeout=0s", "/settings/requestTimeout"),
        ("fullnameOverride=a.b", "/fullnameOverride"),
        ("settings.linkScope=agents", "/settings/linkScope"),
        ("settings.concurrency=0", "/settings/concurrency"),
        ("settings.logFormat=xml", "/settings/logFormat"),
        ("settings.logLevel=warning", "/settings/logLevel"),
        ("extraCA.pem=nothing", "/extraCA/pem"),
        ("prices.currency=EUR", "/prices/pricesAsOf"),
        ("prices.furtherKeystore=-1", "/prices/furtherKeystore"),
        ("proxy.httpsProxy=proxy:3128", "/proxy/httpsProxy"),
        ("rbac.secretNames.Keys[0]=a", "Keys"),
        ("rbac.secretNames.keys=a", "/rbac/secretNames/keys"),
        ("networkPolicy.extraEgressPorts[0]=70000", "/networkPolicy/extraEgressPorts/0"),
        ("serviceMonitor.enable=true", "enable"),
        ("serviceMonitor.interval=30", "/serviceMonitor/interval"),
        ("prometheusRule.runbookBaseUrl=docs", "/prometheusRule/runbookBaseUrl"),
        ("dashboard.label=x", "label"),
        ("tolerations[0]=x", "/tolerations/0"),
        ("rbac.readSecretsOfWatchedNamespaces=true", "needs watchNamespaces"),
        ("serviceAccount.create=false", "serviceAccount.name"),
    ] {
        let refusal = template(CHART, &["--set", set]).expect_err(set);
        let words: Vec<&str> = words.split('/').filter(|word| !word.is_empty()).collect();
        assert!(words.iter().all(|word| refusal.contains(word)), "{set}: {refusal}");
    }
}

#[test]
fn the_pod_of_the_check_stays_for_its_log() {
    let rendered = documents(CHART, &[]);
    let policy = &of_kind(&rendered, "Pod")[0]["metadata"]["annotations"]["helm.sh/hook-delete-policy"];
    assert_eq!(*policy, "before-hook-creation", "Helm 3 reads the log after it has deleted what succeeded");
}

#[test]
fn a_port_is_named_once_however_often_it_is_asked_for() {
    let rendered = documents(CHART, &["--set", "networkPolicy.extraEgressPorts={8443,443}"]);
    let ports = &of_kind(&rendered, "NetworkPolicy")[0]["spec"]["egress"][1]["ports"];
    let ports: Vec<&Value> = ports.as_array().unwrap().iter().map(|one| &one["port"]).collect();
    assert_eq!(ports, [443, 6443, 8443]);
}

#[test]
fn a_release_whose_name_no_service_can_have_is_refused_with_the_cure() {
    let refusal = template_as("1op", CHART, &[]).unwrap_err();
    assert!(refusal.contains("1op-uko-operator") && refusal.contains("fullnameOverride"), "{refusal}");
    assert!(template_as("1op", CHART, &["--set", "fullnameOverride=op"]).is_ok());
}

#[test]
fn a_kubernetes_without_the_cidr_library_is_refused() {
    let refusal = template(CHART, &["--kube-version", "1.30.9"]).unwrap_err();
    assert!(refusal.contains("1.31"), "{refusal}");
}

/// `--name` and default of each flag of `uko-operator run`, as its help says.
fn flags_of_the_binary() -> Vec<(String, Option<String>)> {
    let help = Command::new(env!("CARGO_BIN_EXE_uko-operator")).args(["run", "--help"]).env_clear().output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = Vec::new();
    for line in help.lines() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("--") {
            flags.push((name.split([' ', '=']).next().unwrap().to_owned(), None));
        } else if let Some(default) = line.strip_prefix("[default: ")
            && let Some(last) = flags.last_mut()
        {
            last.1 = Some(default.trim_end_matches(']').to_owned());
        }
    }
    flags
}

const PRICES: &str =
    r#"prices={"pricesAsOf": "2026-03-31", "currency": "EUR", "firstKeystore": "3400.50", "furtherKeystore": "65.00"}"#;

#[test]
fn every_flag_of_the_operator_is_a_value_with_the_same_default_or_set_by_the_chart() {
    let rendered = documents(
        CHART,
        &[
            "--set",
            "extraCA.existingConfigMap=cas,watchNamespaces={keys},settings.clusterId=blue",
            "--set-json",
            PRICES,
        ],
    );
    let container = of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0].clone();
    let given: Vec<(String, String)> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|argument| argument.as_str().unwrap().strip_prefix("--")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let flags = flags_of_the_binary();
    assert!(flags.len() > 20, "{flags:?}");
    // The pod says these by POD_NAMESPACE and POD_NAME.
    for (name, default) in flags.iter().filter(|(name, _)| !["namespace", "identity"].contains(&name.as_str())) {
        let Some((_, value)) = given.iter().find(|(given, _)| given == name) else {
            panic!("the chart has no value for --{name}");
        };
        if let Some(default) = default {
            assert_eq!(value, default, "--{name}");
        }
    }
    let unknown: Vec<_> = given.iter().filter(|(name, _)| !flags.iter().any(|(flag, _)| flag == name)).collect();
    assert!(unknown.is_empty(), "the operator has no such flags: {unknown:?}");
    let environment: Vec<&Value> = container["env"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(environment, ["POD_NAME", "POD_NAMESPACE"]);
}

#[test]
fn the_image_is_a_digest_where_one_is_given() {
    let image = |set: &str| {
        let rendered = documents(CHART, &["--set", set]);
        of_kind(&rendered, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]["image"].clone()
    };
    let digest = format!("sha256:{}", "ab".repeat(32));
    assert_eq!(image("image.repository=r.example.com/uko"), format!("r.example.com/uko:{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(image("image.tag=v9"), "uko-operator:v9");
    assert_eq!(image(&format!("image.tag=v9,image.digest={digest}")), format!("uko-operator@{digest}"));
}

#[test]
fn the_chart_has_the_version_of_the_operator() {
    let text = std::fs::read_to_string(chart(CHART).join("Chart.yaml")).unwrap();
    let head: Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(head["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(head["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_notes_call_an_empty_policy_an_error_and_name_three_commands() {
    let notes = |set: &[&str]| {
        let path = chart(CHART);
        let fixed = ["install", "uko", path.to_str().unwrap(), "--namespace", "ops", "--dry-run=client"];
        let output = helm(&[&fixed, set].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        text.split_once("NOTES:").unwrap().1.to_owned()
    };
    let empty = notes(&[]);
    assert!(empty.contains("ERROR: policy.rules is empty") && empty.contains("ukoInstances"), "{empty}");
    let file = Path::new("one-team-values.yaml");
    let file = chart(CHART).join("ci").join(file);
    let full = notes(&["--values", file.to_str().unwrap()]);
    assert!(!full.contains("ERROR"), "{full}");
    let commands: Vec<&str> = full.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    let wanted = [
        "kubectl -n ops rollout status deployment/uko-uko-operator",
        "helm test uko -n ops --logs",
        "kubectl get uko -A",
    ];
    assert_eq!(commands, wanted);
}
