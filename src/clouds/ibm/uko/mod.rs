//! Unified Key Orchestrator, API v4: vaults, keystores, their health, and the keys installed in them.
//!
//! In: a base URL, a credential, ids and drafts. Out: what UKO says of them.
//! Never: follows an `href`, sends back a masked secret, or disconnects with any mode but `restrict`.

mod keystore;
mod vault;

pub use keystore::{
    AzureEnvironment, AzureVariant, ConnectionChange, Health, InstalledKeys, Keystore,
    KeystoreChange, KeystoreDraft, KeystoreHandle, KeystoreKind, KeystoreStatus, LabelChange,
    Password,
};
pub use vault::UkoVault;
