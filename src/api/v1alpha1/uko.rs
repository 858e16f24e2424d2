//! The IBM half of an `AzureKeystoreConnection`.
//!
//! In: what a team writes of its UKO, vault and keystore. Out: types and CEL rules. Never: a secret value.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    policy::{IbmAuthentication, SecretKeyRef, SecretRef, choice},
    rules::member_of,
    text::{
        Guid, IbmRegion, KeystoreDescription, KeystoreGroup, KeystoreName, OidcClientId, OidcProvider, ServerUrl,
        UkoLocation, UkoVaultId, UkoVaultName,
    },
};

/// Which UKO and which of its vaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new("has(self.hpcs) != has(self.server)").message("exactly one of hpcs and server must be set"))]
#[serde(rename_all = "camelCase")]
pub struct UkoSpec {
    /// UKO of a Hyper Protect Crypto Services instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hpcs: Option<HpcsUko>,
    /// A UKO that you run yourself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<UkoServer>,
    /// The vault that the keystore belongs to.
    pub vault: UkoVaultSpec,
}

/// A Hyper Protect Crypto Services instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HpcsUko {
    /// Id of the instance.
    pub instance_id: Guid,
    /// Its region.
    pub region: IbmRegion,
    /// Who the operator is towards it.
    pub authentication: IbmAuthentication,
}

/// A self-managed UKO.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UkoServer {
    /// Its base URL; the operator's policy file must name it.
    pub url: ServerUrl,
    /// The CA that signed its certificate; default the operator's own trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle: Option<CaBundle>,
    /// Who the operator is towards it.
    pub authentication: UkoServerAuthentication,
}

/// A CA bundle in PEM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaBundle {
    /// Where it is; default key `ca.crt`.
    pub secret_ref: SecretKeyRef,
}

/// How the operator signs in to a self-managed UKO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum UkoServerAuthenticationType {
    /// OpenID Connect password grant.
    OidcPassword,
    /// System login with user id and passcode.
    Passcode,
    /// A client certificate.
    MutualTLS,
}

/// Identity towards a self-managed UKO; `type` names the member that is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = member_of("OidcPassword", Some("oidcPassword"), &["passcode", "mutualTLS"]),
    validation = member_of("Passcode", Some("passcode"), &["oidcPassword", "mutualTLS"]),
    validation = member_of("MutualTLS", Some("mutualTLS"), &["oidcPassword", "passcode"]),
)]
#[serde(rename_all = "camelCase")]
pub struct UkoServerAuthentication {
    /// Which member is set.
    #[serde(rename = "type")]
    pub type_: UkoServerAuthenticationType,
    /// Set for type OidcPassword.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_password: Option<OidcPassword>,
    /// Set for type Passcode: a Secret with keys `userId` and `passcode`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<SecretHolder>,
    /// Set for type MutualTLS: a Secret with keys `tls.crt` and `tls.key`.
    #[serde(rename = "mutualTLS", default, skip_serializing_if = "Option::is_none")]
    pub mutual_tls: Option<SecretHolder>,
}

/// OpenID Connect password grant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OidcPassword {
    /// The provider's name on the server, such as EkmfOpenIdConnect.
    pub provider: OidcProvider,
    /// Client id at the provider.
    pub client_id: OidcClientId,
    /// A Secret with keys `username`, `password` and, where the client has one, `clientSecret`.
    pub secret_ref: SecretRef,
}

/// A credential that is one Secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretHolder {
    /// The Secret.
    pub secret_ref: SecretRef,
}

/// A UKO vault, by name or id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.name) != has(self.id)").message("exactly one of name and id must be set"),
    validation = Rule::new("!has(self.create) || !self.create || has(self.name)").message("create needs name: only a vault with a name can be made"),
)]
#[serde(rename_all = "camelCase")]
pub struct UkoVaultSpec {
    /// Its exact name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<UkoVaultName>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<UkoVaultId>,
    /// Make it when no vault has this name. It is marked and never deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<bool>,
}

/// Tier of the Key Vault as UKO sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Variant {
    /// HSM-protected and software keys; has the key-encryption key.
    Premium,
    /// Software keys only.
    Standard,
}

/// The keystore that UKO registers for the Key Vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeystoreSpec {
    /// Its name in UKO; default the name of this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<KeystoreName>,
    /// Its description; at most 110 characters, the owner's mark takes the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<KeystoreDescription>,
    /// Its groups; absent = not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 128))]
    pub groups: Option<Vec<KeystoreGroup>>,
    /// Tier; must fit the Key Vault's SKU.
    pub variant: Variant,
    /// UKO's name of the Azure region; UKO 4.12 and older require it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<UkoLocation>,
}

choice!(
    /// What a failed connection test means. Default Required.
    ConnectionTestPolicy {
        /// The keystore is not registered before a pass.
        Required,
        /// The result is shown, the keystore is registered anyway.
        Advisory,
        /// No test.
        Skip,
    }
);
choice!(
    /// What to do about the key-encryption key. Default Observe.
    KeyEncryptionKeyPolicy {
        /// Watch and report.
        Observe,
        /// Do not look.
        Ignore,
        /// Undo a soft delete.
        Recover,
        /// Make it again as IBM documents it.
        Recreate,
    }
);

/// The key `EKMF-BYOK-KEK-FOR-IMPORT` without which no key can be distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyEncryptionKeySpec {
    /// What to do about it. Default Observe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<KeyEncryptionKeyPolicy>,
    /// How often to look, if more often than the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86400))]
    pub check_interval_seconds: Option<u32>,
    /// Size when it must be made again. Default 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in [2048, 3072, 4096]").message("must be 2048, 3072 or 4096"))]
    #[schemars(range(min = 2048, max = 4096))]
    pub key_size_bits: Option<u32>,
}
