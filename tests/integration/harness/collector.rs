//! An OpenTelemetry collector for one test: takes OTLP over HTTP on a free port of this machine.
//!
//! In: exports. Out: spans and metrics as the protocol's own types, and every byte. Never: the operator's code.

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header::LOCATION},
};
use opentelemetry_proto::tonic::{
    collector::{metrics::v1::ExportMetricsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{KeyValue, any_value::Value},
    metrics::v1::Metric,
    resource::v1::Resource,
    trace::v1::Span,
};
use prost::Message as _;
use tokio::task::JoinSet;

/// How it takes the next exports.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// As it should.
    Takes,
    /// Accepts and never answers.
    Hangs,
    /// With this status.
    Refuses(u16),
    /// By a redirect to another place.
    SendsTo(String),
}

/// One export, as it came.
#[derive(Clone)]
pub(crate) struct Export {
    /// Where it was posted to.
    pub(crate) path: String,
    /// With which headers.
    pub(crate) headers: HeaderMap,
    /// Protobuf.
    pub(crate) body: Bytes,
}

#[derive(Default)]
struct Inbox {
    exports: Vec<Export>,
    moods: VecDeque<Mood>,
}

/// A running collector. Dropping it ends it.
pub(crate) struct Collector {
    address: SocketAddr,
    inbox: Arc<Mutex<Inbox>>,
    _server: JoinSet<()>,
}

impl Collector {
    /// Starts one that takes everything.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inbox = Arc::new(Mutex::new(Inbox { exports: Vec::new(), moods: VecDeque::from([Mood::Takes]) }));
        let routes = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        let mut server = JoinSet::new();
        server.spawn(async { axum::serve(listener, routes).await.unwrap() });
        Self { address, inbox, _server: server }
    }

    /// One mood for each of the next exports; the last one stays.
    pub(crate) fn moods(&self, moods: impl IntoIterator<Item = Mood>) {
        self.inbox.lock().unwrap().moods = moods.into_iter().collect();
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came, whatever became of it.
    pub(crate) fn exports(&self) -> Vec<Export> {
        self.inbox.lock().unwrap().exports.clone()
    }

    /// Every span, with the resource it is of.
    pub(crate) fn spans(&self) -> Vec<(Resource, Span)> {
        let exports = self.exports().into_iter().filter(|one| one.path == "/v1/traces");
        let requests = exports.map(|one| ExportTraceServiceRequest::decode(one.body).unwrap());
        requests
            .flat_map(|request| request.resource_spans)
            .flat_map(|of| {
                let resource = of.resource.unwrap();
                of.scope_spans.into_iter().flat_map(|of| of.spans).map(move |span| (resource.clone(), span))
            })
            .collect()
    }

    /// The metrics of the last export, by name.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Metric> {
        let last = self.exports().into_iter().rfind(|one| one.path == "/v1/metrics");
        let request = last.map(|one| ExportMetricsServiceRequest::decode(one.body).unwrap()).unwrap_or_default();
        let scopes = request.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
        scopes.flat_map(|of| of.metrics).map(|metric| (metric.name.clone(), metric)).collect()
    }
}

async fn take(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, HeaderMap) {
    let mood = {
        let mut inbox = inbox.lock().unwrap();
        inbox.exports.push(Export { path: uri.to_string(), headers, body });
        if inbox.moods.len() > 1 { inbox.moods.pop_front() } else { inbox.moods.front().cloned() }.unwrap()
    };
    let mut headers = HeaderMap::new();
    match mood {
        Mood::Takes => (StatusCode::OK, headers),
        Mood::Hangs => std::future::pending().await,
        Mood::Refuses(status) => (StatusCode::from_u16(status).unwrap(), headers),
        Mood::SendsTo(url) => {
            headers.insert(LOCATION, url.parse().unwrap());
            (StatusCode::TEMPORARY_REDIRECT, headers)
        }
    }
}

/// Attributes as text, by name.
pub(crate) fn said(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |one: &KeyValue| {
        let value = one.value.clone().unwrap().value.unwrap();
        if let Value::StringValue(text) = value {
            text
        } else if let Value::IntValue(number) = value {
            number.to_string()
        } else {
            panic!("{}: {value:?}", one.key)
        }
    };
    attributes.iter().map(|one| (one.key.clone(), text(one))).collect()
}
