//! The binary at its edges: wrong use, printing, and a start that finds no cluster.

use std::process::{Command, Output};

fn operator(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_uko-operator"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn wrong_use_is_exit_code_2_with_flag_and_cure() {
    let prices = format!("{}/prices.yaml", env!("CARGO_TARGET_TMPDIR"));
    let table = "pricesAsOf: '2026-03-31'\ncurrency: EUR\nfirstKeystore: '3400'\nfurtherKeystore: free\n";
    std::fs::write(&prices, table).unwrap();
    for (arguments, environment, expected) in [
        (vec!["run", "--poll-interval", "5"], vec![], "300ms"),
        (vec!["run", "--lease-duration", "5s"], vec![], "--lease-renew-deadline"),
        (vec!["run"], vec![("UKO_OPERATOR_LINK_SCOPE", "agents")], "locations"),
        (vec!["run"], vec![("HTTPS_PROXY", "proxy:3128")], "HTTPS_PROXY"),
        (vec!["run", "--prices", &prices], vec![], "prices.yaml cannot be used: furtherKeystore is 'free'"),
        (vec!["run"], vec![("UKO_OPERATOR_PRICES", "/nonexistent")], "--prices"),
        (vec!["run", "--log-level", "uko_operator=loud"], vec![], "--log-level"),
        (
            vec!["run"],
            vec![("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otel:4317"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
        (vec!["walk"], vec![], "unrecognized subcommand"),
    ] {
        let output = operator(&arguments, &environment);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected), "{arguments:?}: {said}");
    }
}

#[test]
fn without_a_cluster_it_ends_with_1_and_says_what_to_do() {
    let output = operator(&["run", "--listen", "127.0.0.1:0", "--log-format", "json"], &[("HOME", "/nonexistent")]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let listen = lines.iter().find_map(|line| line["listen"].as_str()).unwrap();
    assert!(listen.starts_with("127.0.0.1:") && !listen.ends_with(":0"), "{said}");
    let cause = lines.iter().find_map(|line| line["cause"].as_str()).unwrap();
    assert!(cause.contains("KUBECONFIG"), "{cause}");
}

#[test]
fn crds_prints_both_kinds_as_yaml_documents() {
    let output = operator(&["crds"], &[]);
    let documents: Vec<serde_json::Value> = serde_yaml::from_multiple(&text(&output.stdout)).unwrap();
    let names: Vec<&str> = documents.iter().map(|document| document["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["connectorendpoints.uko-operator.io", "azurekeystoreconnections.uko-operator.io"]);
}

#[test]
fn version_is_told() {
    let output = operator(&["version"], &[]);
    assert!(text(&output.stdout).starts_with("uko-operator 0.1.0 ("));
}
