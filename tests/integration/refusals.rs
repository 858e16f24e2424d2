//! The table of refusals on a real API server: the CRDs are installed, then every case is sent as a user would send it.
//!
//! In: kubectl and a cluster. Out: nothing; the objects live in a namespace of their own and go with it. Never: a
//! controller; nothing here needs the operator.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test is what they are for")]

#[path = "../refusals/mod.rs"]
mod table;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use table::{Expected, Row};
use tokio::{io::AsyncWriteExt, process::Command};
use uko_operator::api::v1alpha1::crd_yaml;

const NAMESPACE: &str = "refusals";

/// Installs both CRDs, then expects of every case what the table says, in the API server's own words.
pub(crate) async fn every_refusal_names_field_and_cure(kubectl: &Path, kubeconfig: &Path) {
    let cache = tempfile::tempdir().unwrap();
    let kube =
        Kubectl { program: kubectl.to_owned(), kubeconfig: kubeconfig.to_owned(), cache: cache.path().to_owned() };
    install(&kube).await;
    let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } });
    kube.must(&["apply", "--server-side", "-f", "-"], &namespace.to_string()).await;

    let rows = table::table();
    let standing: Vec<&Value> = rows.iter().filter_map(|row| row.old.as_ref()).collect();
    kube.must(&["apply", "--server-side", "-f", "-"], &list(&standing)).await;

    let (changed, created): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.old.is_some());
    let mut wrong = Vec::new();
    // `--validate=ignore`: kubectl's own look at the schema would hide some answers of the server.
    for (verb, rows) in [("create", created), ("replace", changed)] {
        let objects: Vec<&Value> = rows.iter().map(|row| &row.new).collect();
        let arguments = [verb, "--dry-run=server", "--validate=ignore", "-f", "-"];
        let answer = kube.run(&arguments, &list(&objects)).await;
        let refusals = by_object(&answer.stderr);
        wrong.extend(rows.iter().filter_map(|row| judge(row, &refusals, &answer.stdout)));
    }
    kube.must(&["delete", "namespace", NAMESPACE], "").await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The server takes both CRDs, within its cost budget and without a warning, and serves them.
async fn install(kube: &Kubectl) {
    for file in crd_yaml().unwrap() {
        let arguments = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        let said = kube.must(&arguments, &file.text).await;
        assert!(!said.contains("Warning"), "{}: {said}", file.name);
    }
    for plural in ["connectorendpoints", "azurekeystoreconnections"] {
        let name = format!("crd/{plural}.uko-operator.io");
        kube.must(&["wait", "--for=condition=Established", "--timeout=60s", &name], "").await;
    }
}

/// What is wrong with the answer to one row, if anything.
fn judge(row: &Row, refusals: &BTreeMap<String, Vec<String>>, accepted: &str) -> Option<String> {
    let name = row.new["metadata"]["name"].as_str().unwrap();
    let plural = row.kind().to_lowercase();
    let taken = accepted.contains(&format!("{plural}.uko-operator.io/{name} "));
    let lines = refusals.get(&format!("{}/{name}", row.kind())).cloned().unwrap_or_default();
    let broken = lines.iter().any(|line| {
        ["no such key", "no such overload", "rule evaluation error", "failed to evaluate"]
            .iter()
            .any(|sign| line.contains(sign))
    });
    let right = match &row.expected {
        Expected::Accepted => taken && lines.is_empty(),
        Expected::Refused { field, says } => {
            !taken && !broken && lines.iter().any(|line| line.contains(field) && line.contains(says))
        }
    };
    (!right).then(|| format!("{} {}: {:?}\n  got {lines:#?}", row.kind(), row.case, row.expected))
}

/// Splits kubectl's answer to many objects: `<kind>[.<group>] "<name>" is invalid: ` opens what is said of one.
fn by_object(answer: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut object = String::from("nobody");
    for line in answer.lines() {
        let mut rest = line;
        if let Some((head, tail)) = line.split_once("\" is invalid: ")
            && let Some((before, name)) = head.rsplit_once(" \"")
            && let Some(kind) = before.rsplit(' ').next().and_then(|word| word.split('.').next())
        {
            object = format!("{kind}/{name}");
            rest = tail;
        }
        if !rest.trim().is_empty() {
            found.entry(object.clone()).or_default().push(rest.to_owned());
        }
    }
    found
}

fn list(objects: &[&Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    cache: PathBuf,
}

struct Answer {
    success: bool,
    stdout: String,
    stderr: String,
}

impl Kubectl {
    async fn run(&self, arguments: &[&str], input: &str) -> Answer {
        let mut child = Command::new(&self.program)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(["--namespace", NAMESPACE])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // kubectl reads all of its input before it answers; a command without input may close the pipe first.
        let mut stdin = child.stdin.take().unwrap();
        let _closed_early = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        Answer {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, and it must succeed; what it wrote beside its answer comes back.
    async fn must(&self, arguments: &[&str], input: &str) -> String {
        let answer = self.run(arguments, input).await;
        assert!(answer.success, "kubectl {arguments:?}: {}", answer.stderr);
        answer.stderr
    }
}
