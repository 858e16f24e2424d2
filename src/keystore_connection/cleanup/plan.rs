//! What of a deleted `AzureKeystoreConnection` goes next.
//!
//! In: what is outside and carries our mark. Out: one step, or why not. Never: I/O; takes the path away before the keystore that goes
//! through it; names a UKO vault, a Key Vault or a key.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::{OBJECT_TAG, OWNER_TAG, ZONE_GROUP, desired::Desired, observe::Operation};
use crate::{
    api::v1alpha1::{PendingCreate, PlanAction, PlannedStep},
    clouds::{
        azure::{ArmId, DnsZoneGroup, PrivateEndpoint},
        ibm::{Keystore, KeystoreHandle, KeystoreId, UkoVaultId, uko::InstalledKeys},
    },
    reconcile::{
        announce::{Age, may_still_come},
        farewell::{Next, Parting},
        fault::Fault,
        ownership::Mark,
        stage::{Describe, Seen, Waiting, Word},
        summary::age,
    },
};

/// What is outside.
#[derive(Default)]
pub(super) struct Remains {
    /// Every keystore that is ours, or in the place of ours.
    pub keystores: Seen<Vec<(UkoVaultId, Keystore)>>,
    /// What keeps the first of ours connected.
    pub installed: Seen<InstalledKeys>,
    /// What the last removal in Azure came to.
    pub operation: Operation,
    /// The private endpoint.
    pub endpoint: Seen<PrivateEndpoint>,
    /// Its DNS zone groups.
    pub groups: Seen<Vec<DnsZoneGroup>>,
    /// Names of `ConnectorEndpoint`s that say that our keystore goes through them.
    pub claimed: Seen<Vec<String>>,
}

/// What status says was ours.
pub(in crate::keystore_connection) struct Known {
    /// The keystore.
    pub keystore: Option<KeystoreId>,
    /// The UKO vault it is in.
    pub uko_vault: Option<UkoVaultId>,
    /// The private endpoint.
    pub private_endpoint: Option<ArmId>,
    /// When something was written last, or may have been.
    pub last_write_at: Option<Time>,
}

/// Everything that counts.
pub(super) struct Case<'a> {
    /// What was wanted.
    pub want: &'a Desired,
    /// What is outside.
    pub seen: &'a Remains,
    /// What status says was ours.
    pub known: &'a Known,
    /// A creation whose outcome is not seen.
    pub pending: Option<&'a PendingCreate>,
    /// How old that may become.
    pub age: Age,
    /// For so long yet a request of a predecessor that died may take effect.
    pub pause: Duration,
}

/// One removal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// The keystore, which UKO calls disconnecting.
    DisconnectKeystore {
        /// In which vault.
        vault: UkoVaultId,
        /// Which, at which version.
        handle: KeystoreHandle,
        /// Its name.
        name: String,
    },
    /// The DNS zone group that is ours.
    DeleteDnsZoneGroup(ArmId),
    /// The private endpoint.
    DeletePrivateEndpoint {
        /// Which.
        id: ArmId,
        /// In which subnet, as far as the answer said.
        subnet: Option<ArmId>,
    },
    /// A `ConnectorEndpoint` is used by our keystore no longer.
    ReleaseConnectorEndpoint(String),
}

impl Step {
    /// Whether it takes something away outside.
    pub(super) fn is_outside(&self) -> bool {
        match self {
            Self::DisconnectKeystore { .. } | Self::DeleteDnsZoneGroup(_) | Self::DeletePrivateEndpoint { .. } => true,
            Self::ReleaseConnectorEndpoint(_) => false,
        }
    }
}

impl Describe for Step {
    fn describe(&self) -> PlannedStep {
        let (resource, detail) = match self {
            Self::DisconnectKeystore { name, .. } => (format!("keystore {name}"), "disconnected from UKO".to_owned()),
            Self::DeleteDnsZoneGroup(id) => {
                (format!("DNS zone group {}", id.last_segment()), "removed with its A record".to_owned())
            }
            Self::DeletePrivateEndpoint { id, .. } => {
                (format!("private endpoint {}", id.last_segment()), "removal asked for in Azure".to_owned())
            }
            Self::ReleaseConnectorEndpoint(name) => {
                (format!("ConnectorEndpoint {name}"), "no keystore of this object goes through it any more".to_owned())
            }
        };
        PlannedStep { action: PlanAction::Delete, resource, detail, estimated_cost: None }
    }
}

