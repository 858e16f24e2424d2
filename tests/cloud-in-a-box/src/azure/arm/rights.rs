//! What a principal may do: built-in roles at scopes, less what the settings deny.
//!
//! In: a principal, an action, a scope. Out: yes, or the refusal that names all three. Never: data-plane rights.

use http::Method;

use super::target::canonical;
use super::{Ask, error};
use crate::azure::facts;
use crate::state::World;
use crate::wire::Answer;

/// A built-in role: its GUID, what it allows, what it takes back.
struct Role(&'static str, &'static [&'static str], &'static [&'static str]);

const KEY_VAULT_LOOK: [&str; 3] = [
    "Microsoft.KeyVault/vaults/*/read",
    "Microsoft.KeyVault/locations/deletedVaults/read",
    "Microsoft.Authorization/*/read",
];

static ROLES: [Role; 10] = [
    Role("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", &["*"], &[]),
    Role(
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        &["*"],
        &["Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write"],
    ),
    Role("acdd72a7-3385-48ef-bd42-f606fba81ae7", &["*/read"], &[]),
    Role(
        "4d97b98b-1d4f-4787-a291-c67834d212e7",
        &[
            "Microsoft.Network/*",
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ],
        &[],
    ),
    Role(
        "b12aa53e-6015-4669-85d0-8515ebb3ae7f",
        &[
            "Microsoft.Network/privateDns*",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/join/action",
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ],
        &[],
    ),
    Role(
        "f25e0fa2-a7c8-4377-a976-54943a77a395",
        &[
            "Microsoft.KeyVault/*",
            "Microsoft.Authorization/*/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ],
        &["Microsoft.KeyVault/locations/deletedVaults/purge/action"],
    ),
    Role(facts::CRYPTO_OFFICER, &KEY_VAULT_LOOK, &[]),
    Role(facts::KEY_VAULT_ADMINISTRATOR, &KEY_VAULT_LOOK, &[]),
    Role(facts::KEY_VAULT_READER, &KEY_VAULT_LOOK, &[]),
    Role(facts::CRYPTO_USER, &[], &[]),
];

/// Whether the principal may do this there.
pub(crate) fn allowed(world: &World, principal: &str, action: &str, scope: &str) -> bool {
    let denied = world.settings.deny.iter().any(|deny| {
        deny.principal.as_deref().is_none_or(|denied| denied.eq_ignore_ascii_case(principal))
            && deny.scope.as_deref().is_none_or(|below| facts::is_at_or_below(scope, below))
            && fits(&deny.action, action)
    });
    let mut assigned = world.azure.role_assignments.values().filter(|assignment| {
        assignment.principal_id.eq_ignore_ascii_case(principal) && facts::covers(assignment, scope)
    });
    !denied && assigned.any(|assignment| grants(&assignment.role, action))
}

fn grants(role: &str, action: &str) -> bool {
    ROLES.iter().any(|Role(id, allows, takes_back)| {
        id.eq_ignore_ascii_case(role)
            && allows.iter().any(|pattern| fits(pattern, action))
            && !takes_back.iter().any(|pattern| fits(pattern, action))
    })
}

/// `*` stands for any text, slashes included; case does not matter.
fn fits(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == action;
    };
    let Some(left) = action.strip_prefix(start) else {
        return false;
    };
    rest.is_empty() || (0..=left.len()).any(|at| left.get(at..).is_some_and(|tail| fits(rest, tail)))
}

/// The last word of the action that a method stands for.
pub(crate) fn verb(method: &Method) -> &'static str {
    match *method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        Method::POST => "action",
        _ => "write",
    }
}

/// The caller may do what the request asks for.
pub(crate) fn check(world: &World, ask: &Ask) -> Result<(), Answer> {
    let kind = match ask.target.kind.as_str() {
        "subscriptions" => "Microsoft.Resources/subscriptions".into(),
        "resourcegroups" => "Microsoft.Resources/subscriptions/resourceGroups".into(),
        "resources" => "Microsoft.Resources/subscriptions/resources".into(),
        kind => canonical(kind),
    };
    let action = format!("{kind}/{}", verb(&ask.call.method));
    let scope = match (&ask.target.scope, ask.target.list) {
        (Some(scope), _) => scope.clone(),
        (None, true) => list_scope(ask),
        (None, false) => ask.target.id.clone(),
    };
    if allowed(world, &ask.caller.object_id, &action, &scope) {
        return Ok(());
    }
    Err(denied(&ask.caller.object_id, &action, &scope))
}

fn list_scope(ask: &Ask) -> String {
    let id = &ask.target.id;
    let nested = ask.target.names.is_empty();
    let cut = if nested { id.to_lowercase().find("/providers/") } else { id.rfind('/') };
    cut.and_then(|at| id.get(..at)).unwrap_or(id).to_owned()
}

fn denied(principal: &str, action: &str, scope: &str) -> Answer {
    error::gateway(
        403,
        "AuthorizationFailed",
        format!(
            "The client '{principal}' with object id '{principal}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials."
        ),
    )
}

/// The caller may do `linked` on another resource that the request touches.
pub(crate) fn check_linked(world: &World, ask: &Ask, linked: &str, scope: &str) -> Result<(), Answer> {
    if allowed(world, &ask.caller.object_id, linked, scope) {
        return Ok(());
    }
    let (principal, id) = (&ask.caller.object_id, &ask.target.id);
    let action = format!("{}/{}", canonical(&ask.target.kind), verb(&ask.call.method));
    Err(error::gateway(
        403,
        "LinkedAuthorizationFailed",
        format!(
            "The client '{principal}' with object id '{principal}' has permission to perform action '{action}' on scope '{id}'; however, it does not have permission to perform action(s) '{linked}' on the linked scope(s) '{scope}' (respectively) or the linked scope(s) are invalid."
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("*", "Microsoft.KeyVault/vaults/read"));
        assert!(fits("*/read", "Microsoft.KeyVault/vaults/keys/read"));
        assert!(fits("microsoft.keyvault/vaults/*/read", "Microsoft.KeyVault/vaults/keys/read"));
        assert!(!fits("*/read", "Microsoft.KeyVault/vaults/write"));
        assert!(!fits("Microsoft.Network/*", "Microsoft.KeyVault/vaults/read"));
    }

    #[test]
    fn a_contributor_may_not_write_assignments() {
        let contributor = "b24988ac-6180-42a0-ab88-20f7382dd24c";
        assert!(grants(contributor, "Microsoft.KeyVault/vaults/write"));
        assert!(!grants(contributor, "Microsoft.Authorization/roleAssignments/write"));
        assert!(grants(contributor, "Microsoft.Authorization/roleAssignments/read"));
    }
}
