//! Version `v1alpha1` of the API group `uko-operator.io`.
//!
//! In: Rust types. Out: the two CRDs ([`crds`]). Never: reads a cluster.

#![expect(unreachable_pub, reason = "KubeSchema copies each struct into a private twin")]

pub mod azure;
pub mod azure_keystore_connection;
pub mod connector_endpoint;
pub mod crd;
pub mod memory;
pub mod plan;
pub mod policy;
mod rules;
pub mod text;
pub mod uko;

pub use azure::*;
pub use azure_keystore_connection::*;
pub use connector_endpoint::*;
pub use crd::{CrdFile, CrdFileError, crd_yaml, crds};
pub use memory::*;
pub use plan::*;
pub use policy::*;
pub use text::*;
pub use uko::*;

/// API group of both kinds.
pub const GROUP: &str = "uko-operator.io";
/// Their version.
pub const VERSION: &str = "v1alpha1";
