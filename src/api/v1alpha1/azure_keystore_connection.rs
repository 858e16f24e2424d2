//! `AzureKeystoreConnection`: the whole path for one Key Vault.
//!
//! In: a manifest. Out: spec, status and the rules between fields. Never: decides anything.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    azure::{AzureSpec, PrivateEndpointSpec},
    memory::{Memory, never_looked},
    plan::{Drift, LastFailure, PendingCreate, PlannedStep},
    policy::{AdoptionPolicy, DeletionPolicy, DriftPolicy, Mode},
    rules::fixed,
    text::{HostPort, ObjectName},
    uko::{ConnectionTestPolicy, KeyEncryptionKeySpec, KeystoreSpec, UkoSpec},
};

const WHICH_KEY_VAULT: &str = "it says which Key Vault this is; make a new object";
const IN_PLACE: &str = "Azure cannot change it in place; keep the old value, or remove privateEndpoint first, which leaves the old one in Azure";
const WHICH_UKO: &str = "it says which UKO holds the keystore; make a new object";
const ONE_VAULT: &str = "a keystore belongs to one UKO vault for ever; make a new object";

/// What a team asks for.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "uko-operator.io",
    version = "v1alpha1",
    kind = "AzureKeystoreConnection",
    plural = "azurekeystoreconnections",
    shortname = "akc",
    category = "uko",
    namespaced,
    status = "AzureKeystoreConnectionStatus",
    doc = "The private path from IBM Unified Key Orchestrator to one Azure Key Vault, and its health.",
    derive = "PartialEq",
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name must be at most 63 characters: it becomes the keystore's name and mark"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Vault", type_ = "string", json_path = ".spec.azure.vaultName"),
    printcolumn(name = "KEK", type_ = "string", json_path = ".status.keyEncryptionKey.state"),
    printcolumn(name = "Health", type_ = "string", json_path = ".status.uko.health"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Private IP", type_ = "string", json_path = ".status.azure.privateIPAddress", priority = 1),
    printcolumn(name = "TLS Proxy", type_ = "string", json_path = ".status.tlsProxy", priority = 1),
    printcolumn(name = "Keystore", type_ = "string", json_path = ".status.uko.keystoreId", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[x_kube(
    validation = Rule::new("!(has(self.connectorEndpointRef) && has(self.tlsProxy))").message("connectorEndpointRef and tlsProxy exclude each other: remove one, or both for the public path").field_path(".tlsProxy"),
    validation = Rule::new("!(has(self.connectorEndpointRef) && has(self.uko.server))").message("is for uko.hpcs; a self-managed UKO takes tlsProxy, or neither where it reaches the private endpoint directly").field_path(".connectorEndpointRef"),
    validation = Rule::new("!has(self.azure.publicNetworkAccess) || has(self.privateEndpoint) || has(self.connectorEndpointRef) || has(self.tlsProxy)").message("Disabled needs a private path: set privateEndpoint, connectorEndpointRef or tlsProxy").field_path(".azure.publicNetworkAccess"),
    validation = fixed("azure.cloud", WHICH_KEY_VAULT),
    validation = fixed("azure.tenantId", WHICH_KEY_VAULT),
    validation = fixed("azure.subscriptionId", WHICH_KEY_VAULT),
    validation = fixed("azure.resourceGroup", WHICH_KEY_VAULT),
    validation = fixed("azure.vaultName", WHICH_KEY_VAULT),
    validation = fixed("privateEndpoint?.name", IN_PLACE),
    validation = fixed("privateEndpoint?.resourceGroup", IN_PLACE),
    validation = fixed("privateEndpoint?.subnetId", IN_PLACE),
    validation = fixed("privateEndpoint?.location?", IN_PLACE),
    validation = fixed("privateEndpoint?.networkInterfaceName?", IN_PLACE),
    validation = fixed("privateEndpoint?.privateIPAddress?", IN_PLACE),
    validation = Rule::new("!has(self.privateEndpoint) || !has(oldSelf.privateEndpoint) || (has(self.privateEndpoint.approval) ? self.privateEndpoint.approval : 'Automatic') == (has(oldSelf.privateEndpoint.approval) ? oldSelf.privateEndpoint.approval : 'Automatic')").message(format!("cannot change (absent means Automatic): {IN_PLACE}").as_str()).field_path(".privateEndpoint.approval"),
    validation = Rule::new("has(self.uko.hpcs) == has(oldSelf.uko.hpcs)").message(format!("cannot change between hpcs and server: {WHICH_UKO}").as_str()).field_path(".uko"),
    validation = fixed("uko.hpcs?.instanceId", WHICH_UKO),
    validation = fixed("uko.hpcs?.region", WHICH_UKO),
    validation = fixed("uko.server?.url", WHICH_UKO),
    validation = fixed("uko.vault.name?", ONE_VAULT),
    validation = fixed("uko.vault.id?", ONE_VAULT),
    validation = fixed("keystore.variant", "UKO keeps the variant of a keystore; make a new object"),
)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeystoreConnectionSpec {
    /// The Key Vault and who may use it.
    pub azure: AzureSpec,
    /// Its private endpoint; absent = not managed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoint: Option<PrivateEndpointSpec>,
    /// The connector endpoint that UKO goes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector_endpoint_ref: Option<ConnectorEndpointRef>,
    /// Or the `host:port` of a forwarder that others manage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_proxy: Option<HostPort>,
    /// Which UKO.
    pub uko: UkoSpec,
    /// What it registers.
    pub keystore: KeystoreSpec,
    /// Whether a failed connection test stops the registration. Default Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_test: Option<ConnectionTestPolicy>,
    /// The key without which nothing can be distributed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_encryption_key: Option<KeyEncryptionKeySpec>,
    /// Manage or only plan. Default Manage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whether unowned things may be taken over. Default Never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// What happens outside when this object is deleted. Default Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whether differences are set back. Default Correct.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
    /// No call at all while true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Seconds between two looks. Default 300.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86400))]
    pub interval_seconds: Option<u32>,
}

/// A `ConnectorEndpoint` of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorEndpointRef {
    /// Its name.
    pub name: ObjectName,
}

/// What the operator saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureKeystoreConnectionStatus {
    /// Seen in Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<AzureStatus>,
    /// The `host:port` that UKO uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 259))]
    pub tls_proxy: Option<String>,
    /// Seen in UKO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uko: Option<UkoStatus>,
    /// Result of the last connection test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection_test: Option<ConnectionTestStatus>,
    /// The key-encryption key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_encryption_key: Option<KeyEncryptionKeyStatus>,
    /// What would be, or is being, done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 32))]
    pub plan: Vec<PlannedStep>,
    /// Managed fields that differ outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["field".into()]))]
    #[schemars(length(max = 64))]
    pub drift: Vec<Drift>,
    /// A creation that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_create: Option<PendingCreate>,
    /// The operator's own notes; losing them costs waiting only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The last thing that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<LastFailure>,
    /// When the clouds were last looked at; moves at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checked_at: Option<Time>,
    /// Last `reconcile-requested-at` that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,
    /// Last `test-requested-at` that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_test_at: Option<String>,
    /// The `recreate-requested-at` that did its work, or that found nothing lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_recreate_at: Option<String>,
    /// The `take-over` that did its work; it acts again only after it was taken off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_take_over: Option<String>,
    /// The interval in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_interval_seconds: Option<u32>,
    /// Generation that this status speaks of; -1 before the first look.
    #[serde(default = "never_looked")]
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Conditions, one a type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 24))]
    pub conditions: Vec<Condition>,
}

