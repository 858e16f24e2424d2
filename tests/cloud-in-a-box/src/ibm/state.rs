//! What IBM's half of the box remembers.
//! In: nothing. Out: plain data, readable and writable through the box's `/state`.
//! Never: decides, answers a call, or holds what Azure knows.
//!
//! Everything is a map keyed by id, so that a JSON merge patch can add, change or (with `null`) take away one thing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::switches::{DryRunAnswers, DuplicateNames, LockedFields, Quota, Switches};

/// IBM Cloud as one customer sees it, and the UKO servers that customer reaches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Ibm {
    /// The account that every token names as `account.bss`.
    pub account: String,
    /// The region of the location and of the HPCS instance.
    pub region: String,
    /// Known API keys. Take one away and IAM answers BXNIM0415E.
    pub api_keys: BTreeMap<String, Identity>,
    /// Trusted profiles by id.
    pub profiles: BTreeMap<String, Profile>,
    /// Satellite connectors by id.
    pub connectors: BTreeMap<String, Connector>,
    /// Satellite locations by id; they share the connectors' Link routes.
    pub locations: BTreeMap<String, Location>,
    /// Link endpoints by id.
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Link sources (access rules) by id.
    pub sources: BTreeMap<String, Source>,
    /// UKO servers: an HPCS instance under its instance id, the self-managed one under [`SELF_MANAGED`].
    pub uko: BTreeMap<String, UkoServer>,
    /// How the self-managed UKO knows its callers and reaches Azure.
    pub self_managed: SelfManaged,
    /// The next client port that Link hands out.
    pub next_client_port: u16,
    /// How IBM behaves where it publishes nothing.
    pub switches: Switches,
}

/// Who an API key speaks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Identity {
    /// `IBMid-…` or `iam-ServiceId-…`.
    pub iam_id: String,
    /// Link and UKO answer it with 403.
    pub without_access: bool,
}

/// A trusted profile that compute resources may assume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Profile {
    /// The name that `profile_name` may carry instead of the id.
    pub name: String,
    /// `iam-Profile-…`.
    pub iam_id: String,
    /// Service accounts that may assume it, as `namespace/name`; empty means any.
    pub links: Vec<String>,
    /// Link and UKO answer it with 403.
    pub without_access: bool,
}

/// A Satellite connector, as GraphQL shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Connector {
    /// Its display name; not unique at IBM.
    pub name: String,
    /// The managed-from region, such as `eu-de`.
    pub region: String,
    /// CREATED, CREATING, DELETING or FAILED.
    pub state: String,
    /// ISO 8601.
    pub created_date: String,
    /// Resource group id.
    pub resource_group: String,
    /// The number of agents with an open tunnel.
    pub tunnels: u32,
}

/// A Satellite location, as Link shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Location {
    /// Free text.
    pub description: String,
    /// The number of agents with an open tunnel.
    pub tunnels: u32,
    /// Seconds since 1970.
    pub created_at: i64,
}

/// A Link endpoint of a connector or a location.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Endpoint {
    /// The connector or location it belongs to.
    pub parent: String,
    /// `location` (the destination is outside IBM Cloud) or `cloud`.
    pub conn_type: String,
    /// Its name.
    pub display_name: String,
    /// Where the agents connect to.
    pub server_host: String,
    /// The port they connect to.
    pub server_port: u16,
    /// Server name for TLS towards the destination.
    pub sni: Option<String>,
    /// What the client speaks.
    pub client_protocol: String,
    /// What the agents speak.
    pub server_protocol: String,
    /// Which ends prove themselves.
    pub tls: EndpointTls,
    /// Inactivity timeout in seconds.
    pub timeout: Option<u16>,
    /// Free text of the creator.
    pub created_by: Option<String>,
    /// The address that clients will use.
    pub client_host: String,
    /// The port that clients will use.
    pub client_port: u16,
    /// Reads still to come before the address is shown.
    pub reads_to_address: u32,
    /// Switched on?
    pub enabled: bool,
    /// Access rules bound to it: source id to what is known of the binding.
    pub sources: BTreeMap<String, Binding>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970.
    pub last_change: i64,
}

/// The TLS switches of an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct EndpointTls {
    /// Mutual TLS towards the client.
    pub client_mutual_auth: bool,
    /// Mutual TLS towards the destination.
    pub server_mutual_auth: bool,
    /// Refuse destinations whose certificate is not trusted.
    pub reject_unauth: bool,
}

/// A source bound to an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Binding {
    /// Does the rule act?
    pub enabled: bool,
    /// Seconds since 1970.
    pub last_change: i64,
}

