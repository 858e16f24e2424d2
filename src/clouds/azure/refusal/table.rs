//! What each code of Azure means to us: the one table.
//!
//! In: an effective code. Out: class, reason and advice. Never: a code read from free text (see the parent).

use crate::clouds::http::Class;

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) class: Class,
    pub(super) reason: &'static str,
    pub(super) advice: &'static str,
}

type Row = (&'static [&'static str], Class, &'static str, &'static str);

/// Codes of Resource Manager and of the network, whole words.
const RESOURCE_MANAGER: &[Row] = &[
    (
        &["InvalidAuthenticationToken", "ExpiredAuthenticationToken"],
        Class::Transient,
        "AzureTokenRejected",
        "Check the clock and the cloud setting.",
    ),
    (
        &["InvalidAuthenticationTokenTenant"],
        Class::Denied,
        "TenantMismatch",
        "The credential's tenant does not own this subscription; correct the tenant id.",
    ),
    (
        &["AuthorizationFailed"],
        Class::AwaitingPerson,
        "AzurePermissionDenied",
        "Grant the operator's identity the missing action at the resource.",
    ),
    (
        &["LinkedAuthorizationFailed"],
        Class::AwaitingPerson,
        "AzurePermissionDenied",
        "Grant the operator's identity the missing action at the linked resource.",
    ),
    (
        &["RequestDisallowedByPolicy"],
        Class::AwaitingPerson,
        "DeniedByAzurePolicy",
        "Ask the subscription's owner for an exemption, or change the setting that the policy forbids.",
    ),
    (&["ScopeLocked"], Class::AwaitingPerson, "ResourceLocked", "Remove the delete or read-only lock."),
    (
        &["ReadOnlyDisabledSubscription", "DisabledSubscription"],
        Class::AwaitingPerson,
        "SubscriptionDisabled",
        "Re-enable the Azure subscription.",
    ),
    (
        &["SubscriptionNotFound", "InvalidSubscriptionId"],
        Class::Invalid,
        "SubscriptionNotFound",
        "Correct the subscription id or the cloud; the identity may lack any right there.",
    ),
    (
        &["ResourceGroupNotFound"],
        Class::NotFound,
        "ResourceGroupNotFound",
        "Create the resource group, or correct its name.",
    ),
    (
        &["ParentResourceNotFound"],
        Class::NotFound,
        "ParentNotFound",
        "Create the parent resource, or correct its name.",
    ),
    (
        &["InvalidResourceReference"],
        Class::Provisioning,
        "ReferenceNotFound",
        "Check that the referenced resource exists and that both are in one region.",
    ),
    (
        &["ReferencedResourceNotProvisioned", "RetryableError"],
        Class::Conflict,
        "SubnetBusy",
        "Azure is changing the network; no action.",
    ),
    (
        &["AnotherOperationInProgress", "OperationNotAllowed", "PutSubnetOperation"],
        Class::Conflict,
        "OperationInProgress",
        "Another change is running on the same resource; no action.",
    ),
    (&["ConflictError"], Class::Conflict, "VaultBusy", "Another change is running on the vault; no action."),
    (&["InvalidPrivateLinkServiceId"], Class::Provisioning, "VaultIdInvalid", "Check the vault's resource id."),
    (
        &["PrivateEndpointCreationNotAllowedAsSubnetIsDelegated"],
        Class::Invalid,
        "SubnetDelegated",
        "Choose a subnet without delegation.",
    ),
    (
        &["PrivateEndpointCannotBeCreatedInSubnetThatHasNetworkPoliciesEnabled"],
        Class::AwaitingPerson,
        "SubnetPoliciesBlock",
        "Set the subnet's privateEndpointNetworkPolicies to Disabled.",
    ),
    (
        &["PrivateIPAddressNotInSubnet", "PrivateIPAddressInReservedRange"],
        Class::Invalid,
        "StaticIpInvalid",
        "Choose a free address inside the subnet.",
    ),
    (
        &["PrivateEndpointIpConfigurationMissingMemberNamesRequiredByFps"],
        Class::Invalid,
        "StaticIpInvalid",
        "The endpoint's address was edited by others: its member must be named default.",
    ),
    (&["PrivateIPAddressIsAllocated"], Class::AwaitingPerson, "StaticIpInUse", "Free the address, or choose another."),
    (&["SubnetIsFull"], Class::AwaitingPerson, "SubnetFull", "Free addresses, or use a larger subnet."),
    (
        &["CannotChangePrivateLinkConnectionOnPrivateEndpoint", "PropertyChangeNotAllowed"],
        Class::Invalid,
        "PrivateEndpointImmutable",
        "Delete and recreate the endpoint, or undo the change.",
    ),
    (
        &["PrivateEndpointAlreadyExists"],
        Class::Conflict,
        "PrivateEndpointNameBusy",
        "An endpoint of this name is still being removed; Azure advises to wait 20 minutes.",
    ),
    (
        &["TooManyPrivateEndpoints"],
        Class::AwaitingPerson,
        "AwaitingAzureQuota",
        "Raise the limit, or remove endpoints.",
    ),
    (
        &["MissingSubscriptionRegistration", "SubscriptionNotRegistered", "NoRegisteredProviderFound"],
        Class::AwaitingPerson,
        "ProviderNotRegistered",
        "Register Microsoft.Network and Microsoft.KeyVault in the subscription.",
    ),
    (
        &["LocationNotAvailableForResourceType", "InvalidResourceLocation"],
        Class::Invalid,
        "LocationInvalid",
        "The endpoint must be in the virtual network's region.",
    ),
    (
        &["InvalidApiVersionParameter", "UnsupportedApiVersion", "MissingApiVersionParameter"],
        Class::AwaitingPerson,
        "ApiVersionRetired",
        "Upgrade the operator.",
    ),
    (&["CannotDeleteResource"], Class::Conflict, "ChildrenExist", "Children are still being removed; no action."),
    (&["PreconditionFailed"], Class::Conflict, "ConcurrentChange", "The resource changed meanwhile; it is read again."),
    (
        &["InvalidRequestContent", "InvalidParameter", "InvalidRequestFormat", "LinkedInvalidPropertyId"],
        Class::Invalid,
        "SpecRejected",
        "Correct the field that Azure names in its activity log.",
    ),
    (
        &["TooManyRequests", "SubscriptionRequestsThrottled", "ResourceRequestsThrottled", "ThrottledRequest"],
        Class::Throttled,
        "AzureThrottled",
        "No action; raise the interval if it persists.",
    ),
    (
        &["InternalServerError", "ServerTimeout", "GatewayTimeout", "ServiceUnavailable"],
        Class::Transient,
        "AzureUnavailable",
        "Check Azure's service health if it persists.",
    ),
    (
        &["Canceled", "OperationCanceled"],
        Class::AwaitingPerson,
        "OperationCanceled",
        "Somebody stopped the operation; look at the activity log with the request id in status.lastFailure.",
    ),
];

