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

    /// As if these had been read.
    #[cfg(test)]
    pub(crate) fn holding(namespace: &str, read: BTreeMap<String, Result<Option<Secret>, Fault>>) -> Self {
        Self { namespace: namespace.to_owned(), read }
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

    /// Name and value of an annotation, for each Secret that has it.
    pub(crate) fn annotated(&self, annotation: &str) -> impl Iterator<Item = (&str, &str)> {
        self.read.iter().filter_map(move |(name, read)| {
            let secret = read.as_ref().ok()?.as_ref()?;
            let value = secret.metadata.annotations.as_ref()?.get(annotation)?;
            Some((name.as_str(), value.as_str()))
        })
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

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;
    use crate::clouds::http::Class;

    fn secrets() -> Secrets {
        let data = BTreeMap::from([
            ("plain".to_owned(), ByteString(b" s3cr3t\n".to_vec())),
            ("empty".to_owned(), ByteString(b" \n".to_vec())),
            ("binary".to_owned(), ByteString(vec![0xff, 0xfe])),
        ]);
        let there = Secret { data: Some(data), ..Secret::default() };
        let forbidden = Fault::awaiting_person("SecretForbidden", "");
        Secrets::holding(
            "keys",
            BTreeMap::from([
                ("there".to_owned(), Ok(Some(there))),
                ("gone".to_owned(), Ok(None)),
                ("bare".to_owned(), Ok(Some(Secret::default()))),
                ("hidden".to_owned(), Err(forbidden)),
            ]),
        )
    }

    #[test]
    fn a_value_that_cannot_be_used_says_where_and_why_and_shows_nothing_of_it() {
        for (name, key, reason) in [
            ("gone", "plain", "SecretNotFound"),
            ("never-read", "plain", "SecretNotFound"),
            ("there", "other", "SecretKeyMissing"),
            ("bare", "plain", "SecretKeyMissing"),
            ("there", "empty", "SecretKeyEmpty"),
            ("there", "binary", "SecretKeyInvalid"),
            ("hidden", "plain", "SecretForbidden"),
        ] {
            let fault = secrets().key("spec.field", name, key).unwrap_err();
            assert_eq!(fault.reason, reason, "{name}/{key}");
            if reason != "SecretForbidden" {
                assert!(
                    fault.class == Class::Invalid
                        && fault.message.contains("spec.field")
                        && fault.message.contains(name)
                );
            }
            assert!(!fault.message.contains("s3cr3t"));
        }
    }

    #[test]
    fn a_value_is_read_under_its_own_key_or_the_default_one_without_the_line_break_of_an_editor() {
        let reference = |key: Option<&str>| SecretKeyRef { name: "there".into(), key: key.map(Into::into) };
        assert_eq!(secrets().value("f", &reference(None), "plain").unwrap().expose_secret(), "s3cr3t");
        assert_eq!(secrets().value("f", &reference(Some("plain")), "other").unwrap().expose_secret(), "s3cr3t");
        assert!(secrets().value("f", &reference(Some("other")), "plain").is_err());
    }

    #[test]
    fn an_optional_key_may_be_missing_or_empty_but_not_unreadable() {
        let of = |name: &str, key: &str| secrets().optional_key("f", name, key);
        assert!(of("there", "other").unwrap().is_none() && of("there", "empty").unwrap().is_none());
        assert!(of("there", "plain").unwrap().is_some());
        assert!(of("gone", "plain").is_err() && of("there", "binary").is_err());
    }
}
