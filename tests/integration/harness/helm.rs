//! Helm as a user has it, with the charts of this tree.
//!
//! In: the helm of `tests/tools`, values. Out: what it says. Never: the configuration of whoever runs the tests.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::{Cluster, folder::Folder};
use crate::tools::tool;

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

    /// `helm ARGUMENTS -f values` against a cluster.
    pub(crate) fn run_on(&self, cluster: &Cluster, arguments: &[&str]) -> Output {
        self.plain(arguments)
            .arg("--values")
            .arg(self.folder.join("values.yaml"))
            .env("KUBECONFIG", cluster.kubeconfig())
            .output()
            .unwrap()
    }

    /// `helm ARGUMENTS` against a cluster, for what takes no values.
    pub(crate) fn bare(&self, arguments: &[&str], kubeconfig: &Path) -> Output {
        self.plain(arguments).env("KUBECONFIG", kubeconfig).output().unwrap()
    }

    fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(tool("helm"));
        command.args(arguments).env_clear().env("HOME", self.folder.path());
        command
    }
}
