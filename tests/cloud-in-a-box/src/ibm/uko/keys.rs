//! Managed keys, as far as a keystore's life depends on them: read only.
//!
//! In: a scene. Out: pages of keys; associated resources, of which Azure keystores have none. Never: changes a key.

use serde_json::{Value, json};

use super::error::Refusal;
use super::{Outcome, Scene, listing};
use crate::ibm::clock::rfc3339;
use crate::ibm::state::{ManagedKey, UkoServer};
use crate::wire::{Answer, Call};

const STATES: [&str; 6] =
    ["pre_activation", "active", "deactivated", "destroyed", "compromised", "destroyed_compromised"];

/// Is a key in this state installed in its keystores [S]?
pub(super) fn installed(key: &ManagedKey) -> bool {
    !matches!(key.state.as_str(), "pre_activation" | "destroyed" | "destroyed_compromised")
}

pub(super) fn of_keystore(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let call = scene.call;
    listing::only(call, &["state", "limit", "offset", "sort"])?;
    let keystore = scene.uko().keystores.get(id).cloned().ok_or_else(|| Refusal::not_found("keystore"))?;
    scene.check_vault_header(&keystore.vault)?;
    let states = states(call)?;
    let server = scene.uko();
    let fitting = server.managed_keys.iter().filter(|(_, key)| {
        key.keystores.iter().any(|it| it == id) && installed(key) && states.contains(&key.state.as_str())
    });
    let items: Vec<Value> = fitting.map(|(id, key)| json_of(server, id, key)).collect();
    let page = listing::page(call, items, "managed_keys", scene.world.ibm.switches.absolute_hrefs)?;
    Ok(Answer::json(200, &page))
}

pub(super) fn list(scene: &mut Scene<'_>) -> Outcome {
    let call = scene.call;
    let known = [
        "vault.id",
        "referenced_keystores[].name",
        "referenced_keystores[].type",
        "state",
        "limit",
        "offset",
        "sort",
        "label",
    ];
    listing::only(call, &known)?;
    let states = states(call)?;
    let vaults = listing::values(call, "vault.id");
    let referenced = listing::values(call, "referenced_keystores[].name");
    let types = listing::values(call, "referenced_keystores[].type");
    let label = call.query("label").unwrap_or_default();
    let server = scene.uko();
    let named = |key: &ManagedKey, wanted: &[&str]| {
        let of_key = key.keystores.iter().filter_map(|id| server.keystores.get(id));
        of_key.into_iter().any(|keystore| wanted.contains(&keystore.name.as_str()))
    };
    let fitting = server.managed_keys.iter().filter(|(_, key)| {
        states.contains(&key.state.as_str())
            && vaults.as_ref().is_none_or(|ids| ids.contains(&key.vault.as_str()))
            && referenced.as_ref().is_none_or(|wanted| named(key, wanted))
            && types.as_ref().is_none_or(|types| !key.keystores.is_empty() && types.contains(&"azure_key_vault"))
            && listing::holds(&key.label, label)
    });
    let items: Vec<Value> = fitting.map(|(id, key)| json_of(server, id, key)).collect();
    let page = listing::page(call, items, "managed_keys", scene.world.ibm.switches.absolute_hrefs)?;
    Ok(Answer::json(200, &page))
}

pub(super) fn associated_resources(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let call = scene.call;
    listing::only(call, &["limit", "offset", "sort"])?;
    let keystore = scene.uko().keystores.get(id).cloned().ok_or_else(|| Refusal::not_found("keystore"))?;
    scene.check_vault_header(&keystore.vault)?;
    let absolute = scene.world.ibm.switches.absolute_hrefs;
    Ok(Answer::json(200, &listing::page(call, Vec::new(), "associated_resources", absolute)?))
}

/// The states asked for; by default only the first two [S].
fn states(call: &Call) -> Result<Vec<&str>, Refusal> {
    let states = listing::values(call, "state").unwrap_or_else(|| vec!["pre_activation", "active"]);
    match states.iter().find(|state| !STATES.contains(state)) {
        Some(state) => Err(Refusal::parameter("state", format!("There is no key state {state}."))),
        None => Ok(states),
    }
}

fn json_of(server: &UkoServer, id: &str, key: &ManagedKey) -> Value {
    let reference = |id: &String| {
        let name = server.keystores.get(id).map_or("", |it| it.name.as_str());
        let href = format!("/api/v4/keystores/{id}");
        json!({"id": id, "name": name, "type": "azure_key_vault", "href": href})
    };
    let references: Vec<Value> = key.keystores.iter().map(reference).collect();
    let status = |reference: &Value| {
        let (status, flag) = if installed(key) { ("active", "ok") } else { ("not_present", "ok") };
        json!({"keystore": reference, "status": status, "keystore_sync_flag": flag, "keystore_sync_flag_detail": ""})
    };
    let statuses: Vec<Value> = references.iter().map(status).collect();
    json!({
        "id": id,
        "vault": {
            "id": key.vault,
            "name": server.vaults.get(&key.vault).map_or("", |it| it.name.as_str()),
            "href": format!("/api/v4/vaults/{}", key.vault),
        },
        "version": 1,
        "description": "",
        "label": key.label,
        "state": key.state,
        "size": key.size.to_string(),
        "algorithm": key.algorithm,
        "created_at": rfc3339(key.created_at),
        "updated_at": rfc3339(key.updated_at),
        "href": format!("/api/v4/managed_keys/{id}"),
        "referenced_keystores": references,
        "instances": [],
        "status_in_keystores": statuses,
    })
}
