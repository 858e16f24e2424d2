//! A private endpoint that is there: finished by Azure, approved on both sides, with an address.
//!
//! In: both sides of the connection. Out: a verdict. Never: approves what the spec leaves to a person.

use std::time::Duration;

use super::{AGAIN, again_or, dns::addressed};
use crate::{
    api::{condition::ConditionType, v1alpha1::Drift},
    clouds::azure::{ConnectionStatus, PrivateEndpoint, ProvisioningState},
    keystore_connection::{
        desired::PrivateEndpointWanted,
        plan::{Case, Step, faulty},
    },
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
        summary::age,
    },
};

/// How long the two sides of a connection may disagree before someone is told \[P\].
const LAG: Duration = Duration::from_mins(10);
/// How often a failed endpoint is asked for again before a person is.
const TRIES: u32 = 3;

pub(super) fn provisioned(
    case: Case<'_>,
    wanted: &PrivateEndpointWanted,
    endpoint: &PrivateEndpoint,
    drift: &mut Vec<Drift>,
) -> Verdict<Step> {
    match &endpoint.provisioning_state {
        ProvisioningState::Failed | ProvisioningState::Canceled => {
            if case.past.memory.private_endpoint_retries.unwrap_or_default() < TRIES && !case.only_reports() {
                let step = Step::RetryPrivateEndpoint { endpoint: endpoint.clone() };
                return Verdict::step(
                    step,
                    "PrivateEndpointInProgress",
                    "Azure could not finish the private endpoint; it is asked for again.",
                );
            }
            let text = format!(
                "Azure could not finish private endpoint {}. Look at its activity log; then {AGAIN}.",
                endpoint.name
            );
            again_or(case, endpoint, Fault::awaiting_person("PrivateEndpointFailed", text))
        }
        ProvisioningState::Succeeded
        | ProvisioningState::Creating
        | ProvisioningState::Updating
        | ProvisioningState::Deleting
        | ProvisioningState::Other(_) => approved(case, wanted, endpoint, drift),
    }
}

/// Both sides must say Approved. The vault's side is found by our endpoint's id, never by name.
fn approved(
    case: Case<'_>,
    wanted: &PrivateEndpointWanted,
    endpoint: &PrivateEndpoint,
    drift: &mut Vec<Drift>,
) -> Verdict<Step> {
    let there = match &case.seen.vault {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => return Verdict::Behind(ConditionType::VaultReady),
        Seen::Present(vault) => vault.connection_of(&endpoint.id),
    };
    let name = &endpoint.name;
    match (&endpoint.connection.status, there.map(|connection| &connection.state.status)) {
        (ConnectionStatus::Rejected, _) | (_, Some(ConnectionStatus::Rejected)) => {
            let text = format!(
                "The connection of private endpoint {name} was rejected on the Key Vault. Approve it there, or {AGAIN}."
            );
            again_or(case, endpoint, Fault::awaiting_person("PrivateEndpointRejected", text))
        }
        (ConnectionStatus::Disconnected, _) | (_, Some(ConnectionStatus::Disconnected)) => {
            let text = format!(
                "Private endpoint {name} was disconnected on the Key Vault and can never be used again; {AGAIN}."
            );
            again_or(case, endpoint, Fault::awaiting_person("PrivateEndpointDisconnected", text))
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
                addressed(case, wanted, endpoint, drift)
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

pub(super) fn lagging(case: Case<'_>, text: &str) -> Verdict<Step> {
    let stage = ConditionType::PrivateEndpointReady.as_str();
    let row = case.past.memory.failures.iter().find(|row| row.stage == stage);
    let since = row.filter(|row| matches!(row.reason.as_str(), "ConnectionInProgress" | "PrivateLinkInconsistent"));
    if since.is_some_and(|row| row.reason == "PrivateLinkInconsistent" || age(&row.since, case.now) > LAG) {
        let text = format!("{text} This has lasted for over ten minutes. Look at both sides in the Azure portal.");
        return Verdict::Blocked(Fault::awaiting_person("PrivateLinkInconsistent", text));
    }
    Verdict::in_progress("ConnectionInProgress", text, None)
}
