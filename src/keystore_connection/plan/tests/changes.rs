//! A changed spec and what others changed: the smallest write, only what is ours, and nothing replaced unless a person asks.

use serde_json::{Value, json};

use super::{
    sim::{Sim, at},
    world::{Part, Trouble, Whose, World, Write, Zone},
};
use crate::{
    api::condition::{self, ConditionType},
    keystore_connection::plan::Step,
};

const STAGE: ConditionType = ConditionType::PrivateEndpointReady;

fn settled(spec: Value) -> Sim {
    let mut sim = Sim::settled(spec);
    sim.steps.clear();
    sim
}

fn message(sim: &Sim) -> String {
    condition::get(&sim.status().conditions, STAGE).unwrap().message.clone()
}

fn drift(sim: &Sim) -> Vec<(String, String)> {
    sim.status().drift.into_iter().map(|row| (row.field, row.have)).collect()
}

fn tag<'a>(sim: &'a Sim, name: &str) -> Option<&'a str> {
    sim.world.endpoint.as_ref().unwrap().tags.get(name).map(String::as_str)
}

#[test]
fn our_zone_group_follows_the_spec_and_one_that_others_made_does_not() {
    let mut sim = settled(json!({}));
    sim.world.zone_group = Some(Zone::OursElsewhere);
    sim.annotate("reconcile-requested-at", "1");
    sim.rest();
    assert!(matches!(sim.steps.as_slice(), [Step::RemoveDnsZoneGroup { .. }, Step::CreateDnsZoneGroup { .. }]));
    assert_eq!((sim.world.zone_group, sim.says(STAGE)), (Some(Zone::Ours), "True PrivateEndpointReady".to_owned()));

    let mut report = settled(json!({"driftPolicy": "Report"}));
    report.world.zone_group = Some(Zone::OursElsewhere);
    report.annotate("reconcile-requested-at", "1");
    report.run(7200);
    assert_eq!((report.steps.len(), report.says(ConditionType::Drifted)), (0, "True DriftReported".to_owned()));
    let [(field, have)] = drift(&report).try_into().unwrap();
    assert!(field == "spec.privateEndpoint.privateDnsZoneId" && have.ends_with("/elsewhere"), "{field} {have}");

    let mut others = settled(json!({}));
    others.world.zone_group = Some(Zone::Other);
    others.annotate("reconcile-requested-at", "1");
    others.run(7200);
    assert_eq!((others.steps.len(), others.says(STAGE)), (0, "False DnsZoneGroupMismatch".to_owned()));

    let mut free = settled(json!({}));
    free.spec(json!({"privateEndpoint": {"privateDnsZoneId": null}}));
    free.run(7200);
    assert_eq!((free.steps.len(), free.world.zone_group), (0, Some(Zone::Ours)), "left alone");
}

#[test]
fn our_zone_group_stays_while_the_new_zone_is_not_seen() {
    for trouble in [Trouble::Outage, Trouble::Forbidden, Trouble::Denied] {
        let mut sim = settled(json!({}));
        sim.world.zone_group = Some(Zone::OursElsewhere);
        sim.world.darken(Part::Links, trouble);
        sim.annotate("reconcile-requested-at", "1");
        sim.run(7200);
        assert_eq!((sim.steps.len(), sim.world.zone_group), (0, Some(Zone::OursElsewhere)), "{trouble:?}");
        assert!(!sim.is(STAGE, "True"), "{trouble:?}: {}", sim.says(STAGE));
        sim.world.dark.clear();
        sim.run(7200);
        assert_eq!(sim.world.zone_group, Some(Zone::Ours), "{trouble:?}");
    }
}

#[test]
fn tags_that_the_spec_names_no_more_are_taken_off_and_those_of_others_stay() {
    let mut sim = settled(json!({"privateEndpoint": {"tags": {"team": "payments", "stage": "prod"}}}));
    sim.world.endpoint.as_mut().unwrap().tags.insert("theirs".to_owned(), "1".to_owned());
    for (step, spec) in
        [json!({"stage": null}), json!({"team": "treasury"}), json!({"team": null})].into_iter().enumerate()
    {
        sim.spec(json!({"privateEndpoint": {"tags": spec}}));
        sim.rest();
        assert_eq!(sim.steps.len(), step + 1, "one write a change, however soon it follows: {:?}", sim.steps);
        assert!(sim.is(ConditionType::Ready, "True") && sim.status().drift.is_empty(), "{}", sim.says(STAGE));
    }
    assert_eq!((tag(&sim, "stage"), tag(&sim, "team"), tag(&sim, "theirs")), (None, None, Some("1")));
    assert_eq!(sim.memory().tag_names, Vec::<String>::new());
}

