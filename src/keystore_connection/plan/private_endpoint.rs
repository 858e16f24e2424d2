//! Stage `PrivateEndpointReady`: the endpoint exists, is ours, approved on both sides, and has an address and a name.
//!
//! In: the endpoint and everything around it. Out: a verdict. Never: recreates what a person refused; replaces what Azure cannot change.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Case, Step, faulty};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{Drift, DriftPolicy},
    },
    clouds::{
        azure::{
            ArmId, ConnectionStatus, PrivateEndpoint, PrivateEndpointDraft, ProvisioningState, Vault, same_location,
        },
        http::Class,
    },
    keystore_connection::{OBJECT_TAG, OWNER_TAG, desired::PrivateEndpointWanted, observe::Operation},
    reconcile::{
        fault::Fault,
        ownership::{Claim, Mark},
        stage::{Seen, Verdict},
        summary::age,
    },
};

/// How long the two sides of a connection may disagree before someone is told \[P\].
const LAG: Duration = Duration::from_mins(10);
/// Tags are set back once in this time: an Azure Policy that sets its own must not become a fight.
const TAG_PEACE: Duration = Duration::from_mins(30);
/// Azure has finished an endpoint long before \[P\].
const BUDGET: Duration = Duration::from_mins(15);
/// How often a failed endpoint is asked for again before a person is.
const TRIES: u32 = 3;

pub(super) fn private_endpoint_ready(case: Case<'_>, vault: &Verdict<Step>, drift: &mut Vec<Drift>) -> Verdict<Step> {
    let Some(wanted) = &case.want.private_endpoint else {
        return Verdict::met(
            "NotManaged",
            "spec.privateEndpoint is absent: the private endpoint, if any, is managed elsewhere.",
        );
    };
    if case.quick {
        return side_of_the_vault(case, wanted);
    }
    match &case.seen.operation {
        Operation::None => {}
        Operation::Running(wait) => {
            return Verdict::in_progress(
                "PrivateEndpointInProgress",
                "Azure is working on the private endpoint.",
                Some(*wait),
            );
        }
        Operation::Failed(fault) => return faulty(fault),
    }
    let endpoint = match &case.seen.endpoint {
        Seen::NotLooked => return Verdict::Behind(ConditionType::CredentialsValid),
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent if !vault.carries() => return Verdict::Behind(ConditionType::VaultReady),
        Seen::Absent if case.past.private_endpoint.is_some() && case.want.drift == DriftPolicy::Report => {
            let text =
                "The private endpoint is gone, and driftPolicy is Report: set it to Correct to have it made again.";
            return Verdict::Blocked(Fault::awaiting_person("PrivateEndpointGone", text));
        }
        Seen::Absent => return create(case, wanted),
        Seen::Present(endpoint) => endpoint,
    };
    let claim = claim(case, endpoint);
    if let Claim::Refused(why) = claim {
        let text = format!("Azure already has a private endpoint {}: {why}.", endpoint.name);
        return Verdict::Blocked(Fault::awaiting_person("ClaimConflict", text));
    }
    let fixed = fixed_differences(wanted, endpoint, case.seen.vault.present());
    if !fixed.is_empty() {
        let fields = fixed.iter().map(|drift| drift.field.clone()).collect::<Vec<_>>().join(", ");
        drift.extend(fixed);
        return Verdict::Blocked(match claim {
            Claim::Ours => Fault::new(
                Class::Denied,
                "PrivateEndpointImmutable",
                format!(
                    "Private endpoint {} differs in {fields}, which Azure cannot change in place. Delete it, or undo the change.",
                    endpoint.name
                ),
            ),
            Claim::Adoptable | Claim::Refused(_) => Fault::invalid(
                "AdoptionMismatch",
                format!(
                    "Private endpoint {} may be taken over, but differs in {fields}. Make the spec fit it, or choose another name.",
                    endpoint.name
                ),
            ),
        });
    }
    if endpoint.provisioning_state.is_running() && working_for(case) > BUDGET {
        let text = "Azure has not finished the private endpoint within 15 minutes. Look at its activity log.";
        return Verdict::Blocked(Fault::awaiting_person("OperationTimedOut", text));
    }
    if endpoint.provisioning_state.is_running() {
        return Verdict::in_progress("PrivateEndpointInProgress", "Azure is working on the private endpoint.", None);
    }
    if let Some(verdict) = tags(case, wanted, endpoint, &claim, drift) {
        return verdict;
    }
    provisioned(case, wanted, endpoint)
}

