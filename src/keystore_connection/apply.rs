//! Takes the one step that the plan wants now.
//!
//! In: a step and writers. Out: [`Done`]. Never: chooses; writes without a live lease.

use std::time::Duration;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    Past, ZONE_GROUP,
    desired::Desired,
    observe::{KEK_NAME, Readers},
    operations::Operations,
    plan::{Step, kek_repair, rotation},
};
use crate::{
    api::{
        condition::ConditionType,
        v1alpha1::{ConnectionTestStatus, KekState, TestResult},
    },
    clouds::{
        azure::{KeyVaultWriter, ResourceManagerWriter},
        http::{Class, Error, Service},
        ibm::{KeystoreChange, KeystoreDraft, Uko, UkoWriter},
    },
    reconcile::{fault::Fault, leadership::Leadership, summary::Done},
};

/// After a refusal that does not count.
const ONWARDS: Duration = Duration::from_secs(1);
/// UKO may answer a failed test with a server error \[I\]; after so many in a row it counts as one.
const SERVER_ERRORS: u32 = 4;

/// The right to write, as long as the lease lives.
pub(super) struct Writers<'a> {
    azure: Option<(ResourceManagerWriter, KeyVaultWriter)>,
    uko: Option<UkoWriter>,
    leadership: &'a Leadership,
    operations: &'a Operations,
    owner: &'a str,
}

impl<'a> Writers<'a> {
    /// Writers beside the readers.
    pub(super) fn of(
        readers: &Readers,
        leadership: &'a Leadership,
        operations: &'a Operations,
        owner: &'a str,
    ) -> Self {
        Self {
            azure: readers.azure.as_ref().map(|azure| (azure.arm.writer(), azure.data.writer())),
            uko: readers.uko.as_ref().and_then(|uko| uko.reader.as_ref().ok()).map(Uko::writer),
            leadership,
            operations,
            owner,
        }
    }
}

/// Sends one step.
pub(super) async fn step(
    writers: &Writers<'_>,
    want: &Desired,
    past: &Past<'_>,
    step: &Step,
    now: Timestamp,
) -> (Done, Option<ConnectionTestStatus>) {
    if let Err(why) = writers.leadership.check() {
        return (Done::Failed(Fault::from(why)), None);
    }
    if let (Step::TestConnection(draft), Some(uko)) = (step, &writers.uko) {
        return test(uko, past, draft, now).await;
    }
    match send(writers, want, step).await {
        Ok(()) => (Done::Wrote, None),
        Err(error) => (Done::Failed(with_password(past, step, told(want, step, error))), None),
    }
}

async fn send(writers: &Writers<'_>, want: &Desired, step: &Step) -> Result<(), Error> {
    match (step, &writers.azure, &writers.uko) {
        (
            Step::GrantKeyPermissions { .. }
            | Step::CreatePrivateEndpoint { .. }
            | Step::TagPrivateEndpoint { .. }
            | Step::RetryPrivateEndpoint { .. }
            | Step::RemovePrivateEndpoint { .. }
            | Step::ApproveConnection { .. }
            | Step::CreateDnsZoneGroup { .. }
            | Step::RemoveDnsZoneGroup { .. }
            | Step::RecoverKey
            | Step::RecreateKey { .. }
            | Step::ClosePublicAccess,
            Some(azure),
            _,
        ) => to_azure(writers, azure, want, step).await,
        (
            Step::CreateUkoVault { .. }
            | Step::TestConnection(_)
            | Step::CreateKeystore(..)
            | Step::AdoptKeystore { .. }
            | Step::UpdateKeystore { .. },
            _,
            Some(uko),
        ) => to_uko(uko, step).await,
        (_, None, _) | (_, _, None) => Ok(()),
    }
}

