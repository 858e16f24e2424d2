//! Keys through Resource Manager: GET, list, versions, and PUT that creates only what is absent.
//!
//! In: calls that the vault's firewall does not cover. Out: keys without modulus. Never: tells a deleted key from none.

use http::Method;
use serde_json::{Value, json};

use super::check::{self, MAY, MUST, Member, Shape, list, text};
use super::{Ask, Outcome, error, quirks, vaults};
use crate::azure::set;
use crate::azure::state::{Key, KeyVersion, Vault};
use crate::azure::vault_keys::{self, Draft};
use crate::state::{World, now};
use crate::wire::Answer;

/// All calls on keys and their versions.
pub(crate) fn answer(world: &mut World, ask: &Ask) -> Outcome {
    let vault_key = vaults::find(world, ask)?;
    let vault = world.azure.vaults.get(&vault_key).ok_or_else(|| Answer::empty(404))?;
    if world.settings.arm_key_forbidden_by_rbac {
        let message = "Caller is not authorized to perform action on resource. If role assignments, deny assignments or role definitions were changed recently, please observe propagation time.";
        return Err(error::plain(400, "ForbiddenByRbac", message));
    }
    let versions = ask.target.kind.ends_with("/versions");
    let found = find(world, vault, ask.target.name(1));
    match (&ask.call.method, ask.target.list, versions) {
        (&Method::GET, true, false) => {
            let present = vault.keys.iter().filter(|(_, key)| present(world, key));
            let items = present.map(|(name, key)| summary(vault, name, &key.current)).collect();
            Ok(quirks::page(world, ask.call, items))
        }
        (&Method::GET, true, true) => {
            let (name, key) = found.ok_or_else(|| not_found(ask))?;
            let items = all_versions(key).map(|version| json(vault, name, version, true)).collect();
            Ok(quirks::page(world, ask.call, items))
        }
        (&Method::GET, false, true) => {
            let (name, key) = found.ok_or_else(|| not_found(ask))?;
            let version = all_versions(key)
                .find(|version| version.version == ask.target.name(2))
                .ok_or_else(|| not_found(ask))?;
            Ok(Answer::json(200, &json(vault, name, version, true)))
        }
        (&Method::GET, false, false) => {
            let (name, key) = found.ok_or_else(|| not_found(ask))?;
            Ok(Answer::json(200, &json(vault, name, &key.current, false)))
        }
        (&Method::PUT, false, false) => create(world, ask, &vault_key),
        _ => Err(error::method_not_allowed(ask)),
    }
}

fn all_versions(key: &Key) -> impl Iterator<Item = &KeyVersion> {
    key.previous.iter().chain(std::iter::once(&key.current))
}

fn present(world: &World, key: &Key) -> bool {
    key.deleted.is_none() && key.settles_at <= now(world)
}

fn find<'a>(world: &World, vault: &'a Vault, name: &str) -> Option<(&'a String, &'a Key)> {
    vault_keys::spelled(vault, name).filter(|(_, key)| present(world, key))
}

fn not_found(ask: &Ask) -> Answer {
    let name = ask.target.name(1);
    error::plain(
        404,
        "KeyNotFound",
        format!(
            "A key with (name/id) {name} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command."
        ),
    )
}

const BODY: Shape = Shape::Object(&[
    Member("tags", MAY, Shape::Tags),
    Member(
        "properties",
        MUST,
        Shape::Object(&[
            Member(
                "attributes",
                MAY,
                Shape::Object(&[
                    Member("enabled", MAY, Shape::Flag),
                    Member("nbf", MAY, Shape::Number),
                    Member("exp", MAY, Shape::Number),
                    Member("exportable", MAY, Shape::Flag),
                ]),
            ),
            Member("kty", MUST, Shape::Word(&["EC", "EC-HSM", "RSA", "RSA-HSM"])),
            Member(
                "keyOps",
                MAY,
                Shape::List(&Shape::Word(&[
                    "encrypt",
                    "decrypt",
                    "sign",
                    "verify",
                    "wrapKey",
                    "unwrapKey",
                    "import",
                    "release",
                ])),
            ),
            Member("keySize", MAY, Shape::Number),
            Member("curveName", MAY, Shape::Word(&["P-256", "P-384", "P-521", "P-256K"])),
            Member("rotationPolicy", MAY, Shape::Any),
            Member("release_policy", MAY, Shape::Any),
        ]),
    ),
]);

