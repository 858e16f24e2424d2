//! A new password reaches UKO, and the earlier one is called safe to revoke only once UKO was seen well with it.

use serde_json::json;

use super::{
    sim::Sim,
    world::{Part, Trouble, World, Write},
};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::CredentialsInUse,
    },
    clouds::ibm::KeystoreChange,
    keystore_connection::plan::Step,
};

const CREDENTIALS: ConditionType = ConditionType::CredentialsValid;
const KEYSTORE: ConditionType = ConditionType::KeystoreConnected;

/// Made by this object and Ready; no rotation yet.
fn standing() -> Sim {
    let mut sim = Sim::of(json!({"connectionTest": "Skip"}), World::default());
    sim.rest();
    assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
    assert_eq!(sim.says(CREDENTIALS), "True SignedIn");
    sim.run(600);
    sim.steps.clear();
    sim
}

fn put(sim: &mut Sim, secret: &str, value: &str) {
    let keys = [("clientSecret".to_owned(), value.to_owned())];
    sim.world.secrets.insert(secret.to_owned(), keys.into());
}

fn message(sim: &Sim, stage: ConditionType) -> String {
    condition::get(&sim.status().conditions, stage).unwrap().message.clone()
}

fn held(sim: &Sim) -> CredentialsInUse {
    sim.status().uko.unwrap().credentials.unwrap()
}

/// How often UKO got a password, and nothing else was done.
fn patches(sim: &Sim) -> usize {
    let with_password = |step: &Step| {
        matches!(step, Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. }
            if change.azure_service_principal_password.is_some())
    };
    assert!(sim.steps.iter().all(with_password), "{:?}", sim.steps);
    sim.steps.len()
}

#[test]
fn a_new_password_is_patched_once_and_the_earlier_one_is_safe_after_the_next_contact() {
    let mut sim = standing();
    let before = held(&sim);
    put(&mut sim, "payments-sp", "another");
    sim.pass();
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (1, "True CredentialsRotating".to_owned()));
    assert!(message(&sim, CREDENTIALS).contains("do not revoke"), "{}", message(&sim, CREDENTIALS));
    // UKO says ok, but from before.
    sim.world.heartbeat_age = 300;
    sim.wait(std::time::Duration::from_secs(5));
    sim.pass();
    assert_eq!((sim.says(CREDENTIALS), held(&sim).proven_at), ("True CredentialsRotating".to_owned(), None));
    assert!(message(&sim, CREDENTIALS).contains("not seen well with it yet"));
    assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
    sim.run(600);
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotated");
    let text = message(&sim, CREDENTIALS);
    assert!(text.contains("Secret payments-sp") && text.contains("may be revoked"), "{text}");
    let now = held(&sim);
    assert!(now.fingerprint != before.fingerprint && now.since.0 > before.since.0 && now.proven_at.is_some());
    sim.run(4 * 86_400);
    sim.run(4 * 86_400);
    assert_eq!((sim.says(CREDENTIALS), patches(&sim)), ("True SignedIn".to_owned(), 1));
}

#[test]
fn a_contact_that_was_known_before_proves_nothing_however_late_it_claims_to_be() {
    let mut sim = standing();
    let ahead = sim.now + 3600;
    let freeze = |sim: &mut Sim| sim.world.heartbeat_age = sim.now - ahead;
    freeze(&mut sim);
    sim.pass();
    put(&mut sim, "payments-sp", "another");
    for _ in 0..20 {
        freeze(&mut sim);
        let next = sim.pass().next;
        sim.wait(next);
    }
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (1, "True CredentialsRotating".to_owned()));
    sim.world.heartbeat_age = 0;
    sim.pass();
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotated");
}

#[test]
fn a_contact_made_while_the_change_was_on_its_way_proves_nothing() {
    let mut sim = standing();
    put(&mut sim, "payments-sp", "another");
    sim.pass();
    // UKO reached the vault with the earlier password after the look and before the change: later than `since`, and new.
    sim.wait(std::time::Duration::from_secs(5));
    let contact = sim.now - 2;
    assert!(contact > held(&sim).since.0.as_second());
    for _ in 0..5 {
        sim.world.heartbeat_age = sim.now - contact;
        let next = sim.pass().next;
        assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotating");
        sim.wait(next);
    }
    sim.world.heartbeat_age = 0;
    sim.pass();
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotated");
}

#[test]
fn another_secret_is_a_rotation_only_if_its_password_is_another() {
    let mut sim = standing();
    put(&mut sim, "payments-sp-2", "secret-of-uko");
    let reference = |name: &str| json!({"azure": {"servicePrincipal": {"passwordSecretRef": {"name": name}}}});
    sim.spec(reference("payments-sp-2"));
    sim.run(600);
    // The model's fingerprint is of the whole Secret, which is the same.
    assert_eq!((patches(&sim), held(&sim).secret_name.as_str()), (0, "payments-sp-2"));
    assert_eq!(sim.says(CREDENTIALS), "True SignedIn");

    put(&mut sim, "payments-sp-3", "another");
    sim.spec(reference("payments-sp-3"));
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (1, "True CredentialsRotated".to_owned()));
    assert_eq!(held(&sim).previous_secret_name.as_deref(), Some("payments-sp-2"));
    assert!(message(&sim, CREDENTIALS).contains("the earlier one, of the Secret payments-sp-2, may be revoked"));
}

#[test]
fn another_principal_and_its_password_travel_in_one_change() {
    let mut sim = standing();
    put(&mut sim, "payments-sp", "another");
    sim.spec(json!({"azure": {"servicePrincipal": {"clientId": "99999999-9999-4999-8999-999999999999"}}}));
    sim.run(600);
    assert_eq!(patches(&sim), 1);
    let Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. } = &sim.steps[0] else { panic!() };
    assert!(change.azure_service_principal_client_id.is_some());
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotated");
}

