//! Access policies: add, replace, remove.
//!
//! In: `PUT …/accessPolicies/{kind}`. Out: the entries that were accepted. Never: takes an entry of another tenant.

use serde_json::{Value, json};

use super::check::{self, MAY, MUST, Member, Shape, list, text};
use super::{Ask, Outcome, error, vaults};
use crate::azure::state::{AccessPolicy, Permissions, Vault};
use crate::state::{World, now};
use crate::wire::Answer;

const BODY: Shape = Shape::Object(&[
    Member("id", MAY, Shape::Any),
    Member("name", MAY, Shape::Any),
    Member("type", MAY, Shape::Any),
    Member("location", MAY, Shape::Any),
    Member("properties", MUST, Shape::Object(&[Member("accessPolicies", MUST, Shape::List(&vaults::POLICY))])),
]);

const KEY_WORDS: [&str; 21] = [
    "all",
    "encrypt",
    "decrypt",
    "wrapKey",
    "unwrapKey",
    "sign",
    "verify",
    "get",
    "list",
    "create",
    "update",
    "import",
    "delete",
    "backup",
    "restore",
    "recover",
    "purge",
    "release",
    "rotate",
    "getrotationpolicy",
    "setrotationpolicy",
];

/// Changes the vault's policies.
pub(crate) fn update(world: &mut World, ask: &Ask) -> Outcome {
    let key = vaults::find(world, ask)?;
    let kind = ask.target.name(1).to_lowercase();
    let change: fn(&mut Vec<AccessPolicy>, AccessPolicy) = match kind.as_str() {
        "add" => add,
        "replace" => replace,
        "remove" => remove,
        _ => {
            return Err(error::plain(
                400,
                "BadRequest",
                format!("The operation kind '{kind}' is none of add, replace, remove."),
            ));
        }
    };
    let body = check::body(ask.call, &BODY)?;
    let vault = world.azure.vaults.get(&key).ok_or_else(|| Answer::empty(404))?;
    let policies = body.pointer("/properties/accessPolicies").unwrap_or(&Value::Null);
    let given = parse(policies, vault, "properties.accessPolicies")?;
    vaults::lock(world, &key)?;
    let effective = now(world).saturating_add(world.settings.policy_lag_seconds);
    let vault = world.azure.vaults.get_mut(&key).ok_or_else(|| Answer::empty(404))?;
    for policy in given.clone() {
        vault.policy_effective_at.insert(policy.object_id.to_lowercase(), effective);
        change(&mut vault.access_policies, policy);
    }
    Ok(Answer::json(
        200,
        &json!({
            "id": format!("{}/accessPolicies/", vault.id), "type": "Microsoft.KeyVault/vaults/accessPolicies",
            "location": vault.location, "properties": {"accessPolicies": given},
        }),
    ))
}

/// The policies of a body; each names the vault's tenant and knows its words.
pub(crate) fn parse(value: &Value, vault: &Vault, path: &str) -> Result<Vec<AccessPolicy>, Answer> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    if items.len() > 1024 {
        return Err(error::plain(400, "BadRequest", "A vault has at most 1024 access policies."));
    }
    items.iter().enumerate().map(|(at, item)| one(item, vault, &format!("{path}[{at}]"))).collect()
}

fn one(item: &Value, vault: &Vault, path: &str) -> Result<AccessPolicy, Answer> {
    for name in ["tenantId", "objectId"] {
        if uuid::Uuid::parse_str(text(item, &format!("/{name}"))).is_err() {
            return Err(error::field(&format!("{path}.{name}"), "a GUID is expected"));
        }
    }
    if !text(item, "/tenantId").eq_ignore_ascii_case(&vault.tenant_id) {
        return Err(error::plain(
            400,
            "BadRequest",
            format!(
                "The access policy names the tenant '{}', the vault belongs to '{}'.",
                text(item, "/tenantId"),
                vault.tenant_id
            ),
        ));
    }
    if let Some(word) = list(item, "/permissions/keys").iter().filter_map(Value::as_str).find(|word| !known(word)) {
        return Err(error::field(&format!("{path}.permissions.keys"), &format!("'{word}' is no key permission")));
    }
    serde_json::from_value(item.clone()).map_err(|why| error::field(path, &why.to_string()))
}

fn known(word: &str) -> bool {
    KEY_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word))
}

fn same(one: &AccessPolicy, other: &AccessPolicy) -> bool {
    one.object_id.eq_ignore_ascii_case(&other.object_id) && one.application_id == other.application_id
}

/// Unions the permissions into an existing entry.
fn add(policies: &mut Vec<AccessPolicy>, policy: AccessPolicy) {
    match policies.iter_mut().find(|known| same(known, &policy)) {
        Some(known) => each(&mut known.permissions, policy.permissions, |have, more| {
            let new = more.into_iter().filter(|word| !have.iter().any(|known| known.eq_ignore_ascii_case(word)));
            let new: Vec<String> = new.collect();
            have.extend(new);
        }),
        None => policies.push(policy),
    }
}

/// Sets the entry.
fn replace(policies: &mut Vec<AccessPolicy>, policy: AccessPolicy) {
    match policies.iter_mut().find(|known| same(known, &policy)) {
        Some(known) => *known = policy,
        None => policies.push(policy),
    }
}

/// Takes the listed permissions away; an entry without any goes.
fn remove(policies: &mut Vec<AccessPolicy>, policy: AccessPolicy) {
    if let Some(known) = policies.iter_mut().find(|known| same(known, &policy)) {
        each(&mut known.permissions, policy.permissions, |have, less| {
            have.retain(|word| !less.iter().any(|gone| gone.eq_ignore_ascii_case(word)));
        });
    }
    let empty = |words: &Option<Vec<String>>| words.as_ref().is_none_or(Vec::is_empty);
    policies.retain(|known| {
        let Permissions { keys, secrets, certificates, storage } = &known.permissions;
        !(empty(keys) && empty(secrets) && empty(certificates) && empty(storage))
    });
}

fn each(have: &mut Permissions, other: Permissions, change: fn(&mut Vec<String>, Vec<String>)) {
    let Permissions { keys, secrets, certificates, storage } = other;
    let pairs = [
        (&mut have.keys, keys),
        (&mut have.secrets, secrets),
        (&mut have.certificates, certificates),
        (&mut have.storage, storage),
    ];
    for (have, other) in pairs {
        if let Some(other) = other {
            change(have.get_or_insert_default(), other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(words: &[&str]) -> AccessPolicy {
        AccessPolicy {
            object_id: "o".into(),
            permissions: Permissions {
                keys: Some(words.iter().map(|word| (*word).into()).collect()),
                ..Permissions::default()
            },
            ..AccessPolicy::default()
        }
    }

    #[test]
    fn add_unions_replace_sets_remove_takes_away() {
        let mut policies = vec![policy(&["get", "list"])];
        add(&mut policies, policy(&["GET", "import"]));
        assert_eq!(policies, [policy(&["get", "list", "import"])]);
        remove(&mut policies, policy(&["Import"]));
        assert_eq!(policies, [policy(&["get", "list"])]);
        replace(&mut policies, policy(&["purge"]));
        assert_eq!(policies, [policy(&["purge"])]);
        remove(&mut policies, policy(&["purge"]));
        assert!(policies.is_empty());
    }
}
