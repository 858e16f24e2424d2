//! What the clients make of Azure's refusals, early and late.

use super::{Azure, OperationState, VaultId, json};
use uko_operator::clouds::http::{Class, Error};

async fn refused_put(azure: &Azure) -> Error {
    let writer = azure.arm().writer();
    writer.put_private_endpoint(&azure.endpoint_id(), &azure.draft()).await.unwrap_err()
}

#[tokio::test]
async fn a_missing_group_is_not_a_missing_vault() {
    let azure = Azure::start().await;
    let absent = VaultId { name: "nobody-kv".into(), ..azure.vault() };
    assert!(azure.arm().vault(&absent).await.unwrap().is_none());
    assert!(azure.arm().deleted_vault(&absent, Some("West Europe")).await.unwrap().is_none());
    assert!(azure.arm().deleted_vault(&absent, None).await.unwrap().is_none());
    let lost = VaultId { resource_group: "rg-nowhere".into(), ..azure.vault() };
    let error = azure.arm().vault(&lost).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::NotFound, "ResourceGroupNotFound"));
    let foreign = VaultId { subscription_id: "99999999-0000-4000-8000-000000000000".into(), ..azure.vault() };
    assert_eq!(azure.arm().vault(&foreign).await.unwrap_err().reason, "SubscriptionNotFound");
}

#[tokio::test]
async fn a_deleted_vault_says_until_when_it_can_be_recovered() {
    let azure = Azure::start().await;
    let vault = azure.vault();
    let mut world = serde_json::to_value(&*azure.running.core.world()).unwrap();
    let body = world["azure"]["vaults"][&vault.name].take();
    let twin = json!({"vault": body, "deletionDate": 1_700_000_000, "scheduledPurgeDate": 1_907_776_000});
    azure.patch(&json!({"azure": {"vaults": {&vault.name: null}, "deletedVaults": {&vault.name: twin}}}));
    assert!(azure.arm().vault(&vault).await.unwrap().is_none());
    for location in [Some("West Europe"), None] {
        let deleted = azure.arm().deleted_vault(&vault, location).await.unwrap().unwrap();
        assert!(deleted.vault_id.unwrap().same_as(&vault.arm_id().unwrap()) && deleted.scheduled_purge_date.is_some());
    }
}

#[tokio::test]
async fn a_missing_right_is_named_with_its_place() {
    let azure = Azure::start().await;
    azure.patch(&json!({"settings": {"deny": [{"action": "Microsoft.KeyVault/vaults/read"}]}}));
    let error = azure.arm().vault(&azure.vault()).await.unwrap_err();
    assert_eq!((error.class, error.reason, error.status), (Class::AwaitingPerson, "AzurePermissionDenied", Some(403)));
    assert!(error.advice.contains("Microsoft.KeyVault/vaults/read at /subscriptions/"), "{}", error.advice);
    assert!(error.request_id.is_some());
    let subject = azure.text("/azure/operator/objectId");
    assert!(!format!("{error} {}", error.advice).contains(&subject), "ids of callers stay out");
}

#[tokio::test]
async fn rights_on_linked_resources_have_reasons_of_their_own() {
    for (action, reason) in [
        ("Microsoft.KeyVault/vaults/PrivateEndpointConnectionsApproval/action", "ApprovalPermissionMissing"),
        ("Microsoft.Network/virtualNetworks/subnets/join/action", "SubnetJoinDenied"),
    ] {
        let azure = Azure::start().await;
        azure.patch(&json!({"settings": {"deny": [{"action": action}]}}));
        let error = refused_put(&azure).await;
        assert_eq!((error.class, error.reason), (Class::AwaitingPerson, reason));
    }
}

#[tokio::test]
async fn an_access_check_that_is_not_permitted_is_not_a_missing_role() {
    let azure = Azure::start().await;
    azure.patch(&json!({"settings": {"deny": [{"action": "Microsoft.Authorization/roleAssignments/read"}]}}));
    let oid = azure.text("/azure/servicePrincipal/objectId");
    let error = azure.arm().role_assignments(&azure.vault(), &oid).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "AccessCheckNotPermitted"));
}

