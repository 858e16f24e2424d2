//! What of a deleted `ConnectorEndpoint` goes next.
//!
//! In: who uses it, what is outside. Out: one step, or why not. Never: I/O; takes the access rule away before the endpoint, which
//! would then stand open.

use std::{collections::BTreeSet, time::Duration};

use super::super::{
    desired::Desired,
    plan::{Past, is_ours},
};
use crate::{
    api::v1alpha1::{PendingCreate, PlanAction, PlannedStep},
    clouds::{
        http::Class,
        ibm::{ConnectorId, Endpoint, EndpointId, Source, SourceId, satellite::ConnectionType},
    },
    reconcile::{
        announce::{Age, may_still_come},
        farewell::{Next, Parting},
        fault::Fault,
        stage::{Describe, Seen, Waiting, Word},
    },
};

/// How many names a message holds.
const NAMES: usize = 5;

/// What is outside.
#[derive(Default)]
pub(super) struct Remains {
    /// The connectors that fit.
    pub connectors: Seen<Vec<ConnectorId>>,
    /// What is in each.
    pub insides: Vec<Inside>,
}

/// What is in one connector.
pub(super) struct Inside {
    /// Which.
    pub connector: ConnectorId,
    /// Its endpoints; absent when there is no such connector.
    pub endpoints: Seen<Vec<Endpoint>>,
    /// Its access rules.
    pub sources: Seen<Vec<Source>>,
    /// The endpoints for which our rule is in force.
    pub bound: Seen<Vec<EndpointId>>,
}

/// Everything that counts.
pub(super) struct Case<'a> {
    /// What was wanted.
    pub want: &'a Desired,
    /// What is outside.
    pub seen: &'a Remains,
    /// Ids in status.
    pub past: &'a Past,
    /// Connections that name it.
    pub users: &'a Seen<Vec<String>>,
    /// Keystores that go through it.
    pub keystores: &'a BTreeSet<String>,
    /// A creation whose outcome is not seen.
    pub pending: Option<&'a PendingCreate>,
    /// How old that may become.
    pub age: Age,
}

/// One removal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The endpoint.
    DeleteEndpoint {
        /// Where.
        connector: ConnectorId,
        /// Which.
        id: EndpointId,
        /// Its name.
        name: String,
    },
    /// The access rule.
    DeleteSource {
        /// Where.
        connector: ConnectorId,
        /// Which.
        id: SourceId,
        /// Its name.
        name: String,
    },
}

impl Step {
    /// Where.
    pub(super) fn connector(&self) -> &ConnectorId {
        match self {
            Self::DeleteEndpoint { connector, .. } | Self::DeleteSource { connector, .. } => connector,
        }
    }
}

impl Describe for Step {
    fn describe(&self) -> PlannedStep {
        let (resource, detail) = match self {
            Self::DeleteEndpoint { name, .. } => {
                (format!("connector endpoint {name}"), "removed from the connector".to_owned())
            }
            Self::DeleteSource { name, .. } => (format!("access rule {name}"), "removed from the connector".to_owned()),
        };
        PlannedStep { action: PlanAction::Delete, resource, detail, estimated_cost: None }
    }
}

impl Inside {
    /// The access rule that bears our name.
    pub(super) fn our_source(&self, want: &Desired) -> Option<&Source> {
        let name = want.source_name();
        self.sources.present()?.iter().find(|source| source.name == name)
    }

    fn ours<'a>(&'a self, want: &Desired, past: &Past) -> Vec<&'a Endpoint> {
        let all = self.endpoints.present().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|one| one.connection_type != ConnectionType::Cloud && is_ours(want, one, past)).collect()
    }
}

impl Remains {
    /// Whether what a record of creation speaks of is there.
    pub(super) fn holds(&self, kind: &str, want: &Desired, past: &Past) -> bool {
        self.insides.iter().any(|inside| match kind {
            "Source" => inside.our_source(want).is_some(),
            _ => !inside.ours(want, past).is_empty(),
        })
    }
}

