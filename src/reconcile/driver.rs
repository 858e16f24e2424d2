//! Drives one kind: takes an object, lets its controller make one pass, writes status and events, says when to look again.
//!
//! In: watches and wake-ups. Out: one status write a pass at most. Never: knows a cloud; a failed event never hides the cause.

use std::{collections::BTreeSet, convert::Infallible, fmt::Debug, future::Future, sync::Arc, time::Duration};

use futures::{FutureExt, StreamExt, future::join_all, stream};
use k8s_openapi::{
    NamespaceResourceScope, apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps,
    apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp,
};
use kube::{
    Api, Client, Resource, ResourceExt,
    api::PartialObjectMeta,
    runtime::{
        PredicateConfig, WatchStreamExt,
        controller::{self, Action, applier},
        events::{Event, Recorder},
        reflector::{self, ObjectRef, Store},
        watcher,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    announce::Announced,
    deletion::{Looked, attend, attend_unread},
    farewell::{Farewell, Ledger},
    fault::Fault,
    finalizer::Ending,
    fingerprint::Fingerprints,
    leadership::Leadership,
    locks::Locks,
    look::FullLooks,
    metrics::{Metrics, Outcome, first_ready},
    pace::{PaceSettings, jittered},
    release::{self, Retained},
    span,
    status::{self, Written},
    summary::{outcome, transitions},
    wake::{Key, Kind, Named, Names, Wakes},
};

use crate::api::v1alpha1::Memory;

/// What both controllers hold.
pub(crate) struct Shared {
    /// Kubernetes.
    pub kube: Client,
    /// The right to write.
    pub leadership: Leadership,
    /// Timings.
    pub pace: PaceSettings,
    /// Events.
    pub events: Recorder,
    /// Metrics.
    pub metrics: Metrics,
    /// Who is woken by what.
    pub wakes: Arc<Wakes>,
    /// One mutation at a time.
    pub locks: Locks,
    /// Creations on record.
    pub announced: Announced,
    /// When everything was last looked at.
    pub full_looks: FullLooks,
    /// Keyed fingerprints.
    pub fingerprints: Fingerprints,
    /// Reconciles at once.
    pub concurrency: u16,
    /// Names owners.
    pub cluster_id: String,
}

/// What a pass says.
pub(crate) struct Report<S> {
    /// The whole new status.
    pub status: S,
    /// When to look again.
    pub next: Duration,
    /// Whether time stamps alone are worth a write.
    pub stamps: bool,
}

/// One controller, as the driver sees it.
pub(crate) trait Controller: Send + Sync + 'static {
    /// The custom resource.
    type Object: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static;
    /// Its status.
    type Status: Serialize + Default + Send;
    /// Which of the two it is.
    const KIND: Kind;

    /// What both controllers hold.
    fn shared(&self) -> &Shared;
    /// The status that stands in the object.
    fn status(object: &Self::Object) -> Self::Status;
    /// The conditions in a status, from which events and metrics are drawn.
    fn conditions(status: &Self::Status) -> &[Condition];
    /// What a status remembers.
    fn memory(status: &Self::Status) -> Option<&Memory>;
    /// The schema of its status, which every status is cut to fit.
    fn status_schema(&self) -> Option<&JSONSchemaProps>;
    /// What the object names.
    fn names(object: &Self::Object) -> Names;
    /// What becomes of what was made when the object is deleted.
    fn ending(object: &Self::Object) -> Ending;
    /// Objects whose marks are given up when they are gone.
    fn retained(&self) -> &Retained<Self::Object>;
    /// Gives up the marks of an object that is gone; answers how many.
    fn release(&self, object: &Self::Object, key: &Key) -> impl Future<Output = Result<usize, Fault>> + Send;
    /// What both kinds' statuses have in common.
    fn ledger(status: &mut Self::Status) -> Ledger<'_>;
    /// What status knows to be outside, in words.
    fn remains(object: &Self::Object) -> Vec<String>;
    /// One pass. Never fails: faults are part of the report.
    fn pass(&self, object: &Self::Object, now: Timestamp) -> impl Future<Output = Report<Self::Status>> + Send;
    /// One pass over a deleted object: at most one thing is removed. Never fails.
    fn cleanup(&self, object: &Self::Object, now: Timestamp) -> impl Future<Output = Farewell<Self::Status>> + Send;
    /// The object is gone.
    fn forget(&self, key: &Key);
    /// What the metrics tell of a status besides its conditions.
    fn observe_metrics(&self, key: &Key, status: &Self::Status);
}

