//! `ConnectorEndpoint`: one Satellite Connector endpoint of type `location`.
//!
//! In: a manifest. Out: spec, status and the rules between fields. Never: decides anything.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    memory::{Memory, never_looked},
    plan::{Drift, LastFailure, PendingCreate, PlannedStep},
    policy::{AdoptionPolicy, DeletionPolicy, DriftPolicy, IbmAuthentication, Mode, choice},
    rules::fixed,
    text::{ConnectorId, ConnectorName, DisplayName, HostName, IbmRegion, SourceCidr},
};

const ONE_CONNECTOR: &str = "an endpoint belongs to one connector for ever; make a new object";

/// What a team asks for.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "uko-operator.io",
    version = "v1alpha1",
    kind = "ConnectorEndpoint",
    plural = "connectorendpoints",
    shortname = "ukoep",
    category = "uko",
    namespaced,
    status = "ConnectorEndpointStatus",
    doc = "One endpoint of an IBM Satellite Connector, through which IBM Cloud reaches a destination outside.",
    derive = "PartialEq",
    validation = Rule::new("size(self.metadata.name) <= 63").message("metadata.name must be at most 63 characters: it becomes part of the endpoint's name"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason"),
    printcolumn(name = "Connector", type_ = "string", json_path = ".status.connector.name"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Destination", type_ = "string", json_path = ".spec.destination.host", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", priority = 1)
)]
#[x_kube(
    validation = fixed("connector.id?", ONE_CONNECTOR),
    validation = fixed("connector.name?", ONE_CONNECTOR),
    validation = fixed("connector.region?", ONE_CONNECTOR),
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorEndpointSpec {
    /// The connector, by id or by name and region.
    pub connector: ConnectorRef,
    /// Who the operator is towards IBM Cloud.
    pub authentication: IbmAuthentication,
    /// Name of the endpoint; default `uko-<namespace>-<name>-<owner>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// What the connector's agents reach.
    pub destination: Destination,
    /// What passes through. Default TCP; a Key Vault connection needs TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Seconds without traffic after which a connection is cut. Default 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 180))]
    pub inactivity_timeout_seconds: Option<u32>,
    /// Who may use it, as IPv4 networks; absent = access control is not managed and the whole IBM Cloud private network may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 32))]
    pub allowed_sources: Option<Vec<SourceCidr>>,
    /// Whether it is switched on. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
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

/// A Satellite Connector, by id, or by name and region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = Rule::new("has(self.id) != has(self.name)").message("exactly one of id and name must be set"),
    validation = Rule::new("has(self.name) == has(self.region)").message("name and region belong together; id takes no region"),
)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorRef {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ConnectorId>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ConnectorName>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<IbmRegion>,
}

/// What the connector's agents reach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    /// Name or address, as the agents resolve it.
    pub host: HostName,
    /// Port.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u32,
}

choice!(
    /// What passes through. Default TCP; a Key Vault connection needs TCP.
    Protocol {
        /// Bytes as they are.
        TCP,
        /// TLS that the connector may look into.
        TLS,
    }
);

/// What the operator saw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorEndpointStatus {
    /// Id of the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 160))]
    pub endpoint_id: Option<String>,
    /// `host:port` on the IBM Cloud private network; published only after access control is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 259))]
    pub address: Option<String>,
    /// Whether it is switched on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Connections of this namespace that name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    pub used_by: Vec<String>,
    /// The connector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<ConnectorStatus>,
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
    /// When the cloud was last looked at; moves at most once a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_checked_at: Option<Time>,
    /// Last `reconcile-requested-at` that was acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_at: Option<String>,
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

/// The connector as last seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorStatus {
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub name: Option<String>,
    /// Its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub region: Option<String>,
    /// Its state of provisioning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub state: Option<String>,
    /// How many `location` endpoints it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints_used: Option<u32>,
    /// How many it can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints_limit: Option<u32>,
}
