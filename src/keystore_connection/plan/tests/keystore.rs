//! Stage `KeystoreConnected`: claims, adoption, removal by others, changes, health.

use serde_json::{Value, json};

use super::{
    look::other,
    sim::{START, Sim, at},
    word,
    world::{Kek, Part, Store, Trouble, Whose, World, Write},
};
use crate::{
    api::condition::{self, ConditionType},
    clouds::ibm::KeystoreChange,
    keystore_connection::plan::Step,
    reconcile::stage::Verdict,
};

const STAGE: ConditionType = ConditionType::KeystoreConnected;

fn verdict(spec: Value, change: impl FnOnce(&mut World)) -> Verdict<Step> {
    let mut world = World { kek: Kek::Healthy, ..World::settled() };
    change(&mut world);
    Sim::of(spec, world).verdict(STAGE)
}

fn of_store(spec: Value, change: impl FnOnce(&mut Store)) -> String {
    word(&verdict(spec, |world| change(&mut world.keystores[0])))
}

fn creations(sim: &Sim) -> usize {
    sim.steps.iter().filter(|step| matches!(step, Step::CreateKeystore(..))).count()
}

#[test]
fn a_claim_follows_from_mark_policy_and_known_id() {
    for (whose, adoption, wanted) in [
        (Whose::Others, "Never", "Blocked ClaimConflict AwaitingPerson"),
        (Whose::Others, "IfUnowned", "Blocked ClaimConflict AwaitingPerson"),
        (Whose::Nobodys, "Never", "Blocked ClaimConflict AwaitingPerson"),
        (Whose::Released, "Never", "Blocked ClaimConflict AwaitingPerson"),
        (Whose::Nobodys, "IfUnowned", "Do AdoptionInProgress"),
        (Whose::Released, "IfUnowned", "Do AdoptionInProgress"),
    ] {
        let spec = json!({"adoptionPolicy": adoption, "connectionTest": "Skip"});
        assert_eq!(of_store(spec, |store| store.whose = whose), wanted, "{whose:?}");
    }
    // The id in status says whose it is, whoever took the mark off.
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    sim.world.keystores[0].whose = Whose::Nobodys;
    sim.rest();
    assert_eq!(sim.world.keystores[0].whose, Whose::Ours);
    assert_eq!(sim.steps.len(), 1);
}

#[test]
fn a_keystore_for_this_vault_under_another_name_is_found_and_never_doubled() {
    for whose in [Whose::Others, Whose::Nobodys, Whose::Released] {
        let mut sim = Sim::of(json!({}), World::settled());
        let have = &mut sim.world.keystores[0];
        (have.whose, have.name) = (whose, "by-hand".to_owned());
        sim.run(3600);
        assert_eq!(creations(&sim), 0, "{whose:?}");
        assert_eq!(sim.says(STAGE), "False ClaimConflict");
    }
}

#[test]
fn an_adoption_keeps_the_description_that_was_there() {
    let mut sim = Sim::of(json!({"adoptionPolicy": "IfUnowned"}), World::settled());
    let have = &mut sim.world.keystores[0];
    (have.whose, have.description) = (Whose::Nobodys, "made by hand\nin 2024".to_owned());
    sim.rest();
    let have = &sim.world.keystores[0];
    assert_eq!((have.whose, have.description.as_str()), (Whose::Ours, "made by hand\nin 2024"));
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn what_uko_locks_is_told_and_never_changed() {
    let other = |store: &mut Store| store.vault_name = "another-kv".to_owned();
    assert_eq!(of_store(json!({}), other), "Blocked KeystoreMismatch Invalid");
    let unowned = |store: &mut Store| (store.whose, store.vault_name) = (Whose::Nobodys, "another-kv".to_owned());
    assert_eq!(of_store(json!({"adoptionPolicy": "IfUnowned"}), unowned), "Blocked AdoptionMismatch Invalid");
}

#[test]
fn a_removed_keystore_is_made_again_only_on_request_and_once() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    sim.world.keystores.clear();
    sim.world.kek = Kek::Healthy;
    sim.run(7200);
    assert_eq!(sim.says(STAGE), "False RemovedOutside");
    assert_eq!(creations(&sim), 0);

    let asked = at(sim.now).to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.rest();
    assert_eq!(creations(&sim), 1);
    assert!(sim.is(ConditionType::Ready, "True"));
    assert_eq!(sim.status().uko.unwrap().keystore_id.as_deref(), Some(sim.world.keystores[0].id.as_str()));

    // The old wish says nothing about the next removal.
    sim.world.keystores.clear();
    sim.run(7200);
    assert_eq!(sim.says(STAGE), "False RemovedOutside");
    assert_eq!(creations(&sim), 1);
}

