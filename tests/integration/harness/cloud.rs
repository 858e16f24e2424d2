//! A cloud in a box for one test: Azure and IBM Cloud behind an HTTPS proxy.
//!
//! In: the binary beside the operator's. Out: its seed, its state, its faults, what it was asked. Never: a fixed port; it ends with the test.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{
    cluster::OPERATOR,
    eventually::try_eventually,
    folder::{Folder, tail},
};

const START_DEADLINE: Duration = Duration::from_secs(30);

/// A running cloud. Dropping it ends it.
pub(crate) struct Cloud {
    child: Child,
    folder: Folder,
    control: String,
    http: reqwest::Client,
}

impl Cloud {
    /// Starts one with the built-in seed.
    pub(crate) async fn start() -> Self {
        let folder = Folder::new("cloud");
        let binary = binary();
        let log = fs::File::create(folder.join("cloud.log")).unwrap();
        let mut child = Command::new(&binary)
            .args(["--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"])
            .arg("--exit-with-stdin")
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let ready = try_eventually("the cloud in a box is ready", START_DEADLINE, async || {
            if let Some(status) = child.try_wait().unwrap() {
                return Err(format!("it ended: {status}"));
            }
            folder.join("ready").exists().then_some(()).ok_or_else(|| "no file `ready`".to_owned())
        })
        .await;
        if let Err(message) = ready {
            let _status = child.kill();
            panic!("{message}\n{}", tail(&folder.join("cloud.log"), 30));
        }
        let control = fs::read_to_string(folder.join("control")).unwrap();
        Self { child, control: control.trim().trim_end_matches('/').to_owned(), folder, http: client() }
    }

    /// What is in the cloud at the start, with every name and secret.
    pub(crate) fn seed(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.join("seed.json")).unwrap()).unwrap()
    }

    /// What a program needs in its environment to live in this cloud: proxy and CA.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        fs::read_to_string(self.folder.join("env"))
            .unwrap()
            .lines()
            .filter_map(|line| line.trim().strip_prefix("export ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), unquote(value)))
            .collect()
    }

    /// The CA that signs for every cloud host.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Everything in it now.
    pub(crate) async fn state(&self) -> Value {
        self.ask(self.http.get(self.url("state"))).await
    }

    /// Changes it behind the operator's back; a JSON merge patch.
    pub(crate) async fn patch(&self, patch: &Value) {
        self.ask(self.http.post(self.url("state")).json(patch)).await;
    }

    /// Lets calls fail, as the box's control interface describes it.
    pub(crate) async fn fault(&self, fault: &Value) {
        self.ask(self.http.post(self.url("faults")).json(fault)).await;
    }

    /// Takes every fault back.
    pub(crate) async fn no_faults(&self) {
        self.ask(self.http.delete(self.url("faults"))).await;
    }

    /// Back to the seed, without faults.
    pub(crate) async fn reset(&self) {
        self.ask(self.http.post(self.url("reset"))).await;
    }

    /// Every request after number `seq`; 0 for all.
    pub(crate) async fn requests_after(&self, seq: u64) -> Vec<Value> {
        let request = self.http.get(self.url(&format!("requests?after={seq}")));
        serde_json::from_value(self.ask(request).await).unwrap()
    }

    /// Number of the last request so far.
    pub(crate) async fn last_request(&self) -> u64 {
        let all = self.requests_after(0).await;
        all.iter().filter_map(|request| request.get("seq")?.as_u64()).max().unwrap_or(0)
    }

    /// Requests after `seq` that change something, counted by `SERVICE METHOD`. Tokens and look-ups by POST change nothing.
    pub(crate) async fn writes_after(&self, seq: u64) -> BTreeMap<String, usize> {
        let mut writes = BTreeMap::new();
        for request in self.requests_after(seq).await {
            let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or("");
            let (service, method) = (text("service"), text("method"));
            let reads = matches!(method, "GET" | "HEAD")
                || matches!(service, "entra" | "iam" | "containers")
                || text("url").contains("dry_run=true");
            if !reads {
                *writes.entry(format!("{service} {method}")).or_default() += 1;
            }
        }
        writes
    }

    /// What the box says of itself, for a failed test.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        tail(&self.folder.join("cloud.log"), lines)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.control)
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> Value {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body = answer.text().await.unwrap();
        assert!(status.is_success(), "the box answers {status}: {body}");
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A client for control and metrics ports on this machine. Not the shared stack: that is for clouds, this speaks plain HTTP to our own.
pub(super) fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap()
}

fn binary() -> PathBuf {
    let binary = Path::new(OPERATOR).with_file_name("cloud-in-a-box");
    assert!(binary.is_file(), "{} is missing; build it first: cargo build -p cloud-in-a-box", binary.display());
    binary
}

/// A value as a shell would read it; the box quotes with single or double quotes, or not at all.
fn unquote(value: &str) -> String {
    let value = value.trim();
    ['\'', '"'].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(value).to_owned()
}
