//! A lost key-encryption key is brought back where the spec says so, and only there.

use serde_json::{Value, json};

use super::{
    sim::{START, Sim, at},
    world::{Kek, Part, Trouble, Whose, World, Write},
};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::KekState,
    },
    keystore_connection::plan::Step,
};

const STAGE: ConditionType = ConditionType::KeyEncryptionKeyHealthy;
const DAY: i64 = 86_400;

fn policy(word: &str) -> Value {
    json!({"keyEncryptionKey": {"policy": word}})
}

fn made(state: KekState) -> Step {
    Step::RecreateKey { size_bits: 4096, state }
}

/// Ready under a policy; then the key is lost.
fn lost(word: &str, kek: Kek) -> Sim {
    let mut sim = Sim::settled(policy(word));
    sim.steps.clear();
    sim.world.kek = kek;
    sim
}

fn message(sim: &Sim) -> String {
    condition::get(&sim.status().conditions, STAGE).unwrap().message.clone()
}

#[test]
fn a_deleted_key_is_recovered_and_nothing_softens_the_loss_meanwhile() {
    for word in ["Recover", "Recreate"] {
        let mut sim = lost(word, Kek::SoftDeleted);
        sim.pass();
        assert_eq!(sim.says(ConditionType::Ready), "False KekSoftDeleted", "{word}");
        assert!(!sim.is(ConditionType::Reconciling, "True") && message(&sim).contains("is bringing it back"));
        sim.rest();
        assert_eq!(sim.steps, [Step::RecoverKey], "{word}");
        assert_eq!((sim.says(STAGE), sim.is(ConditionType::Ready, "True")), ("True KekRecovered".to_owned(), true));
        assert!(message(&sim).contains("on 2027-01-15T"), "{}", message(&sim));
        sim.run(DAY + 600);
        assert_eq!((sim.says(STAGE), sim.memory().kek_repair), ("True KeyEncryptionKeyHealthy".to_owned(), None));
    }
}

#[test]
fn a_key_that_is_gone_is_made_again_only_if_that_is_asked_for() {
    let mut sim = lost("Recover", Kek::Missing);
    sim.run(7200);
    assert_eq!((sim.steps.as_slice(), sim.says(STAGE)), ([].as_slice(), "False KekMissing".to_owned()));

    let mut sim = lost("Recreate", Kek::Missing);
    sim.rest();
    assert_eq!(sim.steps, [made(KekState::Missing)]);
    assert_eq!(sim.says(STAGE), "True KekRecreated", "a version of our own is no news");
    assert!(message(&sim).contains("distribute again in UKO"));

    sim.spec(json!({"keyEncryptionKey": {"keySizeBits": 3072}}));
    sim.rest();
    sim.steps.clear();
    (sim.world.kek, sim.now) = (Kek::Missing, sim.now + DAY);
    sim.rest();
    assert_eq!(sim.steps, [Step::RecreateKey { size_bits: 3072, state: KekState::Missing }]);
}

#[test]
fn who_only_looks_or_plans_touches_nothing_and_says_what_would_be_done() {
    for kek in [Kek::SoftDeleted, Kek::Missing, Kek::Hidden] {
        let mut sim = lost("Observe", kek);
        sim.run(7200);
        assert_eq!(sim.steps, []);
    }
    let mut sim = lost("Recreate", Kek::SoftDeleted);
    sim.spec(json!({"mode": "Plan"}));
    sim.run(3600);
    assert_eq!((sim.steps.as_slice(), sim.says(ConditionType::Ready)), ([].as_slice(), "False KekSoftDeleted".into()));
    assert!(message(&sim).contains("In mode Manage the operator would"), "{}", message(&sim));
    let plan = sim.status().plan;
    assert!(plan.len() == 1 && plan[0].detail.contains("recover it"), "{plan:?}");
}

#[test]
fn what_is_there_is_never_touched() {
    for kek in [Kek::Disabled, Kek::Expired, Kek::WrongType, Kek::WrongOperations, Kek::WrongSize, Kek::Healthy] {
        let mut sim = lost("Recreate", kek);
        sim.run(7200);
        assert_eq!(sim.steps, [], "{kek:?}");
    }
}