#[test]
fn a_wish_from_the_future_counts_for_nothing_until_then() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    sim.annotate("recreate-requested-at", &at(sim.now + 86_400).to_string());
    sim.world.keystores.clear();
    sim.run(3600);
    assert_eq!(creations(&sim), 0);
    assert_eq!(sim.says(STAGE), "False RemovedOutside");
}

#[test]
fn a_lost_memory_never_leads_to_a_creation() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    sim.annotate("recreate-requested-at", &at(START - 86_400).to_string());
    sim.world.keystores.clear();
    sim.object.status.as_mut().unwrap().memory = None;
    sim.run(3600);
    assert_eq!(creations(&sim), 0);
    assert_eq!(sim.says(STAGE), "False RemovedOutside");
}

#[test]
fn labels_and_connection_never_travel_together() {
    let mut sim = Sim::settled(json!({"keystore": {"name": "a", "description": "old", "groups": ["one"]}}));
    sim.steps.clear();
    sim.spec(json!({"keystore": {"name": "b", "description": "new", "groups": ["two", "one"]}, "azure": {"servicePrincipal": {"clientId": "33333333-3333-4333-8333-33333333333a"}}}));
    sim.rest();
    let changes: Vec<&KeystoreChange> = sim
        .steps
        .iter()
        .filter_map(|step| if let Step::UpdateKeystore { change, .. } = step { Some(change) } else { None })
        .collect();
    assert!(matches!(changes.as_slice(), [KeystoreChange::Connection(_), KeystoreChange::Labels(_)]), "{changes:?}");
    let have = &sim.world.keystores[0];
    assert_eq!((have.name.as_str(), have.description.as_str(), have.groups.len()), ("b", "new", 2));
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn unmanaged_labels_are_left_alone() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    let have = &mut sim.world.keystores[0];
    (have.name, have.description, have.groups) = ("renamed".to_owned(), "by hand".to_owned(), vec!["x1".to_owned()]);
    sim.run(7200);
    assert_eq!(sim.steps, []);
    assert!(sim.is(ConditionType::Ready, "True"));
    assert_eq!(sim.status().drift, []);
}

#[test]
fn groups_in_another_order_are_no_difference() {
    let said = of_store(json!({"keystore": {"groups": ["b1", "a1"]}}), |store| {
        store.groups = vec!["a1".to_owned(), "b1".to_owned()];
    });
    // A password that nobody remembers having sent is sent once.
    assert_eq!(said, "Do KeystoreUpdateInProgress");
    let sim = Sim::settled(json!({"keystore": {"groups": ["b1", "a1"]}}));
    assert!(
        sim.steps
            .iter()
            .filter(|step| matches!(step, Step::UpdateKeystore { change: KeystoreChange::Labels(_), .. }))
            .count()
            <= 1
    );
}

#[test]
fn a_mark_that_was_taken_off_a_long_description_is_put_back_within_ukos_limit() {
    let mut sim = Sim::settled(json!({}));
    let have = &mut sim.world.keystores[0];
    (have.whose, have.description) = (Whose::Nobodys, "x".repeat(200));
    sim.rest();
    assert_eq!(sim.world.keystores[0].whose, Whose::Ours);
}

