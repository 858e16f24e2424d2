//! Attends to the end of an object: guards it while it lives, removes what it made, lets it go.
//!
//! In: an object just read. Out: at most one write to Kubernetes besides status and events. Never: keeps an object that says
//! Retain, Plan or suspend, whatever else is broken; lets go of one that says Delete while anything of ours may be left.

use std::{marker::PhantomData, time::Duration};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Resource, ResourceExt,
    api::{ApiResource, DynamicObject, ObjectMeta, PartialObjectMeta, Patch, PatchParams},
    runtime::controller::Action,
};
use serde_json::json;

use super::{
    driver::{Controller, Report, forget, now, publish, retry, say, timely},
    farewell::{self, Came, Frame, abandoned, conclude, unguarded, worth_telling},
    fault::Fault,
    finalizer::{self, Ending, Patched, Standing, unread_asks_for_cleanup},
    metrics::Outcome,
    pace::jittered,
    status::MANAGER,
    summary::transitions,
    wake::Key,
};
use crate::api::condition::{self, ConditionType, Statement, Status};

/// How often an object is read again that this version cannot understand.
const UNREADABLE_LOOK: Duration = Duration::from_mins(5);

/// What a look came to.
pub(super) type Looked = (Outcome, Action);

/// Does what the object's standing asks for; none when it is alive and needs nothing of this.
pub(super) async fn attend<C: Controller>(controller: &C, api: &Api<C::Object>, object: &C::Object) -> Option<Looked> {
    let key = (object.namespace().unwrap_or_default(), object.name_any());
    match Standing::of(object.meta(), C::ending(object) == Ending::Remove) {
        Standing::Alive => None,
        Standing::Unguarded => Some(guard(controller, api, object, &key).await),
        Standing::Free => Some(free(controller, api, object.meta()).await),
        Standing::Abandoned => Some(abandon(controller, api, object.meta(), &C::remains(object)).await),
        Standing::Leaving => {
            controller.shared().wakes.record(C::KIND, &key, &C::names(object));
            Some(leave(controller, api, object, &key).await)
        }
        Standing::Gone => {
            forget(controller, &key);
            Some((Outcome::Settled, Action::await_change()))
        }
    }
}

/// The same for an object whose spec or status this version cannot read: metadata and one word of the spec are enough.
pub(super) async fn attend_unread<C: Controller>(controller: &C, key: &Key) -> Looked {
    let shared = controller.shared();
    let resource = ApiResource::erase::<C::Object>(&());
    let raw: Api<DynamicObject> = Api::namespaced_with(shared.kube.clone(), &key.0, &resource);
    let object = match timely(raw.get_opt(&key.1)).await {
        Ok(Some(object)) => object,
        Ok(None) => {
            forget(controller, key);
            return (Outcome::Settled, Action::await_change());
        }
        Err(error) => {
            let reason = Fault::from(error).reason;
            tracing::error!(reason, "the object could not be read");
            return (Outcome::Failed, retry(shared));
        }
    };
    let api: Api<C::Object> = Api::namespaced(shared.kube.clone(), &key.0);
    match Standing::of(&object.metadata, unread_asks_for_cleanup(&object.data)) {
        Standing::Free => free(controller, &api, &object.metadata).await,
        Standing::Abandoned => abandon(controller, &api, &object.metadata, &[]).await,
        Standing::Gone => {
            forget(controller, key);
            (Outcome::Settled, Action::await_change())
        }
        Standing::Leaving => {
            tell_unread(controller, &raw, &object).await;
            (Outcome::Failed, Action::requeue(jittered(UNREADABLE_LOOK, fastrand::f64())))
        }
        // Of a version of the operator that knew more, perhaps: nothing is done before it can be read.
        Standing::Alive | Standing::Unguarded => {
            tracing::error!("the object cannot be understood by this version of the operator");
            (Outcome::Failed, Action::requeue(jittered(UNREADABLE_LOOK, fastrand::f64())))
        }
    }
}

/// Before anything is made for it. Without the finalizer nothing is: what it made could stay behind unseen.
async fn guard<C: Controller>(controller: &C, api: &Api<C::Object>, object: &C::Object, key: &Key) -> Looked {
    let shared = controller.shared();
    let fault = match finalizer::set(api, object.meta(), true, &shared.leadership).await {
        Ok(Patched::Done | Patched::Outdated) => return (Outcome::Progressing, Action::requeue(Duration::ZERO)),
        Err(fault) => fault,
    };
    let mut status = C::status(object);
    let frame = Frame {
        generation: object.meta().generation.unwrap_or_default(),
        now: now(),
        pace: &shared.pace,
        interval: shared.pace.interval(None),
        dice: fastrand::f64(),
    };
    let next = unguarded(&mut C::ledger(&mut status), &fault, &frame);
    say(controller, api, object, key, Report { status, next, stamps: false }, transitions).await
}