/// Runs one controller in `namespaces`, or in all where none is named, until `stop`; passes that are under way are finished.
pub(crate) async fn run<C: Controller>(controller: Arc<C>, namespaces: BTreeSet<String>, stop: CancellationToken) {
    let kube = &controller.shared().kube;
    let apis: Vec<Api<PartialObjectMeta<C::Object>>> = if namespaces.is_empty() {
        vec![Api::all(kube.clone())]
    } else {
        namespaces.iter().map(|namespace| Api::namespaced(kube.clone(), namespace)).collect()
    };
    // One stream a namespace into one store would empty it at each list, so each has a store and the appliers share the rest.
    let scopes = apis.into_iter().zip(namespaces.into_iter().map(Some).chain(std::iter::repeat(None)));
    let appliers = scopes.map(|(api, namespace)| apply_in(Arc::clone(&controller), api, namespace, stop.clone()));
    futures::join!(join_all(appliers), release::run(controller.as_ref(), stop.clone()));
}

async fn apply_in<C: Controller>(
    controller: Arc<C>,
    api: Api<PartialObjectMeta<C::Object>>,
    namespace: Option<String>,
    stop: CancellationToken,
) {
    let (store, writer) = reflector::store();
    let (gone, listing) = (Arc::clone(&controller), Arc::clone(&controller));
    let (scope, listed) = (namespace.clone(), store.clone());
    let watched = watcher(api, watcher::Config::default())
        .default_backoff()
        .modify(|object| {
            object.managed_fields_mut().clear();
            object.annotations_mut().retain(|name, _| name.starts_with("uko-operator.io/"));
        })
        .inspect(move |event| {
            if let Ok(watcher::Event::Delete(object)) = event {
                forget(gone.as_ref(), &key_of(object));
                gone.retained().gone(&key_of(object), &object.metadata);
            }
        })
        .reflect(writer)
        .inspect(move |event| {
            if matches!(event, Ok(watcher::Event::InitDone)) {
                let here = |key: &Key| scope.as_ref().is_none_or(|namespace| *namespace == key.0);
                let known = |key: &Key| listed.get(&ObjectRef::new(&key.1).within(&key.0)).is_some();
                listing.retained().keep(|key| !here(key) || known(key));
            }
        })
        .applied_objects()
        .predicate_filter(what_matters::<C>, PredicateConfig::default())
        .filter_map(|object| {
            std::future::ready(
                object
                    .inspect_err(|error| tracing::warn!(cause = cause(error), "a watch broke and is started again"))
                    .ok(),
            )
        })
        .map(|object| ObjectRef::from_obj(&object));
    let wakes = Arc::clone(&controller.shared().wakes).stream(C::KIND, namespace);
    let woken = wakes.map(|(namespace, name)| ObjectRef::new(&name).within(&namespace));
    let queue = stream::select(watched, woken).take_until(stop.clone().cancelled_owned()).map(Ok::<_, watcher::Error>);
    let config = controller::Config::default().concurrency(controller.shared().concurrency);
    let passes = applier(
        |object, controller| Box::pin(look(object, controller)),
        |_, never: &Infallible, _| match *never {},
        controller,
        store.clone(),
        Box::pin(queue),
        config,
    )
    .for_each(|_| std::future::ready(()));
    in_order(passes, &store, &stop).await;
}

/// Waits for the passes. No pass begins before the first list of objects is there, and after `stop` it does not come any
/// more: then there is nothing to finish, and waiting for it would cost the release of the Lease.
async fn in_order<K>(passes: impl Future<Output = ()>, store: &Store<K>, stop: &CancellationToken)
where
    K: reflector::Lookup<DynamicType: Eq + std::hash::Hash + Clone> + Clone + 'static,
{
    let nothing_began = async {
        stop.cancelled().await;
        if store.wait_until_ready().now_or_never().is_some() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = passes => {}
        () = nothing_began => {}
    }
}

/// Generation and our own annotations: a status write of our own wakes nobody.
#[expect(clippy::unnecessary_wraps, reason = "the shape that predicate_filter asks for")]
fn what_matters<C: Controller>(object: &PartialObjectMeta<C::Object>) -> Option<u64> {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    object.meta().generation.hash(&mut hasher);
    object.meta().deletion_timestamp.is_some().hash(&mut hasher);
    object.annotations().iter().filter(|(name, _)| name.starts_with("uko-operator.io/")).for_each(|pair| {
        pair.hash(&mut hasher);
    });
    Some(hasher.finish())
}

