//! Whether and how a lost key-encryption key is brought back, where the spec says so.
//!
//! In: its state, the policy, what was tried before. Out: an [`Outlook`]. Never: touches a key that is there; makes one that
//! UKO may be about to make; acts for a keystore of another owner.

use std::time::Duration;

use super::{
    Case, Step, is_ours,
    kek::{Judged, is_to_come, state_of},
    kek_words,
};
use crate::{
    api::v1alpha1::{KekState, KeyEncryptionKeyPolicy},
    clouds::{azure::Sku, http::Class},
    keystore_connection::desired::Desired,
    reconcile::{fault::Fault, summary::age},
};

/// Azure shows a recovered key within seconds; for so long it is waited for.
const SETTLING: Duration = Duration::from_mins(1);
/// Meanwhile it is looked at this often \[P\].
pub(super) const GLANCE: Duration = Duration::from_secs(2);
/// Whoever deletes it more often than this within a day means it.
const TIMES: u32 = 3;
/// After a refusal a person must act; it is tried again ever more slowly.
const FIRST_PAUSE: Duration = Duration::from_mins(5);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_mins(30);

/// What comes of a loss.
#[expect(clippy::large_enum_variant, reason = "one a pass")]
pub(super) enum Outlook<'a> {
    /// Nothing by itself.
    None,
    /// This step.
    Do(Step),
    /// It was asked for just now.
    Settling,
    /// It was refused with this code, and is not tried again yet.
    Refused(&'a str),
    /// What could be recovered would be no use.
    Unfit,
    /// It was brought back so often that somebody must mean it.
    Fought(u32),
}

pub(super) fn outlook<'a>(case: Case<'a>, judged: &Judged<'_>, may_act: bool) -> Outlook<'a> {
    let (want, memory) = (case.want, case.past.memory);
    let lost = matches!(judged.state, KekState::SoftDeleted | KekState::Missing | KekState::MissingOrDeleted);
    let ours = case.seen.keystore.present().is_some_and(|keystore| is_ours(case, keystore));
    let premium = case.seen.vault.present().is_some_and(|vault| vault.sku == Sku::Premium);
    let asked = matches!(want.kek, KeyEncryptionKeyPolicy::Recover | KeyEncryptionKeyPolicy::Recreate);
    if !(lost && ours && premium && asked && may_act) {
        return Outlook::None;
    }
    let repair = memory.kek_repair.as_ref();
    if repair.is_some_and(|repair| age(&repair.done_at, case.now) < SETTLING) {
        return Outlook::Settling;
    }
    let Some(step) = step(case, judged) else { return Outlook::None };
    let unfit = judged.key.is_some_and(|key| {
        let as_it_was = state_of(key, case.now.as_second());
        matches!(as_it_was, KekState::WrongType | KekState::WrongOperations | KekState::WrongSize)
    });
    let refusal =
        memory.kek_refusal.as_ref().filter(|refusal| age(&refusal.refused_at, case.now) < pause(refusal.count));
    match (refusal, repair.filter(|repair| repair.count >= TIMES)) {
        _ if unfit => Outlook::Unfit,
        (_, Some(repair)) => Outlook::Fought(repair.count),
        (Some(refusal), None) => Outlook::Refused(&refusal.code),
        (None, None) => Outlook::Do(step),
    }
}

/// A deleted key is recovered under either policy. One is made only where none is, and UKO has had its time to make it.
/// A data plane that only did not answer may tell more at the next look.
fn step(case: Case<'_>, judged: &Judged<'_>) -> Option<Step> {
    let make = || Step::RecreateKey { size_bits: case.want.kek_size_bits, state: judged.state };
    let unanswered = [case.seen.data_key.fault(), case.seen.deleted_key.fault()];
    let undecided = unanswered.into_iter().flatten().any(Fault::is_passing);
    let had_its_time = case.past.kek_was_healthy || case.past.memory.registered_at.is_some() && !is_to_come(case);
    match (judged.state, case.want.kek) {
        (KekState::SoftDeleted, _) => Some(Step::RecoverKey),
        (KekState::Missing | KekState::MissingOrDeleted, KeyEncryptionKeyPolicy::Recreate) => {
            (had_its_time && !undecided).then(make)
        }
        (
            KekState::Missing
            | KekState::MissingOrDeleted
            | KekState::Healthy
            | KekState::Disabled
            | KekState::Expired
            | KekState::NotYetValid
            | KekState::WrongType
            | KekState::WrongOperations
            | KekState::WrongSize
            | KekState::InTransition
            | KekState::Unreadable
            | KekState::NotApplicable,
            _,
        ) => None,
    }
}

fn pause(refusals: u32) -> Duration {
    let factor = 1_u32 << refusals.saturating_sub(1).min(8);
    FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE)
}

/// The loss, and that Azure would not have it mended. Said alike in the pass that tried and until the next try.
pub(super) fn refused(want: &Desired, state: KekState, code: &str) -> Fault {
    let loss = kek_words::loss(want, state);
    let why = why(state, code);
    let cure = if code == DELETED { kek_words::loss(want, KekState::SoftDeleted).cure } else { loss.cure.clone() };
    loss.fault(&format!("The operator could not bring it back: {why}. {cure}"))
}

/// A deleted key holds the name.
const DELETED: &str = "ObjectIsDeletedButRecoverable";

fn why(state: KekState, code: &str) -> String {
    let recovers = state == KekState::SoftDeleted;
    match code {
        "ForbiddenByPolicy" | "AccessDenied" if recovers => {
            "its identity lacks the key permission recover in the vault's access policy".to_owned()
        }
        "ForbiddenByRbac" if recovers => {
            "its identity lacks Microsoft.KeyVault/vaults/keys/recover/action on the vault".to_owned()
        }
        "AuthorizationFailed" | "ForbiddenByRbac" => {
            "its identity lacks Microsoft.KeyVault/vaults/keys/write on the vault".to_owned()
        }
        "ForbiddenByConnection" | "ForbiddenByFirewall" | "ForbiddenByNsp" => {
            "Key Vault does not answer from where the operator runs".to_owned()
        }
        DELETED => {
            "a deleted key holds the name, which from outside the private network cannot be recovered".to_owned()
        }
        _ => format!("Azure answers {code}, and the request id is in status.lastFailure"),
    }
}

/// What became of an attempt that failed.
pub(in crate::keystore_connection) fn failed(want: &Desired, state: KekState, fault: Fault) -> Fault {
    let loss = kek_words::loss(want, state);
    // No deleted key any more: somebody else was faster, or it was purged. The next look tells.
    let gone = fault.class == Class::NotFound && state == KekState::SoftDeleted;
    if gone || fault.is_passing() {
        let text = loss.text(&format!("The operator is bringing it back; the last attempt failed: {}", fault.message));
        let class = if gone { Class::Conflict } else { fault.class };
        return Fault { class, ..fault }.worded(loss.reason, text);
    }
    let told = refused(want, state, &code(&fault));
    Fault { class: Class::AwaitingPerson, ..fault }.worded(told.reason, told.message)
}

/// What is remembered of a refusal.
pub(in crate::keystore_connection) fn code(fault: &Fault) -> String {
    let code = fault.call.as_ref().and_then(|call| call.code.clone());
    code.unwrap_or_else(|| "an error without a code".to_owned())
}
