//! Drives one object against the model, pass by pass, as the controller does.
//!
//! In: a manifest and a [`World`]. Out: the same status, memory and steps as in a cluster. Never: a cloud, a clock.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{ByteString, api::core::v1::Secret, jiff::Timestamp};
use serde_json::{Value, json};

use super::world::{World, Write};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::{ConnectorEndpoint, ConnectorEndpointStatus, Mode, PendingCreate},
    },
    clouds::{http::Class, ibm::EndpointId},
    connector_endpoint::{
        Pass, connector_of,
        desired::Desired,
        may_be_quick,
        observe::Observed,
        past,
        plan::{Past, Step, found, plan},
        report,
        resolve::Found,
    },
    reconcile::{
        announce::{Announced, Permission},
        fault::Fault,
        look::{Due, Look},
        scenario::{pace, patched},
        secrets::Secrets,
        stage::{Plan, Seen, Verdict, Word},
        summary::Done,
        wake::Key,
    },
};

/// 15 January 2027, 08:00 UTC.
pub(super) const START: i64 = 1_800_000_000;

/// A manifest, changed by a merge patch of its spec.
pub(super) fn object(spec: Value) -> ConnectorEndpoint {
    let base = json!({
        "connector": {"name": "keys-eu", "region": "eu-de"},
        "authentication": {"type": "APIKey", "apiKey": {"secretRef": {"name": "ibm-cloud"}}},
        "destination": {"host": "payments-kv.privatelink.vaultcore.azure.net", "port": 443},
        "allowedSources": ["10.0.0.0/8"],
    });
    serde_json::from_value(json!({
        "apiVersion": "uko-operator.io/v1alpha1",
        "kind": "ConnectorEndpoint",
        "metadata": {"name": "payments", "namespace": "keys", "generation": 1},
        "spec": patched(base, spec),
    }))
    .unwrap()
}

/// A lost request has had its effect by then.
const LOST: Duration = Duration::from_mins(2);

/// One object and its surroundings.
pub(super) struct Sim {
    pub object: ConnectorEndpoint,
    pub world: World,
    pub now: i64,
    pub announced: Announced,
    pub steps: Vec<Step>,
    /// The endpoint that the last answer gave us.
    answered: Option<EndpointId>,
}

/// What one pass did.
pub(super) struct Passed {
    pub plan: Plan<Step>,
    pub done: Done,
    pub quick: bool,
    pub next: Duration,
}

/// What the controller makes of an object before it looks.
pub(super) fn in_case<R>(
    object: &ConnectorEndpoint,
    world: &World,
    now: Timestamp,
    then: impl FnOnce(&Desired, &Past, &Look) -> R,
) -> R {
    let status = object.status.clone().unwrap_or_default();
    let key: Key = ("keys".to_owned(), "payments".to_owned());
    let secret = |keys: &BTreeMap<String, String>| {
        let data = keys.iter().map(|(key, value)| (key.clone(), ByteString(value.clone().into_bytes())));
        Some(Secret { data: Some(data.collect()), ..Secret::default() })
    };
    let secrets = world.secrets.iter().map(|(name, keys)| (name.clone(), Ok(secret(keys)))).collect();
    let found = Found { secrets: Secrets::holding("keys", secrets), used_by: Seen::Present(world.used_by.clone()) };
    let want = Desired::parse(object, &key, "cluster", &found);
    let before = status.memory.clone().unwrap_or_default();
    let inputs = format!("{}{:?}", serde_json::to_string(&object.spec).unwrap(), world.secrets);
    let annotations = object.metadata.annotations.as_ref();
    let due = Due::of(before.full_look_at.clone(), pace().interval(object.spec.interval_seconds), &pace());
    let look = Look::decide(&before, inputs, annotations, status.last_handled_reconcile_at.as_deref(), &due, now);
    then(&want, &past(object, &status, &look, now), &look)
}

impl Sim {
    pub(super) fn new(object: ConnectorEndpoint, world: World) -> Self {
        fastrand::seed(7);
        Self { object, world, now: START, announced: Announced::new(LOST), steps: Vec::new(), answered: None }
    }

    pub(super) fn of(spec: Value, world: World) -> Self {
        Self::new(object(spec), world)
    }

    /// An object that has been Ready for a while.
    pub(super) fn settled(spec: Value) -> Self {
        let mut sim = Self::of(spec, World::settled());
        sim.run(60);
        assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
        sim.steps.clear();
        sim
    }

    /// The verdict of one stage, as if nothing were known.
    pub(super) fn verdict(&self, stage: ConditionType) -> Verdict<Step> {
        let passed = Self::new(self.object.clone(), self.world.clone()).pass();
        passed.plan.stages.into_iter().find(|row| row.condition == stage).unwrap().verdict
    }

    pub(super) fn pass(&mut self) -> Passed {
        self.world.land(self.now);
        let now = Timestamp::from_second(self.now).unwrap();
        let (object, world) = (self.object.clone(), self.world.clone());
        let status = object.status.clone().unwrap_or_default();
        let (made, report) = in_case(&object, &world, now, |want, past, look| {
            let made = self.look_and_act(want, past, look, &status, now);
            let age = self.announced.age(now);
            let told =
                report::Told { object: &object, before: status, want, past, look, pass: &made, age, expiring: None };
            let report = report::report(&told, &pace(), now);
            (made, report)
        });
        self.object.status = Some(report.status);
        Passed { plan: made.plan, done: made.done, quick: made.quick, next: report.next }
    }

