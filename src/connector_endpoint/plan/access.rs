//! Stage `AccessControlApplied`: the access rule names the allowed sources and is bound to the endpoint.
//!
//! In: rules and what is bound. Out: a verdict. Never: changes a rule that is not ours.

use std::collections::BTreeSet;

use super::{Past, Step};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, DriftPolicy},
    },
    clouds::ibm::{Endpoint, Source},
    connector_endpoint::{desired::Desired, observe::Observed},
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
    },
};

pub(super) fn our_source<'a>(want: &Desired, seen: &'a Observed) -> Result<Option<&'a Source>, Fault> {
    if let Some(fault) = seen.sources.fault() {
        return Err(fault.clone());
    }
    let name = want.source_name();
    Ok(seen.sources.present().and_then(|sources| sources.iter().find(|source| source.name == name)))
}

pub(super) fn access_control_applied(
    want: &Desired,
    seen: &Observed,
    past: &Past,
    endpoint: Option<&Endpoint>,
    drift: &mut Vec<Drift>,
) -> Verdict<Step> {
    let Some(allowed) = &want.allowed_sources else { return Verdict::Unchanged };
    let only_reports = want.drift == DriftPolicy::Report && past.settled;
    let source = match our_source(want, seen) {
        Err(fault) => return Verdict::Unclear(fault),
        Ok(source) => source,
    };
    let addresses: Vec<String> = allowed.iter().cloned().collect();
    let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    let differs = |have: String| Drift { field: "spec.allowedSources".to_owned(), want: list(allowed), have };
    let Some(source) = source else {
        if matches!(seen.sources, Seen::NotLooked) {
            return Verdict::Behind(ConditionType::ConnectorAvailable);
        }
        if past.settled {
            drift.push(differs(String::new()));
        }
        if only_reports {
            return gone();
        }
        let step = Step::CreateSource { name: want.source_name(), addresses };
        return Verdict::step(step, "AccessControlInProgress", "The access rule is being created.");
    };
    let have: BTreeSet<String> = source.addresses.iter().cloned().collect();
    if have != *allowed {
        drift.push(differs(list(&have)));
        if want.drift == DriftPolicy::Correct {
            let step = Step::UpdateSource { id: source.id.clone(), addresses };
            return Verdict::step(
                step,
                "AccessControlInProgress",
                "The access rule differs from the spec and is being changed.",
            );
        }
    }
    let Some(endpoint) = endpoint else {
        return Verdict::Behind(ConditionType::EndpointProvisioned);
    };
    let bindings = match &seen.bindings {
        Seen::Unknown(fault) => return Verdict::Unclear(fault.clone()),
        Seen::Present(bindings) => bindings.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    match bindings.iter().find(|binding| binding.source_id == source.id) {
        Some(binding) if binding.enabled && binding.pending => {
            Verdict::in_progress("AccessControlInProgress", "IBM Cloud is putting the access rule in force.", None)
        }
        Some(binding) if binding.enabled => {
            let have = have.into_iter().collect::<Vec<_>>().join(", ");
            let others = bindings.iter().filter(|other| other.enabled && other.source_id != source.id).count();
            if others > 0 {
                let text = format!(
                    "{have} may use the endpoint, and so may whoever {others} other enabled access rules name: they are not ours and stay."
                );
                return Verdict::met("AccessControlShared", text);
            }
            Verdict::met("AccessControlApplied", format!("Only {have} may use the endpoint."))
        }
        Some(_) | None if only_reports => {
            drift.push(differs("not bound".to_owned()));
            gone()
        }
        Some(_) | None => {
            if past.settled {
                drift.push(differs("not bound".to_owned()));
            }
            let step = Step::BindSource { endpoint: endpoint.id.clone(), source: source.id.clone() };
            Verdict::step(step, "AccessControlInProgress", "The access rule is being bound to the endpoint.")
        }
    }
}

/// It was in force, and is only to be reported: told as a fault, because more than the spec allows can pass.
fn gone() -> Verdict<Step> {
    let text = "The access rule is gone or not bound, so the whole IBM Cloud private network may use the endpoint, and driftPolicy is Report: set it to Correct to have the rule put in force again.";
    Verdict::Blocked(Fault::awaiting_person("AccessRuleGone", text))
}
