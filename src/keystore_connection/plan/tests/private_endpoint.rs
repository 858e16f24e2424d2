//! Stage `PrivateEndpointReady`: both sides of a connection, ownership, adoption, what Azure cannot change.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    sim::Sim,
    word,
    world::{Connection, Endpoint, Part, Trouble, Whose, World, Write, Zone},
};
use crate::{
    api::condition::ConditionType,
    keystore_connection::plan::Step,
    reconcile::stage::{Describe, Verdict},
};

const STAGE: ConditionType = ConditionType::PrivateEndpointReady;

fn verdict(spec: Value, change: impl FnOnce(&mut World)) -> Verdict<Step> {
    let mut world = World::settled();
    change(&mut world);
    Sim::of(spec, world).verdict(STAGE)
}

fn says(spec: Value, change: impl FnOnce(&mut World)) -> String {
    word(&verdict(spec, change))
}

fn adopting() -> Value {
    json!({"adoptionPolicy": "IfUnowned"})
}

#[test]
fn both_sides_of_the_connection_must_say_approved() {
    let manual = || json!({"privateEndpoint": {"approval": "Manual"}});
    for (here, there, wanted) in [
        ("Approved", Some(("Approved", "Succeeded")), "Met PrivateEndpointReady"),
        ("Pending", Some(("Pending", "Succeeded")), "Await AwaitingApproval"),
        ("Approved", None, "Wait ConnectionInProgress"),
        ("Approved", Some(("Approved", "Updating")), "Wait ConnectionInProgress"),
        ("Approved", Some(("Approved", "Failed")), "Wait ConnectionInProgress"),
        ("Pending", Some(("Approved", "Succeeded")), "Wait ConnectionInProgress"),
        ("Pending", None, "Wait ConnectionInProgress"),
        ("Approved", Some(("Later", "Succeeded")), "Wait ConnectionInProgress"),
        ("Later", Some(("Approved", "Succeeded")), "Wait ConnectionInProgress"),
        ("Rejected", Some(("Rejected", "Succeeded")), "Blocked PrivateEndpointRejected AwaitingPerson"),
        ("Pending", Some(("Rejected", "Succeeded")), "Blocked PrivateEndpointRejected AwaitingPerson"),
        ("Rejected", None, "Blocked PrivateEndpointRejected AwaitingPerson"),
        ("Disconnected", None, "Blocked PrivateEndpointDisconnected AwaitingPerson"),
        ("Disconnected", Some(("Disconnected", "Succeeded")), "Blocked PrivateEndpointDisconnected AwaitingPerson"),
        ("Approved", Some(("Disconnected", "Succeeded")), "Blocked PrivateEndpointDisconnected AwaitingPerson"),
    ] {
        let said = says(manual(), |world| {
            world.endpoint = Some(Endpoint { manual: true, status: here.to_owned(), ..world.endpoint.take().unwrap() });
            world.connection =
                there.map(|(status, state)| Connection { status: status.to_owned(), state: state.to_owned() });
        });
        assert_eq!(said, wanted, "{here} / {there:?}");
    }
}

#[test]
fn automatic_approves_our_own_pending_connection_and_manual_never_does() {
    let pending = |manual: bool| {
        move |world: &mut World| {
            world.endpoint = Some(Endpoint { manual, status: "Pending".to_owned(), ..world.endpoint.take().unwrap() });
            world.connection = Some(Connection { status: "Pending".to_owned(), ..Connection::default() });
        }
    };
    let step = verdict(json!({}), pending(false));
    assert!(matches!(&step, Verdict::Do(Step::ApproveConnection { name }, _) if name == "c1"), "{step:?}");
    let mut sim = Sim::of(json!({"privateEndpoint": {"approval": "Manual"}}), World::settled());
    pending(true)(&mut sim.world);
    sim.run(3 * 24 * 3600);
    assert_eq!(sim.steps, []);
    assert_eq!(sim.says(ConditionType::Ready), "False AwaitingApproval");
    assert!(!sim.is(ConditionType::Reconciling, "True") && !sim.is(ConditionType::Stalled, "True"));
}

