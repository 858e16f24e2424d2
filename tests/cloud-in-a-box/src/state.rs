//! The whole world of the box. In: nothing but patches and handlers. Out: what `GET /state` shows. Never: I/O.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{azure, ibm};

/// Everything the box knows; `GET /state` shows it, `POST /state` merge-patches it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct World {
    /// Switches and delays of the core and of Azure.
    pub settings: Settings,
    /// Azure's three clouds.
    pub azure: azure::state::Azure,
    /// IBM Cloud and the self-managed UKO.
    pub ibm: ibm::state::Ibm,
}

impl World {
    /// Applies a JSON merge patch (RFC 7396) to the whole world; on failure nothing has changed.
    ///
    /// # Errors
    /// Says which member does not fit.
    pub fn merge(&mut self, patch: &Value) -> Result<(), String> {
        let mut whole = serde_json::to_value(&*self).map_err(|error| error.to_string())?;
        json_patch::merge(&mut whole, patch);
        *self = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        Ok(())
    }
}

/// The box's clock: the real one plus `settings.clockOffsetSeconds`. Unix seconds.
#[must_use]
pub fn now(world: &World) -> i64 {
    let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(real).unwrap_or(i64::MAX).saturating_add(world.settings.clock_offset_seconds)
}

/// Switches and delays. Every one has a default that is the likeliest behaviour of the real cloud.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own; people patch them by name")]
pub struct Settings {
    /// Added to the real clock.
    pub clock_offset_seconds: i64,
    /// Polls that say `InProgress` before an ARM operation is done; 0 = done at the first poll.
    pub operation_polls: u32,
    /// `Retry-After` of ARM operations; DNS answers three times it, a new subnet or network a third. 0 = answer 0.
    pub retry_after_seconds: u64,
    /// How resource ids are spelled in answers.
    pub id_case: IdCase,
    /// The caller sits on the network of the private endpoints: its data-plane calls take the private path.
    pub caller_on_private_network: bool,
    /// The caller's address as a public listener sees it (for `networkAcls.ipRules`).
    pub caller_address: String,
    /// Page size of ARM lists; 0 = all on one page.
    pub page_size: usize,
    /// Key Vault ARM versions before 2026-02-01 are refused, as from 2027-02-27.
    pub key_vault_arm_retired: bool,
    /// Seconds a vault stays locked after a mutation; another one then answers 409 `ConflictError`.
    pub vault_lock_seconds: i64,
    /// Seconds until the data plane obeys a new access policy or role assignment.
    pub policy_lag_seconds: i64,
    /// Seconds until an approved connection carries traffic.
    pub private_path_lag_seconds: i64,
    /// Seconds until a key's deletion or recovery has settled.
    pub key_transition_seconds: i64,
    /// Seconds the name of a deleted private endpoint stays busy.
    pub name_busy_seconds: i64,
    /// Something sets `publicNetworkAccess` back to Enabled after each PATCH.
    pub public_access_drift: bool,
    /// ARM key reads refuse with 400 `ForbiddenByRbac`, as the vault itself does.
    pub arm_key_forbidden_by_rbac: bool,
    /// Seconds until the vault's side shows a new connection.
    pub connection_lag_seconds: i64,
    /// A subnet takes one endpoint operation at a time; another one then meets `ReferencedResourceNotProvisioned`.
    pub subnet_exclusive: bool,
    /// Life of an Entra token.
    pub token_lifetime_seconds: i64,
    /// ARM rights taken away.
    pub deny: Vec<Deny>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            clock_offset_seconds: 0,
            operation_polls: 2,
            retry_after_seconds: 10,
            id_case: IdCase::Exact,
            caller_on_private_network: false,
            caller_address: "203.0.113.10".into(),
            page_size: 0,
            key_vault_arm_retired: false,
            vault_lock_seconds: 0,
            policy_lag_seconds: 0,
            private_path_lag_seconds: 0,
            key_transition_seconds: 0,
            name_busy_seconds: 0,
            public_access_drift: false,
            arm_key_forbidden_by_rbac: false,
            connection_lag_seconds: 0,
            subnet_exclusive: false,
            token_lifetime_seconds: 3599,
            deny: Vec::new(),
        }
    }
}

/// How ids are spelled in ARM answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum IdCase {
    /// As they were created.
    #[default]
    Exact,
    /// `resourcegroups` and lower-case provider names, as Azure sometimes answers.
    Mixed,
}

/// One ARM right taken from one principal, or from all.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Deny {
    /// Object id; absent = everyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The action, without case; `*` stands for any text.
    pub action: String,
    /// Only at or below this id; absent = everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seed;

    #[test]
    fn a_patch_that_does_not_fit_changes_nothing_and_says_why() {
        let mut world = seed::world();
        let before = serde_json::to_value(&world).unwrap();
        let why = world.merge(&json!({"settings": {"operationPols": 1}})).unwrap_err();
        assert!(why.contains("operationPols"), "{why}");
        assert_eq!(serde_json::to_value(&world).unwrap(), before);
    }

    #[test]
    fn the_world_survives_its_own_json() {
        let world = seed::world();
        let text = serde_json::to_value(&world).unwrap();
        let back: World = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(serde_json::to_value(back).unwrap(), text);
    }
}