/// What `status.plan` says of an endpoint that stands as the spec does not want it.
pub(super) fn immutable(verdict: Option<&Verdict<Step>>) -> Option<&str> {
    match verdict {
        Some(Verdict::Blocked(fault)) if fault.reason == "PrivateEndpointImmutable" => Some(&fault.message),
        Some(_) | None => None,
    }
}

/// Since when Azure has been working on it, as far as we know.
fn working_for(case: Case<'_>) -> Duration {
    let stage = ConditionType::PrivateEndpointReady.as_str();
    let row = case.past.memory.failures.iter().find(|row| row.stage == stage);
    row.filter(|row| matches!(row.reason.as_str(), "PrivateEndpointInProgress" | "OperationTimedOut")).map_or(
        Duration::ZERO,
        |row| {
            if row.reason == "OperationTimedOut" { Duration::MAX } else { age(&row.since, case.now) }
        },
    )
}

fn claim(case: Case<'_>, endpoint: &PrivateEndpoint) -> Claim {
    let mark =
        Mark::from_parts(endpoint.tag(OWNER_TAG).unwrap_or_default(), endpoint.tag(OBJECT_TAG).unwrap_or_default());
    match mark {
        // The id stands in status, so it was ours; someone took the tags off.
        Mark::None if case.past.private_endpoint.as_ref().is_some_and(|id| id.same_as(&endpoint.id)) => Claim::Ours,
        Mark::None | Mark::Released | Mark::Of(..) => case.want.owner.claim(&mark, &case.want.adoption),
    }
}

/// Whether its id may stand in status: from then on that alone makes it ours.
pub(in crate::keystore_connection) fn is_ours(case: Case<'_>, endpoint: &PrivateEndpoint) -> bool {
    claim(case, endpoint) == Claim::Ours
}

