//! The little that a pass remembers for the next one.
//!
//! In: times and counts. Out: one small struct in `status.memory`. Never: an id that must survive a crash; losing this costs waiting, never a create.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a stage has been failing with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageFailure {
    /// Condition type of the stage.
    #[schemars(length(max = 64))]
    pub stage: String,
    /// Reason of the failure.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// When this reason was first seen without a break.
    pub since: Time,
    /// How often in a row.
    pub attempts: u32,
}

/// A key-encryption key that was brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KekRepair {
    /// It was made again, not recovered.
    pub made: bool,
    /// When, last.
    pub done_at: Time,
    /// How often since it was last well for a day, or since a person asked.
    #[schemars(range(min = 0, max = 100))]
    pub count: u32,
}

/// A key-encryption key that could not be brought back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KekRefusal {
    /// Azure's code.
    #[schemars(length(max = 64))]
    pub code: String,
    /// When, last.
    pub refused_at: Time,
    /// How often in a row.
    #[schemars(range(min = 0, max = 100))]
    pub count: u32,
}

/// Own memory of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Stages that fail, with their first times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["stage".into()]))]
    #[schemars(length(max = 16))]
    pub failures: Vec<StageFailure>,
    /// Fingerprint of spec and Secrets that the times below belong to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub inputs: Option<String>,
    /// The same, when everything was last as asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub settled_inputs: Option<String>,
    /// When spec or Secrets last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs_changed_at: Option<Time>,
    /// When this object last changed something outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_write_at: Option<Time>,
    /// When everything was last looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_look_at: Option<Time>,
    /// Since when work has been under way without Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progressing_since: Option<Time>,
    /// How often a private endpoint that Azure could not finish was asked for again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub private_endpoint_retries: Option<u32>,
    /// Since when facts have been missing without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclear_since: Option<Time>,
    /// When a private endpoint's tags were last set back; who changes them back again is told, not fought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags_set_at: Option<Time>,
    /// Names of the private endpoint's tags that were set for the spec: what it names no more is taken off again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    #[schemars(length(max = 64), inner(length(max = 512)))]
    pub tag_names: Vec<String>,
    /// When the private endpoint was made, or first seen as ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_endpoint_at: Option<Time>,
    /// The wish for which a private endpoint was deleted: it deletes no second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_for: Option<Time>,
    /// Hash of the owner from whom something was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub took_from: Option<String>,
    /// When the keystore was registered, or the connector endpoint made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Time>,
    /// What UKO was given as `tls_proxy` last, while it does not show one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub tls_proxy_sent: Option<String>,
    /// When the private path was last proven by facts older than UKO's heartbeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_facts_since: Option<Time>,
    /// When public network access was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Time>,
    /// UKO lost the Key Vault right after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_lost: Option<bool>,
    /// How often others opened it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_by_others: Option<u32>,
    /// UKO's last contact with the Key Vault that the first look after its present password showed; 1970 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_before_rotation: Option<Time>,
    /// The last time the key-encryption key was brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kek_repair: Option<KekRepair>,
    /// Why that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kek_refusal: Option<KekRefusal>,
    /// The version of the key-encryption key that counts as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub kek_version: Option<String>,
    /// Since when there has been another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kek_changed_at: Option<Time>,
}

/// What `observedGeneration` says before the first look.
pub(super) fn never_looked() -> i64 {
    -1
}
