//! Gives up what a deleted object that said Retain leaves behind, so that others may take it.
//!
//! In: objects as they were last read, and the watch's word that one is gone. Out: one best-effort pass outside. Never: holds an
//! object; releases for one that exists again, or whose spec changed since it was read. A restart, or another leader, forgets.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{StreamExt, stream};
use kube::{Api, ResourceExt, api::ObjectMeta};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    driver::{Controller, Shared, timely},
    fault::Fault,
    finalizer::Ending,
    wake::Key,
};

/// Longest time that a deleted object has to come back, as `kubectl replace --force` makes it.
const PAUSE: Duration = Duration::from_secs(2);
/// How often a release is tried.
const TRIES: u32 = 3;
/// So many at once.
const AT_ONCE: usize = 4;

/// What is needed of each object that says Retain; as long as the list of objects.
pub(crate) struct Retained<K> {
    objects: Mutex<HashMap<Key, Arc<K>>>,
    gone: Mutex<VecDeque<(Key, Arc<K>)>>,
    bell: Notify,
}

impl<K> Default for Retained<K> {
    fn default() -> Self {
        Self { objects: Mutex::default(), gone: Mutex::default(), bell: Notify::new() }
    }
}

impl<K: ResourceExt + Clone> Retained<K> {
    /// As it was just read.
    pub(super) fn remember(&self, key: &Key, object: &K, ending: Ending) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        match ending {
            Ending::Release => {
                let mut object = object.clone();
                object.managed_fields_mut().clear();
                objects.insert(key.clone(), Arc::new(object));
            }
            Ending::Remove | Ending::Leave => drop(objects.remove(key)),
        }
    }

    /// The watch says that it is gone; these were its last metadata.
    pub(super) fn gone(&self, key: &Key, last: &ObjectMeta) {
        let known = self.objects.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
        let Some(object) = known.filter(|object| is_as_read(object.meta(), last)) else { return };
        self.gone.lock().unwrap_or_else(PoisonError::into_inner).push_back((key.clone(), object));
        self.bell.notify_one();
    }

    /// Forgets whatever is not `there` any more: a watch that broke may have missed the end of an object.
    pub(super) fn keep(&self, there: impl Fn(&Key) -> bool) {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| there(key));
    }

    async fn next(&self) -> (Key, Arc<K>) {
        loop {
            let rung = self.bell.notified();
            if let Some(gone) = self.gone.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
                return gone;
            }
            rung.await;
        }
    }
}

/// The same object with the same spec. A deletion that waited for a finalizer of others counts as one more generation.
fn is_as_read(read: &ObjectMeta, last: &ObjectMeta) -> bool {
    let deletion = i64::from(last.deletion_timestamp.is_some() && read.deletion_timestamp.is_none());
    read.uid == last.uid && read.generation.zip(last.generation).is_some_and(|(read, last)| last - read <= deletion)
}

/// Releases what objects leave, until `stop`.
pub(super) async fn run<C: Controller>(controller: &C, stop: CancellationToken) {
    let gone = stream::unfold((), |()| async { Some((controller.retained().next().await, ())) });
    gone.take_until(stop.cancelled_owned())
        .for_each_concurrent(AT_ONCE, |(key, object)| async move {
            let span = tracing::info_span!("release", kind = ?C::KIND, namespace = %key.0, name = %key.1);
            release(controller, &key, &object).instrument(span).await;
        })
        .await;
}

async fn release<C: Controller>(controller: &C, key: &Key, object: &C::Object) {
    let shared = controller.shared();
    for attempt in 1..=TRIES {
        tokio::time::sleep(shared.pace.poll_interval.min(PAUSE) * attempt).await;
        let api: Api<C::Object> = Api::namespaced(shared.kube.clone(), &key.0);
        match timely(api.get_metadata_opt(&key.1)).await {
            Ok(None) => {}
            Ok(Some(_)) => return tracing::info!("the object is there again: nothing is released"),
            Err(error) => {
                let reason = Fault::from(error).reason;
                tracing::warn!(reason, "nobody knows whether the object is there again: nothing is released");
                return;
            }
        }
        match controller.release(object, key).await {
            Ok(marks) => return tracing::info!(marks, "released"),
            Err(fault) if fault.is_passing() && attempt < TRIES => {}
            Err(fault) => {
                tracing::info!(reason = fault.reason, "the marks stay: {}", fault.message);
                return;
            }
        }
    }
}

impl Shared {
    /// Whether a release may write now.
    pub(crate) fn may_release(&self) -> Result<(), Fault> {
        self.leadership.check().map(drop).map_err(Fault::from)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn key() -> Key {
        ("keys".to_owned(), "a".to_owned())
    }

    fn metadata(uid: &str, generation: i64, deleted: bool) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.to_owned()),
            generation: Some(generation),
            deletion_timestamp: deleted.then_some(Time(Timestamp::UNIX_EPOCH)),
            ..ObjectMeta::default()
        }
    }

    fn read() -> ConfigMap {
        ConfigMap { metadata: metadata("u", 3, false), ..ConfigMap::default() }
    }

    fn is_released(retained: &Retained<ConfigMap>, last: &ObjectMeta) -> bool {
        retained.gone(&key(), last);
        retained.next().now_or_never().is_some()
    }

    #[test]
    fn only_an_object_that_went_as_it_was_last_read_is_released_and_only_once() {
        for (last, released) in [
            (metadata("u", 3, false), true),
            (metadata("u", 4, true), true),
            (metadata("u", 4, false), false),
            (metadata("u", 5, true), false),
            (metadata("other", 3, false), false),
        ] {
            let retained = Retained::default();
            retained.remember(&key(), &read(), Ending::Release);
            assert_eq!(is_released(&retained, &last), released, "{last:?}");
            assert!(!is_released(&retained, &last));
        }
    }

    #[test]
    fn who_asks_for_nothing_or_for_a_removal_is_not_remembered() {
        for ending in [Ending::Leave, Ending::Remove] {
            let retained = Retained::default();
            retained.remember(&key(), &read(), Ending::Release);
            retained.remember(&key(), &read(), ending);
            assert!(!is_released(&retained, &metadata("u", 3, false)));
        }
        let retained = Retained::default();
        retained.remember(&key(), &read(), Ending::Release);
        retained.keep(|_| false);
        assert!(!is_released(&retained, &metadata("u", 3, false)), "its end was missed");
    }
}
