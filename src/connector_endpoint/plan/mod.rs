//! Compares what is wanted with what was seen: a verdict for each stage, and the steps still to do.
//!
//! In: [`Desired`], [`Observed`], memory. Out: a [`Plan`]. Never: I/O, clock, log.

mod access;
mod step;
#[cfg(test)]
mod tests;

use self::access::{access_control_applied, our_source};
pub(super) use self::step::Step;

use super::{
    desired::{ConnectorWanted, Desired},
    observe::{Cached, Observed},
};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, DriftPolicy, PlanAction, PlannedStep},
    },
    clouds::{
        http::Class,
        ibm::{
            Connector, ConnectorState, Endpoint, EndpointChange,
            satellite::{ConnectionType, EndpointStatus, ServerProtocol},
        },
    },
    reconcile::{
        fault::Fault,
        ownership::{Claim, Mark},
        stage::{Plan, Seen, Stage, Verdict},
    },
};

/// How many `location` endpoints a connector can have \[D\]; how TCP counts is unpublished, so the API has the last word.
pub(super) const ENDPOINTS_LIMIT: u32 = 25;

/// What plan reads of the object's own past.
#[derive(Default)]
pub(super) struct Past {
    /// Ids in status.
    pub cached: Cached,
    /// The spec has changed since everything was last fine.
    pub spec_changed: bool,
    /// Everything was once as this very spec wants it.
    pub settled: bool,
    /// A person asked for a lost endpoint to be made again, since it was made.
    pub recreate: bool,
}

/// The plan. `quick` is a look at the endpoint alone.
pub(super) fn plan(want: &Desired, seen: &Observed, past: &Past, quick: bool) -> Plan<Step> {
    let mut drift = Vec::new();
    let credentials = if quick { Verdict::Unchanged } else { credentials_valid(want, seen) };
    let connector = if quick { Verdict::Unchanged } else { connector_available(want, seen) };
    let endpoint = find_endpoint(want, seen, past);
    let provisioned = if connector.carries() && credentials.carries() {
        endpoint_provisioned(want, seen, past, endpoint, &mut drift)
    } else {
        Verdict::Behind(ConditionType::ConnectorAvailable)
    };
    let access = match (&want.allowed_sources, quick) {
        (None, _) => {
            Verdict::met("NotManaged", "spec.allowedSources is absent: the whole IBM Cloud private network may use it.")
        }
        (Some(_), true) => Verdict::Unchanged,
        (Some(_), false) if !provisioned.carries() => Verdict::Behind(ConditionType::EndpointProvisioned),
        (Some(_), false) => access_control_applied(want, seen, past, endpoint, &mut drift),
    };
    let stages = vec![
        Stage::new(ConditionType::CredentialsValid, credentials),
        Stage::new(ConditionType::ConnectorAvailable, connector),
        Stage::new(ConditionType::EndpointProvisioned, provisioned),
        Stage::new(ConditionType::AccessControlApplied, access),
    ];
    let later = later(want, seen, past, &stages);
    Plan { stages, drift, later }
}

/// The rule is bound after the endpoint is there.
fn later(want: &Desired, seen: &Observed, past: &Past, stages: &[Stage<Step>]) -> Vec<PlannedStep> {
    let hidden = stages.iter().any(|stage| matches!(stage.verdict, Verdict::Do(..)))
        && want.allowed_sources.is_some()
        && find_endpoint(want, seen, past).is_none();
    if !hidden {
        return Vec::new();
    }
    let step = |resource: String, detail: String| PlannedStep {
        action: PlanAction::Create,
        resource,
        detail,
        estimated_cost: None,
    };
    let endpoint = our_source(want, seen).is_ok_and(|source| source.is_none());
    let detail = format!("after the access rule; {}", step::quota(used(seen)));
    let endpoint = endpoint.then(|| step(format!("connector endpoint {}", want.draft.display_name), detail));
    let bind = PlannedStep {
        action: PlanAction::Update,
        ..step(want.draft.display_name.clone(), "put the access rule in force".to_owned())
    };
    endpoint.into_iter().chain([bind]).collect()
}

