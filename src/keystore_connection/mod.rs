//! Drives one `AzureKeystoreConnection`. In: the object. Out: one status and the next look.
//! Never: decides (`plan`), speaks to a cloud (`observe`, `apply`), words a condition (`plan`, `report`).

mod apply;
mod cleanup;
mod desired;
mod kek_memory;
mod metrics;
mod observe;
mod operations;
mod plan;
pub mod reasons;
mod release;
mod report;
mod resolve;
mod usage;

pub(crate) use self::{metrics::ConnectionMetrics, operations::Operations};

use std::{sync::Arc, time::Duration};

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps,
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::ResourceExt;
use tokio::{sync::watch, time::Instant};
use tracing::Instrument;

use self::{
    desired::{Desired, Login, Target},
    observe::{Azure, Observed, Readers, UkoSide},
    plan::{Case, Step},
    usage::Claims,
};
use crate::{
    api::v1alpha1::{
        AzureKeystoreConnection, AzureKeystoreConnectionStatus, ConnectionTestStatus, CredentialsInUse, Memory, Mode,
        PendingCreate,
    },
    clouds::{
        Clouds,
        azure::ArmId,
        http::{Class, Error, Service},
        ibm::{KeystoreDraft, KeystoreId, UkoUrl, UkoVaultId},
    },
    reconcile::{
        announce::{Seen, Turn},
        driver::{self, Controller, Report, Shared, lock_owner},
        expiry::expiring,
        farewell::{Farewell, Ledger},
        fault::Fault,
        finalizer::Ending,
        look::{Asked, Look, recreate_requested, request},
        pace::PaceSettings,
        policy_file::PolicyState,
        prices::Prices,
        release::Retained,
        span::{self, stage},
        stage::Plan,
        summary::Done,
        wake::{Key, Kind, Names},
    },
};

/// Tag with the owner's hash.
const OWNER_TAG: &str = "uko-operator-owner";
/// Tag with the owner's name.
const OBJECT_TAG: &str = "uko-operator-object";
/// Name of the DNS zone group that is ours.
const ZONE_GROUP: &str = "uko-operator";
/// New secrets, rights, approvals and endpoints take up to this long to spread through the clouds.
const SPREADING: Duration = Duration::from_mins(15);

/// The controller of the kind.
pub(crate) struct KeystoreConnections {
    /// What both controllers hold.
    pub shared: Arc<Shared>,
    /// The way to the clouds.
    pub clouds: Clouds,
    /// The schema of the status.
    pub status_schema: Option<JSONSchemaProps>,
    /// The policy in force.
    pub policy: watch::Receiver<PolicyState>,
    /// What keystores cost.
    pub prices: Prices,
    /// Writes that Azure is still working on.
    pub operations: Operations,
    /// What is needed to give up the marks of objects that are gone.
    pub retained: Retained<AzureKeystoreConnection>,
    /// What only this kind measures.
    pub metrics: ConnectionMetrics,
}

/// What plan reads of the object's own past: ids that status caches, and its memory.
struct Past<'a> {
    memory: &'a Memory,
    interval: Duration,
    uko_vault: Option<UkoVaultId>,
    keystore: Option<KeystoreId>,
    private_endpoint: Option<ArmId>,
    test: Option<&'a ConnectionTestStatus>,
    credentials: Option<&'a CredentialsInUse>,
    password_fingerprint: Option<String>,
    fingerprint: &'a (dyn Fn(&KeystoreDraft) -> String + Sync),
    test_requested: Option<String>,
    /// A wish to have the keystore made again, younger than it is.
    recreate_requested: Option<Timestamp>,
    /// The same for the private endpoint.
    replace_requested: Option<Timestamp>,
    /// Everything was once as this very spec and these Secrets want it.
    settled: bool,
    kek_was_healthy: bool,
    /// Status says that the Key Vault answers on its public address.
    was_public: bool,
}

impl<'a> Past<'a> {
    fn of(
        object: &AzureKeystoreConnection,
        status: &'a AzureKeystoreConnectionStatus,
        look: &'a Look,
        password_fingerprint: Option<String>,
        fingerprint: &'a (dyn Fn(&KeystoreDraft) -> String + Sync),
        interval: Duration,
    ) -> Self {
        let annotations = object.metadata.annotations.as_ref();
        let (azure, uko) = (status.azure.as_ref(), status.uko.as_ref());
        let handled = status.last_handled_recreate_at.as_deref();
        let recreate = |made: Option<&Time>| recreate_requested(annotations, handled, made);
        Self {
            memory: &look.memory,
            interval,
            uko_vault: uko.and_then(|uko| uko.vault_id.as_deref()).map(UkoVaultId::new),
            keystore: uko.and_then(|uko| uko.keystore_id.as_deref()).map(KeystoreId::new),
            private_endpoint: azure.and_then(|azure| azure.private_endpoint_id.as_deref()).and_then(ArmId::parse),
            test: status.connection_test.as_ref(),
            credentials: uko.and_then(|uko| uko.credentials.as_ref()),
            password_fingerprint,
            fingerprint,
            test_requested: request(annotations, "test-requested-at")
                .filter(|at| Some(at) != status.last_handled_test_at.as_ref()),
            recreate_requested: recreate(look.memory.registered_at.as_ref()),
            replace_requested: recreate(look.memory.private_endpoint_at.as_ref()),
            settled: !look.changed,
            kek_was_healthy: status.key_encryption_key.as_ref().is_some_and(|kek| kek.key_id.is_some()),
            was_public: azure
                .and_then(|azure| azure.public_network_access.as_deref())
                .is_some_and(|word| word != "Disabled" && word != "SecuredByPerimeter"),
        }
    }
}

