//! Stage `VaultReady`: the Key Vault exists, fits, and grants UKO's service principal the ten key permissions.
//!
//! In: the vault and its roles. Out: a verdict. Never: takes a permission away.

use super::{Case, Step, faulty};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, KeyPermissions, Variant},
    },
    clouds::{
        azure::{KeyVaultRole, Sku, Vault},
        http::Class,
    },
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
    },
};

pub(super) fn vault_ready(case: Case<'_>, drift: &mut Vec<Drift>) -> Verdict<Step> {
    let name = &case.want.vault.name;
    let vault = match &case.seen.vault {
        Seen::NotLooked => return Verdict::Behind(ConditionType::CredentialsValid),
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent => return absent(case),
        Seen::Present(vault) => vault,
    };
    if !vault.tenant_id.eq_ignore_ascii_case(&case.want.tenant_id) {
        return blocked(
            Class::Invalid,
            "TenantMismatch",
            format!("Key Vault {name} belongs to another tenant than spec.azure.tenantId. Correct it in a new object."),
        );
    }
    if let Some(fault) = unfit(vault, name, case.want.keystore.variant) {
        return Verdict::Blocked(fault);
    }
    if vault.provisioning_state.is_running() {
        return Verdict::in_progress("VaultInProgress", format!("Azure is still setting Key Vault {name} up."), None);
    }
    if case.quick && vault.rbac {
        return Verdict::Unchanged;
    }
    permissions(case, vault, drift)
}

fn blocked(class: Class, reason: &'static str, message: String) -> Verdict<Step> {
    Verdict::Blocked(Fault::new(class, reason, message))
}

fn absent(case: Case<'_>) -> Verdict<Step> {
    let vault = &case.want.vault;
    if case.seen.deleted_vault.present().is_some() {
        let text = format!(
            "Key Vault {} was deleted and can be recovered: az keyvault recover --name {}",
            vault.name, vault.name
        );
        return blocked(Class::AwaitingPerson, "VaultSoftDeleted", text);
    }
    let text = format!(
        "There is no Key Vault {} in resource group {}. Create it, or correct spec.azure in a new object.",
        vault.name, vault.resource_group
    );
    blocked(Class::NotFound, "VaultNotFound", text)
}

fn unfit(vault: &Vault, name: &str, variant: Variant) -> Option<Fault> {
    match (&vault.sku, variant) {
        (Sku::Premium, Variant::Premium) | (Sku::Standard, Variant::Standard) => {}
        (Sku::Standard, Variant::Premium) => {
            let text = format!(
                "Key Vault {name} is Standard and cannot hold HSM keys. Use a Premium vault, or keystore.variant Standard in a new object."
            );
            return Some(Fault::invalid("VaultNotPremium", text));
        }
        (sku, _) => {
            let text = format!(
                "Key Vault {name} has the SKU {}, which does not fit keystore.variant. Correct it in a new object.",
                sku.as_str()
            );
            return Some(Fault::invalid("VariantMismatch", text));
        }
    }
    (!vault.soft_delete).then(|| {
        // `az keyvault update` has no option for it any more: Azure turns it on for every new vault.
        let text = format!(
            "Soft delete is off on Key Vault {name}: a deleted key would be gone for good. Turn it on: az resource update --ids {} --set properties.enableSoftDelete=true",
            vault.id.as_str()
        );
        Fault::awaiting_person("SoftDeleteDisabled", text)
    })
}

fn permissions(case: Case<'_>, vault: &Vault, drift: &mut Vec<Drift>) -> Verdict<Step> {
    let want = case.want;
    if want.key_permissions == KeyPermissions::Trust {
        return Verdict::met("VaultReady", "The Key Vault fits; its key permissions are taken on trust.");
    }
    let of_token = case.seen.service_principal.present().cloned().flatten();
    let Some(object_id) = want.object_id.clone().or(of_token) else {
        return Verdict::Behind(ConditionType::CredentialsValid);
    };
    if vault.rbac {
        return roles(case, vault, &object_id);
    }
    let missing = vault.missing_key_permissions(&want.tenant_id, &object_id);
    if missing.is_empty() {
        return Verdict::met("VaultReady", "The Key Vault fits, and its access policy grants all ten key permissions.");
    }
    let list = missing.join(", ");
    let grant = want.key_permissions == KeyPermissions::Grant;
    if grant && case.past.settled {
        let (field, want) = ("spec.azure.keyPermissions".to_owned(), "all ten key permissions".to_owned());
        drift.push(Drift { field, want, have: format!("without {list}") });
    }
    if grant && case.only_reports() {
        let text = format!(
            "UKO's service principal {object_id} has lost these key permissions: {list}. driftPolicy is Report: set it to Correct to have them granted again, or add them to the access policy of Key Vault {}.",
            want.vault.name
        );
        return blocked(Class::AwaitingPerson, "VaultAccessIncomplete", text);
    }
    if grant {
        let text = format!("These key permissions are being granted to UKO's service principal: {list}.");
        return Verdict::step(Step::GrantKeyPermissions { object_id, permissions: missing }, "GrantInProgress", text);
    }
    let text = format!(
        "UKO's service principal {object_id} lacks these key permissions: {list}. Add them to the access policy of Key Vault {}, or set azure.keyPermissions: Grant.",
        want.vault.name
    );
    blocked(Class::AwaitingPerson, "VaultAccessIncomplete", text)
}

/// Advisory where nobody can tell: a custom role, a condition, or no right to look. UKO itself documents access policies only.
fn roles(case: Case<'_>, vault: &Vault, object_id: &str) -> Verdict<Step> {
    let unsure = |why: &str| {
        Verdict::met(
            "VaultAccessUnverified",
            format!("The Key Vault fits. It uses Azure roles, and {why}; UKO's own test will show."),
        )
    };
    let assignments = match &case.seen.roles {
        Seen::Present(assignments) => assignments,
        Seen::Unknown(fault) if fault.is_passing() => return Verdict::Unclear(fault.clone()),
        Seen::Unknown(_) => return unsure("the operator may not read role assignments"),
        Seen::Absent | Seen::NotLooked => return unsure("nobody looked at role assignments"),
    };
    let here = assignments.iter().filter(|assignment| assignment.covers(&vault.id));
    let mut unknown = false;
    for assignment in here {
        match assignment.role() {
            KeyVaultRole::Sufficient => {
                return Verdict::met("VaultReady", "The Key Vault fits, and a role grants all ten key permissions.");
            }
            KeyVaultRole::Unknown => unknown = true,
            KeyVaultRole::ObserveOnly | KeyVaultRole::Insufficient => {}
        }
    }
    if unknown {
        return unsure("a custom or conditional role cannot be judged from here");
    }
    let text = format!(
        "Key Vault {} uses Azure roles, and UKO's service principal {object_id} has none that grants key permissions. Assign Key Vault Crypto Officer at the vault.",
        case.want.vault.name
    );
    blocked(Class::AwaitingPerson, "VaultRoleMissing", text)
}
