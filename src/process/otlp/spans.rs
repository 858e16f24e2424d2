//! Spans in the words of OpenTelemetry. The rooms speak their own; here alone they are translated.
//!
//! In: finished spans with the fields that a room gave them. Out: OTLP. Never: a field that is not in the table below, so
//! that nothing leaves by accident.

use opentelemetry::{
    KeyValue, Value,
    trace::{SpanKind, Status},
};
use opentelemetry_proto::{
    tonic::collector::trace::v1::ExportTraceServiceRequest,
    transform::{common::tonic::ResourceAttributesWithSchema, trace::tonic::group_spans_by_resource_and_scope},
};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{SpanData, SpanExporter},
};
use prost::Message as _;
use tokio::sync::{mpsc, oneshot};

/// One pass over an object.
const RECONCILE: &str = "reconcile";
/// One stage of a pass.
const STAGE: &str = "stage";
/// One attempt of a call to a cloud.
const CLOUD_CALL: &str = "cloud_call";

/// What a room's field is called outside. `server.*`, `http.*`, `error.type`, `peer.service` and `k8s.*` are conventions of
/// OpenTelemetry; what has no convention is ours.
const WORDS: [(&str, &str); 16] = [
    ("attempt", "http.request.resend_count"),
    ("class", "uko_operator.class"),
    ("generation", "uko_operator.generation"),
    ("host", "server.address"),
    ("kind", "k8s.object.kind"),
    ("method", "http.request.method"),
    ("name", "k8s.object.name"),
    ("namespace", "k8s.namespace.name"),
    ("operation", "uko_operator.operation"),
    ("outcome", "uko_operator.outcome"),
    ("port", "server.port"),
    ("reason", "uko_operator.reason"),
    ("request_id", "uko_operator.request_id"),
    ("service", "peer.service"),
    ("stage", "uko_operator.stage"),
    ("status", "http.response.status_code"),
];

/// Fields that are numbers. `tracing-opentelemetry` makes text of those without a sign.
const NUMBERS: [&str; 4] = ["attempt", "generation", "port", "status"];

/// A batch on its way from the SDK's thread to the task that sends it.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) body: Vec<u8>,
    pub(super) sent: oneshot::Sender<bool>,
}

/// The SDK's way out. It has no I/O of its own: its thread has no runtime.
#[derive(Debug)]
pub(super) struct Spans {
    deliveries: mpsc::Sender<Delivery>,
    resource: ResourceAttributesWithSchema,
}

impl Spans {
    pub(super) fn new() -> (Self, mpsc::Receiver<Delivery>) {
        let (deliveries, receiver) = mpsc::channel(1);
        (Self { deliveries, resource: ResourceAttributesWithSchema::default() }, receiver)
    }
}

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let batch = batch.into_iter().map(translated).collect();
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let (sent, answer) = oneshot::channel();
        let lost = || OTelSdkError::InternalFailure("not taken".to_owned());
        self.deliveries.send(Delivery { body, sent }).await.map_err(|_| lost())?;
        if answer.await.unwrap_or(false) { Ok(()) } else { Err(lost()) }
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

/// Whether there are words for a span of this name.
pub(super) fn is_known(name: &str) -> bool {
    [RECONCILE, STAGE, CLOUD_CALL].contains(&name)
}

fn translated(mut span: SpanData) -> SpanData {
    let said = |name: &str| {
        let field = span.attributes.iter().rfind(|field| field.key.as_str() == name);
        field.map(|field| field.value.as_str().into_owned()).unwrap_or_default()
    };
    let fault = fault(&span.name, said);
    let name = match span.name.as_ref() {
        RECONCILE => format!("reconcile {}", said("kind")),
        STAGE => said("stage"),
        _ => format!("{} {}", said("service"), said("operation")),
    };
    if span.name == CLOUD_CALL {
        span.span_kind = SpanKind::Client;
    }
    span.name = name.into();
    span.attributes = last_of_each(span.attributes).into_iter().filter_map(attribute).collect();
    if let Some(fault) = fault {
        span.attributes.push(KeyValue::new("error.type", fault.clone()));
        span.status = Status::error(fault);
    }
    span
}

/// What went wrong, as a word of few values: a status or a reason. A thing that is not there is an answer like any other.
fn fault(name: &str, said: impl Fn(&str) -> String) -> Option<String> {
    let wrong = match name {
        CLOUD_CALL => {
            let status = said("status");
            let absent = status == "404" && said("method") == "GET";
            if let Ok(code) = status.parse::<u16>() {
                return Some(status).filter(|_| code >= 400 && !absent);
            }
            !said("reason").is_empty()
        }
        RECONCILE => said("outcome") == "failed",
        _ => !said("reason").is_empty(),
    };
    let reason = said("reason");
    wrong.then(|| if reason.is_empty() { "failed".to_owned() } else { reason })
}