#[test]
fn two_changes_within_one_second_are_both_made() {
    let mut sim = settled(json!({}));
    for team in ["treasury", "cards"] {
        sim.spec(json!({"privateEndpoint": {"tags": {"team": team}}}));
        sim.pass();
        sim.pass();
        assert_eq!(tag(&sim, "team"), Some(team));
    }
}

#[test]
fn who_sets_a_tag_back_again_and_again_is_told_and_not_fought() {
    let mut sim = settled(json!({}));
    let meddle = |sim: &mut Sim, look: &str| {
        sim.world.endpoint.as_mut().unwrap().tags.insert("team".to_owned(), "policy".to_owned());
        sim.annotate("reconcile-requested-at", look);
        sim.run(400);
    };
    meddle(&mut sim, "1");
    assert_eq!((sim.steps.len(), tag(&sim, "team")), (1, Some("payments")));
    meddle(&mut sim, "2");
    assert_eq!((sim.steps.len(), sim.says(ConditionType::Drifted)), (1, "True CorrectionFailed".to_owned()));
}

#[test]
fn tags_that_azure_refuses_hold_up_nothing_that_matters() {
    let mut sim = settled(json!({}));
    sim.world.endpoint.as_mut().unwrap().tags.insert("team".to_owned(), "others".to_owned());
    sim.world.writes = vec![Write::Refused; 2];
    sim.annotate("reconcile-requested-at", "1");
    sim.run(900);
    assert_eq!((sim.steps.len(), sim.says(ConditionType::Drifted)), (1, "True CorrectionFailed".to_owned()));
    assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
    // A new password is a new attempt at the tags, and then goes to UKO without them.
    let keys = [("clientSecret".to_owned(), "another".to_owned())].into();
    sim.world.secrets.insert("payments-sp".to_owned(), keys);
    sim.run(900);
    assert!(matches!(
        sim.steps[..],
        [Step::TagPrivateEndpoint { .. }, Step::TagPrivateEndpoint { .. }, Step::UpdateKeystore { .. }]
    ));
}

#[test]
fn a_wish_for_the_keystore_deletes_no_endpoint() {
    let mut sim = settled(json!({}));
    sim.world.keystores.clear();
    sim.world.endpoint.as_mut().unwrap().status = "Rejected".to_owned();
    sim.world.connection.as_mut().unwrap().status = "Rejected".to_owned();
    sim.run(600);
    let asked = at(sim.now).to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.run(7200);
    assert_eq!((sim.steps.len(), sim.says(STAGE)), (0, "False PrivateEndpointRejected".to_owned()));
}

#[test]
fn one_wish_deletes_one_endpoint_even_if_the_new_one_is_no_better() {
    let mut sim = settled(json!({}));
    sim.world.endpoint.as_mut().unwrap().status = "Rejected".to_owned();
    sim.world.connection.as_mut().unwrap().status = "Rejected".to_owned();
    sim.run(600);
    let asked = at(sim.now).to_string();
    sim.annotate("recreate-requested-at", &asked);
    while !sim.steps.iter().any(|step| matches!(step, Step::RemovePrivateEndpoint { .. })) {
        let next = sim.pass().next;
        sim.wait(next);
    }
    // The answer to the creation is lost, and what was made is rejected at once.
    sim.world.writes = vec![Write::LostAfter];
    sim.pass();
    sim.world.endpoint.as_mut().unwrap().status = "Rejected".to_owned();
    sim.world.connection.as_mut().unwrap().status = "Rejected".to_owned();
    sim.run(7200);
    let removed = sim.steps.iter().filter(|step| matches!(step, Step::RemovePrivateEndpoint { .. })).count();
    assert_eq!((removed, sim.says(STAGE)), (1, "False PrivateEndpointRejected".to_owned()));
}