/// The plan of one pass.
pub(super) fn part(case: &Case<'_>) -> Parting<Step> {
    let only = |next| Parting { next, steps: Vec::new(), left: Vec::new() };
    if let Some(fault) = in_use(case) {
        return only(Next::Blocked(fault));
    }
    if let Some(fault) = case.seen.connectors.fault() {
        return only(Next::Blocked(fault.clone()));
    }
    if let Some(fault) = no_connector(case) {
        return only(Next::Blocked(fault));
    }
    let (mut steps, mut left) = (Vec::new(), Vec::new());
    for inside in &case.seen.insides {
        if matches!(inside.endpoints, Seen::Absent) {
            continue;
        }
        let faults = [inside.endpoints.fault(), inside.sources.fault(), inside.bound.fault()];
        if let Some(fault) = faults.into_iter().flatten().next() {
            return only(Next::Blocked(fault.clone()));
        }
        take(case, inside, &mut steps, &mut left);
    }
    let next = match (steps.first(), case.pending) {
        (Some(step), _) => Next::Do(step.clone()),
        (None, Some(pending)) if may_still_come(pending, case.age) => {
            Next::Wait(outcome_unknown(case.age.look_every()))
        }
        (None, _) => Next::Over,
    };
    Parting { next, steps, left }
}

/// Endpoints first: without its rule an endpoint is open to the whole private network of IBM Cloud.
fn take(case: &Case<'_>, inside: &Inside, steps: &mut Vec<Step>, left: &mut Vec<String>) {
    let ours = inside.ours(case.want, case.past);
    let connector = &inside.connector;
    steps.extend(ours.iter().map(|endpoint| Step::DeleteEndpoint {
        connector: connector.clone(),
        id: endpoint.id.clone(),
        name: endpoint.display_name.clone(),
    }));
    let all = inside.endpoints.present().map(Vec::as_slice).unwrap_or_default();
    let in_our_place = |one: &&Endpoint| {
        case.past.cached.endpoint.as_ref() == Some(&one.id) || one.display_name == case.want.draft.display_name
    };
    let foreign = all.iter().filter(in_our_place).filter(|one| !ours.iter().any(|ours| ours.id == one.id));
    left.extend(
        foreign.map(|one| format!("The connector endpoint {} is not ours any more and stays.", one.display_name)),
    );
    let Some(source) = inside.our_source(case.want) else { return };
    let bound = inside.bound.present().map(Vec::as_slice).unwrap_or_default();
    if bound.iter().any(|id| !ours.iter().any(|endpoint| endpoint.id == *id)) {
        left.push(format!(
            "The access rule {} stays: it is in force for an endpoint that is not ours, which would stand open without it.",
            source.name
        ));
        return;
    }
    steps.push(Step::DeleteSource { connector: connector.clone(), id: source.id.clone(), name: source.name.clone() });
}

fn in_use(case: &Case<'_>) -> Option<Fault> {
    let users = match case.users {
        Seen::Unknown(fault) => return Some(fault.clone()),
        Seen::Present(users) => users.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    if !users.is_empty() {
        let text = format!(
            "The AzureKeystoreConnection {} of this namespace goes through it. Delete that first, or let it name another endpoint.",
            some(users)
        );
        return Some(Fault::awaiting_person("ConnectorEndpointInUse", text));
    }
    let keystores: Vec<String> = case.keystores.iter().cloned().collect();
    (!keystores.is_empty()).then(|| {
        let text = format!(
            "UKO still goes through it with the keystore {}, whose object was deleted under Retain. Disconnect it in UKO and remove the annotation uko-operator.io/used-by-keystore.",
            some(&keystores)
        );
        Fault::awaiting_person("ConnectorEndpointInUse", text)
    })
}

/// A connector that is not shown may be gone with everything in it, or belong to another account than this API key's. Only who
/// never had an endpoint is sure that none is left.
fn no_connector(case: &Case<'_>) -> Option<Fault> {
    let shown = case.seen.insides.iter().any(|inside| !matches!(inside.endpoints, Seen::Absent));
    let had = case.past.cached.endpoint.is_some() || case.pending.is_some();
    (!shown && had).then(|| {
        let text = "This API key's account does not show the connector, so nobody can tell whether the endpoint is still there. Put in the key of the right account.";
        Fault::new(Class::NotFound, "ConnectorNotFound", text)
    })
}

fn outcome_unknown(look_again: Duration) -> Waiting {
    let message = "An earlier request may still take effect; what it makes is removed when it appears.".to_owned();
    Waiting { word: Word { reason: "CreationOutcomeInProgress", message }, look_again: Some(look_again), person: false }
}

/// The first few names, and how many more.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
