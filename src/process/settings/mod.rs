//! Everything a person can set about the running operator.
//!
//! In: [`Flags`] from clap and the [`Environment`]. Out: one checked [`Settings`]. Never: a value that was not checked; a
//! second place that reads the environment.

pub mod duration;
mod environment;
mod flags;
mod otlp;

use std::{collections::BTreeSet, time::Duration};

pub use environment::{Environment, ProxyVariables};
pub use flags::{Flags, LinkScope, LogFormat};
pub use otlp::{Destination, OtlpSettings, Sampling};

/// Namespace of the operator where nothing else names one.
const DEFAULT_NAMESPACE: &str = "uko-operator";

/// What the process runs with. Made by [`Settings::new`] only.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The flags as given, checked.
    pub flags: Flags,
    /// Namespaces to watch, sorted; empty means all.
    pub watch_namespaces: BTreeSet<String>,
    /// The operator's own namespace: its Lease, its fingerprint key.
    pub namespace: String,
    /// What the Lease calls this process.
    pub identity: String,
    /// tracing directives.
    pub log_level: String,
    /// How the clouds, and only they, are reached.
    pub proxy: ProxyVariables,
    /// What goes to an OpenTelemetry collector.
    pub otlp: OtlpSettings,
}

/// A flag that cannot be used, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for {flag}: {problem}")]
pub struct InvalidSetting {
    flag: &'static str,
    problem: String,
}

impl InvalidSetting {
    pub(crate) fn new(flag: &'static str, problem: impl Into<String>) -> Self {
        Self { flag, problem: problem.into() }
    }
}

impl Settings {
    /// Checks what clap cannot see in one flag alone and fills in what the pod knows.
    ///
    /// # Errors
    /// The first flag that cannot be used, with its cure.
    pub fn new(flags: Flags, environment: &Environment) -> Result<Self, InvalidSetting> {
        check_durations(&flags)?;
        check_lease(&flags)?;
        check_cluster_id(&flags)?;
        check_extra_ca(&flags)?;
        environment.proxy.check()?;
        let watch_namespaces: BTreeSet<String> = flags.watch_namespace.iter().cloned().collect();
        for namespace in &watch_namespaces {
            check_namespace("--watch-namespace", namespace)?;
        }
        let namespace = own_namespace(&flags, environment, &watch_namespaces);
        check_namespace("--namespace", &namespace)?;
        Ok(Self {
            identity: flags.identity.clone().unwrap_or_else(|| environment.identity()),
            log_level: flags
                .log_level
                .clone()
                .or_else(|| environment.rust_log.clone())
                .unwrap_or_else(|| "info".to_owned()),
            proxy: environment.proxy.clone(),
            otlp: OtlpSettings::of(&environment.otel.0)?,
            watch_namespaces,
            namespace,
            flags,
        })
    }
}

fn own_namespace(flags: &Flags, environment: &Environment, watched: &BTreeSet<String>) -> String {
    let only_watched = || match watched.len() {
        1 => watched.first().cloned(),
        _ => None,
    };
    flags
        .namespace
        .clone()
        .or_else(|| environment.pod_namespace.clone())
        .or_else(|| environment.service_account_namespace.clone())
        .or_else(only_watched)
        .unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

fn check_durations(flags: &Flags) -> Result<(), InvalidSetting> {
    let positive = [
        ("--request-timeout", flags.request_timeout),
        ("--connect-timeout", flags.connect_timeout),
        ("--backoff-initial", flags.backoff_initial),
        ("--backoff-max", flags.backoff_max),
        ("--progress-deadline", flags.progress_deadline),
        ("--poll-interval", flags.poll_interval),
        ("--min-interval", flags.min_interval),
        ("--full-look-interval", flags.full_look_interval),
        ("--lease-duration", flags.lease_duration),
        ("--lease-renew-deadline", flags.lease_renew_deadline),
        ("--lease-retry-period", flags.lease_retry_period),
    ];
    for (flag, value) in positive {
        if value.is_zero() {
            return Err(InvalidSetting::new(flag, "must be more than zero"));
        }
    }
    if flags.connect_timeout > flags.request_timeout {
        return Err(InvalidSetting::new(
            "--connect-timeout",
            "must not be longer than --request-timeout, which it is part of",
        ));
    }
    if flags.lost_create_timeout < flags.request_timeout {
        return Err(InvalidSetting::new(
            "--lost-create-timeout",
            "must not be shorter than --request-timeout, for which a create may be on its way",
        ));
    }
    if flags.backoff_initial > flags.backoff_max {
        return Err(InvalidSetting::new(
            "--backoff-initial",
            "must not be longer than --backoff-max, up to which it doubles",
        ));
    }
    Ok(())
}

fn check_lease(flags: &Flags) -> Result<(), InvalidSetting> {
    let duration = flags.lease_duration;
    if duration.subsec_nanos() != 0 || duration > Duration::from_hours(1) {
        return Err(InvalidSetting::new(
            "--lease-duration",
            "must be whole seconds, at most 1h: Kubernetes stores it as a number of seconds",
        ));
    }
    if flags.lease_renew_deadline >= duration {
        return Err(InvalidSetting::new(
            "--lease-renew-deadline",
            "must be shorter than --lease-duration, or two operators could write at once",
        ));
    }
    if flags.lease_retry_period.saturating_mul(2) > flags.lease_renew_deadline {
        return Err(InvalidSetting::new(
            "--lease-retry-period",
            "must be at most half of --lease-renew-deadline, so that one lost renewal is not the end",
        ));
    }
    Ok(())
}

fn check_cluster_id(flags: &Flags) -> Result<(), InvalidSetting> {
    let sound = |id: &str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    match &flags.cluster_id {
        Some(id) if !sound(id) => Err(InvalidSetting::new(
            "--cluster-id",
            "must be 1 to 128 letters, digits, dots, underscores and hyphens; leave it out to take the uid of kube-system",
        )),
        _ => Ok(()),
    }
}

fn check_extra_ca(flags: &Flags) -> Result<(), InvalidSetting> {
    let Some(path) = &flags.extra_ca_file else {
        return Ok(());
    };
    let text = std::fs::read_to_string(path).map_err(|fault| {
        InvalidSetting::new(
            "--extra-ca-file",
            format!("cannot read {}: {fault}; name a readable PEM file", path.display()),
        )
    })?;
    if text.contains("-----BEGIN CERTIFICATE-----") {
        Ok(())
    } else {
        Err(InvalidSetting::new("--extra-ca-file", format!("{} holds no PEM certificate", path.display())))
    }
}

fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&name.len()) && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-')
}

fn check_namespace(flag: &'static str, name: &str) -> Result<(), InvalidSetting> {
    if is_dns_label(name) {
        Ok(())
    } else {
        Err(InvalidSetting::new(
            flag,
            format!(
                "'{name}' is not a namespace: at most 63 lower-case letters, digits and hyphens, first and last a letter or digit"
            ),
        ))
    }
}

#[cfg(test)]
mod tests;