/// An access rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Source {
    /// The connector or location it belongs to.
    pub parent: String,
    /// `user` or `service`.
    pub kind: String,
    /// Its name.
    pub source_name: String,
    /// Addresses and CIDR blocks.
    pub addresses: Vec<String>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970.
    pub last_change: i64,
}

/// The key of the self-managed server in [`Ibm::uko`].
pub const SELF_MANAGED: &str = "self-managed";

/// One UKO: an HPCS instance, or a server that the customer runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct UkoServer {
    /// `host` (port 443) or `host:port`; every form that reaches this server. The self-managed one has its own place.
    pub hosts: Vec<String>,
    /// UKO vaults by id.
    pub vaults: BTreeMap<String, Vault>,
    /// Keystores by id.
    pub keystores: BTreeMap<String, Keystore>,
    /// Managed keys by id.
    pub managed_keys: BTreeMap<String, ManagedKey>,
}

/// How a self-managed UKO knows its callers and reaches Azure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct SelfManaged {
    /// Its host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// User whose name the client certificate carries as its common name.
    pub user_id: String,
    /// The OIDC provider's name in the token URL.
    pub oidc_provider: String,
    /// The OIDC client.
    pub oidc_client_id: String,
    /// Its secret; empty in the product's default configuration.
    pub oidc_client_secret: String,
    /// Users of the password grant: name to password.
    pub users: BTreeMap<String, String>,
    /// Users of the passcode login: id to passcode.
    pub passcodes: BTreeMap<String, String>,
    /// TCP forwarders in the customer's network: `host:port` to `host:port`.
    pub forwarders: BTreeMap<String, String>,
    /// Does the customer's network route to the private endpoints by itself?
    pub direct_route: bool,
    /// Answers 404 to `/api/v4`, as an older product does.
    pub without_api_v4: bool,
}

impl Default for SelfManaged {
    fn default() -> Self {
        Self {
            host: "uko.example.com".into(),
            port: 8443,
            user_id: "box-uko-operator".into(),
            oidc_provider: "EkmfOpenIdConnect".into(),
            oidc_client_id: "uko-operator".into(),
            oidc_client_secret: String::new(),
            users: BTreeMap::new(),
            passcodes: BTreeMap::new(),
            forwarders: BTreeMap::new(),
            direct_route: false,
            without_api_v4: false,
        }
    }
}

/// A UKO vault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Vault {
    /// Its name; unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Label of the recovery key.
    pub recovery_key_label: Option<String>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970; the `ETag`.
    pub updated_at: i64,
    /// Who made it.
    pub created_by: String,
    /// Who changed it last.
    pub updated_by: String,
}

/// A keystore connection of type `azure_key_vault`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Keystore {
    /// The UKO vault it belongs to.
    pub vault: String,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its groups.
    pub groups: Vec<String>,
    /// Where and how it connects.
    pub connection: Connection,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970; the `ETag`.
    pub updated_at: i64,
    /// Who made it.
    pub created_by: String,
    /// Who changed it last.
    pub updated_by: String,
    /// Status reads still to come before the first check is over.
    pub pending_checks: u32,
    /// Seconds since 1970 of the last good contact.
    pub last_heartbeat: Option<i64>,
    /// UKO made the key-encryption key for this keystore.
    pub kek_made: bool,
    /// Overrides what `/status` says, whatever the chain: a health status.
    pub forced_health: Option<String>,
}

/// The connection properties of a keystore.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Connection {
    /// `host:port`, or nothing for the public path.
    pub tls_proxy: Option<String>,
    /// The Key Vault's name.
    pub azure_service_name: String,
    /// Its resource group.
    pub azure_resource_group: String,
    /// UKO's own word for its region.
    pub azure_location: Option<String>,
    /// The service principal.
    pub azure_service_principal_client_id: String,
    /// Its password.
    pub azure_service_principal_password: String,
    /// The directory.
    pub azure_tenant: String,
    /// The subscription.
    pub azure_subscription_id: String,
    /// `azure`, `azure_china`, …
    pub azure_environment: Option<String>,
    /// `standard` or `premium`.
    pub azure_variant: Option<String>,
}

/// A key that UKO manages, as far as a keystore's life depends on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct ManagedKey {
    /// The UKO vault it belongs to.
    pub vault: String,
    /// Its label.
    pub label: String,
    /// `pre_activation`, `active`, …
    pub state: String,
    /// `rsa`, …
    pub algorithm: String,
    /// Its size in bits.
    pub size: u32,
    /// Keystores it is meant for, by id.
    pub keystores: Vec<String>,
    /// Seconds since 1970.
    pub created_at: i64,
    /// Seconds since 1970.
    pub updated_at: i64,
}
