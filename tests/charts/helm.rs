//! Asks helm, as a person would.
//!
//! In: a chart and values. Out: documents, or what helm says against it. Never: a cluster, whatever KUBECONFIG says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use super::tools::tool;

/// The folder of a chart.
pub(crate) fn chart(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(name)
}

/// Runs helm without the settings of whoever runs the tests.
pub(crate) fn helm(arguments: &[&str]) -> Output {
    let nowhere = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    Command::new(tool("helm"))
        .args(arguments)
        .env("KUBECONFIG", nowhere.join("no-kubeconfig"))
        .env("HELM_CACHE_HOME", nowhere.join("cache"))
        .env("HELM_CONFIG_HOME", nowhere.join("config"))
        .env("HELM_DATA_HOME", nowhere.join("data"))
        .output()
        .unwrap()
}

/// What `helm template` of release `uko` in namespace `ops` prints with these further arguments.
pub(crate) fn template(chart_name: &str, arguments: &[&str]) -> Result<String, String> {
    template_as("uko", chart_name, arguments)
}

/// The same of another release.
pub(crate) fn template_as(release: &str, chart_name: &str, arguments: &[&str]) -> Result<String, String> {
    let chart = chart(chart_name);
    let fixed = ["template", release, chart.to_str().unwrap(), "--namespace", "ops", "--kube-version", "1.31.0"];
    let output = helm(&[&fixed, arguments].concat());
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The documents of that.
pub(crate) fn documents(chart_name: &str, arguments: &[&str]) -> Vec<Value> {
    let text = template(chart_name, arguments).unwrap_or_else(|refusal| panic!("{arguments:?}: {refusal}"));
    let all: Vec<Value> = serde_yaml::from_multiple(&text).unwrap();
    all.into_iter().filter(|document| !document.is_null()).collect()
}

/// Every mode of a chart: its defaults and each file of its folder `ci`, as arguments.
pub(crate) fn modes(chart_name: &str) -> Vec<Vec<String>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(chart(chart_name).join("ci")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut modes = vec![Vec::new()];
    modes.extend(files.into_iter().map(|file| vec!["--values".to_owned(), file.to_str().unwrap().to_owned()]));
    modes
}

/// A mode as `helm` takes it.
pub(crate) fn arguments(mode: &[String]) -> Vec<&str> {
    mode.iter().map(String::as_str).collect()
}

/// The documents of one kind.
pub(crate) fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["kind"] == kind).collect()
}
