//! Role assignments: who may do what at a resource, read only.
//!
//! In: `$filter=assignedTo('…')`, `principalId eq '…'`, `atScope()`. Out: the assignments that fit. Never: follows groups.

use serde_json::{Value, json};

use super::{Ask, Outcome, error, quirks};
use crate::azure::facts;
use crate::azure::state::RoleAssignment;
use crate::state::World;

/// The assignments at, above or below the scope.
pub(crate) fn list(world: &World, ask: &Ask) -> Outcome {
    let scope = ask.target.scope.clone().unwrap_or_else(|| match &ask.target.group {
        Some(_) => ask.target.group_id(),
        None => format!("/subscriptions/{}", ask.target.subscription),
    });
    let filter = Filter::parse(ask.call.query("$filter").unwrap_or_default()).ok_or_else(|| {
        error::plain(
            400,
            "InvalidFilter",
            "The filter is none of assignedTo('{oid}'), principalId eq '{oid}', atScope().",
        )
    })?;
    let found = world.azure.role_assignments.iter().filter(|(_, role)| filter.fits(role, &scope));
    let items = found.map(|(name, role)| json(name, role)).collect();
    Ok(quirks::page(world, ask.call, items))
}

#[derive(Debug, PartialEq, Eq)]
enum Filter {
    All,
    AtScope,
    AssignedTo(String),
    Principal(String),
}

impl Filter {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let quoted = |inner: &str| Some(inner.trim().strip_prefix('\'')?.strip_suffix('\'')?.to_owned());
        if text.is_empty() {
            return Some(Self::All);
        }
        if text == "atScope()" {
            return Some(Self::AtScope);
        }
        if let Some(inner) = text.strip_prefix("assignedTo(").and_then(|rest| rest.strip_suffix(')')) {
            return quoted(inner).map(Self::AssignedTo);
        }
        quoted(text.strip_prefix("principalId eq ")?).map(Self::Principal)
    }

    fn fits(&self, role: &RoleAssignment, scope: &str) -> bool {
        let above = facts::is_at_or_below(scope, &role.scope);
        let below = facts::is_at_or_below(&role.scope, scope);
        match self {
            Self::All => above || below,
            Self::AtScope => above,
            Self::AssignedTo(oid) => above && role.principal_id.eq_ignore_ascii_case(oid),
            Self::Principal(oid) => (above || below) && role.principal_id.eq_ignore_ascii_case(oid),
        }
    }
}

fn json(name: &str, role: &RoleAssignment) -> Value {
    let subscription = role.scope.split('/').nth(2).unwrap_or_default();
    json!({
        "id": format!("{}/providers/Microsoft.Authorization/roleAssignments/{name}", role.scope), "name": name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": format!("/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{}", role.role),
            "principalId": role.principal_id, "principalType": role.principal_type, "scope": role.scope,
            "condition": role.condition, "conditionVersion": role.condition.as_ref().map(|_| "2.0"),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_filters_are_read() {
        assert_eq!(Filter::parse("assignedTo('a')"), Some(Filter::AssignedTo("a".into())));
        assert_eq!(Filter::parse("principalId eq 'a'"), Some(Filter::Principal("a".into())));
        assert_eq!(Filter::parse("atScope()"), Some(Filter::AtScope));
        assert_eq!(Filter::parse("name eq 'a'"), None);
    }
}
