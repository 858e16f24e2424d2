//! What a status says of intended work and of differences.
//!
//! In: steps and comparisons. Out: rows that a person reads. Never: a secret, not even in `want` and `have`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a planned step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PlanAction {
    /// Make something new.
    Create,
    /// Take over something that nobody owns.
    Adopt,
    /// Change something that is ours.
    Update,
    /// Remove something that is ours.
    Delete,
    /// Wait for a cloud or a person.
    Wait,
}

/// Why a keystore costs what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CostBasis {
    /// The first external keystore of the instance: it starts UKO's base price.
    FirstKeystore,
    /// A further external keystore.
    FurtherKeystore,
    /// It could not be told whether it is the first: the keystores of the instance could not be read, or all are IBM Cloud's own.
    Unknown,
}

/// What a step adds to the bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EstimatedCost {
    /// Decimal amount a month (730 hours); absent where the basis is Unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub amount: Option<String>,
    /// ISO 4217 code.
    #[schemars(length(max = 3))]
    pub currency: String,
    /// Why.
    pub basis: CostBasis,
    /// Day of the price table, as YYYY-MM-DD.
    #[schemars(length(max = 10))]
    pub prices_as_of: String,
}

/// One step that would be, or is being, done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// What kind of step.
    pub action: PlanAction,
    /// What it touches.
    #[schemars(length(max = 512))]
    pub resource: String,
    /// In one sentence.
    #[schemars(length(max = 512))]
    pub detail: String,
    /// Only where it costs money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_cost: Option<EstimatedCost>,
}

/// One managed field that differs outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Path of the field in the spec.
    #[schemars(length(max = 128))]
    pub field: String,
    /// What the spec says.
    #[schemars(length(max = 256))]
    pub want: String,
    /// What is there.
    #[schemars(length(max = 256))]
    pub have: String,
}

/// The last thing that failed, for a support case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastFailure {
    /// What was tried, such as `arm/GetVault`.
    #[schemars(length(max = 64))]
    pub operation: String,
    /// The cloud's own code, if it is a plain one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub code: Option<String>,
    /// The cloud's request id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub request_id: Option<String>,
    /// When.
    pub at: Time,
}

/// A creation that was announced before its request was sent, so that a lost answer never makes a second one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingCreate {
    /// What is being created: `Keystore`, `ConnectorEndpoint`, `Source` or `UkoVault`.
    #[schemars(length(max = 32))]
    pub kind: String,
    /// Since when.
    pub started_at: Time,
}
