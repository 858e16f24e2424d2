use reqwest::{Method, header::HeaderMap};
use serde_json::json;
use url::Url;

use super::*;
use crate::clouds::http::Request;

const VAULT: &str = "/subscriptions/s-1/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/kv1";

fn answer(service: Service, status: u16, body: &str) -> Answer {
    let url = Url::parse("https://management.azure.com/x").unwrap();
    let request = Request::new(service, "PutThing", Method::PUT, url);
    Answer::for_test(&request, status, &HeaderMap::new(), body.as_bytes().to_vec())
}

fn coded(service: Service, status: u16, code: &str, message: &str) -> Error {
    of(&answer(service, status, &json!({"error": {"code": code, "message": message}}).to_string()))
}

/// Status, code and what they mean together.
const MEANINGS: &[(u16, &str, Class, &str)] = &[
    (429, "RetryableError", Class::Conflict, "SubnetBusy"),
    (400, "ReferencedResourceNotProvisioned", Class::Conflict, "SubnetBusy"),
    (409, "ConflictError", Class::Conflict, "VaultBusy"),
    (409, "AnotherOperationInProgress", Class::Conflict, "OperationInProgress"),
    (400, "ForbiddenByRbac", Class::AwaitingPerson, "VaultRoleMissing"),
    (403, "RequestDisallowedByPolicy", Class::AwaitingPerson, "DeniedByAzurePolicy"),
    (409, "ScopeLocked", Class::AwaitingPerson, "ResourceLocked"),
    (404, "SubscriptionNotFound", Class::Invalid, "SubscriptionNotFound"),
    (404, "ResourceGroupNotFound", Class::NotFound, "ResourceGroupNotFound"),
    (400, "PrivateEndpointCreationNotAllowedAsSubnetIsDelegated", Class::Invalid, "SubnetDelegated"),
    (400, "PrivateIPAddressIsAllocated", Class::AwaitingPerson, "StaticIpInUse"),
    (409, "PrivateEndpointAlreadyExists", Class::Conflict, "PrivateEndpointNameBusy"),
    (400, "InvalidRequestContent", Class::Invalid, "SpecRejected"),
    (401, "InvalidAuthenticationTokenTenant", Class::Denied, "TenantMismatch"),
    (401, "ExpiredAuthenticationToken", Class::Transient, "AzureTokenRejected"),
    (429, "SubscriptionRequestsThrottled", Class::Throttled, "AzureThrottled"),
    (500, "InternalServerError", Class::Transient, "AzureUnavailable"),
    (400, "NobodyKnowsThis", Class::AwaitingPerson, "AzureRequestRejected"),
    (409, "NobodyKnowsThis", Class::AwaitingPerson, "AzureRequestRejected"),
    (422, "NobodyKnowsThis", Class::AwaitingPerson, "AzureRequestRejected"),
    (403, "NobodyKnowsThis", Class::AwaitingPerson, "AzurePermissionDenied"),
    (503, "NobodyKnowsThis", Class::Transient, "AzureUnavailable"),
];

#[test]
fn codes_decide_before_the_status_does() {
    for (status, code, class, reason) in MEANINGS {
        let error = coded(Service::Arm, *status, code, "text");
        assert_eq!(
            (error.class, error.reason, error.code.as_deref()),
            (*class, *reason, Some(*code)),
            "{status} {code}"
        );
    }
}

