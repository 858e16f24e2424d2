//! Role assignments on a Key Vault that lets Azure roles decide.
//!
//! In: `Microsoft.Authorization/roleAssignments` JSON. Out: what each assignment is worth. Never: claims more than it knows.

use serde_json::Value;

use super::super::{ArmId, wire};

/// What a role is worth to an identity that manages keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyVaultRole {
    /// Key Vault Crypto Officer or Administrator: all ten permissions.
    Sufficient,
    /// Key Vault Reader: may look.
    ObserveOnly,
    /// A role that is known to give too little, such as Crypto User or Contributor.
    Insufficient,
    /// A custom role, or one with a condition: nobody can tell from here.
    Unknown,
}

/// Built-in roles by the last part of their definition's id.
const ROLES: [(&str, KeyVaultRole); 7] = [
    ("14b46e9e-c2b7-41b4-b07b-48a6ebf60603", KeyVaultRole::Sufficient),
    ("00482a5a-887f-4fb3-b363-3b7fe8e74483", KeyVaultRole::Sufficient),
    ("21090545-7ca7-4776-b22c-e363652d74d2", KeyVaultRole::ObserveOnly),
    ("12338af0-0e69-4776-bea7-57ae8d297424", KeyVaultRole::Insufficient),
    // Key Vault Contributor, Owner and Contributor manage vaults and hold no right on keys.
    ("f25e0fa2-a7c8-4377-a976-54943a77a395", KeyVaultRole::Insufficient),
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", KeyVaultRole::Insufficient),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", KeyVaultRole::Insufficient),
];

/// One role, held by one identity, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleAssignment {
    /// Who holds it, perhaps a group of the identity that was asked for.
    pub principal_id: Option<String>,
    /// The role's definition.
    pub role_definition_id: Option<ArmId>,
    /// Where it counts.
    pub scope: Option<String>,
    /// It counts only sometimes.
    pub conditional: bool,
}

impl RoleAssignment {
    /// Reads an assignment. None if it names no role.
    #[must_use]
    pub fn read(value: &Value) -> Option<Self> {
        let role = wire::text(value, "/properties/roleDefinitionId")?;
        Some(Self {
            principal_id: wire::owned(value, "/properties/principalId"),
            // Built-in roles may come without a subscription in front.
            role_definition_id: ArmId::parse(role).or_else(|| ArmId::parse(&format!("/subscriptions/any{role}"))),
            scope: wire::owned(value, "/properties/scope"),
            conditional: wire::text(value, "/properties/condition").is_some(),
        })
    }

    /// What it is worth.
    #[must_use]
    pub fn role(&self) -> KeyVaultRole {
        if self.conditional {
            return KeyVaultRole::Unknown;
        }
        let Some(id) = &self.role_definition_id else {
            return KeyVaultRole::Unknown;
        };
        let is_it = |(guid, _): &&(&str, KeyVaultRole)| guid.eq_ignore_ascii_case(id.last_segment());
        ROLES.iter().find(is_it).map_or(KeyVaultRole::Unknown, |(_, role)| *role)
    }

    /// True when it counts for the whole vault: at the vault, or above it; not at a single key.
    #[must_use]
    pub fn covers(&self, vault: &ArmId) -> bool {
        let Some(scope) = &self.scope else {
            return false;
        };
        let scope = scope.trim_end_matches('/').to_ascii_lowercase();
        let vault = vault.as_str().to_ascii_lowercase();
        vault == scope || vault.starts_with(&format!("{scope}/")) || is_management_group(&scope)
    }
}

fn is_management_group(scope: &str) -> bool {
    scope.starts_with("/providers/microsoft.management/managementgroups/")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const VAULT: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv1";
    const OFFICER: &str = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603";

    fn assignment(role: &str, scope: &str, condition: &Value) -> RoleAssignment {
        let definition = format!("/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{role}");
        RoleAssignment::read(&json!({"properties": {"roleDefinitionId": definition, "principalId": "o", "scope": scope, "condition": condition}})).unwrap()
    }

    #[test]
    fn roles_are_worth_what_azure_documents() {
        let worth = |role: &str| assignment(role, VAULT, &Value::Null).role();
        assert_eq!(worth(OFFICER), KeyVaultRole::Sufficient);
        assert_eq!(worth(&OFFICER.to_uppercase()), KeyVaultRole::Sufficient);
        assert_eq!(worth("21090545-7ca7-4776-b22c-e363652d74d2"), KeyVaultRole::ObserveOnly);
        assert_eq!(worth("12338af0-0e69-4776-bea7-57ae8d297424"), KeyVaultRole::Insufficient);
        assert_eq!(worth("11111111-1111-1111-1111-111111111111"), KeyVaultRole::Unknown);
        assert_eq!(assignment(OFFICER, VAULT, &json!("@Resource[x]")).role(), KeyVaultRole::Unknown);
    }

    #[test]
    fn an_assignment_counts_at_the_vault_and_above_but_not_below() {
        let vault = ArmId::parse(VAULT).unwrap();
        let covers = |scope: &str| assignment(OFFICER, scope, &Value::Null).covers(&vault);
        for scope in [
            VAULT,
            "/subscriptions/S",
            "/subscriptions/s/resourcegroups/rg",
            "/",
            "/providers/Microsoft.Management/managementGroups/g",
        ] {
            assert!(covers(scope), "{scope}");
        }
        for scope in ["/subscriptions/s/resourceGroups/r", &format!("{VAULT}/keys/k"), "/subscriptions/other"] {
            assert!(!covers(scope), "{scope}");
        }
    }

    #[test]
    fn an_assignment_without_a_role_is_left_out() {
        assert_eq!(RoleAssignment::read(&json!({"properties": {}})), None);
    }
}
