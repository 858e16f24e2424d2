//! The two CRDs as the API server gets them.
//!
//! In: the types. Out: `CustomResourceDefinition`s. Never: a default in `spec`; GitOps tools would report drift.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::{
    azure_keystore_connection::AzureKeystoreConnection, connector_endpoint::ConnectorEndpoint,
};

/// Both CRDs, in the order in which they are installed.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [ConnectorEndpoint::crd(), AzureKeystoreConnection::crd()]
        .into_iter()
        .map(finish)
        .collect()
}

/// kstatus calls an object without status "Current", so status starts as "not looked at". `null` in a manifest means
/// absent, so nothing is nullable: the API server then drops it before any rule runs.
fn finish(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(root) = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        refuse_null(root);
        if let Some(status) = root
            .properties
            .as_mut()
            .and_then(|properties| properties.get_mut("status"))
        {
            status.default = Some(JSON(json!({ "observedGeneration": -1 })));
        }
    }
    crd
}

fn refuse_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for child in schema
        .properties
        .iter_mut()
        .flat_map(|properties| properties.values_mut())
    {
        refuse_null(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        refuse_null(items);
    }
}
