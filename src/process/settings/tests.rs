use clap::{CommandFactory, FromArgMatches, Parser};

use super::*;

#[derive(Parser)]
struct Run {
    #[command(flatten)]
    flags: Flags,
}

/// Parses without the environment of whoever runs the tests.
fn flags(arguments: &[&str]) -> Result<Flags, clap::Error> {
    let command = Run::command().mut_args(|argument| argument.env(None::<&'static str>));
    let arguments = std::iter::once("run").chain(arguments.iter().copied());
    let matches = command.try_get_matches_from(arguments)?;
    Run::from_arg_matches(&matches).map(|run| run.flags)
}

fn settings(arguments: &[&str]) -> Result<Settings, InvalidSetting> {
    Settings::new(flags(arguments).unwrap(), &Environment::default())
}

fn refusal(arguments: &[&str]) -> String {
    match flags(arguments) {
        Err(fault) => fault.to_string(),
        Ok(flags) => Settings::new(flags, &Environment::default()).unwrap_err().to_string(),
    }
}

#[test]
fn without_flags_the_documented_defaults_hold() {
    let settings = settings(&[]).unwrap();
    assert_eq!(settings.namespace, "uko-operator");
    assert_eq!(settings.log_level, "info");
    assert_eq!(settings.flags.lease_duration, Duration::from_secs(15));
    assert_eq!(settings.flags.lease_renew_deadline, Duration::from_secs(10));
    assert_eq!(settings.flags.lost_create_timeout, crate::reconcile::leadership::CREATE_PAUSE);
    assert_eq!(settings.flags.min_interval, Duration::from_mins(1));
    assert_eq!(settings.flags.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(settings.flags.link_scope, LinkScope::Connectors);
    assert_eq!(settings.flags.concurrency, 4);
    assert!(settings.watch_namespaces.is_empty());
}

#[test]
fn every_flag_has_its_twin_in_the_environment_and_a_help_text() {
    for argument in Run::command().get_arguments() {
        let Some(long) = argument.get_long() else {
            continue;
        };
        if long == "help" {
            continue;
        }
        let twin = format!("UKO_OPERATOR_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(argument.get_env().unwrap().to_str().unwrap(), twin);
        assert!(argument.get_help().is_some(), "--{long} lacks a help text");
    }
}

#[test]
fn a_refusal_names_the_flag_and_the_cure() {
    for (arguments, flag, cure) in [
        (vec!["--poll-interval", "10"], "--poll-interval", "such as 300ms"),
        (vec!["--poll-interval", "0s"], "--poll-interval", "more than zero"),
        (vec!["--lease-renew-deadline", "15s"], "--lease-renew-deadline", "shorter than --lease-duration"),
        (vec!["--lease-retry-period", "6s"], "--lease-retry-period", "half of --lease-renew-deadline"),
        (vec!["--lease-duration", "15500ms"], "--lease-duration", "whole seconds"),
        (vec!["--connect-timeout", "31s"], "--connect-timeout", "--request-timeout"),
        (vec!["--lost-create-timeout", "29s"], "--lost-create-timeout", "--request-timeout"),
        (vec!["--backoff-initial", "3m"], "--backoff-initial", "--backoff-max"),
        (vec!["--watch-namespace", "Keys"], "--watch-namespace", "lower-case"),
        (vec!["--namespace", "a/b"], "--namespace", "lower-case"),
        (vec!["--cluster-id", "a/b"], "--cluster-id", "kube-system"),
        (vec!["--extra-ca-file", "/no/such.pem"], "--extra-ca-file", "readable PEM file"),
        (vec!["--link-scope", "agents"], "--link-scope", "locations"),
        (vec!["--concurrency", "0"], "--concurrency", "1..=64"),
        (vec!["--listen", "8080"], "--listen", "invalid socket address"),
    ] {
        let refusal = refusal(&arguments);
        assert!(refusal.contains(flag), "{arguments:?}: {refusal}");
        assert!(refusal.contains(cure), "{arguments:?}: {refusal}");
    }
}

#[test]
fn a_file_without_a_certificate_is_no_extra_ca() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    assert!(refusal(&["--extra-ca-file", path]).contains("no PEM certificate"));
}

#[test]
fn watched_namespaces_come_repeated_or_in_one_list() {
    let names = settings(&["--watch-namespace", "b,a", "--watch-namespace", "b"]).unwrap().watch_namespaces;
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn the_own_namespace_comes_from_the_nearest_source() {
    let of = |arguments: &[&str], environment: &Environment| {
        Settings::new(flags(arguments).unwrap(), environment).unwrap().namespace
    };
    let mut environment = Environment::default();
    assert_eq!(of(&["--watch-namespace", "keys"], &environment), "keys");
    assert_eq!(of(&["--watch-namespace", "a,b"], &environment), "uko-operator");
    environment.service_account_namespace = Some("mounted".to_owned());
    assert_eq!(of(&["--watch-namespace", "keys"], &environment), "mounted");
    environment.pod_namespace = Some("pod".to_owned());
    assert_eq!(of(&[], &environment), "pod");
    assert_eq!(of(&["--namespace", "flag"], &environment), "flag");
}
