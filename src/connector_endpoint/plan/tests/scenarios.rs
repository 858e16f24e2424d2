//! The stories of `tests/scenarios/` about a `ConnectorEndpoint`.

use super::{
    sim::{START, Sim},
    world::World,
};
use crate::reconcile::{
    scenario::{Scenario, Story, of_kind, patched},
    stage::Describe,
    summary::Done,
};

#[test]
fn every_story_ends_as_it_is_written_down() {
    let different: Vec<String> = of_kind("ConnectorEndpoint").iter().flat_map(told).collect();
    assert!(different.is_empty(), "UPDATE_SCENARIOS=1 writes these anew:\n{}", different.join("\n"));
}

fn told(scenario: &Scenario) -> Vec<String> {
    let base = if scenario.world["settled"] == true { World::settled() } else { World::default() };
    let world = patched(serde_json::to_value(base).unwrap(), scenario.changes());
    let object = serde_json::from_value(scenario.resource.clone()).unwrap();
    let mut sim = Sim::new(object, serde_json::from_value(world).unwrap());
    let (mut story, mut events) = (Story::default(), scenario.events());
    while sim.now <= START + scenario.seconds() {
        while let Some(due) = events.iter().position(|(after, _)| START + after <= sim.now) {
            let (_, event) = events.remove(due);
            story.outside(sim.now - START, &event);
            happen(&mut sim, &event);
        }
        let second = sim.now - START;
        let passed = sim.pass();
        let did = passed.plan.next().map(|step| {
            let row = step.describe();
            let text = format!("{:?} {}: {}", row.action, row.resource, row.detail);
            match &passed.done {
                Done::Wrote | Done::Answered => text,
                Done::Asked => format!("on record: {text}"),
                Done::Held(word, _) => format!("held ({}): {text}", word.reason),
                Done::Failed(fault) => format!("failed ({}): {text}", fault.reason),
                Done::Nothing => format!("would do: {text}"),
            }
        });
        story.pass(second, did, matches!(passed.done, Done::Nothing | Done::Held(..)), &sim.status().conditions);
        let before = sim.now;
        sim.wait(passed.next);
        let next_event = events.iter().map(|(after, _)| START + after).filter(|at| *at > before).min();
        sim.now = next_event.map_or(sim.now, |at| sim.now.min(at));
    }
    scenario.compare(&story, &sim.status())
}

fn happen(sim: &mut Sim, event: &serde_json::Value) {
    if event["world"].is_object() {
        let world = patched(serde_json::to_value(&sim.world).unwrap(), event["world"].clone());
        sim.world = serde_json::from_value(world).unwrap();
    }
    if event["spec"].is_object() {
        sim.spec(event["spec"].clone());
    }
    for (name, value) in event["annotations"].as_object().into_iter().flatten() {
        sim.annotate(name, value.as_str().unwrap());
    }
}
