//! What holds for every wish, every state of IBM Cloud and every loss of an answer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    sim::{START, Sim, in_case},
    world::{Endpoint, Part, Source, Trouble, Whose, World, Write},
};
use crate::{
    api::condition::ConditionType,
    clouds::http::Class,
    connector_endpoint::{
        observe::Observed,
        plan::{Step, plan},
    },
    reconcile::{fault::Fault, stage::Seen},
};

const PARTS: [Part; 6] =
    [Part::Login, Part::Connectors, Part::Endpoints, Part::Endpoint, Part::Sources, Part::Bindings];

fn pick<T: Clone + std::fmt::Debug + 'static>(choices: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(choices.to_vec())
}

prop_compose! {
    fn spec()(
        named in any::<bool>(), managed in any::<bool>(), enabled in any::<bool>(),
        (mode, drift, adoption) in (pick(&["Manage", "Manage", "Plan"]), pick(&["Correct", "Report"]), pick(&["Never", "IfUnowned"])),
    ) -> Value {
        let mut spec = json!({"mode": mode, "driftPolicy": drift, "adoptionPolicy": adoption, "enabled": enabled});
        if named {
            spec["displayName"] = json!("payments-kv");
        }
        if !managed {
            spec["allowedSources"] = Value::Null;
        }
        spec
    }
}

prop_compose! {
    fn endpoint()(
        whose in pick(&[Whose::Ours, Whose::Nobodys, Whose::Released, Whose::Others]),
        (host, enabled, address, pending) in (pick(&["payments-kv.privatelink.vaultcore.azure.net", "10.9.9.9"]), any::<bool>(), proptest::bool::weighted(0.8), proptest::bool::weighted(0.1)),
        bound in proptest::collection::btree_map(pick(&["ours".to_owned(), "theirs".to_owned()]), any::<bool>(), 0..2),
    ) -> Endpoint {
        Endpoint { whose, host: host.to_owned(), enabled, address, pending, bound, ..Endpoint::default() }
    }
}

prop_compose! {
    fn world()(
        endpoint in proptest::option::of(endpoint()),
        source in proptest::option::of(pick(&["10.0.0.0/8", "172.16.0.0/12"])),
        connectors in pick(&[vec!["CREATED"], vec!["CREATED"], vec!["CREATED"], vec![], vec!["CREATING"], vec!["CREATED", "CREATED"]]),
        used in any::<bool>(),
        writes in proptest::collection::vec(pick(&[Write::Done, Write::LostBefore, Write::LostAfter, Write::DoneLater, Write::Refused]), 0..5),
    ) -> World {
        World {
            endpoints: endpoint.into_iter().map(|endpoint| ("ours".to_owned(), endpoint)).collect(),
            sources: source.into_iter().map(|address| ("ours".to_owned(), Source { name: None, addresses: vec![address.to_owned()] })).collect(),
            connectors: connectors.into_iter().map(str::to_owned).collect(),
            used_by: if used { vec!["payments".to_owned()] } else { Vec::new() },
            writes,
            ..World::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_wish_comes_to_rest_with_one_endpoint(spec in spec(), world in world(), blinks in proptest::collection::vec((0..400_i64, 5..150_i64, pick(&PARTS)), 0..4)) {
        let theirs = world.endpoints.get("ours").is_some_and(|have| have.whose == Whose::Others);
        let mut sim = Sim::of(spec, world);
        let mut passes = 0;
        while sim.now < START + 5400 {
            sim.world.dark.clear();
            for (from, length, part) in &blinks {
                if (*from..from + length).contains(&(sim.now - START)) {
                    sim.world.dark.insert(*part, Trouble::Outage);
                }
            }
            let next = sim.pass().next;
            sim.wait(next);
            passes += 1;
            prop_assert!(passes < 4000, "a busy loop: {}", sim.says(ConditionType::Ready));
        }
        prop_assert!(sim.steps.len() <= 20, "{:?}", sim.steps);
        prop_assert!(sim.world.endpoints.len() <= 1 && sim.world.later.is_empty());
        if theirs {
            let rules_only = sim.steps.iter().all(|step| matches!(step, Step::CreateSource { .. } | Step::UpdateSource { .. }));
            prop_assert!(rules_only, "{:?}", sim.steps);
        }
        let have = sim.steps.len();
        sim.run(1200);
        prop_assert_eq!(sim.steps.len(), have, "still writing");
        let ready = sim.says(ConditionType::Ready);
        prop_assert!(ready.split_once(' ').is_some_and(|(_, reason)| reason.len() > 3), "{ready}");
        if sim.status().address.is_some() {
            prop_assert!(sim.is(ConditionType::AccessControlApplied, "True"));
        }
    }

    #[test]
    fn a_plan_says_something_of_whatever_is_seen(spec in spec(), world in world(), holes in proptest::collection::vec((0..6_usize, 0..3_usize), 0..4), quick in any::<bool>()) {
        let sim = Sim::of(spec, world);
        let now = k8s_openapi::jiff::Timestamp::from_second(START).unwrap();
        in_case(&sim.object, &sim.world, now, |want, past, _| {
            let mut seen = sim.world.look(want, past, false);
            for (field, how) in holes {
                tear(&mut seen, field, how);
            }
            let plan = plan(want, &seen, past, quick);
            prop_assert_eq!(plan.stages.len(), 4);
            for step in plan.stages.iter().filter_map(|stage| stage.verdict.to_do()).filter(|_| !quick) {
                if let Step::CreateEndpoint(..) = step {
                    let none = seen.endpoints.present().is_some_and(Vec::is_empty) || matches!(seen.endpoints, Seen::Absent);
                    prop_assert!(none && seen.connectors.present().is_some());
                }
                if let Step::CreateSource { .. } = step {
                    prop_assert!(seen.sources.present().is_some_and(Vec::is_empty) || matches!(seen.sources, Seen::Absent));
                }
            }
            Ok(())
        })?;
    }
}

/// One field of a look is lost: not there, unreadable, or not looked at.
fn tear(seen: &mut Observed, field: usize, how: usize) {
    fn hole<T>(how: usize) -> Seen<T> {
        match how {
            0 => Seen::Absent,
            1 => Seen::NotLooked,
            _ => Seen::Unknown(Fault::new(Class::Transient, "LinkUnavailable", "")),
        }
    }
    match field {
        0 => seen.login = hole(how),
        1 => seen.connectors = hole(how),
        2 => seen.endpoints = hole(how),
        3 => seen.endpoint = hole(how),
        4 => seen.sources = hole(how),
        _ => seen.bindings = hole(how),
    }
}
