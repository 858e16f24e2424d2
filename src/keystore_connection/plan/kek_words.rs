//! The words of stage `KeyEncryptionKeyHealthy`: what is lost and what to do, what is coming although it is well.
//!
//! In: a state, a key. Out: reasons and sentences that stay the same from pass to pass. Never: chooses a step.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{Case, Step};
use crate::{
    api::v1alpha1::{KekState, Mode},
    clouds::{azure::Key, http::Class},
    keystore_connection::{desired::Desired, observe::KEK_NAME},
    reconcile::{fault::Fault, stage::Verdict, summary::age},
};

/// For so long it is said that the operator brought the key back.
pub(in crate::keystore_connection) const REMEMBERED: Duration = Duration::from_hours(24);
/// For so long another version of the key is told; then it counts as known.
pub(in crate::keystore_connection) const NEWS: Duration = Duration::from_hours(7 * 24);
/// An end of life that is nearer is told.
const MONTH: i64 = 30 * 24 * 60 * 60;

/// How to bring a deleted key back by hand.
fn recover(vault: &str) -> String {
    format!("az keyvault key recover --vault-name {vault} --name {KEK_NAME}")
}

/// How to make one by hand, as IBM documents it.
const GENERATE: &str = "in the Azure portal, Key Vault, Keys, Generate Key Encryption Key for Importing HSM-protected Keys, with the same name, type RSA-HSM, enabled";

/// A deleted key that was none to begin with.
pub(super) const UNFIT: &str = "The operator does not recover it, because it was of the wrong type, size or operations: purge it and make it again in the Azure portal.";

/// Somebody takes it away again and again.
pub(super) fn fought(times: u32) -> String {
    format!(
        "The operator brought it back {times} times within a day and stops: find out who deletes it, then annotate this object with uko-operator.io/reconcile-requested-at: <now>."
    )
}

/// A state other than healthy, in words.
pub(super) struct Loss {
    /// The reason of the condition.
    pub reason: &'static str,
    /// What is wrong.
    what: String,
    /// Whether keys are stopped by it.
    stops: bool,
    /// What a person can do.
    pub cure: String,
}

impl Loss {
    /// What is wrong, then `rest`.
    pub(super) fn text(&self, rest: &str) -> String {
        let stops = if self.stops { " No key can be distributed until it is back." } else { "" };
        let rest = if rest.is_empty() { String::new() } else { format!(" {rest}") };
        format!("{}{stops}{rest}", self.what)
    }

    /// The same, while the operator is about to bring it back.
    pub(super) fn mending(&self, want: &Desired) -> String {
        self.text(match want.mode {
            Mode::Manage => "The operator is bringing it back, as keyEncryptionKey.policy says.",
            Mode::Plan => "In mode Manage the operator would bring it back, as keyEncryptionKey.policy says.",
        })
    }

    /// A person is needed.
    pub(super) fn fault(&self, rest: &str) -> Fault {
        Fault::new(Class::AwaitingPerson, self.reason, self.text(rest))
    }
}

