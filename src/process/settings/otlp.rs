//! OpenTelemetry's own variables: where spans and metrics go, and what they say of this process.
//!
//! In: the variables whose names begin with `OTEL_`. Out: [`OtlpSettings`], or the variable that cannot be used and what
//! to write. Never: shows a header's value, or a URL, which may hold a key.

use std::{collections::HashMap, fs, str::FromStr, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use url::Url;

use super::InvalidSetting;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
/// Read by the queue of spans itself, which takes its default for what it cannot read.
const BATCHES: [&str; 4] =
    ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"];

/// What is exported, and to whom. The default exports nothing.
#[derive(Clone, Debug, Default)]
pub struct OtlpSettings {
    /// Where spans go.
    pub traces: Option<Destination>,
    /// Where metrics go.
    pub metrics: Option<Destination>,
    /// Pause between two exports of metrics.
    pub interval: Duration,
    /// Which traces are kept.
    pub sampler: Sampling,
    /// PEM with the collector's CA, trusted beside the system's.
    pub ca_pem: Option<Vec<u8>>,
    /// `OTEL_RESOURCE_ATTRIBUTES`.
    pub resource: Vec<(String, String)>,
    /// `OTEL_SERVICE_NAME`.
    pub service_name: Option<String>,
}

/// Where one signal goes.
#[derive(Clone)]
pub struct Destination {
    /// The whole address.
    pub url: Url,
    /// Sent with every export; their values are secrets.
    pub headers: HeaderMap,
    /// Deadline of one export, repetitions included.
    pub timeout: Duration,
}

/// Which traces are kept. No trace has a parent outside, so the `parentbased_` samplers are the same as those without.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Sampling {
    /// All.
    #[default]
    All,
    /// None.
    Nothing,
    /// This part of them, from 0 to 1.
    Part(f64),
}

