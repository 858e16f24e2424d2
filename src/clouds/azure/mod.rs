//! Azure: Entra for tokens, Resource Manager for vaults and networks, Key Vault's data plane for the key-encryption key.
//!
//! In: ids and drafts. Out: plain values that a planner can compare, read leniently; requests built strictly.
//! Never: decides, or follows a URL that does not stand at the cloud's own host.

mod id;
mod key;
mod resource_manager;
mod state;
mod wire;

pub use self::{
    id::{ArmId, VaultId, same_location},
    key::{DeletedKey, Key},
    resource_manager::{
        ARecord, AccessPolicy, DeletedVault, DnsZoneGroup, IpConfiguration, KeyVaultRole,
        NetworkInterface, PrivateEndpoint, PrivateEndpointConnection, PrivateEndpointDraft,
        PublicAccess, RoleAssignment, Sku, Subnet, UKO_KEY_PERMISSIONS, Vault, VirtualNetwork,
        VirtualNetworkLink, ZoneConfig,
    },
    state::{ConnectionState, ConnectionStatus, ProvisioningState},
};
