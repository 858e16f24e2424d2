//! Operations that go on after their first answer.
//!
//! In: the first answer to a write, later the operation's own URL. Out: running, over, or failed. Never: waits, or parses the URL
//! (it is signed, 3 kB long, and only ever asked at Resource Manager's own host).

use std::{fmt, time::Duration};

use serde_json::Value;
use url::Url;

use super::super::{ProvisioningState, refusal, wire};
use crate::clouds::{
    hosts::{AzureCloud, is_at},
    http::{Answer, Error},
};

/// Where an operation can be asked how it is getting on. Not worth keeping: after a restart the resource itself tells.
#[derive(Clone, PartialEq, Eq)]
pub struct OperationUrl(Url);

impl OperationUrl {
    /// Accepts a URL at the cloud's own Resource Manager and nowhere else.
    #[must_use]
    pub fn parse(cloud: AzureCloud, text: &str) -> Option<Self> {
        Url::parse(text).ok().filter(|url| is_at(url, cloud.arm_host())).map(Self)
    }

    pub(super) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for OperationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperationUrl")
    }
}

/// How an operation is getting on.
#[derive(Clone, Debug)]
pub enum OperationState {
    /// Not over yet.
    Running {
        /// When to ask again, if Azure said so.
        retry_after: Option<Duration>,
    },
    /// Over, or its record is gone: the resource itself tells how it went.
    Succeeded,
    /// It was accepted and failed later.
    Failed(Error),
}

/// What the first answer to a write says. It is never proof of success.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Where to ask; None when it is already over, or when only the resource can tell.
    pub operation: Option<OperationUrl>,
    /// When to ask, if Azure said so.
    pub retry_after: Option<Duration>,
}

impl Accepted {
    /// Reads the first answer of a write that is a success. A URL at another host is not followed.
    pub(super) fn read(cloud: AzureCloud, answer: &Answer) -> Self {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let state = ProvisioningState::read(&body, "/properties/provisioningState");
        // A change of tags alone is over at once, and still names an operation.
        let over = matches!(answer.status, 200 | 204) && !state.is_running();
        let told = answer.operation_url.as_deref().or(answer.location.as_deref());
        let operation = told.filter(|_| !over).and_then(|text| OperationUrl::parse(cloud, text));
        Self { operation, retry_after: answer.retry_after }
    }
}

impl OperationState {
    /// Reads the answer of an operation's URL, or of the older `Location`.
    pub(super) fn read(answer: &Answer) -> Result<Self, Error> {
        let running = Self::Running { retry_after: answer.retry_after };
        match answer.status {
            // The record expires; what it told is then told by the resource.
            204 | 404 => return Ok(Self::Succeeded),
            202 if answer.body.is_empty() => return Ok(running),
            _ if !answer.is_success() => return Err(refusal::of(answer)),
            _ => {}
        }
        let body: Value = answer.json()?;
        let Some(word) = wire::text(&body, "/status") else {
            // `Location` answers 202 until it answers with the resource itself.
            return Ok(if answer.status == 202 { running } else { Self::Succeeded });
        };
        let is = |other: &str| word.eq_ignore_ascii_case(other);
        if is("Succeeded") {
            return Ok(Self::Succeeded);
        }
        if is("Failed") || is("Canceled") {
            return Ok(Self::Failed(refusal::of_operation(answer, word, &body)));
        }
        Ok(running)
    }
}

#[cfg(test)]
mod tests {
    use reqwest::{
        Method,
        header::{HeaderMap, HeaderName, HeaderValue},
    };
    use serde_json::json;

    use super::*;
    use crate::clouds::http::{Class, Request, Service};

    const URL: &str = "https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/westeurope/operations/o?t=1&c=2&s=3&h=4";

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Answer {
        let request = Request::new(Service::Arm, "PutThing", Method::PUT, Url::parse(URL).unwrap());
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        Answer::for_test(&request, status, &all, bytes)
    }

