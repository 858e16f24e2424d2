//! The Azure half of an `AzureKeystoreConnection`.
//!
//! In: what a team writes of Key Vault and private endpoint. Out: types and CEL rules. Never: a secret value.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    policy::{SecretKeyRef, ServiceAccountRef, choice},
    rules::member_of,
    text::{
        AzureLocation, Guid, Ipv4Address, KeyVaultName, NetworkResourceName, PrivateDnsZoneId, RequestMessage,
        ResourceGroupName, SubnetId, TagValue,
    },
};

choice!(
    /// Which Azure cloud.
    AzureCloud {
        /// The public cloud.
        AzurePublic,
        /// Operated by 21Vianet.
        AzureChina,
        /// US Government.
        AzureUSGovernment,
    }
);
choice!(
    /// What the operator does about the ten key permissions of UKO's service principal. Default Verify.
    KeyPermissions {
        /// Check and report.
        Verify,
        /// Add exactly what is missing to the access policy.
        Grant,
        /// Believe that a custom role grants them.
        Trust,
    }
);
choice!(
    /// Who approves the private endpoint on the Key Vault's side. Default Automatic.
    Approval {
        /// The operator, by its own right on the vault.
        Automatic,
        /// A person.
        Manual,
    }
);

/// What to do about the Key Vault's public address: Disabled closes it as the last step, once the private path is proven; absent leaves it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PublicNetworkAccess {
    /// Closed.
    Disabled,
}

const TWO_IDENTITIES: &str = "Secret than servicePrincipal.passwordSecretRef: the operator and UKO are two identities";

/// Where the Key Vault is and who may use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.identity.servicePrincipal) || !has(self.identity.servicePrincipal.passwordSecretRef) || self.identity.servicePrincipal.passwordSecretRef.name != self.servicePrincipal.passwordSecretRef.name").message(format!("must be another {TWO_IDENTITIES}").as_str()).field_path(".identity.servicePrincipal.passwordSecretRef"),
    validation = Rule::new("!has(self.identity.servicePrincipal) || !has(self.identity.servicePrincipal.certificateSecretRef) || self.identity.servicePrincipal.certificateSecretRef.name != self.servicePrincipal.passwordSecretRef.name").message(format!("must be another {TWO_IDENTITIES}").as_str()).field_path(".identity.servicePrincipal.certificateSecretRef"),
)]
#[serde(rename_all = "camelCase")]
pub struct AzureSpec {
    /// Which Azure cloud.
    pub cloud: AzureCloud,
    /// Entra tenant of the Key Vault.
    pub tenant_id: Guid,
    /// Subscription of the Key Vault.
    pub subscription_id: Guid,
    /// Resource group of the Key Vault.
    pub resource_group: ResourceGroupName,
    /// The Key Vault; it must exist.
    pub vault_name: KeyVaultName,
    /// The identity that UKO uses on the Key Vault's keys. It never calls ARM.
    pub service_principal: UkoServicePrincipal,
    /// Who the operator is towards ARM and for the key-encryption key.
    pub identity: AzureIdentity,
    /// Disabled closes the public address once the private path is proven; absent leaves it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<PublicNetworkAccess>,
    /// What to do about missing key permissions. Default Verify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_permissions: Option<KeyPermissions>,
}

/// The service principal whose password UKO holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UkoServicePrincipal {
    /// Client id, here so that review sees who gets key rights.
    pub client_id: Guid,
    /// Object id of the service principal (not of the application); else the `oid` claim of its own token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<Guid>,
    /// Its client secret; default key `clientSecret`.
    pub password_secret_ref: SecretKeyRef,
}

/// Kind of the operator's own identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AzureIdentityType {
    /// A service principal with a client secret or certificate in a Secret.
    ServicePrincipal,
    /// A federated token of a ServiceAccount of this namespace.
    WorkloadIdentity,
    /// The identity of the operator's own pod, where its policy file allows that.
    OperatorIdentity,
}

/// The operator's own identity; `type` names the member that is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = member_of("ServicePrincipal", Some("servicePrincipal"), &["workloadIdentity"]),
    validation = member_of("WorkloadIdentity", Some("workloadIdentity"), &["servicePrincipal"]),
    validation = member_of("OperatorIdentity", None, &["servicePrincipal", "workloadIdentity"]),
)]
#[serde(rename_all = "camelCase")]
pub struct AzureIdentity {
    /// Which member is set.
    #[serde(rename = "type")]
    pub type_: AzureIdentityType,
    /// Set for type ServicePrincipal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_principal: Option<OperatorServicePrincipal>,
    /// Set for type WorkloadIdentity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<WorkloadIdentity>,
}

/// A service principal of the operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.passwordSecretRef) != has(self.certificateSecretRef)").message("exactly one of passwordSecretRef and certificateSecretRef must be set")
)]
#[serde(rename_all = "camelCase")]
pub struct OperatorServicePrincipal {
    /// Client id.
    pub client_id: Guid,
    /// Its client secret; default key `clientSecret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<SecretKeyRef>,
    /// Its certificate with private key, PEM; default key `tls.pem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_secret_ref: Option<SecretKeyRef>,
}

/// A federated identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadIdentity {
    /// Client id of the application or managed identity.
    pub client_id: Guid,
    /// Whose token is exchanged.
    pub service_account_ref: ServiceAccountRef,
}

/// The Azure private endpoint of the Key Vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("!has(self.requestMessage) || (has(self.approval) && self.approval == 'Manual')").message("is only for approval Manual: set approval: Manual, or remove requestMessage").field_path(".requestMessage"),
    validation = Rule::new("!has(self.tags) || self.tags.all(k, size(k) >= 1 && size(k) <= 512 && !k.matches(r'[<>%&\\\\?/]'))").message("names must be 1 to 512 characters without < > % & \\ ? /").field_path(".tags"),
    validation = Rule::new("!has(self.tags) || self.tags.all(k, !k.lowerAscii().startsWith('uko-operator-') && !k.lowerAscii().startsWith('microsoft') && !k.lowerAscii().startsWith('azure') && !k.lowerAscii().startsWith('windows'))").message("names that start with uko-operator-, microsoft, azure or windows are reserved").field_path(".tags"),
)]
#[serde(rename_all = "camelCase")]
pub struct PrivateEndpointSpec {
    /// Its name.
    pub name: NetworkResourceName,
    /// Its resource group, in the subnet's subscription.
    pub resource_group: ResourceGroupName,
    /// Where it takes its address from.
    pub subnet_id: SubnetId,
    /// Its region; default the virtual network's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<AzureLocation>,
    /// Name of its network interface; default Azure's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_interface_name: Option<NetworkResourceName>,
    /// A static address inside the subnet; default dynamic.
    #[serde(rename = "privateIPAddress", default, skip_serializing_if = "Option::is_none")]
    pub private_ip_address: Option<Ipv4Address>,
    /// Makes the DNS zone group `uko-operator` with this zone; absent = DNS is managed elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns_zone_id: Option<PrivateDnsZoneId>,
    /// Who approves. Default Automatic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What the approver reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_message: Option<RequestMessage>,
    /// Tags to keep on it; others are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 48))]
    pub tags: Option<BTreeMap<String, TagValue>>,
}
