//! What a refusal of the Link API or of the connector graph means.
//!
//! In: an answer that is no success. Out: an error in our own words. Nothing is published about Link's error bodies, so
//! both tables go by status; the text is only searched for the words of a quota \[I\].
//! Never: shows a text of IBM's.

use serde_json::Value;

use crate::clouds::{
    http::{Answer, Class, Error},
    ibm::refusal::{Verdict, Words, common},
};

/// Link's table.
pub(super) fn link(answer: &Answer) -> Error {
    let verdict = common(answer).unwrap_or_else(|| link_verdict(answer));
    Words::of(answer).error(answer, verdict)
}

fn link_verdict(answer: &Answer) -> Verdict {
    let creates = matches!(answer.operation, "CreateEndpoint" | "CreateSource");
    match answer.status {
        401 => (
            Class::Denied,
            "LinkTokenRejected",
            "Satellite Link refuses the IAM token; check that the API key or profile belongs to the connector's account.",
        ),
        _any if creates && mentions_quota(answer) => quota(answer.operation),
        403 => (
            Class::AwaitingPerson,
            "LinkPermissionDenied",
            "Give the identity the Satellite role Operator or higher on this connector.",
        ),
        404 => not_found(answer.operation),
        409 if answer.operation == "CreateEndpoint" => (
            Class::Conflict,
            "EndpointNameTaken",
            "The connector has an endpoint of this name, or is busy; it is looked at again.",
        ),
        409 if answer.operation == "CreateSource" => (
            Class::Conflict,
            "SourceNameTaken",
            "The connector has a source of this name, or is busy; it is looked at again.",
        ),
        409 | 412 | 423 => {
            (Class::Conflict, "LinkConflict", "Somebody else changes the connector; it is looked at again.")
        }
        405 | 501 => (
            Class::AwaitingPerson,
            "LinkRouteUnsupported",
            "Satellite Link does not offer this call; try the other link scope, or manage the endpoint by hand.",
        ),
        _other => (
            Class::AwaitingPerson,
            "LinkRequestRejected",
            "Satellite Link refuses the request; compare the spec with what its console accepts.",
        ),
    }
}

fn not_found(operation: &'static str) -> Verdict {
    match operation {
        "UpdateEndpoint" | "BindSources" | "ListEndpointSources" => (
            Class::NotFound,
            "EndpointNotFound",
            "The endpoint is gone, or Satellite Link does not offer this call for connectors; it is looked at again.",
        ),
        "UpdateSource" => (
            Class::NotFound,
            "SourceNotFound",
            "The source is gone, or Satellite Link does not offer this call for connectors; it is looked at again.",
        ),
        _of_connector => (
            Class::NotFound,
            "ConnectorNotFound",
            "Satellite Link knows no such connector; check its id and the operator's link scope.",
        ),
    }
}

fn quota(operation: &'static str) -> Verdict {
    match operation {
        "CreateSource" => (
            Class::AwaitingPerson,
            "AwaitingQuota",
            "The connector can hold no more sources; remove unused ones, or ask IBM for a higher quota.",
        ),
        _endpoint => (
            Class::AwaitingPerson,
            "AwaitingQuota",
            "The connector can hold no more endpoints (25 of type location); remove unused ones, or use another connector.",
        ),
    }
}

/// Whole words only: an identity with "limited" rights has no quota.
fn mentions_quota(answer: &Answer) -> bool {
    let text = String::from_utf8_lossy(&answer.body).to_ascii_lowercase();
    text.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| matches!(word, "quota" | "quotas" | "limit" | "limits" | "maximum"))
}

/// The graph's table for statuses; a broken query never comes back as one \[D\].
pub(super) fn graph(answer: &Answer) -> Error {
    let verdict = common(answer).unwrap_or_else(|| match answer.status {
        401 => unauthenticated(),
        403 => forbidden(),
        _other => (
            Class::AwaitingPerson,
            "ConnectorLookupFailed",
            "The list of connectors cannot be asked for; name the connector by its id, or check the proxy in between.",
        ),
    });
    Words::of(answer).error(answer, verdict)
}