async fn to_azure(
    writers: &Writers<'_>,
    (azure, data): &(ResourceManagerWriter, KeyVaultWriter),
    want: &Desired,
    step: &Step,
) -> Result<(), Error> {
    let accepted = match step {
        Step::GrantKeyPermissions { object_id, permissions } => {
            return azure.add_access_policy(&want.vault, &want.tenant_id, object_id, permissions).await;
        }
        Step::ClosePublicAccess => return azure.close_public_access(&want.vault).await,
        Step::RecoverKey => return data.recover_key(&want.vault.name, KEK_NAME).await,
        Step::RecreateKey { size_bits, .. } => {
            return azure.create_key(&want.vault, KEK_NAME, *size_bits).await.map(drop);
        }
        Step::CreatePrivateEndpoint { id, draft } => azure.put_private_endpoint(id, draft).await?,
        Step::TagPrivateEndpoint { endpoint, tags, .. } => {
            // What it has and shall not have is taken off by name.
            let gone = endpoint.tags.keys().map(|name| (name.clone(), None));
            let tags = gone.chain(tags.iter().map(|(name, value)| (name.clone(), Some(value.clone())))).collect();
            azure.update_private_endpoint_tags(endpoint, &tags).await?
        }
        Step::RetryPrivateEndpoint { endpoint } => {
            azure.update_private_endpoint_tags(endpoint, &std::collections::BTreeMap::new()).await?
        }
        Step::RemovePrivateEndpoint { endpoint } => azure.delete_private_endpoint(&endpoint.id).await?,
        Step::RemoveDnsZoneGroup { group } => azure.delete_dns_zone_group(group).await?,
        Step::ApproveConnection { name } => azure.approve_connection(&want.vault, name).await?,
        Step::CreateDnsZoneGroup { endpoint, zone } => azure.put_dns_zone_group(endpoint, ZONE_GROUP, zone).await?,
        Step::CreateUkoVault { .. }
        | Step::TestConnection(_)
        | Step::CreateKeystore(..)
        | Step::AdoptKeystore { .. }
        | Step::UpdateKeystore { .. } => return Ok(()),
    };
    writers.operations.follow(writers.owner, accepted);
    Ok(())
}

async fn to_uko(uko: &UkoWriter, step: &Step) -> Result<(), Error> {
    match step {
        Step::CreateUkoVault { name, description } => uko.create_vault(name, description).await.map(drop),
        Step::CreateKeystore(draft, _) => uko.create_keystore(draft).await.map(drop),
        Step::TestConnection(draft) => uko.test_keystore(draft).await,
        Step::AdoptKeystore { vault, handle, change, .. } | Step::UpdateKeystore { vault, handle, change, .. } => {
            uko.update_keystore(vault, handle, change).await.map(drop)
        }
        Step::GrantKeyPermissions { .. }
        | Step::CreatePrivateEndpoint { .. }
        | Step::TagPrivateEndpoint { .. }
        | Step::RetryPrivateEndpoint { .. }
        | Step::RemovePrivateEndpoint { .. }
        | Step::ApproveConnection { .. }
        | Step::CreateDnsZoneGroup { .. }
        | Step::RemoveDnsZoneGroup { .. }
        | Step::RecoverKey
        | Step::RecreateKey { .. }
        | Step::ClosePublicAccess => Ok(()),
    }
}

/// A refused change that held a new password leaves the earlier one in use.
fn with_password(past: &Past<'_>, step: &Step, fault: Fault) -> Fault {
    if let Step::UpdateKeystore { change: KeystoreChange::Connection(change), .. } = step
        && change.azure_service_principal_password.is_some()
    {
        return rotation::refused(past.credentials, fault);
    }
    fault
}

/// A refusal of the new `tls_proxy` on a connected keystore needs a person: disconnecting could strand keys.
fn told(want: &Desired, step: &Step, error: Error) -> Fault {
    let fault = Fault::from(error);
    let field = fault.refused_field().unwrap_or_default().to_owned();
    match step {
        Step::RecoverKey => kek_repair::failed(want, KekState::SoftDeleted, fault),
        Step::RecreateKey { state, .. } => kek_repair::failed(want, *state, fault),
        // Tags are no reason to hold up what follows: it is told once, and the next look goes on without them.
        Step::TagPrivateEndpoint { adopt: false, .. } if !fault.is_passing() => {
            Fault { class: Class::Provisioning, retry_after: Some(ONWARDS), ..fault }
        }
        Step::UpdateKeystore { name, .. } if field == "tls_proxy" => {
            let text = format!(
                "UKO does not take the new tls_proxy for the connected keystore {name}. Keep the old endpoint and change its destination, or disconnect and reconnect the keystore by hand in UKO."
            );
            fault.worded("ReconnectNeeded", text)
        }
        // The lists of the vault do not show it, or it would have been found: it is in another vault, or hidden from us.
        Step::CreateKeystore(draft, _) if fault.reason == "KeystoreNameTaken" => {
            let text = format!(
                "UKO says that the keystore name {} is taken, perhaps in another vault. Set spec.keystore.name to another one.",
                draft.name
            );
            Fault { class: Class::AwaitingPerson, ..fault }.worded("KeystoreNameTaken", text)
        }
        Step::CreateKeystore(..) | Step::UpdateKeystore { .. } | Step::AdoptKeystore { .. }
            if !field.is_empty() && !fault.is_passing() =>
        {
            let text = format!("UKO refused {}. Correct it.", spec_path(&field));
            let reason = fault.reason;
            fault.worded(reason, text)
        }
        Step::CreateKeystore(..)
        | Step::UpdateKeystore { .. }
        | Step::AdoptKeystore { .. }
        | Step::GrantKeyPermissions { .. }
        | Step::CreatePrivateEndpoint { .. }
        | Step::TagPrivateEndpoint { .. }
        | Step::RetryPrivateEndpoint { .. }
        | Step::RemovePrivateEndpoint { .. }
        | Step::ApproveConnection { .. }
        | Step::CreateDnsZoneGroup { .. }
        | Step::RemoveDnsZoneGroup { .. }
        | Step::CreateUkoVault { .. }
        | Step::TestConnection(_)
        | Step::ClosePublicAccess => fault,
    }
}

