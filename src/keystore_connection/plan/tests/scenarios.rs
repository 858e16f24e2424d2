//! The stories of `tests/scenarios/` about an `AzureKeystoreConnection`.

use super::{
    sim::{START, Sim},
    world::World,
};
use crate::reconcile::{
    scenario::{Scenario, Story, of_kind, patched},
    summary::Done,
};

#[test]
fn every_story_ends_as_it_is_written_down() {
    let different: Vec<String> = of_kind("AzureKeystoreConnection").iter().flat_map(told).collect();
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
        let did = passed.step.as_ref().map(|step| match &passed.done {
            Done::Asked if step.creates().is_some() => format!("on record: {}", Sim::told(step)),
            Done::Wrote | Done::Asked | Done::Answered => Sim::told(step),
            Done::Held(word, _) => format!("held ({}): {}", word.reason, Sim::told(step)),
            Done::Failed(fault) => format!("failed ({}): {}", fault.reason, Sim::told(step)),
            Done::Nothing => format!("would do: {}", Sim::told(step)),
        });
        story.pass(second, did, matches!(passed.done, Done::Nothing | Done::Held(..)), &sim.status().conditions);
        let before = sim.now;
        sim.wait(passed.next);
        // Something that happens meanwhile wakes it, as a watch or the interval would.
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
