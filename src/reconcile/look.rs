//! How closely to look this time, and what an object asked for once.
//!
//! In: memory, fingerprint of the inputs, annotations. Out: a [`Look`]. Never: looks.

use std::collections::BTreeMap;

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{pace::PaceSettings, summary::age};
use crate::api::v1alpha1::Memory;

/// The look of one pass.
pub(crate) struct Look {
    /// Only what changes by itself; everything was fine at the last full look.
    pub quick: bool,
    /// Spec or Secrets are not those with which everything was last fine.
    pub changed: bool,
    /// Memory with the inputs of this pass.
    pub memory: Memory,
    /// Value of `reconcile-requested-at` that this pass acts on.
    pub requested: Option<String>,
}

impl Look {
    /// Decides; `handled` is the request that status acknowledges.
    pub(crate) fn decide(
        before: &Memory,
        inputs: String,
        annotations: Option<&BTreeMap<String, String>>,
        handled: Option<&str>,
        pace: &PaceSettings,
        now: Timestamp,
    ) -> Self {
        let requested = request(annotations, "reconcile-requested-at");
        let fresh = requested.is_some() && requested.as_deref() != handled;
        let changed = before.settled_inputs.as_ref() != Some(&inputs);
        let looked = before.full_look_at.as_ref().is_some_and(|at| age(at, now) < pace.full_look_interval);
        let calm = before.failures.is_empty() && before.progressing_since.is_none();
        let mut memory = before.clone();
        if memory.inputs.as_ref() != Some(&inputs) {
            memory.inputs = Some(inputs);
            memory.inputs_changed_at = Some(Time(now));
        }
        Self { quick: looked && calm && !changed && !fresh, changed, memory, requested }
    }
}

/// An annotation of ours that acts once.
pub(crate) fn request(annotations: Option<&BTreeMap<String, String>>, name: &str) -> Option<String> {
    let value = annotations?.get(&format!("uko-operator.io/{name}"))?;
    Some(value.chars().take(64).collect())
}
