//! Stage `CredentialsValid`: all three identities work, and are allowed here.
//!
//! In: credentials and their tokens. Out: a verdict. Never: a secret in a message.

use super::{Case, Step, faulty, rotation};
use crate::reconcile::{
    fault::Fault,
    stage::{Seen, Verdict},
};

pub(super) fn credentials_valid(case: Case<'_>) -> Verdict<Step> {
    let (want, seen) = (case.want, case.seen);
    if let Some(fault) = &want.refused {
        return Verdict::Blocked(fault.clone());
    }
    let missing = want.service_principal.as_ref().err().map(|fault| rotation::kept(case, fault));
    let unusable = [missing.as_ref(), want.operator.as_ref().err(), want.login.as_ref().err()];
    let principal = seen.service_principal.fault().map(|fault| rotation::kept(case, fault));
    let refused = [
        (principal.as_ref(), "UKO's service principal (spec.azure.servicePrincipal)"),
        (seen.operator.fault(), "The operator's Azure identity (spec.azure.identity)"),
        (seen.login.fault(), "The operator's identity at UKO (spec.uko)"),
    ]
    .into_iter()
    .filter_map(|(fault, who)| fault.map(|fault| named(fault, who)));
    let mut faults: Vec<Fault> = unusable.into_iter().flatten().cloned().chain(refused).collect();
    // What will not pass by itself is the news; an outage beside it is not.
    faults.sort_by_key(Fault::is_passing);
    if let Some(fault) = faults.first() {
        return faulty(fault);
    }
    object_id(case)
}

fn named(fault: &Fault, who: &str) -> Fault {
    Fault { message: format!("{who}: {}", fault.message), ..fault.clone() }
}

/// The `oid` of its own token is the object id that access policies take; an application's object id is a wrong one.
fn object_id(case: Case<'_>) -> Verdict<Step> {
    let of_token = match &case.seen.service_principal {
        Seen::Present(of_token) => of_token.as_deref(),
        Seen::Absent | Seen::Unknown(_) | Seen::NotLooked => None,
    };
    match (of_token, case.want.object_id.as_deref()) {
        (Some(token), Some(spec)) if !token.eq_ignore_ascii_case(spec) => Verdict::Blocked(Fault::invalid(
            "ObjectIdMismatch",
            format!(
                "spec.azure.servicePrincipal.objectId is {spec}, but the service principal's own token says {token}. Correct or remove it; the object id of the application is another one."
            ),
        )),
        (None, None) => Verdict::Blocked(Fault::invalid(
            "ObjectIdUnknown",
            "Entra's token does not name the object id of the service principal. Set spec.azure.servicePrincipal.objectId.",
        )),
        (Some(_) | None, _) => rotation::signed_in(case),
    }
}
