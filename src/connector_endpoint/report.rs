//! Puts one pass of a `ConnectorEndpoint` into its status.
//!
//! In: what was wanted, seen, planned and done. Out: a [`Report`]. Never: I/O; the driver writes it.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    Pass,
    desired::Desired,
    plan::{self, Past},
};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::{ConnectorEndpoint, ConnectorEndpointStatus, ConnectorStatus, DriftPolicy, Mode, PendingCreate},
    },
    reconcile::{
        announce::{Age, standing},
        driver::Report,
        expiry::Expiring,
        look::{Look, spent_wishes, stamps_due},
        pace::PaceSettings,
        stage::Word,
        summary::{Done, Frame, summarise, suspend},
    },
};

/// Everything a report is made of.
pub(super) struct Told<'a> {
    /// The object.
    pub object: &'a ConnectorEndpoint,
    /// Its status before.
    pub before: ConnectorEndpointStatus,
    /// What is wanted.
    pub want: &'a Desired,
    /// What status remembered.
    pub past: &'a Past,
    /// How closely we looked.
    pub look: &'a Look,
    /// What came of it.
    pub pass: &'a Pass,
    /// How old a record of creation may become.
    pub age: Age,
    /// Secrets that end soon.
    pub expiring: Option<Expiring>,
}

/// The report of one pass.
pub(super) fn report(told: &Told<'_>, pace: &PaceSettings, now: Timestamp) -> Report<ConnectorEndpointStatus> {
    let generation = told.object.metadata.generation.unwrap_or_default();
    let interval = pace.interval(told.object.spec.interval_seconds);
    let frame = Frame {
        previous: &told.before.conditions,
        memory: &told.look.memory,
        generation,
        now,
        pace,
        interval,
        dice: fastrand::f64(),
        mode: told.want.mode,
        quick: told.pass.quick,
        done: &told.pass.done,
        report_drift: told.want.drift == DriftPolicy::Report,
        expiring: told.expiring.as_ref(),
        ready: ready(told),
    };
    let summary = summarise(&told.pass.plan, &frame);
    let annotations = told.object.metadata.annotations.as_ref();
    let requested = told.look.requested.is_some() && told.look.requested != told.before.last_handled_reconcile_at;
    let done = summary.settled && told.want.mode == Mode::Manage;
    let before = [&told.before.last_handled_recreate_at, &told.before.last_handled_take_over].map(Option::as_deref);
    let [last_handled_recreate_at, last_handled_take_over] = spent_wishes(annotations, done, is_taken(told), before);
    let mut status = ConnectorEndpointStatus {
        plan: told.pass.plan.preview(),
        drift: told.pass.plan.drift.clone(),
        pending_create: pending(told),
        memory: Some(summary.memory),
        last_failure: summary.failure.or_else(|| told.before.last_failure.clone()),
        last_checked_at: Some(Time(now)),
        last_handled_reconcile_at: told
            .look
            .requested
            .clone()
            .or_else(|| told.before.last_handled_reconcile_at.clone()),
        last_handled_recreate_at,
        last_handled_take_over,
        effective_interval_seconds: u32::try_from(interval.as_secs()).ok(),
        observed_generation: generation,
        used_by: told.want.used_by.iter().take(64).cloned().collect(),
        ..told.before.clone()
    };
    what_was_seen(told, &mut status);
    status.conditions = summary.conditions;
    publish_address(told, &mut status);
    made_at(told, &mut status, now);
    if let (true, Some(memory)) = (took(told), status.memory.as_mut()) {
        memory.took_from.clone_from(&told.want.adoption.take_over);
    }
    Report {
        status,
        next: summary.next,
        stamps: requested || stamps_due(told.before.memory.as_ref(), summary.settled, now),
    }
}

fn pending(told: &Told<'_>) -> Option<PendingCreate> {
    let pass = told.pass;
    let creates = pass.plan.next().and_then(plan::Step::creates);
    let found = |kind: &str| plan::found(told.want, &pass.seen, told.past, kind);
    let before = told.before.pending_create.as_ref();
    pass.announced.clone().or_else(|| standing(before, creates, &pass.done, told.age, found))
}

