//! UKO's vaults: list, create, read, change, delete.
//!
//! In: a scene. Out: vaults as JSON with their counts. Never: touches a Key Vault; the two only share the word.

use serde_json::{Value, json};
use uuid::Uuid;

use super::checks::{self, Text, any};
use super::error::Refusal;
use super::{Outcome, Scene, listing};
use crate::ibm::clock::rfc3339;
use crate::ibm::state::{UkoServer, Vault};
use crate::state::now;
use crate::wire::Answer;

const NAME: Text = Text { name: "name", least: 1, most: 100, fits: name };
const DESCRIPTION: Text = Text { name: "description", least: 0, most: 200, fits: any };
const RECOVERY: Text = Text { name: "recovery_key_label", least: 1, most: 255, fits: any };

/// `^[A-Za-z0-9#@!$%'_-][A-Za-z0-9#@!$% '_-]*$`
fn name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "#@!$%'_- ".contains(c)) && !text.starts_with(' ')
}

pub(super) fn list(scene: &mut Scene<'_>) -> Outcome {
    let call = scene.call;
    listing::only(call, &["limit", "offset", "sort", "name", "description"])?;
    let starts = call.query("name").unwrap_or_default();
    let holds = call.query("description").unwrap_or_default();
    let server = scene.uko();
    let fitting =
        server.vaults.iter().filter(|(_, it)| it.name.starts_with(starts) && listing::holds(&it.description, holds));
    let items: Vec<Value> = fitting.map(|(id, vault)| json_of(server, id, vault)).collect();
    let page = listing::page(call, items, "vaults", scene.world.ibm.switches.absolute_hrefs)?;
    Ok(Answer::json(200, &page))
}

pub(super) fn create(scene: &mut Scene<'_>) -> Outcome {
    let members = checks::members(scene.call, &["name", "description", "recovery_key_label"])?;
    let time = now(scene.world);
    let vault = Vault {
        name: NAME.need(&members)?,
        description: DESCRIPTION.read(&members)?.unwrap_or_default(),
        recovery_key_label: RECOVERY.read(&members)?,
        created_at: time,
        updated_at: time,
        created_by: scene.caller.to_owned(),
        updated_by: scene.caller.to_owned(),
    };
    check_name(scene.uko(), &vault.name, None)?;
    let id = Uuid::new_v4().to_string();
    scene.uko().vaults.insert(id.clone(), vault);
    let answer = shown(scene, &id, 201)?;
    Ok(answer.header("Location", format!("/api/v4/vaults/{id}")))
}

pub(super) fn read(scene: &mut Scene<'_>, id: &str) -> Outcome {
    shown(scene, id, 200)
}

pub(super) fn update(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let present = scene.uko().vaults.get(id).cloned().ok_or_else(|| Refusal::not_found("vault"))?;
    scene.check_etag(present.updated_at)?;
    let members = checks::members(scene.call, &["name", "description", "recovery_key_label"])?;
    if members.is_empty() {
        return Err(Refusal::new(400, "missing_field", "Nothing to change."));
    }
    let changed = Vault {
        name: NAME.read(&members)?.unwrap_or(present.name),
        description: DESCRIPTION.read(&members)?.unwrap_or(present.description),
        recovery_key_label: RECOVERY.read(&members)?.or(present.recovery_key_label),
        updated_at: now(scene.world),
        updated_by: scene.caller.to_owned(),
        created_at: present.created_at,
        created_by: present.created_by,
    };
    check_name(scene.uko(), &changed.name, Some(id))?;
    scene.uko().vaults.insert(id.to_owned(), changed);
    shown(scene, id, 200)
}

pub(super) fn delete(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let present = scene.uko().vaults.get(id).cloned().ok_or_else(|| Refusal::not_found("vault"))?;
    scene.check_etag(present.updated_at)?;
    let server = scene.uko();
    if server.keystores.values().any(|it| it.vault == id) || server.managed_keys.values().any(|it| it.vault == id) {
        let name = &present.name;
        let words = format!(
            "The service was not able to delete vault {name} because it still contains some keys or keystores."
        );
        return Err(Refusal::new(scene.world.ibm.switches.blocked_delete, "vault_not_empty", words));
    }
    server.vaults.remove(id);
    Ok(Answer::empty(204))
}

fn check_name(server: &UkoServer, name: &str, but: Option<&str>) -> Result<(), Refusal> {
    let taken = server.vaults.iter().any(|(id, it)| it.name == name && but != Some(id.as_str()));
    if taken {
        return Err(
            Refusal::new(409, "duplicate_name", format!("A vault named {name} exists already.")).at("field", "name")
        );
    }
    Ok(())
}

fn shown(scene: &mut Scene<'_>, id: &str, status: u16) -> Outcome {
    let server = scene.uko();
    let vault = server.vaults.get(id).ok_or_else(|| Refusal::not_found("vault"))?;
    Ok(Answer::json(status, &json_of(server, id, vault)).header("ETag", rfc3339(vault.updated_at)))
}

fn json_of(server: &UkoServer, id: &str, vault: &Vault) -> Value {
    let mut shown = json!({
        "id": id,
        "name": vault.name,
        "description": vault.description,
        "created_at": rfc3339(vault.created_at),
        "updated_at": rfc3339(vault.updated_at),
        "created_by": vault.created_by,
        "updated_by": vault.updated_by,
        "href": format!("/api/v4/vaults/{id}"),
        "keys_count": server.managed_keys.values().filter(|it| it.vault == id).count(),
        "key_templates_count": 0,
        "keystores_count": server.keystores.values().filter(|it| it.vault == id).count(),
    });
    if let (Value::Object(members), Some(label)) = (&mut shown, &vault.recovery_key_label) {
        members.insert("recovery_key_label".into(), json!(label));
    }
    shown
}
