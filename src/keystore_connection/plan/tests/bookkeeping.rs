//! What many passes leave in status: quick looks, drift, memory, requests, the held Ready.

use serde_json::json;

use super::{
    sim::Sim,
    world::{Part, Trouble, Whose, World},
};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::AzureKeystoreConnectionStatus,
    },
    reconcile::summary::Done,
};

fn without_stamps(mut status: AzureKeystoreConnectionStatus) -> AzureKeystoreConnectionStatus {
    status.last_checked_at = None;
    if let Some(memory) = &mut status.memory {
        memory.full_look_at = None;
    }
    if let Some(uko) = &mut status.uko {
        uko.last_heartbeat = None;
    }
    if let Some(kek) = &mut status.key_encryption_key {
        kek.observed_at = None;
    }
    status
}

#[test]
fn a_settled_object_looks_quickly_and_its_status_stands_still() {
    let mut sim = Sim::settled(json!({}));
    let next = sim.pass().next;
    sim.wait(next);
    let before = without_stamps(sim.status());
    sim.steps.clear();
    let mut quick = 0;
    for _ in 0..50 {
        let passed = sim.pass();
        quick += i32::from(passed.quick);
        assert_eq!(without_stamps(sim.status()), before);
        sim.wait(passed.next);
    }
    assert!(quick >= 40, "{quick}");
    assert_eq!(sim.steps, []);
}

#[test]
fn a_quick_look_keeps_what_only_a_full_look_can_see() {
    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    sim.world.endpoint.as_mut().unwrap().tags.insert("team".to_owned(), "others".to_owned());
    sim.run(1900);
    for _ in 0..20 {
        assert_eq!(sim.status().drift.len(), 1);
        assert!(sim.is(ConditionType::Drifted, "True"));
        let next = sim.pass().next;
        sim.wait(next);
    }
}

#[test]
fn conditions_that_somebody_wiped_come_back_truthfully() {
    let mut sim = Sim::settled(json!({}));
    let next = sim.pass().next;
    sim.wait(next);
    sim.object.status.as_mut().unwrap().conditions.clear();
    sim.run(30);
    for stage in condition::KEYSTORE_CONNECTION_STAGES {
        assert!(sim.is(stage, "True"), "{}", sim.says(stage));
    }
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn a_request_is_answered_by_a_full_look_and_acknowledged() {
    let mut sim = Sim::settled(json!({}));
    let next = sim.pass().next;
    sim.wait(next);
    assert!(sim.pass().quick);
    sim.annotate("reconcile-requested-at", "now");
    assert!(!sim.pass().quick);
    assert_eq!(sim.status().last_handled_reconcile_at.as_deref(), Some("now"));
    sim.now += 60;
    assert!(sim.pass().quick);
}

#[test]
fn ready_is_held_for_five_minutes_of_outage_and_not_longer() {
    let mut sim = Sim::settled(json!({}));
    sim.world.dark.insert(Part::Vault, Trouble::Outage);
    sim.run(290);
    assert!(sim.is(ConditionType::Ready, "True") && !sim.is(ConditionType::Reconciling, "True"));
    assert_eq!(sim.says(ConditionType::VaultReady), "Unknown CloudUnavailable");
    sim.run(200);
    assert!(sim.is(ConditionType::Ready, "Unknown") && sim.is(ConditionType::Reconciling, "True"));
    sim.run(2400);
    assert!(sim.is(ConditionType::Ready, "False") && !sim.is(ConditionType::Reconciling, "True"));
    sim.world.dark.clear();
    sim.rest();
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn an_outage_that_wanders_from_stage_to_stage_does_not_hold_ready_for_ever() {
    let mut sim = Sim::settled(json!({}));
    for _ in 0..20 {
        for part in [Part::Vault, Part::Keystore, Part::Key] {
            sim.world.dark.clear();
            sim.world.dark.insert(part, Trouble::Outage);
            sim.run(40);
        }
    }
    assert!(!sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
}

#[test]
fn ready_is_not_held_over_a_spec_that_was_never_applied() {
    let mut sim = Sim::settled(json!({}));
    sim.spec(json!({"keystore": {"description": "new"}}));
    sim.world.dark.insert(Part::Keystore, Trouble::Outage);
    sim.pass();
    assert!(!sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
    assert!(sim.is(ConditionType::Reconciling, "True"));
}

#[test]
fn a_long_wait_for_a_person_does_not_use_up_the_time_for_progress() {
    let mut sim = Sim::of(json!({"privateEndpoint": {"approval": "Manual"}}), World::default());
    sim.run(3 * 24 * 3600);
    assert_eq!(sim.says(ConditionType::Ready), "False AwaitingApproval");
    sim.world.endpoint.as_mut().unwrap().status = "Approved".to_owned();
    sim.world.connection.as_mut().unwrap().status = "Approved".to_owned();
    sim.world.dark.insert(Part::UkoVaults, Trouble::Outage);
    sim.run(700);
    assert!(sim.is(ConditionType::Reconciling, "True"), "{}", sim.says(ConditionType::Ready));
}

#[test]
fn a_changed_spec_has_its_own_time_for_progress() {
    let mut sim = Sim::of(json!({}), World { vault: None, ..World::settled() });
    sim.run(3600);
    assert!(!sim.is(ConditionType::Reconciling, "True"));
    sim.spec(json!({"intervalSeconds": 301}));
    sim.pass();
    assert!(sim.is(ConditionType::Reconciling, "True"));
}

#[test]
fn a_foreign_keystore_is_not_written_into_status() {
    let mut sim = Sim::of(json!({}), World::settled());
    sim.world.keystores[0].whose = Whose::Others;
    sim.run(600);
    assert_eq!(sim.status().uko.and_then(|uko| uko.keystore_id), None);
}

#[test]
fn plan_mode_that_waits_for_a_cloud_does_not_claim_changes() {
    let mut sim =
        Sim::of(json!({"mode": "Plan"}), World { health: Some("pending_check".to_owned()), ..World::settled() });
    // What Manage would send once is not at issue here.
    sim.object.status = Sim::settled(json!({})).object.status;
    sim.now += 4000;
    let passed = sim.pass();
    assert!(passed.step.is_none() && matches!(passed.done, Done::Nothing), "{:?}", passed.step);
    assert_eq!(sim.says(ConditionType::Ready), "False HealthCheckInProgress");
    assert!(!sim.is(ConditionType::Reconciling, "True"));
}