fn create(case: Case<'_>, wanted: &PrivateEndpointWanted) -> Verdict<Step> {
    let subnet = match &case.seen.subnet {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => {
            let text = format!(
                "There is no subnet {}. Correct spec.privateEndpoint.subnetId in a new object, or create it.",
                wanted.subnet.as_str()
            );
            return Verdict::Blocked(Fault::new(Class::NotFound, "SubnetNotFound", text));
        }
        Seen::Present(subnet) => subnet,
    };
    if let Some(delegation) = subnet.delegations.first() {
        let text = format!(
            "The subnet {} is delegated to {delegation} and takes no private endpoint. Choose another subnet in a new object, or remove the delegation.",
            wanted.subnet.last_segment()
        );
        return Verdict::Blocked(Fault::new(Class::Denied, "SubnetDelegated", text));
    }
    if subnet.provisioning_state.is_running() {
        return Verdict::in_progress("SubnetInProgress", "Azure is changing the subnet.", None);
    }
    let network = match &case.seen.network {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => {
            let text = format!("There is no virtual network {}.", wanted.network.as_str());
            return Verdict::Blocked(Fault::new(Class::NotFound, "VirtualNetworkNotFound", text));
        }
        Seen::Present(network) => network,
    };
    if let Some(location) = wanted.location.as_deref().filter(|location| !same_location(location, &network.location)) {
        let text = format!(
            "spec.privateEndpoint.location is {location}, but the virtual network is in {}. A private endpoint must be where its network is.",
            network.location
        );
        return Verdict::Blocked(Fault::invalid("LocationInvalid", text));
    }
    let neighbours = match &case.seen.neighbours {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Present(neighbours) => neighbours.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    let in_network = |other: &&PrivateEndpoint| {
        other.subnet_id.as_ref().and_then(ArmId::parent).is_some_and(|network| network.same_as(&wanted.network))
    };
    if let Some(other) = neighbours.iter().find(in_network) {
        let text = format!(
            "Private endpoint {} already leads to this Key Vault from the same virtual network; a second one would take over its name in DNS. Name that one in spec.privateEndpoint with adoptionPolicy IfUnowned, or remove it.",
            other.name
        );
        return Verdict::Blocked(Fault::awaiting_person("PrivateEndpointDuplicate", text));
    }
    let Some(vault_id) = case.seen.vault.present().map(|vault| vault.id.clone()) else {
        return Verdict::Behind(ConditionType::VaultReady);
    };
    let draft = PrivateEndpointDraft {
        location: network.location.clone(),
        tags: wanted.tags.clone(),
        subnet_id: wanted.subnet.clone(),
        vault_id,
        network_interface_name: wanted.network_interface_name.clone(),
        private_ip_address: wanted.address.clone(),
        manual_request: wanted.manual_request.clone(),
    };
    let step = Step::CreatePrivateEndpoint { id: wanted.id.clone(), draft };
    Verdict::step(step, "PrivateEndpointInProgress", "The private endpoint is being created.")
}

/// What Azure cannot change in place. An answer without the fact is no difference.
fn fixed_differences(wanted: &PrivateEndpointWanted, have: &PrivateEndpoint, vault: Option<&Vault>) -> Vec<Drift> {
    let mut found = Vec::new();
    let mut differs = |field: &str, different: bool, want: &str, have: &str| {
        if different {
            found.push(Drift {
                field: format!("spec.privateEndpoint.{field}"),
                want: want.to_owned(),
                have: have.to_owned(),
            });
        }
    };
    if let Some(subnet) = &have.subnet_id {
        differs("subnetId", !subnet.same_as(&wanted.subnet), wanted.subnet.as_str(), subnet.as_str());
    }
    if let (Some(target), Some(vault)) = (&have.target_id, vault) {
        differs("name", !target.same_as(&vault.id), vault.id.as_str(), target.as_str());
    }
    if let (Some(want), Some(have)) = (&wanted.network_interface_name, &have.nic_name) {
        differs("networkInterfaceName", !want.eq_ignore_ascii_case(have), want, have);
    }
    if let Some(want) = &wanted.address {
        let have = have.static_ip.as_deref().unwrap_or("dynamic");
        differs("privateIPAddress", want != have, want, have);
    }
    let word = |manual: bool| if manual { "Manual" } else { "Automatic" };
    let manual = wanted.manual_request.is_some();
    differs("approval", manual != have.manual, word(manual), word(have.manual));
    found
}

fn tags(
    case: Case<'_>,
    wanted: &PrivateEndpointWanted,
    endpoint: &PrivateEndpoint,
    claim: &Claim,
    drift: &mut Vec<Drift>,
) -> Option<Verdict<Step>> {
    let adopt = *claim == Claim::Adoptable;
    let different: Vec<&String> =
        wanted.tags.iter().filter(|(name, value)| endpoint.tag(name) != Some(value)).map(|(name, _)| name).collect();
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
    let fought = case.past.memory.tags_set_at.as_ref().is_some_and(|at| age(at, case.now) < TAG_PEACE);
    if (case.want.drift == DriftPolicy::Report || fought) && !adopt {
        return None;
    }
    let mut tags: BTreeMap<String, String> = endpoint.tags.clone();
    // Azure's tag names ignore case: an old spelling would stay beside ours.
    tags.retain(|name, _| !wanted.tags.keys().any(|ours| ours.eq_ignore_ascii_case(name)));
    tags.extend(wanted.tags.clone());
    let step = Step::TagPrivateEndpoint { endpoint: endpoint.clone(), tags, adopt };
    Some(if adopt {
        Verdict::step(step, "AdoptionInProgress", "The private endpoint is being taken over.")
    } else {
        Verdict::step(step, "TagsInProgress", "The private endpoint's tags differ and are being set.")
    })
}

fn provisioned(case: Case<'_>, wanted: &PrivateEndpointWanted, endpoint: &PrivateEndpoint) -> Verdict<Step> {
    match &endpoint.provisioning_state {
        ProvisioningState::Failed | ProvisioningState::Canceled => {
            if case.past.memory.private_endpoint_retries.unwrap_or_default() < TRIES {
                let step = Step::RetryPrivateEndpoint { endpoint: endpoint.clone() };
                return Verdict::step(
                    step,
                    "PrivateEndpointInProgress",
                    "Azure could not finish the private endpoint; it is asked for again.",
                );
            }
            let text = format!(
                "Azure could not finish private endpoint {}. Look at its activity log; delete the endpoint to have it made anew.",
                endpoint.name
            );
            Verdict::Blocked(Fault::awaiting_person("PrivateEndpointFailed", text))
        }
        ProvisioningState::Succeeded
        | ProvisioningState::Creating
        | ProvisioningState::Updating
        | ProvisioningState::Deleting
        | ProvisioningState::Other(_) => approved(case, wanted, endpoint),
    }
}

/// Both sides must say Approved. The vault's side is found by our endpoint's id, never by name.
fn approved(case: Case<'_>, wanted: &PrivateEndpointWanted, endpoint: &PrivateEndpoint) -> Verdict<Step> {
    let there = match &case.seen.vault {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => return Verdict::Behind(ConditionType::VaultReady),
        Seen::Present(vault) => vault.connection_of(&endpoint.id),
    };
    let name = &endpoint.name;
    match (&endpoint.connection.status, there.map(|connection| &connection.state.status)) {
        (ConnectionStatus::Rejected, _) | (_, Some(ConnectionStatus::Rejected)) => {
            let text = format!(
                "The connection of private endpoint {name} was rejected on the Key Vault. Approve it there, or delete the endpoint."
            );
            Verdict::Blocked(Fault::awaiting_person("PrivateEndpointRejected", text))
        }
        (ConnectionStatus::Disconnected, _) | (_, Some(ConnectionStatus::Disconnected)) => {
            let text = format!(
                "Private endpoint {name} was disconnected on the Key Vault and can never be used again. Delete it: a new one is then made."
            );
            Verdict::Blocked(Fault::awaiting_person("PrivateEndpointDisconnected", text))
        }
        (_, Some(ConnectionStatus::Pending)) if there.is_some_and(|c| c.provisioning_state.is_running()) => {
            lagging(case, &format!("Azure is still working on the connection of private endpoint {name}."))
        }
        (_, Some(ConnectionStatus::Pending)) => pending(wanted, name, there.map(|connection| connection.name.clone())),
        (ConnectionStatus::Pending, None) => {
            let vault = &case.want.vault.name;
            lagging(
                case,
                &format!("Key Vault {vault} does not show the pending connection of private endpoint {name} yet."),
            )
        }
        (_, Some(ConnectionStatus::Approved)) => {
            let done = there.is_none_or(|there| there.provisioning_state == ProvisioningState::Succeeded);
            if done && endpoint.connection.status == ConnectionStatus::Approved {
                addressed(case, wanted, endpoint)
            } else {
                lagging(case, &format!("Azure is still putting the approval of private endpoint {name} in force."))
            }
        }
        (_, Some(ConnectionStatus::Other(_)) | None) => {
            lagging(case, &format!("The Key Vault does not show the connection of private endpoint {name} yet."))
        }
    }
}

fn pending(wanted: &PrivateEndpointWanted, name: &str, connection: Option<String>) -> Verdict<Step> {
    match connection {
        Some(connection) if wanted.manual_request.is_none() => Verdict::step(
            Step::ApproveConnection { name: connection },
            "ApprovalInProgress",
            "The connection is being approved on the Key Vault.",
        ),
        Some(_) | None => Verdict::awaiting(
            "AwaitingApproval",
            format!(
                "Private endpoint {name} waits for approval on the Key Vault: Networking, Private endpoint connections, Approve. Nothing else is needed."
            ),
        ),
    }
}

fn lagging(case: Case<'_>, text: &str) -> Verdict<Step> {
    let stage = ConditionType::PrivateEndpointReady.as_str();
    let row = case.past.memory.failures.iter().find(|row| row.stage == stage);
    let since = row.filter(|row| matches!(row.reason.as_str(), "ConnectionInProgress" | "PrivateLinkInconsistent"));
    if since.is_some_and(|row| row.reason == "PrivateLinkInconsistent" || age(&row.since, case.now) > LAG) {
        let text = format!("{text} This has lasted for over ten minutes. Look at both sides in the Azure portal.");
        return Verdict::Blocked(Fault::awaiting_person("PrivateLinkInconsistent", text));
    }
    Verdict::in_progress("ConnectionInProgress", text, None)
}

fn addressed(case: Case<'_>, wanted: &PrivateEndpointWanted, endpoint: &PrivateEndpoint) -> Verdict<Step> {
    let address = match &case.seen.interface {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Present(interface) => interface.vault_address(),
        Seen::Absent | Seen::NotLooked => None,
    };
    let Some(address) = address else {
        return lagging(case, &format!("Private endpoint {} has no address yet.", endpoint.name));
    };
    let met = |dns: &str| {
        Verdict::met(
            "PrivateEndpointReady",
            format!("Private endpoint {} is approved and has the address {address}.{dns}", endpoint.name),
        )
    };
    let Some(zone) = &wanted.zone else { return met("") };
    let groups = match &case.seen.zone_groups {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Present(groups) => groups.as_slice(),
        Seen::Absent | Seen::NotLooked => &[],
    };
    match (groups.iter().find(|group| group.covers(zone)), groups.first()) {
        (Some(group), _) if group.provisioning_state.is_running() => Verdict::in_progress(
            "DnsZoneGroupInProgress",
            "Azure is writing the private endpoint's name into DNS.",
            None,
        ),
        (Some(group), _)
            if matches!(group.provisioning_state, ProvisioningState::Failed | ProvisioningState::Canceled) =>
        {
            let text = format!(
                "Azure could not finish the DNS zone group {} of private endpoint {}. Look at the activity log; delete the group to have it made anew.",
                group.name, endpoint.name
            );
            Verdict::Blocked(Fault::awaiting_person("DnsZoneGroupFailed", text))
        }
        (Some(_), _) => met(record(case, address)),
        (None, Some(other)) => {
            let text = format!(
                "Private endpoint {} has the DNS zone group {}, which is for another zone than spec.privateEndpoint.privateDnsZoneId. Azure keeps one group an endpoint: correct the spec, or delete that group.",
                endpoint.name, other.name
            );
            Verdict::Blocked(Fault::awaiting_person("DnsZoneGroupMismatch", text))
        }
        (None, None) => {
            let step = Step::CreateDnsZoneGroup { endpoint: endpoint.id.clone(), zone: zone.clone() };
            Verdict::step(step, "DnsZoneGroupInProgress", "The DNS zone group is being created.")
        }
    }
}

/// Advisory: whether anyone can resolve the name shows in UKO's own health.
fn record(case: Case<'_>, address: &str) -> &'static str {
    match &case.seen.record {
        Seen::Present(record) if record.is_exactly(address) => "",
        Seen::Present(_) => " Its A record says something else (DnsRecordMismatch).",
        Seen::Absent => " Its A record is not there yet.",
        Seen::Unknown(_) | Seen::NotLooked => "",
    }
}

/// On a quick look the vault's own answer still carries the state of our connection.
fn side_of_the_vault(case: Case<'_>, wanted: &PrivateEndpointWanted) -> Verdict<Step> {
    let state = case
        .seen
        .vault
        .present()
        .and_then(|vault| vault.connection_of(&wanted.id))
        .map(|connection| &connection.state.status);
    match state {
        Some(ConnectionStatus::Approved) => Verdict::Unchanged,
        Some(_) | None => Verdict::Behind(ConditionType::VaultReady),
    }
}
