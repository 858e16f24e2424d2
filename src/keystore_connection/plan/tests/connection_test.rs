//! Stage `ConnectionTested`.

use serde_json::json;

use super::{
    sim::Sim,
    world::{Test, World},
};
use crate::{api::condition::ConditionType, keystore_connection::plan::Step};

const STAGE: ConditionType = ConditionType::ConnectionTested;

fn unregistered(test: Test) -> World {
    World { keystores: Vec::new(), test, ..World::settled() }
}

fn tests(sim: &Sim) -> usize {
    sim.steps.iter().filter(|step| matches!(step, Step::TestConnection(_))).count()
}

fn registered(sim: &Sim) -> bool {
    sim.steps.iter().any(|step| matches!(step, Step::CreateKeystore(..)))
}

#[test]
fn a_passed_test_comes_before_the_registration_and_is_not_repeated() {
    let mut sim = Sim::of(json!({}), unregistered(Test::Passes));
    sim.rest();
    assert!(matches!(sim.steps.as_slice(), [Step::TestConnection(_), Step::CreateKeystore(..), ..]), "{:?}", sim.steps);
    sim.run(7200);
    assert_eq!(tests(&sim), 1);
    assert_eq!(sim.says(STAGE), "True JudgedByHealth");
}

#[test]
fn required_registers_nothing_before_a_pass_advisory_does_and_skip_does_not_ask() {
    let mut required = Sim::of(json!({}), unregistered(Test::Fails));
    required.run(3600);
    assert!(!registered(&required));
    let mut advisory = Sim::of(json!({"connectionTest": "Advisory"}), unregistered(Test::Fails));
    advisory.rest();
    assert!(registered(&advisory) && advisory.is(ConditionType::Ready, "True"));
    let mut skip = Sim::of(json!({"connectionTest": "Skip"}), unregistered(Test::Fails));
    skip.rest();
    assert!(registered(&skip) && tests(&skip) == 0);
    assert_eq!(skip.says(STAGE), "Unknown Skipped");
    assert!(skip.is(ConditionType::Ready, "True"));
}

#[test]
fn a_failed_test_is_repeated_from_half_a_minute_up_to_the_interval() {
    let mut sim = Sim::of(json!({"intervalSeconds": 600}), unregistered(Test::Fails));
    let mut seen = Vec::new();
    while sim.now < super::sim::START + 3600 {
        let before = tests(&sim);
        let passed = sim.pass();
        if tests(&sim) > before {
            seen.push(sim.now);
        }
        sim.wait(passed.next);
    }
    let waits: Vec<i64> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((22..=50).contains(&waits[0]) && (22..=80).contains(&waits[1]), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= 800) && waits.iter().rev().take(2).all(|wait| *wait >= 400), "{waits:?}");
    assert!((7..=12).contains(&waits.len()), "{waits:?}");
}

/// A Secret's watch, the `ConnectorEndpoint` and the policy file wake an object at any time.
#[test]
fn being_woken_often_does_not_slow_the_test_down() {
    let mut sim = Sim::of(json!({}), unregistered(Test::Fails));
    for _ in 0..30 {
        sim.pass();
        sim.now += 1;
    }
    let before = tests(&sim);
    sim.run(60);
    assert!(tests(&sim) > before);
}

#[test]
fn new_inputs_are_tested_at_once() {
    let mut sim = Sim::of(json!({}), unregistered(Test::Fails));
    sim.run(3600);
    let before = tests(&sim);
    sim.world.secrets.get_mut("payments-sp").unwrap().insert("clientSecret".to_owned(), "better".to_owned());
    sim.world.test = Test::Passes;
    sim.run(30);
    assert_eq!(tests(&sim), before + 1);
    assert!(registered(&sim));
}

#[test]
fn a_failed_test_stalls_only_when_the_field_is_named_and_nothing_has_changed_for_a_quarter_of_an_hour() {
    for (test, stalls) in [(Test::Names("azure_tenant".to_owned()), true), (Test::Fails, false)] {
        let mut sim = Sim::of(json!({}), unregistered(test));
        sim.run(800);
        assert!(sim.is(ConditionType::Reconciling, "True"), "{}", sim.says(STAGE));
        sim.run(1800);
        assert_eq!(sim.is(ConditionType::Stalled, "True"), stalls);
        assert_eq!(sim.says(ConditionType::Ready), "False ConnectionTestFailed");
    }
}

#[test]
fn an_outage_is_no_verdict() {
    let mut sim = Sim::of(json!({}), unregistered(Test::Outage));
    sim.run(600);
    assert_eq!(sim.says(STAGE), "Unknown UkoUnavailable");
    assert!(sim.status().connection_test.is_none() && !registered(&sim));
}

#[test]
fn a_test_that_was_asked_for_runs_once_even_in_plan_mode_and_where_it_is_skipped() {
    for spec in [json!({}), json!({"mode": "Plan"}), json!({"connectionTest": "Skip"})] {
        let mut sim = Sim::of(spec, World::settled());
        sim.run(30);
        sim.steps.clear();
        sim.annotate("test-requested-at", "2027-01-15T09:00:00Z");
        sim.run(1200);
        assert_eq!(sim.steps.len(), 1, "{:?}", sim.steps);
        assert_eq!(sim.status().last_handled_test_at.as_deref(), Some("2027-01-15T09:00:00Z"));
    }
}

#[test]
fn plan_mode_touches_nothing_and_says_what_it_would_do() {
    let mut sim = Sim::of(json!({"mode": "Plan"}), World::default());
    sim.run(7200);
    assert_eq!(sim.steps, []);
    assert_eq!(sim.says(ConditionType::Ready), "False ChangesPlanned");
    assert!(!sim.is(ConditionType::Reconciling, "True"));
    let plan = sim.status().plan;
    assert_eq!(plan[0].resource, "private endpoint payments-kv-pe");
    // What a missing right still hides is told as well: it is what a reviewer looks for.
    let mut hidden = Sim::of(json!({"mode": "Plan", "azure": {"keyPermissions": "Grant"}}), World::default());
    hidden.world.vault.as_mut().unwrap().permissions.clear();
    hidden.pass();
    let told: Vec<String> = hidden.status().plan.into_iter().map(|row| row.resource).collect();
    assert_eq!(
        told,
        [
            "access policy of the Key Vault",
            "private endpoint payments-kv-pe",
            "DNS zone group uko-operator",
            "keystore payments",
            "keystore payments"
        ]
    );
}