/// The graph's own errors, which come with status 200 \[D\]; their codes are unpublished, these are the usual ones \[I\].
pub(super) fn graph_errors(answer: &Answer, errors: &[Value]) -> Error {
    let code = errors.iter().find_map(|error| error.pointer("/extensions/code")?.as_str());
    let (class, reason, advice) = match code {
        Some("UNAUTHENTICATED") => unauthenticated(),
        Some("FORBIDDEN") => forbidden(),
        Some(_) | None => {
            (Class::Transient, "ConnectorLookupFailed", "IBM Cloud could not look the connector up; it is asked again.")
        }
    };
    let error = answer.error(class, reason, advice);
    match code {
        Some(code) => error.with_code(code),
        None => error,
    }
}

fn unauthenticated() -> Verdict {
    (
        Class::Denied,
        "ConnectorLookupTokenRejected",
        "IBM Cloud refuses the IAM token; check the API key or the trusted profile.",
    )
}

fn forbidden() -> Verdict {
    (
        Class::AwaitingPerson,
        "ConnectorLookupDenied",
        "Give the identity the Satellite role Viewer or higher on this connector.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clouds::{http::Service, ibm::refusal::tests::answer};

    #[test]
    fn a_status_means_what_the_table_says() {
        for (operation, status, body, class, reason) in [
            ("ListEndpoints", 401, "", Class::Denied, "LinkTokenRejected"),
            ("CreateEndpoint", 403, "{\"message\":\"limited\"}", Class::AwaitingPerson, "LinkPermissionDenied"),
            ("ListEndpoints", 404, "", Class::NotFound, "ConnectorNotFound"),
            ("BindSources", 404, "", Class::NotFound, "EndpointNotFound"),
            ("CreateEndpoint", 409, "{}", Class::Conflict, "EndpointNameTaken"),
            ("UpdateEndpoint", 409, "{}", Class::Conflict, "LinkConflict"),
            ("CreateEndpoint", 400, "{}", Class::AwaitingPerson, "LinkRequestRejected"),
            ("UpdateEndpoint", 422, "<html>", Class::AwaitingPerson, "LinkRequestRejected"),
            ("CreateEndpoint", 429, "rate limit", Class::Throttled, "LinkThrottled"),
            ("CreateEndpoint", 502, "<html>", Class::Transient, "LinkUnavailable"),
        ] {
            let error = link(&answer(Service::Link, operation, status, body));
            assert_eq!((error.class, error.reason), (class, reason), "{operation} {status}");
        }
    }

    #[test]
    fn a_quota_is_recognised_under_any_4xx_and_only_when_something_is_made() {
        let body = r#"{"message":"The number of endpoints exceeds the limit of this connector."}"#;
        for status in [400, 403, 409, 422] {
            let error = link(&answer(Service::Link, "CreateEndpoint", status, body));
            assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "AwaitingQuota"));
        }
        let error = link(&answer(Service::Link, "UpdateEndpoint", 400, body));
        assert_eq!(error.reason, "LinkRequestRejected");
    }

    #[test]
    fn no_error_shows_what_ibm_said() {
        let error =
            link(&answer(Service::Link, "CreateEndpoint", 400, r#"{"message":"apikey hunter2","code":"no way"}"#));
        assert!(!format!("{error:?} {error}").contains("hunter2"));
        assert_eq!(error.code, None);
    }

    #[test]
    fn an_error_of_the_graph_comes_with_status_200() {
        let good = answer(Service::Containers, "GetConnector", 200, "");
        for (errors, class, reason) in [
            (json!([{"message": "x"}]), Class::Transient, "ConnectorLookupFailed"),
            (json!([{"extensions": {"code": "FORBIDDEN"}}]), Class::AwaitingPerson, "ConnectorLookupDenied"),
            (json!([{"extensions": {"code": "UNAUTHENTICATED"}}]), Class::Denied, "ConnectorLookupTokenRejected"),
        ] {
            let error = graph_errors(&good, errors.as_array().map_or(&[], Vec::as_slice));
            assert_eq!((error.class, error.reason), (class, reason));
        }
    }
}
