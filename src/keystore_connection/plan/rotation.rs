//! Where the rotation of UKO's password stands, and whether the earlier one may be revoked.
//!
//! In: what UKO was given and when, its health. Out: words. Never: calls a password safe to revoke before UKO was seen well with the next.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Case, Step};
use crate::{
    api::v1alpha1::CredentialsInUse,
    clouds::{http::Class, ibm::Health},
    reconcile::{fault::Fault, stage::Verdict, summary::age},
};

/// For so long it is said that a rotation is over.
const NEWS: Duration = Duration::from_hours(7 * 24);

/// So long a first contact is waited for; how often UKO makes one is not published \[O\].
const CONTACT: Duration = Duration::from_mins(15);

/// How far it is.
enum Rotation<'a> {
    /// There is none.
    None,
    /// UKO still has an earlier one than the Secret.
    Wanted(&'a CredentialsInUse),
    /// UKO has the new one and was not seen well with it.
    Unproven(&'a CredentialsInUse),
    /// UKO is well with the new one.
    Done(&'a CredentialsInUse),
}

fn rotation(case: Case<'_>) -> Rotation<'_> {
    let Some(held) = case.past.credentials else { return Rotation::None };
    if is_wanted(case) {
        return Rotation::Wanted(held);
    }
    let Some(proven_at) =
        held.proven_at.clone().or_else(|| proof(case)).filter(|_| held.previous_secret_name.is_some())
    else {
        return if held.previous_secret_name.is_some() { Rotation::Unproven(held) } else { Rotation::None };
    };
    if age(&proven_at, case.now) < NEWS { Rotation::Done(held) } else { Rotation::None }
}

/// The Secret of the spec does not hold what UKO has.
fn is_wanted(case: Case<'_>) -> bool {
    case.past.credentials.is_some_and(|held| case.past.password_fingerprint.as_ref() != Some(&held.fingerprint))
}

/// When UKO was first seen well with the password that it has: by a contact later than the password, and not the one that the
/// first look after it showed. That one may still be of the earlier password; a later one is not, whatever clocks say.
pub(in crate::keystore_connection) fn proof(case: Case<'_>) -> Option<Time> {
    let held = case.past.credentials.filter(|held| held.previous_secret_name.is_some())?;
    let health = case.seen.health.present().filter(|status| status.health == Health::Ok)?;
    let contact = health.last_heartbeat?;
    let first = case.past.memory.heartbeat_before_rotation.as_ref()?.0.as_second();
    (contact > held.since.0.as_second() && contact != first).then_some(Time(case.now))
}

/// What stage `CredentialsValid` says once every identity is accepted.
pub(super) fn signed_in(case: Case<'_>) -> Verdict<Step> {
    let accepted = "Azure accepts both identities, and UKO accepts the operator.";
    let secret = &case.want.password_secret;
    match rotation(case) {
        Rotation::None => Verdict::met("SignedIn", accepted),
        Rotation::Wanted(held) => Verdict::met(
            "CredentialsRotating",
            format!("{accepted} UKO is to get the password of the Secret {secret}, and {}", still_uses(held)),
        ),
        Rotation::Unproven(held) if tells_no_contact(case, held) => Verdict::met(
            "CredentialsRotating",
            format!(
                "{accepted} UKO has had the password of the Secret {} since {} and says it is well, but not when it last reached the Key Vault. Distribute a key to be sure, and revoke the earlier one only then.",
                held.secret_name, held.since.0
            ),
        ),
        Rotation::Unproven(held) => Verdict::met(
            "CredentialsRotating",
            format!(
                "{accepted} UKO has had the password of the Secret {} since {} and was not seen well with it yet: do not revoke the earlier one.",
                held.secret_name, held.since.0
            ),
        ),
        Rotation::Done(held) => Verdict::met(
            "CredentialsRotated",
            format!(
                "{accepted} UKO has had the password of the Secret {} since {} and is well with it: {} may be revoked.",
                held.secret_name,
                held.since.0,
                earlier(held)
            ),
        ),
    }
}

/// `last_heartbeat` may be missing from what UKO says of its health: then no wait will bring a proof.
fn tells_no_contact(case: Case<'_>, held: &CredentialsInUse) -> bool {
    let health = case.seen.health.present().filter(|status| status.health == Health::Ok);
    health.is_some_and(|status| status.last_heartbeat.is_none()) && age(&held.since, case.now) > CONTACT
}

/// Which one it was before.
fn earlier(held: &CredentialsInUse) -> String {
    match &held.previous_secret_name {
        Some(name) if *name != held.secret_name => format!("the earlier one, of the Secret {name},"),
        Some(_) | None => "the earlier one".to_owned(),
    }
}

fn still_uses(held: &CredentialsInUse) -> String {
    format!(
        "still uses the one that it got from the Secret {} on {}: do not revoke that one yet.",
        held.secret_name, held.since.0
    )
}

/// A new password that cannot be used leaves the earlier one in UKO, and that is said.
pub(super) fn kept(case: Case<'_>, fault: &Fault) -> Fault {
    match case.past.credentials.filter(|_| is_wanted(case) && !fault.is_passing()) {
        Some(held) => Fault { message: format!("{} UKO {}", fault.message, still_uses(held)), ..fault.clone() },
        None => fault.clone(),
    }
}

/// The same, where UKO refused it.
pub(in crate::keystore_connection) fn refused(held: Option<&CredentialsInUse>, fault: Fault) -> Fault {
    match held.filter(|_| !fault.is_passing() && !fault.outcome_unknown) {
        Some(held) => Fault { message: format!("{} UKO {}", fault.message, still_uses(held)), ..fault },
        None => fault,
    }
}

/// UKO is not well: what the last password has to do with it. Just after it, UKO may not have it everywhere.
pub(super) fn unhealthy(case: Case<'_>, class: Class, fault: Fault, spreading: Duration) -> Fault {
    let Rotation::Unproven(held) = rotation(case) else { return Fault { class, ..fault } };
    let class = if age(&held.since, case.now) < spreading { Class::Provisioning } else { class };
    let text = format!(
        "{} UKO has had the password of the Secret {} since {} and was not seen well with it: do not revoke the earlier one.",
        fault.message, held.secret_name, held.since.0
    );
    Fault { class, message: text, ..fault }
}
