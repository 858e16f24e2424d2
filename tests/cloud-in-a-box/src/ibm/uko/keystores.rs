//! UKO's keystores of type `azure_key_vault`: list, connect or test, read, change, disconnect.
//!
//! In: a scene. Out: keystores as JSON, the password masked. Never: shows a password, or judges a connection itself.

use serde_json::{Value, json};
use uuid::Uuid;

use super::draft::{self, Draft, LOCKED};
use super::error::Refusal;
use super::{Outcome, Scene, health, keys, listing};
use crate::chain::{self, Broken};
use crate::ibm::clock::rfc3339;
use crate::ibm::state::{Connection, DuplicateNames, Keystore, LockedFields};
use crate::state::now;
use crate::wire::Answer;

/// What a password is shown as [E].
const MASK: &str = "***";
const TYPES: [&str; 5] = ["aws_kms", "azure_key_vault", "cca", "google_kms", "ibm_cloud_kms"];
const FILTERS: [&str; 11] = [
    "type",
    "name",
    "description",
    "group",
    "groups[]",
    "vault.id",
    "location",
    "status.health_status",
    "limit",
    "offset",
    "sort",
];

pub(super) fn list(scene: &mut Scene<'_>) -> Outcome {
    let call = scene.call;
    listing::only(call, &FILTERS)?;
    if call.query("group").is_some() && call.query("groups[]").is_some() {
        return Err(Refusal::parameter("groups[]", "The parameters group and groups[] exclude each other."));
    }
    let types = listing::values(call, "type").unwrap_or_else(|| vec!["azure_key_vault"]);
    if let Some(wrong) = types.iter().find(|kind| !TYPES.contains(kind)) {
        return Err(Refusal::parameter("type", format!("There is no keystore type {wrong}.")));
    }
    let any_of = |name: &str, value: &str| listing::values(call, name).is_none_or(|wanted| wanted.contains(&value));
    let holds = |name: &str, value: &str| call.query(name).is_none_or(|part| listing::holds(value, part));
    let group = call.query("group").or_else(|| call.query("groups[]"));
    let ids: Vec<String> = scene.uko().keystores.keys().cloned().collect();
    let all = ids.iter().filter_map(|id| Some((id, scene.uko_ref()?.keystores.get(id)?)));
    let sparse = scene.world.ibm.switches.sparse_lists;
    let items: Vec<Value> = all
        .filter(|(_, it)| {
            types.contains(&"azure_key_vault")
                && holds("name", &it.name)
                && holds("description", &it.description)
                && any_of("vault.id", &it.vault)
                && any_of("location", it.connection.azure_location.as_deref().unwrap_or_default())
                && group.is_none_or(|group| it.groups.iter().any(|own| own == group))
        })
        .map(|(id, it)| json_of(scene, id, it))
        .filter(|it| {
            any_of(
                "status.health_status",
                it.pointer("/status/health_status").and_then(Value::as_str).unwrap_or_default(),
            )
        })
        .map(|it| if sparse { thinned(it) } else { it })
        .collect();
    let page = listing::page(call, items, "keystores", scene.world.ibm.switches.absolute_hrefs)?;
    Ok(Answer::json(200, &page))
}

/// IBM's own list sample lacks these members [E].
fn thinned(mut item: Value) -> Value {
    if let Value::Object(members) = &mut item {
        for name in ["location", "status", "azure_service_name"] {
            members.remove(name);
        }
    }
    item
}

pub(super) fn create(scene: &mut Scene<'_>) -> Outcome {
    let dry_run = match scene.call.query("dry_run") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            return Err(Refusal::parameter("dry_run", "The parameter dry_run must be true or false."));
        }
    };
    listing::only(scene.call, &["dry_run"])?;
    let draft = draft::create(scene.call, &scene.world.ibm.switches)?;
    let keystore = connected(scene, draft);
    scene.check_vault_header(&keystore.vault)?;
    if !scene.uko().vaults.contains_key(&keystore.vault) {
        return Err(Refusal::not_found("vault").at("field", "vault.id"));
    }
    if dry_run {
        return tested(scene, &keystore);
    }
    check_name(scene, &keystore, None)?;
    if scene.world.ibm.switches.create_tests_connection {
        chain::check(scene.world, scene.server, &keystore.connection).map_err(|broken| refused(scene, 400, &broken))?;
    }
    let id = Uuid::new_v4().to_string();
    scene.uko().keystores.insert(id.clone(), keystore);
    if scene.world.ibm.switches.pending_checks == 0 {
        health::contact(scene, &id);
    }
    let answer = shown(scene, &id, 201)?;
    Ok(answer.header("Location", format!("/api/v4/keystores/{id}")))
}

