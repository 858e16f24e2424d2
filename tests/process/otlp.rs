//! Exports to a collector: what arrives there, and what a collector that does not work cannot do to us.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::common::v1::any_value;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{Layer, layer::SubscriberExt, registry};
use uko_operator::{
    process::{metrics::Metrics, otlp::Otlp, settings::OtlpSettings},
    reconcile::leadership::{CREATE_PAUSE, leadership},
};

use crate::collector::{Collector, Mood, said};

fn otlp(collector: &Collector, more: &[(&str, &str)]) -> Otlp {
    let mut variables = HashMap::from([("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), collector.url())]);
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Otlp::new(&OtlpSettings::of(&variables).unwrap(), "pod-1").unwrap().unwrap()
}

fn metrics() -> Metrics {
    Metrics::new(&leadership(CREATE_PAUSE).1)
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// As the process does it, for this thread only.
fn listen(otlp: &Otlp, log: &Log) -> tracing::subscriber::DefaultGuard {
    let log = log.clone();
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || log.clone());
    let lines = lines.with_filter(tracing_subscriber::EnvFilter::new("info"));
    tracing::subscriber::set_default(registry().with(otlp.layer()).with(lines))
}

/// A pass with a call, and what must stay here: a log line, the span of another crate, and one that nobody knows.
fn work() {
    let pass = tracing::info_span!(target: "uko_operator::reconcile::span", "reconcile", kind = "K", name = "n");
    pass.in_scope(|| {
        tracing::info!(target: "uko_operator::reconcile", "hunter2");
        tracing::info_span!(target: "hyper", "reconcile", name = "hunter2").in_scope(|| {});
        tracing::info_span!(target: "uko_operator::reconcile", "other", name = "hunter2").in_scope(|| {});
        tracing::debug_span!(target: "uko_operator::clouds", "cloud_call", service = "arm", operation = "GetVault", status = 403_u16)
            .in_scope(|| {});
    });
}

/// Runs an exporter that is told to end at once.
async fn farewell(otlp: Otlp) {
    let end = CancellationToken::new();
    end.cancel();
    otlp.run(metrics(), end).await;
}

#[tokio::test]
async fn what_was_measured_arrives_before_the_process_ends_and_no_log_line_with_it() {
    let collector = Collector::start().await;
    let otlp = otlp(
        &collector,
        &[
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter3"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=overruled,deployment.environment.name=test%20bed"),
            ("OTEL_SERVICE_NAME", "uko-eu"),
        ],
    );
    let log = Log::default();
    let _here = listen(&otlp, &log);
    work();
    farewell(otlp).await;

    let spans = collector.spans();
    let [(resource, call), (_, pass)] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((call.name.as_str(), pass.name.as_str()), ("arm GetVault", "reconcile K"));
    assert_eq!((&call.trace_id, &call.parent_span_id), (&pass.trace_id, &pass.span_id));
    assert!(pass.parent_span_id.is_empty());
    assert_eq!(said(&call.attributes)["error.type"], "403");
    let status = call.attributes.iter().find(|one| one.key == "http.response.status_code").unwrap();
    assert_eq!(status.value.clone().unwrap().value, Some(any_value::Value::IntValue(403)));
    assert_eq!(said(&pass.attributes)["k8s.object.name"], "n");
    let resource = said(&resource.attributes);
    let expected = [
        ("service.name", "uko-eu"),
        ("service.instance.id", "pod-1"),
        ("deployment.environment.name", "test bed"),
        ("telemetry.sdk.language", "rust"),
    ];
    for (name, value) in expected {
        assert_eq!(resource[name], value);
    }
    assert_eq!(collector.metrics().keys().collect::<Vec<_>>(), ["uko_operator_build_info", "uko_operator_leader"]);
    for export in collector.exports() {
        assert_eq!(export.headers["authorization"], "Bearer hunter3");
        assert_eq!(export.headers["content-type"], "application/x-protobuf");
        assert!(!String::from_utf8_lossy(&export.body).contains("hunter"), "{}", export.path);
    }
    assert!(!log.lines().join("\n").contains("hunter3"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_refusal_is_told_once_until_it_ends() {
    let (collector, elsewhere) = (Collector::start().await, Collector::start().await);
    collector.moods([Mood::SendsTo(elsewhere.url()), Mood::Refuses(401), Mood::Refuses(400), Mood::Takes]);
    let otlp = otlp(&collector, &[("OTEL_METRIC_EXPORT_INTERVAL", "20")]);
    let log = Log::default();
    let _here = listen(&otlp, &log);
    let end = CancellationToken::new();
    let again = async {
        while !log.lines().join("\n").contains("again") {
            tokio::task::yield_now().await;
        }
        end.cancel();
    };
    let both = async { tokio::join!(otlp.run(metrics(), end.clone()), again) };
    tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    assert!(elsewhere.exports().is_empty());
    let lines = log.lines();
    let told: Vec<&String> = lines.iter().filter(|line| line.contains("takes")).collect();
    let [lost, again] = &told[..] else { panic!("{lines:#?}") };
    assert!(lost.contains("WARN") && lost.contains("it answers 307") && lost.contains("127.0.0.1:"), "{lost}");
    assert!(again.contains("takes exports again"), "{again}");
}

#[tokio::test]
async fn a_collector_that_is_busy_for_a_moment_loses_no_span() {
    let collector = Collector::start().await;
    collector.moods([Mood::Refuses(503), Mood::Takes]);
    let otlp = otlp(&collector, &[("OTEL_METRICS_EXPORTER", "none")]);
    let log = Log::default();
    let _here = listen(&otlp, &log);
    work();
    farewell(otlp).await;
    let bodies: Vec<_> = collector.exports().into_iter().map(|one| one.body).collect();
    assert!(bodies.len() == 2 && bodies[0] == bodies[1], "sent {} times", bodies.len());
    assert!(!log.lines().join("\n").contains("takes"), "nothing was lost");
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_no_end() {
    let collector = Collector::start().await;
    collector.moods([Mood::Hangs]);
    let otlp = otlp(&collector, &[]);
    let _here = listen(&otlp, &Log::default());
    work();
    let began = Instant::now();
    farewell(otlp).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(collector.exports().len(), 2, "both were tried");
}

#[test]
fn without_a_collector_there_is_no_exporter() {
    assert!(Otlp::new(&OtlpSettings::of(&HashMap::new()).unwrap(), "pod-1").unwrap().is_none());
}
