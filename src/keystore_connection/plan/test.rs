//! Stage `ConnectionTested`: UKO could use the Key Vault with exactly these settings.
//!
//! In: the last result and what it was made with. Out: a verdict. Never: tests a registered keystore unless asked; UKO's health judges that one.

use std::time::Duration;

use super::{Case, Step, path::tls_proxy};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{ConnectionTestPolicy, ConnectionTestStatus, TestResult},
    },
    clouds::{http::Class, ibm::KeystoreDraft},
    keystore_connection::{SPREADING, desired::UkoVaultWanted},
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict, Word},
        summary::age,
    },
};

/// First wait after a failed test.
const FIRST_WAIT: Duration = Duration::from_secs(30);

pub(super) fn connection_tested(case: Case<'_>, open: Option<ConditionType>) -> Verdict<Step> {
    let want = case.want;
    if want.connection_test == ConnectionTestPolicy::Skip && case.past.test_requested.is_none() {
        return Verdict::Skipped(Word { reason: "Skipped", message: "spec.connectionTest is Skip.".to_owned() });
    }
    let asked = case.past.test_requested.is_some();
    if case.quick && open.is_none() && !asked {
        return Verdict::Unchanged;
    }
    // One that is there is judged by its health, also before it is taken over; a dry run would stumble over its name.
    let registered = match &case.seen.keystore {
        Seen::Present(_) => true,
        Seen::Absent => false,
        Seen::Unknown(_) | Seen::NotLooked => case.past.keystore.is_some(),
    };
    // Removed outside: nothing is tried before someone asks for it to be made again.
    let removed = matches!(case.seen.keystore, Seen::Absent) && case.past.keystore.is_some();
    if removed && !case.may_recreate() && !asked {
        return Verdict::Behind(ConditionType::KeystoreConnected);
    }
    if registered && !asked {
        return Verdict::met("JudgedByHealth", "The keystore is registered; UKO's own health judges the connection.");
    }
    if let Some(stage) = open {
        return Verdict::Behind(stage);
    }
    let vault = match uko_vault(case) {
        Ok(id) => id,
        Err(verdict) => return verdict,
    };
    match want.draft(&vault, tls_proxy(&want.path)) {
        Ok(draft) => judge(case, draft),
        Err(fault) => Verdict::Blocked(fault),
    }
}

fn judge(case: Case<'_>, draft: KeystoreDraft) -> Verdict<Step> {
    let fingerprint = (case.past.fingerprint)(&draft);
    let last =
        case.past.test.filter(|test| test.inputs_fingerprint == fingerprint && case.past.test_requested.is_none());
    let test = |draft| Verdict::step(Step::TestConnection(draft), "TestInProgress", "UKO is testing the connection.");
    let Some(last) = last else { return test(draft) };
    match last.result {
        TestResult::Passed => Verdict::met("ConnectionTestPassed", "UKO could use the Key Vault with these settings."),
        TestResult::Failed => {
            match wait_after(case, last).checked_sub(age(&last.tested_at, case.now)) {
                // The last refusal stays to be read while it is tried again.
                None | Some(Duration::ZERO) => {
                    Verdict::step(Step::TestConnection(draft), "ConnectionTestFailed", last.message.clone())
                }
                Some(_) if case.want.connection_test == ConnectionTestPolicy::Advisory => advisory(last),
                Some(left) => Verdict::Blocked(failed(case, last, left)),
            }
        }
    }
}

/// As long again as it has been failing, from half a minute to the interval: it doubles with every test, however often the
/// object is looked at in between. A quarter less, because a look may come a fifth early.
fn wait_after(case: Case<'_>, last: &ConnectionTestStatus) -> Duration {
    let stage = ConditionType::ConnectionTested.as_str();
    let mut rows = case.past.memory.failures.iter();
    let row = rows.find(|row| row.stage == stage && row.reason == "ConnectionTestFailed");
    let failing = row.map_or(Duration::ZERO, |row| age(&row.since, last.tested_at.0));
    failing.min(case.past.interval).max(FIRST_WAIT).mul_f64(0.75)
}