#[test]
fn a_key_that_uko_may_be_about_to_make_is_left_to_it() {
    let mut sim = Sim::of(policy("Recreate"), World { kek: Kek::Missing, ..World::default() });
    let key = |sim: &Sim| sim.steps.iter().filter(|step| matches!(step, Step::RecreateKey { .. })).count();
    sim.run(840);
    assert_eq!((key(&sim), sim.says(STAGE)), (0, "False KeyEncryptionKeyInProgress".to_owned()));
    sim.run(600);
    assert_eq!((key(&sim), sim.is(ConditionType::Ready, "True")), (1, true), "{}", sim.says(STAGE));

    // Nor while UKO cannot reach the vault yet.
    let unwell = World { kek: Kek::Missing, health: Some("not_responding".to_owned()), ..World::default() };
    let mut sim = Sim::of(policy("Recreate"), unwell);
    sim.run(840);
    assert_eq!((key(&sim), sim.says(STAGE)), (0, "False KekMissing".to_owned()));
    sim.run(900);
    assert_eq!(key(&sim), 1);
}

#[test]
fn where_nobody_can_tell_making_one_is_tried_and_a_deleted_key_keeps_its_name() {
    let mut sim = lost("Recreate", Kek::Hidden);
    sim.rest();
    assert_eq!((sim.steps, sim.world.kek), (vec![made(KekState::MissingOrDeleted)], Kek::Healthy));

    let mut sim = lost("Recreate", Kek::HiddenDeleted);
    sim.pass();
    let first = message(&sim);
    assert!(first.contains("a deleted key holds the name") && first.contains("az keyvault key recover"), "{first}");
    assert!(!first.contains("make it again"), "{first}");
    sim.run(3600);
    assert_eq!((message(&sim), sim.says(STAGE)), (first, "False KekMissingOrDeleted".to_owned()));
    // After 5, 15, 35 and 65 minutes, at the next look.
    assert!((3..=5).contains(&sim.steps.len()), "{}", sim.steps.len());
    let tried = sim.steps.len();
    sim.pass();
    sim.annotate("reconcile-requested-at", "now");
    sim.pass();
    assert_eq!(sim.steps.len(), tried + 1, "a person's request is a new attempt");
}

#[test]
fn a_data_plane_that_only_did_not_answer_is_asked_again_first() {
    let mut sim = lost("Recreate", Kek::SoftDeleted);
    sim.world.darken(Part::DataKey, Trouble::Outage);
    sim.run(1800);
    assert_eq!((sim.steps.as_slice(), sim.says(STAGE)), ([].as_slice(), "False KekMissingOrDeleted".to_owned()));
    sim.world.dark.clear();
    sim.rest();
    assert_eq!((sim.steps.as_slice(), sim.world.kek), ([Step::RecoverKey].as_slice(), Kek::Healthy));
}

#[test]
fn whoever_deletes_it_again_and_again_is_not_fought() {
    let mut sim = lost("Recover", Kek::SoftDeleted);
    for _ in 0..600 {
        let next = sim.pass().next;
        sim.wait(next.max(std::time::Duration::from_secs(90)));
        sim.world.kek = Kek::SoftDeleted;
    }
    assert_eq!(sim.steps.len(), 3);
    assert_eq!(sim.says(ConditionType::Ready), "False KekSoftDeleted");
    assert!(message(&sim).contains("3 times") && message(&sim).contains("reconcile-requested-at"), "{}", message(&sim));
    sim.annotate("reconcile-requested-at", "now");
    sim.rest();
    assert_eq!((sim.steps.len(), sim.says(STAGE)), (4, "True KekRecovered".to_owned()));
}

#[test]
fn a_refusal_is_told_with_its_right_and_keeps_nothing_else_waiting() {
    let mut sim = lost("Recover", Kek::SoftDeleted);
    sim.world.kek_locked = true;
    sim.world.endpoint.as_mut().unwrap().tags.clear();
    sim.run(600);
    assert!(sim.steps.iter().any(|step| matches!(step, Step::TagPrivateEndpoint { .. })), "{:?}", sim.steps);
    assert_eq!(sim.says(STAGE), "False KekSoftDeleted");
    assert!(message(&sim).contains("key permission recover") && message(&sim).contains("az keyvault key recover"));
    sim.world.kek_locked = false;
    sim.run(1800);
    assert_eq!(sim.says(STAGE), "True KekRecovered");
}

#[test]
fn a_loss_goes_before_all_other_work() {
    let mut sim = lost("Recover", Kek::SoftDeleted);
    sim.world.endpoint = None;
    sim.pass();
    assert_eq!(sim.steps, [Step::RecoverKey]);
    let plan = sim.status().plan;
    assert!(plan[0].detail.contains("recover it") && plan[1].resource.contains("private endpoint"), "{plan:?}");
}

