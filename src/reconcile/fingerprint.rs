//! Fingerprints of secret and other inputs: equal inputs, equal fingerprint; nothing else can be told from it.
//!
//! In: bytes, and a key that the operator keeps in a Secret of its own namespace. Out: 16 hexadecimal digits for status.
//! Never: a plain hash, which a guess could be tried against; shows the key.

use std::{collections::BTreeMap, error::Error, fmt, fmt::Write as _, time::Duration};

use aws_lc_rs::{hmac, rand};
use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, api::PostParams};
use tokio::time::timeout;

/// The Secret that holds the key.
pub const SECRET_NAME: &str = "uko-operator-fingerprint-key";
const SECRET_KEY: &str = "key";
const KEY_BYTES: usize = 32;
const DEADLINE: Duration = Duration::from_secs(30);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// The Secret could neither be read nor made.
    #[error(
        "cannot read or make Secret {SECRET_NAME}: grant the service account get on it and create on secrets, in the operator's own namespace"
    )]
    Kubernetes(#[source] Box<dyn Error + Send + Sync>),
    /// The operator's own namespace is not there.
    #[error(
        "there is no namespace for Secret {SECRET_NAME}: make the operator's own namespace, or name it by --namespace"
    )]
    NoNamespace,
    /// The Secret holds something else.
    #[error(
        "Secret {SECRET_NAME} holds no key of {KEY_BYTES} bytes: delete it to have a new one made at the next start; every fingerprint changes then"
    )]
    Malformed,
    /// No answer in time.
    #[error("the API server did not answer for Secret {SECRET_NAME} within {DEADLINE:?}")]
    Late,
    /// The system gave no random bytes.
    #[error("the system has no random bytes for a new key")]
    NoRandomness,
}

/// Makes fingerprints with the operator's key. Cheap enough to clone.
#[derive(Clone)]
pub struct Fingerprints(hmac::Key);

impl Fingerprints {
    /// Loads the key, or makes it if there is none. Two processes at once end with the same key.
    ///
    /// # Errors
    /// When there is no key at the end.
    pub async fn load_or_make(secrets: &Api<Secret>) -> Result<Self, NoKey> {
        timeout(DEADLINE, load_or_make(secrets)).await.map_err(|_| NoKey::Late)?
    }

    /// The fingerprint of several inputs in their order. `["ab", "c"]` and `["a", "bc"]` differ.
    #[must_use]
    pub fn of(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        let mut text = String::with_capacity(16);
        for byte in context.sign().as_ref().iter().take(8) {
            let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        }
        text
    }

    fn of_secret(secret: &Secret) -> Result<Self, NoKey> {
        secret
            .data
            .as_ref()
            .and_then(|data| data.get(SECRET_KEY))
            .filter(|key| key.0.len() == KEY_BYTES)
            .map(|key| Self(hmac::Key::new(hmac::HMAC_SHA256, &key.0)))
            .ok_or(NoKey::Malformed)
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprints")
    }
}

async fn load_or_make(secrets: &Api<Secret>) -> Result<Fingerprints, NoKey> {
    if let Some(secret) = secrets.get_opt(SECRET_NAME).await.map_err(fault)? {
        return Fingerprints::of_secret(&secret);
    }
    match secrets.create(&PostParams::default(), &new_secret()?).await {
        Ok(secret) => Fingerprints::of_secret(&secret),
        // Another process was faster: its key counts.
        Err(kube::Error::Api(status)) if status.code == 409 => {
            Fingerprints::of_secret(&secrets.get(SECRET_NAME).await.map_err(fault)?)
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Err(NoKey::NoNamespace),
        Err(other) => Err(fault(other)),
    }
}

/// Without kube's debug print of the whole answer.
fn fault(fault: kube::Error) -> NoKey {
    NoKey::Kubernetes(if let kube::Error::Api(status) = fault { status } else { Box::new(fault) })
}

fn new_secret() -> Result<Secret, NoKey> {
    let mut key = vec![0; KEY_BYTES];
    rand::fill(&mut key).map_err(|_| NoKey::NoRandomness)?;
    Ok(Secret {
        metadata: ObjectMeta {
            name: Some(SECRET_NAME.to_owned()),
            labels: Some(BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "uko-operator".to_owned())])),
            ..ObjectMeta::default()
        },
        data: Some(BTreeMap::from([(SECRET_KEY.to_owned(), ByteString(key))])),
        immutable: Some(true),
        ..Secret::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_key(key: &[u8]) -> Result<Fingerprints, NoKey> {
        Fingerprints::of_secret(&Secret {
            data: Some(BTreeMap::from([(SECRET_KEY.to_owned(), ByteString(key.to_vec()))])),
            ..Secret::default()
        })
    }

    #[test]
    fn a_fingerprint_depends_on_every_part_the_borders_and_the_key() {
        let ours = of_key(&[7; 32]).unwrap();
        let one = ours.of(&[b"ab", b"c"]);
        assert_eq!(one, ours.of(&[b"ab", b"c"]));
        assert_ne!(one, ours.of(&[b"a", b"bc"]));
        assert_ne!(one, ours.of(&[b"ab", b"c", b""]));
        assert_ne!(one, of_key(&[8; 32]).unwrap().of(&[b"ab", b"c"]));
        assert_eq!(one.len(), 16);
        assert!(one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    /// HMAC-SHA256 computed elsewhere: key 32 x 0x07, message 0000000000000001 || 61.
    #[test]
    fn the_fingerprint_is_hmac_sha256_cut_to_eight_bytes() {
        assert_eq!(of_key(&[7; 32]).unwrap().of(&[b"a"]), "0eff5865c6601ac7");
    }

    #[test]
    fn a_secret_without_a_proper_key_is_refused_and_a_new_one_is_proper() {
        assert!(matches!(of_key(&[7; 31]), Err(NoKey::Malformed)));
        assert!(Fingerprints::of_secret(&Secret::default()).is_err());
        let made = new_secret().unwrap();
        let again = new_secret().unwrap();
        assert!(Fingerprints::of_secret(&made).is_ok());
        assert_ne!(made.data, again.data);
    }
}
