//! One request and one answer, as every cloud client sees them.
//!
//! In: typed values from a client. Out: what goes on the wire, and the few headers anybody reads. Never: prints a body.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use tracing::Span;
use url::Url;

use super::{Class, Error, LEAST_WAIT, RequestId, Service, allowed, budget::Target};

/// What is sent. Bodies may carry passwords: they are wiped on drop and never printed.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// `application/json`.
    Json(SecretString),
    /// `application/x-www-form-urlencoded`.
    Form(SecretString),
}

impl Body {
    /// Writes a value as JSON. Only a map whose keys are not text cannot be written; it would leave the body empty.
    #[must_use]
    pub fn json(value: &impl Serialize) -> Self {
        serde_json::to_string(value).map_or(Self::Empty, |text| Self::Json(text.into()))
    }

    /// Percent-encodes pairs as a form.
    #[must_use]
    pub fn form(pairs: &[(&str, &str)]) -> Self {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Self::Form(text.into())
    }

    pub(super) fn content(&self) -> Option<(HeaderValue, String)> {
        match self {
            Self::Empty => None,
            Self::Json(text) => Some((HeaderValue::from_static("application/json"), text.expose_secret().to_owned())),
            Self::Form(text) => {
                Some((HeaderValue::from_static("application/x-www-form-urlencoded"), text.expose_secret().to_owned()))
            }
        }
    }
}

/// One call, before it is sent.
#[derive(Clone)]
pub struct Request {
    /// Who is asked.
    pub service: Service,
    /// The name of the call in metrics, spans and errors, for example `GetVault`.
    pub operation: &'static str,
    /// The method.
    pub method: Method,
    /// The whole address; its host comes from `clouds::hosts`.
    pub url: Url,
    /// More headers than the usual ones. No credential belongs here: use the bearer.
    pub headers: HeaderMap,
    /// What is sent.
    pub body: Body,
    /// True only for a call that may be repeated without a thought: a read, or the exchange of a credential for a token.
    pub idempotent: bool,
    /// Another deadline than the settings' `request_timeout`.
    pub timeout: Option<Duration>,
    /// Header that carries a fresh random id at every attempt, for clouds that write it into their own logs.
    pub attempt_id: Option<HeaderName>,
    /// Tells a real throttling answer from others that wear its status.
    pub throttles: fn(&Answer) -> bool,
}

impl Request {
    /// A call without a body. GET and HEAD start as idempotent, all else does not.
    #[must_use]
    pub fn new(service: Service, operation: &'static str, method: Method, url: Url) -> Self {
        let idempotent = method == Method::GET || method == Method::HEAD;
        Self {
            service,
            operation,
            method,
            url,
            headers: HeaderMap::new(),
            body: Body::Empty,
            idempotent,
            timeout: None,
            attempt_id: None,
            throttles: |answer| answer.status == 429,
        }
    }

    /// Adds a body.
    #[must_use]
    pub fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Adds a header; a value that is no header value is left out.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sends a fresh random id in this header at every attempt.
    #[must_use]
    pub fn with_attempt_id(mut self, name: HeaderName) -> Self {
        self.attempt_id = Some(name);
        self
    }

    /// Marks a call as safe to repeat.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Gives the call its own deadline.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whose budgets the call uses. Resource Manager counts calls by subscription, so a throttled one closes its own gate
    /// and leaves the other teams' open; breaker and slots are the host's.
    pub(super) fn target(&self) -> Target {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        let origin = format!("{host}:{port}");
        let gate = match self.subscription() {
            Some(id) => format!("{origin}/subscriptions/{id}"),
            None => origin.clone(),
        };
        Target { origin, gate }
    }

    /// The subscription in a path of Resource Manager, in lower case.
    fn subscription(&self) -> Option<String> {
        let mut segments = self.url.path_segments().filter(|_| self.service == Service::Arm)?;
        let rooted = segments.next()?.eq_ignore_ascii_case("subscriptions");
        segments.next().filter(|_| rooted).and_then(|id| allowed(id, 64, "-")).map(|id| id.to_ascii_lowercase())
    }

