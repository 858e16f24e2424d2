//! Stage `NetworkAccessApplied`: the Key Vault's public address is closed, if asked for, and only once the private path is proven.
//!
//! In: every fact about the path. Out: a verdict. Never: opens it again; closes it on a guess.

use std::time::Duration;

use super::{Case, Step, faulty, path::tls_proxy};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, DriftPolicy},
    },
    clouds::{
        azure::{ArmId, PublicAccess},
        ibm::Health,
    },
    keystore_connection::{
        SPREADING,
        desired::{Path, Target},
    },
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
        summary::age,
    },
};

/// After so many reversals by others we stop.
const REVERSALS: u32 = 2;
/// For so long after closing, an answer that still says open is an old one.
const LAG: Duration = Duration::from_secs(15);

const STAYS_OPEN: &str = "Someone opened the public address again. driftPolicy is Report, so it stays open.";

pub(super) fn network_access_applied(
    case: Case<'_>,
    open: Option<ConditionType>,
    keystore: &Verdict<Step>,
    drift: &mut Vec<Drift>,
) -> Verdict<Step> {
    if !case.want.close_public_access {
        return Verdict::met(
            "NotManaged",
            "spec.azure.publicNetworkAccess is absent: the public address is left as it is.",
        );
    }
    let vault = match &case.seen.vault {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => return Verdict::Behind(ConditionType::VaultReady),
        Seen::Present(vault) => vault,
    };
    match &vault.public_network_access {
        PublicAccess::Disabled => {
            return Verdict::met("PublicAccessDisabled", "The Key Vault does not answer on its public address.");
        }
        PublicAccess::SecuredByPerimeter => {
            return Verdict::met(
                "SecuredByPerimeter",
                "A network security perimeter guards the Key Vault's public address.",
            );
        }
        PublicAccess::Enabled | PublicAccess::Other(_) => {}
    }
    if case.past.memory.path_lost == Some(true) {
        return Verdict::Blocked(path_lost_fault(case));
    }
    if let Some(verdict) = reopened(case, vault.public_network_access.as_str(), drift) {
        return verdict;
    }
    if case.only_reports() {
        drift.push(opened(vault.public_network_access.as_str()));
        return Verdict::met("DriftReported", STAYS_OPEN);
    }
    if let Some(stage) = open {
        return Verdict::Behind(stage);
    }
    if !keystore.carries() || case.quick {
        return Verdict::Behind(ConditionType::KeystoreConnected);
    }
    if let Some(why) = unproven(case) {
        return Verdict::Blocked(Fault::awaiting_person(
            "PrivatePathUnproven",
            format!("The public address stays open: {why}"),
        ));
    }
    fresh_heartbeat(case).or_else(|| unrecorded(case)).unwrap_or_else(|| {
        Verdict::step(
            Step::ClosePublicAccess,
            "PublicAccessInProgress",
            "The private path is proven; the public address is being closed.",
        )
    })
}

fn opened(have: &str) -> Drift {
    let field = "spec.azure.publicNetworkAccess".to_owned();
    Drift { field, want: "Disabled".to_owned(), have: have.to_owned() }
}

/// It was closed by us and is open: what that means before anything else does.
fn reopened(case: Case<'_>, have: &str, drift: &mut Vec<Drift>) -> Option<Verdict<Step>> {
    let memory = case.past.memory;
    let closed_at = memory.closed_at.as_ref()?;
    if age(closed_at, case.now) < LAG {
        let text = "The public address was closed; the Key Vault does not say so yet.";
        return Some(Verdict::in_progress("PublicAccessInProgress", text, None));
    }
    drift.push(opened(have));
    if case.want.drift == DriftPolicy::Report {
        return Some(Verdict::met("DriftReported", STAYS_OPEN));
    }
    // This opening is not counted yet: that happens when it is set back.
    (memory.reopened_by_others.unwrap_or_default().saturating_add(1) >= REVERSALS).then(|| {
        Verdict::Blocked(Fault::awaiting_person(
            "PublicAccessDrift",
            "Someone, perhaps an Azure Policy, opens the public address again after each closing. Find out who; then touch this object's spec.",
        ))
    })
}

