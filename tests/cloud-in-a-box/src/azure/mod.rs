//! Azure: Entra, the metadata service, Resource Manager and Key Vault's data plane, of three clouds.
//!
//! In: a [`crate::wire::Call`] whose host is Azure's. Out: the answer and the changed world. Never: I/O.

pub mod arm;
pub mod cloud;
pub mod entra;
pub mod facts;
pub mod kv;
pub mod state;
