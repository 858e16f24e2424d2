//! `uko-operator crds`.
//!
//! In: the types. Out: both CRDs as YAML documents. Never: asks a cluster.

use anyhow::Context as _;

use crate::api::v1alpha1::crds;

pub(super) fn yaml() -> anyhow::Result<String> {
    let mut text = String::new();
    for crd in crds() {
        text.push_str("---\n");
        text.push_str(&serde_yaml::to_string(&crd).context("cannot write a CRD as YAML")?);
    }
    Ok(text)
}