/// Codes of Key Vault itself, which also come through Resource Manager.
const KEY_VAULT: &[Row] = &[
    (
        &["ForbiddenByConnection"],
        Class::AwaitingPerson,
        "NotOnPrivatePath",
        "Run the operator on the private network, or rely on the view through Resource Manager.",
    ),
    (
        &["ForbiddenByFirewall"],
        Class::AwaitingPerson,
        "BlockedByVaultFirewall",
        "Allow the address, or use the private path.",
    ),
    (
        &["ForbiddenByPolicy", "AccessDenied"],
        Class::AwaitingPerson,
        "VaultAccessDenied",
        "Add the missing key permissions to the access policy.",
    ),
    (&["ForbiddenByRbac"], Class::AwaitingPerson, "VaultRoleMissing", "Assign Key Vault Crypto Officer at the vault."),
    (
        &["ForbiddenByNsp"],
        Class::AwaitingPerson,
        "BlockedByPerimeter",
        "Add an access rule to the network security perimeter.",
    ),
    (&["KeyDisabled"], Class::AwaitingPerson, "KekDisabled", "Enable the key."),
    (&["KeyExpired"], Class::AwaitingPerson, "KekExpired", "Renew the key's end of life."),
    (&["KeyNotYetValid"], Class::AwaitingPerson, "KekNotYetValid", "Wait for the key's start of life, or move it."),
    (&["KeyNotFound"], Class::NotFound, "KekMissing", "The key is not there."),
    (&["ObjectIsDeletedButRecoverable"], Class::NotFound, "KekSoftDeleted", "Recover the key."),
    (
        &["ObjectIsBeingRecovered", "ObjectIsBeingDeleted"],
        Class::Conflict,
        "KekInTransition",
        "The key is being recovered or deleted; no action.",
    ),
    (&["Throttled"], Class::Throttled, "VaultThrottled", "No action."),
];

/// The meaning of a code, if it is known.
pub(super) fn verdict(code: &str) -> Option<Verdict> {
    let rows = KEY_VAULT.iter().chain(RESOURCE_MANAGER);
    let found = rows.into_iter().find(|(codes, ..)| codes.iter().any(|own| own.eq_ignore_ascii_case(code)));
    let known = found.map(|(_, class, reason, advice)| Verdict { class: *class, reason, advice });
    known.or_else(|| by_ending(code))
}

/// Families of codes that Azure keeps extending.
fn by_ending(code: &str) -> Option<Verdict> {
    let code = code.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| code.ends_with(ending));
    if ends(&["quotaexceeded", "limitreached", "limitexceeded"]) {
        return Some(Verdict {
            class: Class::AwaitingPerson,
            reason: "AwaitingAzureQuota",
            advice: "Raise the limit, or remove what is not needed.",
        });
    }
    ends(&["requeststhrottled"]).then_some(Verdict {
        class: Class::Throttled,
        reason: "AzureThrottled",
        advice: "No action; raise the interval if it persists.",
    })
}

/// True for the code of a network that is changing, whatever status it wears.
pub(super) fn is_busy(code: &str) -> bool {
    verdict(code).is_some_and(|verdict| verdict.class == Class::Conflict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_in_two_rows() {
        let mut all: Vec<&str> =
            KEY_VAULT.iter().chain(RESOURCE_MANAGER).flat_map(|(codes, ..)| codes.iter().copied()).collect();
        let before = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), before);
    }

    #[test]
    fn every_reason_is_a_word_and_every_advice_a_sentence() {
        for (_, _, reason, advice) in KEY_VAULT.iter().chain(RESOURCE_MANAGER) {
            assert!(reason.chars().all(char::is_alphanumeric), "{reason}");
            assert!(advice.ends_with('.'), "{advice}");
        }
    }

    #[test]
    fn families_are_known_by_their_ending() {
        let reason = |code: &str| verdict(code).map(|verdict| verdict.reason);
        assert_eq!(reason("PrivateEndpointQuotaExceeded"), Some("AwaitingAzureQuota"));
        assert_eq!(reason("TenantRequestsThrottled"), Some("AzureThrottled"));
        assert_eq!(reason("SomethingNew"), None);
    }
}
