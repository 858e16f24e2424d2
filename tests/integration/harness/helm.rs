//! Helm as a user has it, with the charts of this tree.
//!
//! In: `tests/tools/build.sh helm`, values. Out: what it renders, what it says. Never: the configuration of whoever runs the tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value;

use super::{Cluster, fixture::documents, folder::Folder};

/// A command of `tests/tools`, built when it is missing.
pub(crate) fn tool(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/build.sh");
    let built = Command::new(script).arg(name).output().unwrap();
    assert!(built.status.success(), "{name} was not built: {}", String::from_utf8_lossy(&built.stderr));
    PathBuf::from(String::from_utf8(built.stdout).unwrap().trim())
}

/// The folder of a chart.
pub(crate) fn chart(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(name)
}

/// A helm with a home of its own, and one file of values.
pub(crate) struct Helm {
    folder: Folder,
}

impl Helm {
    /// Takes the values as a user's file.
    pub(crate) fn with(values: &Value) -> Self {
        let folder = Folder::new("helm");
        fs::write(folder.join("values.yaml"), values.to_string()).unwrap(); // JSON is YAML
        Self { folder }
    }

    /// Replaces the values.
    pub(crate) fn set(&self, values: &Value) {
        fs::write(self.folder.join("values.yaml"), values.to_string()).unwrap();
    }

    /// `helm ARGUMENTS -f values`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The same against a cluster.
    pub(crate) fn run_on(&self, cluster: &Cluster, arguments: &[&str]) -> Output {
        self.command(arguments).env("KUBECONFIG", cluster.kubeconfig()).output().unwrap()
    }

    /// What `helm template` makes of a chart in a namespace, or what it complains of.
    pub(crate) fn template(&self, name: &str, namespace: &str) -> Result<Vec<Value>, String> {
        let chart = chart(name);
        let output = self.run(&["template", "a-release", chart.to_str().unwrap(), "--namespace", namespace]);
        if output.status.success() {
            Ok(documents(&String::from_utf8(output.stdout).unwrap()))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        static HELM: OnceLock<PathBuf> = OnceLock::new();
        let mut command = Command::new(HELM.get_or_init(|| tool("helm")));
        command
            .args(arguments)
            .arg("--values")
            .arg(self.folder.join("values.yaml"))
            .env_clear()
            .env("HOME", self.folder.path());
        command
    }
}