/// What one look and what followed from it gave.
struct Pass {
    seen: Observed,
    plan: Plan<Step>,
    done: Done,
    step: Option<Step>,
    tested: Option<ConnectionTestStatus>,
    announced: Option<PendingCreate>,
    quick: bool,
    /// Kubernetes was written to, which ends a pass as well.
    claims: Claims,
}

impl Controller for KeystoreConnections {
    type Object = AzureKeystoreConnection;
    type Status = AzureKeystoreConnectionStatus;
    const KIND: Kind = Kind::AzureKeystoreConnection;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn status(object: &AzureKeystoreConnection) -> AzureKeystoreConnectionStatus {
        object.status.clone().unwrap_or_default()
    }

    fn conditions(status: &AzureKeystoreConnectionStatus) -> &[Condition] {
        &status.conditions
    }

    fn memory(status: &AzureKeystoreConnectionStatus) -> Option<&Memory> {
        status.memory.as_ref()
    }

    fn status_schema(&self) -> Option<&JSONSchemaProps> {
        self.status_schema.as_ref()
    }

    fn forget(&self, key: &Key) {
        self.operations.gone(&lock_owner(Self::KIND, key));
        self.metrics.forget(key);
    }

    fn names(object: &AzureKeystoreConnection) -> Names {
        resolve::names(object)
    }

    fn ending(object: &AzureKeystoreConnection) -> Ending {
        let spec = &object.spec;
        Ending::of(spec.deletion_policy, spec.mode, spec.suspend)
    }

    fn retained(&self) -> &Retained<AzureKeystoreConnection> {
        &self.retained
    }

    async fn release(&self, object: &AzureKeystoreConnection, key: &Key) -> Result<usize, Fault> {
        Box::pin(release::pass(self, object, key)).await
    }

    fn ledger(status: &mut AzureKeystoreConnectionStatus) -> Ledger<'_> {
        Ledger {
            conditions: &mut status.conditions,
            memory: &mut status.memory,
            plan: &mut status.plan,
            drift: &mut status.drift,
            last_failure: &mut status.last_failure,
            last_checked_at: &mut status.last_checked_at,
            observed_generation: &mut status.observed_generation,
        }
    }

    fn remains(object: &AzureKeystoreConnection) -> Vec<String> {
        let status = object.status.as_ref();
        let keystore = status.and_then(|status| status.uko.as_ref()?.keystore_id.clone());
        let endpoint = status.and_then(|status| status.azure.as_ref()?.private_endpoint_id.clone());
        let keystore = keystore.map(|id| format!("keystore {id}"));
        keystore.into_iter().chain(endpoint.map(|id| format!("private endpoint {id}"))).collect()
    }

    async fn cleanup(
        &self,
        object: &AzureKeystoreConnection,
        now: Timestamp,
    ) -> Farewell<AzureKeystoreConnectionStatus> {
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        Box::pin(cleanup::pass(self, object, &key, now)).await
    }

    async fn pass(&self, object: &AzureKeystoreConnection, now: Timestamp) -> Report<AzureKeystoreConnectionStatus> {
        let status = Self::status(object);
        if object.spec.suspend.unwrap_or_default() {
            return report::suspended(status, object.metadata.generation.unwrap_or_default(), now);
        }
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        // Before the first thing is read: what others change from here on may not be in what is seen.
        let seen_at = Seen { clock: now, looked: Instant::now() };
        let age = self.shared.announced.age(now);
        let found = resolve::references(&self.shared.kube, &key.0, object, age).instrument(stage("resolve")).await;
        let expiring = expiring(&found.secrets, now);
        let inputs = found.secrets.inputs(&self.shared.fingerprints, &object.spec);
        let password = &object.spec.azure.service_principal.password_secret_ref;
        let password_fingerprint = found.secrets.fingerprint(&self.shared.fingerprints, password, "clientSecret");
        let policy = Arc::clone(&self.policy.borrow().policy);
        let want = stage("desired").in_scope(|| Desired::parse(object, &key, &self.shared.cluster_id, found, &policy));
        let want = want.priced(&object.spec.uko, &self.prices);
        let annotations = object.metadata.annotations.as_ref();
        let before = status.memory.clone().unwrap_or_default();
        let handled = status.last_handled_reconcile_at.as_deref();
        let owner = lock_owner(Self::KIND, &key);
        let asked = Asked { before: &before, annotations, handled, interval: object.spec.interval_seconds };
        let look = self.shared.look(&owner, &asked, inputs, now);
        // The draft does not show its password, so the password's own fingerprint goes in beside it.
        let held = password_fingerprint.clone().unwrap_or_default();
        let fingerprint =
            |draft: &KeystoreDraft| self.shared.fingerprints.of(&[format!("{draft:?}").as_bytes(), held.as_bytes()]);
        let past =
            Past::of(object, &status, &look, password_fingerprint, &fingerprint, interval(object, &self.shared.pace));
        let made = self.look_and_act(&want, &past, &look, &key, &status, seen_at).await;
        if !made.quick && made.plan.is_settled() {
            self.shared.full_looks.found_calm(&owner, now);
        }
        let told =
            report::Told { object, before: &status, want: &want, past: &past, look: &look, pass: &made, age, expiring };
        stage("report").in_scope(|| report::report(&told, &self.shared.pace, now))
    }

    fn observe_metrics(&self, key: &Key, status: &AzureKeystoreConnectionStatus) {
        self.metrics.told(key, status);
    }
}