/// What differs between the two kinds of export.
struct Signal {
    exporter: &'static str,
    endpoint: &'static str,
    headers: &'static str,
    protocol: &'static str,
    timeout: &'static str,
    compression: &'static str,
    certificate: &'static str,
    client: [&'static str; 2],
    path: [&'static str; 2],
}

const TRACES: Signal = Signal {
    exporter: "OTEL_TRACES_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    headers: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    protocol: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    timeout: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    compression: "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    certificate: "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    client: ["OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY"],
    path: ["v1", "traces"],
};
const METRICS: Signal = Signal {
    exporter: "OTEL_METRICS_EXPORTER",
    endpoint: "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    headers: "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    protocol: "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    timeout: "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    compression: "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION",
    certificate: "OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE",
    client: ["OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY"],
    path: ["v1", "metrics"],
};

/// A variable that is set, with its name for the refusal.
type Named<'a> = (&'static str, &'a str);

struct Variables<'a>(&'a HashMap<String, String>);

impl Variables<'_> {
    /// The first of them that is set. Blank counts as absent, as OpenTelemetry says.
    fn first(&self, names: &[&'static str]) -> Option<Named<'_>> {
        names.iter().find_map(|name| {
            let value = self.0.get(*name)?.trim();
            (!value.is_empty()).then_some((*name, value))
        })
    }

    fn is(&self, name: &'static str, word: &str) -> bool {
        self.first(&[name]).is_some_and(|(_, value)| value.eq_ignore_ascii_case(word))
    }

    fn milliseconds(&self, names: &[&'static str], default: Duration) -> Result<Duration, InvalidSetting> {
        let Some((name, value)) = self.first(names) else {
            return Ok(default);
        };
        let positive = value.parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis);
        positive.ok_or_else(|| InvalidSetting::new(name, "must be a number of milliseconds above 0, without unit"))
    }
}

impl OtlpSettings {
    /// Reads them; what is not exported is not checked.
    ///
    /// # Errors
    /// The first variable that cannot be used, with its cure.
    pub fn of(variables: &HashMap<String, String>) -> Result<Self, InvalidSetting> {
        let variables = Variables(variables);
        if variables.is("OTEL_SDK_DISABLED", "true") {
            return Ok(Self::default());
        }
        let settings = Self {
            traces: destination(&variables, &TRACES)?,
            metrics: destination(&variables, &METRICS)?,
            ..Self::default()
        };
        if settings.traces.is_none() && settings.metrics.is_none() {
            return Ok(settings);
        }
        settings.check_batches(&variables)?;
        Ok(Self {
            interval: variables.milliseconds(&[INTERVAL], Duration::from_mins(1))?,
            sampler: sampling(&variables)?,
            ca_pem: certificate(&variables)?,
            resource: variables.first(&["OTEL_RESOURCE_ATTRIBUTES"]).map_or(Ok(Vec::new()), pairs)?,
            service_name: variables.first(&["OTEL_SERVICE_NAME"]).map(|(_, name)| name.to_owned()),
            ..settings
        })
    }

    /// What a batch of either signal would otherwise silently be instead.
    fn check_batches(&self, variables: &Variables<'_>) -> Result<(), InvalidSetting> {
        if self.metrics.is_some()
            && let Some((name, value)) = variables.first(&[TEMPORALITY])
            && !value.eq_ignore_ascii_case("cumulative")
        {
            return Err(InvalidSetting::new(
                name,
                "must be cumulative, as all sums are here; leave it out or correct it",
            ));
        }
        for name in BATCHES.iter().filter(|_| self.traces.is_some()) {
            if let Some((name, value)) = variables.first(&[name])
                && !value.parse::<u32>().is_ok_and(|number| number > 0)
            {
                return Err(InvalidSetting::new(name, "must be a whole number above 0, without unit"));
            }
        }
        Ok(())
    }
}

fn destination(variables: &Variables<'_>, signal: &Signal) -> Result<Option<Destination>, InvalidSetting> {
    let Some((name, value)) = variables.first(&[signal.endpoint, ENDPOINT]) else {
        return Ok(None);
    };
    match variables.first(&[signal.exporter]) {
        None | Some((_, "otlp")) => {}
        Some((_, "none")) => return Ok(None),
        Some((name, _)) => return Err(InvalidSetting::new(name, "must be otlp or none; /metrics is always served")),
    }
    check_transport(variables, signal)?;
    let mut url = address(name, value)?;
    if name == ENDPOINT
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty().extend(signal.path);
    }
    Ok(Some(Destination {
        url,
        headers: variables
            .first(&[signal.headers, "OTEL_EXPORTER_OTLP_HEADERS"])
            .map_or(Ok(HeaderMap::new()), headers)?,
        timeout: variables.milliseconds(&[signal.timeout, "OTEL_EXPORTER_OTLP_TIMEOUT"], Duration::from_secs(10))?,
    }))
}

/// What this exporter cannot do must not look as if it were done.
fn check_transport(variables: &Variables<'_>, signal: &Signal) -> Result<(), InvalidSetting> {
    let protocol = variables.first(&[signal.protocol, "OTEL_EXPORTER_OTLP_PROTOCOL"]);
    if let Some((name, _)) = protocol.filter(|(_, protocol)| *protocol != "http/protobuf") {
        return Err(InvalidSetting::new(
            name,
            "must be http/protobuf, the one protocol spoken here (collectors listen for it on port 4318); leave it out or correct it",
        ));
    }
    let compression = variables.first(&[signal.compression, "OTEL_EXPORTER_OTLP_COMPRESSION"]);
    if let Some((name, _)) = compression.filter(|(_, compression)| *compression != "none") {
        return Err(InvalidSetting::new(name, "must be none: nothing is compressed here; leave it out"));
    }
    if let Some((name, _)) = variables.first(&[signal.certificate]) {
        return Err(InvalidSetting::new(
            name,
            "one CA serves both signals here: name its file in OTEL_EXPORTER_OTLP_CERTIFICATE",
        ));
    }
    let [certificate, key] = signal.client;
    match variables.first(&["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_KEY", certificate, key])
    {
        Some((name, _)) => Err(InvalidSetting::new(
            name,
            "client certificates are not shown to a collector here; use OTEL_EXPORTER_OTLP_HEADERS",
        )),
        None => Ok(()),
    }
}

fn address(name: &'static str, value: &str) -> Result<Url, InvalidSetting> {
    let url = Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let Some(url) = url else {
        return Err(InvalidSetting::new(name, "must be http://host:port or https://host:port"));
    };
    if url.username().is_empty() && url.password().is_none() {
        Ok(url)
    } else {
        Err(InvalidSetting::new(name, "must not hold a user or password: put them into OTEL_EXPORTER_OTLP_HEADERS"))
    }
}

/// `name=value,name=value`, percent-encoded where need be.
fn pairs((name, text): Named<'_>) -> Result<Vec<(String, String)>, InvalidSetting> {
    let wrong = || InvalidSetting::new(name, "must be name=value, several separated by commas; the value is not shown");
    let decoded = |part: &str| percent_decode_str(part.trim()).decode_utf8().map(std::borrow::Cow::into_owned);
    text.split(',')
        .filter(|entry| !entry.trim().is_empty())
        .map(|entry| {
            let (key, value) = entry.split_once('=').ok_or_else(wrong)?;
            let pair = (decoded(key).map_err(|_| wrong())?, decoded(value).map_err(|_| wrong())?);
            if pair.0.is_empty() { Err(wrong()) } else { Ok(pair) }
        })
        .collect()
}

fn headers(named: Named<'_>) -> Result<HeaderMap, InvalidSetting> {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs(named)? {
        let wrong = || InvalidSetting::new(named.0, "holds what cannot be sent as a header; the value is not shown");
        let key = HeaderName::from_str(&key).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.insert(key, value);
    }
    Ok(headers)
}