fn advisory(last: &ConnectionTestStatus) -> Verdict<Step> {
    Verdict::Skipped(Word {
        reason: "ConnectionTestFailed",
        message: format!("{} connectionTest is Advisory, so the keystore is registered all the same.", last.message),
    })
}

/// A new Secret, approval or endpoint takes a while to spread; only after that is a refusal a verdict.
fn failed(case: Case<'_>, last: &ConnectionTestStatus, left: Duration) -> Fault {
    let recent = [&case.past.memory.inputs_changed_at, &case.past.memory.last_write_at]
        .into_iter()
        .flatten()
        .any(|time| age(time, case.now) < SPREADING);
    let class = if recent {
        Class::Provisioning
    } else if last.reason == "ConnectionTestFailed" {
        Class::AwaitingPerson
    } else {
        Class::Invalid
    };
    // A look may come a fifth early; it shall not come before its time.
    Fault { retry_after: Some(left.mul_f64(1.25)), ..Fault::new(class, "ConnectionTestFailed", last.message.clone()) }
}

/// A vault that is not shown says nothing of the keystore in it, so nothing is made in its place.
pub(super) fn hidden_vault(case: Case<'_>) -> Option<Fault> {
    let vault = case.past.uko_vault.as_ref().filter(|_| case.past.keystore.is_some())?;
    let hidden = case.seen.uko_vaults.present().is_some_and(Vec::is_empty);
    hidden.then(|| {
        let text = format!(
            "UKO does not show the UKO vault {} any more, so nobody can tell whether the keystore is still in it. Give the identity of spec.uko its role on that vault again; if the vault is gone for good, delete this object and create it again.",
            vault.as_str()
        );
        Fault::new(Class::NotFound, "UkoVaultNotFound", text)
    })
}

/// The one UKO vault, or what stands in its way.
#[expect(clippy::result_large_err, reason = "one a pass, and it is the verdict of its stage")]
pub(super) fn uko_vault(case: Case<'_>) -> Result<crate::clouds::ibm::UkoVaultId, Verdict<Step>> {
    let vaults = match &case.seen.uko_vaults {
        Seen::Unknown(fault) => return Err(super::faulty(fault)),
        Seen::NotLooked => return case.past.uko_vault.clone().ok_or(Verdict::Behind(ConditionType::CredentialsValid)),
        Seen::Absent => &[],
        Seen::Present(vaults) => vaults.as_slice(),
    };
    if let Some(fault) = hidden_vault(case) {
        return Err(Verdict::Blocked(fault));
    }
    match (vaults, &case.want.uko_vault) {
        ([vault], _) => Ok(vault.id.clone()),
        ([], UkoVaultWanted::Named { name, create: true }) => {
            let step = Step::CreateUkoVault { name: name.clone(), description: case.want.owner.mark() };
            Err(Verdict::step(step, "UkoVaultInProgress", format!("The UKO vault {name} is being created.")))
        }
        ([], UkoVaultWanted::Named { name, create: false }) => {
            let text = format!(
                "UKO has no vault named {name}, or this identity may not see it. Create it, correct spec.uko.vault in a new object, or set spec.uko.vault.create: true."
            );
            Err(Verdict::Blocked(Fault::new(Class::NotFound, "UkoVaultNotFound", text)))
        }
        ([], UkoVaultWanted::Id(id)) => {
            let text = format!(
                "UKO has no vault with the id {}, or this identity may not see it. Correct spec.uko.vault in a new object.",
                id.as_str()
            );
            Err(Verdict::Blocked(Fault::new(Class::NotFound, "UkoVaultNotFound", text)))
        }
        (several, _) => {
            let text = format!(
                "UKO has {} vaults of this name. Name one by spec.uko.vault.id in a new object.",
                several.len()
            );
            Err(Verdict::Blocked(Fault::invalid("UkoVaultAmbiguous", text)))
        }
    }
}