/// Whether the four things that change by themselves are enough to look at. Differences that stand can only be told by who
/// looks at everything.
fn may_be_quick(want: &Desired, past: &Past<'_>, look: &Look, status: &AzureKeystoreConnectionStatus) -> bool {
    look.quick
        && want.refused.is_none()
        && past.keystore.is_some()
        && past.test_requested.is_none()
        && status.drift.is_empty()
}

/// The key-encryption key may ask for a shorter interval than the whole.
fn interval(object: &AzureKeystoreConnection, pace: &PaceSettings) -> Duration {
    let kek = object.spec.key_encryption_key.as_ref().and_then(|kek| kek.check_interval_seconds);
    let whole = pace.interval(object.spec.interval_seconds);
    kek.map_or(whole, |kek| whole.min(pace.interval(Some(kek))))
}

/// A certificate and its key in one PEM.
fn joined(certificate: &secrecy::SecretString, key: &secrecy::SecretString) -> secrecy::SecretString {
    use secrecy::ExposeSecret;
    format!("{}\n{}", certificate.expose_secret(), key.expose_secret()).into()
}

impl KeystoreConnections {
    async fn look_and_act(
        &self,
        want: &Desired,
        past: &Past<'_>,
        look: &Look,
        key: &Key,
        status: &AzureKeystoreConnectionStatus,
        seen_at: Seen,
    ) -> Pass {
        let now = seen_at.clock;
        let owner = lock_owner(Self::KIND, key);
        if may_be_quick(want, past, look, status) {
            let (_, seen) = self.observe(want, past, &owner, true).await;
            let plan = stage("plan").in_scope(|| plan::plan(Case { want, seen: &seen, past, quick: true, now }));
            if plan.is_settled() && plan.drift.is_empty() {
                return Pass {
                    seen,
                    plan,
                    done: Done::Nothing,
                    step: None,
                    tested: None,
                    announced: None,
                    quick: true,
                    claims: Claims::Right,
                };
            }
        }
        let (readers, seen) = self.observe(want, past, &owner, false).await;
        // Nothing answers there: the instance may have moved.
        if let (true, Ok(Login { target: Target::Hpcs { region, instance_id, .. }, .. })) =
            (seen.uko_vaults.fault().is_some_and(Fault::is_passing), &want.login)
        {
            self.clouds.forget_uko_base(region, instance_id);
        }
        if matches!(seen.operation, observe::Operation::None) {
            self.shared.locks.clear(&owner);
        }
        let plan = stage("plan").in_scope(|| plan::plan(Case { want, seen: &seen, past, quick: false, now }));
        let step = plan.next().cloned();
        let ours = seen
            .keystore
            .present()
            .filter(|keystore| plan::is_ours(Case { want, seen: &seen, past, quick: false, now }, keystore));
        let claims = self.keep_usage(want, ours, past.keystore.as_ref(), key).await;
        self.shared.announced.settle(&owner, |kind| plan::found(&seen, kind));
        let pending = status.pending_create.as_ref().filter(|pending| !plan::found(&seen, &pending.kind));
        let (done, tested, announced) = match (&step, want.mode) {
            _ if claims == Claims::Written => (Done::Nothing, None, None),
            (Some(step), Mode::Manage) => self.act(&readers, want, past, step, &owner, pending, seen_at).await,
            // A connection test that a person asked for is the one call that Plan may make.
            (Some(step @ Step::TestConnection(_)), Mode::Plan) if past.test_requested.is_some() => {
                self.act(&readers, want, past, step, &owner, pending, seen_at).await
            }
            (Some(_), Mode::Plan) | (None, Mode::Manage | Mode::Plan) => (Done::Nothing, None, None),
        };
        Pass { seen, plan, done, step, tested, announced, quick: false, claims }
    }