#[test]
fn a_rejected_approval_never_recreates_the_endpoint() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    for side in ["Rejected", "Disconnected"] {
        sim.world.endpoint.as_mut().unwrap().status = side.to_owned();
        sim.world.connection.as_mut().unwrap().status = side.to_owned();
        sim.run(24 * 3600);
        assert_eq!(sim.steps, []);
        assert_eq!(sim.says(ConditionType::Ready), format!("False PrivateEndpoint{side}"));
    }
}

#[test]
fn sides_that_disagree_for_ten_minutes_are_told_and_stay_told() {
    let mut sim = Sim::of(json!({}), World::settled());
    sim.world.connection = None;
    sim.run(500);
    assert_eq!(sim.says(STAGE), "False ConnectionInProgress");
    sim.run(200);
    assert_eq!(sim.says(STAGE), "False PrivateLinkInconsistent");
    sim.run(3000);
    assert_eq!(sim.says(STAGE), "False PrivateLinkInconsistent");
    sim.world.connection = Some(Connection::default());
    sim.rest();
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn an_endpoint_of_another_owner_is_never_touched() {
    for adoption in ["Never", "IfUnowned"] {
        let mut sim = Sim::of(json!({"adoptionPolicy": adoption}), World::settled());
        let other = sim.world.endpoint.as_mut().unwrap();
        (other.whose, other.status, other.state) = (Whose::Others, "Pending".to_owned(), "Failed".to_owned());
        sim.world.connection.as_mut().unwrap().status = "Pending".to_owned();
        sim.world.zone_group = None;
        sim.run(1200);
        assert_eq!(sim.steps, []);
        assert_eq!(sim.says(STAGE), "False ClaimConflict");
        assert!(sim.is(ConditionType::ClaimConflict, "True"));
    }
}

#[test]
fn an_unowned_endpoint_is_taken_over_only_when_the_policy_says_so_and_it_fits() {
    for whose in [Whose::Nobodys, Whose::Released] {
        let unowned = |world: &mut World| world.endpoint.as_mut().unwrap().whose = whose;
        assert_eq!(says(json!({}), unowned), "Blocked ClaimConflict AwaitingPerson");
        let step = verdict(adopting(), unowned);
        assert!(matches!(&step, Verdict::Do(Step::TagPrivateEndpoint { adopt: true, .. }, _)), "{step:?}");
        let misfit = says(adopting(), |world| {
            unowned(world);
            world.endpoint.as_mut().unwrap().subnet = "another".to_owned();
        });
        assert_eq!(misfit, "Blocked AdoptionMismatch Invalid");
    }
}

#[test]
fn tags_of_others_survive_an_adoption() {
    let mut sim = Sim::of(adopting(), World::settled());
    let have = sim.world.endpoint.as_mut().unwrap();
    have.whose = Whose::Nobodys;
    have.tags = BTreeMap::from([("cost-centre".to_owned(), "7".to_owned()), ("TEAM".to_owned(), "old".to_owned())]);
    sim.rest();
    let tags = &sim.world.endpoint.as_ref().unwrap().tags;
    assert_eq!(tags.get("cost-centre").map(String::as_str), Some("7"));
    assert_eq!(tags.get("team").map(String::as_str), Some("payments"));
    assert_eq!(tags.get("TEAM"), None);
}

#[test]
fn an_endpoint_whose_tags_were_taken_off_is_still_ours() {
    let mut sim = Sim::settled(json!({}));
    let have = sim.world.endpoint.as_mut().unwrap();
    (have.whose, have.tags) = (Whose::Nobodys, BTreeMap::new());
    sim.run(2 * 1900);
    assert_eq!(sim.world.endpoint.as_ref().unwrap().whose, Whose::Ours);
    assert!(sim.is(ConditionType::Ready, "True"));
}

#[test]
fn a_tag_spelled_with_other_letters_is_no_difference() {
    let same = |world: &mut World| {
        world.endpoint.as_mut().unwrap().tags = BTreeMap::from([("Team".to_owned(), "payments".to_owned())]);
    };
    assert_eq!(says(json!({}), same), "Met PrivateEndpointReady");
}

/// Azure knows one of them only, so setting both would never end.
#[test]
fn two_tags_of_one_name_in_other_letters_come_to_rest() {
    let mut sim = Sim::of(json!({"privateEndpoint": {"tags": {"Team": "a", "team": "b"}}}), World::settled());
    sim.world.endpoint.as_mut().unwrap().tags = BTreeMap::from([("team".to_owned(), "c".to_owned())]);
    sim.rest();
    assert!(sim.is(ConditionType::Ready, "True"));
    let tagged = sim.steps.iter().filter(|step| matches!(step, Step::TagPrivateEndpoint { .. })).count();
    assert_eq!(tagged, 1, "{:?}", sim.steps);
}

#[test]
fn what_azure_cannot_change_in_place_is_told_and_left_alone() {
    let said = says(json!({}), |world| world.endpoint.as_mut().unwrap().subnet = "another".to_owned());
    assert_eq!(said, "Blocked PrivateEndpointImmutable Denied");
    let said = says(json!({"privateEndpoint": {"privateIPAddress": "10.1.0.9"}}), |_| {});
    assert_eq!(said, "Blocked PrivateEndpointImmutable Denied");
    let said = says(json!({"privateEndpoint": {"approval": "Manual"}}), |_| {});
    assert_eq!(said, "Blocked PrivateEndpointImmutable Denied");
}

#[test]
fn an_endpoint_is_made_only_where_it_can_be() {
    let absent = |change: fn(&mut World)| {
        says(json!({}), |world| {
            (world.endpoint, world.connection) = (None, None);
            change(world);
        })
    };
    assert_eq!(absent(|_| {}), "Do PrivateEndpointInProgress");
    assert_eq!(absent(|world| world.subnet.exists = false), "Blocked SubnetNotFound NotFound");
    assert_eq!(absent(|world| world.subnet.delegated = true), "Blocked SubnetDelegated Denied");
    assert_eq!(absent(|world| world.subnet.state = "Updating".to_owned()), "Wait SubnetInProgress");
    assert_eq!(absent(|world| world.neighbour = true), "Blocked PrivateEndpointDuplicate AwaitingPerson");
    assert_eq!(absent(|world| world.vault.as_mut().unwrap().soft_delete = false), "Behind VaultReady");
    for part in [Part::Endpoint, Part::Subnet, Part::Network, Part::Neighbours] {
        let said = says(json!({}), |world| {
            (world.endpoint, world.connection) = (None, None);
            world.dark.insert(part, Trouble::Outage);
        });
        assert_eq!(said, "Unclear CloudUnavailable", "{part:?}");
    }
    let elsewhere = json!({"privateEndpoint": {"location": "northeurope"}});
    let said = says(elsewhere, |world| (world.endpoint, world.connection) = (None, None));
    assert_eq!(said, "Blocked LocationInvalid Invalid");
}

#[test]
fn a_failed_endpoint_is_asked_for_again_three_times() {
    let mut sim = Sim::of(json!({}), World::settled());
    sim.world.endpoint.as_mut().unwrap().state = "Failed".to_owned();
    for _ in 0..3 {
        let passed = sim.pass();
        assert!(matches!(passed.step, Some(Step::RetryPrivateEndpoint { .. })), "{:?}", passed.step);
        sim.world.endpoint.as_mut().unwrap().state = "Failed".to_owned();
        sim.wait(passed.next);
    }
    sim.pass();
    assert_eq!(sim.says(STAGE), "False PrivateEndpointFailed");
    assert_eq!(sim.memory().private_endpoint_retries, Some(3));
}

#[test]
fn a_new_endpoint_in_the_place_of_a_failed_one_has_its_own_three_tries() {
    let mut sim = Sim::of(json!({}), World::settled());
    for _ in 0..4 {
        sim.world.endpoint.as_mut().unwrap().state = "Failed".to_owned();
        let next = sim.pass().next;
        sim.wait(next);
    }
    (sim.world.endpoint, sim.world.connection) = (None, None);
    let made = sim.pass();
    assert!(matches!(made.step, Some(Step::CreatePrivateEndpoint { .. })));
    sim.world.endpoint.as_mut().unwrap().state = "Failed".to_owned();
    sim.wait(made.next);
    assert!(matches!(sim.pass().step, Some(Step::RetryPrivateEndpoint { .. })));
}

#[test]
fn the_dns_zone_group_is_made_when_there_is_none_and_never_replaced() {
    let zone = |zone: Option<Zone>| says(json!({}), |world| world.zone_group = zone);
    assert_eq!(zone(None), "Do DnsZoneGroupInProgress");
    assert_eq!(zone(Some(Zone::Other)), "Blocked DnsZoneGroupMismatch AwaitingPerson");
    assert_eq!(zone(Some(Zone::Updating)), "Wait DnsZoneGroupInProgress");
    let unasked = json!({"privateEndpoint": {"privateDnsZoneId": null}});
    assert_eq!(says(unasked, |world| world.zone_group = None), "Met PrivateEndpointReady");
    for part in [Part::ZoneGroups, Part::Interface] {
        assert_eq!(says(json!({}), |world| world.darken(part, Trouble::Outage)), "Unclear CloudUnavailable");
    }
}

#[test]
fn a_record_that_says_something_else_is_advice_only() {
    let verdict = verdict(json!({}), |world| world.record = Some(vec!["10.9.9.9".to_owned()]));
    assert!(matches!(&verdict, Verdict::Met(word) if word.message.contains("DnsRecordMismatch")), "{verdict:?}");
}

#[test]
fn without_a_private_endpoint_in_the_spec_nobody_touches_one() {
    assert_eq!(says(json!({"privateEndpoint": null}), |_| {}), "Met NotManaged");
}

#[test]
fn a_vanished_endpoint_is_made_again_under_correct_and_only_told_under_report() {
    let mut sim = Sim::settled(json!({}));
    sim.steps.clear();
    (sim.world.endpoint, sim.world.connection, sim.world.zone_group) = (None, None, None);
    sim.rest();
    assert!(sim.steps.iter().any(|step| matches!(step, Step::CreatePrivateEndpoint { .. })), "{:?}", sim.steps);

    let mut sim = Sim::settled(json!({"driftPolicy": "Report"}));
    sim.steps.clear();
    (sim.world.endpoint, sim.world.connection, sim.world.zone_group) = (None, None, None);
    sim.run(7200);
    assert_eq!(sim.steps, []);
    assert_eq!(sim.says(STAGE), "False PrivateEndpointGone");
}

#[test]
fn a_refused_write_is_told_in_its_stage_and_tried_again_slowly() {
    let mut sim = Sim::of(json!({}), World { writes: vec![Write::Refused; 9], ..World::default() });
    sim.run(1800);
    assert_eq!(sim.says(STAGE), "False RoleMissing");
    assert!(sim.steps.len() <= 9, "{}", sim.steps.len());
}

#[test]
fn steps_are_told_in_words() {
    let Verdict::Do(step, _) = verdict(json!({}), |world| (world.endpoint, world.connection) = (None, None)) else {
        panic!("nothing to do");
    };
    let row = step.describe();
    assert_eq!(
        (row.resource.as_str(), row.detail.as_str()),
        ("private endpoint payments-kv-pe", "in private-endpoints, dynamic address")
    );
}
