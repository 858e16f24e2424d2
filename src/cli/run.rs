//! `uko-operator run`: wires the process and hands it to its supervisor.
//!
//! In: [`Settings`]. Out: how it ended. Never: decides; every part is made elsewhere, here they only meet.

use std::{error::Error, sync::Arc, time::Duration};

use anyhow::Context as _;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client, Resource};
use tokio::sync::watch;
use tracing::info;

use crate::{
    api::v1alpha1::{AzureKeystoreConnection, ConnectorEndpoint, GROUP, VERSION as API_VERSION},
    process::{
        COMMIT, VERSION,
        api_server::{self, Kinds},
        cluster_id::cluster_id,
        health::{Gate, Health},
        leader::{Candidate, Timing},
        lease::lease_name,
        metrics::Metrics,
        otlp::Otlp,
        server,
        settings::Settings,
        supervise::{DRAIN_DEADLINE, Ending, Supervisor},
    },
    reconcile::{
        fingerprint::Fingerprints,
        leadership::{Leadership, leadership},
        policy_file::{PolicyState, PolicyWatch},
    },
};

/// Pause between two looks at the policy file.
const POLICY_PAUSE: Duration = Duration::from_secs(2);
/// Nearly all time goes by waiting for answers. One thread for each processor of a large node would only cost memory.
const WORKERS: usize = 2;
/// What the runtime may take to drop what was cut off.
const RUNTIME_DEADLINE: Duration = Duration::from_secs(2);

/// What controllers are made of. It exists only once the CRDs do and this process leads.
#[derive(Clone)]
pub struct Operator {
    /// The flags and what the pod adds to them.
    pub settings: Arc<Settings>,
    /// The Kubernetes API.
    pub kube: Client,
    /// Cluster id of the ownership marks.
    pub cluster_id: String,
    /// The policy in force; wakes when it changes.
    pub policy: watch::Receiver<PolicyState>,
    /// Fingerprints of inputs.
    pub fingerprints: Fingerprints,
    /// Asked at each write.
    pub leadership: Leadership,
    /// Where a room registers what it measures.
    pub metrics: Metrics,
    /// Where a part makes a gate of /readyz, such as its caches.
    pub health: Health,
}

/// Runs until a signal, or until the first task ends. `controllers` spawns what works for resources, once this process
/// leads: `supervise.spawn("connector-endpoint", future)`, where the future ends with `supervise.stop()`.
///
/// # Errors
/// Why the process ended, unless it was asked to.
pub fn run<F>(settings: Settings, otlp: Option<Otlp>, controllers: F) -> anyhow::Result<()>
where
    F: FnOnce(Operator, &mut Supervisor) -> anyhow::Result<()>,
{
    install_tls()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(supervised(settings, otlp, controllers));
    runtime.shutdown_timeout(RUNTIME_DEADLINE);
    ended
}

/// Process-wide, and once: two providers would be a panic at run time.
pub(super) fn install_tls() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed already"))
}

async fn supervised<F>(settings: Settings, otlp: Option<Otlp>, controllers: F) -> anyhow::Result<()>
where
    F: FnOnce(Operator, &mut Supervisor) -> anyhow::Result<()>,
{
    let health = Health::default();
    let mut supervise = Supervisor::new(health.clone(), DRAIN_DEADLINE).context("cannot listen for signals")?;
    let ending = match lead(settings, otlp, health, &mut supervise).await {
        Ok(operator) => match controllers(operator, &mut supervise) {
            Ok(()) => supervise.ending().await,
            Err(fault) => Ending::Start(fault.into()),
        },
        Err(ending) => ending,
    };
    Ok(supervise.finish(ending).await?)
}

/// Starts the foundations and comes back when this process leads.
async fn lead(
    settings: Settings,
    otlp: Option<Otlp>,
    health: Health,
    supervise: &mut Supervisor,
) -> Result<Operator, Ending> {
    let settings = Arc::new(settings);
    greet(&settings);
    let (tenure, leadership) = leadership(settings.flags.lost_create_timeout);
    let metrics = Metrics::new(&leadership);
    let kinds = Kinds::new(&health, GROUP, API_VERSION, plurals());
    let lease = lease_name(&settings.watch_namespaces);
    let view = health.gate(format!("a fresh view of Lease {}/{lease}", settings.namespace));

    let listener = server::listen(settings.flags.listen).await.map_err(|fault| {
        let address = settings.flags.listen;
        start(std::io::Error::new(fault.kind(), format!("cannot listen on {address} (--listen): {fault}")))
    })?;
    let serving = server::serve(listener, health.clone(), metrics.clone(), supervise.end());
    supervise.spawn_foundation("server", async { Ok(serving.await?) });

    if let Some(otlp) = otlp {
        let exporting = otlp.run(metrics.clone(), supervise.end());
        supervise.spawn_foundation("opentelemetry", async {
            exporting.await;
            Ok(())
        });
    }

    let watch = PolicyWatch::open(settings.flags.policy.clone()).await;
    metrics.register(|registry| watch.register(registry));
    let policy = watch.subscribe();
    let reading = watch.run(POLICY_PAUSE, supervise.end());
    supervise.spawn_foundation("policy-file", async {
        reading.await;
        Ok(())
    });

    let kube = api_server::connect(settings.flags.connect_timeout).await.map_err(start)?;
    let pause = settings.flags.lease_retry_period;
    supervise.during(kinds.wait(&kube, pause)).await?;
    let (cluster_id, fingerprints) = supervise.during(identity(&settings, &kube)).await??;

    let candidate = candidate(&settings, &kube, lease, view);
    let election = candidate.run(tenure, supervise.end());
    supervise.spawn_foundation("election", async { Ok(election.await?) });
    if supervise.during(leadership.elected()).await?.is_err() {
        return Err(supervise.ending().await); // the election ended, and its own word says why
    }
    Ok(Operator { settings, kube, cluster_id, policy, fingerprints, leadership, metrics, health })
}

fn greet(settings: &Settings) {
    info!(
        version = VERSION,
        commit = COMMIT,
        identity = settings.identity,
        namespace = settings.namespace,
        watching = ?settings.watch_namespaces,
        "uko-operator starts"
    );
}

fn plurals() -> [String; 2] {
    [ConnectorEndpoint::plural(&()).into_owned(), AzureKeystoreConnection::plural(&()).into_owned()]
}

/// What must be the same before and after a restart.
async fn identity(settings: &Settings, kube: &Client) -> Result<(String, Fingerprints), Ending> {
    let cluster_id = cluster_id(kube, settings.flags.cluster_id.as_deref()).await.map_err(start)?;
    let secrets = Api::namespaced(kube.clone(), &settings.namespace);
    let fingerprints = Fingerprints::load_or_make(&secrets).await.map_err(start)?;
    info!(cluster_id, "identity known");
    Ok((cluster_id, fingerprints))
}

fn candidate(settings: &Settings, kube: &Client, name: String, view: Gate) -> Candidate {
    Candidate {
        leases: Api::namespaced(kube.clone(), &settings.namespace),
        name,
        identity: settings.identity.clone(),
        timing: Timing {
            lease_duration: settings.flags.lease_duration,
            renew_deadline: settings.flags.lease_renew_deadline,
            retry_period: settings.flags.lease_retry_period,
        },
        clock: wall_clock,
        view,
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that hands the wall clock out")]
fn wall_clock() -> Timestamp {
    Timestamp::now()
}

fn start(fault: impl Error + Send + Sync + 'static) -> Ending {
    Ending::Start(Box::new(fault))
}
