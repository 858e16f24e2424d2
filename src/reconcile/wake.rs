//! Who must be looked at when something else changed.
//!
//! In: what each object names, and changes of named things. Out: a stream of objects for each controller. Never: reads an object; queues one twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use futures::{Stream, stream};
use tokio::sync::Notify;

/// A kind of thing that an object can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// A Secret.
    Secret,
    /// A `ConnectorEndpoint`.
    ConnectorEndpoint,
}

/// One of the two controllers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `ConnectorEndpoint`.
    ConnectorEndpoint,
    /// `AzureKeystoreConnection`.
    AzureKeystoreConnection,
}

/// Namespace and name.
pub(crate) type Key = (String, String);
/// What an object names, in its own namespace.
pub(crate) type Names = BTreeSet<(Named, String)>;

impl Queue {
    async fn next(&self, namespace: Option<&str>) -> Key {
        loop {
            // Made before the look, so that a bell in between is not missed.
            let rung = self.bell.notified();
            if let Some(key) = self.take(namespace) {
                return key;
            }
            rung.await;
        }
    }

    fn take(&self, namespace: Option<&str>) -> Option<Key> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let key = waiting.iter().find(|key| namespace.is_none_or(|namespace| key.0 == namespace)).cloned()?;
        waiting.take(&key)
    }
}

/// The index of references and the two wake-up queues.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    names: Mutex<BTreeMap<(Kind, Key), Names>>,
    secrets_changed: Notify,
    endpoints: Queue,
    connections: Queue,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<BTreeSet<Key>>,
    bell: Notify,
}

impl Wakes {
    /// Remembers what an object names. Endpoints that it began or ceased to name are woken: they say who uses them.
    pub(crate) fn record(&self, kind: Kind, key: &Key, names: &Names) {
        let before = {
            let mut all = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            if names.is_empty() {
                all.remove(&(kind, key.clone()))
            } else {
                all.insert((kind, key.clone()), names.clone())
            }
        }
        .unwrap_or_default();
        if before == *names {
            return;
        }
        for (named, name) in before.symmetric_difference(names) {
            match named {
                Named::Secret => {}
                Named::ConnectorEndpoint => self.wake(Kind::ConnectorEndpoint, (key.0.clone(), name.clone())),
            }
        }
        self.secrets_changed.notify_one();
    }

    /// The objects of `kind` that name this thing.
    pub(crate) fn users(&self, kind: Kind, named: Named, key: &Key) -> Vec<Key> {
        let all = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = (named, key.1.clone());
        all.iter()
            .filter(|((of, user), names)| *of == kind && user.0 == key.0 && names.contains(&wanted))
            .map(|((_, user), _)| user.clone())
            .collect()
    }

    /// Every Secret that any object names.
    pub(crate) fn secrets(&self) -> BTreeSet<Key> {
        let all = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let secrets = all.iter().flat_map(|((_, user), names)| {
            names.iter().filter(|(named, _)| *named == Named::Secret).map(|(_, name)| (user.0.clone(), name.clone()))
        });
        secrets.collect()
    }

    /// Waits until the set of named Secrets may have changed.
    pub(crate) async fn secrets_changed(&self) {
        self.secrets_changed.notified().await;
    }

    /// A named thing changed: everyone who names it is looked at.
    pub(crate) fn changed(&self, named: Named, key: &Key) {
        for kind in [Kind::ConnectorEndpoint, Kind::AzureKeystoreConnection] {
            for user in self.users(kind, named, key) {
                self.wake(kind, user);
            }
        }
    }

    /// Everything is looked at: the policy file changed.
    pub(crate) fn everyone(&self) {
        let all: Vec<(Kind, Key)> = self.names.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        for (kind, key) in all {
            self.wake(kind, key);
        }
    }

    /// This object is looked at.
    pub(crate) fn wake(&self, kind: Kind, key: Key) {
        let queue = self.queue(kind);
        queue.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        // Each namespace has a reader, and each looks for its own.
        queue.bell.notify_waiters();
    }

    /// The woken objects of one kind, of one namespace or of all; one reader for each only.
    pub(crate) fn stream(self: Arc<Self>, kind: Kind, namespace: Option<String>) -> impl Stream<Item = Key> + Send {
        stream::unfold((self, namespace), move |(wakes, namespace)| async move {
            let key = wakes.queue(kind).next(namespace.as_deref()).await;
            Some((key, (wakes, namespace)))
        })
    }

    fn queue(&self, kind: Kind) -> &Queue {
        match kind {
            Kind::ConnectorEndpoint => &self.endpoints,
            Kind::AzureKeystoreConnection => &self.connections,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn key(name: &str) -> Key {
        ("keys".to_owned(), name.to_owned())
    }

    #[tokio::test]
    async fn a_changed_secret_wakes_exactly_who_names_it_and_each_once() {
        let wakes = Arc::new(Wakes::default());
        let names = |secret: &str| Names::from([(Named::Secret, secret.to_owned())]);
        wakes.record(Kind::AzureKeystoreConnection, &key("a"), &names("sp"));
        wakes.record(Kind::AzureKeystoreConnection, &key("b"), &names("other"));
        wakes.changed(Named::Secret, &key("sp"));
        wakes.changed(Named::Secret, &key("sp"));
        wakes.changed(Named::Secret, &key("other"));
        let woken: Vec<Key> = Arc::clone(&wakes).stream(Kind::AzureKeystoreConnection, None).take(2).collect().await;
        assert_eq!(woken, [key("a"), key("b")]);
    }

    #[tokio::test]
    async fn an_endpoint_is_woken_when_a_connection_begins_and_ceases_to_name_it() {
        let wakes = Arc::new(Wakes::default());
        let names = Names::from([(Named::ConnectorEndpoint, "e".to_owned())]);
        wakes.record(Kind::AzureKeystoreConnection, &key("a"), &names);
        assert_eq!(wakes.users(Kind::AzureKeystoreConnection, Named::ConnectorEndpoint, &key("e")), [key("a")]);
        let mut stream = Box::pin(Arc::clone(&wakes).stream(Kind::ConnectorEndpoint, None));
        assert_eq!(stream.next().await, Some(key("e")));
        wakes.record(Kind::AzureKeystoreConnection, &key("a"), &Names::new());
        assert_eq!(stream.next().await, Some(key("e")));
        assert!(wakes.secrets().is_empty());
    }
}
