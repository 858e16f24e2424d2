//! The two CRDs as the API server gets them.
//!
//! In: the types. Out: `CustomResourceDefinition`s. Never: a default in `spec`; GitOps tools would report drift.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::{GROUP, azure_keystore_connection::AzureKeystoreConnection, connector_endpoint::ConnectorEndpoint};

/// RFC 3339 with nanoseconds and an offset has 35 characters.
const TIME_LENGTH: i64 = 64;

/// Both CRDs, in the order in which they are installed.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [ConnectorEndpoint::crd(), AzureKeystoreConnection::crd()].into_iter().map(finish).collect()
}

/// One file of `crds/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdFile {
    /// Its name: the group and the plural of the kind.
    pub name: String,
    /// Its text: one YAML document with its marker, so that files can be joined as they are.
    pub text: String,
}

/// Why a file of `crds/` could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CrdFileError {
    /// The definition is no JSON value.
    #[error("the definition could not be turned into JSON")]
    Value(#[source] serde_json::Error),
    /// The value is no YAML text.
    #[error("the definition could not be written as YAML")]
    Text(#[source] serde_yaml::SerializeError),
}

/// Both CRDs as the files that people install, in the order in which they are installed.
///
/// # Errors
/// Only if a schema could not be written as YAML, which a test of this project rules out.
pub fn crd_yaml() -> Result<Vec<CrdFile>, CrdFileError> {
    crds()
        .iter()
        .map(|crd| {
            let mut value = serde_json::to_value(crd).map_err(CrdFileError::Value)?;
            write_whole_numbers(&mut value);
            Ok(CrdFile {
                name: format!("{GROUP}_{}.yaml", crd.spec.names.plural),
                text: format!("---\n{}", serde_yaml::to_string(&value).map_err(CrdFileError::Text)?),
            })
        })
        .collect()
}

/// kstatus calls an object without status "Current", so status starts as "not looked at".
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut()) else {
            continue;
        };
        harden(root);
        if let Some(status) = member(root, "status") {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
            if let Some(conditions) = member(status, "conditions") {
                bound_conditions(conditions);
            }
        }
    }
    crd
}

/// What the derives cannot say, for every schema below this one.
fn harden(schema: &mut JSONSchemaProps) {
    // `null` in a manifest means absent: the API server drops it before any rule runs, if nothing is nullable.
    schema.nullable = None;
    // Put together from doc comments, which start with a space.
    schema.description = schema.description.take().map(|description| description.trim().replace("  ", " "));
    match schema.format.as_deref() {
        // Unknown to the API server, which warns at each install.
        Some("uint32") => {
            schema.format = Some("int32".to_owned());
            schema.maximum = schema.maximum.or(Some(f64::from(i32::MAX)));
        }
        Some("date-time") => schema.max_length = schema.max_length.or(Some(TIME_LENGTH)),
        _ => {}
    }
    if let Some(properties) = schema.properties.as_mut() {
        properties.values_mut().for_each(harden);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        harden(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        harden(values);
    }
}

/// The limits that Kubernetes itself gives `metav1.Condition`; the type of the Rust bindings has none.
fn bound_conditions(conditions: &mut JSONSchemaProps) {
    let Some(JSONSchemaPropsOrArray::Schema(condition)) = conditions.items.as_mut() else {
        return;
    };
    for (name, min_length, max_length, pattern) in [
        (
            "type",
            1,
            316,
            "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
        ),
        ("status", 4, 7, "^(True|False|Unknown)$"),
        ("reason", 1, 1024, "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ] {
        if let Some(field) = member(condition, name) {
            field.min_length = Some(min_length);
            field.max_length = Some(max_length);
            field.pattern = Some(pattern.to_owned());
        }
    }
    if let Some(message) = member(condition, "message") {
        message.max_length = Some(32_768);
    }
    if let Some(generation) = member(condition, "observedGeneration") {
        generation.minimum = Some(0.0);
    }
}

/// Bounds are floats in the bindings; `maximum: 65535.0` would be true but odd.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            if let Some(whole) = text.strip_suffix(".0").and_then(|whole| whole.parse::<i64>().ok()) {
                *number = whole.into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(write_whole_numbers),
        Value::Object(members) => members.values_mut().for_each(write_whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn member<'a>(schema: &'a mut JSONSchemaProps, name: &str) -> Option<&'a mut JSONSchemaProps> {
    schema.properties.as_mut()?.get_mut(name)
}
