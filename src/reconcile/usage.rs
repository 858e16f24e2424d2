//! Which keystores go through a `ConnectorEndpoint`: an annotation that outlives the objects that wrote it.
//!
//! In: annotations. Out: ids, and one merge patch with the object's resourceVersion. Never: removes the id of another keystore.

use std::collections::{BTreeMap, BTreeSet};

use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{driver::timely, fault::Fault, finalizer::Patched, leadership::Leadership, status::MANAGER};
use crate::api::v1alpha1::ConnectorEndpoint;

/// Ids of keystores, separated by commas.
pub(crate) const USED_BY: &str = "uko-operator.io/used-by-keystore";

/// The keystores that an annotation names.
pub(crate) fn keystores(annotations: Option<&BTreeMap<String, String>>) -> BTreeSet<String> {
    let text = annotations.and_then(|all| all.get(USED_BY)).map(String::as_str).unwrap_or_default();
    text.split(',').map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// The annotation that names these; none where there are none.
fn text(keystores: &BTreeSet<String>) -> Option<String> {
    (!keystores.is_empty()).then(|| keystores.iter().map(String::as_str).collect::<Vec<_>>().join(","))
}

/// Every `ConnectorEndpoint` of a namespace.
pub(crate) async fn endpoints(kube: &Client, namespace: &str) -> Result<Vec<ConnectorEndpoint>, Fault> {
    let api: Api<ConnectorEndpoint> = Api::namespaced(kube.clone(), namespace);
    Ok(timely(api.list(&ListParams::default())).await?.items)
}

/// Writes which keystores go through `endpoint`.
pub(crate) async fn set(
    kube: &Client,
    endpoint: &ConnectorEndpoint,
    keystores: &BTreeSet<String>,
    leadership: &Leadership,
) -> Result<Patched, Fault> {
    leadership.check()?;
    let namespace = endpoint.namespace().unwrap_or_default();
    let api: Api<ConnectorEndpoint> = Api::namespaced(kube.clone(), &namespace);
    let patch = json!({
        "metadata": { "resourceVersion": endpoint.resource_version(), "annotations": { USED_BY: text(keystores) } },
    });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    match timely(api.patch_metadata(&endpoint.name_any(), &params, &Patch::Merge(patch))).await {
        Ok(_) => Ok(Patched::Done),
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(Patched::Outdated),
        Err(error) => Err(Fault::from(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotation_holds_several_ids_and_vanishes_with_the_last() {
        let of = |text: &str| keystores(Some(&BTreeMap::from([(USED_BY.to_owned(), text.to_owned())])));
        let two = of("b, a,,a ");
        assert_eq!(text(&two).as_deref(), Some("a,b"));
        assert_eq!(of(&text(&two).unwrap()), two);
        assert_eq!((text(&of(" ")), keystores(None).len()), (None, 0));
    }
}
