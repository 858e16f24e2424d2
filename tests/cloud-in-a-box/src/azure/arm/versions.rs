//! Which `api-version` a resource provider takes.
//!
//! In: the query and the target. Out: the version, or 400. Never: behaves differently by version.

use super::error;
use super::target::Target;
use crate::state::World;
use crate::wire::{Answer, Call};

/// Oldest and newest version of a provider that the box takes; equal spelling, so texts compare as dates.
fn range(world: &World, kind: &str) -> (&'static str, &'static str) {
    if kind.starts_with("microsoft.keyvault/") {
        let oldest = if world.settings.key_vault_arm_retired { "2026-02-01" } else { "2023-07-01" };
        // The newest SDKs send versions that came after this contract; nothing the box answers differs in them.
        return (oldest, "2099-12-31");
    }
    if kind.starts_with("microsoft.network/privatedns") {
        return ("2018-09-01", "2024-06-01");
    }
    if kind.starts_with("microsoft.network/") {
        return ("2024-03-01", "2099-12-31");
    }
    if kind.starts_with("microsoft.authorization/") {
        return ("2015-07-01", "2022-04-01");
    }
    ("2015-11-01", "2099-12-31")
}

/// The version of this request.
pub(crate) fn check(world: &World, call: &Call, target: &Target) -> Result<String, Answer> {
    let Some(version) = call.query("api-version").filter(|version| !version.is_empty()) else {
        let message = "The api-version query parameter (?api-version=) is required for all requests.";
        return Err(error::gateway(400, "MissingApiVersionParameter", message));
    };
    let (oldest, newest) = range(world, &target.kind);
    let dns_gap = target.kind.starts_with("microsoft.network/privatedns")
        && !["2018-09-01", "2020-06-01", "2024-06-01"].contains(&version);
    if !is_date(version) || version < oldest || version > newest || dns_gap {
        let message = format!(
            "The api-version '{version}' is invalid for '{}'. The supported versions lie between '{oldest}' and '{newest}'.",
            target.kind
        );
        return Err(error::gateway(400, "InvalidApiVersionParameter", message));
    }
    Ok(version.to_owned())
}

fn is_date(version: &str) -> bool {
    let parts: Vec<&str> = version.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(year, 4) && digits(month, 2) && digits(day, 2)
}