fn credentials_valid(want: &Desired, seen: &Observed) -> Verdict<Step> {
    if let Err(fault) = &want.credential {
        return Verdict::Blocked(fault.clone());
    }
    match &seen.login {
        Seen::Unknown(fault) => Verdict::Blocked(fault.clone()),
        Seen::Present(()) | Seen::Absent | Seen::NotLooked => {
            Verdict::met("SignedIn", "IBM Cloud accepts the API key.")
        }
    }
}

fn connector_available(want: &Desired, seen: &Observed) -> Verdict<Step> {
    let connectors = match &seen.connectors {
        Seen::Unknown(fault) => return Verdict::Unclear(fault.clone()),
        Seen::Present(connectors) => connectors.as_slice(),
        Seen::Absent => &[],
        Seen::NotLooked => return Verdict::Behind(ConditionType::CredentialsValid),
    };
    let what = match &want.connector {
        ConnectorWanted::Id(id) => format!("with the id {}", id.as_str()),
        ConnectorWanted::Named { name, region } => format!("named {name} in {region}"),
    };
    let connector = match connectors {
        [connector] => connector,
        [] => {
            let text = format!(
                "The IBM Cloud account of this API key has no Satellite Connector {what}. Correct spec.connector, or create it."
            );
            return Verdict::Blocked(Fault::new(Class::NotFound, "ConnectorNotFound", text));
        }
        several => {
            let text = format!("{} Satellite Connectors are {what}. Name one by spec.connector.id.", several.len());
            return Verdict::Blocked(Fault::invalid("ConnectorAmbiguous", text));
        }
    };
    match &connector.state {
        ConnectorState::Creating => {
            Verdict::in_progress("ConnectorInProgress", "IBM Cloud is still creating the connector.", None)
        }
        ConnectorState::Failed => Verdict::Blocked(Fault::awaiting_person(
            "ConnectorFailed",
            "IBM Cloud says that the creation of the connector failed. Remove it, create it again and name the new one.",
        )),
        ConnectorState::Deleting => Verdict::Blocked(Fault::awaiting_person(
            "ConnectorDeleting",
            "The connector is being deleted. Name another one in a new object.",
        )),
        // An unknown word is no reason to stop: the endpoint's own answers decide.
        ConnectorState::Created | ConnectorState::Other(_) => available(connector, seen),
    }
}

fn available(connector: &Connector, seen: &Observed) -> Verdict<Step> {
    if let Some(fault) = seen.endpoints.fault() {
        return Verdict::Unclear(fault.clone());
    }
    let agents = match connector.tunnels {
        Some(0) => " No agent is connected: nothing passes until one is running.",
        Some(_) | None => "",
    };
    let used = used(seen);
    Verdict::met(
        "ConnectorAvailable",
        format!("{} is usable; {used} of {ENDPOINTS_LIMIT} location endpoints are used.{agents}", connector.name),
    )
}

/// How many `location` endpoints the connector has.
pub(super) fn used(seen: &Observed) -> u32 {
    let endpoints = seen.endpoints.present().map(Vec::as_slice).unwrap_or_default();
    let count = endpoints.iter().filter(|endpoint| endpoint.connection_type == ConnectionType::Location).count();
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Ours by mark, by the id in status, by our own default name, then whatever has the wanted name.
pub(super) fn find_endpoint<'a>(want: &Desired, seen: &'a Observed, past: &Past) -> Option<&'a Endpoint> {
    if let Some(endpoint) = seen.endpoint.present() {
        return Some(endpoint);
    }
    let all = seen.endpoints.present()?;
    let marked = |endpoint: &&Endpoint| mark(endpoint).names(&want.owner);
    all.iter()
        .find(marked)
        .or_else(|| all.iter().find(|endpoint| past.cached.endpoint.as_ref() == Some(&endpoint.id)))
        .or_else(|| all.iter().find(|endpoint| endpoint.display_name == want.draft.display_name))
}

/// Whether what a record of creation speaks of is there.
pub(super) fn found(want: &Desired, seen: &Observed, past: &Past, kind: &str) -> bool {
    match kind {
        "Source" => our_source(want, seen).is_ok_and(|source| source.is_some()),
        _ => find_endpoint(want, seen, past).is_some(),
    }
}

fn mark(endpoint: &Endpoint) -> Mark {
    endpoint.created_by.as_deref().map_or(Mark::None, Mark::find)
}

