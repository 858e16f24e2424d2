//! A UKO vault as data: the folder that holds keystores and keys, not an Azure Key Vault.
//!
//! In: nothing. Out: the type the planner compares.
//! Never: is deleted by us.

use crate::clouds::ibm::{ETag, UkoVaultId};

/// A UKO vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UkoVault {
    /// Its id.
    pub id: UkoVaultId,
    /// Its name, as UKO spells it.
    pub name: String,
    /// Its description; the last line may hold an ownership mark.
    pub description: String,
    /// How many keystores it holds, where the answer says so.
    pub keystores: Option<u64>,
    /// Its version; only a read of the one vault carries it.
    pub etag: Option<ETag>,
}
