//! The text of /metrics as OTLP, by the rules of OpenTelemetry for `OpenMetrics`.
//!
//! In: what `prometheus-client` has just written. Out: the same series under the same names. Never: measures anything.
//!
//! The registry can be read in two ways only: as this text, or as protobuf of another schema, which needs `protoc` to build.

use std::time::{Duration, SystemTime};

use opentelemetry_proto::{
    tonic::{
        collector::metrics::v1::ExportMetricsServiceRequest,
        common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
        metrics::v1::{
            AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
            ScopeMetrics, Sum, metric::Data, number_data_point::Value,
        },
        resource::v1,
    },
    transform::common::tonic::ResourceAttributesWithSchema,
};
use opentelemetry_sdk::Resource;

/// Lines of one family: what is said of it, and its samples.
#[derive(Debug, Default)]
struct Family<'a> {
    name: &'a str,
    kind: &'a str,
    help: &'a str,
    unit: &'a str,
    samples: Vec<Sample<'a>>,
}

#[derive(Debug)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: &'a str,
}

/// When the series began, and when they were read; nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Times {
    since: u64,
    now: u64,
}

/// Everything in `text`. The series began with the process.
pub(super) fn request(
    text: &str,
    resource: &Resource,
    since: SystemTime,
    now: SystemTime,
) -> ExportMetricsServiceRequest {
    let times = Times { since: nanoseconds(since), now: nanoseconds(now) };
    let metrics = families(text).into_iter().filter_map(|family| family.metric(times)).collect();
    let resource = ResourceAttributesWithSchema::from(resource);
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(v1::Resource { attributes: resource.attributes.0, ..v1::Resource::default() }),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: "uko-operator".to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics,
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        }],
    }
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

fn families(text: &str) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            if let (Some(family), Some(sample)) = (families.last_mut(), sample(line)) {
                family.samples.push(sample);
            }
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (what, name, said) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if what != Some("EOF") && families.last().is_none_or(|family| family.name != name) {
            families.push(Family { name, ..Family::default() });
        }
        if let Some(family) = families.last_mut() {
            match what {
                Some("TYPE") => family.kind = said,
                Some("HELP") => family.help = said,
                Some("UNIT") => family.unit = said,
                Some(_) | None => {}
            }
        }
    }
    families
}

/// `name{label="value",…} 1`
fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at_checked(end)?;
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.push((label.trim_start_matches(','), value));
            rest = after;
        }
        rest = rest.strip_prefix('}')?;
    }
    Some(Sample { name, labels, value: rest.split_whitespace().next()? })
}

/// What stands before the closing quote, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(match letters.next()? {
                (_, 'n') => '\n',
                (_, other) => other,
            }),
            other => value.push(other),
        }
    }
    None
}

