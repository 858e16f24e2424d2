//! Drives one object against the model, pass by pass, as the controller does.
//!
//! In: a manifest and a [`World`]. Out: the same status, memory and steps as in a cluster. Never: a cloud, a clock.

use std::{fmt::Write as _, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde_json::{Value, json};

use super::world::{Test, World, Write};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::{AzureKeystoreConnection, ConnectionTestStatus, Mode, PendingCreate, TestResult},
    },
    clouds::{http::Class, ibm::KeystoreDraft},
    keystore_connection::{
        Pass, Past,
        desired::Desired,
        plan::{Case, Step, found, plan},
        report,
        resolve::Found,
        usage::Claims,
    },
    reconcile::{
        announce::{Announced, Permission},
        fault::Fault,
        look::{Due, Look},
        policy_file::Policy,
        prices::Prices,
        scenario::{pace, patched},
        stage::{Describe, Plan, Seen, Verdict, Word},
        summary::Done,
    },
};

/// 15 January 2027, 08:00 UTC.
pub(super) const START: i64 = 1_800_000_000;

/// A lost request has had its effect by then.
const LOST: Duration = Duration::from_mins(2);

/// One object and its surroundings.
pub(super) struct Sim {
    pub object: AzureKeystoreConnection,
    pub world: World,
    /// Seconds since 1970.
    pub now: i64,
    pub announced: Announced,
    pub steps: Vec<Step>,
}

/// What one pass did.
pub(super) struct Passed {
    pub plan: Plan<Step>,
    pub step: Option<Step>,
    pub done: Done,
    pub quick: bool,
    pub next: Duration,
}

