//! What IBM's refusals have in common.
//!
//! In: an answer that is no success. Out: the error every service words alike, and the few plain words of a body.
//! Never: shows a body; what is read from it is compared, or passes the allow lists of [`Error`].

use serde_json::Value;

use crate::clouds::http::{Answer, Class, Error, RequestId, Service};

/// What a table says of one refusal: class, reason, advice.
pub(super) type Verdict = (Class, &'static str, &'static str);

/// Throttling and outages read alike everywhere. `None` leaves the answer to the service's own table.
pub(super) fn common(answer: &Answer) -> Option<Verdict> {
    let service = answer.service;
    match answer.status {
        429 => {
            Some((Class::Throttled, service.throttled(), "IBM Cloud asks for patience; the call is made again later."))
        }
        408 | 425 | 500..=599 => {
            Some((Class::Transient, service.unavailable(), "The service could not answer; the call is made again."))
        }
        300..=399 => Some((
            Class::AwaitingPerson,
            "RedirectRefused",
            "The server sent us elsewhere, which is never followed; check the address and any proxy in between.",
        )),
        _mine => None,
    }
}

/// The verdict on a refusal that the service did not write: a proxy or a gateway stands in between, and no credential is
/// to blame.
pub(super) fn foreign(service: Service) -> Verdict {
    let advice =
        "Something between the cluster and IBM Cloud answered instead of the service; check any proxy in between.";
    (Class::Transient, service.unavailable(), advice)
}

/// The plain words of IBM's many error shapes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) code: Option<String>,
    pub(super) field: Option<String>,
    pub(super) request_id: Option<RequestId>,
    /// The body was one of the published shapes, not the page of a gateway.
    pub(super) recognised: bool,
    /// The body was JSON of any shape.
    pub(super) json: bool,
}

impl Words {
    /// Reads `{errors: [{code, target}], trace}` (UKO, management APIs) \[S\], `{errorCode, context}` (IAM) \[E\], or
    /// `{code}`; Link's shape is unpublished \[I\].
    pub(super) fn of(answer: &Answer) -> Self {
        let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else {
            return Self::default();
        };
        let first = body.pointer("/errors/0").unwrap_or(&Value::Null);
        let published = first.is_object() || body.get("errorCode").is_some_and(Value::is_string);
        let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let code = text(first, "code").or_else(|| text(&body, "errorCode")).or_else(|| text(&body, "code"));
        let target = first.get("target").unwrap_or(&Value::Null);
        let of_field = text(target, "type").is_none_or(|kind| kind == "field");
        let trace = text(&body, "trace")
            .or_else(|| body.pointer("/context/requestId").and_then(Value::as_str).map(str::to_owned));
        Self {
            recognised: published,
            json: body.is_object(),
            code,
            field: text(target, "name").filter(|_| of_field),
            request_id: trace.as_deref().and_then(RequestId::parse),
        }
    }

    /// Whether the code holds a word, whatever its case.
    pub(super) fn code_has(&self, word: &str) -> bool {
        self.code.as_deref().is_some_and(|code| code.to_ascii_lowercase().contains(word))
    }

    /// Puts a verdict and these words into an error.
    pub(super) fn error(self, answer: &Answer, (class, reason, advice): Verdict) -> Error {
        let mut error = answer.error(class, reason, advice);
        if error.request_id.is_none() {
            error = error.with_request_id(self.request_id);
        }
        if let Some(code) = &self.code {
            error = error.with_code(code);
        }
        match &self.field {
            Some(field) => error.with_field(field),
            None => error,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An answer as a table sees it.
    pub(in crate::clouds::ibm) fn answer(service: Service, operation: &'static str, status: u16, body: &str) -> Answer {
        Answer {
            service,
            operation,
            mutated: false,
            status,
            etag: None,
            retry_after: None,
            operation_url: None,
            location: None,
            request_id: None,
            body: body.as_bytes().to_vec(),
            span: tracing::Span::none(),
        }
    }

    #[test]
    fn throttling_and_outages_read_alike_everywhere() {
        for (status, class) in
            [(429, Class::Throttled), (500, Class::Transient), (503, Class::Transient), (408, Class::Transient)]
        {
            let verdict = common(&answer(Service::Link, "ListEndpoints", status, "<html>"));
            assert_eq!(verdict.map(|(class, ..)| class), Some(class), "{status}");
        }
        assert_eq!(common(&answer(Service::Uko, "GetVault", 404, "")), None);
    }

    #[test]
    fn every_published_error_shape_gives_its_code() {
        let uko = r#"{"status_code":400,"trace":"t-1","errors":[{"code":"missing_field","message":"m","target":{"type":"field","name":"tls_proxy"}}]}"#;
        let uko = Words::of(&answer(Service::Uko, "CreateKeystore", 400, uko));
        assert_eq!((uko.code.as_deref(), uko.field.as_deref()), (Some("missing_field"), Some("tls_proxy")));
        assert_eq!(uko.request_id, RequestId::parse("t-1"));
        let iam = r#"{"errorCode":"BXNIM0415E","errorMessage":"m","context":{"requestId":"r-1"}}"#;
        let iam = Words::of(&answer(Service::Iam, "GetToken", 400, iam));
        assert_eq!((iam.code.as_deref(), iam.request_id), (Some("BXNIM0415E"), RequestId::parse("r-1")));
    }

    #[test]
    fn a_header_is_no_field_and_a_page_is_no_error() {
        let header = r#"{"errors":[{"code":"x","target":{"type":"header","name":"If-Match"}}]}"#;
        assert_eq!(Words::of(&answer(Service::Uko, "UpdateKeystore", 400, header)).field, None);
        assert_eq!(Words::of(&answer(Service::Uko, "GetKeystore", 404, "<html>not here</html>")), Words::default());
    }
}
