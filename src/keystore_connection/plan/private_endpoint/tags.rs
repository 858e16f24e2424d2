//! Tags of the private endpoint: those of the spec, our marks, and those that the spec named once and names no more.
//!
//! In: tags as read, and the names that were set before. Out: a step, or what differs. Never: touches a tag that only others set.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    api::v1alpha1::{Drift, DriftPolicy, Memory},
    clouds::azure::PrivateEndpoint,
    keystore_connection::{
        OBJECT_TAG, OWNER_TAG,
        desired::PrivateEndpointWanted,
        plan::{Case, Step},
    },
    reconcile::{ownership::Claim, stage::Verdict, summary::age},
};

/// Tags are set back once in this time: an Azure Policy that sets its own must not become a fight.
const TAG_PEACE: Duration = Duration::from_mins(30);

pub(super) fn tags(
    case: Case<'_>,
    wanted: &PrivateEndpointWanted,
    endpoint: &PrivateEndpoint,
    claim: &Claim,
    drift: &mut Vec<Drift>,
) -> Option<Verdict<Step>> {
    let adopt = *claim == Claim::Adoptable;
    let set = wanted.tags.iter().filter(|(name, value)| endpoint.tag(name) != Some(value)).map(|(name, _)| name);
    let left = left_over(case, wanted).filter(|name| endpoint.tag(name).is_some());
    let different: Vec<&String> = set.chain(left).collect();
    if different.is_empty() {
        return None;
    }
    for name in &different {
        drift.push(Drift {
            field: format!("spec.privateEndpoint.tags.{name}"),
            want: wanted.tags.get(*name).cloned().unwrap_or_default(),
            have: endpoint.tag(name).unwrap_or_default().to_owned(),
        });
    }
    if (case.want.drift == DriftPolicy::Report || is_fought(case)) && !adopt {
        return None;
    }
    let mut tags: BTreeMap<String, String> = endpoint.tags.clone();
    // Azure's tag names ignore case: an old spelling would stay beside ours.
    tags.retain(|name, _| {
        !wanted.tags.keys().chain(left_over(case, wanted)).any(|ours| ours.eq_ignore_ascii_case(name))
    });
    tags.extend(wanted.tags.clone());
    let step = Step::TagPrivateEndpoint { endpoint: endpoint.clone(), tags, adopt };
    Some(if adopt {
        Verdict::step(step, "AdoptionInProgress", "The private endpoint is being taken over.")
    } else {
        Verdict::step(step, "TagsInProgress", "The private endpoint's tags differ and are being set.")
    })
}

/// Names that were set for the spec and that it names no more. What others set has no such record and stays.
fn left_over<'a>(case: Case<'a>, wanted: &'a PrivateEndpointWanted) -> impl Iterator<Item = &'a String> {
    let wants = |name: &str| wanted.tags.keys().any(|ours| ours.eq_ignore_ascii_case(name));
    case.past.memory.tag_names.iter().filter(move |name| !wants(name))
}

/// They were set back just now, or that was refused, and they differ again. A changed spec takes the memory of it away.
fn is_fought(case: Case<'_>) -> bool {
    case.past.memory.tags_set_at.as_ref().is_some_and(|at| age(at, case.now) < TAG_PEACE)
}

/// The names to remember after a look: those of the spec that are there, and older ones that still are.
pub(in crate::keystore_connection) fn set_by_us(
    memory: &Memory,
    wanted: &PrivateEndpointWanted,
    endpoint: &PrivateEndpoint,
) -> Vec<String> {
    let ours = wanted.tags.iter().filter(|(name, value)| endpoint.tag(name) == Some(value)).map(|(name, _)| name);
    let before = memory.tag_names.iter().filter(|name| endpoint.tag(name).is_some());
    let mut names: Vec<String> = Vec::new();
    for name in ours.chain(before).filter(|name| ![OWNER_TAG, OBJECT_TAG].contains(&name.as_str())) {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.clone());
        }
    }
    names.sort();
    names.truncate(64);
    names
}