#[test]
fn key_vaults_inner_code_is_the_one_that_counts() {
    for (status, inner, class, reason) in [
        (403, "ForbiddenByConnection", Class::AwaitingPerson, "NotOnPrivatePath"),
        (403, "ForbiddenByFirewall", Class::AwaitingPerson, "BlockedByVaultFirewall"),
        (403, "ForbiddenByPolicy", Class::AwaitingPerson, "VaultAccessDenied"),
        (403, "ForbiddenByRbac", Class::AwaitingPerson, "VaultRoleMissing"),
        (403, "ForbiddenByNsp", Class::AwaitingPerson, "BlockedByPerimeter"),
        (409, "ObjectIsDeletedButRecoverable", Class::NotFound, "KekSoftDeleted"),
        (409, "ObjectIsBeingRecovered", Class::Conflict, "KekInTransition"),
        (403, "SomethingNew", Class::AwaitingPerson, "VaultAccessDenied"),
    ] {
        let body =
            json!({"error": {"code": "Forbidden", "message": "from 10.0.0.1\r\n", "innererror": {"code": inner}}});
        let error = of(&answer(Service::KeyVault, status, &body.to_string()));
        assert_eq!((error.class, error.reason), (class, reason), "{inner}");
        assert!(!error.advice.contains("10.0.0.1"));
    }
    assert_eq!(coded(Service::KeyVault, 409, "Conflict", "").reason, "KekInTransition");
    assert_eq!(coded(Service::KeyVault, 429, "Throttled", "").retry_after, Some(Duration::from_secs(5)));
    assert_eq!(coded(Service::KeyVault, 403, "AccessDenied", "").reason, "VaultAccessDenied");
}

#[test]
fn a_token_of_another_tenant_is_told_by_its_number() {
    let wrong = coded(Service::KeyVault, 401, "Unauthorized", "AKV10032: Invalid issuer. Expected one of …");
    assert_eq!((wrong.class, wrong.reason), (Class::Denied, "TenantMismatch"));
    let other = coded(Service::KeyVault, 401, "Unauthorized", "AKV10046: Unable to resolve the key");
    assert_eq!((other.class, other.reason), (Class::Transient, "VaultTokenRejected"));
}

#[test]
fn wrappers_are_opened_and_lists_may_be_missing() {
    let wrapped = json!({"error": {"code": "RetryableError", "message": "m", "innerError": "text", "details": [{"code": "ReferencedResourceNotProvisioned", "message": "d"}]}});
    assert_eq!(
        of(&answer(Service::Arm, 429, &wrapped.to_string())).code.as_deref(),
        Some("ReferencedResourceNotProvisioned")
    );
    let other = json!({"error": {"code": "BadRequest", "details": [{"code": "SubnetIsFull"}]}});
    assert_eq!(of(&answer(Service::Arm, 400, &other.to_string())).reason, "SubnetFull");
    for details in [json!(null), json!([]), json!([{}])] {
        let body = json!({"error": {"code": "RetryableError", "details": details}});
        assert_eq!(of(&answer(Service::Arm, 429, &body.to_string())).reason, "SubnetBusy");
    }
    let bare = json!({"code": "ScopeLocked", "message": "m"});
    assert_eq!(of(&answer(Service::Arm, 409, &bare.to_string())).reason, "ResourceLocked");
    let odata = json!({"odata.error": {"code": "ScopeLocked"}});
    assert_eq!(of(&answer(Service::Arm, 409, &odata.to_string())).reason, "ResourceLocked");
}

#[test]
fn the_missing_action_is_named_and_nothing_else_of_the_text() {
    let text = format!(
        "The client 'a@b' with object id 'o' does not have authorization to perform action 'Microsoft.KeyVault/vaults/read' over scope '{VAULT}' or the scope is invalid."
    );
    let error = coded(Service::Arm, 403, "AuthorizationFailed", &text);
    assert_eq!(
        error.advice,
        format!("Grant the operator's identity the action Microsoft.KeyVault/vaults/read at {VAULT}.")
    );
    let hostile =
        coded(Service::Arm, 403, "AuthorizationFailed", "perform action 'Microsoft.X; DROP <script>' over scope 'x'");
    assert_eq!((hostile.reason, hostile.advice.contains("DROP")), ("AzurePermissionDenied", false));
    let unregistered = coded(Service::Arm, 403, "AuthorizationFailed", "The resource provider must be registered");
    assert_eq!(unregistered.reason, "ProviderNotRegistered");
}

