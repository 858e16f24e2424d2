//! Traces and metrics at a collector: what the shipped binary exports, and that a dead collector changes nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    metrics::v1::{Metric, metric::Data, number_data_point},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use serde_json::{Value, json};

use crate::harness::{
    Options, World,
    collector::{Collector, Mood, said},
    story::{CONNECTION, ENDPOINT, NAME, text},
};

/// Where the clouds' answers carry the id of a call, best first.
const REQUEST_IDS: [&str; 5] =
    ["x-ms-request-id", "x-global-transaction-id", "x-correlation-id", "x-request-id", "transaction-id"];

fn exporting_to(collector: &Collector) -> impl FnOnce(Options) -> Options {
    let url = collector.url();
    // Whoever takes the clouds' proxy to the collector, or one for everything, arrives nowhere.
    let nowhere = ["ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"];
    move |options| {
        let options = options.env("OTEL_EXPORTER_OTLP_ENDPOINT", &url).env("NO_PROXY", "").env("no_proxy", "");
        nowhere.into_iter().fold(options, |options, name| options.env(name, "http://127.0.0.1:1"))
    }
}

#[tokio::test]
async fn every_pass_stage_and_call_is_a_span_and_every_metric_arrives_too() {
    let collector = Collector::start().await;
    let token = "Bearer a-token-of-the-collector";
    let mut world = World::start_with("otel", |options| {
        exporting_to(&collector)(options)
            .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer a-token-of-the-collector")
    })
    .await;
    world.apply_fixture().await;
    world.is_ready().await;
    let shown = world.operator.as_ref().unwrap().metrics().await;
    assert!(world.operator.as_mut().unwrap().stop().await.success());

    let spans: Vec<Span> = collector.spans().into_iter().map(|(_, span)| span).collect();
    spans_hang_together(&world, &spans);
    calls_are_those_that_the_cloud_saw(&world, &spans).await;
    metrics_are_those_of_the_port(&shown, &collector.metrics(), &spans);

    let log = world.operator.as_ref().unwrap().log();
    assert!(!log.contains(token), "the collector's token is in the log");
    assert!(!log.contains("takes no exports"), "{log}");
    for export in collector.exports() {
        assert_eq!(export.headers["authorization"], token);
        let body = String::from_utf8_lossy(&export.body);
        assert_eq!(world.secrets_in(&export.path, &body).await, Vec::<String>::new());
        for word in [token, "api-version", "/subscriptions/"] {
            assert!(!body.contains(word), "{word} in an export to {}", export.path);
        }
    }
}

#[tokio::test]
async fn what_fails_is_an_error_with_class_and_reason_and_a_repetition_says_so() {
    let collector = Collector::start().await;
    let mut world = World::start_with("otel-faults", exporting_to(&collector)).await;
    for fault in [
        json!({"service": "arm", "method": "GET", "path": "/vaults/[^/]+\\?", "status": 503}),
        json!({"service": "arm", "method": "PUT", "path": "/privateEndpoints/", "status": 409}),
        json!({"service": "link", "method": "GET", "path": "/endpoints", "drop": true}),
    ] {
        world.cloud.fault(&fault).await;
    }
    world.apply_fixture().await;
    world.is_ready().await;
    assert!(world.operator.as_mut().unwrap().stop().await.success());

    let mut errors = Vec::new();
    let mut repeated = 0;
    for (_, span) in collector.spans() {
        let fields = said(&span.attributes);
        let status = span.status.clone().unwrap_or_default();
        let kind = fields.get("error.type").cloned().unwrap_or_default();
        assert_eq!(status.code == i32::from(StatusCode::Error), !kind.is_empty(), "{span:?}");
        assert_eq!(status.message, kind);
        repeated += usize::from(fields.contains_key("http.request.resend_count"));
        if !kind.is_empty() {
            let class = fields.get("uko_operator.class").cloned().unwrap_or_default();
            errors.push(format!("{} {kind} {class}", span.name));
        }
    }
    for wanted in [
        "arm GetVault 503 ",
        "arm PutPrivateEndpoint 409 awaiting_person",
        "apply AzureRequestRejected awaiting_person",
        "link ListEndpoints LinkUnavailable transient",
    ] {
        assert!(errors.iter().any(|error| error == wanted), "{wanted}: {errors:#?}");
    }
    assert_eq!(repeated, 2, "the two reads, and no write");
}

/// A pass is a root, a stage hangs below a pass, a call below the stage that made it.
fn spans_hang_together(world: &World, spans: &[Span]) {
    let by_id: BTreeMap<&[u8], &Span> = spans.iter().map(|span| (span.span_id.as_slice(), span)).collect();
    let mut stages: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut callers: BTreeSet<&str> = BTreeSet::new();
    for span in spans {
        let fields = said(&span.attributes);
        let Some(parent) = by_id.get(span.parent_span_id.as_slice()) else {
            let kind = &fields["k8s.object.kind"];
            assert_eq!(span.name, format!("reconcile {kind}"));
            assert_eq!((&fields["k8s.namespace.name"], fields["k8s.object.name"].as_str()), (&world.namespace, NAME));
            assert!(fields.contains_key("uko_operator.outcome"), "{fields:?}");
            continue;
        };
        assert_eq!(span.trace_id, parent.trace_id);
        assert!(
            span.start_time_unix_nano >= parent.start_time_unix_nano
                && span.end_time_unix_nano <= parent.end_time_unix_nano
        );
        if span.kind == i32::from(SpanKind::Client) {
            callers.insert(&parent.name);
        } else {
            stages.entry(&parent.name).or_default().insert(span.name.clone());
        }
    }
    let all = ["apply", "desired", "observe", "plan", "report", "resolve"].map(str::to_owned);
    let passes: BTreeSet<String> = [CONNECTION, ENDPOINT].map(|kind| format!("reconcile {kind}")).into();
    assert_eq!(stages.keys().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), passes);
    assert!(stages.values().all(|stages| *stages == all.clone().into()), "{stages:#?}");
    assert_eq!(callers, BTreeSet::from(["apply", "observe"]), "who calls clouds");

    let settled = spans.iter().map(|span| said(&span.attributes)).find(|fields| {
        fields.get("k8s.object.kind").is_some_and(|kind| kind == CONNECTION)
            && fields["uko_operator.outcome"] == "settled"
    });
    let settled = settled.expect("a settled pass");
    assert_eq!(
        (settled["uko_operator.generation"].as_str(), settled["uko_operator.reason"].as_str()),
        ("1", "KeysCanFlow")
    );
}