impl Family<'_> {
    fn metric(&self, times: Times) -> Option<Metric> {
        if self.samples.is_empty() {
            return None;
        }
        let temporality = AggregationTemporality::Cumulative.into();
        // A counter's and an info's name is their sample's: so they are called on /metrics and in queries.
        let sampled = self.samples.first()?.name;
        let (name, data) = match self.kind {
            "counter" => {
                let data_points = self.numbers(times);
                (sampled, Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: true }))
            }
            "info" => {
                let data_points = self.numbers(times);
                (sampled, Data::Sum(Sum { data_points, aggregation_temporality: temporality, is_monotonic: false }))
            }
            "histogram" => {
                let data_points = self.histograms(times);
                (self.name, Data::Histogram(Histogram { data_points, aggregation_temporality: temporality }))
            }
            _ => (self.name, Data::Gauge(Gauge { data_points: self.numbers(times) })),
        };
        Some(Metric {
            name: name.to_owned(),
            description: self.help.to_owned(),
            unit: if self.unit == "seconds" { "s" } else { self.unit }.to_owned(),
            data: Some(data),
            ..Metric::default()
        })
    }

    fn numbers(&self, times: Times) -> Vec<NumberDataPoint> {
        let points = self.samples.iter().filter_map(|sample| {
            Some(NumberDataPoint {
                attributes: attributes(&sample.labels),
                start_time_unix_nano: times.since,
                time_unix_nano: times.now,
                value: Some(number(sample.value)?),
                ..NumberDataPoint::default()
            })
        });
        points.collect()
    }

    fn histograms(&self, times: Times) -> Vec<HistogramDataPoint> {
        let mut points: Vec<(Vec<KeyValue>, HistogramDataPoint)> = Vec::new();
        for sample in &self.samples {
            let of: Vec<_> = sample.labels.iter().filter(|(label, _)| *label != "le").cloned().collect();
            let of = attributes(&of);
            if points.last().is_none_or(|(last, _)| *last != of) {
                points.push((of.clone(), HistogramDataPoint { attributes: of, ..HistogramDataPoint::default() }));
            }
            if let Some((_, point)) = points.last_mut() {
                part(point, sample, sample.name.strip_prefix(self.name).unwrap_or_default());
            }
        }
        let finished = points.into_iter().map(|(_, mut point)| {
            point.start_time_unix_nano = times.since;
            point.time_unix_nano = times.now;
            point.bucket_counts = each_alone(&point.bucket_counts);
            point
        });
        finished.collect()
    }
}

/// Puts one line of a histogram into its place. Buckets count what lies below as well, as they do in the text.
fn part(point: &mut HistogramDataPoint, sample: &Sample<'_>, suffix: &str) {
    match suffix {
        "_sum" => point.sum = sample.value.parse().ok(),
        "_count" => point.count = sample.value.parse().unwrap_or_default(),
        "_bucket" => {
            let bound = sample.labels.iter().find(|(label, _)| *label == "le").and_then(|(_, le)| le.parse().ok());
            point.explicit_bounds.extend(bound.filter(|bound: &f64| bound.is_finite()));
            point.bucket_counts.push(sample.value.parse().unwrap_or_default());
        }
        _ => {}
    }
}

fn each_alone(counts: &[u64]) -> Vec<u64> {
    let below = std::iter::once(&0).chain(counts);
    counts.iter().zip(below).map(|(count, below)| count.saturating_sub(*below)).collect()
}

fn number(text: &str) -> Option<Value> {
    let whole = text.parse().map(Value::AsInt);
    whole.or_else(|_| text.parse().map(Value::AsDouble)).ok()
}