#[tokio::test]
async fn a_failure_inside_a_200_is_classified_like_any_other() {
    let azure = Azure::start().await;
    azure.fault(json!({"service": "arm", "method": "PUT", "path": "privateEndpoints", "async_fail": {"code": "ConflictError", "message": "The vault changed."}}));
    let writer = azure.arm().writer();
    let accepted = writer.put_private_endpoint(&azure.endpoint_id(), &azure.draft()).await.unwrap();
    let OperationState::Failed(error) = azure.over(accepted).await else { unreachable!() };
    assert_eq!((error.class, error.reason), (Class::Conflict, "VaultBusy"));
    assert!(!error.outcome_unknown);
}

#[tokio::test]
async fn a_busy_vault_and_a_busy_network_are_conflicts() {
    let azure = Azure::start().await;
    azure.patch(&json!({"settings": {"vaultLockSeconds": 60}}));
    azure.arm().writer().close_public_access(&azure.vault()).await.unwrap();
    let busy = azure.arm().writer().close_public_access(&azure.vault()).await.unwrap_err();
    assert_eq!((busy.class, busy.reason), (Class::Conflict, "VaultBusy"));
    assert!(busy.retry_after.is_some());
    let subnet = json!({"error": {"code": "RetryableError", "message": "m", "details": [{"code": "ReferencedResourceNotProvisioned", "message": "d"}]}});
    azure.fault(json!({"service": "arm", "method": "PUT", "path": "privateEndpoints", "status": 429, "body": subnet}));
    let error = refused_put(&azure).await;
    assert_eq!((error.class, error.reason), (Class::Conflict, "SubnetBusy"));
    assert!(azure.arm().vault(&azure.vault()).await.is_ok(), "a busy network closes no gate");
}

#[tokio::test]
async fn what_azure_did_not_write_is_never_absence() {
    let azure = Azure::start().await;
    for body in ["<html>404 Not Found</html>", ""] {
        azure.fault(json!({"service": "arm", "path": "vaults/", "status": 404, "body": body}));
        let error = azure.arm().vault(&azure.vault()).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, "AnswerUnreadable"), "{body}");
    }
    azure.fault(json!({"service": "arm", "path": "vaults/", "status": 200, "body": "{\"id\": \"/subscri"}));
    assert_eq!(azure.arm().vault(&azure.vault()).await.unwrap_err().class, Class::Transient);
    azure.fault(json!({"service": "arm", "path": "privateEndpointConnections", "status": 200, "body": "[]"}));
    assert_eq!(azure.arm().private_endpoint_connections(&azure.vault()).await.unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn an_empty_list_may_be_spelled_in_many_ways() {
    let azure = Azure::start().await;
    for body in [
        json!({"value": [], "nextLink": null}),
        json!({"value": null}),
        json!({}),
        json!({"value": [{"properties": {}}], "nextLink": ""}),
    ] {
        azure.fault(json!({"service": "arm", "path": "privateEndpointConnections", "status": 200, "body": body}));
        assert!(azure.arm().private_endpoint_connections(&azure.vault()).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn no_link_leads_our_token_to_another_host() {
    let azure = Azure::start().await;
    let away = json!({"value": [], "nextLink": "https://management.azure.com.evil.example/x"});
    azure.fault(json!({"service": "arm", "path": "privateEndpointConnections", "status": 200, "body": away}));
    let error = azure.arm().private_endpoint_connections(&azure.vault()).await.unwrap_err();
    assert_eq!(error.reason, "ForeignLink");
    azure.fault(json!({"service": "arm", "method": "PUT", "path": "privateEndpoints", "status": 201, "body": {"properties": {"provisioningState": "Updating"}},
        "headers": {"Azure-AsyncOperation": "https://evil.example/operation"}}));
    let accepted = azure.arm().writer().put_private_endpoint(&azure.endpoint_id(), &azure.draft()).await.unwrap();
    assert!(accepted.operation.is_none());
    assert!(azure.calls("unknown").is_empty());
}

#[tokio::test]
async fn a_version_that_azure_has_retired_asks_for_a_new_operator() {
    let azure = Azure::start().await;
    azure.patch(&json!({"settings": {"keyVaultArmRetired": true}}));
    assert!(azure.arm().vault(&azure.vault()).await.unwrap().is_some(), "our version is the one that stays");
}
