//! Stage `KeyEncryptionKeyHealthy`: the key without which no key can be distributed is there and usable.
//!
//! In: the key as ARM and the data plane show it. Out: a state, a verdict. Never: makes, recovers or changes it.

use super::{Case, Step};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{KekState, KeyEncryptionKeyPolicy, Variant},
    },
    clouds::{azure::Key, http::Class},
    keystore_connection::{SPREADING, observe::KEK_NAME},
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
        summary::age,
    },
};

/// A BYOK key-encryption key has one of these sizes \[P\].
const SIZES: [u32; 3] = [2048, 3072, 4096];

/// What was made out of the key.
pub(in crate::keystore_connection) struct Judged<'a> {
    /// Its state.
    pub state: KekState,
    /// The key itself, alive or deleted.
    pub key: Option<&'a Key>,
    /// When a deleted one is gone for good, in seconds since 1970.
    pub purge_at: Option<i64>,
    /// Who said so.
    pub through: &'static str,
}

/// The state, or nothing while it could not be read for a passing reason.
pub(in crate::keystore_connection) fn judge(case: Case<'_>) -> Option<Judged<'_>> {
    let arm = "ResourceManager";
    let of = |state, key, through| Some(Judged { state, key, purge_at: None, through });
    if case.want.keystore.variant == Variant::Standard {
        return of(KekState::NotApplicable, None, arm);
    }
    match &case.seen.key {
        Seen::NotLooked => None,
        Seen::Unknown(fault) if fault.is_passing() => None,
        Seen::Unknown(_) => of(KekState::Unreadable, None, arm),
        Seen::Present(key) => of(state_of(key, case.now.as_second()), Some(key), arm),
        Seen::Absent => Some(absent(case)),
    }
}

/// ARM cannot tell a missing key from a deleted one; the data plane can, where it may be reached.
fn absent(case: Case<'_>) -> Judged<'_> {
    let through = "DataPlane";
    let of = |state, key, purge_at| Judged { state, key, purge_at, through };
    match (&case.seen.data_key, &case.seen.deleted_key) {
        (Seen::Present(key), _) => of(state_of(key, case.now.as_second()), Some(key), None),
        (_, Seen::Present(deleted)) => of(KekState::SoftDeleted, Some(&deleted.key), deleted.scheduled_purge_at),
        (Seen::Unknown(fault), _) | (_, Seen::Unknown(fault)) if fault.reason == "KekInTransition" => {
            of(KekState::InTransition, None, None)
        }
        (Seen::Absent, Seen::Absent) => of(KekState::Missing, None, None),
        (_, _) => Judged { state: KekState::MissingOrDeleted, key: None, purge_at: None, through: "ResourceManager" },
    }
}

/// First match wins. What an answer does not say is not held against the key.
pub(super) fn state_of(key: &Key, now: i64) -> KekState {
    let operations: std::collections::BTreeSet<String> =
        key.ops.iter().map(|operation| operation.to_ascii_lowercase()).collect();
    if !key.kty.eq_ignore_ascii_case("RSA-HSM") {
        KekState::WrongType
    } else if !operations.is_empty() && operations.iter().map(String::as_str).ne(["import"]) {
        KekState::WrongOperations
    } else if key.size_bits.is_some_and(|bits| !SIZES.contains(&bits)) {
        KekState::WrongSize
    } else if !key.enabled {
        KekState::Disabled
    } else if key.expires.is_some_and(|at| at <= now) {
        KekState::Expired
    } else if key.not_before.is_some_and(|at| at > now) {
        KekState::NotYetValid
    } else {
        KekState::Healthy
    }
}

pub(super) fn key_encryption_key_healthy(case: Case<'_>, keystore: &Verdict<Step>) -> Verdict<Step> {
    if case.want.keystore.variant == Variant::Standard {
        return Verdict::met("NotApplicable", "A Standard vault has no key-encryption key.");
    }
    if case.want.kek == KeyEncryptionKeyPolicy::Ignore {
        return Verdict::met("NotManaged", "keyEncryptionKey.policy is Ignore: nobody looks at it.");
    }
    let Some(judged) = judge(case) else {
        return match &case.seen.key {
            Seen::Unknown(fault) => Verdict::Unclear(fault.clone()),
            Seen::Present(_) | Seen::Absent | Seen::NotLooked => Verdict::Behind(ConditionType::CredentialsValid),
        };
    };
    if judged.state == KekState::Healthy {
        return Verdict::met("KeyEncryptionKeyHealthy", healthy(case, judged.key));
    }
    let gone = matches!(judged.state, KekState::Missing | KekState::MissingOrDeleted);
    if gone && case.past.keystore.is_none() && case.seen.keystore.present().is_none() {
        return Verdict::Behind(ConditionType::KeystoreConnected);
    }
    let young = case.past.memory.registered_at.as_ref().is_some_and(|at| age(at, case.now) < SPREADING);
    let never_seen = !case.past.kek_was_healthy;
    if gone && young && never_seen && !matches!(keystore, Verdict::Blocked(_)) {
        return Verdict::in_progress(
            "KeyEncryptionKeyInProgress",
            format!("UKO has not made the key {KEK_NAME} yet."),
            None,
        );
    }
    let (reason, text) = told(case, judged.state);
    let class = if judged.state == KekState::InTransition { Class::Provisioning } else { Class::AwaitingPerson };
    // What the cloud said of a read that failed stays for a support case.
    let fault = case.seen.key.fault().filter(|_| judged.state == KekState::Unreadable);
    Verdict::Blocked(match fault {
        Some(fault) => Fault { class, ..fault.clone() }.worded(reason, text),
        None => Fault::new(class, reason, text),
    })
}

/// Still usable, but something is coming: told in the message.
fn healthy(case: Case<'_>, key: Option<&Key>) -> String {
    let month = 30 * 24 * 60 * 60;
    let expiring = key.and_then(|key| key.expires).is_some_and(|at| at - case.now.as_second() < month);
    let purgeable = key.and_then(|key| key.recovery_level.as_deref()).is_some_and(|level| level.contains("Purgeable"));
    let mut text = format!("The key {KEK_NAME} is usable.");
    if expiring {
        text.push_str(" It expires within 30 days: renew it.");
    }
    if purgeable {
        text.push_str(" Purge protection is off on the vault: a deleted key can be lost for good.");
    }
    text
}

fn told(case: Case<'_>, state: KekState) -> (&'static str, String) {
    let vault = &case.want.vault.name;
    let stops = "No key can be distributed until it is back.";
    let generate = "in the Azure portal, Key Vault, Keys, Generate Key Encryption Key for Importing HSM-protected Keys, with the same name, type RSA-HSM, enabled";
    let recover = format!("az keyvault key recover --vault-name {vault} --name {KEK_NAME}");
    match state {
        KekState::Missing => (
            "KekMissing",
            format!("The key {KEK_NAME} is not in Key Vault {vault}. {stops} Make it again: {generate}."),
        ),
        KekState::SoftDeleted => (
            "KekSoftDeleted",
            format!("The key {KEK_NAME} was deleted in Key Vault {vault} and can be recovered. {stops} Run: {recover}"),
        ),
        KekState::MissingOrDeleted => (
            "KekMissingOrDeleted",
            format!(
                "The key {KEK_NAME} is gone from Key Vault {vault}; from outside the private network nobody can tell whether it can be recovered. {stops} Try first: {recover} Else make it again: {generate}."
            ),
        ),
        KekState::Disabled => (
            "KekDisabled",
            format!(
                "The key {KEK_NAME} in Key Vault {vault} is disabled. {stops} Enable it: az keyvault key set-attributes --vault-name {vault} --name {KEK_NAME} --enabled true"
            ),
        ),
        KekState::Expired => (
            "KekExpired",
            format!("The key {KEK_NAME} in Key Vault {vault} has expired. {stops} Set a later expiry date, or none."),
        ),
        KekState::NotYetValid => (
            "KekNotYetValid",
            format!(
                "The key {KEK_NAME} in Key Vault {vault} is not valid yet. {stops} Set an earlier activation date, or none."
            ),
        ),
        KekState::WrongType => (
            "KekWrongType",
            format!(
                "The key {KEK_NAME} in Key Vault {vault} is not of type RSA-HSM and cannot be used. {stops} Delete it and make it again: {generate}."
            ),
        ),
        KekState::WrongOperations => (
            "KekWrongOperations",
            format!(
                "The key {KEK_NAME} in Key Vault {vault} must permit exactly the operation import. {stops} Delete it and make it again: {generate}."
            ),
        ),
        KekState::WrongSize => (
            "KekWrongSize",
            format!(
                "The key {KEK_NAME} in Key Vault {vault} must have 2048, 3072 or 4096 bits. {stops} Delete it and make it again: {generate}."
            ),
        ),
        KekState::InTransition => {
            ("KekInTransition", format!("The key {KEK_NAME} in Key Vault {vault} is being deleted or recovered."))
        }
        KekState::Unreadable => (
            "KekUnreadable",
            format!(
                "The operator may not read the key {KEK_NAME} in Key Vault {vault}. Grant its identity Microsoft.KeyVault/vaults/keys/read."
            ),
        ),
        KekState::Healthy | KekState::NotApplicable => {
            ("KeyEncryptionKeyHealthy", format!("The key {KEK_NAME} is usable."))
        }
    }
}