/// A manifest with everything that this version supports, changed by a merge patch of its spec.
pub(super) fn object(spec: Value) -> AzureKeystoreConnection {
    let base = json!({
        "azure": {
            "cloud": "AzurePublic",
            "tenantId": super::world::TENANT,
            "subscriptionId": super::world::SUBSCRIPTION,
            "resourceGroup": "rg-keys",
            "vaultName": "payments-kv",
            "servicePrincipal": {
                "clientId": "33333333-3333-4333-8333-333333333333",
                "passwordSecretRef": {"name": "payments-sp"},
            },
            "identity": {
                "type": "ServicePrincipal",
                "servicePrincipal": {
                    "clientId": "55555555-5555-4555-8555-555555555555",
                    "passwordSecretRef": {"name": "azure-operator"},
                },
            },
        },
        "privateEndpoint": {
            "name": "payments-kv-pe",
            "resourceGroup": "rg-network",
            "subnetId": format!("/subscriptions/{}/resourceGroups/rg-network/providers/Microsoft.Network/virtualNetworks/vnet/subnets/private-endpoints", super::world::SUBSCRIPTION),
            "privateDnsZoneId": format!("/subscriptions/{}/resourceGroups/rg-network/providers/Microsoft.Network/privateDnsZones/privatelink.vaultcore.azure.net", super::world::SUBSCRIPTION),
            "tags": {"team": "payments"},
        },
        "connectorEndpointRef": {"name": "payments"},
        "uko": {
            "hpcs": {
                "instanceId": "66666666-6666-4666-8666-666666666666",
                "region": "eu-de",
                "authentication": {"type": "APIKey", "apiKey": {"secretRef": {"name": "ibm-cloud"}}},
            },
            "vault": {"name": "payments"},
        },
        "keystore": {"variant": "Premium"},
    });
    serde_json::from_value(json!({
        "apiVersion": "uko-operator.io/v1alpha1",
        "kind": "AzureKeystoreConnection",
        "metadata": {"name": "payments", "namespace": super::world::NAMESPACE, "generation": 1},
        "spec": patched(base, spec),
    }))
    .unwrap()
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// What the controller makes of an object before it looks.
pub(super) fn in_case<R>(
    object: &AzureKeystoreConnection,
    world: &World,
    now: Timestamp,
    then: impl FnOnce(&Desired, &Past<'_>, &Look) -> R,
) -> R {
    let status = object.status.clone().unwrap_or_default();
    let key = (super::world::NAMESPACE.to_owned(), "payments".to_owned());
    let found = Found { secrets: world.secrets(), endpoint: world.connector_endpoint(), keystores: Seen::NotLooked };
    let inputs = short_hash(&(serde_json::to_string(&object.spec).unwrap() + &format!("{:?}", world.secrets)));
    let held = world
        .secrets
        .get(&*object.spec.azure.service_principal.password_secret_ref.name)
        .map(|keys| short_hash(&format!("{keys:?}")));
    let want = Desired::parse(object, &key, super::world::CLUSTER, found, &Policy::parse(&world.policy).unwrap());
    let want = want.priced(&object.spec.uko, &Prices::load(None).unwrap());
    let before = status.memory.clone().unwrap_or_default();
    let annotations = object.metadata.annotations.as_ref();
    let due = Due::of(before.full_look_at.clone(), pace().interval(object.spec.interval_seconds), &pace());
    let look = Look::decide(&before, inputs, annotations, status.last_handled_reconcile_at.as_deref(), &due, now);
    let fingerprint = |draft: &KeystoreDraft| short_hash(&format!("{draft:?}{held:?}"));
    let interval = crate::keystore_connection::interval(object, &pace());
    let past = Past::of(object, &status, &look, held.clone(), &fingerprint, interval);
    then(&want, &past, &look)
}

impl Sim {
    pub(super) fn new(object: AzureKeystoreConnection, world: World) -> Self {
        fastrand::seed(7);
        Self { object, world, now: START, announced: Announced::new(LOST), steps: Vec::new() }
    }

    /// With a merge patch of the spec.
    pub(super) fn of(spec: Value, world: World) -> Self {
        Self::new(object(spec), world)
    }

    /// An object that has been Ready for a while.
    pub(super) fn settled(spec: Value) -> Self {
        let mut sim = Self::of(spec, World::settled());
        sim.rest();
        assert!(sim.is(ConditionType::Ready, "True"), "{}", sim.says(ConditionType::Ready));
        sim
    }

    /// What only a look without a pass says: the plan over what is there now, as if nothing were known.
    pub(super) fn plan(&self) -> Plan<Step> {
        let mut fresh = Self::new(self.object.clone(), self.world.clone());
        fresh.now = self.now;
        fresh.pass().plan
    }

    /// The verdict of one stage.
    pub(super) fn verdict(&self, stage: ConditionType) -> Verdict<Step> {
        self.plan().stages.into_iter().find(|row| row.condition == stage).unwrap().verdict
    }

    /// One pass of the controller.
    pub(super) fn pass(&mut self) -> Passed {
        self.world.land(self.now);
        let now = at(self.now);
        let (object, world) = (self.object.clone(), self.world.clone());
        let status = object.status.clone().unwrap_or_default();
        let (made, report) = in_case(&object, &world, now, |want, past, look| {
            let made = self.look_and_act(want, past, look, now);
            let age = self.announced.age(now);
            let told =
                report::Told { object: &object, before: &status, want, past, look, pass: &made, age, expiring: None };
            let report = report::report(&told, &pace(), now);
            (made, report)
        });
        self.object.status = Some(report.status);
        Passed { plan: made.plan, step: made.step, done: made.done, quick: made.quick, next: report.next }
    }

    fn look_and_act(&mut self, want: &Desired, past: &Past<'_>, look: &Look, now: Timestamp) -> Pass {
        let status = self.object.status.clone().unwrap_or_default();
        if crate::keystore_connection::may_be_quick(want, past, look, &status) {
            let seen = self.world.look(want, past.keystore.as_ref(), true, self.now);
            let plan = plan(Case { want, seen: &seen, past, quick: true, now });
            if plan.is_settled() && plan.drift.is_empty() {
                return Pass {
                    seen,
                    plan,
                    done: Done::Nothing,
                    step: None,
                    tested: None,
                    announced: None,
                    quick: true,
                    claims: Claims::Right,
                };
            }
        }
        let seen = self.world.look(want, past.keystore.as_ref(), false, self.now);
        let plan = plan(Case { want, seen: &seen, past, quick: false, now });
        let step = plan.next().cloned();
        self.announced.settle("o", |kind| found(&seen, kind));
        let pending = status.pending_create.as_ref().filter(|pending| !found(&seen, &pending.kind));
        let may = match (&step, want.mode) {
            (Some(_), Mode::Manage) => true,
            (Some(Step::TestConnection(_)), Mode::Plan) => past.test_requested.is_some(),
            (Some(_) | None, _) => false,
        };
        let (done, tested, announced) = match step.as_ref().filter(|_| may) {
            Some(step) => self.act(want, past, step, pending, now),
            None => (Done::Nothing, None, None),
        };
        Pass { seen, plan, done, step, tested, announced, quick: false, claims: Claims::Right }
    }

    fn act(
        &mut self,
        want: &Desired,
        past: &Past<'_>,
        step: &Step,
        pending: Option<&PendingCreate>,
        now: Timestamp,
    ) -> (Done, Option<ConnectionTestStatus>, Option<PendingCreate>) {
        match step.creates().map(|kind| self.announced.ask("o", kind, pending, Duration::ZERO, now)) {
            Some(Permission::Announce(pending)) => return (Done::Asked, None, Some(pending)),
            Some(Permission::Wait(wait)) => {
                let word = Word { reason: "CreationOutcomeInProgress", message: String::new() };
                return (Done::Held(word, wait), None, None);
            }
            Some(Permission::Go) | None => {}
        }
        let (done, tested) = self.send(want, past, step, now);
        let lost = self.announced.ended("o", step.creates(), &done, now);
        (done, tested, lost)
    }

    fn send(
        &mut self,
        want: &Desired,
        past: &Past<'_>,
        step: &Step,
        now: Timestamp,
    ) -> (Done, Option<ConnectionTestStatus>) {
        self.steps.push(step.clone());
        if let Step::TestConnection(draft) = step {
            let result = |result, reason: &str| {
                let message = if result == TestResult::Passed {
                    "UKO could use the Key Vault with these settings."
                } else {
                    "UKO could not use the Key Vault."
                };
                let (reason, message) = (reason.to_owned(), message.to_owned());
                Some(ConnectionTestStatus {
                    result,
                    tested_at: Time(now),
                    reason,
                    message,
                    inputs_fingerprint: (past.fingerprint)(draft),
                })
            };
            return match &self.world.test {
                Test::Passes => (Done::Answered, result(TestResult::Passed, "ConnectionTestPassed")),
                Test::Fails => (Done::Answered, result(TestResult::Failed, "ConnectionTestFailed")),
                Test::Names(_) => (Done::Answered, result(TestResult::Failed, "PropertyRefused")),
                Test::Outage => {
                    (Done::Failed(Fault::new(Class::Transient, "UkoUnavailable", "UKO did not answer.")), None)
                }
            };
        }
        if let Some(refused) = self.world.refused(want, step) {
            return (Done::Failed(refused), None);
        }
        let no_answer = || Fault {
            outcome_unknown: true,
            ..Fault::new(Class::Transient, "CloudUnavailable", "No answer; this is retried.")
        };
        let write = if self.world.writes.is_empty() { Write::Done } else { self.world.writes.remove(0) };
        match write {
            Write::Done => self.world.apply(want, step, self.now),
            Write::LostBefore => return (Done::Failed(no_answer()), None),
            Write::LostAfter => {
                self.world.apply(want, step, self.now);
                return (Done::Failed(no_answer()), None);
            }
            Write::DoneLater => {
                self.world.apply_later(want, step, self.now);
                return (Done::Failed(no_answer()), None);
            }
            Write::Refused => {
                return (Done::Failed(Fault::awaiting_person("RoleMissing", "A role is missing. Grant it.")), None);
            }
        }
        (Done::Wrote, None)
    }

    /// Passes until nothing is to be done, as often as it wants to be looked at, for at most an hour.
    pub(super) fn rest(&mut self) -> Vec<Step> {
        let (first, until) = (self.steps.len(), self.now + 3600);
        for _ in 0..600 {
            let passed = self.pass();
            let idle =
                passed.step.is_none() && matches!(passed.done, Done::Nothing) && passed.next > Duration::from_secs(30);
            self.wait(passed.next);
            if idle || self.now > until {
                return self
                    .steps
                    .split_off(first.min(self.steps.len()))
                    .into_iter()
                    .inspect(|step| self.steps.push(step.clone()))
                    .collect();
            }
        }
        panic!("never comes to rest: {}", self.says(ConditionType::Ready));
    }

    pub(super) fn wait(&mut self, next: Duration) {
        self.now += i64::try_from(next.as_millis().div_ceil(1000)).unwrap();
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

    pub(super) fn spec(&mut self, patch: Value) {
        let spec = patched(serde_json::to_value(&self.object.spec).unwrap(), patch);
        self.object.spec = serde_json::from_value(spec).unwrap();
        *self.object.metadata.generation.as_mut().unwrap() += 1;
    }

    pub(super) fn annotate(&mut self, name: &str, value: &str) {
        let annotations = self.object.metadata.annotations.get_or_insert_default();
        annotations.insert(format!("uko-operator.io/{name}"), value.to_owned());
    }

    pub(super) fn status(&self) -> crate::api::v1alpha1::AzureKeystoreConnectionStatus {
        self.object.status.clone().unwrap_or_default()
    }

    pub(super) fn memory(&self) -> crate::api::v1alpha1::Memory {
        self.status().memory.unwrap_or_default()
    }

    pub(super) fn is(&self, kind: ConditionType, wanted: &str) -> bool {
        condition::get(&self.status().conditions, kind).is_some_and(|found| found.status == wanted)
    }

    /// `False PrivateEndpointRejected`.
    pub(super) fn says(&self, kind: ConditionType) -> String {
        let conditions = self.status().conditions;
        condition::get(&conditions, kind).map(|found| format!("{} {}", found.status, found.reason)).unwrap_or_default()
    }

    /// How a step is told in `plan.txt`.
    pub(super) fn told(step: &Step) -> String {
        let row = step.describe();
        let mut text = format!("{:?} {}", row.action, row.resource);
        let _ = write!(text, ": {}", row.detail);
        text
    }
}

/// Only equality matters here.
fn short_hash(text: &str) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