fn sampling(variables: &Variables<'_>) -> Result<Sampling, InvalidSetting> {
    let Some((name, sampler)) = variables.first(&[SAMPLER]) else {
        return Ok(Sampling::All);
    };
    match sampler.strip_prefix("parentbased_").unwrap_or(sampler) {
        "always_on" => Ok(Sampling::All),
        "always_off" => Ok(Sampling::Nothing),
        "traceidratio" => {
            let Some((name, part)) = variables.first(&["OTEL_TRACES_SAMPLER_ARG"]) else {
                return Ok(Sampling::All);
            };
            let part = part.parse().ok().filter(|part| (0.0..=1.0).contains(part));
            part.map(Sampling::Part).ok_or_else(|| InvalidSetting::new(name, "must be a number from 0 to 1"))
        }
        _ => Err(InvalidSetting::new(
            name,
            "must be always_on, always_off or traceidratio, with or without parentbased_ before it",
        )),
    }
}

fn certificate(variables: &Variables<'_>) -> Result<Option<Vec<u8>>, InvalidSetting> {
    let Some((name, path)) = variables.first(&[CERTIFICATE]) else {
        return Ok(None);
    };
    let read = fs::read(path)
        .map_err(|fault| InvalidSetting::new(name, format!("cannot read {path}: {fault}; name a readable PEM file")));
    read.map(Some)
}

