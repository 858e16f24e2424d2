//! The schema of the values of `charts/keystore-connection`, from the CRDs.
//!
//! In: the CRDs. Out: one JSON schema (draft 7, which Helm 3 and 4 read) in which nothing unknown is allowed at any depth. Never: a
//! field for a secret value, because no CRD has one; a required field, because a default may hold it and the API server checks the whole.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

/// What a JSON schema takes over from a CRD as it stands. CEL rules and list types are the API server's alone.
const KEPT: [&str; 11] = [
    "description",
    "type",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
];

/// The schema as text.
pub(crate) fn text(crds: &[CustomResourceDefinition]) -> String {
    let mut definitions = Map::new();
    let (mut defaults, mut values) = (Map::new(), Map::new());
    for crd in crds {
        let crd = serde_json::to_value(crd).unwrap();
        let plural = match crd["spec"]["names"]["kind"].as_str().unwrap() {
            "ConnectorEndpoint" => "connectorEndpoints",
            "AzureKeystoreConnection" => "azureKeystoreConnections",
            kind => panic!("the chart does not know {kind}"),
        };
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let one = json!({ "$ref": format!("#/definitions/{plural}") });
        definitions.insert(plural.to_owned(), instance(spec));
        values.insert(
            plural.to_owned(),
            json!({ "type": "object", "propertyNames": name(63), "additionalProperties": one }),
        );
        defaults.insert(plural.to_owned(), one);
    }
    values.insert("operator".to_owned(), strict(&json!({ "namespace": name(63), "serviceAccount": name(253) })));
    values.insert("rbac".to_owned(), strict(&json!({ "create": { "type": "boolean" } })));
    values.insert("defaults".to_owned(), strict(&Value::Object(defaults)));
    values.insert("global".to_owned(), json!({ "type": "object", "description": "Helm's own; not used." }));
    let mut schema = strict(&Value::Object(values));
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["$comment"] = json!("Generated from src/api/v1alpha1: UPDATE_GENERATED=1 cargo test --test generated");
    schema["definitions"] = Value::Object(definitions);
    format!("{schema:#}\n")
}

/// An object of these members and no other.
fn strict(properties: &Value) -> Value {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn name(longest: u16) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$" })
}

fn instance(spec: &Value) -> Value {
    let texts = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    strict(&json!({ "labels": texts, "annotations": texts, "spec": part(spec) }))
}

/// A part of a CRD's schema, made strict.
fn part(of: &Value) -> Value {
    let mut made: Map<String, Value> =
        KEPT.iter().filter_map(|key| Some(((*key).to_owned(), of.get(*key)?.clone()))).collect();
    if let Some(items) = of.get("items") {
        made.insert("items".to_owned(), part(items));
    }
    if let Some(members) = of.get("additionalProperties") {
        made.insert("additionalProperties".to_owned(), part(members));
    }
    if let Some(properties) = of.get("properties").and_then(Value::as_object) {
        let properties = properties.iter().map(|(key, member)| (key.clone(), part(member))).collect();
        made.insert("properties".to_owned(), Value::Object(properties));
        made.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    Value::Object(made)
}