/// A keystore as a create makes it.
fn connected(scene: &Scene<'_>, draft: Draft) -> Keystore {
    let time = now(scene.world);
    let blank = Keystore {
        vault: draft.vault.clone().unwrap_or_default(),
        name: draft.service_name.clone().unwrap_or_default(),
        created_at: time,
        created_by: scene.caller.to_owned(),
        pending_checks: scene.world.ibm.switches.pending_checks,
        ..Keystore::default()
    };
    let mut keystore = changed(scene, blank, draft);
    if keystore.groups.is_empty() {
        keystore.groups = vec![keystore.name.clone()];
    }
    keystore
}

/// Puts a draft's members into a keystore.
fn changed(scene: &Scene<'_>, mut keystore: Keystore, draft: Draft) -> Keystore {
    let old = keystore.connection;
    let password = draft.password.filter(|text| !(text == MASK && scene.world.ibm.switches.masked_password_ignored));
    let proxy = match draft.tls_proxy {
        Some(proxy) if proxy.is_empty() => None,
        given => given.or(old.tls_proxy),
    };
    keystore.connection = Connection {
        tls_proxy: proxy,
        azure_service_name: draft.service_name.unwrap_or(old.azure_service_name),
        azure_resource_group: draft.resource_group.unwrap_or(old.azure_resource_group),
        azure_location: draft.location.or(old.azure_location),
        azure_service_principal_client_id: draft.client_id.unwrap_or(old.azure_service_principal_client_id),
        azure_service_principal_password: password.unwrap_or(old.azure_service_principal_password),
        azure_tenant: draft.tenant.unwrap_or(old.azure_tenant),
        azure_subscription_id: draft.subscription_id.unwrap_or(old.azure_subscription_id),
        azure_environment: draft.environment.or(old.azure_environment),
        azure_variant: draft.variant.or(old.azure_variant),
    };
    keystore.name = draft.name.unwrap_or(keystore.name);
    keystore.description = draft.description.unwrap_or(keystore.description);
    keystore.groups = draft.groups.unwrap_or(keystore.groups);
    keystore.updated_at = now(scene.world);
    scene.caller.clone_into(&mut keystore.updated_by);
    keystore
}

/// The connection test: nothing is stored.
fn tested(scene: &mut Scene<'_>, keystore: &Keystore) -> Outcome {
    let answers = scene.world.ibm.switches.dry_run_answers;
    match chain::check(scene.world, scene.server, &keystore.connection) {
        Ok(()) if answers.passed == 204 => Ok(Answer::empty(204)),
        Ok(()) => {
            let mut body = json_of(scene, "", keystore);
            if let Value::Object(members) = &mut body {
                members.retain(|name, _| !matches!(name.as_str(), "id" | "href" | "status"));
            }
            Ok(Answer::json(answers.passed, &body))
        }
        Err(broken) => Err(refused(scene, answers.failed, &broken)),
    }
}

/// A refusal for a chain that does not hold.
fn refused(scene: &Scene<'_>, status: u16, broken: &Broken) -> Refusal {
    let property = broken.property;
    let refusal = if scene.world.ibm.switches.dry_run_answers.names_the_field {
        let words = format!("The connection to the keystore could not be established. Check {property}.");
        Refusal::new(status, "connection_failed", words).at("field", property)
    } else {
        Refusal::new(status, "connection_failed", "The connection to the keystore could not be established.")
    };
    refusal.because(format!("the chain is broken at {property}: {}", broken.why))
}

pub(super) fn read(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let keystore = present(scene, id)?;
    scene.check_vault_header(&keystore.vault)?;
    shown(scene, id, 200)
}

pub(super) fn update(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let present = present(scene, id)?;
    scene.check_vault_header(&present.vault)?;
    scene.check_etag(present.updated_at)?;
    let mut draft = draft::update(scene.call, &scene.world.ibm.switches)?;
    let switches = &scene.world.ibm.switches;
    if switches.mixed_patch_refused && draft.name.is_some() && draft.changes_connection() {
        let words = "The name and the connection properties can only be changed one by one.";
        return Err(Refusal::field("invalid_field", "name", words));
    }
    check_locked(&mut draft, &present, switches.locked_fields)?;
    if !switches.tls_proxy_mutable
        && draft.tls_proxy.as_ref().is_some_and(|it| Some(it) != present.connection.tls_proxy.as_ref())
    {
        return Err(Refusal::field("invalid_field", "tls_proxy", "The field tls_proxy cannot be changed."));
    }
    let tests = switches.patch_tests_connection && draft.changes_connection();
    let keystore = changed(scene, present, draft);
    check_name(scene, &keystore, Some(id))?;
    if tests {
        chain::check(scene.world, scene.server, &keystore.connection).map_err(|broken| refused(scene, 400, &broken))?;
    }
    scene.uko().keystores.insert(id.to_owned(), keystore);
    health::contact(scene, id);
    shown(scene, id, 200)
}