    /// True when the call may change something outside, so that a lost answer leaves the outcome open.
    pub(super) fn mutates(&self) -> bool {
        !self.idempotent
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("service", &self.service)
            .field("operation", &self.operation)
            .field("method", &self.method)
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// What came back, whatever its status.
#[derive(Clone)]
pub struct Answer {
    /// Who answered.
    pub service: Service,
    /// The name of the call.
    pub operation: &'static str,
    /// Whether the call may have changed something.
    pub mutated: bool,
    /// The HTTP status.
    pub status: u16,
    /// `ETag`, verbatim.
    pub etag: Option<String>,
    /// `Retry-After`, from seconds or a date; at most 15 minutes.
    pub retry_after: Option<Duration>,
    /// `Azure-AsyncOperation`, verbatim and unchecked.
    pub operation_url: Option<String>,
    /// `Location`, verbatim and unchecked.
    pub location: Option<String>,
    /// The cloud's id of the call, from whichever header it uses.
    pub request_id: Option<RequestId>,
    /// The body, at most 4 MiB.
    pub body: Vec<u8>,
    /// The call's own span, which hears what the answer was taken for.
    pub(in crate::clouds) span: Span,
}

/// No wish is honoured for longer: a clock that is off by a day, or one careless proxy, must not silence a host until then.
const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// Headers that carry the id of a call, best first.
const REQUEST_IDS: [&str; 6] = [
    "x-ms-request-id",
    "x-ms-correlation-request-id",
    "x-global-transaction-id",
    "x-correlation-id",
    "x-request-id",
    "transaction-id",
];

impl Answer {
    pub(super) fn read(request: &Request, status: u16, headers: &HeaderMap, body: Vec<u8>) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        Self {
            service: request.service,
            operation: request.operation,
            mutated: request.mutates(),
            status,
            etag: text("etag"),
            retry_after: text("retry-after").and_then(|value| wait(&value, SystemTime::now())),
            operation_url: text("azure-asyncoperation"),
            location: text("location"),
            request_id: REQUEST_IDS.into_iter().find_map(|name| text(name).as_deref().and_then(RequestId::parse)),
            body,
            span: Span::current(),
        }
    }

    /// An answer out of thin air, for tests of the rooms next door.
    #[cfg(test)]
    pub(in crate::clouds) fn for_test(request: &Request, status: u16, headers: &HeaderMap, body: Vec<u8>) -> Self {
        Self::read(request, status, headers, body)
    }

    /// True for 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Reads the body as JSON.
    ///
    /// # Errors
    /// `Transient`, reason `AnswerUnreadable`: a torn body, or the page of a gateway. A mutation's outcome is then unknown.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|_| self.unreadable())
    }

    /// The error for a good status whose body makes no sense.
    #[must_use]
    pub fn unreadable(&self) -> Error {
        self.error(
            Class::Transient,
            "AnswerUnreadable",
            "The answer was torn or not what its documentation says; it is asked for again.",
        )
        .with_outcome_unknown(self.mutated)
    }

