//! Azure Resource Manager: Key Vaults from outside, and the networks around them.
//!
//! In: ids and drafts. Out: plain values, or one error. Never: decides, or calls a write a success before it was read back.

mod network;
mod private_dns;
mod private_endpoint;
mod role_assignment;
mod vault;

pub use self::{
    network::{IpConfiguration, NetworkInterface, Subnet, VirtualNetwork},
    private_dns::{ARecord, DnsZoneGroup, VirtualNetworkLink, ZoneConfig},
    private_endpoint::{PrivateEndpoint, PrivateEndpointDraft},
    role_assignment::{KeyVaultRole, RoleAssignment},
    vault::{
        AccessPolicy, DeletedVault, PrivateEndpointConnection, PublicAccess, Sku,
        UKO_KEY_PERMISSIONS, Vault,
    },
};
