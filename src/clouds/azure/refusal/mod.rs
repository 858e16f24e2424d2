//! Reads a refusal of Resource Manager or Key Vault: by its effective code first, by its status last.
//!
//! In: an answer that is no success, or the `error` of an operation that failed later. Out: one [`Error`].
//! Never: shows Azure's text. Only the action and scope of a missing right are taken from it, through an allow-list.

mod table;

use std::{borrow::Cow, time::Duration};

use serde_json::Value;

use self::table::Verdict;
use super::{ArmId, wire};
use crate::clouds::http::{Answer, Class, Error, Service};

/// Outer codes that only wrap the one that matters.
const WRAPPERS: [&str; 5] =
    ["RetryableError", "DeploymentFailed", "BadRequest", "Conflict", "InvalidTemplateDeployment"];
/// Codes of a 404 that say more than "this thing is not there".
const FURTHER_UP: [&str; 3] = ["ResourceGroupNotFound", "SubscriptionNotFound", "ParentResourceNotFound"];

/// What Azure said, in its own words. The text never leaves this module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    code: String,
    inner: Option<String>,
    message: String,
}

impl Refusal {
    /// Reads `{"error": {…}}`, the same without its wrapper, and `{"odata.error": {…}}`. None for a gateway's page.
    pub(super) fn read(body: &Value) -> Option<Self> {
        let error = body.get("error").or_else(|| body.get("odata.error")).unwrap_or(body);
        let outer = wire::text(error, "/code")?;
        let detail = wire::list(error, "/details").iter().find(|detail| wire::text(detail, "/code").is_some());
        let wraps = WRAPPERS.iter().any(|wrapper| wrapper.eq_ignore_ascii_case(outer));
        let told = detail.filter(|_| wraps).unwrap_or(error);
        // The network writes `innerError` as text; Key Vault as an object.
        let inner = ["/innererror/code", "/innerError/code"].into_iter().find_map(|path| wire::owned(error, path));
        Some(Self {
            code: wire::owned(told, "/code")?,
            inner,
            message: wire::owned(told, "/message").or_else(|| wire::owned(error, "/message")).unwrap_or_default(),
        })
    }

    fn of(answer: &Answer) -> Option<Self> {
        serde_json::from_slice::<Value>(&answer.body).ok().as_ref().and_then(Self::read)
    }

    /// The code that decides: Key Vault's inner one where there is one.
    fn effective(&self) -> &str {
        self.inner.as_deref().unwrap_or(&self.code)
    }
}

/// True when the answer says that just the thing asked for is not there. A 404 without Azure's own code proves nothing.
pub(super) fn is_absence(answer: &Answer) -> bool {
    let Some(refusal) = Refusal::of(answer).filter(|_| answer.status == 404) else {
        return false;
    };
    let further_up = FURTHER_UP.iter().any(|code| code.eq_ignore_ascii_case(&refusal.code));
    !further_up && refusal.code.to_ascii_lowercase().ends_with("notfound")
}

/// True when a 429 really asks for patience: a network that is changing may wear the same status.
pub(super) fn throttles(answer: &Answer) -> bool {
    answer.status == 429 && !Refusal::of(answer).is_some_and(|refusal| table::is_busy(refusal.effective()))
}

/// The error of an answer that is no success.
pub(super) fn of(answer: &Answer) -> Error {
    let Some(refusal) = Refusal::of(answer) else {
        return uncoded(answer);
    };
    let verdict = judge(answer.service, answer.status, &refusal);
    let error = answer.error(verdict.class, verdict.reason, advice(&verdict, &refusal));
    timed(error.with_code(refusal.effective()))
}