fn create(world: &mut World, ask: &Ask, vault_key: &str) -> Outcome {
    let body = check::body(ask.call, &BODY)?;
    let name = ask.target.name(1);
    let fits =
        !name.is_empty() && name.len() <= 127 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !fits {
        return Err(error::plain(400, "BadRequest", "A key's name has 1 to 127 letters, digits and hyphens."));
    }
    let vault = world.azure.vaults.get(vault_key).ok_or_else(|| Answer::empty(404))?;
    if let Some((spelled, key)) = vault_keys::spelled(vault, name) {
        if !present(world, key) {
            let message = format!(
                "Key {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged."
            );
            let body = json!({"error": {"code": "Conflict", "message": message, "innererror": {"code": "ObjectIsDeletedButRecoverable"}}});
            return Err(Answer::json(409, &body).refused(message));
        }
        return Ok(Answer::json(200, &json(vault, spelled, &key.current, false)));
    }
    let version = draft(&body).version(vault, now(world)).map_err(|why| error::plain(400, "BadParameter", why))?;
    vaults::lock(world, vault_key)?;
    let vault = world.azure.vaults.get_mut(vault_key).ok_or_else(|| Answer::empty(404))?;
    let mut key = Key { current: version, ..Key::default() };
    key.current.tags = check::tags(&body).unwrap_or_default();
    let shown = json(vault, name, &key.current, false);
    vault.keys.insert(name.to_owned(), key);
    Ok(Answer::json(200, &shown))
}

fn draft(body: &Value) -> Draft {
    let number = |pointer: &str| body.pointer(pointer).and_then(Value::as_i64);
    Draft {
        kty: text(body, "/properties/kty").to_uppercase(),
        key_size: number("/properties/keySize").and_then(|size| u32::try_from(size).ok()),
        curve: body.pointer("/properties/curveName").and_then(Value::as_str).map(str::to_owned),
        key_ops: list(body, "/properties/keyOps").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        enabled: body.pointer("/properties/attributes/enabled").and_then(Value::as_bool),
        nbf: number("/properties/attributes/nbf"),
        exp: number("/properties/attributes/exp"),
    }
}

fn attributes(vault: &Vault, version: &KeyVersion) -> Value {
    let mut shown = json!({
        "enabled": version.enabled, "created": version.created, "updated": version.updated,
        "recoveryLevel": vault_keys::recovery(vault).0, "exportable": false,
    });
    for (name, value) in [("nbf", version.nbf), ("exp", version.exp)] {
        if let Some(value) = value {
            set(&mut shown, name, value);
        }
    }
    shown
}

fn frame(vault: &Vault, name: &str, version: Option<&KeyVersion>, properties: &Value) -> Value {
    let (suffix, kind, shown) = match version {
        Some(version) => (format!("/versions/{}", version.version), "/versions", version.version.as_str()),
        None => (String::new(), "", name),
    };
    json!({
        "id": format!("{}/keys/{name}{suffix}", vault.id), "name": shown,
        "type": format!("Microsoft.KeyVault/vaults/keys{kind}"), "location": vault.location, "properties": properties,
    })
}

fn summary(vault: &Vault, name: &str, version: &KeyVersion) -> Value {
    let properties = json!({"attributes": attributes(vault, version), "keyUri": vault_keys::kid(vault, name, None)});
    frame(vault, name, None, &properties)
}

fn json(vault: &Vault, name: &str, version: &KeyVersion, as_version: bool) -> Value {
    let mut properties = json!({
        "attributes": attributes(vault, version), "kty": version.kty, "keyOps": version.key_ops,
        "keyUri": vault_keys::kid(vault, name, None),
        "keyUriWithVersion": vault_keys::kid(vault, name, Some(&version.version)),
    });
    match &version.curve {
        Some(curve) => set(&mut properties, "curveName", curve.clone()),
        None => set(&mut properties, "keySize", version.key_size),
    }
    let mut shown = frame(vault, name, as_version.then_some(version), &properties);
    if !version.tags.is_empty() {
        set(&mut shown, "tags", json!(version.tags));
    }
    shown
}