fn attributes(labels: &[(&str, String)]) -> Vec<KeyValue> {
    let pairs = labels.iter().map(|(label, value)| KeyValue {
        key: (*label).to_owned(),
        value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.clone())) }),
        ..KeyValue::default()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::{
        encoding::{EncodeLabelSet, text::encode},
        metrics::{counter::Counter, family, gauge::Gauge as Level, histogram, info::Info},
        registry::{Registry, Unit},
    };

    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
    struct Labels {
        kind: &'static str,
    }

    fn told(registry: &Registry) -> Vec<Metric> {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        let [since, now] = [1, 2].map(|second| SystemTime::UNIX_EPOCH + Duration::from_secs(second));
        let mut request = request(&text, &Resource::builder_empty().build(), since, now);
        request.resource_metrics.remove(0).scope_metrics.remove(0).metrics
    }

    fn labels(attributes: &[KeyValue]) -> Vec<String> {
        let value = |one: &KeyValue| {
            let Some(any_value::Value::StringValue(text)) = one.value.clone().unwrap().value else { panic!("{one:?}") };
            text
        };
        attributes.iter().map(|one| format!("{}={}", one.key, value(one))).collect()
    }

    #[test]
    fn a_counter_keeps_its_name_and_counts_from_the_start_of_the_process() {
        let mut registry = Registry::with_prefix("uko_operator");
        let passes = family::Family::<Labels, Counter>::default();
        registry.register("reconciles", "Passes", passes.clone());
        assert!(told(&registry).is_empty(), "what has no series is not told");
        passes.get_or_create(&Labels { kind: "a\"b\\c\nd,e=}" }).inc_by(3);
        passes.get_or_create(&Labels { kind: "plain" }).inc();
        let metrics = told(&registry);
        assert_eq!(metrics[0].name, "uko_operator_reconciles_total");
        assert_eq!(metrics[0].description, "Passes.");
        let Some(Data::Sum(mut sum)) = metrics[0].data.clone() else { panic!("{metrics:?}") };
        assert!(sum.is_monotonic);
        assert_eq!(sum.aggregation_temporality, i32::from(AggregationTemporality::Cumulative));
        sum.data_points.sort_by_key(|point| labels(&point.attributes));
        assert_eq!(labels(&sum.data_points[0].attributes), ["kind=a\"b\\c\nd,e=}"]);
        assert_eq!(sum.data_points[0].value, Some(Value::AsInt(3)));
        assert_eq!(labels(&sum.data_points[1].attributes), ["kind=plain"]);
        let times = (sum.data_points[1].start_time_unix_nano, sum.data_points[1].time_unix_nano);
        assert_eq!(times, (1_000_000_000, 2_000_000_000));
    }

    #[test]
    fn a_histogram_has_a_point_a_label_set_and_each_bucket_alone() {
        let mut registry = Registry::with_prefix("uko_operator");
        let new: fn() -> histogram::Histogram = || histogram::Histogram::new([0.5, 1.0]);
        let took = family::Family::<Labels, histogram::Histogram, _>::new_with_constructor(new);
        registry.register_with_unit("reconcile_duration", "How long", Unit::Seconds, took.clone());
        for (kind, seconds) in [("a", 0.25), ("a", 0.25), ("a", 0.75), ("a", 9.0), ("b", 0.75)] {
            took.get_or_create(&Labels { kind }).observe(seconds);
        }
        let metrics = told(&registry);
        assert_eq!(
            (metrics[0].name.as_str(), metrics[0].unit.as_str()),
            ("uko_operator_reconcile_duration_seconds", "s")
        );
        let Some(Data::Histogram(mut histogram)) = metrics[0].data.clone() else { panic!("{metrics:?}") };
        histogram.data_points.sort_by_key(|point| labels(&point.attributes));
        let [a, b] = &histogram.data_points[..] else { panic!("{histogram:?}") };
        assert_eq!(
            (labels(&a.attributes), labels(&b.attributes)),
            (vec!["kind=a".to_owned()], vec!["kind=b".to_owned()])
        );
        assert_eq!((&a.explicit_bounds[..], &a.bucket_counts[..]), (&[0.5, 1.0][..], &[2, 1, 1][..]));
        assert_eq!((a.count, a.sum, &b.bucket_counts[..]), (4, Some(10.25), &[0, 1, 0][..]));
    }

    #[test]
    fn a_gauge_is_a_gauge_and_an_info_a_sum_that_stands() {
        let mut registry = Registry::with_prefix("uko_operator");
        let leader = Level::<f64, std::sync::atomic::AtomicU64>::default();
        leader.set(0.5);
        registry.register("leader", "Leads", leader);
        registry.register("build", "Build", Info::new([("version", "1")]));
        let metrics = told(&registry);
        assert_eq!(
            metrics.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(),
            ["uko_operator_leader", "uko_operator_build_info"]
        );
        let Some(Data::Gauge(gauge)) = &metrics[0].data else { panic!("{metrics:?}") };
        assert_eq!(gauge.data_points[0].value, Some(Value::AsDouble(0.5)));
        let Some(Data::Sum(sum)) = &metrics[1].data else { panic!("{metrics:?}") };
        assert!(!sum.is_monotonic);
        assert_eq!(labels(&sum.data_points[0].attributes), ["version=1"]);
    }
}