/// Ours = the mark, our own default name, or the id in status, without a foreign mark.
fn claim(want: &Desired, endpoint: &Endpoint, past: &Past) -> Claim {
    let mark = mark(endpoint);
    let own_name = !want.named_by_user && endpoint.display_name == want.draft.display_name;
    let known = past.cached.endpoint.as_ref() == Some(&endpoint.id);
    match mark {
        Mark::None if own_name || known => Claim::Ours,
        Mark::None | Mark::Released(_) | Mark::Of(..) => want.owner.claim(&mark, &want.adoption),
    }
}

/// Whether it carries our mark.
pub(super) fn is_marked_ours(want: &Desired, endpoint: &Endpoint) -> bool {
    matches!(mark(endpoint), Mark::Of(hash, _) if hash == want.owner.hash)
}

/// Whether nobody else owns it.
pub(super) fn is_ours(want: &Desired, endpoint: &Endpoint, past: &Past) -> bool {
    claim(want, endpoint, past) == Claim::Ours
}

fn endpoint_provisioned(
    want: &Desired,
    seen: &Observed,
    past: &Past,
    found: Option<&Endpoint>,
    drift: &mut Vec<Drift>,
) -> Verdict<Step> {
    if let Some(fault) = seen.endpoint.fault().or(seen.endpoints.fault()) {
        return Verdict::Unclear(fault.clone());
    }
    let Some(endpoint) = found else {
        if matches!(seen.endpoints, Seen::NotLooked) {
            return Verdict::Behind(ConditionType::ConnectorAvailable);
        }
        if past.cached.endpoint.is_some() && want.drift == DriftPolicy::Report && !past.recreate {
            let (field, want) = ("spec.displayName".to_owned(), want.draft.display_name.clone());
            drift.push(Drift { field, want, have: String::new() });
            let text = "The endpoint is gone, and driftPolicy is Report: set it to Correct, or annotate this object with uko-operator.io/recreate-requested-at: <now, RFC 3339>, to have it made again.";
            return Verdict::Blocked(Fault::awaiting_person("EndpointGone", text));
        }
        return create(want, seen);
    };
    if endpoint.connection_type == ConnectionType::Cloud {
        let text = format!(
            "The connector has an endpoint named {} of type cloud, which leads the other way. Choose another displayName.",
            endpoint.display_name
        );
        return Verdict::Blocked(Fault::invalid("AdoptionMismatch", text));
    }
    match claim(want, endpoint, past) {
        Claim::Refused(why) => {
            let text = format!("The connector already has an endpoint named {}: {why}.", endpoint.display_name);
            return Verdict::Blocked(Fault::awaiting_person("ClaimConflict", text));
        }
        Claim::Adoptable => {
            let change = EndpointChange { created_by: Some(want.owner.mark()), ..unchanged(want, endpoint) };
            let step = Step::AdoptEndpoint { id: endpoint.id.clone(), name: endpoint.display_name.clone(), change };
            return Verdict::step(step, "AdoptionInProgress", "The endpoint is being taken over.");
        }
        Claim::Ours => {}
    }
    if let Some(change) = difference(want, endpoint, drift)
        && want.drift == DriftPolicy::Correct
    {
        let moves = change.server_host.is_some() || change.server_port.is_some();
        let users = want.users().filter(|_| moves && past.spec_changed && !want.destination_change_allowed);
        if let Some(users) = users {
            let text = format!(
                "The endpoint is used by {users}. A new destination cuts them off until they fit: annotate this object with uko-operator.io/allow-destination-change: \"true\" to go on."
            );
            return Verdict::Blocked(Fault::awaiting_person("DestinationInUse", text));
        }
        let step = Step::UpdateEndpoint { id: endpoint.id.clone(), change };
        return Verdict::step(step, "UpdateInProgress", "The endpoint differs from the spec and is being changed.");
    }
    match endpoint.address() {
        Some(address) => {
            Verdict::met("EndpointProvisioned", format!("The endpoint {} answers at {address}.", endpoint.display_name))
        }
        None => Verdict::in_progress("AddressInProgress", "IBM Cloud has not given the endpoint an address yet.", None),
    }
}

