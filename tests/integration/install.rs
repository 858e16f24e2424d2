//! Installing without Helm: `deploy/install.yaml`, the kustomize overlays on top of it, and what the operator may do then.
//!
//! In: a cluster of its own, the kubectl that is built with it. Out: what a user has after one command. Never: a pod; no kubelet runs.

use serde_json::{Value, json};

use crate::harness::{Cluster, fixture::documents};

const OPERATOR: &str = "system:serviceaccount:uko-operator:uko-operator";

fn path(under: &str) -> String {
    format!("{}/deploy{under}", env!("CARGO_MANIFEST_DIR"))
}

fn succeeds(cluster: &Cluster, arguments: &[&str]) -> String {
    let told = cluster.kubectl(arguments).output().unwrap();
    assert!(told.status.success(), "kubectl {arguments:?}: {}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap()
}

fn one<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name)
}

#[tokio::test]
async fn one_command_installs_the_operator_and_an_overlay_changes_what_everyone_changes() {
    let start = || tokio::task::spawn_blocking(Cluster::start);
    let cluster = start().await.unwrap();
    let install = path("/install.yaml");
    let first = succeeds(&cluster, &["apply", "--server-side", "-f", &install]);
    assert!(
        first.lines().count() >= 12 && first.contains("deployment.apps/uko-operator serverside-applied"),
        "{first}"
    );
    succeeds(&cluster, &["diff", "--server-side", "-f", &install]);
    for kind in ["connectorendpoints", "azurekeystoreconnections"] {
        let crd = format!("crd/{kind}.uko-operator.io");
        succeeds(&cluster, &["wait", "--for=condition=Established", "--timeout=60s", &crd]);
        assert_eq!(can(&cluster, &["list", kind, "--all-namespaces"]), "yes");
    }
    assert_eq!(can(&cluster, &["list", "secrets", "--all-namespaces"]), "no");
    assert_eq!(can(&cluster, &["get", "secrets", "--namespace", "default"]), "no");

    let base = documents(&succeeds(&cluster, &["kustomize", &path("/kustomize/base")]));
    assert_eq!(base.len(), documents(&std::fs::read_to_string(&install).unwrap()).len(), "the base is install.yaml");
    let platform = documents(&succeeds(&cluster, &["kustomize", &path("/kustomize/overlays/platform")]));
    let pod = &one(&platform, "Deployment", "uko-operator").unwrap()["spec"]["template"]["spec"];
    let image = pod["containers"][0]["image"].as_str().unwrap();
    assert!(image.starts_with("registry.example.com/uko-operator@sha256:"), "{image}");
    let policy = one(&platform, "ConfigMap", "uko-operator-policy").unwrap()["data"]["policy.yaml"].as_str().unwrap();
    assert_eq!(documents(policy)[0]["rules"][0]["namespaces"], json!(["keys"]));
    let mounted =
        pod["volumes"].as_array().unwrap().iter().any(|one| one["configMap"]["name"] == "uko-operator-policy");
    assert!(mounted, "the pod reads the policy of the overlay");

    let single = documents(&succeeds(&cluster, &["kustomize", &path("/kustomize/overlays/single")]));
    assert_eq!(one(&single, "Deployment", "uko-operator").unwrap()["spec"]["replicas"], 1);
    assert_eq!(one(&single, "PodDisruptionBudget", "uko-operator"), None);
    assert!(one(&base, "PodDisruptionBudget", "uko-operator").is_some());
    succeeds(&cluster, &["apply", "--server-side", "--force-conflicts", "-k", &path("/kustomize/overlays/single")]);
}

fn can(cluster: &Cluster, what: &[&str]) -> String {
    let told = cluster.kubectl(&[["auth", "can-i", "--as", OPERATOR].as_slice(), what].concat()).output().unwrap();
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}