impl std::fmt::Debug for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Destination").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<OtlpSettings, InvalidSetting> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        OtlpSettings::of(&variables)
    }

    fn urls(variables: &[(&str, &str)]) -> [Option<String>; 2] {
        let settings = read(variables).unwrap();
        [settings.traces, settings.metrics].map(|to| to.map(|to| to.url.to_string()))
    }

    #[test]
    fn one_endpoint_serves_both_signals_and_a_signals_own_is_taken_as_it_is() {
        let own = Some("https://b.example/in?key=1".to_owned());
        assert_eq!(urls(&[]), [None, None]);
        for endpoint in ["http://otel:4318", "http://otel:4318/"] {
            let both = ["traces", "metrics"].map(|signal| Some(format!("http://otel:4318/v1/{signal}")));
            assert_eq!(urls(&[(ENDPOINT, endpoint)]), both);
        }
        let below = [Some("http://a/x/v1/traces".to_owned()), own.clone()];
        assert_eq!(urls(&[(ENDPOINT, "http://a/x"), (METRICS.endpoint, "https://b.example/in?key=1")]), below);
        assert_eq!(urls(&[(METRICS.endpoint, "https://b.example/in?key=1")]), [None, own]);
    }

    #[test]
    fn it_can_be_switched_off_as_a_whole_or_by_signal() {
        let on = (ENDPOINT, "http://otel:4318");
        assert_eq!(urls(&[on, ("OTEL_SDK_DISABLED", "TRUE")]), [None, None]);
        assert!(matches!(urls(&[on, (TRACES.exporter, "none")]), [None, Some(_)]));
        assert!(matches!(urls(&[on, (METRICS.exporter, "none")]), [Some(_), None]));
        assert_eq!(urls(&[(ENDPOINT, " ")]), [None, None]);
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            (METRICS.exporter, "prometheus"),
            (TRACES.exporter, "console"),
            (TEMPORALITY, "delta"),
            (BATCHES[0], "5s"),
        ] {
            assert!(read(&[(name, value)]).is_ok(), "{name}: nothing is exported, so nothing is wrong");
        }
    }

    #[test]
    fn what_one_signal_needs_is_not_asked_of_the_other() {
        let on = (ENDPOINT, "http://otel:4318");
        assert!(read(&[on, (METRICS.exporter, "none"), (TEMPORALITY, "delta")]).is_ok());
        assert!(read(&[on, (TRACES.exporter, "none"), (BATCHES[0], "5s"), (TRACES.client[0], "/x")]).is_ok());
        assert!(read(&[on, (TEMPORALITY, "Cumulative"), (BATCHES[0], "5000")]).is_ok());
    }

    #[test]
    fn headers_are_decoded_and_a_signals_own_take_their_place() {
        let settings = read(&[
            (ENDPOINT, "http://otel:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2, x-team = a"),
            (METRICS.headers, "x-key=1"),
        ])
        .unwrap();
        let (traces, metrics) = (settings.traces.clone().unwrap(), settings.metrics.clone().unwrap());
        assert_eq!(traces.headers["authorization"], "Bearer hunter2");
        assert_eq!(traces.headers["x-team"], "a");
        assert_eq!((metrics.headers.len(), &metrics.headers["x-key"]), (1, &HeaderValue::from_static("1")));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_by_the_name_of_its_variable_and_never_shown() {
        for (variable, value) in [
            (ENDPOINT, "otel:4318"),
            (ENDPOINT, "ftp://otel/hunter2"),
            (TRACES.endpoint, "https://me:hunter2@otel"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            (METRICS.protocol, "http/json"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            (TRACES.compression, "gzip"),
            (METRICS.certificate, "/hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a b=hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=hunter2%0a"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/hunter2"),
            (TRACES.client[0], "/hunter2"),
            (METRICS.client[1], "/hunter2"),
            (TEMPORALITY, "delta"),
            (BATCHES[0], "5s"),
            (BATCHES[1], "-1"),
            (BATCHES[2], "0"),
            (BATCHES[3], "1.5"),
            (INTERVAL, "0"),
            (SAMPLER, "jaeger_remote"),
            (TRACES.exporter, "zipkin"),
            (CERTIFICATE, "/nonexistent"),
        ] {
            let mut variables = vec![(ENDPOINT, "http://otel:4318")];
            variables.retain(|(name, _)| *name != variable);
            variables.push((variable, value));
            let refusal = read(&variables).map_or_else(|fault| fault.to_string(), |_| String::new());
            assert!(refusal.contains(variable), "{variable}={value}: {refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn samplers_and_times_are_those_of_opentelemetry() {
        let with = |sampler, argument| {
            let on = (ENDPOINT, "http://otel:4318");
            read(&[on, (SAMPLER, sampler), ("OTEL_TRACES_SAMPLER_ARG", argument)]).map(|settings| settings.sampler)
        };
        assert_eq!(with("parentbased_always_on", ""), Ok(Sampling::All));
        assert_eq!(with("always_off", ""), Ok(Sampling::Nothing));
        assert_eq!(with("parentbased_traceidratio", "0.25"), Ok(Sampling::Part(0.25)));
        assert!(with("traceidratio", "2").is_err());
        let settings = read(&[(ENDPOINT, "http://otel:4318"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500")]).unwrap();
        assert_eq!(settings.interval, Duration::from_mins(1));
        assert_eq!(settings.traces.unwrap().timeout, Duration::from_millis(1500));
    }
}