/// Seen in Azure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureStatus {
    /// ARM id of the Key Vault, in Azure's spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub vault_id: Option<String>,
    /// Its data-plane URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub vault_uri: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub location: Option<String>,
    /// Its SKU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub sku: Option<String>,
    /// Whether it answers on its public address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub public_network_access: Option<String>,
    /// ARM id of the private endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub private_endpoint_id: Option<String>,
    /// State of its connection to the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub connection_state: Option<String>,
    /// Its address, as its network interface says.
    #[serde(rename = "privateIPAddress", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    pub private_ip_address: Option<String>,
}

/// Seen in UKO.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UkoStatus {
    /// URL of the UKO in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub base_url: Option<String>,
    /// Id of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vault_id: Option<String>,
    /// Id of the keystore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub keystore_id: Option<String>,
    /// UKO's own judgement: ok, not_responding, configuration_error or pending_check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub health: Option<String>,
    /// When UKO last heard of the Key Vault; moves at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat: Option<Time>,
    /// Which Secret UKO holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsInUse>,
}

/// Which Secret UKO holds, without saying anything about its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CredentialsInUse {
    /// Name of the Secret.
    #[schemars(length(max = 253))]
    pub secret_name: String,
    /// Keyed fingerprint of the value.
    #[schemars(length(max = 16))]
    pub fingerprint: String,
    /// Since when.
    pub since: Time,
    /// Name of the Secret whose password this one replaced; absent at the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub previous_secret_name: Option<String>,
    /// When UKO was first seen well with it; from then on the one before may be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Time>,
}