#[test]
fn a_rotated_password_is_sent_once_and_its_time_stands() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    let before = sim.status().uko.unwrap().credentials.unwrap();
    sim.run(600);
    assert_eq!(sim.status().uko.unwrap().credentials.unwrap(), before);
    sim.world.secrets.get_mut("payments-sp").unwrap().insert("clientSecret".to_owned(), "new".to_owned());
    sim.rest();
    assert!(
        matches!(sim.steps.as_slice(), [Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. }] if change.azure_service_principal_password.is_some()),
        "{:?}",
        sim.steps
    );
    let after = sim.status().uko.unwrap().credentials.unwrap();
    assert!(after.fingerprint != before.fingerprint && after.since.0 > before.since.0);
}

#[test]
fn a_new_password_is_not_sent_while_its_token_is_refused() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    sim.world.secrets.get_mut("payments-sp").unwrap().insert("clientSecret".to_owned(), "wrong".to_owned());
    sim.world.dark.insert(Part::ServicePrincipal, Trouble::Denied);
    sim.run(3600);
    assert_eq!(sim.steps, []);
    assert_eq!(sim.says(ConditionType::Ready), "False CredentialsRefused");
}

/// The new principal's password under the old principal's id would cut UKO off.
#[test]
fn under_report_a_password_never_goes_to_another_principal() {
    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    sim.steps.clear();
    sim.spec(json!({"azure": {"servicePrincipal": {"clientId": "33333333-3333-4333-8333-33333333333a"}}}));
    sim.world.secrets.get_mut("payments-sp").unwrap().insert("clientSecret".to_owned(), "of-the-new-one".to_owned());
    sim.run(3600);
    assert_eq!(sim.steps, []);
    assert!(sim.is(ConditionType::Drifted, "True"));
}

#[test]
fn under_report_a_difference_is_told_for_as_long_as_it_stands() {
    let mut sim = Sim::settled(json!({"driftPolicy": "Report", "keystore": {"description": "wanted"}}));
    assert!(sim.is(ConditionType::Drifted, "True"));
    sim.steps.clear();
    for _ in 0..30 {
        sim.run(250);
        assert_eq!(sim.status().drift.len(), 1);
        assert!(sim.is(ConditionType::Drifted, "True") && sim.is(ConditionType::Ready, "True"));
    }
    assert_eq!(sim.steps, []);
    sim.world.keystores[0].description = "wanted".to_owned();
    sim.run(700);
    assert!(!sim.is(ConditionType::Drifted, "True"));
}

#[test]
fn a_keystore_without_a_version_is_not_taken_for_one_that_needs_nothing() {
    let unowned = |store: &mut Store| (store.whose, store.etag) = (Whose::Nobodys, false);
    let said = of_store(json!({"adoptionPolicy": "IfUnowned", "connectionTest": "Skip"}), unowned);
    assert_eq!(said, "Blocked KeystoreVersionUnknown AwaitingPerson");
}

#[test]
fn ukos_word_becomes_the_stages() {
    let healthy = |word: &str, seconds: i64| {
        let mut sim = Sim::settled(json!({}));
        sim.now += 2_000;
        sim.world.health = Some(word.to_owned());
        sim.run(seconds);
        sim.says(STAGE)
    };
    assert_eq!(healthy("ok", 10), "True KeystoreHealthy");
    assert_eq!(healthy("not_responding", 10), "False UkoNotResponding");
    assert_eq!(healthy("configuration_error", 10), "False UkoConfigurationError");
    assert_eq!(healthy("later_word", 10), "Unknown HealthUnknown");
    assert_eq!(healthy("pending_check", 10), "False HealthCheckInProgress");
    for minutes in [11, 13, 19, 22, 40] {
        assert_eq!(healthy("pending_check", minutes * 60), "Unknown HealthUnknown", "{minutes} min");
    }
}

#[test]
fn just_after_a_change_a_bad_word_of_uko_is_progress() {
    let mut sim = Sim::of(json!({}), World { health: Some("configuration_error".to_owned()), ..World::settled() });
    sim.run(300);
    assert_eq!(sim.says(STAGE), "False UkoConfigurationError");
    assert!(sim.is(ConditionType::Reconciling, "True"));
    sim.run(1500);
    assert!(!sim.is(ConditionType::Reconciling, "True"));
}

