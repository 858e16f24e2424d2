//! The forms in which Resource Manager and its providers refuse.
//!
//! In: a code and words. Out: an answer whose reason is also noted for the box's log. Never: decides.

use serde_json::{Value, json};

use super::Ask;
use crate::wire::Answer;

/// `{"error": {"code", "message"}}`, from the provider.
pub(crate) fn plain(status: u16, code: &str, message: impl Into<String>) -> Answer {
    let message = message.into();
    Answer::json(status, &json!({"error": {"code": code, "message": message}})).refused(format!("{code}: {message}"))
}

/// The provider's form of Network: with an empty list of details.
pub(crate) fn network(status: u16, code: &str, message: impl Into<String>) -> Answer {
    let message = message.into();
    let body = json!({"error": {"code": code, "message": message, "details": []}});
    Answer::json(status, &body).refused(format!("{code}: {message}"))
}

/// From Resource Manager itself.
pub(crate) fn gateway(status: u16, code: &str, message: impl Into<String>) -> Answer {
    plain(status, code, message).header("x-ms-failure-cause", "gateway")
}

/// A body that does not fit: the field is named.
pub(crate) fn field(target: &str, why: &str) -> Answer {
    let message = format!("The request content was invalid and could not be deserialized: '{why}. Path '{target}'.'");
    let body = json!({"error": {"code": "InvalidRequestContent", "message": message, "target": target}});
    Answer::json(400, &body).refused(format!("{target}: {why}"))
}

/// A value that the provider does not take: the field is named.
pub(crate) fn parameter(target: &str, why: &str) -> Answer {
    let body = json!({"error": {"code": "InvalidParameter", "message": why, "target": target, "details": []}});
    Answer::json(400, &body).refused(format!("{target}: {why}"))
}

/// A top-level resource that is not there.
pub(crate) fn resource_not_found(ask: &Ask) -> Answer {
    let target = &ask.target;
    let name = target.names.first().map_or("", String::as_str);
    let group = target.group.as_deref().unwrap_or_default();
    gateway(
        404,
        "ResourceNotFound",
        format!(
            "The Resource '{}/{name}' under resource group '{group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            target.top_kind(),
        ),
    )
}

/// A nested resource that is not there, in the words of Network.
pub(crate) fn child_not_found(ask: &Ask) -> Answer {
    network(404, "NotFound", format!("Resource {} not found.", ask.target.id))
}

/// The parent of a nested resource is not there.
pub(crate) fn parent_not_found(ask: &Ask) -> Answer {
    gateway(
        404,
        "ParentResourceNotFound",
        format!(
            "Failed to perform '{}' on resource(s) of type '{}', because the parent resource '{}' could not be found.",
            super::rights::verb(&ask.call.method),
            ask.target.kind,
            ask.target.parent_id(),
        ),
    )
}

/// The resource group is not there.
pub(crate) fn group_not_found(group: &str) -> Answer {
    gateway(404, "ResourceGroupNotFound", format!("Resource group '{group}' could not be found."))
}

/// Another operation runs on the same resource.
pub(crate) fn another_operation(id: &str) -> Answer {
    network(
        409,
        "AnotherOperationInProgress",
        format!(
            "Another operation on this or dependent resource is in progress. To retrieve status of the operation use uri of {id}."
        ),
    )
}

/// Another change runs on the vault.
pub(crate) fn vault_conflict() -> Answer {
    plain(409, "ConflictError", VAULT_CONFLICT)
}

/// What a vault says to the second of two changes at once.
pub(crate) const VAULT_CONFLICT: &str = "A conflict occurred that prevented the operation from completing. The vault has changed since the operation began; please serialize operations on the vault.";

/// A conditional request whose condition does not hold.
pub(crate) fn precondition(why: &str) -> Answer {
    plain(412, "PreconditionFailed", why)
}

/// No such method on this path in the box.
pub(crate) fn method_not_allowed(ask: &Ask) -> Answer {
    let message = format!("The requested resource does not support http method '{}'.", ask.call.method);
    Answer::json(405, &json!({"error": {"code": "UnsupportedHttpVerb", "message": message}}))
        .refused(format!("the box has no {} on {}", ask.call.method, ask.target.kind))
}

/// The error object of an answer, for an operation that fails later.
pub(crate) fn body(code: &str, message: &str) -> Value {
    json!({"code": code, "message": message, "details": []})
}