/// How a connection test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TestResult {
    /// UKO could use the Key Vault.
    Passed,
    /// UKO refused.
    Failed,
}

/// Result of the last connection test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionTestStatus {
    /// How it ended.
    pub result: TestResult,
    /// When.
    pub tested_at: Time,
    /// Stable reason.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// What to look at.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// Keyed fingerprint of everything that was tested.
    #[schemars(length(max = 16))]
    pub inputs_fingerprint: String,
}

/// How the key-encryption key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KekState {
    /// Usable.
    Healthy,
    /// Neither there nor soft-deleted.
    Missing,
    /// Deleted, and can be recovered.
    SoftDeleted,
    /// Gone; ARM alone cannot tell whether it can be recovered.
    MissingOrDeleted,
    /// There, but not enabled.
    Disabled,
    /// Past its expiry.
    Expired,
    /// Before its activation time.
    NotYetValid,
    /// Not RSA-HSM.
    WrongType,
    /// Other operations than exactly `import`.
    WrongOperations,
    /// Not 2048, 3072 or 4096 bits.
    WrongSize,
    /// Being deleted or recovered.
    InTransition,
    /// Could not be read.
    Unreadable,
    /// A Standard vault has none.
    NotApplicable,
}

impl KekState {
    /// As it stands in status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "Healthy",
            Self::Missing => "Missing",
            Self::SoftDeleted => "SoftDeleted",
            Self::MissingOrDeleted => "MissingOrDeleted",
            Self::Disabled => "Disabled",
            Self::Expired => "Expired",
            Self::NotYetValid => "NotYetValid",
            Self::WrongType => "WrongType",
            Self::WrongOperations => "WrongOperations",
            Self::WrongSize => "WrongSize",
            Self::InTransition => "InTransition",
            Self::Unreadable => "Unreadable",
            Self::NotApplicable => "NotApplicable",
        }
    }
}

/// The key-encryption key as last seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyEncryptionKeyStatus {
    /// Its state.
    pub state: KekState,
    /// Id with version; of a lost key the last one seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub key_id: Option<String>,
    /// Type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub key_type: Option<String>,
    /// Size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_size_bits: Option<u32>,
    /// Operations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 16)))]
    pub operations: Vec<String>,
    /// Switched on?
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Expiry, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
    /// When a deleted key is gone for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_purge_at: Option<Time>,
    /// When it was looked at; moves at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Time>,
    /// Through `ResourceManager` or `DataPlane`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub observed_through: Option<String>,
}
