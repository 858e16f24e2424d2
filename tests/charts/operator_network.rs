//! The chart `uko-operator`: what its pods may reach, and a check that the operator can see.
//!
//! In: values. Out: what Helm renders, refuses or warns of. Never: a cluster.

use serde_json::json;

use crate::helm::{chart, documents, helm, of_kind, template};

const CHART: &str = "uko-operator";

#[test]
fn a_check_that_the_operator_would_never_see_is_refused() {
    let set = "watchNamespaces={keys,more},test.namespace=elsewhere";
    let refusal = template(CHART, &["--set", set]).unwrap_err();
    assert!(refusal.contains("test.namespace") && refusal.contains("watchNamespaces"), "{refusal}");
    for set in ["watchNamespaces={keys,more},test.namespace=more", "test.namespace=elsewhere"] {
        assert!(template(CHART, &["--set", set]).is_ok(), "{set}");
    }
}

#[test]
fn a_list_of_ports_that_is_null_is_empty() {
    let set = "networkPolicy.extraEgressPorts=null,networkPolicy.apiServerPorts=null";
    let rendered = documents(CHART, &["--set", set]);
    let ports = &of_kind(&rendered, "NetworkPolicy")[0]["spec"]["egress"][1]["ports"];
    assert_eq!(*ports, json!([{"port": 443, "protocol": "TCP"}]));
}

#[test]
fn the_notes_warn_of_a_proxy_that_the_network_policy_keeps_away() {
    let warning = |set: &str| {
        let path = chart(CHART);
        let fixed = ["install", "uko", path.to_str().unwrap(), "--namespace", "ops", "--dry-run=client", "--set", set];
        let output = helm(&fixed);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (_, notes) = text.split_once("NOTES:").unwrap();
        notes.split_once("WARNING: ").map(|(_, warning)| warning.to_owned())
    };
    for (set, port, cure) in [
        ("proxy.httpsProxy=http://proxy:3128", "port 3128,", "{3128}"),
        ("proxy.httpsProxy=http://proxy/", "port 80,", "{80}"),
        ("proxy.httpsProxy=http://[fd00::1]:3128,networkPolicy.extraEgressPorts={8443}", "port 3128,", "{8443,3128}"),
    ] {
        let warning = warning(set).unwrap_or_default();
        assert!(warning.contains(port) && warning.contains(&format!("extraEgressPorts={cure}")), "{set}: {warning}");
    }
    for set in [
        "proxy.httpsProxy=https://proxy",
        "proxy.httpsProxy=http://proxy:3128,networkPolicy.extraEgressPorts={3128}",
        "proxy.httpsProxy=http://proxy:3128,networkPolicy.enabled=false",
        "proxy.existingSecret=proxy",
    ] {
        assert_eq!(warning(set), None, "{set}");
    }
}