#[test]
fn a_refused_endpoint_is_made_anew_only_when_a_person_asks_and_once() {
    for word in ["Rejected", "Disconnected"] {
        let mut sim = settled(json!({}));
        let refuse = |sim: &mut Sim| {
            sim.world.endpoint.as_mut().unwrap().status = word.to_owned();
            sim.world.connection.as_mut().unwrap().status = word.to_owned();
        };
        refuse(&mut sim);
        sim.run(3600);
        assert!(sim.steps.is_empty() && message(&sim).contains("recreate-requested-at"), "{}", message(&sim));
        let asked = at(sim.now).to_string();
        sim.annotate("recreate-requested-at", &asked);
        sim.run(60);
        let [remove, create, group] = sim.steps.as_slice() else { panic!("{:?}", sim.steps) };
        assert!(matches!(remove, Step::RemovePrivateEndpoint { .. }));
        assert!(matches!(create, Step::CreatePrivateEndpoint { .. }));
        assert!(matches!(group, Step::CreateDnsZoneGroup { .. }));
        assert_eq!(sim.status().last_handled_recreate_at, Some(asked));
        refuse(&mut sim);
        sim.run(24 * 3600);
        assert_eq!((sim.steps.len(), sim.says(STAGE)), (3, format!("False PrivateEndpoint{word}")));
    }
}

#[test]
fn a_wish_that_found_nothing_lost_does_not_wait_for_a_loss() {
    let mut sim = settled(json!({}));
    let asked = at(sim.now).to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.run(7200);
    assert_eq!(sim.status().last_handled_recreate_at, Some(asked));
    sim.world.endpoint.as_mut().unwrap().status = "Rejected".to_owned();
    sim.world.connection.as_mut().unwrap().status = "Rejected".to_owned();
    sim.world.keystores.clear();
    sim.run(7200);
    assert_eq!(sim.steps, []);
}

#[test]
fn a_vanished_endpoint_is_only_reported_under_report_until_a_person_asks() {
    let mut sim = settled(json!({"driftPolicy": "Report"}));
    (sim.world.endpoint, sim.world.connection, sim.world.zone_group) = (None, None, None);
    sim.run(7200);
    assert_eq!((sim.steps.len(), sim.says(STAGE)), (0, "False PrivateEndpointGone".to_owned()));
    assert_eq!(drift(&sim), [("spec.privateEndpoint.name".to_owned(), String::new())]);
    let asked = at(sim.now).to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.rest();
    assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
}

#[test]
fn what_azure_cannot_change_is_told_in_plan_and_status_and_replaced_only_on_request() {
    let mut sim = settled(json!({}));
    sim.world.endpoint.as_mut().unwrap().subnet = "another".to_owned();
    sim.annotate("reconcile-requested-at", "1");
    sim.run(7200);
    assert_eq!((sim.steps.len(), sim.says(STAGE)), (0, "False PrivateEndpointImmutable".to_owned()));
    let plan = sim.status().plan;
    assert!(
        plan[0].resource.contains("payments-kv-pe") && plan[0].detail.contains("spec.privateEndpoint.subnetId"),
        "{plan:?}"
    );
    let asked = at(sim.now).to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.run(60);
    assert!(matches!(
        sim.steps.as_slice(),
        [Step::RemovePrivateEndpoint { .. }, Step::CreatePrivateEndpoint { .. }, ..]
    ));
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn an_endpoint_that_the_spec_names_no_more_stays_and_that_is_said() {
    let mut sim = settled(json!({}));
    sim.spec(json!({"privateEndpoint": null}));
    sim.pass();
    assert_eq!(sim.says(STAGE), "True NotManaged");
    assert!(message(&sim).contains("payments-kv-pe stays in Azure"), "{}", message(&sim));
    sim.rest();
    assert_eq!(sim.world.endpoint.as_ref().unwrap().whose, Whose::Ours);
    assert_eq!(sim.steps, []);
}

#[test]
fn an_unowned_endpoint_is_never_deleted_whatever_is_asked() {
    let mut world = World::settled();
    let endpoint = world.endpoint.as_mut().unwrap();
    (endpoint.whose, endpoint.subnet) = (Whose::Nobodys, "another".to_owned());
    let mut sim = Sim::of(json!({"adoptionPolicy": "IfUnowned"}), world);
    sim.pass();
    let asked = at(sim.now + 1).to_string();
    sim.annotate("recreate-requested-at", &asked);
    sim.run(3600);
    assert_eq!((sim.steps.len(), sim.says(STAGE)), (0, "False AdoptionMismatch".to_owned()));
}
