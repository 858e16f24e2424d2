//! Keys: get, list, create, update, delete, recover, purge, with soft delete and its transitions.
//!
//! In: a call that passed the gate. Out: bundles. Never: makes a second key of one name; `create` adds a version.

use http::Method;
use serde_json::{Value, json};

use super::body::{Attributes, attributes, members, words};
use super::{Ask, error, permitted, view};
use crate::azure::set;
use crate::azure::state::{DeletedKey, Key, KeyVersion, Vault};
use crate::azure::vault_keys::{self, Draft};
use crate::state::{World, now};
use crate::wire::Answer;

type Outcome = Result<Answer, Answer>;

/// The largest page of a list.
const PAGE: usize = 25;

/// All calls on keys and deleted keys.
pub(crate) fn answer(world: &mut World, ask: &Ask) -> Outcome {
    let segments: Vec<&str> = ask.segments.iter().map(String::as_str).collect();
    let is = |wanted: Method| ask.call.method == wanted;
    match segments.as_slice() {
        ["keys"] if is(Method::GET) => list(world, ask, false),
        ["deletedkeys"] if is(Method::GET) => list(world, ask, true),
        ["keys", name] if is(Method::GET) => get(world, ask, name, None),
        ["keys", name, "versions"] if is(Method::GET) => versions(world, ask, name),
        ["keys", name, "create"] if is(Method::POST) => create(world, ask, name),
        ["keys", name] if is(Method::DELETE) => delete(world, ask, name),
        ["keys", name] if is(Method::PATCH) => update(world, ask, name, None),
        ["keys", name, version] if is(Method::GET) => get(world, ask, name, Some(version)),
        ["keys", name, version] if is(Method::PATCH) => update(world, ask, name, Some(version)),
        ["deletedkeys", name] if is(Method::GET) => get_deleted(world, ask, name),
        ["deletedkeys", name] if is(Method::DELETE) => purge(world, ask, name),
        ["deletedkeys", name, "recover"] if is(Method::POST) => recover(world, ask, name),
        _ => Err(error(405, "MethodNotAllowed", "The box has no such operation on a vault.", None)),
    }
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Active,
    BeingDeleted,
    Deleted,
    BeingRecovered,
}

fn phase(world: &World, key: &Key) -> Phase {
    match (key.deleted.is_some(), key.settles_at > now(world)) {
        (false, false) => Phase::Active,
        (true, true) => Phase::BeingDeleted,
        (true, false) => Phase::Deleted,
        (false, true) => Phase::BeingRecovered,
    }
}

fn vault<'a>(world: &'a World, ask: &Ask) -> Result<&'a Vault, Answer> {
    world.azure.vaults.get(&ask.vault).ok_or_else(|| Answer::empty(404))
}

fn not_found(name: &str) -> Answer {
    let message = format!(
        "A key with (name/id) {name} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    );
    error(404, "KeyNotFound", &message, None)
}

fn deleted_not_found(name: &str) -> Answer {
    error(404, "KeyNotFound", &format!("Deleted Key not found: {name}"), None)
}

fn conflict(name: &str, phase: Phase) -> Answer {
    let (inner, words) = match phase {
        Phase::BeingDeleted => ("ObjectIsBeingDeleted", "is currently being deleted"),
        Phase::BeingRecovered => ("ObjectIsBeingRecovered", "is currently being recovered"),
        Phase::Active | Phase::Deleted => (
            "ObjectIsDeletedButRecoverable",
            "is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged",
        ),
    };
    error(409, "Conflict", &format!("Key {name} {words}."), Some(inner))
}

fn get(world: &World, ask: &Ask, name: &str, version: Option<&str>) -> Outcome {
    permitted(world, ask, "get")?;
    let vault = vault(world, ask)?;
    let found = vault_keys::spelled(vault, name).filter(|(_, key)| phase(world, key) == Phase::Active);
    let (spelled, key) = found.ok_or_else(|| not_found(name))?;
    let shown = match version {
        None => Some(&key.current),
        Some(version) => all_versions(key).find(|known| known.version.eq_ignore_ascii_case(version)),
    };
    let shown = shown.ok_or_else(|| not_found(&format!("{name}/{}", version.unwrap_or_default())))?;
    Ok(Answer::json(200, &view::bundle(vault, spelled, shown)))
}

fn all_versions(key: &Key) -> impl Iterator<Item = &KeyVersion> {
    key.previous.iter().chain(std::iter::once(&key.current))
}

fn versions(world: &World, ask: &Ask, name: &str) -> Outcome {
    permitted(world, ask, "list")?;
    let vault = vault(world, ask)?;
    let found = vault_keys::spelled(vault, name).filter(|(_, key)| phase(world, key) == Phase::Active);
    let items = found
        .map(|(spelled, key)| all_versions(key).map(|version| view::item(vault, spelled, version, true)).collect());
    page(ask, items.unwrap_or_default())
}

fn list(world: &World, ask: &Ask, deleted: bool) -> Outcome {
    permitted(world, ask, "list")?;
    let vault = vault(world, ask)?;
    let wanted = if deleted { Phase::Deleted } else { Phase::Active };
    let found = vault.keys.iter().filter(|(_, key)| phase(world, key) == wanted);
    let items = found.map(|(name, key)| {
        let shown = view::item(vault, name, &key.current, false);
        match &key.deleted {
            Some(deleted) => view::as_deleted(vault, name, shown, deleted),
            None => shown,
        }
    });
    page(ask, items.collect())
}

fn page(ask: &Ask, items: Vec<Value>) -> Outcome {
    let size = match ask.call.query("maxresults").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(size @ 1..=PAGE)) => size,
        Some(_) => {
            return Err(error(400, "BadParameter", "maxresults must lie between 1 and 25.", None));
        }
    };
    let start: usize = ask.call.query("$skiptoken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let end = start.saturating_add(shown.len());
    let next = (end < total).then(|| {
        let version = ask.call.query("api-version").unwrap_or_default();
        // Key Vault writes the default port into this one URL.
        format!(
            "https://{}:443{}?api-version={version}&$skiptoken={end}&maxresults={size}",
            ask.call.host, ask.call.path
        )
    });
    let mut body = json!({"value": shown});
    if let Some(next) = next {
        set(&mut body, "nextLink", next);
    }
    Ok(Answer::json(200, &body))
}