fn ready(told: &Told<'_>) -> Word {
    let target = format!("{}:{}", told.want.draft.server_host, told.want.draft.server_port);
    Word { reason: "EndpointReady", message: format!("IBM Cloud reaches {target} through the endpoint.") }
}

fn what_was_seen(told: &Told<'_>, status: &mut ConnectorEndpointStatus) {
    let seen = &told.pass.seen;
    if let Some([connector]) = seen.connectors.present().map(Vec::as_slice) {
        status.connector = Some(ConnectorStatus {
            id: Some(connector.id.as_str().to_owned()),
            name: Some(connector.name.clone()),
            region: connector.region.clone(),
            state: Some(connector.state.as_str().to_owned()),
            endpoints_used: seen.endpoints.present().map(|_| plan::used(seen)),
            endpoints_limit: Some(plan::ENDPOINTS_LIMIT),
        });
    }
    match plan::find_endpoint(told.want, seen, told.past) {
        Some(endpoint) if plan::is_ours(told.want, endpoint, told.past) => {
            status.endpoint_id = Some(endpoint.id.as_str().to_owned());
            status.enabled = endpoint.enabled();
            status.address = endpoint.address();
        }
        Some(_) => (status.endpoint_id, status.enabled, status.address) = (None, None, None),
        // Under Report the id stays: it says that there was one, and that it is not to be made again by itself.
        None if seen.endpoints.present().is_some() && told.want.drift == DriftPolicy::Report => {
            (status.enabled, status.address) = (None, None);
        }
        // A list may lag behind a creation that is still on record.
        None if seen.endpoints.present().is_some() && status.pending_create.is_none() => {
            (status.endpoint_id, status.enabled, status.address) = (None, None, None);
        }
        None => {}
    }
    // From the answer on: where the mark is not shown, only the id tells later looks whose it is. An id that is lost with this
    // status leaves what the name and the mark say.
    if let Some(id) = &told.pass.endpoint {
        status.endpoint_id = Some(id.as_str().to_owned());
    }
}

fn took(told: &Told<'_>) -> bool {
    told.pass.done == Done::Wrote && matches!(told.pass.plan.next(), Some(plan::Step::AdoptEndpoint { .. }))
}

/// The endpoint was taken from the owner that `take-over` names, and is ours.
fn is_taken(told: &Told<'_>) -> bool {
    let (want, seen, past) = (told.want, &told.pass.seen, told.past);
    let ours = plan::find_endpoint(want, seen, past).is_some_and(|endpoint| plan::is_ours(want, endpoint, past));
    let (take_over, took_from) = (&want.adoption.take_over, &told.look.memory.took_from);
    ours && take_over.is_some() && take_over == took_from
}

/// When the endpoint was made, or first seen as ours: a wish to have it made again must be younger.
fn made_at(told: &Told<'_>, status: &mut ConnectorEndpointStatus, now: Timestamp) {
    let made = told.pass.done == Done::Wrote && matches!(told.pass.plan.next(), Some(plan::Step::CreateEndpoint(..)));
    let known = status.endpoint_id.is_some();
    if let Some(memory) = status.memory.as_mut().filter(|memory| made || known && memory.registered_at.is_none()) {
        memory.registered_at = Some(Time(now));
    }
}

/// The address is there for others only while access control is in force: who reads it connects.
fn publish_address(told: &Told<'_>, status: &mut ConnectorEndpointStatus) {
    let state = |kind| condition::get(&status.conditions, kind).map(|condition| condition.status.clone());
    let in_force = state(ConditionType::AccessControlApplied).as_deref() == Some("True");
    let known = state(ConditionType::AccessControlApplied).as_deref() != Some("Unknown");
    if !in_force && (known || told.before.address.is_none()) {
        status.address = None;
    }
}

/// Nothing was looked at because the spec says so.
pub(super) fn suspended(
    mut status: ConnectorEndpointStatus,
    generation: i64,
    now: Timestamp,
) -> Report<ConnectorEndpointStatus> {
    status.observed_generation = generation;
    let next = suspend(&mut status.conditions, generation, now);
    Report { status, next, stamps: false }
}