/// Whether a keystore is ours: the mark, or the id in status without any mark.
pub(super) fn is_our_keystore(want: &Desired, known: &Known, keystore: &Keystore) -> bool {
    match Mark::find(&keystore.description) {
        Mark::Of(hash, _) => hash == want.owner.hash,
        Mark::None => known.keystore.as_ref() == Some(&keystore.id),
        Mark::Released(_) => false,
    }
}

impl Remains {
    /// Whether a keystore of ours is there.
    pub(super) fn has_ours(&self, want: &Desired, known: &Known) -> bool {
        let all = self.keystores.present().into_iter().flatten();
        all.into_iter().any(|(_, keystore)| is_our_keystore(want, known, keystore))
    }
}

/// Whether a private endpoint is ours: the tags, or the id in status without any tag of an owner.
fn is_our_endpoint(case: &Case<'_>, endpoint: &PrivateEndpoint) -> bool {
    let tag = |name| endpoint.tag(name).unwrap_or_default();
    match Mark::from_parts(tag(OWNER_TAG), tag(OBJECT_TAG)) {
        Mark::Of(hash, _) => hash == case.want.owner.hash,
        Mark::None => case.known.private_endpoint.as_ref().is_some_and(|id| id.same_as(&endpoint.id)),
        Mark::Released(_) => false,
    }
}

/// The plan of one pass.
pub(super) fn part(case: &Case<'_>) -> Parting<Step> {
    let mut parting = Parting { next: Next::Over, steps: Vec::new(), left: Vec::new() };
    if let Some(fault) = &case.want.refused {
        parting.next = Next::Blocked(fault.clone());
        return parting;
    }
    let verdicts = [keystores(case, &mut parting), not_yet_seen(case), path(case, &mut parting)];
    // The order is the safety: UKO is disconnected before the path goes, and the path before its claim.
    if let Some(next) = verdicts.into_iter().flatten().next() {
        parting.next = next;
    }
    parting
}

/// Whoever took the keystore over goes on through the path.
fn path(case: &Case<'_>, parting: &mut Parting<Step>) -> Option<Next<Step>> {
    let all = case.seen.keystores.present().into_iter().flatten();
    let other = all.into_iter().find(|(_, keystore)| !is_our_keystore(case.want, case.known, keystore));
    let Some((_, other)) = other else {
        let (endpoint, claims) = (private_endpoint(case, parting), connector_endpoints(case, parting));
        return endpoint.or(claims);
    };
    if let Some(wanted) = &case.want.private_endpoint {
        let name = wanted.id.last_segment();
        parting.left.push(format!(
            "The private endpoint {name}, if it is there, stays in Azure: the keystore {} may go through it.",
            other.name
        ));
    }
    let claimed = case.seen.claimed.present().into_iter().flatten();
    parting.left.extend(claimed.into_iter().map(|name| {
        format!("The ConnectorEndpoint {name} stays claimed: the keystore {} may go through it.", other.name)
    }));
    None
}