/// The error of an operation that was accepted and failed later, inside a 200.
pub(super) fn of_operation(answer: &Answer, status: &str, body: &Value) -> Error {
    let refusal = Refusal::read(body).unwrap_or_else(|| Refusal { code: status.to_owned(), ..Refusal::default() });
    let verdict = table::verdict(refusal.effective()).unwrap_or(Verdict {
        class: Class::AwaitingPerson,
        reason: "OperationFailed",
        advice: "Azure accepted the change and then failed; look at the activity log with the request id in status.lastFailure.",
    });
    let verdict = linked(&refusal).or_else(|| overlapping(&refusal)).unwrap_or(verdict);
    let error = answer.error(verdict.class, verdict.reason, advice(&verdict, &refusal));
    timed(error.with_code(refusal.effective()).with_outcome_unknown(false))
}

fn judge(service: Service, status: u16, refusal: &Refusal) -> Verdict {
    linked(refusal)
        .or_else(|| token_rejected(status, refusal, service))
        .or_else(|| conflict_of_key_vault(service, status, refusal))
        .or_else(|| hsm_key_refused(refusal))
        .or_else(|| table::verdict(refusal.effective()))
        .or_else(|| table::verdict(&refusal.code))
        .unwrap_or_else(|| by_status(service, status))
}

/// A 404 or 2xx-less answer that Azure did not write: a proxy, a gateway, a torn body.
fn uncoded(answer: &Answer) -> Error {
    if answer.status == 404 {
        return answer.unreadable();
    }
    let verdict = by_status(answer.service, answer.status);
    answer.error(verdict.class, verdict.reason, verdict.advice)
}

fn by_status(service: Service, status: u16) -> Verdict {
    let vault = service == Service::KeyVault;
    let (class, reason, advice) = match status {
        401 if vault => (Class::Transient, "VaultTokenRejected", "Check the clock and the cloud setting."),
        401 => (Class::Transient, "AzureTokenRejected", "Check the clock and the cloud setting."),
        403 if vault => {
            (Class::AwaitingPerson, "VaultAccessDenied", "Give the operator's identity access to the vault's keys.")
        }
        403 => (Class::AwaitingPerson, "AzurePermissionDenied", "Grant the operator's identity the missing right."),
        404 => (Class::NotFound, "ResourceNotFound", "Correct the reference."),
        408 => (Class::Transient, service.unavailable(), "The service was too slow; it is asked again."),
        412 => (Class::Conflict, "ConcurrentChange", "The resource changed meanwhile; it is read again."),
        429 => (Class::Throttled, service.throttled(), "No action; raise the interval if it persists."),
        500..=599 => (Class::Transient, service.unavailable(), "Check Azure's service health if it persists."),
        _ => (
            Class::AwaitingPerson,
            "AzureRequestRejected",
            "Azure refused for a reason the operator does not know; look at the activity log with the request id in status.lastFailure.",
        ),
    };
    Verdict { class, reason, advice }
}

/// A right that is missing on another resource than the one written to.
fn linked(refusal: &Refusal) -> Option<Verdict> {
    let verdict = |reason, advice| Some(Verdict { class: Class::AwaitingPerson, reason, advice });
    if refusal.code.eq_ignore_ascii_case("AuthorizationFailed") && refusal.message.contains("must be registered") {
        return verdict("ProviderNotRegistered", "Register Microsoft.KeyVault in the endpoint's subscription.");
    }
    if !refusal.code.eq_ignore_ascii_case("LinkedAuthorizationFailed") {
        return None;
    }
    let (action, _) = missing_right(refusal)?;
    let action = action.to_ascii_lowercase();
    if action.ends_with("privateendpointconnectionsapproval/action") {
        return verdict(
            "ApprovalPermissionMissing",
            "Grant PrivateEndpointConnectionsApproval/action on the vault, or set approval to Manual.",
        );
    }
    if action.ends_with("subnets/join/action") {
        return verdict("SubnetJoinDenied", "Grant the operator's identity the right to join the subnet.");
    }
    if action.ends_with("privatednszones/join/action") {
        return verdict("DnsZoneJoinDenied", "Grant the operator's identity the right to join the DNS zone.");
    }
    None
}