/// One span for one request, with the id that the cloud gave it.
async fn calls_are_those_that_the_cloud_saw(world: &World, spans: &[Span]) {
    let told = spans.iter().filter(|span| span.kind == i32::from(SpanKind::Client)).map(|span| {
        let fields = said(&span.attributes);
        assert_eq!(span.name, format!("{} {}", fields["peer.service"], fields["uko_operator.operation"]));
        assert_eq!(fields["server.port"], "443");
        let refused = fields["http.response.status_code"].parse::<u16>().unwrap() >= 400;
        let absent = fields["http.response.status_code"] == "404" && fields["http.request.method"] == "GET";
        assert_eq!(fields.contains_key("error.type"), refused && !absent, "{fields:?}");
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        [
            "peer.service",
            "http.request.method",
            "server.address",
            "http.response.status_code",
            "uko_operator.request_id",
        ]
        .map(field)
    });
    let mut told: Vec<[String; 5]> = told.collect();
    let requests = world.cloud.requests_after(0).await;
    let mut seen: Vec<[String; 5]> = requests.iter().map(seen_by_the_cloud).collect();
    for service in ["arm", "uko", "iam", "link"] {
        assert!(seen.iter().any(|one| one[0] == service && !one[4].is_empty()), "no id of {service}");
    }
    told.retain(|one| seen.iter().position(|other| other == one).map(|at| seen.remove(at)).is_none());
    assert!(told.is_empty() && seen.is_empty(), "told, but not made: {told:#?}\nmade, but not told: {seen:#?}");
}

fn seen_by_the_cloud(request: &Value) -> [String; 5] {
    let headers = request["response_headers"].as_object().unwrap();
    let header = |name: &str| {
        let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name))?;
        Some(found.1.as_str()?.to_owned())
    };
    let host = url::Url::parse(text(request, "/url")).unwrap().host_str().unwrap().to_owned();
    [
        text(request, "/service").to_owned(),
        text(request, "/method").to_owned(),
        host,
        request["status"].to_string(),
        REQUEST_IDS.into_iter().find_map(header).unwrap_or_default(),
    ]
}

/// The same names, and, since both are told at the very end, as many passes as there are spans of them.
fn metrics_are_those_of_the_port(shown: &str, exported: &BTreeMap<String, Metric>, spans: &[Span]) {
    let samples: BTreeSet<&str> =
        shown.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let mut on_the_port: BTreeSet<&str> = samples.iter().map(|name| name.trim_end_matches("_bucket")).collect();
    on_the_port.retain(|name| !name.ends_with("_seconds_sum") && !name.ends_with("_seconds_count"));
    let arrived: BTreeSet<&str> = exported.keys().map(String::as_str).collect();
    assert_eq!(arrived, on_the_port);

    let Some(Data::Sum(passes)) = exported["uko_operator_reconciles_total"].data.clone() else {
        panic!("{exported:#?}")
    };
    let counted: i64 = passes
        .data_points
        .iter()
        .map(|point| match point.value {
            Some(number_data_point::Value::AsInt(number)) => number,
            other => panic!("{other:?}"),
        })
        .sum();
    let traced = spans.iter().filter(|span| span.parent_span_id.is_empty()).count();
    assert_eq!(usize::try_from(counted).unwrap(), traced, "passes counted and passes traced");
}

#[tokio::test]
async fn a_collector_that_never_answers_delays_neither_readiness_nor_the_end() {
    let collector = Collector::start().await;
    collector.moods([Mood::Hangs]);
    without("otel-hangs", &collector.url()).await;
    assert!(!collector.exports().is_empty(), "it was tried");
}

#[tokio::test]
async fn a_collector_that_is_not_there_delays_neither_readiness_nor_the_end() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    without("otel-gone", &url).await;
}

async fn without(name: &str, url: &str) {
    let quickly = |options: Options| {
        let options = options.env("OTEL_EXPORTER_OTLP_ENDPOINT", url).env("OTEL_EXPORTER_OTLP_TIMEOUT", "500");
        options.env("OTEL_BSP_SCHEDULE_DELAY", "200").env("OTEL_METRIC_EXPORT_INTERVAL", "200")
    };
    let mut world = World::start_with(name, quickly).await;
    world.apply_fixture().await;
    world.is_ready().await;
    world
        .eventually("the log says that exports are lost", async || {
            let log = world.operator.as_ref().unwrap().log();
            let told = log.lines().filter(|line| line.contains("takes no exports")).count();
            if told == 1 { Ok(()) } else { Err(format!("{told} lines")) }
        })
        .await;
    world.passes(CONNECTION, 2).await;
    world.is_discreet().await;
    let operator = world.operator.as_mut().unwrap();
    let asked = Instant::now();
    assert!(operator.stop().await.success());
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert_eq!(operator.log().matches("takes no exports").count(), 1, "one line, not one for each export");
}