fn keystores(case: &Case<'_>, parting: &mut Parting<Step>) -> Option<Next<Step>> {
    let all = match &case.seen.keystores {
        Seen::Unknown(fault) => return Some(Next::Blocked(fault.clone())),
        Seen::Present(all) => all.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    let (ours, others): (Vec<_>, Vec<_>) =
        all.iter().partition(|(_, keystore)| is_our_keystore(case.want, case.known, keystore));
    parting.left.extend(
        others.iter().map(|(_, other)| format!("The keystore {} is not ours any more and stays in UKO.", other.name)),
    );
    let steps: Vec<Step> = ours.iter().filter_map(|(vault, keystore)| disconnect(vault, keystore)).collect();
    parting.steps.extend(steps.iter().cloned());
    let (_, first) = ours.first()?;
    let installed = match &case.seen.installed {
        Seen::Unknown(fault) => return Some(Next::Blocked(fault.clone())),
        Seen::Present(installed) => installed.clone(),
        Seen::Absent | Seen::NotLooked => InstalledKeys::default(),
    };
    if installed.count > 0 {
        return Some(Next::Blocked(in_use(&first.name, &installed)));
    }
    Some(first.handle().and(steps.into_iter().next()).map_or_else(|| Next::Blocked(no_version(&first.name)), Next::Do))
}

fn disconnect(vault: &UkoVaultId, keystore: &Keystore) -> Option<Step> {
    let handle = keystore.handle()?;
    Some(Step::DisconnectKeystore { vault: vault.clone(), handle, name: keystore.name.clone() })
}

fn in_use(name: &str, installed: &InstalledKeys) -> Fault {
    let labels = installed.labels.join(", ");
    let more = installed.count.saturating_sub(u64::try_from(installed.labels.len()).unwrap_or(u64::MAX));
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let text = format!(
        "The keystore {name} holds keys that are active, deactivated or compromised: {labels}{more}. UKO disconnects a keystore only when each of its keys is destroyed or not yet active: deactivate them in UKO, wait four hours, destroy them. Nothing is removed before."
    );
    Fault::awaiting_person("KeystoreInUse", text)
}

fn no_version(name: &str) -> Fault {
    let text = format!(
        "UKO does not tell the version of the keystore {name}, so it cannot be disconnected safely. Update UKO, or disconnect it by hand."
    );
    Fault::awaiting_person("KeystoreVersionUnknown", text)
}

/// A creation whose answer was lost may still make a keystore.
fn not_yet_seen(case: &Case<'_>) -> Option<Next<Step>> {
    case.pending.filter(|pending| may_still_come(pending, case.age))?;
    let message = "An earlier request may still take effect; what it makes is removed when it appears.".to_owned();
    Some(wait("CreationOutcomeInProgress", message, Some(case.age.look_every())))
}

fn private_endpoint(case: &Case<'_>, parting: &mut Parting<Step>) -> Option<Next<Step>> {
    case.want.private_endpoint.as_ref()?;
    let endpoint = match &case.seen.endpoint {
        Seen::Unknown(fault) => return Some(Next::Blocked(fault.clone())),
        Seen::Absent | Seen::NotLooked => return endpoint_to_come(case),
        Seen::Present(endpoint) => endpoint,
    };
    let name = &endpoint.name;
    if !is_our_endpoint(case, endpoint) {
        parting.left.push(format!("The private endpoint {name} is not ours and stays in Azure."));
        return None;
    }
    let group = case.seen.groups.present().into_iter().flatten().find(|group| group.name == ZONE_GROUP);
    parting.steps.extend(group.map(|group| Step::DeleteDnsZoneGroup(group.id.clone())));
    let subnet = endpoint.subnet_id.clone();
    let delete = Step::DeletePrivateEndpoint { id: endpoint.id.clone(), subnet };
    parting.steps.push(delete.clone());
    match &case.seen.operation {
        Operation::None => {}
        Operation::Failed(fault) => return Some(Next::Blocked(fault.clone())),
        Operation::Running(pause) => return Some(in_azure(name, Some(*pause))),
    }
    if endpoint.provisioning_state.is_running() {
        return Some(in_azure(name, None));
    }
    if let Seen::Unknown(fault) = &case.seen.groups {
        return Some(Next::Blocked(fault.clone()));
    }
    Some(match group {
        Some(group) if group.provisioning_state.is_running() => in_azure(name, None),
        Some(group) => Next::Do(Step::DeleteDnsZoneGroup(group.id.clone())),
        None => Next::Do(delete),
    })
}

/// The request for it may have been the last thing that was sent, and its answer lost.
fn endpoint_to_come(case: &Case<'_>) -> Option<Next<Step>> {
    let known = &case.known;
    let young = known.last_write_at.as_ref().is_some_and(|last| age(last, case.age.now) < case.age.lost_after);
    (known.private_endpoint.is_none() && (young || case.pause > Duration::ZERO)).then(|| {
        let message =
            "A request for the private endpoint may still take effect; what it makes is removed when it appears.";
        wait("CreationOutcomeInProgress", message.to_owned(), Some(case.age.look_every()))
    })
}

fn in_azure(name: &str, pause: Option<Duration>) -> Next<Step> {
    wait("PrivateEndpointInProgress", format!("Azure is working on the private endpoint {name}."), pause)
}

fn wait(reason: &'static str, message: String, look_again: Option<std::time::Duration>) -> Next<Step> {
    Next::Wait(Waiting { word: Word { reason, message }, look_again, person: false })
}

fn connector_endpoints(case: &Case<'_>, parting: &mut Parting<Step>) -> Option<Next<Step>> {
    let names = match &case.seen.claimed {
        Seen::Unknown(fault) => return Some(Next::Blocked(fault.clone())),
        Seen::Present(names) => names.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    parting.steps.extend(names.iter().cloned().map(Step::ReleaseConnectorEndpoint));
    names.first().cloned().map(Step::ReleaseConnectorEndpoint).map(Next::Do)
}
