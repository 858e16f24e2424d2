//! Stage `NetworkAccessApplied`: closed only on proof, and what happens afterwards.

use serde_json::{Value, json};

use super::{
    sim::Sim,
    world::{Part, Trouble, World, Write, connector_endpoint},
};
use crate::reconcile::scenario::patched;
use crate::{api::condition::ConditionType, keystore_connection::plan::Step};

const STAGE: ConditionType = ConditionType::NetworkAccessApplied;

fn closing(world: World) -> Sim {
    Sim::of(json!({"azure": {"publicNetworkAccess": "Disabled"}}), world)
}

fn closings(sim: &Sim) -> usize {
    sim.steps.iter().filter(|step| matches!(step, Step::ClosePublicAccess)).count()
}

fn public(sim: &Sim) -> String {
    sim.world.vault.as_ref().unwrap().public.clone()
}

fn open(sim: &mut Sim) {
    sim.world.vault.as_mut().unwrap().public = "Enabled".to_owned();
}

#[test]
fn a_proven_path_closes_the_public_address_as_the_last_step() {
    let mut sim = closing(World::default());
    let steps = sim.rest();
    assert!(matches!(steps.last(), Some(Step::ClosePublicAccess)), "{steps:?}");
    assert_eq!(closings(&sim), 1);
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn it_is_left_alone_unless_the_spec_asks() {
    let mut sim = Sim::of(json!({}), World::default());
    sim.rest();
    assert_eq!((closings(&sim), sim.says(STAGE)), (0, "True NotManaged".to_owned()));
}

#[test]
fn every_gap_in_the_proof_keeps_it_open() {
    let changes: [fn(&mut World); 9] = [
        |world| world.linked = false,
        |world| world.record = None,
        |world| world.record = Some(vec!["10.9.9.9".to_owned()]),
        |world| world.record = Some(vec!["10.1.0.4".to_owned(), "10.9.9.9".to_owned()]),
        |world| world.darken(Part::Record, Trouble::Outage),
        |world| world.darken(Part::Links, Trouble::Forbidden),
        |world| world.heartbeat_age = 100_000,
        |world| world.health = Some("not_responding".to_owned()),
        |world| world.health = Some("pending_check".to_owned()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut sim = closing(World::settled());
        change(&mut sim.world);
        sim.run(3 * 3600);
        assert_eq!(closings(&sim), 0, "change {number}");
        assert!(!sim.is(ConditionType::Ready, "True"), "change {number}");
    }
}

#[test]
fn a_destination_that_is_the_address_itself_needs_no_name() {
    let mut sim = closing(World { record: None, linked: false, ..World::settled() });
    sim.world.connector_endpoint =
        Some(patched(connector_endpoint(), json!({"spec": {"destination": {"host": "10.1.0.4"}}})));
    sim.rest();
    assert_eq!(closings(&sim), 1);
}

#[test]
fn without_a_private_endpoint_of_ours_nobody_can_prove_the_path() {
    let mut sim =
        Sim::of(json!({"azure": {"publicNetworkAccess": "Disabled"}, "privateEndpoint": null}), World::settled());
    sim.run(3600);
    assert_eq!((closings(&sim), sim.says(STAGE)), (0, "False PrivatePathUnproven".to_owned()));
}

#[test]
fn what_is_closed_already_or_guarded_otherwise_is_met() {
    for (word, reason) in [("Disabled", "True PublicAccessDisabled"), ("SecuredByPerimeter", "True SecuredByPerimeter")]
    {
        let mut sim = closing(World::settled());
        sim.world.vault.as_mut().unwrap().public = word.to_owned();
        sim.rest();
        assert_eq!((closings(&sim), sim.says(STAGE).as_str()), (0, reason));
    }
}

#[test]
fn the_heartbeat_must_be_newer_than_the_facts() {
    let mut sim = closing(World { linked: false, ..World::settled() });
    sim.run(600);
    sim.world.linked = true;
    sim.world.heartbeat_age = 300;
    let first = sim.pass();
    assert!(first.step.is_none(), "{:?}", first.step);
    assert_eq!(sim.says(STAGE), "False PublicAccessInProgress");
    sim.wait(first.next);
    sim.world.heartbeat_age = 0;
    sim.rest();
    assert_eq!(closings(&sim), 1);
}

#[test]
fn a_test_that_is_skipped_leaves_the_proof_to_ukos_health() {
    let mut sim =
        Sim::of(json!({"connectionTest": "Skip", "azure": {"publicNetworkAccess": "Disabled"}}), World::default());
    sim.rest();
    assert_eq!(closings(&sim), 1);
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn two_reversals_by_others_stop_us_until_the_spec_is_touched() {
    let mut sim = closing(World::settled());
    sim.rest();
    assert_eq!(closings(&sim), 1);
    sim.run(3600);
    open(&mut sim);
    sim.run(3600);
    assert_eq!((closings(&sim), public(&sim).as_str()), (2, "Disabled"), "the first reversal is set back");
    open(&mut sim);
    sim.run(3 * 3600);
    assert_eq!((closings(&sim), sim.says(STAGE)), (2, "False PublicAccessDrift".to_owned()));
    // Time changes nothing about that; the spec does.
    sim.spec(json!({"intervalSeconds": 301}));
    sim.rest();
    assert_eq!((closings(&sim), public(&sim).as_str()), (3, "Disabled"));
    assert!(sim.is(ConditionType::Ready, "True"));
}

/// The vault's own answer may lag behind our change.
#[test]
fn an_answer_that_lags_is_no_reversal() {
    let mut sim = closing(World::settled());
    while closings(&sim) == 0 {
        let next = sim.pass().next;
        sim.wait(next);
    }
    open(&mut sim);
    let next = sim.pass().next;
    sim.wait(next);
    sim.world.vault.as_mut().unwrap().public = "Disabled".to_owned();
    sim.rest();
    assert_eq!(closings(&sim), 1);
    assert_eq!(sim.memory().reopened_by_others.unwrap_or_default(), 0);
}

#[test]
fn a_path_lost_after_closing_is_told_with_the_command_and_never_opened_or_closed_again_by_itself() {
    let mut sim = closing(World::settled());
    sim.rest();
    sim.world.health = Some("not_responding".to_owned());
    sim.run(3600);
    assert_eq!(sim.says(ConditionType::KeystoreConnected), "False PathLostAfterClosing");
    assert_eq!(public(&sim), "Disabled");
    // A person follows the advice.
    open(&mut sim);
    sim.world.health = None;
    sim.run(4 * 3600);
    assert_eq!((closings(&sim), public(&sim).as_str()), (1, "Enabled"));
    assert_eq!(sim.says(STAGE), "False PathLostAfterClosing");
    // Having mended the path they touch the spec.
    sim.spec(json!({"intervalSeconds": 301}));
    sim.rest();
    assert_eq!((closings(&sim), public(&sim).as_str()), (2, "Disabled"));
}

/// Closes; then the answer is lost and, if so wanted, what the pass wrote to status as well.
fn close_unheard(sim: &mut Sim, record_too: bool) {
    for _ in 0..100 {
        sim.world.writes = vec![Write::LostAfter];
        let before = sim.object.status.clone();
        let passed = sim.pass();
        if matches!(passed.step, Some(Step::ClosePublicAccess)) {
            sim.world.writes.clear();
            if record_too {
                sim.object.status = before;
            }
            return sim.wait(passed.next);
        }
        sim.wait(passed.next);
    }
    panic!("never closed: {}", sim.says(STAGE));
}

#[test]
fn a_closing_whose_answer_or_record_is_lost_is_still_ours() {
    for record_too in [false, true] {
        let mut sim = Sim::settled(json!({}));
        sim.spec(json!({"azure": {"publicNetworkAccess": "Disabled"}}));
        close_unheard(&mut sim, record_too);
        assert_eq!((closings(&sim), public(&sim).as_str()), (1, "Disabled"));
        sim.world.health = Some("not_responding".to_owned());
        sim.run(600);
        assert_eq!(sim.says(ConditionType::KeystoreConnected), "False PathLostAfterClosing", "{record_too}");
        open(&mut sim);
        sim.world.health = None;
        sim.run(4 * 3600);
        assert_eq!((closings(&sim), public(&sim).as_str()), (1, "Enabled"), "{record_too}");
        assert_eq!(sim.says(STAGE), "False PathLostAfterClosing");
    }
}

#[test]
fn what_opens_an_address_that_others_closed_is_on_record_before_it_is_closed() {
    let mut sim = closing(World::settled());
    sim.world.vault.as_mut().unwrap().public = "Disabled".to_owned();
    sim.rest();
    sim.run(3600);
    assert!(sim.memory().closed_at.is_none(), "others did that");
    open(&mut sim);
    close_unheard(&mut sim, true);
    sim.world.health = Some("not_responding".to_owned());
    sim.run(600);
    assert_eq!(sim.says(ConditionType::KeystoreConnected), "False PathLostAfterClosing");
}

#[test]
fn a_loss_long_after_closing_is_not_blamed_on_it() {
    let mut sim = closing(World::settled());
    sim.rest();
    sim.run(3600);
    sim.world.health = Some("not_responding".to_owned());
    sim.run(600);
    assert_eq!(sim.says(ConditionType::KeystoreConnected), "False UkoNotResponding");
}

#[test]
fn a_spec_that_no_longer_asks_forgets_all_of_it() {
    let mut sim = closing(World::settled());
    sim.rest();
    sim.spec(json!({"azure": {"publicNetworkAccess": Value::Null}}));
    sim.rest();
    let memory = sim.memory();
    assert!(memory.closed_at.is_none() && memory.path_facts_since.is_none() && memory.reopened_by_others.is_none());
    assert_eq!(public(&sim), "Disabled");
}

#[test]
fn the_public_address_is_not_closed_again_under_report() {
    let mut sim =
        Sim::of(json!({"driftPolicy": "Report", "azure": {"publicNetworkAccess": "Disabled"}}), World::default());
    sim.rest();
    assert_eq!(closings(&sim), 1);
    sim.run(3600);
    open(&mut sim);
    sim.run(3 * 3600);
    assert_eq!(closings(&sim), 1);
    assert!(sim.is(ConditionType::Drifted, "True"), "{}", sim.says(STAGE));
}
