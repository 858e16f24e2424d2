//! A call as the box sees it and the answer it gives.
//!
//! In: one HTTP exchange, already read in full. Out: helpers to take it apart, builders to answer.
//! Never: knows a service's rules, or state.

use std::fmt;

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use url::form_urlencoded;

/// The service a host name stands for; the word in the request log and in fault rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Microsoft Entra ID, the token endpoint.
    Entra,
    /// Azure Resource Manager.
    Arm,
    /// A Key Vault's data plane.
    Kv,
    /// The instance metadata service.
    Imds,
    /// IBM Cloud IAM.
    Iam,
    /// IBM Cloud containers (connector look-up).
    Containers,
    /// Satellite Link.
    Link,
    /// The HPCS broker.
    Broker,
    /// UKO, hosted or self-managed.
    Uko,
    /// Any other host: refused and logged.
    Unknown,
}

impl Service {
    /// The word used in the log and in fault rules.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Arm => "arm",
            Self::Kv => "kv",
            Self::Imds => "imds",
            Self::Iam => "iam",
            Self::Containers => "containers",
            Self::Link => "link",
            Self::Broker => "broker",
            Self::Uko => "uko",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One request, read in full.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which service its host stands for.
    pub service: Service,
    /// Host name in lower case, without port.
    pub host: String,
    /// Port; 443 unless the URL named another.
    pub port: u16,
    /// HTTP method.
    pub method: Method,
    /// Raw path, still percent-encoded, without the query.
    pub path: String,
    /// Query parameters in order, decoded.
    pub query: Vec<(String, String)>,
    /// Request headers.
    pub headers: HeaderMap,
    /// Request body.
    pub body: Vec<u8>,
}

impl Call {
    /// The body as JSON.
    ///
    /// # Errors
    /// A 400 answer that says where the text stops being JSON.
    pub fn json(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let why = format!("the body is not JSON: {error}");
            Answer::json(400, &json!({"error": {"code": "InvalidRequestContent", "message": why}})).refused(why)
        })
    }

    /// The body as form fields, decoded, in order.
    #[must_use]
    pub fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The first query parameter of this name (names compare without case, as the clouds do).
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The path's segments, percent-decoded, without empty ones at the ends.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        self.path.trim_matches('/').split('/').filter(|part| !part.is_empty()).map(percent_decoded).collect()
    }

    /// The bearer token, if the request carries one.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let value = self.header("authorization")?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
    }

    /// A header as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The absolute URL, as the caller wrote it apart from a default port.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.service == Service::Imds { "http" } else { "https" };
        let port = match (scheme, self.port) {
            ("https", 443) | ("http", 80) => String::new(),
            (_, port) => format!(":{port}"),
        };
        format!("{scheme}://{}{port}{}", self.host, self.path_and_query())
    }

    /// Path and query, as fault rules see them.
    #[must_use]
    pub fn path_and_query(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).finish();
        format!("{}?{query}", self.path)
    }
}

/// Text with its percent-encoding undone. What a form would read in a special way stays as it is.
pub(crate) fn percent_decoded(text: &str) -> String {
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let mut parsed = form_urlencoded::parse(text.as_bytes());
    parsed.next().map(|(key, _)| key.into_owned()).unwrap_or_default()
}

/// What the box answers.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Who asked, as the service understood it.
    pub principal: Option<String>,
    /// Why it was refused: for the box's log, never on the wire.
    pub refusal: Option<String>,
}

impl Answer {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::empty(status)
            .header("content-type", "application/json; charset=utf-8")
            .with_body(body.to_string().into_bytes())
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Notes for the box's log why the call was refused.
    #[must_use]
    pub fn refused(mut self, why: impl Into<String>) -> Self {
        self.refusal = Some(why.into());
        self
    }

    /// Notes who asked.
    #[must_use]
    pub fn by(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// The body as JSON, `Null` if it is none.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The first header of this name.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str) -> Call {
        Call {
            service: Service::Arm,
            host: "management.azure.com".into(),
            port: 443,
            method: Method::GET,
            path: path.into(),
            query: vec![("api-version".into(), "2024-03-01".into()), ("$filter".into(), "assignedTo('a b')".into())],
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    #[test]
    fn segments_are_decoded_one_by_one() {
        assert_eq!(call("/a%2Fb/c+d//e/").segments(), ["a/b", "c+d", "e"]);
        assert_eq!(call("/keys/x=y&z").segments(), ["keys", "x=y&z"]);
    }

    #[test]
    fn the_url_is_absolute() {
        assert!(call("/x").url().starts_with("https://management.azure.com/x?api-version=2024-03-01&%24filter="));
    }

    #[test]
    fn a_query_name_has_no_case() {
        assert_eq!(call("/").query("API-Version"), Some("2024-03-01"));
    }
}
