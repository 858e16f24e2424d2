//! IBM Cloud: IAM tokens, Satellite connectors and their endpoints, the HPCS broker, and Unified Key Orchestrator.
//!
//! In: ids, drafts and credentials. Out: plain data, or one [`http::Error`](crate::clouds::http::Error) whose class
//! says when to look again.
//! Never: decides, names a Kubernetes kind, follows a link that a server handed out, or shows what a server said.

mod address_book;
pub mod broker;
pub mod iam;
pub mod id;
mod member;
pub mod reasons;
mod refusal;
mod route;
pub mod satellite;
pub mod uko;
mod word;

pub(super) use address_book::AddressBook;
pub use broker::Broker;
pub use iam::{Iam, IbmCredential};
pub use id::{ConnectorId, ETag, EndpointId, KeystoreId, SourceId, UkoVaultId};
pub use satellite::{
    Connector, ConnectorState, Endpoint, EndpointChange, EndpointDraft, Satellite, SatelliteWriter, Source,
    SourceBinding,
};
pub use uko::{
    Health, Keystore, KeystoreChange, KeystoreDraft, KeystoreHandle, KeystoreStatus, Uko, UkoCredential, UkoUrl,
    UkoVault, UkoWriter,
};
