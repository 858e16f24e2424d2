//! Reads the Secrets that an object names, and wakes the object when one of them changes.
//!
//! In: names from the spec. Out: values in `SecretString`s, or a fault that says which Secret and key. Never: lists Secrets at large, caches a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use futures::{Stream, StreamExt, future::join_all, stream::SelectAll};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, ResourceExt,
    api::PartialObjectMeta,
    runtime::{WatchStreamExt, utils::Backoff, watcher},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    driver::timely,
    fault::Fault,
    fingerprint::Fingerprints,
    wake::{Key, Named, Wakes},
};
use crate::api::v1alpha1::{IbmAuthentication, IbmAuthenticationType, SecretKeyRef};

/// The Secrets of one pass.
pub(crate) struct Secrets {
    namespace: String,
    read: BTreeMap<String, Result<Option<Secret>, Fault>>,
}

impl Secrets {
    /// Reads all of `names` at once.
    pub(crate) async fn read(kube: &Client, namespace: &str, names: BTreeSet<String>) -> Self {
        let api: Api<Secret> = Api::namespaced(kube.clone(), namespace);
        let reads = names.into_iter().map(|name| {
            let api = api.clone();
            async move {
                let read = timely(api.get_opt(&name)).await.map_err(|error| not_readable(&name, error));
                (name, read)
            }
        });
        Self { namespace: namespace.to_owned(), read: join_all(reads).await.into_iter().collect() }
    }

    /// The value of a reference, under its own key or `default_key`.
    pub(crate) fn value(
        &self,
        field: &str,
        reference: &SecretKeyRef,
        default_key: &str,
    ) -> Result<SecretString, Fault> {
        let key = reference.key.as_deref().unwrap_or(default_key);
        self.key(field, &reference.name, key)
    }

    /// The value of `key` in the Secret `name`.
    pub(crate) fn key(&self, field: &str, name: &str, key: &str) -> Result<SecretString, Fault> {
        let here = &self.namespace;
        let missing = || {
            Fault::invalid(
                "SecretNotFound",
                format!(
                    "{field} names the Secret {name}, which is not in namespace {here}. Create it with the key {key}."
                ),
            )
        };
        let secret = match self.read.get(name) {
            None | Some(Ok(None)) => return Err(missing()),
            Some(Err(fault)) => return Err(fault.clone()),
            Some(Ok(Some(secret))) => secret,
        };
        let Some(bytes) = secret.data.as_ref().and_then(|data| data.get(key)) else {
            let text = format!(
                "{field}: the Secret {name} in namespace {here} has no key {key}. Add it, or name another key."
            );
            return Err(Fault::invalid("SecretKeyMissing", text));
        };
        match std::str::from_utf8(&bytes.0).map(str::trim) {
            Ok("") => {
                let text = format!(
                    "{field}: the key {key} of the Secret {name} in namespace {here} is empty. Put the value in."
                );
                Err(Fault::invalid("SecretKeyEmpty", text))
            }
            Ok(value) => Ok(SecretString::from(value.to_owned())),
            Err(_) => {
                let text =
                    format!("{field}: the key {key} of the Secret {name} in namespace {here} is not text (UTF-8).");
                Err(Fault::invalid("SecretKeyInvalid", text))
            }
        }
    }

    /// The fingerprint of a spec and of every Secret it names: differs when any of them does.
    pub(crate) fn inputs<S: Serialize>(&self, fingerprints: &Fingerprints, spec: &S) -> String {
        let spec = serde_json::to_vec(spec).unwrap_or_default();
        let mut parts: Vec<&[u8]> = vec![&spec];
        for (name, read) in &self.read {
            parts.push(name.as_bytes());
            let data = read.as_ref().ok().and_then(Option::as_ref).and_then(|secret| secret.data.as_ref());
            for (key, value) in data.into_iter().flatten() {
                parts.extend([key.as_bytes(), value.0.as_slice()]);
            }
        }
        fingerprints.of(&parts)
    }