/// The access rule comes first, so that the endpoint stands open for as short as the API allows.
fn create(want: &Desired, seen: &Observed) -> Verdict<Step> {
    if let Some(allowed) = &want.allowed_sources {
        match our_source(want, seen) {
            Err(fault) => return Verdict::Unclear(fault),
            Ok(None) if matches!(seen.sources, Seen::NotLooked) => {
                return Verdict::Behind(ConditionType::ConnectorAvailable);
            }
            Ok(None) => {
                let step =
                    Step::CreateSource { name: want.source_name(), addresses: allowed.iter().cloned().collect() };
                return Verdict::step(
                    step,
                    "AccessRuleInProgress",
                    "The access rule is being created before the endpoint.",
                );
            }
            Ok(Some(_)) => {}
        }
    }
    Verdict::step(
        Step::CreateEndpoint(want.draft.clone(), used(seen)),
        "EndpointInProgress",
        "The endpoint is being created.",
    )
}

/// Leaves everything as it is. The service wants a valid word for the destination's side in each change, so where the answer
/// holds none it gets the one that we would make the endpoint with.
pub(super) fn unchanged(want: &Desired, have: &Endpoint) -> EndpointChange {
    let wanted = &want.draft.server_protocol;
    EndpointChange::keeping(told_server_protocol(have).unwrap_or(wanted).clone())
}

fn told_server_protocol(have: &Endpoint) -> Option<&ServerProtocol> {
    Some(&have.server_protocol).filter(|protocol| !protocol.as_str().is_empty())
}

fn difference(want: &Desired, have: &Endpoint, drift: &mut Vec<Drift>) -> Option<EndpointChange> {
    let (wanted, before) = (&want.draft, drift.len());
    let mut change = EndpointChange::keeping(wanted.server_protocol.clone());
    let mut differs = |field: &str, want: String, have: String| {
        let different = want != have;
        if different {
            drift.push(Drift { field: field.to_owned(), want, have });
        }
        different
    };
    if want.named_by_user && differs("spec.displayName", wanted.display_name.clone(), have.display_name.clone()) {
        change.display_name = Some(wanted.display_name.clone());
    }
    // A missing member is no difference, and hosts differ by more than their letters' case.
    let host = if have.server_host.is_empty() || have.server_host.eq_ignore_ascii_case(&wanted.server_host) {
        wanted.server_host.clone()
    } else {
        have.server_host.clone()
    };
    if differs("spec.destination.host", wanted.server_host.clone(), host) {
        change.server_host = Some(wanted.server_host.clone());
    }
    let port = have.server_port.unwrap_or(wanted.server_port).to_string();
    if differs("spec.destination.port", wanted.server_port.to_string(), port) {
        change.server_port = Some(wanted.server_port);
    }
    let protocol = match have.client_protocol.as_str() {
        "" => wanted.client_protocol.as_str().to_owned(),
        protocol => protocol.to_owned(),
    };
    if differs("spec.protocol", wanted.client_protocol.as_str().to_owned(), protocol) {
        change.client_protocol = Some(wanted.client_protocol.clone());
    } else if let Some(protocol) = told_server_protocol(have) {
        // The same field, told once: every change sends the right word for this side too.
        let side = |protocol: &ServerProtocol| format!("{} to the destination", protocol.as_str());
        differs("spec.protocol", side(&wanted.server_protocol), side(protocol));
    }
    // No answer about the timeout is no difference: the service then uses its own default [O].
    let (limit, timeout) = (wanted.inactivity_timeout, have.inactivity_timeout.or(wanted.inactivity_timeout));
    let seconds = |timeout: Option<std::time::Duration>| timeout.map(|t| t.as_secs().to_string()).unwrap_or_default();
    if differs("spec.inactivityTimeoutSeconds", seconds(limit), seconds(timeout)) {
        change.inactivity_timeout = limit;
    }
    let enabled = match have.status {
        EndpointStatus::Enabled => true,
        EndpointStatus::Disabled => false,
        EndpointStatus::Other(_) => want.enabled,
    };
    if differs("spec.enabled", want.enabled.to_string(), enabled.to_string()) {
        change.enabled = Some(want.enabled);
    }
    (drift.len() > before).then_some(change)
}
