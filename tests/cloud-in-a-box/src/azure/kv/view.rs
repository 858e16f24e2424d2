//! Keys as the data plane shows them.
//!
//! In: a vault and a key. Out: bundles and list items. Never: changes anything.

use serde_json::{Value, json};

use crate::azure::set;
use crate::azure::state::{DeletedKey, KeyVersion, Vault};
use crate::azure::{cloud, vault_keys};

fn attributes(vault: &Vault, version: &KeyVersion) -> Value {
    let (level, days) = vault_keys::recovery(vault);
    let mut shown = json!({
        "enabled": version.enabled, "created": version.created, "updated": version.updated, "recoveryLevel": level,
    });
    for (name, value) in [("nbf", version.nbf), ("exp", version.exp), ("recoverableDays", days)] {
        if let Some(value) = value {
            set(&mut shown, name, value);
        }
    }
    set(&mut shown, "exportable", false);
    shown
}

/// A key with its public part.
pub(crate) fn bundle(vault: &Vault, name: &str, version: &KeyVersion) -> Value {
    let mut key = json!({
        "kid": vault_keys::kid(vault, name, Some(&version.version)), "kty": version.kty, "key_ops": version.key_ops,
    });
    if let Some(curve) = &version.curve {
        set(&mut key, "crv", curve.clone());
        set(&mut key, "x", vault_keys::coordinate(version, 'x'));
        set(&mut key, "y", vault_keys::coordinate(version, 'y'));
    } else {
        set(&mut key, "n", vault_keys::modulus(version));
        set(&mut key, "e", "AQAB");
    }
    let mut shown = json!({"key": key, "attributes": attributes(vault, version)});
    if !version.tags.is_empty() {
        set(&mut shown, "tags", json!(version.tags));
    }
    shown
}

/// A list item: no type, no version of its own unless asked.
pub(crate) fn item(vault: &Vault, name: &str, version: &KeyVersion, with_version: bool) -> Value {
    let kid = vault_keys::kid(vault, name, with_version.then_some(version.version.as_str()));
    let mut shown = json!({"kid": kid, "attributes": attributes(vault, version)});
    if !version.tags.is_empty() {
        set(&mut shown, "tags", json!(version.tags));
    }
    shown
}

/// Adds what a deleted key shows besides.
pub(crate) fn as_deleted(vault: &Vault, name: &str, mut shown: Value, deleted: &DeletedKey) -> Value {
    let base = cloud::names(vault.cloud).vault_uri(&vault.name);
    set(&mut shown, "recoveryId", format!("{base}deletedkeys/{name}"));
    set(&mut shown, "deletedDate", deleted.deleted_date);
    set(&mut shown, "scheduledPurgeDate", deleted.scheduled_purge_date);
    shown
}
