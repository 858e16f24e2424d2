//! A key of a Key Vault, as Resource Manager and the data plane tell it.
//!
//! In: either JSON. Out: one [`Key`]. Never: judges it; what makes a good key-encryption key is the planner's to say.

use serde_json::Value;

use super::wire;
use crate::clouds::token::base64url;

/// A key and its newest version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// `https://<vault>/keys/<name>/<version>`, the version included when it is known.
    pub id: Option<String>,
    /// The version alone.
    pub version: Option<String>,
    /// `RSA-HSM` for a key that may wrap other keys on their way in.
    pub kty: String,
    /// Length of the modulus; none if it was not told or makes no sense.
    pub size_bits: Option<u32>,
    /// The operations it may do.
    pub ops: Vec<String>,
    /// Whether it is switched on; absent means yes.
    pub enabled: bool,
    /// End of life, Unix seconds.
    pub expires: Option<i64>,
    /// Start of life, Unix seconds.
    pub not_before: Option<i64>,
    /// What happens on deletion; contains `Purgeable` when purge protection is off.
    pub recovery_level: Option<String>,
    /// Unix seconds.
    pub created: Option<i64>,
}

impl Key {
    /// Reads the data plane's `KeyBundle`. None if it has no type.
    #[must_use]
    pub fn read_bundle(value: &Value) -> Option<Self> {
        let id = wire::owned(value, "/key/kid");
        Some(Self {
            version: id.as_deref().and_then(version),
            id,
            kty: wire::owned(value, "/key/kty")?,
            size_bits: wire::text(value, "/key/n").and_then(modulus_bits),
            ops: wire::texts(value, "/key/key_ops"),
            ..attributes(value, "/attributes")
        })
    }

    /// Reads Resource Manager's `Microsoft.KeyVault/vaults/keys`. None if it has no type.
    #[must_use]
    pub fn read_resource(value: &Value) -> Option<Self> {
        let newest = wire::owned(value, "/properties/keyUriWithVersion");
        Some(Self {
            version: newest.as_deref().and_then(version),
            id: newest.or_else(|| wire::owned(value, "/properties/keyUri")),
            kty: wire::owned(value, "/properties/kty")?,
            size_bits: wire::number(value, "/properties/keySize").and_then(|bits| u32::try_from(bits).ok()),
            ops: wire::texts(value, "/properties/keyOps"),
            ..attributes(value, "/properties/attributes")
        })
    }
}

/// What both sides spell alike.
fn attributes(value: &Value, base: &str) -> Key {
    let at = |name: &str| format!("{base}/{name}");
    Key {
        enabled: wire::flag(value, &at("enabled")).unwrap_or(true),
        expires: wire::number(value, &at("exp")),
        not_before: wire::number(value, &at("nbf")),
        recovery_level: wire::owned(value, &at("recoveryLevel")),
        created: wire::number(value, &at("created")),
        ..Key::default()
    }
}

/// The last part of `…/keys/<name>/<version>`.
fn version(id: &str) -> Option<String> {
    let (_, path) = id.split_once("/keys/")?;
    let (_, version) = path.split_once('/')?;
    (!version.is_empty()).then(|| version.to_owned())
}

/// The bits of a big-endian modulus in base64url: leading zeros are legal and do not count.
fn modulus_bits(n: &str) -> Option<u32> {
    let bytes = base64url(n).ok()?;
    let mut significant = bytes.iter().skip_while(|byte| **byte == 0);
    let first = significant.next()?;
    let rest = u32::try_from(significant.count()).ok()?;
    Some(rest.checked_mul(8)? + (8 - first.leading_zeros()))
}

/// A key that was deleted and can still be recovered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletedKey {
    /// The key as it was.
    pub key: Key,
    /// Unix seconds.
    pub deleted_at: Option<i64>,
    /// When it will be gone for good, Unix seconds.
    pub scheduled_purge_at: Option<i64>,
}

impl DeletedKey {
    /// Reads the data plane's `DeletedKeyBundle`.
    #[must_use]
    pub fn read_bundle(value: &Value) -> Option<Self> {
        Some(Self {
            key: Key::read_bundle(value)?,
            deleted_at: wire::number(value, "/deletedDate"),
            scheduled_purge_at: wire::number(value, "/scheduledPurgeDate"),
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    const KID: &str = "https://kv1.vault.azure.net/keys/EKMF-BYOK-KEK-FOR-IMPORT/78deebed173b48e48f55abf87ed4cf71";

    fn modulus(bytes: usize, first: u8) -> String {
        let mut all = vec![0xff; bytes];
        *all.first_mut().unwrap() = first;
        BASE64_URL_SAFE_NO_PAD.encode(all)
    }

    #[test]
    fn the_size_is_counted_from_the_modulus() {
        for (bytes, bits) in [(256, 2048), (384, 3072), (512, 4096)] {
            assert_eq!(modulus_bits(&modulus(bytes, 0x80)), Some(bits));
        }
        assert_eq!(modulus_bits(&modulus(257, 0)), Some(2048), "a leading zero byte is legal");
        assert_eq!(modulus_bits(&modulus(256, 0x01)), Some(2041));
        assert_eq!(modulus_bits(&format!("{}==", modulus(256, 0x80))), Some(2048), "padding is accepted");
        for wrong in ["", "AA+/", "AAAA", "not base64!"] {
            assert_eq!(modulus_bits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn both_sides_tell_the_same_key() {
        let bundle = Key::read_bundle(&json!({
            "key": {"kid": KID, "kty": "RSA-HSM", "key_ops": ["import"], "n": modulus(512, 0x80), "e": "AQAB"},
            "attributes": {"enabled": true, "nbf": 1, "exp": 2, "created": 3, "recoveryLevel": "Recoverable"}, "tags": {}, "hsmPlatform": "2",
        }));
        let resource = Key::read_resource(&json!({
            "id": "/subscriptions/s/x", "properties": {"attributes": {"enabled": true, "nbf": 1, "exp": 2, "created": 3, "recoveryLevel": "Recoverable"},
            "kty": "RSA-HSM", "keyOps": ["import"], "keySize": 4096, "keyUri": "https://kv1.vault.azure.net/keys/EKMF-BYOK-KEK-FOR-IMPORT", "keyUriWithVersion": KID},
        }));
        assert_eq!(bundle, resource);
        let key = bundle.unwrap();
        assert_eq!((key.size_bits, key.version.as_deref()), (Some(4096), Some("78deebed173b48e48f55abf87ed4cf71")));
    }

    #[test]
    fn a_sparse_key_is_enabled_and_has_no_dates() {
        let key = Key::read_bundle(&json!({"key": {"kty": "RSA"}})).unwrap();
        assert!(key.enabled && key.expires.is_none() && key.size_bits.is_none() && key.ops.is_empty());
        assert_eq!(Key::read_bundle(&json!({"key": {}})), None);
        assert_eq!(Key::read_resource(&json!([])), None);
    }

    #[test]
    fn a_deleted_key_knows_when_it_is_purged() {
        let deleted = DeletedKey::read_bundle(
            &json!({"recoveryId": "x", "deletedDate": 10, "scheduledPurgeDate": 20, "key": {"kid": KID, "kty": "RSA-HSM"}}),
        );
        let deleted = deleted.unwrap();
        assert_eq!((deleted.deleted_at, deleted.scheduled_purge_at), (Some(10), Some(20)));
    }
}