#[test]
fn a_linked_right_is_told_by_its_action() {
    let linked = |action: &str| {
        let text = format!(
            "The client has permission to perform action 'Microsoft.Network/privateEndpoints/write' on scope 'x'; however, it does not have permission to perform action(s) '{action}' on the linked scope(s) '{VAULT}' or the linked scope(s) are invalid."
        );
        coded(Service::Arm, 403, "LinkedAuthorizationFailed", &text)
    };
    assert_eq!(
        linked("Microsoft.KeyVault/vaults/PrivateEndpointConnectionsApproval/action").reason,
        "ApprovalPermissionMissing"
    );
    assert_eq!(linked("Microsoft.Network/virtualNetworks/subnets/join/action").reason, "SubnetJoinDenied");
    assert_eq!(linked("Microsoft.Network/privateDnsZones/join/action").reason, "DnsZoneJoinDenied");
    let other = linked("Microsoft.Network/x/join/action");
    assert_eq!(other.reason, "AzurePermissionDenied");
    assert!(other.advice.contains("Microsoft.Network/x/join/action") && other.advice.contains(VAULT));
}

#[test]
fn only_azures_own_404_is_absence() {
    let says = |status, body: &str| is_absence(&answer(Service::Arm, status, body));
    assert!(says(404, r#"{"error":{"code":"ResourceNotFound"}}"#) && says(404, r#"{"error":{"code":"KeyNotFound"}}"#));
    assert!(says(404, r#"{"error":{"code":"NotFound"}}"#));
    for body in [
        "",
        "<html>Not Found</html>",
        "{}",
        r#"{"error":{"code":"ResourceGroupNotFound"}}"#,
        r#"{"error":{"code":"SubscriptionNotFound"}}"#,
        r#"{"error":{"code":"ParentResourceNotFound"}}"#,
    ] {
        assert!(!says(404, body), "{body}");
    }
    assert!(!says(403, r#"{"error":{"code":"NotFound"}}"#));
    assert_eq!(of(&answer(Service::Arm, 404, "<html>")).class, Class::Transient);
}

#[test]
fn a_busy_network_is_not_throttling_though_it_wears_429() {
    let says = |body: &str| throttles(&answer(Service::Arm, 429, body));
    assert!(says("") && says(r#"{"error":{"code":"TooManyRequests"}}"#));
    assert!(!says(r#"{"error":{"code":"RetryableError"}}"#));
    assert!(!says(r#"{"error":{"code":"RetryableError","details":[{"code":"ReferencedResourceNotProvisioned"}]}}"#));
}

#[test]
fn a_busy_vault_is_left_alone_for_a_random_while() {
    let wait = coded(Service::Arm, 409, "ConflictError", "").retry_after.unwrap();
    assert!((10..=30).contains(&wait.as_secs()));
}

#[test]
fn an_hsm_key_on_a_standard_vault_is_told_by_its_sentence() {
    let error = coded(Service::Arm, 400, "BadParameter", "Hardware key operation not allowed on standard vault.");
    assert_eq!((error.class, error.reason), (Class::Invalid, "VaultNotPremium"));
}

#[test]
fn throttling_without_a_wait_or_with_none_means_five_seconds() {
    assert_eq!(coded(Service::Arm, 429, "TooManyRequests", "").retry_after, Some(Duration::from_secs(5)));
    let mut none = answer(Service::Arm, 429, "{}");
    none.retry_after = Some(Duration::ZERO);
    assert_eq!(of(&none).retry_after, Some(Duration::from_secs(5)));
}

#[test]
fn a_5xx_leaves_the_outcome_of_a_write_open() {
    assert!(of(&answer(Service::Arm, 502, "<html>")).outcome_unknown);
    assert!(!coded(Service::Arm, 409, "ConflictError", "").outcome_unknown);
}
