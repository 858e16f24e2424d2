//! Drives one `ConnectorEndpoint`. In: the object. Out: one status and the next look.
//! Never: decides (`plan`), speaks to a cloud (`observe`, `apply`), words a condition (`plan`, `report`).

mod apply;
mod cleanup;
mod desired;
mod metrics;
mod observe;
mod plan;
pub mod reasons;
mod release;
mod report;
mod resolve;

pub(crate) use self::metrics::EndpointMetrics;

use std::sync::Arc;

use k8s_openapi::{
    apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps,
    apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp,
};
use kube::ResourceExt;
use tokio::time::Instant;
use tracing::Instrument;

use self::{
    apply::Sent,
    desired::Desired,
    observe::{Cached, Observed},
    plan::{Past, Step},
};
use crate::{
    api::v1alpha1::{ConnectorEndpoint, ConnectorEndpointStatus, Memory, Mode, PendingCreate},
    clouds::{
        Clouds,
        ibm::{ConnectorId, EndpointId, Satellite},
    },
    reconcile::{
        announce::{Seen, Turn},
        driver::{self, Controller, Report, Shared, lock_owner},
        expiry::expiring,
        farewell::{Farewell, Ledger},
        fault::Fault,
        finalizer::Ending,
        look::{Asked, Look, recreate_requested},
        release::Retained,
        span::{self, stage},
        stage::Plan,
        summary::Done,
        wake::{Key, Kind, Names},
    },
};

/// The controller of the kind.
pub(crate) struct ConnectorEndpoints {
    /// What both controllers hold.
    pub shared: Arc<Shared>,
    /// The way to the clouds.
    pub clouds: Clouds,
    /// The schema of the status.
    pub status_schema: Option<JSONSchemaProps>,
    /// What is needed to give up the marks of objects that are gone.
    pub retained: Retained<ConnectorEndpoint>,
    /// What only this kind measures.
    pub metrics: EndpointMetrics,
}

/// What one look and what followed from it gave.
struct Pass {
    seen: Observed,
    plan: Plan<Step>,
    done: Done,
    /// Made or taken over by this pass.
    endpoint: Option<EndpointId>,
    announced: Option<PendingCreate>,
    quick: bool,
}

impl Controller for ConnectorEndpoints {
    type Object = ConnectorEndpoint;
    type Status = ConnectorEndpointStatus;
    const KIND: Kind = Kind::ConnectorEndpoint;

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn status(object: &ConnectorEndpoint) -> ConnectorEndpointStatus {
        object.status.clone().unwrap_or_default()
    }

    fn conditions(status: &ConnectorEndpointStatus) -> &[Condition] {
        &status.conditions
    }

    fn memory(status: &ConnectorEndpointStatus) -> Option<&Memory> {
        status.memory.as_ref()
    }

    fn status_schema(&self) -> Option<&JSONSchemaProps> {
        self.status_schema.as_ref()
    }

    fn names(object: &ConnectorEndpoint) -> Names {
        resolve::names(object)
    }

    fn ending(object: &ConnectorEndpoint) -> Ending {
        let spec = &object.spec;
        Ending::of(spec.deletion_policy, spec.mode, spec.suspend)
    }

    fn retained(&self) -> &Retained<ConnectorEndpoint> {
        &self.retained
    }

    async fn release(&self, object: &ConnectorEndpoint, key: &Key) -> Result<usize, Fault> {
        Box::pin(release::pass(self, object, key)).await
    }

    fn ledger(status: &mut ConnectorEndpointStatus) -> Ledger<'_> {
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

    fn remains(object: &ConnectorEndpoint) -> Vec<String> {
        let id = object.status.as_ref().and_then(|status| status.endpoint_id.as_ref());
        id.map(|id| format!("connector endpoint {id}")).into_iter().collect()
    }

    async fn cleanup(&self, object: &ConnectorEndpoint, now: Timestamp) -> Farewell<ConnectorEndpointStatus> {
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        cleanup::pass(self, object, &key, now).await
    }

    fn forget(&self, key: &Key) {
        self.metrics.forget(key);
    }

    fn observe_metrics(&self, key: &Key, status: &ConnectorEndpointStatus) {
        self.metrics.told(key, status);
    }

    async fn pass(&self, object: &ConnectorEndpoint, now: Timestamp) -> Report<ConnectorEndpointStatus> {
        let status = Self::status(object);
        if object.spec.suspend.unwrap_or_default() {
            return report::suspended(status, object.metadata.generation.unwrap_or_default(), now);
        }
        let key = (object.namespace().unwrap_or_default(), object.name_any());
        let found = resolve::references(&self.shared, object, &key).instrument(stage("resolve")).await;
        let want = stage("desired").in_scope(|| Desired::parse(object, &key, &self.shared.cluster_id, &found));
        let before = status.memory.clone().unwrap_or_default();
        let inputs = found.secrets.inputs(&self.shared.fingerprints, &object.spec);
        let handled = status.last_handled_reconcile_at.as_deref();
        let owner = lock_owner(Self::KIND, &key);
        let (annotations, interval) = (object.metadata.annotations.as_ref(), object.spec.interval_seconds);
        let look = self.shared.look(&owner, &Asked { before: &before, annotations, handled, interval }, inputs, now);
        let past = past(object, &status, &look, now);
        let made = self.look_and_act(&want, &past, &look, &key, &status, now).await;
        if !made.quick && made.plan.is_settled() {
            self.shared.full_looks.found_calm(&owner, now);
        }
        let told = report::Told {
            object,
            before: status,
            want: &want,
            past: &past,
            look: &look,
            pass: &made,
            age: self.shared.announced.age(now),
            expiring: expiring(&found.secrets, now),
        };
        stage("report").in_scope(|| report::report(&told, &self.shared.pace, now))
    }
}