#[test]
fn a_lost_answer_is_waited_for_and_then_repeated() {
    for (write, times) in [(Write::LostBefore, 2), (Write::LostAfter, 1)] {
        let mut sim = lost("Recover", Kek::SoftDeleted);
        sim.world.writes = vec![write];
        let before = sim.now;
        sim.rest();
        assert_eq!((sim.steps.len(), sim.says(STAGE)), (times, "True KekRecovered".to_owned()), "{write:?}");
        assert!(sim.now - before < 600);
    }
}

#[test]
fn nothing_is_done_for_a_keystore_of_others_or_behind_a_refused_credential() {
    let mut sim = lost("Recreate", Kek::SoftDeleted);
    sim.world.keystores[0].whose = Whose::Others;
    sim.run(3600);
    assert_eq!((sim.steps.as_slice(), sim.says(STAGE)), ([].as_slice(), "False KekSoftDeleted".to_owned()));

    let mut sim = lost("Recreate", Kek::SoftDeleted);
    sim.world.darken(Part::ServicePrincipal, Trouble::Denied);
    sim.run(3600);
    assert_eq!((sim.steps.as_slice(), sim.says(STAGE)), ([].as_slice(), "False KekSoftDeleted".to_owned()));
}

#[test]
fn another_version_is_told_for_a_week_and_ready_stays() {
    let mut sim = Sim::settled(json!({}));
    sim.world.kek_version = 2;
    sim.pass();
    let first = message(&sim);
    assert_eq!((sim.says(STAGE), sim.is(ConditionType::Ready, "True")), ("True KekVersionChanged".to_owned(), true));
    assert!(first.contains(&at(sim.now).to_string()) && first.contains("version, 2:"), "{first}");
    sim.run(6 * DAY);
    assert_eq!(message(&sim), first, "the message stays as it is");
    sim.run(DAY + 600);
    assert_eq!(sim.says(STAGE), "True KeyEncryptionKeyHealthy");
    sim.world.kek_version = 3;
    sim.pass();
    assert_eq!(sim.says(STAGE), "True KekVersionChanged");
    sim.world.kek_version = 2;
    sim.pass();
    assert_eq!((sim.says(STAGE), sim.memory().kek_changed_at), ("True KeyEncryptionKeyHealthy".to_owned(), None));
}

#[test]
fn a_person_who_made_it_again_is_told_that_it_is_another_one() {
    let mut sim = lost("Observe", Kek::Missing);
    sim.run(900);
    (sim.world.kek, sim.world.kek_version) = (Kek::Healthy, 2);
    sim.rest();
    assert_eq!(sim.says(STAGE), "True KekVersionChanged");
}

#[test]
fn what_is_coming_is_the_reason_and_ready_stays() {
    let mut sim = Sim::settled(json!({}));
    sim.world.kek_purgeable = true;
    sim.pass();
    assert_eq!(sim.says(STAGE), "True KekPurgeable");
    sim.world.kek_expires = Some(START + 20 * DAY);
    sim.pass();
    assert_eq!((sim.says(STAGE), sim.is(ConditionType::Ready, "True")), ("True KekExpiring".to_owned(), true));
    for word in ["2027-02-04T08:00:00Z", "Purge protection is off"] {
        assert!(message(&sim).contains(word), "{}", message(&sim));
    }
    sim.world.kek_expires = Some(START + 40 * DAY);
    sim.pass();
    assert_eq!(sim.says(STAGE), "True KekPurgeable");
}

#[test]
fn the_key_is_looked_at_as_often_as_asked_and_never_later() {
    let mut sim = Sim::settled(json!({"intervalSeconds": 3600, "keyEncryptionKey": {"checkIntervalSeconds": 90}}));
    for _ in 0..200 {
        let next = sim.pass().next;
        assert!((60..=90).contains(&next.as_secs()) && next.as_secs_f64() <= 90.0, "{next:?}");
        sim.wait(next);
    }
    let mut sim = lost("Observe", Kek::Missing);
    sim.spec(json!({"intervalSeconds": 3600, "keyEncryptionKey": {"checkIntervalSeconds": 90}}));
    sim.run(1200);
    for _ in 0..50 {
        let next = sim.pass().next;
        assert!(next.as_secs_f64() <= 90.0, "{next:?}");
        sim.wait(next);
    }
}