fn create(world: &mut World, ask: &Ask, name: &str) -> Outcome {
    permitted(world, ask, "create")?;
    let fits = name.len() <= 127 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !fits {
        return Err(error(400, "BadParameter", "The request URI contains an invalid name.", None));
    }
    let body = ask.call.json()?;
    members(
        &body,
        &["kty", "key_size", "public_exponent", "key_ops", "attributes", "tags", "crv", "release_policy"],
        "",
    )?;
    let Attributes { enabled, nbf, exp } = attributes(&body)?;
    let now = now(world);
    let vault = vault(world, ask)?;
    let found = vault_keys::spelled(vault, name);
    if let Some((spelled, key)) = found.filter(|(_, key)| phase(world, key) != Phase::Active) {
        return Err(conflict(spelled, phase(world, key)));
    }
    let spelled = found.map_or(name.to_owned(), |(spelled, _)| spelled.clone());
    let size = body.get("key_size").and_then(Value::as_u64).and_then(|size| u32::try_from(size).ok());
    let draft = Draft {
        kty: body.get("kty").and_then(Value::as_str).unwrap_or_default().to_owned(),
        key_size: size,
        curve: body.get("crv").and_then(Value::as_str).map(str::to_owned),
        key_ops: words(&body, "key_ops"),
        enabled,
        nbf,
        exp,
    };
    let mut version = draft.version(vault, now).map_err(|why| error(400, "BadParameter", &why, None))?;
    version.tags = serde_json::from_value(body.get("tags").cloned().unwrap_or_else(|| json!({}))).unwrap_or_default();
    let shown = view::bundle(vault, &spelled, &version);
    let vault = world.azure.vaults.get_mut(&ask.vault).ok_or_else(|| Answer::empty(404))?;
    match vault.keys.get_mut(&spelled) {
        Some(key) => key.previous.push(std::mem::replace(&mut key.current, version)),
        None => {
            vault.keys.insert(spelled, Key { current: version, ..Key::default() });
        }
    }
    Ok(Answer::json(200, &shown))
}

fn update(world: &mut World, ask: &Ask, name: &str, wanted: Option<&str>) -> Outcome {
    permitted(world, ask, "update")?;
    let body = ask.call.json()?;
    members(&body, &["key_ops", "attributes", "tags", "release_policy"], "")?;
    let Attributes { enabled, nbf, exp } = attributes(&body)?;
    let now = now(world);
    let found = vault_keys::spelled(vault(world, ask)?, name).filter(|(_, key)| phase(world, key) == Phase::Active);
    let spelled = found.map(|(spelled, _)| spelled.clone()).ok_or_else(|| not_found(name))?;
    let vault = world.azure.vaults.get_mut(&ask.vault).ok_or_else(|| Answer::empty(404))?;
    let key = vault.keys.get_mut(&spelled).ok_or_else(|| not_found(name))?;
    let mut versions = key.previous.iter_mut().chain(std::iter::once(&mut key.current));
    let version = match wanted {
        Some(wanted) => versions.find(|version| version.version.eq_ignore_ascii_case(wanted)),
        None => versions.last(),
    };
    let version = version.ok_or_else(|| not_found(name))?;
    let ops = words(&body, "key_ops");
    if !ops.is_empty() && version.key_ops == ["import"] && ops != ["import"] {
        return Err(error(400, "BadParameter", "The operations of a key exchange key cannot be changed.", None));
    }
    if !ops.is_empty() {
        version.key_ops = ops;
    }
    version.enabled = enabled.unwrap_or(version.enabled);
    version.nbf = nbf.or(version.nbf);
    version.exp = exp.or(version.exp);
    version.updated = now;
    if let Some(tags) = body.get("tags").filter(|tags| tags.is_object()) {
        version.tags = serde_json::from_value(tags.clone()).unwrap_or_default();
    }
    let shown = version.clone();
    Ok(Answer::json(200, &view::bundle(vault, &spelled, &shown)))
}

