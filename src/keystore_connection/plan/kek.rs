//! Stage `KeyEncryptionKeyHealthy`: the key without which no key can be distributed is there and usable.
//!
//! In: the key as ARM and the data plane show it. Out: a state, a verdict. Never: words a loss (`kek_words`), chooses how to mend it (`kek_repair`).

use super::{
    Case, Step,
    kek_repair::{self, Outlook},
    kek_words,
};
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

pub(super) fn key_encryption_key_healthy(case: Case<'_>, keystore: &Verdict<Step>, may_act: bool) -> Verdict<Step> {
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
        return kek_words::healthy(case, judged.key);
    }
    let gone = matches!(judged.state, KekState::Missing | KekState::MissingOrDeleted);
    if gone && case.past.keystore.is_none() && case.seen.keystore.present().is_none() {
        return Verdict::Behind(ConditionType::KeystoreConnected);
    }
    if gone && is_to_come(case) && !matches!(keystore, Verdict::Blocked(_)) {
        return Verdict::in_progress(
            "KeyEncryptionKeyInProgress",
            format!("UKO has not made the key {KEK_NAME} yet."),
            None,
        );
    }
    let loss = kek_words::loss(case.want, judged.state);
    match kek_repair::outlook(case, &judged, may_act) {
        Outlook::Do(step) => return Verdict::step(step, loss.reason, loss.mending(case.want)),
        Outlook::Settling => {
            let text = loss.text("It has been asked for; Azure is bringing it back.");
            let fault = Fault::new(Class::Provisioning, "KekInTransition", text);
            return Verdict::Blocked(Fault { retry_after: Some(kek_repair::GLANCE), ..fault });
        }
        Outlook::Refused(code) => return Verdict::Blocked(kek_repair::refused(case.want, judged.state, code)),
        Outlook::Unfit => return Verdict::Blocked(loss.fault(kek_words::UNFIT)),
        Outlook::Fought(times) => return Verdict::Blocked(loss.fault(&kek_words::fought(times))),
        Outlook::None => {}
    }
    let class = if judged.state == KekState::InTransition { Class::Provisioning } else { Class::AwaitingPerson };
    // What the cloud said of a read that failed stays for a support case.
    let fault = case.seen.key.fault().filter(|_| judged.state == KekState::Unreadable);
    let (reason, text) = (loss.reason, loss.text(&loss.cure));
    Verdict::Blocked(match fault {
        Some(fault) => Fault { class, ..fault.clone() }.worded(reason, text),
        None => Fault::new(class, reason, text),
    })
}

/// UKO makes the key when it registers a keystore; so long it may take, and nobody races it.
pub(super) fn is_to_come(case: Case<'_>) -> bool {
    let registered = case.past.memory.registered_at.as_ref();
    !case.past.kek_was_healthy && registered.is_some_and(|at| age(at, case.now) < SPREADING)
}