async fn test(
    uko: &UkoWriter,
    past: &Past<'_>,
    draft: &KeystoreDraft,
    now: Timestamp,
) -> (Done, Option<ConnectionTestStatus>) {
    let result = |result, reason: &str, message: String| ConnectionTestStatus {
        result,
        tested_at: Time(now),
        reason: reason.to_owned(),
        message,
        inputs_fingerprint: (past.fingerprint)(draft),
    };
    let error = match uko.test_keystore(draft).await {
        Ok(()) => {
            let text = "UKO could use the Key Vault with these settings.".to_owned();
            return (Done::Answered, Some(result(TestResult::Passed, "ConnectionTestPassed", text)));
        }
        Err(error) => error,
    };
    // Only UKO's own word is a result of the test: an identity service that refuses says nothing of the connection.
    let answered = error.service == Service::Uko && error.status.is_some();
    let refused =
        answered && (error.reason == "ConnectionTestFailed" || matches!(error.status, Some(400 | 404 | 409 | 422)));
    let row = past.memory.failures.iter().find(|row| row.stage == ConditionType::ConnectionTested.as_str());
    let many =
        answered && matches!(error.status, Some(500..=599)) && row.is_some_and(|row| row.attempts >= SERVER_ERRORS);
    if !refused && !many {
        return (Done::Failed(Fault::from(error)), None);
    }
    let field = error.field.as_deref();
    let of_name = field.is_some_and(|field| field.rsplit('.').next() == Some("name")) || error.status == Some(409);
    let (reason, text) = match field {
        _ if of_name && past.keystore.is_some() => (
            "PropertyRefused",
            "UKO does not test a keystore that is registered under this name already, so this test says nothing. The condition KeystoreConnected says what UKO's own health check found.".to_owned(),
        ),
        None if error.status == Some(409) => {
            ("PropertyRefused", format!("UKO does not take the keystore: it names {}.", spec_path("name")))
        }
        Some(field) => ("PropertyRefused", format!("UKO could not use the Key Vault: it names {}.", spec_path(field))),
        None => (
            "ConnectionTestFailed",
            "UKO could not use the Key Vault and does not say why. Look at the private endpoint's approval, the connector's agents, the service principal's secret and its ten key permissions.".to_owned(),
        ),
    };
    (Done::Answered, Some(result(TestResult::Failed, reason, text)))
}

/// Where the property that UKO names stands in the manifest.
fn spec_path(field: &str) -> String {
    let property = field.rsplit('.').next().unwrap_or(field);
    match property {
        "azure_tenant" => "the tenant: look at spec.azure.tenantId",
        "azure_service_principal_client_id" => "the service principal: look at spec.azure.servicePrincipal.clientId",
        "azure_service_principal_password" => {
            "the service principal's password: look at the Secret of spec.azure.servicePrincipal.passwordSecretRef"
        }
        "azure_subscription_id" => "the subscription: look at spec.azure.subscriptionId",
        "azure_service_name" => "the Key Vault: look at spec.azure.vaultName and the ten key permissions",
        "azure_resource_group" => "the resource group: look at spec.azure.resourceGroup",
        "azure_location" => "the region: set spec.keystore.location to UKO's name of it",
        "azure_environment" => "the Azure cloud: look at spec.azure.cloud",
        "azure_variant" => "the variant: look at spec.keystore.variant",
        "tls_proxy" => {
            "the way to the Key Vault: look at spec.connectorEndpointRef (or spec.tlsProxy) and where it leads"
        }
        "name" => "the keystore's name: look at spec.keystore.name",
        "description" => "the description: look at spec.keystore.description",
        "groups" => "the groups: look at spec.keystore.groups",
        "id" | "vault" => "the UKO vault: look at spec.uko.vault",
        _ => return format!("the property {property}"),
    }
    .to_owned()
}
