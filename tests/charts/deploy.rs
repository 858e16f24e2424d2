//! What is installed without Helm is what the chart renders: `deploy/install.yaml`, the same as base of
//! kustomize, and `deploy/argocd/argocd-cm.yaml`.
//!
//! In: the chart with its own values. Out: three files. Never: a rule or a script that is written twice.
//! `UPDATE_GENERATED=1 cargo test --test charts deploy` writes them anew.

use std::{fs, path::Path};

use crate::helm::{chart, helm};

/// Says where a file comes from.
const HEAD: &str = "# Made from charts/uko-operator: UPDATE_GENERATED=1 cargo test --test charts deploy\n";

/// What only Helm reads.
const OF_HELM: [&str; 5] = [
    "# Source: ",
    "    app.kubernetes.io/managed-by: Helm",
    "    helm.sh/chart: ",
    "    helm.sh/resource-policy: ",
    "        helm.sh/chart: ",
];

fn in_step(file: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    if std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1") {
        fs::write(&path, wanted).unwrap();
    }
    let again = "UPDATE_GENERATED=1 cargo test --test charts deploy";
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "{} is not what the chart renders; run: {again}", path.display());
}

/// The chart as release and namespace `uko-operator`, without what only Helm reads.
fn rendered(arguments: &[&str]) -> String {
    let chart = chart("uko-operator");
    let fixed = ["template", "uko-operator", chart.to_str().unwrap(), "--namespace", "uko-operator"];
    let output = helm(&[&fixed, ["--kube-version", "1.31.0", "--skip-tests"].as_slice(), arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !OF_HELM.iter().any(|start| line.starts_with(start)));
    let text = lines.flat_map(|line| [line.trim_end(), "\n"]).collect::<String>();
    // CRDs have an annotation for Helm and no other.
    text.replace("  annotations:\n  labels:\n", "  labels:\n")
}

#[test]
fn what_is_installed_without_helm_is_what_the_chart_renders() {
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: uko-operator\n  labels:\n    \
                     pod-security.kubernetes.io/enforce: restricted\n";
    let text = rendered(&[]);
    assert!(!text.contains("helm"), "something for Helm is left");
    let whole = format!("{HEAD}{namespace}{text}");
    in_step("install.yaml", &whole);
    in_step("kustomize/base/operator.yaml", &whole); // kustomize reads nothing outside its folder
}

#[test]
fn the_snippet_for_argo_cd_is_what_the_chart_renders() {
    let text = rendered(&["--set", "argocd.healthChecks.enabled=true", "--show-only", "templates/argocd-cm.yaml"]);
    let (_, data) = text.split_once("\ndata:\n").unwrap();
    let what = "# Adds to the ConfigMap that Argo CD already has:\n\
                #   kubectl -n argocd patch configmap argocd-cm --type merge --patch-file deploy/argocd/argocd-cm.yaml\n";
    let head = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: argocd-cm\n  namespace: argocd\ndata:\n";
    in_step("argocd/argocd-cm.yaml", &format!("{HEAD}{what}{head}{data}"));
}
