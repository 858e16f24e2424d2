//! The spans of a pass, for logs and traces: the pass itself, and one for each stage of the pipeline.
//!
//! In: whose pass it is, and how it went. Out: tracing spans with our own words. Never: a message, an id of a cloud, a secret;
//! a word of OpenTelemetry, which `process/otlp/spans.rs` alone knows.

use tracing::{Span, debug_span, field::Empty, info_span};

use super::{
    summary::Done,
    wake::{Key, Kind},
};
use crate::api::condition::{self, ConditionType};

/// One pass over an object.
pub(crate) fn reconcile(kind: Kind, key: &Key) -> Span {
    info_span!("reconcile", ?kind, namespace = %key.0, name = %key.1, generation = Empty, outcome = Empty, reason = Empty)
}

/// Which state of the spec the pass works on. Told to the present span.
pub(crate) fn generation(generation: Option<i64>) {
    Span::current().record("generation", generation);
}

/// Why the pass ended as it did. Told to the present span.
pub(crate) fn reason(reason: &str) {
    Span::current().record("reason", reason);
}

/// The same, from what the object now says of itself.
pub(crate) fn ready(conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition]) {
    if let Some(ready) = condition::get(conditions, ConditionType::Ready) {
        reason(&ready.reason);
    }
}

/// One stage of the pipeline. Pure stages know nothing of it: whoever calls them wraps them.
pub(crate) fn stage(stage: &'static str) -> Span {
    debug_span!("stage", stage, class = Empty, reason = Empty)
}

/// A step that failed marks its stage.
pub(crate) fn done(stage: &Span, done: &Done) {
    match done {
        Done::Failed(fault) => {
            stage.record("class", fault.class.as_str());
            stage.record("reason", fault.reason);
        }
        Done::Nothing | Done::Wrote | Done::Asked | Done::Answered | Done::Held(..) => {}
    }
}
