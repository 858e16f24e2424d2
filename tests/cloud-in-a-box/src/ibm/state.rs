//! What IBM knows.

use serde::{Deserialize, Serialize};

/// All of IBM.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Ibm {
    /// The self-managed UKO's own names.
    pub self_managed: SelfManaged,
}

/// Where the self-managed UKO is; the core reads it to mint its certificates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SelfManaged {
    /// Host name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// User whose name the client certificate carries as its common name.
    pub user_id: String,
}

impl Default for SelfManaged {
    fn default() -> Self {
        Self { host: "uko.example.com".into(), port: 8443, user_id: "box-uko-operator".into() }
    }
}

impl Ibm {
    /// IBM as it is at the start.
    #[must_use]
    pub fn seed() -> Self {
        Self::default()
    }
}