/// kube's own text may hold the whole answer.
fn cause(error: &watcher::Error) -> &'static str {
    match error {
        watcher::Error::InitialListFailed(_) => "the list failed",
        watcher::Error::WatchStartFailed(_) => "the watch could not be started",
        watcher::Error::WatchError(_) => "the API server ended it",
        watcher::Error::WatchFailed(_) => "the connection broke",
        watcher::Error::NoResourceVersion => "the list had no resourceVersion",
    }
}

fn key_of<K: ResourceExt>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// Everything that this process kept for an object that is gone.
pub(super) fn forget<C: Controller>(controller: &C, key: &Key) {
    let shared = controller.shared();
    shared.wakes.record(C::KIND, key, &Names::new());
    shared.metrics.forget(C::KIND, key, || controller.forget(key));
    shared.locks.clear(&lock_owner(C::KIND, key));
    shared.announced.forget(&lock_owner(C::KIND, key));
    shared.full_looks.forget(&lock_owner(C::KIND, key));
    if C::KIND == Kind::ConnectorEndpoint {
        shared.wakes.changed(Named::ConnectorEndpoint, key);
    }
}

/// How an object is called in the table of locks.
pub(crate) fn lock_owner(kind: Kind, key: &Key) -> String {
    format!("{kind:?}/{}/{}", key.0, key.1)
}

async fn look<C: Controller>(
    object: Arc<PartialObjectMeta<C::Object>>,
    controller: Arc<C>,
) -> Result<Action, Infallible> {
    let key = key_of(object.as_ref());
    let span = span::reconcile(C::KIND, &key);
    let started = Instant::now();
    let (outcome, action) = look_at(controller.as_ref(), &key).instrument(span.clone()).await;
    span.record("outcome", outcome.as_str());
    controller.shared().metrics.reconciled(C::KIND, outcome, started.elapsed());
    Ok(action)
}

/// Reads the object afresh: the watch's copy may be older than our own last write, and a decision on old facts could repeat a creation.
async fn look_at<C: Controller>(controller: &C, key: &Key) -> Looked {
    let shared = controller.shared();
    let api: Api<C::Object> = Api::namespaced(shared.kube.clone(), &key.0);
    let object = match timely(api.get_opt(&key.1)).await {
        Ok(Some(object)) => object,
        Ok(None) => {
            forget(controller, key);
            return (Outcome::Settled, Action::await_change());
        }
        Err(kube::Error::SerdeError(_)) => return attend_unread(controller, key).await,
        Err(error) => {
            let reason = Fault::from(error).reason;
            tracing::error!(reason, "the object could not be read");
            span::reason(reason);
            return (Outcome::Failed, retry(shared));
        }
    };
    span::generation(object.meta().generation);
    shared.metrics.found(C::KIND, key, now());
    controller.retained().remember(key, &object, C::ending(&object));
    if let Some(looked) = attend(controller, &api, &object).await {
        return looked;
    }
    shared.wakes.record(C::KIND, key, &C::names(&object));
    let report = controller.pass(&object, now()).await;
    say(controller, &api, &object, key, report, transitions).await
}

/// Writes status, and publishes what is news of it.
pub(super) async fn say<C: Controller>(
    controller: &C,
    api: &Api<C::Object>,
    object: &C::Object,
    key: &Key,
    report: Report<C::Status>,
    news: fn(&[Condition], &[Condition]) -> Vec<Event>,
) -> Looked {
    let shared = controller.shared();
    let before = C::status(object);
    let conditions = C::conditions(&report.status);
    match timely(status::write(api, object, &before, &report.status, report.stamps, controller.status_schema())).await {
        Ok(Written::Outdated) => return (Outcome::Progressing, Action::requeue(Duration::ZERO)),
        Ok(Written::Changed) => {
            if C::KIND == Kind::ConnectorEndpoint {
                shared.wakes.changed(Named::ConnectorEndpoint, key);
            }
            publish(shared, object, &news(C::conditions(&before), conditions)).await;
        }
        Ok(Written::Unchanged) => {}
        Err(error) => {
            let fault = Fault::from(error);
            tracing::error!(reason = fault.reason, "status could not be written");
            span::reason(fault.reason);
            return (Outcome::Failed, retry(shared));
        }
    }
    if let Some(took) = first_ready(C::memory(&before), C::memory(&report.status), conditions, now()) {
        shared.metrics.became_ready(C::KIND, took);
    }
    shared.metrics.told(C::KIND, key, conditions, now() + report.next, || {
        controller.observe_metrics(key, &report.status);
    });
    span::ready(conditions);
    (outcome(conditions), Action::requeue(report.next))
}