/// What was told twice counts as told last.
fn last_of_each(fields: Vec<KeyValue>) -> Vec<KeyValue> {
    let mut last: Vec<KeyValue> = Vec::with_capacity(fields.len());
    for field in fields {
        match last.iter_mut().find(|other| other.key == field.key) {
            Some(other) => other.value = field.value,
            None => last.push(field),
        }
    }
    last
}

/// The first attempt is no repetition, and the field says so by its absence.
fn attribute(field: KeyValue) -> Option<KeyValue> {
    let (ours, word) = WORDS.into_iter().find(|(ours, _)| *ours == field.key.as_str())?;
    let number = field.value.as_str().parse().ok().filter(|_| NUMBERS.contains(&ours));
    let value = number.map_or(field.value, Value::I64);
    let first = ours == "attempt" && value == Value::I64(0);
    (!first).then(|| KeyValue::new(word, value))
}

#[cfg(test)]
mod tests {
    use opentelemetry::{
        InstrumentationScope, SpanId,
        trace::{SpanContext, TraceFlags, TraceId, TraceState},
    };
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    fn span(name: &'static str, fields: &[(&'static str, Value)]) -> SpanData {
        let now = std::time::SystemTime::UNIX_EPOCH;
        let context = (TraceId::from(1), SpanId::from(2), TraceFlags::SAMPLED, false, TraceState::default());
        translated(SpanData {
            span_context: SpanContext::new(context.0, context.1, context.2, context.3, context.4),
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: now,
            end_time: now,
            attributes: fields.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        })
    }

    fn call(fields: &[(&'static str, Value)]) -> SpanData {
        let always = [("service", Value::from("arm")), ("operation", "GetVault".into()), ("method", "GET".into())];
        span(CLOUD_CALL, &[&always[..], fields].concat())
    }

    #[test]
    fn a_call_is_told_in_the_words_of_opentelemetry_and_nothing_else_of_it() {
        let told = call(&[
            ("host", "management.azure.com".into()),
            ("port", "443".into()), // as the bridge gives it
            ("attempt", "0".into()),
            ("status", "200".into()),
            ("request_id", "123".into()),
            ("url", "https://management.azure.com/x?sig=hunter2".into()),
        ]);
        assert_eq!((told.name.as_ref(), told.span_kind), ("arm GetVault", SpanKind::Client));
        assert_eq!(
            told.attributes,
            [
                KeyValue::new("peer.service", "arm"),
                KeyValue::new("uko_operator.operation", "GetVault"),
                KeyValue::new("http.request.method", "GET"),
                KeyValue::new("server.address", "management.azure.com"),
                KeyValue::new("server.port", 443),
                KeyValue::new("http.response.status_code", 200),
                KeyValue::new("uko_operator.request_id", "123"),
            ]
        );
        let twice = call(&[("reason", "first".into()), ("reason", "last".into())]).attributes;
        let reasons = twice.iter().filter(|one| one.key.as_str() == "uko_operator.reason");
        assert_eq!(reasons.map(|one| one.value.as_str()).collect::<Vec<_>>(), ["last"]);
        let again = call(&[("attempt", 2.into())]);
        assert!(again.attributes.contains(&KeyValue::new("http.request.resend_count", 2)));
    }

    #[test]
    fn refusals_and_broken_calls_are_errors_and_a_thing_that_is_not_there_is_none() {
        let error = |span: SpanData| {
            let named = span.attributes.into_iter().find(|one| one.key.as_str() == "error.type");
            let named = named.map(|one| one.value.as_str().into_owned());
            match span.status {
                Status::Error { description } => assert_eq!(named.as_deref(), Some(description.as_ref())),
                Status::Unset | Status::Ok => assert_eq!(named, None),
            }
            named
        };
        assert_eq!(error(call(&[("status", 201.into())])), None);
        assert_eq!(error(call(&[("status", 404.into())])), None);
        assert_eq!(error(span(CLOUD_CALL, &[("status", 404.into()), ("method", "PUT".into())])).unwrap(), "404");
        assert_eq!(error(call(&[("status", 403.into()), ("reason", "RoleMissing".into())])).unwrap(), "403");
        assert_eq!(error(call(&[("status", 404.into()), ("reason", "VaultNotFound".into())])), None);
        assert_eq!(error(call(&[("reason", "UkoUnavailable".into())])).unwrap(), "UkoUnavailable");
        let stage = |reason: &'static str| span(STAGE, &[("stage", "apply".into()), ("reason", reason.into())]);
        assert_eq!((stage("").name.as_ref(), error(stage(""))), ("apply", None));
        assert_eq!(error(stage("RoleMissing")).unwrap(), "RoleMissing");
        let pass = |outcome: &'static str| {
            span(RECONCILE, &[("kind", "X".into()), ("outcome", outcome.into()), ("reason", "Why".into())])
        };
        assert_eq!((pass("settled").name.as_ref(), error(pass("settled"))), ("reconcile X", None));
        assert_eq!(error(pass("progressing")), None);
        assert_eq!(error(pass("failed")).unwrap(), "Why");
    }
}