#[test]
fn a_password_that_entra_refuses_never_reaches_uko_and_the_earlier_one_is_kept() {
    let mut sim = standing();
    put(&mut sim, "payments-sp", "wrong");
    sim.world.darken(Part::ServicePrincipal, Trouble::Denied);
    sim.run(3600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (0, "False CredentialsRefused".to_owned()));
    let text = message(&sim, CREDENTIALS);
    assert!(text.contains("got from the Secret payments-sp") && text.contains("do not revoke that one yet"), "{text}");
    // The right one comes back: nothing was lost, nothing is sent.
    put(&mut sim, "payments-sp", "secret-of-uko");
    sim.world.dark.clear();
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (0, "True SignedIn".to_owned()));

    sim.world.secrets.remove("payments-sp");
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (0, "False SecretNotFound".to_owned()));
    assert!(message(&sim, CREDENTIALS).contains("do not revoke that one yet"));
}

#[test]
fn a_refusal_of_a_password_that_uko_has_says_nothing_of_another_one() {
    let mut sim = standing();
    sim.world.darken(Part::ServicePrincipal, Trouble::Denied);
    sim.run(600);
    assert!(!message(&sim, CREDENTIALS).contains("revoke"), "{}", message(&sim, CREDENTIALS));
}

#[test]
fn while_uko_is_down_the_new_password_waits() {
    let mut sim = standing();
    for part in [Part::Keystore, Part::Health, Part::UkoVaults] {
        sim.world.darken(part, Trouble::Outage);
    }
    put(&mut sim, "payments-sp", "another");
    sim.run(1800);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (0, "True CredentialsRotating".to_owned()));
    assert!(message(&sim, CREDENTIALS).contains("still uses"), "{}", message(&sim, CREDENTIALS));
    sim.world.dark.clear();
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (1, "True CredentialsRotated".to_owned()));
}

#[test]
fn what_uko_cannot_use_is_progress_at_first_and_then_told_and_never_called_safe() {
    let mut sim = standing();
    sim.world.health = Some("configuration_error".to_owned());
    put(&mut sim, "payments-sp", "another");
    sim.run(840);
    assert_eq!((patches(&sim), sim.says(KEYSTORE)), (1, "False UkoConfigurationError".to_owned()));
    assert!(sim.is(ConditionType::Reconciling, "True"));
    sim.run(900);
    let text = message(&sim, KEYSTORE);
    assert!(!sim.is(ConditionType::Reconciling, "True") && text.contains("do not revoke the earlier one"), "{text}");
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotating");
    sim.world.health = None;
    sim.run(600);
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotated");
}

#[test]
fn the_same_password_for_a_keystore_made_again_replaces_none() {
    let mut sim = standing();
    sim.world.keystores.clear();
    sim.pass();
    sim.annotate("recreate-requested-at", &super::sim::at(sim.now).to_string());
    sim.rest();
    sim.run(600);
    assert!(sim.steps.iter().any(|step| matches!(step, Step::CreateKeystore(..))));
    assert_eq!((sim.says(CREDENTIALS), held(&sim).previous_secret_name), ("True SignedIn".to_owned(), None));
}

#[test]
fn two_changes_in_a_row_end_with_the_last() {
    let mut sim = standing();
    put(&mut sim, "payments-sp", "second");
    sim.pass();
    put(&mut sim, "payments-sp", "third");
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (2, "True CredentialsRotated".to_owned()));
}

#[test]
fn a_lost_answer_or_a_wiped_status_costs_one_more_of_the_same_change() {
    for write in [Write::LostAfter, Write::LostBefore] {
        let mut sim = standing();
        sim.world.writes = vec![write];
        put(&mut sim, "payments-sp", "another");
        sim.run(600);
        assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (2, "True CredentialsRotated".to_owned()), "{write:?}");
    }
    // Changed back while nobody knows which one UKO has.
    let mut sim = standing();
    sim.world.writes = vec![Write::LostAfter];
    put(&mut sim, "payments-sp", "another");
    sim.pass();
    put(&mut sim, "payments-sp", "secret-of-uko");
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (2, "True CredentialsRotated".to_owned()));

    let mut sim = standing();
    sim.object.status = None;
    sim.run(600);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (1, "True SignedIn".to_owned()));
    assert!(!message(&sim, CREDENTIALS).contains("revoked"), "nobody knows that there was another one");
}

#[test]
fn a_change_that_is_refused_leaves_the_earlier_password_in_use() {
    let mut sim = standing();
    sim.world.writes = vec![Write::Refused; 8];
    put(&mut sim, "payments-sp", "another");
    sim.pass();
    assert_eq!(sim.says(CREDENTIALS), "True CredentialsRotating");
    assert!(message(&sim, CREDENTIALS).contains("still uses"), "{}", message(&sim, CREDENTIALS));
}

#[test]
fn a_uko_that_tells_no_contact_leaves_the_proof_to_a_person() {
    let mut sim = standing();
    sim.world.tells_contact = false;
    put(&mut sim, "payments-sp", "another");
    sim.run(7200);
    assert_eq!((patches(&sim), sim.says(CREDENTIALS)), (1, "True CredentialsRotating".to_owned()));
    let told = sim.status().conditions.into_iter().find(|one| one.type_ == "CredentialsValid").unwrap();
    assert!(
        told.message.contains("Distribute a key to be sure, and revoke the earlier one only then"),
        "{}",
        told.message
    );
}