/// What stands against closing, apart from the heartbeat. `None` once every fact is there.
pub(in crate::keystore_connection) fn unproven(case: Case<'_>) -> Option<String> {
    let (Some(wanted), Some(endpoint)) = (&case.want.private_endpoint, case.seen.endpoint.present()) else {
        return Some("without spec.privateEndpoint nobody here can prove the private path. Let the operator manage it, or close the address by hand.".to_owned());
    };
    let hosted = case.want.login.as_ref().is_ok_and(|login| matches!(login.target, Target::Hpcs { .. }));
    if hosted && matches!(case.want.path, Path::Direct) {
        return Some("UKO in IBM Cloud goes to the public address. Set connectorEndpointRef or tlsProxy.".to_owned());
    }
    let proxy = tls_proxy(&case.want.path);
    if case.seen.keystore.present().is_none_or(|keystore| keystore.tls_proxy.clone().filter(|p| !p.is_empty()) != proxy)
    {
        return Some("the keystore in UKO does not go the way that the spec names.".to_owned());
    }
    let there = case.seen.vault.present().and_then(|vault| vault.connection_of(&endpoint.id));
    let approved = |state: &crate::clouds::azure::ConnectionState| {
        state.status == crate::clouds::azure::ConnectionStatus::Approved
    };
    if !approved(&endpoint.connection) || !there.is_some_and(|connection| approved(&connection.state)) {
        return Some("the private endpoint is not approved on both sides.".to_owned());
    }
    let Some(address) = case.seen.interface.present().and_then(|interface| interface.vault_address()) else {
        return Some("the private endpoint has no address.".to_owned());
    };
    if leads_to_address(&case.want.path, address) {
        return None;
    }
    names_lead_there(case, &wanted.network, address)
}

fn leads_to_address(path: &Path, address: &str) -> bool {
    match path {
        Path::Connector { found, .. } => {
            found.present().is_some_and(|endpoint| &*endpoint.spec.destination.host == address)
        }
        Path::External(proxy) => proxy.rsplit_once(':').is_some_and(|(host, port)| host == address && port == "443"),
        Path::Direct => false,
    }
}

fn names_lead_there(case: Case<'_>, network: &ArmId, address: &str) -> Option<String> {
    let cure = "Set spec.privateEndpoint.privateDnsZoneId and link the zone to the virtual network, or make the private address itself the destination.";
    match &case.seen.record {
        Seen::Present(record) if record.is_exactly(address) => {}
        Seen::Present(_) => {
            return Some(format!("the vault's A record is not the private endpoint's address {address}. {cure}"));
        }
        Seen::Absent | Seen::NotLooked => {
            return Some(format!("the vault has no A record in a private DNS zone that we know. {cure}"));
        }
        Seen::Unknown(_) => return Some(format!("the vault's A record could not be read. {cure}")),
    }
    let links = match &case.seen.links {
        Seen::Present(links) => links.as_slice(),
        Seen::Unknown(_) => return Some(format!("the private DNS zone's links could not be read. {cure}")),
        Seen::Absent | Seen::NotLooked => &[],
    };
    let linked = links.iter().any(|link| link.is_ready() && link.leads_to(network));
    (!linked).then(|| format!("the private DNS zone is not linked to the endpoint's virtual network. {cure}"))
}

/// UKO must have been seen well after the path became what it is.
fn fresh_heartbeat(case: Case<'_>) -> Option<Verdict<Step>> {
    let since = case.past.memory.path_facts_since.as_ref().map(|time| time.0.as_second());
    let status = case.seen.health.present()?;
    match (since, status.last_heartbeat) {
        (Some(since), Some(heartbeat)) if status.health == Health::Ok && heartbeat > since => None,
        (Some(since), None) if case.now.as_second() - since > 600 => Some(Verdict::Blocked(Fault::awaiting_person(
            "PrivatePathUnproven",
            "The public address stays open: UKO does not say when it last reached the Key Vault. Close it by hand once you have seen that keys flow.",
        ))),
        (_, _) => Some(Verdict::in_progress(
            "PublicAccessInProgress",
            "The path is complete; before the public address is closed, UKO must have been seen well over it once more.",
            None,
        )),
    }
}

/// Status says that it is open before it is closed: so a closing is known for ours even when its answer and its record are lost.
fn unrecorded(case: Case<'_>) -> Option<Verdict<Step>> {
    let on_record = case.past.was_public || case.past.memory.closed_at.is_some();
    let text = "The public address was opened; it is closed once that is on record.";
    (!on_record).then(|| Verdict::in_progress("PublicAccessInProgress", text, Some(Duration::ZERO)))
}

/// UKO turned unhealthy within a quarter of an hour after we closed the public address.
pub(super) fn path_lost(case: Case<'_>) -> Option<Fault> {
    let closed = case.past.memory.closed_at.as_ref()?;
    let lost = case.past.memory.path_lost == Some(true) || age(closed, case.now) < SPREADING;
    lost.then(|| path_lost_fault(case))
}

fn path_lost_fault(case: Case<'_>) -> Fault {
    let vault = &case.want.vault.name;
    Fault::awaiting_person(
        "PathLostAfterClosing",
        format!(
            "UKO lost the Key Vault right after its public address was closed, so it had not come over the private path. To open it again: az keyvault update --name {vault} --public-network-access Enabled. The operator neither opens it nor closes it again before this object's spec or Secrets change."
        ),
    )
}