fn delete(world: &mut World, ask: &Ask, name: &str) -> Outcome {
    permitted(world, ask, "delete")?;
    let (now, settles) = (now(world), world.settings.key_transition_seconds);
    let (spelled, state) = located(world, ask, name).ok_or_else(|| not_found(name))?;
    if state != Phase::Active {
        return Err(if state == Phase::Deleted { not_found(name) } else { conflict(&spelled, state) });
    }
    let vault = world.azure.vaults.get_mut(&ask.vault).ok_or_else(|| Answer::empty(404))?;
    let days = vault_keys::recovery(vault).1;
    let Some(days) = days else {
        let gone = vault.keys.remove(&spelled).ok_or_else(|| not_found(name))?;
        return Ok(Answer::json(200, &view::bundle(vault, &spelled, &gone.current)));
    };
    let key = vault.keys.get_mut(&spelled).ok_or_else(|| not_found(name))?;
    let deleted =
        DeletedKey { deleted_date: now, scheduled_purge_date: now.saturating_add(days.saturating_mul(86_400)) };
    key.deleted = Some(deleted);
    key.settles_at = now.saturating_add(settles);
    deleted_bundle(world, ask, &spelled)
}

fn located(world: &World, ask: &Ask, name: &str) -> Option<(String, Phase)> {
    let (spelled, key) = vault_keys::spelled(world.azure.vaults.get(&ask.vault)?, name)?;
    Some((spelled.clone(), phase(world, key)))
}

fn deleted_bundle(world: &World, ask: &Ask, spelled: &str) -> Outcome {
    let vault = vault(world, ask)?;
    let key = vault.keys.get(spelled).ok_or_else(|| not_found(spelled))?;
    let deleted = key.deleted.as_ref().ok_or_else(|| deleted_not_found(spelled))?;
    let shown = view::bundle(vault, spelled, &key.current);
    Ok(Answer::json(200, &view::as_deleted(vault, spelled, shown, deleted)))
}

fn get_deleted(world: &World, ask: &Ask, name: &str) -> Outcome {
    permitted(world, ask, "get")?;
    match located(world, ask, name) {
        Some((spelled, Phase::Deleted)) => deleted_bundle(world, ask, &spelled),
        _ => Err(deleted_not_found(name)),
    }
}

fn recover(world: &mut World, ask: &Ask, name: &str) -> Outcome {
    permitted(world, ask, "recover")?;
    let settles_at = now(world).saturating_add(world.settings.key_transition_seconds);
    let (spelled, state) = located(world, ask, name).ok_or_else(|| deleted_not_found(name))?;
    match state {
        Phase::Active => return Err(deleted_not_found(name)),
        Phase::BeingDeleted | Phase::BeingRecovered => return Err(conflict(&spelled, state)),
        Phase::Deleted => {}
    }
    let vault = world.azure.vaults.get_mut(&ask.vault).ok_or_else(|| Answer::empty(404))?;
    let key = vault.keys.get_mut(&spelled).ok_or_else(|| deleted_not_found(name))?;
    key.deleted = None;
    key.settles_at = settles_at;
    let shown = key.current.clone();
    Ok(Answer::json(200, &view::bundle(vault, &spelled, &shown)))
}

fn purge(world: &mut World, ask: &Ask, name: &str) -> Outcome {
    permitted(world, ask, "purge")?;
    let (spelled, state) = located(world, ask, name).ok_or_else(|| deleted_not_found(name))?;
    match state {
        Phase::Active => return Err(deleted_not_found(name)),
        Phase::BeingDeleted | Phase::BeingRecovered => return Err(conflict(&spelled, state)),
        Phase::Deleted => {}
    }
    let vault = world.azure.vaults.get_mut(&ask.vault).ok_or_else(|| Answer::empty(404))?;
    if vault.enable_purge_protection == Some(true) {
        let message = "Operation \"purge\" is not allowed because purge protection is enabled for this vault.";
        return Err(error(403, "Forbidden", message, Some("ForbiddenByPolicy")));
    }
    vault.keys.remove(&spelled);
    Ok(Answer::empty(204))
}
