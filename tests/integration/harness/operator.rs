//! The shipped binary, running for one test.
//!
//! In: a cluster, a cloud, a policy, flags. Out: a process, its log and metrics. Never: a test hook; only flags a user has.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use serde_json::Value;

use super::{
    cloud::{Cloud, client},
    cluster::{Cluster, OPERATOR},
    eventually::{eventually, try_eventually},
    folder::{Folder, tail},
    gate::Gate,
};

/// How long it may take to say where it listens, or to leave.
const PROCESS_DEADLINE: Duration = Duration::from_mins(1);

/// What a test may say of the operator it wants.
#[derive(Clone)]
pub(crate) struct Options {
    namespaces: Vec<String>,
    policy: Value,
    flags: BTreeMap<String, String>,
    kubeconfig: Option<PathBuf>,
    environment: BTreeMap<String, String>,
}

impl Options {
    /// Quick timings, one namespace, a policy.
    pub(crate) fn new(namespace: &str, policy: Value) -> Self {
        let quick = [
            ("request-timeout", "5s"),
            ("backoff-initial", "200ms"),
            ("backoff-max", "2s"),
            ("poll-interval", "200ms"),
            ("min-interval", "2s"),
            ("ready-grace", "3s"),
            ("progress-deadline", "60s"),
            ("listen", "127.0.0.1:0"),
            ("namespace", namespace),
        ];
        Self {
            namespaces: vec![namespace.to_owned()],
            policy,
            flags: quick.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            kubeconfig: None,
            environment: BTreeMap::new(),
        }
    }

    /// What a Deployment says, with its own timings. Files and port are this machine's: they keep the harness's names.
    pub(crate) fn deployed(arguments: &[String], policy: Value) -> Self {
        let mut options = Self { namespaces: Vec::new(), flags: BTreeMap::new(), ..Self::new("", policy) };
        for argument in arguments {
            let (name, value) = argument.trim_start_matches("--").split_once('=').unwrap();
            match name {
                "watch-namespace" => options.namespaces.push(value.to_owned()),
                "policy" | "prices" | "extra-ca-file" => {}
                "listen" => options = options.flag(name, "127.0.0.1:0"),
                _ => options = options.flag(name, value),
            }
        }
        options
    }

    /// Takes the rights of this kubeconfig in place of the admin's.
    pub(crate) fn kubeconfig(mut self, path: PathBuf) -> Self {
        self.kubeconfig = Some(path);
        self
    }

