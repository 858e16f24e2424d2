//! Stage `KeyEncryptionKeyHealthy`: the table of states, first match wins.

use serde_json::{Value, json};

use super::{
    sim::{START, Sim},
    word,
    world::{Kek, Part, Trouble, World},
};
use crate::{
    api::{condition::ConditionType, v1alpha1::KekState},
    clouds::azure::Key,
    keystore_connection::plan::kek::state_of,
};

const STAGE: ConditionType = ConditionType::KeyEncryptionKeyHealthy;

fn says(spec: Value, kek: Kek) -> String {
    word(&Sim::of(spec, World { kek, ..World::settled() }).verdict(STAGE))
}

#[test]
fn every_state_has_its_reason() {
    for (kek, wanted) in [
        (Kek::Healthy, "Met KeyEncryptionKeyHealthy"),
        (Kek::MadeByUko, "Met KeyEncryptionKeyHealthy"),
        (Kek::Missing, "Blocked KekMissing AwaitingPerson"),
        (Kek::SoftDeleted, "Blocked KekSoftDeleted AwaitingPerson"),
        (Kek::Hidden, "Blocked KekMissingOrDeleted AwaitingPerson"),
        (Kek::Disabled, "Blocked KekDisabled AwaitingPerson"),
        (Kek::Expired, "Blocked KekExpired AwaitingPerson"),
        (Kek::WrongType, "Blocked KekWrongType AwaitingPerson"),
        (Kek::WrongOperations, "Blocked KekWrongOperations AwaitingPerson"),
        (Kek::WrongSize, "Blocked KekWrongSize AwaitingPerson"),
    ] {
        assert_eq!(says(json!({}), kek), wanted);
    }
}

#[test]
fn the_first_fault_of_a_key_is_the_one_that_is_told() {
    let mut key = Key {
        kty: "RSA".to_owned(),
        size_bits: Some(1024),
        enabled: false,
        ops: vec!["wrapKey".to_owned()],
        expires: Some(START),
        not_before: Some(START + 1),
        ..Key::default()
    };
    let now = START;
    assert_eq!(state_of(&key, now), KekState::WrongType);
    key.kty = "rsa-hsm".to_owned();
    assert_eq!(state_of(&key, now), KekState::WrongOperations);
    key.ops = vec!["Import".to_owned(), "import".to_owned()];
    assert_eq!(state_of(&key, now), KekState::WrongSize);
    key.size_bits = None;
    assert_eq!(state_of(&key, now), KekState::Disabled);
    key.enabled = true;
    assert_eq!(state_of(&key, now), KekState::Expired);
    key.expires = Some(START + 1);
    assert_eq!(state_of(&key, now), KekState::NotYetValid);
    key.not_before = Some(START);
    assert_eq!(state_of(&key, now), KekState::Healthy);
    assert_eq!(
        state_of(&Key { ops: vec!["import".to_owned(), "wrapKey".to_owned()], ..key }, now),
        KekState::WrongOperations
    );
}

#[test]
fn nobody_looks_where_there_is_none_or_the_spec_says_so() {
    let mut sim = Sim::of(json!({"keystore": {"variant": "Standard"}}), World::settled());
    sim.world.vault.as_mut().unwrap().sku = "standard".to_owned();
    assert_eq!(word(&sim.verdict(STAGE)), "Met NotApplicable");
    assert_eq!(says(json!({"keyEncryptionKey": {"policy": "Ignore"}}), Kek::Missing), "Met NotManaged");
}

#[test]
fn what_cannot_be_read_is_unclear_or_told() {
    let dark = |trouble| {
        let mut sim = Sim::of(json!({}), World::settled());
        sim.world.dark.insert(Part::Key, trouble);
        word(&sim.verdict(STAGE))
    };
    assert_eq!(dark(Trouble::Outage), "Unclear CloudUnavailable");
    assert_eq!(dark(Trouble::Forbidden), "Blocked KekUnreadable AwaitingPerson");
}

#[test]
fn a_key_that_uko_has_not_made_yet_is_awaited_for_a_quarter_of_an_hour() {
    let mut sim = Sim::of(json!({}), World { kek: Kek::Missing, ..World::default() });
    sim.run(840);
    assert_eq!(sim.says(STAGE), "False KeyEncryptionKeyInProgress");
    assert!(sim.is(ConditionType::Reconciling, "True"));
    sim.run(360);
    assert_eq!(sim.says(STAGE), "False KekMissing");
}

#[test]
fn a_loss_is_red_at_once_and_does_not_stop_the_look_at_the_rest() {
    let mut sim = Sim::settled(json!({}));
    sim.world.kek = Kek::SoftDeleted;
    sim.pass();
    assert_eq!(sim.says(ConditionType::Ready), "False KekSoftDeleted");
    assert!(!sim.is(ConditionType::Reconciling, "True") && !sim.is(ConditionType::Stalled, "True"));
    assert_eq!(sim.says(ConditionType::KeystoreConnected), "True KeystoreHealthy");
    let kek = sim.status().key_encryption_key.unwrap();
    assert!(kek.state == KekState::SoftDeleted && kek.scheduled_purge_at.is_some());
    sim.world.kek = Kek::Healthy;
    sim.rest();
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn before_a_keystore_is_registered_a_missing_key_is_nobodys_fault() {
    let mut sim = Sim::of(json!({"mode": "Plan"}), World::default());
    sim.pass();
    assert_eq!(sim.says(STAGE), "Unknown WaitingForEarlierStage");
}