    /// Starts an error with what this answer knows: status, request id and wait. A 5xx leaves a mutation's outcome open, and
    /// so does a 408: whoever sent it lost patience with a call that may have gone on.
    #[must_use]
    pub fn error(
        &self,
        class: Class,
        reason: &'static str,
        advice: impl Into<std::borrow::Cow<'static, str>>,
    ) -> Error {
        self.span.record("class", class.as_str()).record("reason", reason);
        let wait = if class == Class::Throttled {
            Some(self.retry_after.unwrap_or_default().max(LEAST_WAIT))
        } else {
            self.retry_after
        };
        Error::new(self.service, self.operation, class, reason, advice)
            .with_status(self.status)
            .with_request_id(self.request_id.clone())
            .with_retry_after(wait)
            .with_outcome_unknown(self.mutated && matches!(self.status, 408 | 500..))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("service", &self.service)
            .field("operation", &self.operation)
            .field("status", &self.status)
            .field("request_id", &self.request_id)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// `Retry-After`: seconds, or an HTTP date. Anything else is no wish at all.
fn wait(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    let asked = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(LONGEST_WAIT, Duration::from_secs)
    } else {
        httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(asked.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let url = Url::parse("https://management.azure.com/x?api-version=1").unwrap();
        Request::new(Service::Arm, "PutThing", Method::PUT, url)
    }

    #[test]
    fn subscriptions_of_azure_have_a_gate_each_and_one_host() {
        let of = |service, url: &str| Request::new(service, "GetThing", Method::GET, Url::parse(url).unwrap()).target();
        let at = |path: &str| of(Service::Arm, &format!("https://management.azure.com{path}"));
        let one = at("/subscriptions/AB-1/resourceGroups/rg?api-version=1");
        assert_eq!(one.gate, "management.azure.com:443/subscriptions/ab-1");
        assert_eq!(one, at("/Subscriptions/ab-1"));
        let other = at("/subscriptions/ab-2/resourceGroups/rg");
        assert!(one.gate != other.gate && one.origin == other.origin);
        for path in ["/", "/subscriptions", "/subscriptions/", "/providers/subscriptions/x", "/subscriptions/a%2f"] {
            assert_eq!(at(path).gate, "management.azure.com:443", "{path}");
        }
        let elsewhere = of(Service::Uko, "https://uko.example.com:8443/subscriptions/ab-1");
        assert_eq!(elsewhere.gate, "uko.example.com:8443");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        assert_eq!(wait(" 17 ", now), Some(Duration::from_secs(17)));
        assert_eq!(wait("0", now), Some(Duration::ZERO));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(90));
        assert_eq!(wait(&date, now), Some(Duration::from_secs(90)));
        let past = httpdate::fmt_http_date(now - Duration::from_secs(90));
        assert_eq!(wait(&past, now), Some(Duration::ZERO));
        assert_eq!(wait("soon", now), None);
    }

    #[test]
    fn nobody_is_left_alone_for_longer_than_a_quarter_of_an_hour() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let next_year = httpdate::fmt_http_date(now + Duration::from_hours(365 * 24));
        for wish in ["901", "86400", "99999999999", "99999999999999999999999999", &next_year] {
            assert_eq!(wait(wish, now), Some(Duration::from_mins(15)), "{wish}");
        }
    }

    #[test]
    fn a_change_that_ran_into_a_deadline_leaves_its_outcome_open_like_an_outage() {
        let of = |request: &Request, status| {
            let answer = Answer::read(request, status, &HeaderMap::new(), Vec::new());
            answer.error(Class::Transient, "X", "Y.").outcome_unknown
        };
        for (status, open) in [(408, true), (500, true), (504, true), (400, false), (409, false), (429, false)] {
            assert_eq!(of(&request(), status), open, "{status}");
            assert!(!of(&request().idempotent(), status), "{status}");
        }
    }

    #[test]
    fn a_secret_survives_the_form_and_hides_from_debug() {
        let body = Body::form(&[("client_secret", "a~b._-+/= &ü"), ("scope", "x/.default")]);
        assert!(!format!("{body:?}").contains("client_secret"));
        let (kind, text) = body.content().unwrap();
        assert_eq!(kind, "application/x-www-form-urlencoded");
        let back: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
        assert_eq!(back.first().unwrap().1, "a~b._-+/= &ü");
    }

    #[test]
    fn a_torn_answer_to_a_mutation_leaves_its_outcome_open() {
        let answer = Answer::read(&request(), 201, &HeaderMap::new(), b"{\"a\":".to_vec());
        let error = answer.json::<serde_json::Value>().unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, "AnswerUnreadable"));
        assert!(error.outcome_unknown);
    }

    #[test]
    fn the_request_id_is_found_in_any_clouds_header() {
        for name in ["x-ms-request-id", "x-correlation-id", "X-Global-Transaction-ID"] {
            let mut headers = HeaderMap::new();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_static("id-1"));
            let answer = Answer::read(&request(), 200, &headers, Vec::new());
            assert_eq!(answer.request_id.unwrap().as_str(), "id-1");
        }
    }

    #[test]
    fn debug_shows_neither_query_nor_body() {
        let text = format!("{:?}", request().with_body(Body::json(&"hunter2")));
        assert!(text.contains("management.azure.com") && !text.contains("api-version") && !text.contains("hunter2"));
    }
}