    /// The fingerprint of one value; none while it cannot be used.
    pub(crate) fn fingerprint(
        &self,
        fingerprints: &Fingerprints,
        reference: &SecretKeyRef,
        default_key: &str,
    ) -> Option<String> {
        let value = self.value("", reference, default_key).ok()?;
        Some(fingerprints.of(&[value.expose_secret().as_bytes()]))
    }

    /// The API key of an IBM identity; `field` is the path of the identity in the spec.
    pub(crate) fn ibm_api_key(&self, field: &str, identity: &IbmAuthentication) -> Result<SecretString, Fault> {
        match (identity.type_, &identity.api_key) {
            (IbmAuthenticationType::APIKey, Some(key)) => {
                self.value(&format!("{field}.apiKey.secretRef"), &key.secret_ref, "apiKey")
            }
            (IbmAuthenticationType::APIKey, None) => {
                Err(Fault::invalid("SpecInvalid", format!("{field}.apiKey must be set for type APIKey.")))
            }
            (IbmAuthenticationType::TrustedProfile, _) => {
                Err(Fault::not_yet_supported(&format!("{field}.type: TrustedProfile"), "Use an API key in a Secret."))
            }
        }
    }

    /// The value of `key`, or none where the key is not there.
    pub(crate) fn optional_key(&self, field: &str, name: &str, key: &str) -> Result<Option<SecretString>, Fault> {
        match self.key(field, name, key) {
            Ok(value) => Ok(Some(value)),
            Err(fault) if matches!(fault.reason, "SecretKeyMissing" | "SecretKeyEmpty") => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

fn not_readable(name: &str, error: kube::Error) -> Fault {
    let forbidden = matches!(&error, kube::Error::Api(status) if status.code == 403);
    let fault = Fault::from(error);
    if forbidden {
        let text = format!(
            "The operator may not read the Secret {name}. Grant its ServiceAccount get on it with a Role in this namespace (resourceNames: [{name}])."
        );
        return fault.worded("SecretForbidden", text);
    }
    fault
}

type Changes = SelectAll<Pin<Box<dyn Stream<Item = Key> + Send>>>;

/// Keeps one metadata watch for each named Secret, where RBAC allows it, and wakes who names it.
pub(crate) async fn watch(kube: Client, wakes: Arc<Wakes>, stop: CancellationToken) {
    let mut watched: BTreeMap<Key, CancellationToken> = BTreeMap::new();
    let mut changes = Changes::new();
    loop {
        let named = wakes.secrets();
        watched.retain(|key, cancel| {
            let keep = named.contains(key);
            if !keep {
                cancel.cancel();
            }
            keep
        });
        for key in named {
            watched.entry(key).or_insert_with_key(|key| {
                let cancel = CancellationToken::new();
                changes.push(Box::pin(changes_of(&kube, key.clone()).take_until(cancel.clone().cancelled_owned())));
                cancel
            });
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = wakes.secrets_changed() => {}
            Some(key) = changes.next(), if !changes.is_empty() => wakes.changed(Named::Secret, &key),
        }
    }
}

/// One second, doubling to five minutes: a forbidden watch is no reason to knock all the time.
#[derive(Default)]
struct Slowly(u32);

impl Iterator for Slowly {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = Duration::from_secs(1 << self.0.min(9)).min(Duration::from_mins(5));
        self.0 = self.0.saturating_add(1);
        Some(wait)
    }
}

impl Backoff for Slowly {
    fn reset(&mut self) {
        self.0 = 0;
    }
}

/// Each change of one Secret once. Where the watch is forbidden it is tried again ever more slowly; the interval notices meanwhile.
fn changes_of(kube: &Client, key: Key) -> impl Stream<Item = Key> + Send + use<> {
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(kube.clone(), &key.0);
    let only = watcher::Config::default().fields(&format!("metadata.name={}", key.1));
    let mut last = None;
    watcher(api, only)
        .backoff(Slowly::default())
        .touched_objects()
        .filter_map(|object| std::future::ready(object.ok()))
        .filter(move |object| {
            let version = object.resource_version();
            let news = version != last;
            last = version;
            std::future::ready(news)
        })
        .map(move |_| key.clone())
}