/// The words of a state.
pub(super) fn loss(want: &Desired, state: KekState) -> Loss {
    let vault = &want.vault.name;
    let key = format!("The key {KEK_NAME} in Key Vault {vault}");
    let again = format!("Delete it and make it again: {GENERATE}.");
    let of = |reason, what: String, cure: String| Loss { reason, what, stops: true, cure };
    match state {
        KekState::Missing => of(
            "KekMissing",
            format!("The key {KEK_NAME} is not in Key Vault {vault}."),
            format!("Make it again: {GENERATE}."),
        ),
        KekState::SoftDeleted => of(
            "KekSoftDeleted",
            format!("The key {KEK_NAME} was deleted in Key Vault {vault} and can be recovered."),
            format!("Run: {}", recover(vault)),
        ),
        KekState::MissingOrDeleted => of(
            "KekMissingOrDeleted",
            format!(
                "The key {KEK_NAME} is gone from Key Vault {vault}; from outside the private network nobody can tell whether it can be recovered."
            ),
            format!("Try first: {} Else make it again: {GENERATE}.", recover(vault)),
        ),
        KekState::Disabled => of(
            "KekDisabled",
            format!("{key} is disabled."),
            format!("Enable it: az keyvault key set-attributes --vault-name {vault} --name {KEK_NAME} --enabled true"),
        ),
        KekState::Expired => {
            of("KekExpired", format!("{key} has expired."), "Set a later expiry date, or none.".to_owned())
        }
        KekState::NotYetValid => of(
            "KekNotYetValid",
            format!("{key} is not valid yet."),
            "Set an earlier activation date, or none.".to_owned(),
        ),
        KekState::WrongType => of("KekWrongType", format!("{key} is not of type RSA-HSM and cannot be used."), again),
        KekState::WrongOperations => {
            of("KekWrongOperations", format!("{key} must permit exactly the operation import."), again)
        }
        KekState::WrongSize => of("KekWrongSize", format!("{key} must have 2048, 3072 or 4096 bits."), again),
        KekState::InTransition => Loss {
            stops: false,
            ..of("KekInTransition", format!("{key} is being deleted or recovered."), String::new())
        },
        KekState::Unreadable => Loss {
            stops: false,
            ..of(
                "KekUnreadable",
                format!("The operator may not read the key {KEK_NAME} in Key Vault {vault}."),
                "Grant its identity Microsoft.KeyVault/vaults/keys/read.".to_owned(),
            )
        },
        KekState::Healthy | KekState::NotApplicable => Loss {
            stops: false,
            ..of("KeyEncryptionKeyHealthy", format!("The key {KEK_NAME} is usable."), String::new())
        },
    }
}

/// Usable. What happened to it, and what is coming, is told in the message; the most urgent of it is the reason.
pub(super) fn healthy(case: Case<'_>, key: Option<&Key>) -> Verdict<Step> {
    let memory = case.past.memory;
    let mut told = Vec::new();
    if let Some((since, version)) = changed(case, key) {
        told.push((
            "KekVersionChanged",
            format!(
                "Since {} it has another version, {version}: if nobody meant that, find out who changed it. What was wrapped for the old version cannot be imported with the new one: distribute again in UKO what is missing in Azure.",
                since.0
            ),
        ));
    }
    if let Some(at) = key.and_then(|key| key.expires).filter(|at| at - case.now.as_second() < MONTH) {
        let at = Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default();
        told.push(("KekExpiring", format!("It expires on {at}, within 30 days: set a later expiry date, or none.")));
    }
    if let Some(repair) = memory.kek_repair.as_ref().filter(|repair| age(&repair.done_at, case.now) < REMEMBERED) {
        told.push(if repair.made {
            (
                "KekRecreated",
                format!(
                    "The operator made it again on {}. What was wrapped for the lost one cannot be imported any more: distribute again in UKO what is missing in Azure.",
                    repair.done_at.0
                ),
            )
        } else {
            (
                "KekRecovered",
                format!(
                    "The operator recovered it on {}. Distribute again in UKO what was activated meanwhile.",
                    repair.done_at.0
                ),
            )
        });
    }
    if key.and_then(|key| key.recovery_level.as_deref()).is_some_and(|level| level.contains("Purgeable")) {
        told.push((
            "KekPurgeable",
            "Purge protection is off on the vault: a deleted key can be lost for good. Turn it on.".to_owned(),
        ));
    }
    let reason = told.first().map_or("KeyEncryptionKeyHealthy", |(reason, _)| *reason);
    let mut sentences = vec![format!("The key {KEK_NAME} is usable.")];
    sentences.extend(told.into_iter().map(|(_, sentence)| sentence));
    Verdict::met(reason, sentences.join(" "))
}

/// Since when the key has had a version that is not the known one, and which.
pub(in crate::keystore_connection) fn changed(case: Case<'_>, key: Option<&Key>) -> Option<(Time, String)> {
    let memory = case.past.memory;
    let version = key?.version.clone()?;
    let known = memory.kek_version.as_ref()?;
    if version == *known {
        return None;
    }
    let since = memory.kek_changed_at.clone().unwrap_or(Time(case.now));
    (age(&since, case.now) < NEWS).then_some((since, version))
}
