//! Spans and metrics for an OpenTelemetry collector, as OTLP over HTTP. Off unless the environment names a collector.
//!
//! In: [`OtlpSettings`], the spans of a pass, the text of /metrics. Out: exports, or one line in the log that they are lost.
//! Never: holds up a pass, the end of the process, or a start; exports a log line.

mod collector;
mod metrics;
mod spans;

use std::time::{Duration, SystemTime};

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_sdk::{
    Resource,
    resource::TelemetryResourceDetector,
    trace::{Sampler, SdkTracerProvider},
};
use prost::Message as _;
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{Metadata, Subscriber, info, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::filter_fn, registry::LookupSpan};

use self::{
    collector::Collector,
    spans::{Delivery, Spans},
};
use super::{
    VERSION,
    metrics::Metrics,
    settings::{Destination, InvalidSetting, OtlpSettings, Sampling},
};

/// What a collector may take at the end. With it the foundations stay below their own deadline.
const FAREWELL: Duration = Duration::from_secs(3);

/// The exporter of this process. It lives in [`Otlp::run`].
#[derive(Debug)]
pub struct Otlp {
    collector: Collector,
    resource: Resource,
    traces: Option<Traces>,
    metrics: Option<Destination>,
    interval: Duration,
}

#[derive(Debug)]
struct Traces {
    destination: Destination,
    provider: SdkTracerProvider,
    deliveries: mpsc::Receiver<Delivery>,
}

impl Otlp {
    /// None unless a collector is named.
    ///
    /// # Errors
    /// A CA that cannot be used, or an image without any.
    pub fn new(otlp: &OtlpSettings, identity: &str) -> Result<Option<Self>, InvalidSetting> {
        if otlp.traces.is_none() && otlp.metrics.is_none() {
            return Ok(None);
        }
        let resource = resource(otlp, identity);
        Ok(Some(Self {
            collector: Collector::new(otlp)?,
            traces: otlp.traces.clone().map(|destination| traces(destination, otlp, &resource)),
            metrics: otlp.metrics.clone(),
            interval: otlp.interval,
            resource,
        }))
    }

    /// Where spans are taken up; none while only metrics are exported.
    #[must_use]
    pub fn layer<S>(&self) -> Option<Box<dyn Layer<S> + Send + Sync>>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        let tracer = self.traces.as_ref()?.provider.tracer("uko-operator");
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_level(false)
            .with_target(false)
            .with_context_activation(false);
        Some(layer.with_filter(filter_fn(is_told).with_max_level_hint(LevelFilter::DEBUG)).boxed())
    }

    /// Exports until `end`, and then what is left.
    pub async fn run(self, metrics: Metrics, end: CancellationToken) {
        let Self { collector, resource, traces, metrics: to, interval, .. } = self;
        let host = |to: Option<&Destination>| to.map_or("none".to_owned(), collector::place);
        let sends_spans = traces.as_ref().map(|traces| &traces.destination);
        info!(traces = host(sends_spans), metrics = host(to.as_ref()), "exporting to an OpenTelemetry collector");
        let provider = traces.as_ref().map(|traces| traces.provider.clone());
        let spans = deliver(&collector, traces);
        let gauges =
            Gauges { collector: &collector, to: to.as_ref(), resource: &resource, since: SystemTime::now(), metrics };
        let mut spans = std::pin::pin!(spans);
        tokio::select! {
            () = &mut spans => {}
            () = gauges.tell_every(interval) => {}
            () = end.cancelled() => {}
        }
        let last = async {
            let flushed = tokio::task::spawn_blocking(move || {
                provider.map(|provider| provider.shutdown_with_timeout(FAREWELL).is_ok())
            });
            tokio::join!(flushed, gauges.tell())
        };
        // Whoever flushes hands the spans to the deliveries, which go on meanwhile.
        let last = async {
            tokio::select! {
                _ = last => {}
                () = &mut spans => {}
            }
        };
        let _late = timeout(FAREWELL, last).await; // what is lost then has its line in the log
    }
}

/// The three spans that `spans.rs` has words for; no log line, and nothing of another crate.
fn is_told(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with("uko_operator") && spans::is_known(metadata.name())
}

fn resource(otlp: &OtlpSettings, identity: &str) -> Resource {
    let given = otlp.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes([
            KeyValue::new("service.name", "uko-operator"),
            KeyValue::new("service.version", VERSION),
            KeyValue::new("service.instance.id", identity.to_owned()),
        ])
        .with_attributes(given)
        .with_attributes(otlp.service_name.iter().map(|name| KeyValue::new("service.name", name.clone())))
        .build()
}

fn traces(destination: Destination, otlp: &OtlpSettings, resource: &Resource) -> Traces {
    let (spans, deliveries) = Spans::new();
    let sampler = match otlp.sampler {
        Sampling::All => Sampler::AlwaysOn,
        Sampling::Nothing => Sampler::AlwaysOff,
        Sampling::Part(part) => Sampler::TraceIdRatioBased(part),
    };
    let provider = SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .with_resource(resource.clone())
        .with_batch_exporter(spans)
        .build();
    Traces { destination, provider, deliveries }
}

/// Sends each batch and says how it went. Never ends while there may be spans.
async fn deliver(collector: &Collector, traces: Option<Traces>) {
    if let Some(mut traces) = traces {
        while let Some(delivery) = traces.deliveries.recv().await {
            let sent = collector.send(&traces.destination, delivery.body).await;
            let _nobody_waits = delivery.sent.send(sent);
        }
    }
    std::future::pending::<()>().await;
}

/// What is told of the registry, again and again.
struct Gauges<'a> {
    collector: &'a Collector,
    to: Option<&'a Destination>,
    resource: &'a Resource,
    since: SystemTime,
    metrics: Metrics,
}

impl Gauges<'_> {
    async fn tell_every(&self, pause: Duration) {
        if self.to.is_none() {
            std::future::pending::<()>().await;
        }
        let mut tick = interval(pause);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.tick().await; // the first is at once, when there is nothing to tell
        loop {
            tick.tick().await;
            self.tell().await;
        }
    }

    async fn tell(&self) {
        let (Some(to), Ok(text)) = (self.to, self.metrics.encode()) else {
            return;
        };
        let request = metrics::request(&text, self.resource, self.since, SystemTime::now());
        self.collector.send(to, request.encode_to_vec()).await;
    }
}
