//! Verdicts of the four stages, and what many passes make of them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    sim::Sim,
    world::{Endpoint, Part, Source, Trouble, Whose, World, Write, other},
};
use crate::{api::condition::ConditionType, connector_endpoint::plan::Step, reconcile::stage::Verdict};

fn word(verdict: &Verdict<Step>) -> String {
    match verdict {
        Verdict::Met(word) => format!("Met {}", word.reason),
        Verdict::Do(_, word) => format!("Do {}", word.reason),
        Verdict::Wait(waiting) => format!("Wait {}", waiting.word.reason),
        Verdict::Blocked(fault) => format!("Blocked {} {:?}", fault.reason, fault.class),
        Verdict::Unclear(fault) => format!("Unclear {}", fault.reason),
        Verdict::Behind(on) => format!("Behind {}", on.as_str()),
        Verdict::Skipped(word) => format!("Skipped {}", word.reason),
        Verdict::Unchanged => "Unchanged".to_owned(),
    }
}

fn says(stage: ConditionType, spec: Value, change: impl FnOnce(&mut World)) -> String {
    let mut world = World::settled();
    change(&mut world);
    word(&Sim::of(spec, world).verdict(stage))
}

fn of_endpoint(spec: Value, change: impl FnOnce(&mut Endpoint)) -> String {
    says(ConditionType::EndpointProvisioned, spec, |world| change(world.endpoints.get_mut("ours").unwrap()))
}

fn creations(sim: &Sim) -> usize {
    sim.steps.iter().filter(|step| matches!(step, Step::CreateEndpoint(..))).count()
}

#[test]
fn credentials_are_told_apart_from_outages() {
    let stage = ConditionType::CredentialsValid;
    assert_eq!(says(stage, json!({}), |_| {}), "Met SignedIn");
    assert_eq!(says(stage, json!({}), |world| world.secrets.clear()), "Blocked SecretNotFound Invalid");
    assert_eq!(says(stage, json!({"deletionPolicy": "Delete"}), |_| {}), "Met SignedIn");
    let profile = json!({"authentication": {"type": "TrustedProfile", "apiKey": null, "trustedProfile": {"id": "Profile-1", "serviceAccountRef": {"name": "a"}}}});
    assert_eq!(says(stage, profile, |_| {}), "Blocked NotYetSupported Invalid");
    let mut sim = Sim::of(json!({}), World::default());
    sim.world.dark.insert(Part::Login, Trouble::Outage);
    sim.run(60);
    assert_eq!(sim.says(stage), "Unknown LinkUnavailable");
    sim.world.dark.insert(Part::Login, Trouble::Denied);
    sim.run(60);
    assert_eq!(sim.says(stage), "False ApiKeyRefused");
    assert!(sim.is(ConditionType::Stalled, "True") && sim.steps.is_empty());
}

#[test]
fn a_connector_must_be_one_and_made() {
    let stage = ConditionType::ConnectorAvailable;
    let states = |states: &[&str]| {
        says(stage, json!({}), |world| world.connectors = states.iter().map(ToString::to_string).collect())
    };
    assert_eq!(states(&["CREATED"]), "Met ConnectorAvailable");
    assert_eq!(states(&["later"]), "Met ConnectorAvailable");
    assert_eq!(states(&[]), "Blocked ConnectorNotFound NotFound");
    assert_eq!(states(&["CREATED", "CREATED"]), "Blocked ConnectorAmbiguous Invalid");
    assert_eq!(states(&["CREATING"]), "Wait ConnectorInProgress");
    assert_eq!(states(&["FAILED"]), "Blocked ConnectorFailed AwaitingPerson");
    assert_eq!(states(&["DELETING"]), "Blocked ConnectorDeleting AwaitingPerson");
    for part in [Part::Connectors, Part::Endpoints] {
        assert_eq!(says(stage, json!({}), |world| world.darken(part, Trouble::Outage)), "Unclear LinkUnavailable");
    }
    let told = Sim::of(json!({}), World { tunnels: Some(0), ..World::settled() }).verdict(stage);
    assert!(matches!(&told, Verdict::Met(word) if word.message.contains("No agent")), "{told:?}");
}

