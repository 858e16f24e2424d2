//! Choices and references that both kinds share.
//!
//! In: what a team writes. Out: enums and references with their defaults in one place. Never: a namespace; every reference stays at home.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::member_of;
use super::text::{ObjectName, SecretKey, TrustedProfileId};

/// An enumeration whose first member is the default. What each member means goes into the schema's description: the CRD
/// has no other place for it, and `kubectl explain` shows nothing else.
macro_rules! choice {
    (#[doc = $doc:literal] $name:ident { #[doc = $first_doc:literal] $first:ident, $(#[doc = $other_doc:literal] $other:ident),* $(,)? }) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[schemars(description = concat!($doc, " ", stringify!($first), ":", $first_doc, $(" ", stringify!($other), ":", $other_doc),*))]
        pub enum $name {
            #[doc = $first_doc]
            #[default]
            $first,
            $(#[doc = $other_doc] $other),*
        }
    };
}
pub(super) use choice;

choice!(
    /// Whether the operator changes anything outside. Default Manage.
    Mode {
        /// Build and keep the path.
        Manage,
        /// Look, never touch; `status.plan` says what would be done.
        Plan,
    }
);
choice!(
    /// What to do with something of the wanted name that nobody owns. Default Never.
    AdoptionPolicy {
        /// Leave it alone and report a conflict.
        Never,
        /// Take it over when it carries no owner's mark and its immutable facts fit.
        IfUnowned,
    }
);
choice!(
    /// What happens outside when this object is deleted. Default Retain.
    DeletionPolicy {
        /// Leave everything as it is.
        Retain,
        /// Remove what this object made.
        Delete,
    }
);
choice!(
    /// What to do when someone else changed a managed field. Default Correct.
    DriftPolicy {
        /// Set it back.
        Correct,
        /// Only report it.
        Report,
    }
);

/// One key of a Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    pub name: ObjectName,
    /// Key inside it; the default depends on the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretKey>,
}

/// A whole Secret in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret.
    pub name: ObjectName,
}

/// A ServiceAccount in the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// Name of the ServiceAccount.
    pub name: ObjectName,
}

/// How the operator signs in to IBM Cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IbmAuthenticationType {
    /// An API key of a service id, in a Secret.
    APIKey,
    /// A trusted profile, with a token of a ServiceAccount of this namespace.
    TrustedProfile,
}

/// Identity towards IBM Cloud; `type` names the one member that is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = member_of("APIKey", Some("apiKey"), &["trustedProfile"]),
    validation = member_of("TrustedProfile", Some("trustedProfile"), &["apiKey"]),
)]
#[serde(rename_all = "camelCase")]
pub struct IbmAuthentication {
    /// Which member is set.
    #[serde(rename = "type")]
    pub type_: IbmAuthenticationType,
    /// Set for type APIKey.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<IbmApiKey>,
    /// Set for type TrustedProfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trusted_profile: Option<IbmTrustedProfile>,
}

/// An IBM Cloud API key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IbmApiKey {
    /// Where it is; default key `apiKey`.
    pub secret_ref: SecretKeyRef,
}

/// An IBM Cloud trusted profile that is linked to this cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IbmTrustedProfile {
    /// Id of the profile.
    pub id: TrustedProfileId,
    /// Whose token is exchanged.
    pub service_account_ref: ServiceAccountRef,
}