/// The one place where text must be matched: a virtual network is linked to two zones of one name.
fn overlapping(refusal: &Refusal) -> Option<Verdict> {
    let hit = refusal.code.eq_ignore_ascii_case("BadRequest") && refusal.message.contains("overlapping namespaces");
    hit.then_some(Verdict {
        class: Class::AwaitingPerson,
        reason: "DnsLinkConflict",
        advice: "The virtual network is already linked to a zone of this name; point to that zone.",
    })
}

/// Key Vault puts the number of its token errors only into its text.
fn token_rejected(status: u16, refusal: &Refusal, service: Service) -> Option<Verdict> {
    if status != 401 || service != Service::KeyVault {
        return None;
    }
    refusal.message.starts_with("AKV10032").then_some(Verdict {
        class: Class::Denied,
        reason: "TenantMismatch",
        advice: "The vault and the credential are in different tenants; correct the tenant id.",
    })
}

/// A bare `Conflict` of the data plane: parallel work on a deleted key.
fn conflict_of_key_vault(service: Service, status: u16, refusal: &Refusal) -> Option<Verdict> {
    let bare = service == Service::KeyVault && status == 409 && refusal.inner.is_none();
    (bare && refusal.code.eq_ignore_ascii_case("Conflict")).then_some(Verdict {
        class: Class::Conflict,
        reason: "KekInTransition",
        advice: "The key is being recovered or deleted; no action.",
    })
}

/// An HSM key asked of a Standard vault; Azure's code for it is not published, its sentence is \[P\].
fn hsm_key_refused(refusal: &Refusal) -> Option<Verdict> {
    refusal.message.contains("not allowed on standard vault").then_some(Verdict {
        class: Class::Invalid,
        reason: "VaultNotPremium",
        advice: "Use a Premium vault: only it holds keys in an HSM.",
    })
}

fn advice(verdict: &Verdict, refusal: &Refusal) -> Cow<'static, str> {
    let denied = verdict.reason == "AzurePermissionDenied";
    let Some((action, scope)) = missing_right(refusal) else {
        return Cow::Borrowed(verdict.advice);
    };
    let place = scope.map(|scope| format!(" at {scope}")).unwrap_or_default();
    if denied {
        return Cow::Owned(format!("Grant the operator's identity the action {action}{place}."));
    }
    Cow::Owned(format!("{} The missing action is {action}{place}.", verdict.advice))
}

/// The action, and if it can be read the scope, that the identity lacks.
fn missing_right(refusal: &Refusal) -> Option<(String, Option<ArmId>)> {
    let (opening, place) = match refusal.code.to_ascii_lowercase().as_str() {
        "authorizationfailed" => ("perform action '", "over scope '"),
        "linkedauthorizationfailed" => ("perform action(s) '", "on the linked scope(s) '"),
        _ => return None,
    };
    let (_, rest) = refusal.message.split_once(opening)?;
    let (action, rest) = rest.split_once('\'')?;
    let action = action.split(',').next()?.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
    let allowed = action.starts_with("Microsoft.") && action.len() <= 128 && action.chars().all(plain);
    let scope = rest.split_once(place).and_then(|(_, rest)| rest.split(['\'', ',']).next());
    allowed.then(|| (action.to_owned(), scope.and_then(ArmId::parse)))
}

/// Waits that Azure recommends where it sends none.
fn timed(error: Error) -> Error {
    if error.retry_after.is_some() {
        return error;
    }
    let wait = match error.reason {
        // Random, so that two operators that met once do not meet again.
        "VaultBusy" => Some(Duration::from_secs(fastrand::u64(10..=30))),
        "PrivateEndpointNameBusy" => Some(Duration::from_mins(2)),
        _ => None,
    };
    error.with_retry_after(wait)
}

#[cfg(test)]
mod tests;