    /// At most one write; a creation is announced in a pass of its own.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and none belongs to another")]
    async fn act(
        &self,
        readers: &Readers,
        want: &Desired,
        past: &Past<'_>,
        step: &Step,
        owner: &str,
        pending: Option<&PendingCreate>,
        seen_at: Seen,
    ) -> (Done, Option<ConnectionTestStatus>, Option<PendingCreate>) {
        let mut locks = Vec::new();
        if step.touches_key_vault() {
            locks.push(format!("vault/{}/{}", want.vault.subscription_id, want.vault.name).to_ascii_lowercase());
        }
        locks.extend(step.also_locks());
        // Held while the creation is announced: from then on everybody counts it.
        let counted = want.keystores_lock.iter().filter(|_| matches!(step, Step::CreateKeystore(..)));
        let counted: Vec<String> = counted.cloned().collect();
        if let Some(Turn::Held(why, pause)) = self.shared.reserve(owner, &counted, seen_at) {
            return (Done::Held(why, pause), None, None);
        }
        locks.extend(counted);
        match self.shared.turn(owner, &locks, step.creates(), pending, seen_at) {
            Turn::Send => {}
            Turn::Record(pending) => return (Done::Asked, None, Some(pending)),
            Turn::Held(why, pause) => return (Done::Held(why, pause), None, None),
        }
        let writers = apply::Writers::of(readers, &self.shared.leadership, &self.operations, owner);
        let applying = stage("apply");
        let sent = apply::step(&writers, want, past, step, seen_at.clock);
        let (done, tested) = sent.instrument(applying.clone()).await;
        span::done(&applying, &done);
        if let Some(action) = step.repairs_key() {
            self.metrics.repaired(action, &done);
        }
        if matches!(step, Step::CreatePrivateEndpoint { .. }) {
            self.operations.asked_for_endpoint(owner, &done, driver::now());
        }
        let lost = self.shared.ended(owner, &locks, step.creates(), &done, driver::now());
        (done, tested, lost)
    }

    /// While the policy refuses the target, not even a token is asked for there.
    async fn observe(&self, want: &Desired, past: &Past<'_>, owner: &str, quick: bool) -> (Readers, Observed) {
        let observing = async {
            let refused = want.refused.is_some();
            let readers = if refused { Readers { azure: None, uko: None } } else { self.readers(want, owner).await };
            let seen = observe::everything(&readers, want, past, quick).await;
            (readers, seen)
        };
        observing.instrument(stage("observe")).await
    }

    /// Handles; the only calls are the broker's, every half hour, and the poll of a running operation.
    async fn readers(&self, want: &Desired, owner: &str) -> Readers {
        let azure = match &want.operator {
            Ok(operator) => {
                let arm = self.clouds.resource_manager(want.cloud, operator.clone());
                Some(Azure {
                    entra: self.clouds.entra(),
                    operation: self.operations.poll(&arm, owner, &self.shared.pace).await,
                    data: self.clouds.key_vault_data(want.cloud, operator.clone()),
                    operator: operator.clone(),
                    arm,
                })
            }
            Err(_) => None,
        };
        let uko = match &want.login {
            Ok(login) => Some(self.uko(login).await),
            Err(_) => None,
        };
        Readers { azure, uko }
    }

    /// The address comes from the broker and never from status: whoever may write a status must not say where passwords go.
    async fn uko(&self, login: &Login) -> UkoSide {
        let base = match &login.target {
            Target::Hpcs { region, instance_id, credential } => {
                self.clouds.uko_base(region, instance_id, credential).await
            }
            Target::Server { url, .. } => UkoUrl::self_managed(url).ok_or_else(|| {
                let advice = "spec.uko.server.url must be https://host or https://host:port.";
                Error::new(Service::Uko, "Connect", Class::Invalid, "UkoAddressRefused", advice)
            }),
        };
        let base_url = base.as_ref().ok().map(|base| base.as_str().to_owned());
        let reader = base.and_then(|base| match &login.target {
            Target::Hpcs { .. } => Ok(self.clouds.uko(base, login.credential.clone())),
            Target::Server { ca, identity, .. } => {
                self.clouds.private_uko(base, login.credential.clone(), ca.as_ref(), identity.as_ref())
            }
        });
        UkoSide { reader, base_url }
    }
}