    /// Sets `--name value`, instead of what was there.
    pub(crate) fn flag(mut self, name: &str, value: &str) -> Self {
        self.flags.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Reaches Kubernetes through a gate.
    pub(crate) fn through(mut self, gate: &Gate) -> Self {
        self.kubeconfig = Some(gate.kubeconfig());
        self
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Watches one more namespace.
    pub(crate) fn also_watch(mut self, namespace: &str) -> Self {
        self.namespaces.push(namespace.to_owned());
        self
    }
}

/// A running operator. Dropping it kills it.
pub(crate) struct Operator {
    child: Child,
    folder: Folder,
}

impl Operator {
    /// Starts the shipped binary as the cluster's admin. Returns at once; wait for what it does, not for it.
    pub(crate) fn start(cluster: &Cluster, cloud: &Cloud, options: &Options) -> Self {
        let folder = Folder::new("operator");
        let policy = folder.join("policy.yaml");
        fs::write(&policy, options.policy.to_string()).unwrap(); // JSON is YAML
        let log = fs::File::create(folder.join("operator.log")).unwrap();
        let mut command = Command::new(OPERATOR);
        command.arg("run").arg("--policy").arg(&policy);
        for namespace in &options.namespaces {
            command.args(["--watch-namespace", namespace]);
        }
        for (name, value) in &options.flags {
            command.arg(format!("--{name}")).arg(value);
        }
        let child = command
            .arg("--extra-ca-file")
            .arg(cloud.ca())
            .env_clear() // whoever runs the tests may have a proxy and a KUBECONFIG of their own
            .env("KUBECONFIG", options.kubeconfig.as_deref().unwrap_or(cluster.kubeconfig()))
            .env("HOME", folder.path())
            .env("RUST_LOG", "info,uko_operator=debug")
            .envs(cloud.env().into_iter().filter(|(name, _)| is_proxy(name)))
            .envs(&options.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    /// Replaces its policy file, as the kubelet does when a `ConfigMap` changes: in one step.
    pub(crate) fn set_policy(&self, policy: &Value) {
        self.write_policy(&policy.to_string());
    }

    /// The same with a text, right or wrong.
    pub(crate) fn write_policy(&self, text: &str) {
        fs::write(self.folder.join("policy.new"), text).unwrap();
        fs::rename(self.folder.join("policy.new"), self.folder.join("policy.yaml")).unwrap();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it wrote to stdout and stderr.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.folder.join("operator.log")).unwrap()).into_owned()
    }

    /// The end of that.
    pub(crate) fn log_tail(&self, lines: usize) -> String {
        tail(&self.folder.join("operator.log"), lines)
    }

    /// Whether it ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Where `/healthz`, `/readyz` and `/metrics` are: the port that it says in its log.
    pub(crate) async fn address(&self) -> SocketAddr {
        let found = try_eventually("the operator says where it listens", PROCESS_DEADLINE, async || {
            listening_at(&self.log()).ok_or("no line about listening on 127.0.0.1:PORT")
        })
        .await;
        found.unwrap_or_else(|message| panic!("{message}\n{}", self.log_tail(30)))
    }

    /// Waits until it sees the API server, the CRDs and the Lease: `/readyz` says so.
    pub(crate) async fn is_answering(&self) {
        eventually("the operator is ready", PROCESS_DEADLINE, async || match self.get("/readyz").await {
            (200, _) => Ok(()),
            (status, body) => Err(format!("{status} {body}")),
        })
        .await;
    }

    /// Status and body of one of its own pages.
    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address().await);
        let answer = client().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Its metrics as Prometheus reads them.
    pub(crate) async fn metrics(&self) -> String {
        let (status, body) = self.get("/metrics").await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Asks it to leave (SIGTERM) and waits until it did.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        eventually("the operator leaves after SIGTERM", PROCESS_DEADLINE, async || {
            self.child.try_wait().unwrap().ok_or("it still runs")
        })
        .await
    }

    /// Stops it where it stands (SIGKILL).
    pub(crate) fn kill(&mut self) {
        let _already_gone = self.child.kill();
        let _status = self.child.wait();
    }

    /// Freezes it as a paused virtual machine would (SIGSTOP).
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// Wakes it again.
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("bash").args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &id]).status().unwrap();
        assert!(sent.success(), "cannot send SIG{name} to {id}");
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The CA goes by flag, as a user's would; a variable that replaces the system's CAs would hide a mistake there.
fn is_proxy(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("_proxy")
}

/// The first address with a port on a line that speaks of listening, in text or JSON.
fn listening_at(log: &str) -> Option<SocketAddr> {
    log.lines()
        .filter(|line| line.to_ascii_lowercase().contains("listen"))
        .flat_map(|line| line.split(|letter: char| !(letter.is_ascii_digit() || ".:".contains(letter))))
        .filter_map(|word| word.trim_matches(':').parse::<SocketAddr>().ok())
        .find(|address| address.port() != 0)
}

#[test]
fn the_port_is_found_in_text_and_in_json() {
    let expected = Some("127.0.0.1:4711".parse().unwrap());
    assert_eq!(listening_at("asked for --listen 127.0.0.1:0\nINFO listening address=127.0.0.1:4711"), expected);
    assert_eq!(listening_at(r#"{"message":"Listening","address":"127.0.0.1:4711","level":"INFO"}"#), expected);
    assert_eq!(listening_at("INFO listening on http://127.0.0.1:4711/"), expected);
    assert_eq!(
        listening_at("12:30:07.123 INFO serving /metrics \u{1b}[3mlisten\u{1b}[0m\u{1b}[2m=\u{1b}[0m127.0.0.1:4711"),
        expected
    );
    assert_eq!(listening_at("INFO connected to 127.0.0.1:4711"), None);
}
