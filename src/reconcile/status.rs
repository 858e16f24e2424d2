//! Writes a status, and only when it says something new.
//!
//! In: what stood there and what was found. Out: at most one merge patch with the object's resourceVersion. Never: overwrites a newer object.

use std::fmt::Debug;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::{
    Api, Resource, ResourceExt,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

/// Field manager of every write to Kubernetes.
pub(crate) const MANAGER: &str = "uko-operator";

/// How a write ended.
#[derive(Debug)]
pub(crate) enum Written {
    /// Nothing new to say.
    Unchanged,
    /// Written.
    Changed,
    /// Somebody wrote in between: look again.
    Outdated,
}

/// Writes `new` over `old` when more than a time stamp changed, or when `stamps` are due.
pub(crate) async fn write<K, S>(
    api: &Api<K>,
    object: &K,
    old: &S,
    new: &S,
    stamps: bool,
    schema: Option<&JSONSchemaProps>,
) -> Result<Written, kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
    S: Serialize,
{
    let (old, mut new) = (to_value(old)?, to_value(new)?);
    if let Some(schema) = schema {
        fit(&mut new, schema);
    }
    let news = if stamps { old != new } else { without_stamps(old.clone()) != without_stamps(new.clone()) };
    if !news {
        return Ok(Written::Unchanged);
    }
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "resourceVersion": object.resource_version() },
        "status": merge_patch(&old, &new).unwrap_or_else(|| Value::Object(Map::new())),
    });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match api.patch_status(&object.name_any(), &params, &Patch::Merge(patch)).await {
        Ok(_) => Ok(Written::Changed),
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(Written::Outdated),
        Err(error) => Err(error),
    }
}

fn to_value<S: Serialize>(status: &S) -> Result<Value, kube::Error> {
    serde_json::to_value(status).map_err(kube::Error::SerdeError)
}

/// Fields that move with time alone, and request ids, which move with every failure.
fn is_stamp(name: &str) -> bool {
    matches!(name, "lastCheckedAt" | "observedAt" | "lastHeartbeat" | "requestId" | "at" | "fullLookAt")
}

fn without_stamps(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(name, _)| !is_stamp(name))
                .map(|(name, value)| (name, without_stamps(value)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_stamps).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}

/// Cuts texts and lists to what the schema takes: a status that the API server refuses says nothing at all.
fn fit(value: &mut Value, schema: &JSONSchemaProps) {
    match value {
        Value::String(text) => {
            if let Some(longest) = schema.max_length.and_then(|longest| usize::try_from(longest).ok()) {
                *text = text.chars().take(longest).collect();
            }
        }
        Value::Array(items) => {
            if let Some(most) = schema.max_items.and_then(|most| usize::try_from(most).ok()) {
                items.truncate(most);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(of_items)) = &schema.items {
                for item in items {
                    fit(item, of_items);
                }
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if let Some(of_member) = schema.properties.as_ref().and_then(|properties| properties.get(name)) {
                    fit(member, of_member);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The schema of the status in a CRD.
pub(crate) fn schema_of(crd: &CustomResourceDefinition) -> Option<JSONSchemaProps> {
    let schema = crd.spec.versions.first()?.schema.as_ref()?.open_api_v3_schema.as_ref()?;
    schema.properties.as_ref()?.get("status").cloned()
}

/// The JSON merge patch (RFC 7396) from `old` to `new`; none when they are equal.
fn merge_patch(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (old, new) if old == new => None,
        (Value::Object(old), Value::Object(new)) => {
            let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| (name.clone(), Value::Null));
            let changed = new.iter().filter_map(|(name, value)| {
                let patch = old.get(name).map_or_else(|| Some(value.clone()), |before| merge_patch(before, value));
                patch.map(|patch| (name.clone(), patch))
            });
            Some(Value::Object(gone.chain(changed).collect()))
        }
        (_, new) => Some(new.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_removes_what_is_gone_and_holds_only_what_changed() {
        let old = json!({ "a": 1, "b": { "c": 1, "d": 2 }, "gone": true });
        let new = json!({ "a": 1, "b": { "c": 3, "d": 2 }, "list": [1] });
        assert_eq!(merge_patch(&old, &new), Some(json!({ "b": { "c": 3 }, "gone": null, "list": [1] })));
        assert_eq!(merge_patch(&new, &new), None);
    }

    #[test]
    fn a_status_is_cut_to_what_the_api_server_takes() {
        let crd = crate::api::v1alpha1::crds().remove(0);
        let schema = schema_of(&crd).unwrap();
        let mut status =
            json!({ "plan": [{ "detail": "ä".repeat(2000), "action": "Create" }], "usedBy": vec!["x"; 100] });
        fit(&mut status, &schema);
        assert_eq!(status["plan"][0]["detail"].as_str().unwrap().chars().count(), 512);
        assert_eq!(status["plan"][0]["action"], "Create");
        assert_eq!(status["usedBy"].as_array().unwrap().len(), 64);
    }

    #[test]
    fn stamps_and_request_ids_alone_say_nothing_new() {
        let old = json!({ "lastCheckedAt": "1", "lastFailure": { "operation": "x", "requestId": "1", "at": "1" } });
        let new = json!({ "lastCheckedAt": "2", "lastFailure": { "operation": "x", "requestId": "2", "at": "2" } });
        assert_eq!(without_stamps(old.clone()), without_stamps(new));
        assert_ne!(without_stamps(old), without_stamps(json!({ "lastFailure": { "operation": "y" } })));
    }
}
