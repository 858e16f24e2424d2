//! The log on standard error, and the way of spans to a collector.
//!
//! In: a format, a level, a collector. Out: the process-wide tracing subscriber. Never: a line that could show a Secret, whatever
//! the level.

use std::{io::IsTerminal, str::FromStr};

use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use super::{
    otlp::Otlp,
    settings::{InvalidSetting, LogFormat},
};

/// Installs the subscriber; once a process.
///
/// # Errors
/// When `level` is neither a level nor tracing directives, or a subscriber exists already.
pub fn install(format: LogFormat, level: &str, otlp: Option<&Otlp>) -> Result<(), InvalidSetting> {
    let filter = directives(level)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry()
        .with(otlp.and_then(Otlp::layer))
        .with(lines.with_filter(filter).with_filter(filter_fn(is_safe)))
        .try_init()
        .map_err(|fault| InvalidSetting::new("--log-format", fault.to_string()))
}

/// A bare level is meant for us: at `debug`, hyper and kube would bury what we say. Who wants them names them.
fn directives(level: &str) -> Result<EnvFilter, InvalidSetting> {
    let refused = |fault: &str| {
        InvalidSetting::new(
            "--log-level",
            format!(
                "{fault}; write error, warn, info, debug, trace, off, or directives such as info,kube=debug (RUST_LOG counts where the flag is absent)"
            ),
        )
    };
    if let Some(word) = level.split(',').map(str::trim).find(|part| is_no_level(part)) {
        return Err(refused(&format!("`{word}` is no level")));
    }
    let directives = match level.trim().to_ascii_lowercase().as_str() {
        bare @ ("error" | "off") => bare.to_owned(),
        bare @ ("warn" | "info" | "debug" | "trace") => format!("warn,uko_operator={bare}"),
        _ => level.to_owned(),
    };
    EnvFilter::builder().parse(directives).map_err(|fault| refused(&fault.to_string()))
}

/// A bare word is taken for a target by tracing: `warning` would show the target of that name, and silence everything else.
fn is_no_level(part: &str) -> bool {
    let is_word = !part.is_empty() && !part.contains(['=', '[', ']', '{', '}']);
    is_word && LevelFilter::from_str(part).is_err()
}

/// kube logs an answer it cannot parse in full, and that answer may be a Secret.
fn is_safe(metadata: &Metadata<'_>) -> bool {
    metadata.target() != "kube_client::client"
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, speak: impl FnOnce()) -> String {
        let sink = Sink::default();
        let copy = sink.clone();
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(move || copy.clone())
            .with_filter(directives(level).unwrap())
            .with_filter(filter_fn(is_safe));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), speak);
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn speak() {
        tracing::warn!(target: "kube_client::client", "{{\"data\":{{\"password\":\"hunter2\"}}}}");
        tracing::debug!(target: "hyper_util::client", "from hyper");
        tracing::debug!(target: "uko_operator::cli", "from us");
    }

    #[test]
    fn no_level_shows_an_answer_that_kube_could_not_parse() {
        for level in ["trace", "kube_client::client=trace", "trace,kube_client=trace"] {
            assert!(!logged(level, speak).contains("hunter2"), "{level}");
        }
    }

    #[test]
    fn a_bare_level_is_ours_and_directives_reach_everyone() {
        let ours = logged("debug", speak);
        assert!(ours.contains("from us") && !ours.contains("from hyper"), "{ours}");
        let all = logged("debug,uko_operator=debug,hyper_util=debug", speak);
        assert!(all.contains("from us") && all.contains("from hyper"), "{all}");
        assert_eq!(logged("error", speak), "");
    }

    #[test]
    fn a_level_that_is_none_is_refused_with_its_cure() {
        let refusal = directives("uko_operator=loud").map_or_else(|fault| fault.to_string(), |_| String::new());
        assert!(refusal.contains("--log-level") && refusal.contains("info,kube=debug"), "{refusal}");
        for (level, word) in
            [("warning", "warning"), ("debg", "debg"), ("info, kube", "kube"), ("inf,kube=debug", "inf")]
        {
            let refusal = directives(level).map_or_else(|fault| fault.to_string(), |_| String::new());
            let named = refusal.contains("--log-level") && refusal.contains(&format!("`{word}` is no level"));
            assert!(named && refusal.contains("error, warn, info, debug, trace, off"), "{level}: {refusal}");
        }
        for level in ["WARN", "off", "info,kube=debug", "warn,uko_operator=trace", "info,[reconcile]=debug"] {
            assert!(directives(level).is_ok(), "{level}");
        }
    }
}
