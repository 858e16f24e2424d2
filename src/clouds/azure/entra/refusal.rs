//! Reads a refusal of Entra or of the metadata service.
//!
//! In: an answer that is no success. Out: one [`Error`] with the code `AADSTS<n>`. Never: `error_description`, which repeats ids.

use serde_json::Value;

use super::super::wire;
use crate::clouds::http::{Answer, Class, Error, RequestId, Service};

/// The row of one code: class, reason, advice.
type Verdict = (Class, &'static str, &'static str);

/// What each AADSTS number means.
fn of_code(code: i64) -> Option<Verdict> {
    Some(match code {
        7_000_215 => (Class::Denied, "ClientSecretInvalid", "Put the secret's value, not its id, into the Secret."),
        7_000_222 => (Class::Denied, "ClientSecretExpired", "Make a new client secret and put it into the Secret."),
        700_016 => {
            (Class::Denied, "ApplicationNotFound", "Correct the client id: no such application is in this tenant.")
        }
        7_000_112 => (Class::AwaitingPerson, "ApplicationDisabled", "Enable the application or its service principal."),
        90_002 | 900_023 => (Class::Invalid, "TenantNotFound", "Correct the tenant id, or the cloud it lies in."),
        50_034 => (Class::Denied, "CredentialKindUnsupported", "Use a service principal; a user cannot be used here."),
        700_024 => {
            (Class::Transient, "FederatedTokenExpired", "The federated token is out of its time; it is read again.")
        }
        70_021 | 700_211..=700_213 | 7_002_137 | 7_002_138 => (
            Class::AwaitingPerson,
            "FederatedIdentityMismatch",
            "Add a federated credential for this issuer, subject and audience; the subject's case matters.",
        ),
        700_023 | 700_027 => {
            (Class::Denied, "FederatedTokenRejected", "Check the federated credential's issuer and audience.")
        }
        500_011 => (Class::Invalid, "TokenScopeInvalid", "Correct the cloud: its resource is unknown in this tenant."),
        53_003 | 530_035 => (
            Class::AwaitingPerson,
            "ConditionalAccessBlocked",
            "Ask the directory's owner to let this workload identity pass Conditional Access.",
        ),
        90_033 | 90_025 | 50_196 => (Class::Transient, "EntraUnavailable", "Entra is busy; it is asked again."),
        _ => return None,
    })
}

/// The error of an answer that is no success.
pub(super) fn of(answer: &Answer) -> Error {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = code(&body);
    let verdict = code.and_then(of_code);
    let (class, reason, advice) = verdict.unwrap_or_else(|| by_status(answer, &body));
    let error = answer.error(class, reason, advice);
    let error = match code {
        Some(code) => error.with_code(&format!("AADSTS{code}")),
        None => error.with_code(wire::text(&body, "/error").unwrap_or_default()),
    };
    let told = ["/trace_id", "/correlation_id"];
    let id = told.iter().find_map(|path| wire::text(&body, path).and_then(RequestId::parse));
    error.with_request_id(id.or_else(|| answer.request_id.clone()))
}