#[test]
fn a_uko_vault_is_found_told_or_made() {
    let vaults = |spec: Value, vaults: &[&str]| {
        let vaults: Vec<String> = vaults.iter().map(ToString::to_string).collect();
        word(
            &Sim::of(
                json!({"connectionTest": "Skip", "uko": {"vault": spec}}),
                World { uko_vaults: vaults, keystores: Vec::new(), ..World::settled() },
            )
            .verdict(STAGE),
        )
    };
    assert_eq!(vaults(json!({}), &["a"]), "Do KeystoreInProgress");
    assert_eq!(vaults(json!({}), &[]), "Blocked UkoVaultNotFound NotFound");
    assert_eq!(vaults(json!({"create": true}), &[]), "Do UkoVaultInProgress");
    assert_eq!(vaults(json!({}), &["a", "b"]), "Blocked UkoVaultAmbiguous Invalid");
    assert_eq!(vaults(json!({"name": null, "id": super::world::UKO_VAULT}), &[]), "Blocked UkoVaultNotFound NotFound");
}

#[test]
fn nothing_is_registered_behind_what_cannot_be_read() {
    for part in
        [Part::UkoVaults, Part::Keystores, Part::Vault, Part::Endpoint, Part::Interface, Part::ConnectorEndpoint]
    {
        let mut sim = Sim::of(json!({}), World { keystores: Vec::new(), ..World::settled() });
        sim.world.dark.insert(part, Trouble::Outage);
        sim.run(1800);
        assert!(sim.steps.iter().all(|step| matches!(step, Step::TestConnection(_))), "{part:?}: {:?}", sim.steps);
    }
}

/// The answer was lost and the request takes effect later; meanwhile UKO cannot be asked.
#[test]
fn a_lost_creation_is_not_repeated_because_uko_was_dark_in_between() {
    let mut sim = Sim::of(
        json!({"connectionTest": "Skip"}),
        World { keystores: Vec::new(), writes: vec![Write::DoneLater], ..World::settled() },
    );
    while creations(&sim) == 0 {
        let next = sim.pass().next;
        sim.wait(next);
    }
    sim.world.dark.insert(Part::Keystores, Trouble::Outage);
    let next = sim.pass().next;
    sim.wait(next);
    sim.world.dark.clear();
    sim.rest();
    assert_eq!((creations(&sim), sim.world.keystores.len()), (1, 1));
    assert!(sim.status().pending_create.is_none());
}

/// A list may not show at once what was just made.
#[test]
fn a_creation_that_the_list_does_not_show_yet_is_not_repeated() {
    let mut sim = Sim::of(json!({"connectionTest": "Skip"}), World { keystores: Vec::new(), ..World::settled() });
    while creations(&sim) == 0 {
        let next = sim.pass().next;
        sim.wait(next);
    }
    let hidden = std::mem::take(&mut sim.world.keystores);
    sim.run(60);
    sim.world.keystores.extend(hidden);
    sim.rest();
    assert_eq!((creations(&sim), sim.world.keystores.len()), (1, 1));
}

#[test]
fn a_creation_that_was_certainly_lost_is_repeated_after_two_minutes() {
    let mut sim = Sim::of(
        json!({"connectionTest": "Skip"}),
        World { keystores: Vec::new(), writes: vec![Write::LostBefore], ..World::settled() },
    );
    sim.run(110);
    assert_eq!(creations(&sim), 1);
    sim.rest();
    assert_eq!((creations(&sim), sim.world.keystores.len()), (2, 1));
}

/// UKO takes the change and shows the old value: no storm of writes.
#[test]
fn a_change_that_does_not_take_is_repeated_ever_more_slowly() {
    let mut sim = Sim::settled(json!({"keystore": {"description": "wanted"}}));
    sim.steps.clear();
    for _ in 0..40 {
        sim.world.keystores[0].description = "stubborn".to_owned();
        let next = sim.pass().next;
        sim.wait(next);
    }
    let spent = sim.now - START;
    assert!(spent > 1200, "{} writes in {spent} s", sim.steps.len());
}