    fn look_and_act(
        &mut self,
        want: &Desired,
        past: &Past,
        look: &Look,
        status: &ConnectorEndpointStatus,
        now: Timestamp,
    ) -> Pass {
        if want.credential.is_err() {
            let seen = Observed::default();
            let plan = plan(want, &seen, past, false);
            return Pass { seen, plan, done: Done::Nothing, endpoint: None, announced: None, quick: false };
        }
        if may_be_quick(look, status) {
            let seen = self.world.look(want, past, true);
            let plan = plan(want, &seen, past, true);
            if plan.is_settled() && plan.drift.is_empty() {
                return Pass { seen, plan, done: Done::Nothing, endpoint: None, announced: None, quick: true };
            }
        }
        let seen = self.world.look(want, past, false);
        let plan = plan(want, &seen, past, false);
        self.announced.settle("o", |kind| found(want, &seen, past, kind));
        let (done, announced) = match (want.mode, plan.next(), connector_of(&seen)) {
            (Mode::Manage, Some(step), Some(_)) => {
                let pending = status.pending_create.as_ref();
                self.act(step, pending.filter(|pending| !found(want, &seen, past, &pending.kind)), now)
            }
            (Mode::Manage | Mode::Plan, _, _) => (Done::Nothing, None),
        };
        Pass { seen, plan, done, endpoint: self.answered.take(), announced, quick: false }
    }

    fn act(&mut self, step: &Step, pending: Option<&PendingCreate>, now: Timestamp) -> (Done, Option<PendingCreate>) {
        match step.creates().map(|kind| self.announced.ask("o", kind, pending, Duration::ZERO, now)) {
            Some(Permission::Announce(pending)) => return (Done::Asked, Some(pending)),
            Some(Permission::Wait(wait)) => {
                let word = Word { reason: "CreationOutcomeInProgress", message: String::new() };
                return (Done::Held(word, wait), None);
            }
            Some(Permission::Go) | None => {}
        }
        let done = self.send(step);
        let lost = self.announced.ended("o", step.creates(), &done, now);
        (done, lost)
    }

    fn send(&mut self, step: &Step) -> Done {
        self.steps.push(step.clone());
        let no_answer = || Fault {
            outcome_unknown: true,
            ..Fault::new(Class::Transient, "LinkUnavailable", "No answer; this is retried.")
        };
        match if self.world.writes.is_empty() { Write::Done } else { self.world.writes.remove(0) } {
            Write::Done => self.answered = self.world.apply(step),
            Write::LostBefore => return Done::Failed(no_answer()),
            Write::LostAfter => {
                self.world.apply(step);
                return Done::Failed(no_answer());
            }
            Write::DoneLater => {
                let before: Vec<String> = self.world.endpoints.keys().cloned().collect();
                self.world.apply(step);
                if let Some(new) = self.world.endpoints.keys().find(|id| !before.contains(id)).cloned() {
                    let endpoint = self.world.endpoints.remove(&new).unwrap();
                    self.world.later.push((self.now + 90, new, endpoint));
                }
                return Done::Failed(no_answer());
            }
            Write::Refused => {
                return Done::Failed(Fault::awaiting_person("RoleMissing", "A role is missing. Grant it."));
            }
        }
        Done::Wrote
    }

    /// Passes for `seconds`; answers how many.
    pub(super) fn run(&mut self, seconds: i64) -> usize {
        let until = self.now + seconds;
        let mut passes = 0;
        while self.now < until {
            let next = self.pass().next;
            self.wait(next);
            passes += 1;
            assert!(passes < 2_000, "a busy loop: {}", self.says(ConditionType::Ready));
        }
        passes
    }

    pub(super) fn wait(&mut self, next: Duration) {
        self.now += i64::try_from(next.as_millis().div_ceil(1000)).unwrap();
    }

    pub(super) fn spec(&mut self, patch: Value) {
        let spec = patched(serde_json::to_value(&self.object.spec).unwrap(), patch);
        self.object.spec = serde_json::from_value(spec).unwrap();
        *self.object.metadata.generation.as_mut().unwrap() += 1;
    }

    pub(super) fn annotate(&mut self, name: &str, value: &str) {
        let annotations = self.object.metadata.annotations.get_or_insert_default();
        annotations.insert(format!("uko-operator.io/{name}"), value.to_owned());
    }

    pub(super) fn status(&self) -> ConnectorEndpointStatus {
        self.object.status.clone().unwrap_or_default()
    }

    pub(super) fn is(&self, kind: ConditionType, wanted: &str) -> bool {
        condition::get(&self.status().conditions, kind).is_some_and(|found| found.status == wanted)
    }

    pub(super) fn says(&self, kind: ConditionType) -> String {
        let conditions = self.status().conditions;
        condition::get(&conditions, kind).map(|found| format!("{} {}", found.status, found.reason)).unwrap_or_default()
    }
}