/// A locked member may come with its present value.
fn check_locked(draft: &mut Draft, present: &Keystore, rule: LockedFields) -> Result<(), Refusal> {
    let old = &present.connection;
    let [service, group, tenant, subscription] = LOCKED;
    let members = [
        (service, &mut draft.service_name, &old.azure_service_name),
        (group, &mut draft.resource_group, &old.azure_resource_group),
        (tenant, &mut draft.tenant, &old.azure_tenant),
        (subscription, &mut draft.subscription_id, &old.azure_subscription_id),
    ];
    for (name, given, old) in members {
        let differs = given.as_ref().is_some_and(|given| given != old);
        match rule {
            LockedFields::Refused if differs => {
                let words = format!("The field {name} cannot be changed after the keystore is connected.");
                return Err(Refusal::field("locked_field", name, words));
            }
            LockedFields::Ignored => *given = None,
            LockedFields::Refused | LockedFields::Changed => {}
        }
    }
    Ok(())
}

pub(super) fn delete(scene: &mut Scene<'_>, id: &str) -> Outcome {
    listing::only(scene.call, &["mode"])?;
    let keystore = present(scene, id)?;
    scene.check_vault_header(&keystore.vault)?;
    scene.check_etag(keystore.updated_at)?;
    let state_after = match scene.call.query("mode") {
        None | Some("restrict") => None,
        Some("disconnect") => Some(None),
        Some("deactivate") => Some(Some("deactivated")),
        Some("destroy") => Some(Some("destroyed")),
        Some(_) => {
            return Err(Refusal::parameter("mode", "The parameter mode is not a known mode."));
        }
    };
    let server = scene.uko();
    let mine = |it: &crate::ibm::state::ManagedKey| it.keystores.iter().any(|own| own == id);
    let blocking = server.managed_keys.values().any(|key| mine(key) && keys::installed(key));
    if blocking && state_after.is_none() {
        let name = &keystore.name;
        let words = format!("The service was not able to delete keystore {name} because it still contains some keys.");
        return Err(Refusal::new(scene.world.ibm.switches.blocked_delete, "keystore_not_empty", words));
    }
    for key in server.managed_keys.values_mut().filter(|key| mine(key)) {
        if let Some(Some(state)) = state_after {
            key.state = state.into();
        }
        key.keystores.retain(|own| own != id);
    }
    server.keystores.remove(id);
    Ok(Answer::empty(204))
}

fn present(scene: &mut Scene<'_>, id: &str) -> Result<Keystore, Refusal> {
    scene.uko().keystores.get(id).cloned().ok_or_else(|| Refusal::not_found("keystore"))
}

fn check_name(scene: &mut Scene<'_>, keystore: &Keystore, but: Option<&str>) -> Result<(), Refusal> {
    let status = match scene.world.ibm.switches.duplicate_names {
        DuplicateNames::Allowed => return Ok(()),
        DuplicateNames::Refused => 409,
        DuplicateNames::BadRequest => 400,
    };
    let same = |it: &Keystore| it.vault == keystore.vault && it.name == keystore.name;
    let taken = scene.uko().keystores.iter().any(|(id, it)| same(it) && but != Some(id.as_str()));
    if taken {
        let words = format!("A keystore named {} exists already in this vault.", keystore.name);
        return Err(Refusal::new(status, "duplicate_name", words).at("field", "name"));
    }
    Ok(())
}

fn shown(scene: &mut Scene<'_>, id: &str, status: u16) -> Outcome {
    let keystore = present(scene, id)?;
    Ok(Answer::json(status, &json_of(scene, id, &keystore)).header("ETag", rfc3339(keystore.updated_at)))
}

fn json_of(scene: &Scene<'_>, id: &str, keystore: &Keystore) -> Value {
    let connection = &keystore.connection;
    let vault = &keystore.vault;
    let vault_name = scene.uko_ref().and_then(|server| server.vaults.get(vault)).map(|it| &it.name);
    let mut shown = json!({
        "id": id,
        "vault": {"id": vault, "name": vault_name, "href": format!("/api/v4/vaults/{vault}")},
        "type": "azure_key_vault",
        "name": keystore.name,
        "description": keystore.description,
        "groups": keystore.groups,
        "location": connection.azure_location.as_deref().unwrap_or_default(),
        "created_at": rfc3339(keystore.created_at),
        "updated_at": rfc3339(keystore.updated_at),
        "created_by": keystore.created_by,
        "updated_by": keystore.updated_by,
        "href": format!("/api/v4/keystores/{id}"),
        "status": health::of(scene.world, scene.server, keystore),
        "tls_proxy": connection.tls_proxy,
        "azure_service_name": connection.azure_service_name,
        "azure_resource_group": connection.azure_resource_group,
        "azure_location": connection.azure_location,
        "azure_service_principal_client_id": connection.azure_service_principal_client_id,
        "azure_service_principal_password": MASK,
        "azure_tenant": connection.azure_tenant,
        "azure_subscription_id": connection.azure_subscription_id,
        "azure_environment": connection.azure_environment,
        "azure_variant": connection.azure_variant,
    });
    if let Value::Object(members) = &mut shown {
        members.retain(|_, value| !value.is_null());
    }
    shown
}