    fn accepted(status: u16, headers: &[(&'static str, &str)], body: &Value) -> Accepted {
        Accepted::read(AzureCloud::Public, &answer(status, headers, body))
    }

    #[test]
    fn only_a_url_at_azures_own_host_is_followed() {
        assert!(OperationUrl::parse(AzureCloud::Public, URL).is_some());
        for wrong in [
            "https://evil.example/x",
            "http://management.azure.com/x",
            "https://management.azure.com@evil.example/x",
            "/relative",
            "https://management.chinacloudapi.cn/x",
        ] {
            assert!(OperationUrl::parse(AzureCloud::Public, wrong).is_none(), "{wrong}");
        }
        assert_eq!(format!("{:?}", OperationUrl::parse(AzureCloud::Public, URL).unwrap()), "OperationUrl");
    }

    #[test]
    fn a_new_endpoint_goes_on_and_a_change_of_tags_is_over() {
        let updating = json!({"properties": {"provisioningState": "Updating"}});
        let new = accepted(201, &[("azure-asyncoperation", URL), ("retry-after", "10")], &updating);
        assert!(new.operation.is_some());
        assert_eq!(new.retry_after, Some(Duration::from_secs(10)));
        let done = json!({"properties": {"provisioningState": "Succeeded"}});
        assert!(accepted(200, &[("azure-asyncoperation", URL)], &done).operation.is_none());
        assert!(accepted(202, &[("location", URL)], &Value::Null).operation.is_some());
        assert!(accepted(201, &[("azure-asyncoperation", "https://evil.example/")], &updating).operation.is_none());
    }

    #[test]
    fn unknown_words_mean_running_and_failures_hide_inside_a_200() {
        let read = |status, body: Value| OperationState::read(&answer(status, &[("retry-after", "3")], &body)).unwrap();
        assert!(
            matches!(read(200, json!({"status": "Blending"})), OperationState::Running { retry_after: Some(wait) } if wait.as_secs() == 3)
        );
        assert!(matches!(read(202, json!({"status": "InProgress"})), OperationState::Running { .. }));
        assert!(matches!(read(202, Value::Null), OperationState::Running { .. }));
        assert!(matches!(read(200, json!({"status": "succeeded"})), OperationState::Succeeded));
        assert!(matches!(read(204, Value::Null), OperationState::Succeeded));
        assert!(matches!(read(404, json!({"error": {"code": "NotFound"}})), OperationState::Succeeded));
        let failed = read(200, json!({"status": "Failed", "error": {"code": "ConflictError", "message": "secret"}}));
        let OperationState::Failed(error) = failed else { unreachable!() };
        assert_eq!((error.class, error.reason), (Class::Conflict, "VaultBusy"));
        let wrapped = json!({"status": "Failed", "error": {"code": "RetryableError", "details": [{"code": "ReferencedResourceNotProvisioned"}]}});
        let OperationState::Failed(error) = read(200, wrapped) else { unreachable!() };
        assert_eq!((error.reason, error.code.as_deref()), ("SubnetBusy", Some("ReferencedResourceNotProvisioned")));
        let OperationState::Failed(error) = read(200, json!({"status": "Canceled"})) else { unreachable!() };
        assert_eq!(error.reason, "OperationCanceled");
        let overlapping =
            json!({"status": "Failed", "error": {"code": "BadRequest", "message": "… overlapping namespaces …"}});
        let OperationState::Failed(error) = read(200, overlapping) else { unreachable!() };
        assert_eq!(error.reason, "DnsLinkConflict");
        let OperationState::Failed(error) = read(200, json!({"status": "Failed"})) else { unreachable!() };
        assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "OperationFailed"));
    }

    #[test]
    fn a_torn_poll_is_transient() {
        let mut torn = answer(200, &[], &json!({}));
        torn.body = b"{\"status\":".to_vec();
        assert_eq!(OperationState::read(&torn).unwrap_err().class, Class::Transient);
    }
}