fn past(object: &ConnectorEndpoint, status: &ConnectorEndpointStatus, look: &Look, now: Timestamp) -> Past {
    let (annotations, handled) = (object.metadata.annotations.as_ref(), status.last_handled_recreate_at.as_deref());
    Past {
        cached: cached(status),
        spec_changed: look.changed && look.memory.settled_inputs.is_some(),
        settled: !look.changed,
        recreate: recreate_requested(annotations, handled, look.memory.registered_at.as_ref())
            .is_some_and(|asked| asked <= now),
    }
}

fn cached(status: &ConnectorEndpointStatus) -> Cached {
    let connector = status.connector.as_ref().and_then(|connector| connector.id.as_deref());
    Cached { connector: connector.map(ConnectorId::new), endpoint: status.endpoint_id.as_deref().map(EndpointId::new) }
}

/// Differences that stand can only be told by who looks at everything.
fn may_be_quick(look: &Look, status: &ConnectorEndpointStatus) -> bool {
    look.quick && status.drift.is_empty()
}

impl ConnectorEndpoints {
    async fn look_and_act(
        &self,
        want: &Desired,
        past: &Past,
        look: &Look,
        key: &Key,
        status: &ConnectorEndpointStatus,
        now: Timestamp,
    ) -> Pass {
        let Ok(credential) = &want.credential else {
            let seen = Observed::default();
            let plan = stage("plan").in_scope(|| plan::plan(want, &seen, past, false));
            return Pass { seen, plan, done: Done::Nothing, endpoint: None, announced: None, quick: false };
        };
        let satellite = self.clouds.satellite(credential.clone());
        if may_be_quick(look, status) {
            let seen = observe::quick(&satellite, &past.cached).instrument(stage("observe")).await;
            let plan = stage("plan").in_scope(|| plan::plan(want, &seen, past, true));
            if plan.is_settled() && plan.drift.is_empty() {
                return Pass { seen, plan, done: Done::Nothing, endpoint: None, announced: None, quick: true };
            }
        }
        let seen_at = Seen { clock: now, looked: Instant::now() };
        let (seen, plan) = full_look(&satellite, want, past).await;
        let owner = lock_owner(Kind::ConnectorEndpoint, key);
        self.shared.announced.settle(&owner, |kind| plan::found(want, &seen, past, kind));
        let (sent, announced) = match (want.mode, plan.next(), connector_of(&seen)) {
            (Mode::Manage, Some(step), Some(connector)) => {
                let pending = status.pending_create.as_ref();
                let pending = pending.filter(|pending| !plan::found(want, &seen, past, &pending.kind));
                self.act(&satellite, &connector, step, key, pending, seen_at).await
            }
            (Mode::Manage | Mode::Plan, _, _) => (Sent { done: Done::Nothing, endpoint: None }, None),
        };
        let Sent { done, endpoint } = sent;
        Pass { seen, plan, done, endpoint, announced, quick: false }
    }

    /// At most one write; a creation is announced in a pass of its own.
    async fn act(
        &self,
        satellite: &Satellite,
        connector: &ConnectorId,
        step: &Step,
        key: &Key,
        pending: Option<&PendingCreate>,
        seen_at: Seen,
    ) -> (Sent, Option<PendingCreate>) {
        let owner = lock_owner(Kind::ConnectorEndpoint, key);
        let locks = [format!("connector/{}", connector.as_str())];
        match self.shared.turn(&owner, &locks, step.creates(), pending, seen_at) {
            Turn::Send => {}
            Turn::Record(pending) => return (Sent { done: Done::Asked, endpoint: None }, Some(pending)),
            Turn::Held(word, wait) => {
                return (Sent { done: Done::Held(word, wait), endpoint: None }, None);
            }
        }
        let applying = stage("apply");
        let writer = satellite.writer();
        let sent = apply::step(&writer, &self.shared.leadership, connector, step);
        let sent = sent.instrument(applying.clone()).await;
        span::done(&applying, &sent.done);
        self.shared.locks.clear(&owner);
        let lost = self.shared.ended(&owner, &locks, step.creates(), &sent.done, driver::now());
        (sent, lost)
    }
}

async fn full_look(satellite: &Satellite, want: &Desired, past: &Past) -> (Observed, Plan<Step>) {
    let observing = async {
        let mut seen = observe::everything(satellite, want, &past.cached).await;
        if want.allowed_sources.is_some()
            && let (Some(connector), Some(endpoint)) = (connector_of(&seen), plan::find_endpoint(want, &seen, past))
        {
            seen.bindings = observe::bindings(satellite, &connector, endpoint).await;
        }
        seen
    };
    let seen = observing.instrument(stage("observe")).await;
    let plan = stage("plan").in_scope(|| plan::plan(want, &seen, past, false));
    (seen, plan)
}

fn connector_of(seen: &Observed) -> Option<ConnectorId> {
    match seen.connectors.present().map(Vec::as_slice) {
        Some([connector]) => Some(connector.id.clone()),
        Some(_) | None => None,
    }
}
