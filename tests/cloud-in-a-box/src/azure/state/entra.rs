//! Entra: tenants, applications, credentials. In: patches. Out: state. Never: judges a credential.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Cloud;

/// An Entra tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Tenant {
    /// The cloud it lives in.
    pub cloud: Cloud,
    /// A verified domain, usable in place of the id.
    pub domain: String,
    /// Applications (with their service principal) by client id.
    pub applications: BTreeMap<String, Application>,
}

/// An application and its service principal.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Application {
    /// Object id of the service principal: `oid` in its tokens.
    pub object_id: String,
    /// Name for people.
    #[serde(default)]
    pub display_name: String,
    /// Disabled: tokens are refused with 7000112.
    #[serde(default)]
    pub disabled: bool,
    /// Not seen before this Unix time (replication); refused with 700016.
    #[serde(default)]
    pub visible_from: Option<i64>,
    /// Client secrets by name.
    #[serde(default)]
    pub secrets: BTreeMap<String, ClientSecret>,
    /// Federated credentials by name.
    #[serde(default)]
    pub federated: BTreeMap<String, FederatedCredential>,
    /// Usable through IMDS as a managed identity.
    #[serde(default)]
    pub managed_identity: bool,
}

/// A client secret.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ClientSecret {
    /// Its value.
    pub value: String,
    /// Known to every Entra node only from this Unix time; before: 7000215.
    #[serde(default)]
    pub valid_from: Option<i64>,
    /// Refused with 7000222 from this Unix time.
    #[serde(default)]
    pub expires_at: Option<i64>,
}

/// A federated credential: which assertions stand for the application.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct FederatedCredential {
    /// Issuer, compared exactly.
    pub issuer: String,
    /// Subject, compared exactly (case matters).
    pub subject: String,
    /// Audience, compared exactly.
    pub audience: String,
}
