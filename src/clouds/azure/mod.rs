//! Azure: Entra for tokens, Resource Manager for vaults and networks, Key Vault's data plane for the key-encryption key.
//!
//! In: ids and drafts. Out: plain values that a planner can compare, read leniently; requests built strictly.
//! Never: decides, or follows a URL that does not stand at the cloud's own host.

mod entra;
mod id;
mod key;
mod key_vault;
pub mod reasons;
mod refusal;
mod resource_manager;
mod state;
mod wire;

pub use self::{
    entra::{Audience, Credential, Entra, Proof},
    id::{ArmId, VaultId, same_location},
    key::{DeletedKey, Key},
    key_vault::{KeyVaultData, KeyVaultWriter},
    resource_manager::{
        ARecord, Accepted, AccessPolicy, DeletedVault, DnsZoneGroup, IpConfiguration, KeyVaultRole, NetworkInterface,
        OperationState, OperationUrl, PrivateEndpoint, PrivateEndpointConnection, PrivateEndpointDraft, PublicAccess,
        ResourceManager, ResourceManagerWriter, RoleAssignment, Sku, Subnet, UKO_KEY_PERMISSIONS, Vault,
        VirtualNetwork, VirtualNetworkLink, ZoneConfig,
    },
    state::{ConnectionState, ConnectionStatus, ProvisioningState},
};
