//! What the process says of itself: probes and metrics, in the names that alerts are written with.

use crate::harness::{
    World,
    story::{CONNECTION, ENDPOINT, NAME, text},
};

#[tokio::test]
async fn metrics_tell_reconciles_calls_durations_and_states_in_stable_names() {
    let world = World::start("metrics").await;
    world.apply_fixture().await;
    world.is_ready().await;
    let here = format!("namespace=\"{}\",name=\"{NAME}\"", world.namespace);
    let seed = world.cloud.seed();
    let (connector, region) = (text(&seed, "/ibm/connector/name"), text(&seed, "/ibm/region"));
    let wanted = [
        "uko_operator_build_info{version=\"".to_owned(),
        "uko_operator_leader 1".to_owned(),
        "uko_operator_policy_valid 1".to_owned(),
        format!("uko_operator_reconciles_total{{kind=\"{CONNECTION}\",outcome=\"settled\"}}"),
        format!("uko_operator_reconcile_duration_seconds_count{{kind=\"{CONNECTION}\"}}"),
        "uko_operator_cloud_requests_total{cloud=\"arm\",operation=\"GetVault\",status=\"2xx\"}".to_owned(),
        "uko_operator_cloud_requests_total{cloud=\"uko\",operation=\"CreateKeystore\",status=\"2xx\"} 1".to_owned(),
        "uko_operator_cloud_request_duration_seconds_count{cloud=\"link\",operation=\"CreateEndpoint\"} 1".to_owned(),
        format!(
            "uko_operator_condition{{kind=\"{CONNECTION}\",{here},condition=\"Ready\",status=\"True\",reason=\"KeysCanFlow\"}} 1"
        ),
        format!("uko_operator_key_encryption_key_state{{{here},state=\"Healthy\"}} 1"),
        format!("uko_operator_next_reconcile_timestamp_seconds{{kind=\"{CONNECTION}\",{here}}} "),
        format!("uko_operator_time_to_ready_seconds_count{{kind=\"{CONNECTION}\"}} 1"),
        format!("uko_operator_time_to_ready_seconds_count{{kind=\"{ENDPOINT}\"}} 1"),
        format!("uko_operator_connector_endpoints_used{{{here},connector=\"{connector}\",region=\"{region}\"}} 1"),
        format!("uko_operator_connector_endpoints_limit{{{here},connector=\"{connector}\",region=\"{region}\"}} 25"),
    ];
    // The pass that made it Ready is counted a moment after its status was written.
    world
        .eventually("every metric is there", async || {
            let metrics = world.operator.as_ref().unwrap().metrics().await;
            let missing: Vec<&String> = wanted.iter().filter(|one| !metrics.contains(one.as_str())).collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("{missing:#?} in\n{metrics}")) }
        })
        .await;

    let metrics = world.operator.as_ref().unwrap().metrics().await;
    let series = metrics.lines().filter(|line| line.contains(&here)).count();
    assert_eq!(series, 8 + 11, "docs/guides/metrics.md says how many series each object has:\n{metrics}");

    world.merge(CONNECTION, NAME, &serde_json::json!({"spec": {"suspend": true}})).await;
    let gone = format!("{here},condition=\"Ready\",status=\"True\",reason=\"KeysCanFlow\"");
    world
        .eventually("a state that is over is no series any more", async || {
            let metrics = world.operator.as_ref().unwrap().metrics().await;
            if metrics.contains(&gone) || !metrics.contains("reason=\"Suspended\"") { Err(metrics) } else { Ok(()) }
        })
        .await;

    for kind in [CONNECTION, ENDPOINT] {
        world.delete(kind, NAME).await;
    }
    world
        .eventually("what is deleted has no series any more", async || {
            let metrics = world.operator.as_ref().unwrap().metrics().await;
            if metrics.contains(&here) { Err(metrics) } else { Ok(()) }
        })
        .await;
}