/// Soon, after Kubernetes itself did not answer.
pub(super) fn retry(shared: &Shared) -> Action {
    Action::requeue(jittered(shared.pace.backoff_initial.max(Duration::from_secs(1)), fastrand::f64()))
}

/// All at once: the next pass waits for them. A failed event is a line in the log, no more.
pub(super) async fn publish<K: Resource<DynamicType = ()>>(shared: &Shared, object: &K, events: &[Event]) {
    let about = object.object_ref(&());
    join_all(events.iter().map(|event| {
        tracing::info!(
            condition = event.action,
            reason = event.reason,
            "{}",
            event.note.as_deref().unwrap_or_default()
        );
        let about = &about;
        async move {
            if let Err(error) = timely(shared.events.publish(event, about)).await {
                let reason = Fault::from(error).reason;
                tracing::warn!(reason, event = event.reason, "an event could not be published");
            }
        }
    }))
    .await;
}

/// Every call to the API server ends: a hung connection must not keep a worker.
pub(crate) async fn timely<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    const LONGEST: Duration = Duration::from_secs(30);
    tokio::time::timeout(LONGEST, call).await.unwrap_or_else(|late| Err(kube::Error::Service(late.into())))
}

/// The only clock of the controllers; pure stages take its answer as an argument. In whole seconds, as status keeps
/// time: what was written compares equal with what is read back.
#[expect(clippy::disallowed_methods, reason = "here the clock is taken once a pass")]
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;
    use crate::{connector_endpoint::ConnectorEndpoints, reconcile::wake::Kind};

    #[tokio::test]
    async fn who_is_stopped_before_the_first_list_has_nothing_to_finish() {
        let (store, _writer) = reflector::store::<ConfigMap>();
        let stop = CancellationToken::new();
        let mut ended = Box::pin(in_order(std::future::pending(), &store, &stop));
        assert!(ended.as_mut().now_or_never().is_none(), "nobody has asked yet");
        stop.cancel();
        assert!(ended.now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_is_stopped_later_finishes_every_pass() {
        let (store, mut writer) = reflector::store::<ConfigMap>();
        writer.apply_watcher_event(&watcher::Event::Init);
        writer.apply_watcher_event(&watcher::Event::InitDone);
        let stop = CancellationToken::new();
        let (done, passes) = futures::channel::oneshot::channel::<()>();
        let mut ended = Box::pin(in_order(passes.map(drop), &store, &stop));
        stop.cancel();
        assert!(ended.as_mut().now_or_never().is_none(), "a pass is under way");
        done.send(()).unwrap();
        assert!(ended.now_or_never().is_some());
    }

    type Object = PartialObjectMeta<crate::api::v1alpha1::ConnectorEndpoint>;

    fn object(change: impl FnOnce(&mut Object)) -> Option<u64> {
        let mut object =
            Object { types: None, metadata: kube::core::ObjectMeta::default(), _phantom: std::marker::PhantomData };
        object.metadata.generation = Some(1);
        object.annotations_mut().insert("uko-operator.io/reconcile-requested-at".to_owned(), "1".to_owned());
        change(&mut object);
        what_matters::<ConnectorEndpoints>(&object)
    }

    #[test]
    fn only_the_spec_our_annotations_and_a_deletion_wake_an_object() {
        let same = object(|_| {});
        assert_eq!(same, object(|object| object.metadata.resource_version = Some("9".to_owned())));
        assert_eq!(same, object(|object| drop(object.labels_mut().insert("a".to_owned(), "b".to_owned()))));
        assert_eq!(
            same,
            object(|object| drop(object.annotations_mut().insert("other.io/a".to_owned(), "b".to_owned())))
        );
        assert_ne!(same, object(|object| object.metadata.generation = Some(2)));
        assert_ne!(same, object(|object| object.annotations_mut().clear()));
        assert_ne!(
            same,
            object(|object| drop(
                object.annotations_mut().insert("uko-operator.io/reconcile-requested-at".to_owned(), "2".to_owned())
            ))
        );
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(Timestamp::UNIX_EPOCH);
        assert_ne!(same, object(|object| object.metadata.deletion_timestamp = Some(now)));
    }

    #[test]
    fn time_is_kept_in_whole_seconds() {
        assert_eq!(now().subsec_nanosecond(), 0);
    }

    #[test]
    fn owners_of_locks_differ_by_kind() {
        let key = ("keys".to_owned(), "a".to_owned());
        assert_ne!(lock_owner(Kind::ConnectorEndpoint, &key), lock_owner(Kind::AzureKeystoreConnection, &key));
    }
}