#[test]
fn a_claim_follows_from_mark_name_known_id_and_policy() {
    let named = || json!({"displayName": "payments-kv"});
    let adopting = || json!({"displayName": "payments-kv", "adoptionPolicy": "IfUnowned"});
    let whose = |spec: Value, whose| of_endpoint(spec, |have| have.whose = whose);
    assert_eq!(whose(named(), Whose::Ours), "Met EndpointProvisioned");
    assert_eq!(whose(named(), Whose::Nobodys), "Blocked ClaimConflict AwaitingPerson");
    assert_eq!(whose(named(), Whose::Released), "Blocked ClaimConflict AwaitingPerson");
    assert_eq!(whose(adopting(), Whose::Nobodys), "Do AdoptionInProgress");
    assert_eq!(whose(adopting(), Whose::Released), "Do AdoptionInProgress");
    for spec in [named(), adopting(), json!({})] {
        assert_eq!(whose(spec, Whose::Others), "Blocked ClaimConflict AwaitingPerson");
    }
    // Our own default name ends in our hash: whoever took the mark off did not make it theirs.
    assert_eq!(whose(json!({}), Whose::Nobodys), "Met EndpointProvisioned");
    let mut sim = Sim::settled(named());
    sim.world.endpoints.get_mut("ours").unwrap().whose = Whose::Nobodys;
    sim.run(4000);
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn what_was_made_or_taken_is_ours_from_the_answer_on_though_the_mark_is_never_shown() {
    for shown in ["", "IBMid-0600002K1P"] {
        let silent = || World { shown_instead: Some(shown.to_owned()), ..World::default() };
        let mut sim = Sim::of(json!({"displayName": "payments-kv"}), silent());
        sim.run(600);
        assert_eq!((sim.says(ConditionType::Ready).as_str(), creations(&sim)), ("True EndpointReady", 1));

        let by_hand = Endpoint { whose: Whose::Nobodys, name: Some("payments-kv".to_owned()), ..Endpoint::default() };
        let world = World { endpoints: BTreeMap::from([("by-hand".to_owned(), by_hand)]), ..silent() };
        let mut sim = Sim::of(json!({"displayName": "payments-kv", "adoptionPolicy": "IfUnowned"}), world);
        sim.run(600);
        let adoptions = sim.steps.iter().filter(|step| matches!(step, Step::AdoptEndpoint { .. })).count();
        assert_eq!((sim.says(ConditionType::Ready).as_str(), adoptions), ("True EndpointReady", 1));

        // The id says nothing against another's mark.
        sim.world.endpoints.get_mut("by-hand").unwrap().whose = Whose::Others;
        sim.run(1200);
        assert_eq!(sim.says(ConditionType::EndpointProvisioned), "False ClaimConflict");
        assert_eq!(sim.status().endpoint_id, None);
    }
}

#[test]
fn tls_begun_towards_the_destination_is_a_difference_and_no_answer_about_it_is_none() {
    let mut sim = Sim::settled(json!({}));
    sim.world.endpoints.get_mut("ours").unwrap().server_protocol = Some("tls".to_owned());
    sim.run(1200);
    assert_eq!(sim.world.endpoints["ours"].server_protocol.as_deref(), Some("tcp"));
    assert!(sim.steps.len() == 1 && sim.is(ConditionType::Ready, "True"), "{:?}", sim.steps);

    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    sim.world.endpoints.get_mut("ours").unwrap().server_protocol = Some("tls".to_owned());
    sim.run(1200);
    let drift = sim.status().drift;
    let [row] = drift.as_slice() else { panic!("{drift:?}") };
    assert_eq!(
        [&*row.field, &*row.want, &*row.have],
        ["spec.protocol", "tcp to the destination", "tls to the destination"]
    );
    assert_eq!(sim.steps, []);
    // Both sides differ: the field is told once, since status.drift holds each once.
    sim.world.endpoints.get_mut("ours").unwrap().protocol = "http".to_owned();
    sim.run(1200);
    assert_eq!(sim.status().drift.len(), 1);

    assert_eq!(of_endpoint(json!({}), |have| have.server_protocol = Some(String::new())), "Met EndpointProvisioned");
}

#[test]
fn a_valid_word_is_sent_when_the_answer_holds_none() {
    let mut world = World::settled();
    let have = world.endpoints.get_mut("ours").unwrap();
    (have.whose, have.name, have.server_protocol) =
        (Whose::Nobodys, Some("payments-kv".to_owned()), Some(String::new()));
    let mut sim = Sim::of(json!({"displayName": "payments-kv", "adoptionPolicy": "IfUnowned"}), world);
    sim.run(60);
    assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
}

#[test]
fn every_managed_field_is_set_back_in_one_change() {
    let mut sim = Sim::settled(json!({"displayName": "payments-kv"}));
    let have = sim.world.endpoints.get_mut("ours").unwrap();
    (have.name, have.host, have.port, have.timeout, have.enabled) =
        (Some("renamed".to_owned()), "10.9.9.9".to_owned(), 8443, Some(5), false);
    have.protocol = "http".to_owned();
    sim.run(1200);
    assert_eq!(sim.steps.len(), 1, "{:?}", sim.steps);
    let have = &sim.world.endpoints["ours"];
    assert_eq!((have.port, have.timeout, have.enabled, have.protocol.as_str()), (443, Some(60), true, "tcp"));
    assert!(sim.is(ConditionType::Ready, "True") && sim.status().drift.is_empty());
}

#[test]
fn a_host_in_other_letters_and_a_timeout_that_is_not_told_are_no_difference() {
    let said = of_endpoint(json!({"destination": {"host": "Payments-KV.privatelink.vaultcore.azure.net"}}), |have| {
        have.timeout = None;
    });
    assert_eq!(said, "Met EndpointProvisioned");
}

#[test]
fn under_report_nothing_is_set_back_and_it_stays_told() {
    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    sim.world.endpoints.get_mut("ours").unwrap().enabled = false;
    sim.world.sources.get_mut("ours").unwrap().addresses = vec!["0.0.0.0/0".to_owned()];
    sim.run(1200);
    for _ in 0..20 {
        let next = sim.pass().next;
        sim.wait(next);
        assert_eq!(sim.status().drift.len(), 2);
        assert!(sim.is(ConditionType::Drifted, "True"));
    }
    assert_eq!(sim.steps, []);
}

#[test]
fn a_vanished_endpoint_is_made_again_under_correct_and_only_told_under_report() {
    let mut sim = Sim::settled(json!({}));
    sim.world.endpoints.clear();
    sim.run(1200);
    assert_eq!(creations(&sim), 1);
    assert!(sim.is(ConditionType::Ready, "True"));
    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    sim.world.endpoints.clear();
    sim.run(7200);
    assert_eq!(sim.steps, []);
    assert_eq!(sim.says(ConditionType::EndpointProvisioned), "False EndpointGone");
    assert_eq!(sim.status().address, None);
}

#[test]
fn a_keystore_that_was_retained_uses_the_endpoint_too() {
    let mut sim = Sim::settled(json!({}));
    sim.annotate("used-by-keystore", "k-1");
    sim.run(60);
    sim.spec(json!({"destination": {"host": "10.1.0.4"}}));
    sim.run(3600);
    assert_eq!((sim.says(ConditionType::EndpointProvisioned).as_str(), sim.steps.len()), ("False DestinationInUse", 0));
}

#[test]
fn a_new_destination_waits_for_a_word_while_someone_uses_the_endpoint() {
    let other = json!({"destination": {"host": "10.1.0.4"}});
    let mut free = Sim::settled(json!({}));
    free.spec(other.clone());
    free.run(60);
    assert_eq!(free.steps.len(), 1);
    let mut used = Sim::of(json!({}), World { used_by: vec!["payments".to_owned()], ..World::settled() });
    used.run(60);
    used.spec(other);
    used.run(3600);
    assert_eq!(used.steps, []);
    assert_eq!(used.says(ConditionType::EndpointProvisioned), "False DestinationInUse");
    used.annotate("allow-destination-change", "true");
    used.run(60);
    assert_eq!(used.world.endpoints["ours"].host, "10.1.0.4");
    // What others moved is set back without asking: it cuts nobody off that still gets through.
    let mut moved = Sim::of(json!({}), World { used_by: vec!["payments".to_owned()], ..World::settled() });
    moved.run(60);
    moved.world.endpoints.get_mut("ours").unwrap().host = "10.9.9.9".to_owned();
    moved.run(900);
    assert_eq!(moved.steps.len(), 1);
}

#[test]
fn the_access_rule_comes_first_and_the_address_last() {
    let mut sim = Sim::of(json!({}), World::default());
    while !sim.is(ConditionType::Ready, "True") {
        assert_eq!(sim.status().address, None);
        let next = sim.pass().next;
        sim.wait(next);
    }
    assert!(
        matches!(sim.steps.as_slice(), [Step::CreateSource { .. }, Step::CreateEndpoint(..), Step::BindSource { .. }]),
        "{:?}",
        sim.steps
    );
    assert!(sim.status().address.is_some());
}

#[test]
fn an_address_is_withdrawn_with_its_access_rule_and_stays_through_an_outage() {
    let mut sim = Sim::settled(json!({}));
    sim.world.dark.insert(Part::Bindings, Trouble::Outage);
    sim.annotate("reconcile-requested-at", "1");
    sim.pass();
    assert!(sim.status().address.is_some());
    sim.world.dark.clear();
    sim.world.endpoints.get_mut("ours").unwrap().bound.clear();
    sim.annotate("reconcile-requested-at", "2");
    sim.pass();
    assert_eq!(sim.status().address, None);
    sim.run(60);
    assert!(sim.status().address.is_some());
}

#[test]
fn an_access_rule_is_made_changed_bound_and_awaited() {
    let stage = ConditionType::AccessControlApplied;
    let with = |change: fn(&mut World)| says(stage, json!({}), change);
    assert_eq!(with(|_| {}), "Met AccessControlApplied");
    assert_eq!(says(stage, json!({"allowedSources": null}), |_| {}), "Met NotManaged");
    assert_eq!(with(|world| world.sources.clear()), "Do AccessControlInProgress");
    assert_eq!(with(|world| world.sources.get_mut("ours").unwrap().addresses.clear()), "Do AccessControlInProgress");
    assert_eq!(with(|world| world.endpoints.get_mut("ours").unwrap().bound.clear()), "Do AccessControlInProgress");
    assert_eq!(
        with(|world| *world.endpoints.get_mut("ours").unwrap().bound.get_mut("ours").unwrap() = false),
        "Do AccessControlInProgress"
    );
    assert_eq!(with(|world| world.endpoints.get_mut("ours").unwrap().pending = true), "Wait AccessControlInProgress");
    for part in [Part::Sources, Part::Bindings] {
        assert_eq!(says(stage, json!({}), |world| world.darken(part, Trouble::Outage)), "Unclear LinkUnavailable");
    }
}

/// "Only" would be a lie while a rule of others lets more through.
#[test]
fn a_rule_that_others_bound_is_told() {
    let mut world = World::settled();
    world.sources.insert(
        "theirs".to_owned(),
        Source { name: Some("theirs".to_owned()), addresses: vec!["172.16.0.0/12".to_owned()] },
    );
    world.endpoints.get_mut("ours").unwrap().bound.insert("theirs".to_owned(), true);
    let verdict = Sim::of(json!({}), world).verdict(ConditionType::AccessControlApplied);
    let Verdict::Met(word) = verdict else { panic!("{verdict:?}") };
    assert!(word.message.contains("other") && !word.message.contains("Only"), "{}", word.message);
}

#[test]
fn an_endpoint_without_an_address_is_in_progress() {
    assert_eq!(of_endpoint(json!({}), |have| have.address = false), "Wait AddressInProgress");
}

#[test]
fn nothing_is_made_behind_what_cannot_be_read() {
    for part in [Part::Login, Part::Connectors, Part::Endpoints, Part::Sources] {
        let mut sim = Sim::of(json!({}), World::default());
        sim.world.dark.insert(part, Trouble::Outage);
        sim.run(1200);
        assert_eq!(sim.steps, [], "{part:?}");
    }
}

#[test]
fn a_lost_creation_is_not_repeated_because_ibm_cloud_was_dark_in_between() {
    let mut sim =
        Sim::of(json!({"allowedSources": null}), World { writes: vec![Write::DoneLater], ..World::default() });
    while creations(&sim) == 0 {
        let next = sim.pass().next;
        sim.wait(next);
    }
    sim.world.dark.insert(Part::Endpoints, Trouble::Outage);
    let next = sim.pass().next;
    sim.wait(next);
    sim.world.dark.clear();
    sim.run(600);
    assert_eq!((creations(&sim), sim.world.endpoints.len()), (1, 1));
    assert!(sim.is(ConditionType::Ready, "True") && sim.status().pending_create.is_none());
}

#[test]
fn plan_mode_and_suspension_touch_nothing() {
    let mut sim = Sim::of(json!({"mode": "Plan"}), World::default());
    sim.run(3600);
    assert_eq!((sim.steps.len(), sim.says(ConditionType::Ready)), (0, "False ChangesPlanned".to_owned()));
    assert!(!sim.status().plan.is_empty());
    let mut sim = Sim::of(json!({"mode": "Plan"}), World::settled());
    sim.run(600);
    assert_eq!(sim.says(ConditionType::Ready), "True NothingToDo");
}

#[test]
fn a_settled_endpoint_looks_quickly() {
    let mut sim = Sim::settled(json!({}));
    let quick = (0..20).filter(|_| {
        let passed = sim.pass();
        sim.wait(passed.next);
        passed.quick
    });
    assert!(quick.count() >= 15);
    assert_eq!(sim.steps, []);
}

#[test]
fn the_wanted_name_of_another_owner_is_no_endpoint_of_ours() {
    let mut sim = Sim::of(json!({"displayName": "payments-kv"}), World::settled());
    sim.world.endpoints =
        BTreeMap::from([("theirs".to_owned(), Endpoint { whose: Whose::Others, ..Endpoint::default() })]);
    sim.run(3600);
    assert_eq!(sim.steps, []);
    assert_eq!((sim.status().endpoint_id, sim.status().address), (None, None));
    assert!(sim.is(ConditionType::ClaimConflict, "True"));
}

#[test]
fn a_person_gives_another_owners_endpoint_away_once_by_naming_that_owner() {
    let mut sim = Sim::of(json!({"displayName": "payments-kv"}), World::settled());
    sim.world.endpoints.get_mut("ours").unwrap().whose = Whose::Others;
    sim.annotate("take-over", &"q".repeat(26));
    sim.run(600);
    assert_eq!(
        (sim.steps.len(), sim.says(ConditionType::EndpointProvisioned)),
        (0, "False ClaimConflict".to_owned()),
        "that is not its owner"
    );
    sim.annotate("take-over", &other().hash);
    sim.world.given = true;
    sim.run(600);
    assert!(matches!(sim.steps.as_slice(), [Step::AdoptEndpoint { .. }]), "{:?}", sim.steps);
    assert!(sim.is(ConditionType::Ready, "True"));
    assert_eq!(sim.status().last_handled_take_over, Some(other().hash));
    // Given back by a person over there, the old annotation here is spent.
    sim.world.endpoints.get_mut("ours").unwrap().whose = Whose::Others;
    sim.run(3600);
    assert_eq!((sim.steps.len(), sim.says(ConditionType::EndpointProvisioned)), (1, "False ClaimConflict".to_owned()));
}

#[test]
fn under_report_nothing_lost_is_made_again_until_a_person_asks() {
    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    let lost = |sim: &mut Sim, look: &str| {
        sim.annotate("reconcile-requested-at", look);
        sim.run(3600);
        assert_eq!(sim.steps, [], "{look}");
        sim.status().drift.into_iter().map(|row| (row.field, row.have)).collect::<Vec<_>>()
    };
    sim.world.endpoints.get_mut("ours").unwrap().bound.clear();
    assert_eq!(lost(&mut sim, "1"), [("spec.allowedSources".to_owned(), "not bound".to_owned())]);
    assert_eq!(sim.says(ConditionType::AccessControlApplied), "False AccessRuleGone");
    assert_eq!(sim.status().address, None, "an open door has no address");
    sim.world.sources.clear();
    assert_eq!(lost(&mut sim, "2"), [("spec.allowedSources".to_owned(), String::new())]);
    sim.world.endpoints.clear();
    assert_eq!(lost(&mut sim, "3")[0].0, "spec.displayName");
    assert_eq!(sim.says(ConditionType::EndpointProvisioned), "False EndpointGone");
    let asked = k8s_openapi::jiff::Timestamp::from_second(sim.now).unwrap().to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.run(600);
    assert!(matches!(sim.steps.first(), Some(Step::CreateSource { .. } | Step::CreateEndpoint(..))), "{:?}", sim.steps);
}

#[test]
fn a_plan_says_how_full_the_connector_is_before_one_more_is_made() {
    let theirs = Endpoint { whose: Whose::Others, name: Some("theirs".to_owned()), ..Endpoint::default() };
    let world = || World { endpoints: BTreeMap::from([("theirs".to_owned(), theirs.clone())]), ..World::default() };
    let row = |spec| {
        let rows = Sim::of(spec, world()).pass().plan.preview();
        let mut creates = rows.into_iter().filter(|row| row.resource.starts_with("connector endpoint "));
        creates.next().map(|row| row.detail).unwrap()
    };
    let at_once = row(json!({"mode": "Plan", "allowedSources": null}));
    assert!(at_once.ends_with(":443; 1 of 25 endpoints of the connector are used"), "{at_once}");
    let behind_its_rule = row(json!({"mode": "Plan"}));
    assert_eq!(behind_its_rule, "after the access rule; 1 of 25 endpoints of the connector are used");
}