/// Nothing is to be cleaned up, so nothing may hold it.
async fn free<C: Controller>(controller: &C, api: &Api<C::Object>, metadata: &ObjectMeta) -> Looked {
    match finalizer::set(api, metadata, false, &controller.shared().leadership).await {
        Ok(Patched::Done) if metadata.deletion_timestamp.is_some() => (Outcome::Settled, Action::await_change()),
        Ok(Patched::Done | Patched::Outdated) => (Outcome::Progressing, Action::requeue(Duration::ZERO)),
        Err(fault) => {
            tracing::error!(reason = fault.reason, "the finalizer could not be removed");
            (Outcome::Failed, retry(controller.shared()))
        }
    }
}

/// A person wants it gone. What remains is named, for whoever removes it by hand.
async fn abandon<C: Controller>(
    controller: &C,
    api: &Api<C::Object>,
    metadata: &ObjectMeta,
    remains: &[String],
) -> Looked {
    let looked = free(controller, api, metadata).await;
    if matches!(looked.0, Outcome::Settled) {
        publish(controller.shared(), &named::<C>(metadata), &[abandoned(remains)]).await;
    }
    looked
}

/// One pass of a deletion. Only a pass that saw nothing of ours left removes the finalizer.
async fn leave<C: Controller>(controller: &C, api: &Api<C::Object>, object: &C::Object, key: &Key) -> Looked {
    let shared = controller.shared();
    let now = now();
    let mut gone = controller.cleanup(object, now).await;
    if gone.came == Came::Over {
        match finalizer::set(api, object.meta(), false, &shared.leadership).await {
            Ok(Patched::Done) => {
                publish(shared, object, &gone.news).await;
                return (Outcome::Settled, Action::await_change());
            }
            Ok(Patched::Outdated) => return (Outcome::Progressing, Action::requeue(Duration::ZERO)),
            Err(fault) => gone.came = Came::Blocked(fault),
        }
    } else {
        publish(shared, object, &gone.news).await;
    }
    let frame = Frame {
        generation: object.meta().generation.unwrap_or_default(),
        now,
        pace: &shared.pace,
        interval: gone.interval,
        dice: fastrand::f64(),
    };
    let next = conclude(&mut C::ledger(&mut gone.status), &gone.came, gone.steps, &frame);
    let report = Report { status: gone.status, next, stamps: false };
    say(controller, api, object, key, report, |before, after| {
        transitions(&worth_telling(before), &worth_telling(after))
    })
    .await
}

/// Best effort: the status of such an object may be as unreadable as its spec.
async fn tell_unread<C: Controller>(controller: &C, api: &Api<DynamicObject>, object: &DynamicObject) {
    let fault = farewell::unreadable();
    tracing::error!(reason = fault.reason, "a deleted object cannot be understood by this version of the operator");
    let before = object.data.pointer("/status/conditions").cloned().unwrap_or_else(|| json!([]));
    let Ok(before) = serde_json::from_value::<Vec<Condition>>(before) else { return };
    let mut after = before.clone();
    let generation = object.metadata.generation.unwrap_or_default();
    for (kind, status) in [(ConditionType::Ready, Status::False), (ConditionType::DeletionBlocked, Status::True)] {
        let statement = Statement { kind, status, reason: fault.reason, message: &fault.message };
        condition::set(&mut after, &statement, generation, now());
    }
    if before == after {
        return;
    }
    let patch = json!({
        "metadata": { "resourceVersion": object.metadata.resource_version },
        "status": { "conditions": after },
    });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match timely(api.patch_status(&object.name_any(), &params, &Patch::Merge(patch))).await {
        Ok(_) => publish(controller.shared(), &named::<C>(&object.metadata), &transitions(&before, &after)).await,
        Err(error) => tracing::warn!(reason = Fault::from(error).reason, "status could not be written"),
    }
}

/// As events name it.
fn named<C: Controller>(metadata: &ObjectMeta) -> PartialObjectMeta<C::Object> {
    PartialObjectMeta { types: None, metadata: metadata.clone(), _phantom: PhantomData }
}
