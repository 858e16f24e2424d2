//! Stage `ConnectorEndpointReady`.

use serde_json::{Value, json};

use super::{
    sim::Sim,
    word,
    world::{Part, Trouble, World, connector_endpoint},
};
use crate::api::condition::ConditionType;
use crate::reconcile::scenario::patched;

fn says(spec: Value, change: impl FnOnce(&mut World)) -> String {
    let mut world = World::settled();
    change(&mut world);
    word(&Sim::of(spec, world).verdict(ConditionType::ConnectorEndpointReady))
}

fn with(patch: Value) -> String {
    says(json!({}), |world| world.connector_endpoint = Some(patched(connector_endpoint(), patch)))
}

#[test]
fn a_path_that_is_not_ours_is_not_judged() {
    assert_eq!(says(json!({"connectorEndpointRef": null}), |_| {}), "Met NotApplicable");
    assert_eq!(
        says(json!({"connectorEndpointRef": null, "tlsProxy": "proxy.example.com:443"}), |_| {}),
        "Met ExternallyManaged"
    );
}

#[test]
fn an_endpoint_that_is_not_there_or_cannot_be_read_is_no_path() {
    assert_eq!(says(json!({}), |world| world.connector_endpoint = None), "Blocked ConnectorEndpointNotFound NotFound");
    let dark = |trouble| says(json!({}), |world| world.darken(Part::ConnectorEndpoint, trouble));
    assert_eq!(dark(Trouble::Outage), "Unclear CloudUnavailable");
    assert_eq!(dark(Trouble::Forbidden), "Blocked RoleMissing AwaitingPerson");
}

#[test]
fn it_must_lead_to_this_vault_and_leave_its_tls_alone() {
    assert_eq!(with(json!({})), "Met ConnectorEndpointReady");
    assert_eq!(
        with(json!({"spec": {"destination": {"host": "PAYMENTS-KV.privatelink.vaultcore.azure.net"}}})),
        "Met ConnectorEndpointReady"
    );
    assert_eq!(with(json!({"spec": {"destination": {"host": "10.1.0.4"}}})), "Met ConnectorEndpointReady");
    let misdirected = "Blocked DestinationMismatch Invalid";
    assert_eq!(with(json!({"spec": {"destination": {"host": "10.1.0.5"}}})), misdirected);
    assert_eq!(with(json!({"spec": {"destination": {"host": "payments-kv.vault.azure.net"}}})), misdirected);
    assert_eq!(with(json!({"spec": {"destination": {"port": 8443}}})), misdirected);
    assert_eq!(with(json!({"spec": {"protocol": "TLS"}})), "Blocked ProtocolNotTCP Invalid");
}

#[test]
fn an_address_counts_only_while_the_endpoint_speaks_of_its_current_spec_and_is_ready() {
    let ready = |status: &str| json!({"type": "Ready", "status": status, "reason": "R", "message": "", "lastTransitionTime": "2027-01-15T08:00:00Z"});
    let waits = "Wait ConnectorEndpointInProgress";
    assert_eq!(with(json!({"metadata": {"generation": 2}})), waits);
    assert_eq!(with(json!({"status": {"conditions": [ready("False")]}})), waits);
    assert_eq!(with(json!({"status": {"conditions": [ready("Unknown")]}})), waits);
    assert_eq!(with(json!({"status": {"address": null}})), waits);
    assert_eq!(with(json!({"status": {"enabled": false}})), waits);
    assert_eq!(with(json!({"status": null})), waits);
    assert_eq!(with(json!({"spec": {"enabled": false}})), "Blocked ConnectorEndpointDisabled AwaitingPerson");
    let mut stalled = ready("True");
    stalled["type"] = json!("Stalled");
    assert_eq!(
        with(json!({"status": {"conditions": [ready("False"), stalled]}})),
        "Blocked ConnectorEndpointStalled AwaitingPerson"
    );
}
