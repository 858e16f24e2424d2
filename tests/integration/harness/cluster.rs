//! The Kubernetes that the tests share.
//!
//! In: `tests/cluster/run.sh`, or `UKO_OPERATOR_TEST_KUBECONFIG` for a cluster of the user's own. Out: admin access and the CRDs of
//! the shipped binary. Never: a cluster that outlives the test process: `run.sh` ends when its standard input closes.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind},
};

use super::folder::{Folder, tail};

/// The binary under test.
pub(crate) const OPERATOR: &str = env!("CARGO_BIN_EXE_uko-operator");
/// The first start on a machine builds Kubernetes from source.
const START_DEADLINE: Duration = Duration::from_mins(40);

const AUDIT_LOG: &str = "audit.log";

/// Admin access to a Kubernetes.
pub(crate) struct Cluster {
    kubeconfig: PathBuf,
    kubectl: PathBuf,
    ours: Option<ControlPlane>,
    crds: OnceLock<()>,
}

impl Cluster {
    /// The one cluster of this test process.
    pub(crate) async fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        let start = || SHARED.get_or_init(|| Self::users_own().unwrap_or_else(Self::start));
        blocking(start).await
    }

    /// The same with the CRDs of the shipped binary, installed once.
    pub(crate) async fn with_crds() -> &'static Self {
        let cluster = Self::shared().await;
        let install = || cluster.crds.get_or_init(|| cluster.install_crds());
        blocking(install).await;
        cluster
    }

    fn users_own() -> Option<Self> {
        let kubeconfig = PathBuf::from(env::var_os("UKO_OPERATOR_TEST_KUBECONFIG")?);
        assert!(
            kubeconfig.is_file(),
            "UKO_OPERATOR_TEST_KUBECONFIG names {}, which is not a file",
            kubeconfig.display()
        );
        Some(Self { kubeconfig, kubectl: PathBuf::from("kubectl"), ours: None, crds: OnceLock::new() })
    }

    /// A cluster of its own, without CRDs, that ends when it is dropped. Blocks until it answers.
    pub(crate) fn start() -> Self {
        Self::of(ControlPlane::start(false))
    }

    fn of(plane: ControlPlane) -> Self {
        Self {
            kubeconfig: plane.folder.join("kubeconfig"),
            kubectl: plane.folder.join("kubectl"),
            ours: Some(plane),
            crds: OnceLock::new(),
        }
    }

    /// A cluster of its own that writes down who asked its API server for what. It ends with this process.
    pub(crate) async fn audited() -> &'static Self {
        blocking(|| -> &'static Self { Box::leak(Box::new(Self::of(ControlPlane::start(true)))) }).await
    }

    /// The audit log so far, a JSON object a line.
    pub(crate) fn audit_log(&self) -> String {
        let plane = self.ours.as_ref().expect("a cluster of our own");
        fs::read_to_string(plane.folder.join(AUDIT_LOG)).unwrap()
    }

    /// A client for the calling test. Not shared: a client belongs to the runtime that made it.
    pub(crate) async fn client(&self) -> Client {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        Client::try_from(config).unwrap()
    }

    /// For `KUBECONFIG`.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// kubectl of its version.
    pub(crate) fn kubectl_path(&self) -> &Path {
        &self.kubectl
    }

    /// Whether it goes away with this process, so that nothing in it needs tidying.
    pub(crate) fn is_ours(&self) -> bool {
        self.ours.is_some()
    }

    /// Process ids of etcd, API server and controller manager; empty for a user's own cluster.
    pub(crate) fn processes(&self) -> Vec<u32> {
        self.ours.as_ref().map(ControlPlane::processes).unwrap_or_default()
    }

    /// Process id of the script that keeps them.
    pub(crate) fn keeper(&self) -> Option<u32> {
        self.ours.as_ref().map(|plane| plane.script.id())
    }

    /// kubectl of the cluster's version, as admin.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command
    }

    /// Applies YAML as a user would and returns what kubectl said.
    pub(crate) fn kubectl_apply(&self, arguments: &[&str], yaml: &[u8]) -> Output {
        let mut child = self
            .kubectl(&["apply", "--server-side", "-f", "-"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl must start");
        child.stdin.take().unwrap().write_all(yaml).unwrap();
        child.wait_with_output().unwrap()
    }

    fn install_crds(&self) {
        let crds = Command::new(OPERATOR).arg("crds").output().unwrap();
        assert!(
            crds.status.success() && !crds.stdout.is_empty(),
            "`uko-operator crds` printed no CRD: {}",
            String::from_utf8_lossy(&crds.stderr)
        );
        let applied = self.kubectl_apply(&[], &crds.stdout);
        assert!(
            applied.status.success(),
            "the API server refuses the CRDs: {}",
            String::from_utf8_lossy(&applied.stderr)
        );
        let established = self
            .kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd"])
            .args(["connectorendpoints.uko-operator.io", "azurekeystoreconnections.uko-operator.io"])
            .output()
            .unwrap();
        assert!(
            established.status.success(),
            "the CRDs do not get established: {}",
            String::from_utf8_lossy(&established.stderr)
        );
    }
}

/// Runs what blocks beside the runtime; its panic is ours.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Where a kind is served: ours in our group, the rest in the core group.
pub(crate) fn api_resource(kind: &str) -> ApiResource {
    match kind {
        "ConnectorEndpoint" | "AzureKeystoreConnection" => {
            ApiResource::from_gvk(&GroupVersionKind::gvk("uko-operator.io", "v1alpha1", kind))
        }
        "Lease" => ApiResource::from_gvk(&GroupVersionKind::gvk("coordination.k8s.io", "v1", kind)),
        _ => ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind)),
    }
}

/// `run.sh` and what it started. Dropping it, or the death of this process, closes the script's standard input.
struct ControlPlane {
    script: Child,
    folder: Folder,
}

impl ControlPlane {
    fn start(audited: bool) -> Self {
        let folder = Folder::new("cluster");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/run.sh");
        let child = Command::new(&script)
            .arg("--exit-with-stdin")
            .arg(folder.path())
            .envs(audited.then(|| ("AUDIT_LOG", folder.join(AUDIT_LOG))))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.join("run.log")).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
        let mut plane = Self { script: child, folder };
        plane.wait_until_ready();
        plane
    }

    fn wait_until_ready(&mut self) {
        let started = Instant::now();
        while !self.folder.join("ready").exists() {
            let ended = self.script.try_wait().unwrap();
            assert!(
                ended.is_none() && started.elapsed() < START_DEADLINE,
                "the cluster does not start ({ended:?}):\n{}",
                tail(&self.folder.join("run.log"), 30)
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn processes(&self) -> Vec<u32> {
        ["etcd", "kube-apiserver", "kube-controller-manager"]
            .iter()
            .map(|name| {
                let file = self.folder.join(&format!("{name}.pid"));
                fs::read_to_string(file).unwrap().trim().parse().unwrap()
            })
            .collect()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // `wait` closes the standard input first; the script then ends by itself.
        let _status = self.script.wait();
    }
}