#[test]
fn a_person_gives_another_owners_things_away_once_by_naming_that_owner() {
    let mut sim = Sim::of(json!({}), World::settled());
    let theirs = |sim: &mut Sim| {
        sim.world.keystores[0].whose = Whose::Others;
        sim.world.endpoint.as_mut().unwrap().whose = Whose::Others;
    };
    theirs(&mut sim);
    sim.run(1200);
    let conditions = sim.status().conditions;
    let told = condition::get(&conditions, ConditionType::ClaimConflict).unwrap();
    assert!(told.message.contains("elsewhere/thing") && told.message.contains(&other().hash), "{}", told.message);
    assert_eq!(sim.steps, []);

    sim.annotate("take-over", &other().hash);
    sim.rest();
    let taken = |step: &Step| matches!(step, Step::AdoptKeystore { .. } | Step::TagPrivateEndpoint { adopt: true, .. });
    assert_eq!(sim.steps.iter().filter(|step| taken(step)).count(), 2, "{:?}", sim.steps);
    assert!(sim.is(ConditionType::Ready, "True") && !sim.is(ConditionType::ClaimConflict, "True"));
    assert_eq!(sim.status().last_handled_take_over, Some(other().hash));
    sim.steps.clear();
    theirs(&mut sim);
    sim.run(7200);
    assert_eq!((sim.steps.len(), sim.says(STAGE)), (0, "False ClaimConflict".to_owned()), "it acts once");
}

#[test]
fn what_was_taken_over_is_not_taken_again_although_nothing_is_settled_yet() {
    let mut sim = Sim::of(json!({}), World { connector_endpoint: None, keystores: Vec::new(), ..World::settled() });
    let theirs = |sim: &mut Sim| sim.world.endpoint.as_mut().unwrap().whose = Whose::Others;
    theirs(&mut sim);
    sim.annotate("take-over", &other().hash);
    sim.run(600);
    assert!(sim.is(ConditionType::Ready, "False") && matches!(sim.steps[..], [Step::TagPrivateEndpoint { .. }]));
    assert_eq!(sim.status().last_handled_take_over, Some(other().hash));
    theirs(&mut sim);
    sim.run(7200);
    assert_eq!(sim.steps.len(), 1, "two that name each other do not fight: {:?}", sim.steps);
}

#[test]
fn a_keystore_without_a_proxy_gets_the_one_that_the_spec_names_once() {
    for shows in [true, false] {
        let mut sim = Sim::settled(json!({}));
        sim.steps.clear();
        (sim.world.keystores[0].tls_proxy, sim.world.shows_proxy) = (None, shows);
        sim.run(7200);
        let [Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. }] = &sim.steps[..] else {
            panic!("{:?}", sim.steps)
        };
        assert_eq!(change.tls_proxy.as_deref(), Some(super::world::ADDRESS));
        assert_eq!(sim.world.keystores[0].tls_proxy.as_deref(), Some(super::world::ADDRESS));
        assert!(sim.is(ConditionType::Ready, "True"));
        assert_eq!(sim.status().memory.is_some_and(|memory| memory.tls_proxy_sent.is_some()), !shows);
    }
}

#[test]
fn a_keystore_that_was_registered_with_a_proxy_is_not_changed_because_uko_does_not_show_it() {
    let mut sim = Sim::of(json!({}), World { keystores: Vec::new(), shows_proxy: false, ..World::settled() });
    sim.run(7200);
    assert!(sim.is(ConditionType::Ready, "True") && creations(&sim) == 1);
    assert!(!sim.steps.iter().any(|step| matches!(step, Step::UpdateKeystore { .. })), "{:?}", sim.steps);
}

#[test]
fn a_keystore_in_a_vault_that_is_hidden_is_neither_gone_nor_made_again() {
    for create in [true, false] {
        let mut sim = Sim::settled(json!({"uko": {"vault": {"create": create}}}));
        sim.steps.clear();
        sim.world.uko_vaults.clear();
        sim.world.keystores.clear();
        sim.run(600);
        assert_eq!(sim.says(STAGE), "False UkoVaultNotFound");
        sim.annotate("recreate-requested-at", "2027-01-15T08:00:00Z");
        sim.run(7200);
        assert_eq!((sim.steps.len(), sim.says(STAGE)), (0, "False UkoVaultNotFound".to_owned()));
    }
}
