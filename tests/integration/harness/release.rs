//! The operator as `charts/uko-operator` installs it. No kubelet runs: the test starts the container's command itself, with the
//! arguments, the policy and the ServiceAccount that stand in the cluster.
//!
//! In: a cluster, values. Out: a release, and the processes its pods would be. Never: a right that the chart did not grant.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use super::{
    Cluster, Helm, Operator, Options, World,
    cluster::OPERATOR,
    fixture::{at, documents},
    folder::Folder,
    helm::chart,
};

/// Name of every release.
pub(crate) const RELEASE: &str = "uko-operator";

/// A release of the chart in the namespace of the same name.
pub(crate) struct Release {
    cluster: &'static Cluster,
    helm: Helm,
    folder: Folder,
}

impl Release {
    /// What whoever runs the operator writes down, with the quick timings of tests.
    pub(crate) fn new(world: &World, values: &Value) -> Self {
        let mut all = json!({
            "policy": world.fixture.policy(&world.namespace),
            "settings": {
                "requestTimeout": "5s", "backoffInitial": "200ms", "backoffMax": "2s", "pollInterval": "200ms",
                "minInterval": "2s", "readyGrace": "3s", "progressDeadline": "60s",
            },
        });
        merge(&mut all, values);
        Self { cluster: world.cluster, helm: Helm::with(&all), folder: Folder::new("release") }
    }

    /// A namespace that refuses a pod which is not restricted.
    pub(crate) fn make_namespace(&self) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
            "name": RELEASE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
        }});
        let applied = self.cluster.kubectl_apply(&[], namespace.to_string().as_bytes());
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    }

    /// `helm VERB uko-operator CHART` in its namespace; without a chart, the one of this tree.
    pub(crate) fn helm(&self, verb: &str, chart_at: Option<&Path>) -> String {
        let path = chart_at.map_or_else(|| chart("uko-operator"), Path::to_path_buf);
        self.run(&[verb, RELEASE, path.to_str().unwrap(), "--namespace", RELEASE])
    }

    /// `helm uninstall`.
    pub(crate) fn uninstall(&self) -> String {
        // `uninstall` takes no values, so this is not the file's business.
        let kubeconfig = self.cluster.kubeconfig().to_path_buf();
        said(&self.helm.bare(&["uninstall", RELEASE, "--namespace", RELEASE], &kubeconfig))
    }

    fn run(&self, arguments: &[&str]) -> String {
        said(&self.helm.run_on(self.cluster, arguments))
    }

    /// A copy of the chart with one text of one file replaced, as an older version had it.
    pub(crate) fn older_chart(&self, file: &str, now: &str, then: &str) -> PathBuf {
        let copy = self.folder.join("older");
        let copied = Command::new("cp").arg("-r").arg(chart("uko-operator")).arg(&copy).status().unwrap();
        assert!(copied.success());
        for (file, now, then) in [(file, now, then), ("Chart.yaml", "\nversion: ", "\nversion: 0.0.1-before+")] {
            let text = fs::read_to_string(copy.join(file)).unwrap();
            assert!(text.contains(now), "{file} has no {now}");
            fs::write(copy.join(file), text.replacen(now, then, 1)).unwrap();
        }
        copy
    }

    /// What `kubectl get` says, as JSON.
    pub(crate) fn get(&self, arguments: &[&str]) -> Value {
        let output = self.cluster.kubectl(&[&["get", "--output", "json"], arguments].concat()).output().unwrap();
        serde_json::from_str(&said(&output)).unwrap()
    }

    /// The operator of the Deployment, with the token of its ServiceAccount and nothing else.
    pub(crate) fn start_operator(&self, world: &World) -> Operator {
        let deployment = self.get(&["deployment", RELEASE, "--namespace", RELEASE]);
        let pod = at(&deployment, "/spec/template/spec").clone();
        let policy =
            self.get(&["configmap", at(&pod, "/volumes/0/configMap/name").as_str().unwrap(), "--namespace", RELEASE]);
        let policy = documents(at(&policy, "/data/policy.yaml").as_str().unwrap()).remove(0);
        let arguments = strings(at(&pod, "/containers/0/args"));
        assert_eq!(arguments[0], "run");
        let options = Options::deployed(&arguments[1..], policy)
            .env("POD_NAMESPACE", RELEASE)
            .kubeconfig(self.kubeconfig_of(at(&pod, "/serviceAccountName").as_str().unwrap()));
        Operator::start(world.cluster, &world.cloud, &options)
    }

    /// Runs what the pod of `helm test` would, as its ServiceAccount; further arguments replace its own.
    pub(crate) async fn check(&self, further: &[&str]) -> Output {
        let hooks = documents(&said(
            &self.helm.bare(&["get", "hooks", RELEASE, "--namespace", RELEASE], self.cluster.kubeconfig()),
        ));
        let pod = hooks.iter().find(|hook| hook["kind"] == "Pod").unwrap();
        for hook in hooks.iter().filter(|hook| hook["kind"] != "Pod") {
            let applied = self.cluster.kubectl_apply(&[], hook.to_string().as_bytes());
            assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        }
        let mut command = tokio::process::Command::new(OPERATOR);
        let own = strings(at(pod, "/spec/containers/0/args"));
        let own =
            own.into_iter().filter(|one| !further.iter().any(|other| one.split('=').next() == other.split('=').next()));
        command
            .args(own)
            .args(further)
            .env_clear()
            .env("KUBECONFIG", self.kubeconfig_of(at(pod, "/spec/serviceAccountName").as_str().unwrap()));
        command.output().await.unwrap()
    }

    /// A kubeconfig with a token of a ServiceAccount of the release's namespace, and no other credential.
    fn kubeconfig_of(&self, account: &str) -> PathBuf {
        let token = self.cluster.kubectl(&["create", "token", account, "--namespace", RELEASE]).output().unwrap();
        let token = said(&token).trim().to_owned();
        let admin = self.cluster.kubectl(&["config", "view", "--raw", "--output", "json"]).output().unwrap();
        let mut config: Value = serde_json::from_str(&said(&admin)).unwrap();
        config["users"][0]["user"] = json!({ "token": token });
        let path = self.folder.join(&format!("{account}.kubeconfig"));
        fs::write(&path, config.to_string()).unwrap();
        path
    }
}

/// What a command printed, which must have gone well.
fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}
