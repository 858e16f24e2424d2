//! UKO's error: `ApiError` with one or more `ErrorModel`s.
//!
//! In: what is wrong, where. Out: the answer. Never: more than one message per answer; UKO's own codes are unpublished [I],
//! `missing_field` is the one that samples show.

use serde_json::{Value, json};

use crate::wire::Answer;

/// A refusal of UKO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    target: Option<(&'static str, String)>,
    why: Option<String>,
}

impl Refusal {
    /// A refusal that concerns no single part of the request.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), target: None, why: None }
    }

    /// 400 for a member of the body.
    pub(super) fn field(code: &'static str, name: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message).at("field", name)
    }

    /// 400 for a query parameter.
    pub(super) fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_parameter", message).at("parameter", name)
    }

    /// 400 for a header.
    pub(super) fn header(name: &str, message: impl Into<String>) -> Self {
        Self::new(400, "invalid_header", message).at("header", name)
    }

    /// 404.
    pub(super) fn not_found(what: &str) -> Self {
        Self::new(404, "not_found", format!("The {what} does not exist or is not visible."))
    }

    /// Names the part of the request at fault: `field`, `parameter` or `header`.
    #[must_use]
    pub(super) fn at(mut self, kind: &'static str, name: &str) -> Self {
        self.target = Some((kind, name.to_owned()));
        self
    }

    /// Says in the box's log more than the caller is told.
    #[must_use]
    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// The answer, with the correlation id as `trace`.
    pub(super) fn answer(self, trace: &str) -> Answer {
        let mut error = json!({"code": self.code, "message": self.message});
        if let (Value::Object(members), Some((kind, name))) = (&mut error, &self.target) {
            members.insert("target".into(), json!({"type": kind, "name": name}));
        }
        let body = json!({"status_code": self.status, "trace": trace, "errors": [error]});
        let target = self.target.map_or_else(String::new, |(kind, name)| format!(" ({kind} {name})"));
        let why = self.why.unwrap_or(self.message);
        Answer::json(self.status, &body).refused(format!("{why}{target}"))
    }
}