/// The first of `error_codes`, or the digits after `AADSTS` in the description.
fn code(body: &Value) -> Option<i64> {
    wire::number(body, "/error_codes/0").or_else(|| {
        let (_, rest) = wire::text(body, "/error_description")?.split_once("AADSTS")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

fn by_status(answer: &Answer, body: &Value) -> Verdict {
    let word = wire::text(body, "/error").unwrap_or_default();
    let unavailable = answer.service.unavailable();
    match (answer.service, answer.status) {
        (_, 429) => (Class::Throttled, answer.service.throttled(), "No action."),
        (Service::Imds, 400) => (
            Class::AwaitingPerson,
            "ManagedIdentityNotFound",
            "Attach the managed identity to the node, or correct its client id.",
        ),
        (Service::Imds, 404 | 408 | 410) | (_, 500..=599) => {
            (Class::Transient, unavailable, "The service is not ready; it is asked again.")
        }
        _ if word == "temporarily_unavailable" => {
            (Class::Transient, unavailable, "The service is not ready; it is asked again.")
        }
        // A page without a word of OAuth is a gateway's, not Entra's.
        _ if word.is_empty() => {
            (Class::Transient, "AnswerUnreadable", "The answer is not Entra's; check the proxy if it persists.")
        }
        _ => (
            Class::AwaitingPerson,
            "EntraRequestRejected",
            "Entra refused for a reason the operator does not know; look at the sign-in log with the request id in status.lastFailure.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::{Method, header::HeaderMap};
    use serde_json::json;
    use url::Url;

    use super::*;
    use crate::clouds::http::Request;

    fn refused(service: Service, status: u16, body: &str) -> Error {
        let url = Url::parse("https://login.microsoftonline.com/t/oauth2/v2.0/token").unwrap();
        let request = Request::new(service, "GetToken", Method::POST, url).idempotent();
        of(&Answer::for_test(&request, status, &HeaderMap::new(), body.as_bytes().to_vec()))
    }

    fn entra(status: u16, code: i64) -> (Class, &'static str) {
        let body = json!({"error": "x", "error_description": "AADSTS1: secret stuff", "error_codes": [code], "trace_id": "t-1"});
        let error = refused(Service::Entra, status, &body.to_string());
        assert_eq!(error.code, Some(format!("AADSTS{code}")));
        assert_eq!(error.request_id.as_ref().unwrap().as_str(), "t-1");
        assert!(!format!("{error} {}", error.advice).contains("secret stuff"));
        (error.class, error.reason)
    }

    #[test]
    fn codes_mean_what_the_directory_documents() {
        for (status, code, class, reason) in [
            (401, 7_000_215, Class::Denied, "ClientSecretInvalid"),
            (401, 7_000_222, Class::Denied, "ClientSecretExpired"),
            (400, 700_016, Class::Denied, "ApplicationNotFound"),
            (401, 7_000_112, Class::AwaitingPerson, "ApplicationDisabled"),
            (400, 90_002, Class::Invalid, "TenantNotFound"),
            (400, 900_023, Class::Invalid, "TenantNotFound"),
            (401, 700_024, Class::Transient, "FederatedTokenExpired"),
            (400, 70_021, Class::AwaitingPerson, "FederatedIdentityMismatch"),
            (401, 700_213, Class::AwaitingPerson, "FederatedIdentityMismatch"),
            (401, 7_002_138, Class::AwaitingPerson, "FederatedIdentityMismatch"),
            (400, 500_011, Class::Invalid, "TokenScopeInvalid"),
            (400, 53_003, Class::AwaitingPerson, "ConditionalAccessBlocked"),
            (400, 123, Class::AwaitingPerson, "EntraRequestRejected"),
            (503, 90_033, Class::Transient, "EntraUnavailable"),
            (429, 123, Class::Throttled, "EntraUnavailable"),
        ] {
            assert_eq!(entra(status, code), (class, reason), "{code}");
        }
    }

    #[test]
    fn the_number_is_found_in_the_description_when_the_list_is_missing() {
        let body = json!({"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: x"});
        assert_eq!(refused(Service::Entra, 401, &body.to_string()).reason, "ClientSecretExpired");
    }

    #[test]
    fn pages_of_gateways_and_empty_bodies_are_transient() {
        for body in ["<html>403</html>", "", "[]", "{}"] {
            assert_eq!(refused(Service::Entra, 403, body).class, Class::Transient, "{body}");
            assert_eq!(refused(Service::Entra, 502, body).reason, "EntraUnavailable", "{body}");
        }
    }

    #[test]
    fn the_metadata_service_has_its_own_meanings() {
        let missing =
            refused(Service::Imds, 400, r#"{"error":"invalid_request","error_description":"Identity not found"}"#);
        assert_eq!((missing.class, missing.reason), (Class::AwaitingPerson, "ManagedIdentityNotFound"));
        for status in [404, 408, 410, 500] {
            assert_eq!(refused(Service::Imds, status, "").class, Class::Transient);
        }
    }
}
