//! When an object holds our finalizer, and the one patch that adds or removes it.
//!
//! In: an object's metadata, and whether its spec asks for a clean-up. Out: a [`Standing`]; at most one merge patch with the
//! object's resourceVersion. Never: touches a finalizer of others; keeps one on an object that says Retain, Plan or suspend.

use std::fmt::Debug;

use kube::{
    Api, Resource,
    api::{ObjectMeta, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{driver::timely, fault::Fault, leadership::Leadership, status::MANAGER};
use crate::api::v1alpha1::{DeletionPolicy, Mode};

/// What keeps an object until everything that it made is gone.
const FINALIZER: &str = "uko-operator.io/finalizer";
/// What lets it go all the same.
const ABANDON: &str = "uko-operator.io/abandon";

/// How an object stands towards its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Alive, with our finalizer exactly if it needs one.
    Alive,
    /// Alive, and must be guarded before anything is made for it.
    Unguarded,
    /// It holds our finalizer and nothing is to be cleaned up: alive or deleted, it is let go.
    Free,
    /// Deleted, and what it made is to be removed first.
    Leaving,
    /// Deleted, and a person said that what it made is left behind.
    Abandoned,
    /// Deleted, and nothing of ours holds it.
    Gone,
}

impl Standing {
    /// Decided on metadata and one fact of the spec alone.
    pub(crate) fn of(metadata: &ObjectMeta, asks_for_cleanup: bool) -> Self {
        let guarded = metadata.finalizers.iter().flatten().any(|one| one == FINALIZER);
        let deleted = metadata.deletion_timestamp.is_some();
        match (deleted, guarded, asks_for_cleanup) {
            (false, false, true) => Self::Unguarded,
            (false, true, true) | (false, false, false) => Self::Alive,
            (_, true, false) => Self::Free,
            (true, false, _) => Self::Gone,
            (true, true, true) if is_abandoned(metadata) => Self::Abandoned,
            (true, true, true) => Self::Leaving,
        }
    }
}

fn is_abandoned(metadata: &ObjectMeta) -> bool {
    let annotations = metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(ABANDON)).is_some_and(|value| value == "true")
}

/// What becomes of the things outside when an object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// They go with it.
    Remove,
    /// They stay, and their marks are given up.
    Release,
    /// They stay as they are: nothing may be written.
    Leave,
}

impl Ending {
    /// Decided on three words of the spec.
    pub(crate) fn of(deletion: Option<DeletionPolicy>, mode: Option<Mode>, suspend: Option<bool>) -> Self {
        match (mode.unwrap_or_default(), suspend.unwrap_or_default(), deletion.unwrap_or_default()) {
            (Mode::Plan, _, _) | (_, true, _) => Self::Leave,
            (Mode::Manage, false, DeletionPolicy::Delete) => Self::Remove,
            (Mode::Manage, false, DeletionPolicy::Retain) => Self::Release,
        }
    }
}

/// Whether a spec that this version cannot read asks for a removal: a word that it does not know asks for nothing.
pub(crate) fn unread_asks_for_cleanup(object: &Value) -> bool {
    let member = |name: &str| object.get("spec").and_then(|spec| spec.get(name));
    member("deletionPolicy").and_then(Value::as_str) == Some("Delete")
        && member("mode").and_then(Value::as_str) != Some("Plan")
        && member("suspend").and_then(Value::as_bool) != Some(true)
}

/// How the patch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patched {
    /// It is as asked for.
    Done,
    /// Somebody wrote in between: look again.
    Outdated,
}

/// Adds our finalizer, or removes it. The answer is read as metadata alone, so it works for a spec that cannot be read.
pub(crate) async fn set<K>(
    api: &Api<K>,
    metadata: &ObjectMeta,
    on: bool,
    leadership: &Leadership,
) -> Result<Patched, Fault>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    leadership.check()?;
    let patch = json!({
        "metadata": { "resourceVersion": metadata.resource_version, "finalizers": finalizers(metadata, on) },
    });
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let name = metadata.name.as_deref().unwrap_or_default();
    match timely(api.patch_metadata(name, &params, &Patch::Merge(patch))).await {
        Ok(_) => Ok(Patched::Done),
        Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => Ok(Patched::Outdated),
        Err(error) => Err(Fault::from(error)),
    }
}

fn finalizers(metadata: &ObjectMeta, on: bool) -> Vec<&str> {
    let others = metadata.finalizers.iter().flatten().map(String::as_str).filter(|one| *one != FINALIZER);
    others.chain(on.then_some(FINALIZER)).collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

    use super::*;

    fn metadata(deleted: bool, finalizers: &[&str], abandon: Option<&str>) -> ObjectMeta {
        ObjectMeta {
            deletion_timestamp: deleted.then_some(Time(Timestamp::UNIX_EPOCH)),
            finalizers: Some(finalizers.iter().map(|one| (*one).to_owned()).collect()),
            annotations: abandon.map(|value| [(ABANDON.to_owned(), value.to_owned())].into()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn an_object_is_held_only_while_its_spec_asks_for_a_clean_up() {
        let (ours, theirs) = ([FINALIZER, "other.io/x"], ["other.io/x"]);
        for (deleted, finalizers, asks, standing) in [
            (false, &theirs[..], true, Standing::Unguarded),
            (false, &ours[..], true, Standing::Alive),
            (false, &theirs[..], false, Standing::Alive),
            (false, &ours[..], false, Standing::Free),
            (true, &ours[..], false, Standing::Free),
            (true, &ours[..], true, Standing::Leaving),
            (true, &theirs[..], true, Standing::Gone),
            (true, &theirs[..], false, Standing::Gone),
        ] {
            assert_eq!(Standing::of(&metadata(deleted, finalizers, None), asks), standing);
        }
    }

    #[test]
    fn abandon_counts_only_for_what_is_deleted_and_only_as_true() {
        let of = |deleted, value| Standing::of(&metadata(deleted, &[FINALIZER], Some(value)), true);
        assert_eq!(of(true, "true"), Standing::Abandoned);
        assert_eq!(of(true, "yes"), Standing::Leaving);
        assert_eq!(of(false, "true"), Standing::Alive);
    }

    #[test]
    fn plan_and_suspend_ask_for_nothing_read_or_unread() {
        let delete = Some(DeletionPolicy::Delete);
        for (spec, deletion, mode, suspend, asks) in [
            (json!({"deletionPolicy": "Delete", "broken": 1}), delete, None, None, true),
            (json!({"deletionPolicy": "Delete", "mode": "Manage"}), delete, Some(Mode::Manage), Some(false), true),
            (json!({"deletionPolicy": "Delete", "mode": "Plan"}), delete, Some(Mode::Plan), None, false),
            (json!({"deletionPolicy": "Delete", "suspend": true}), delete, None, Some(true), false),
            (json!({"deletionPolicy": "Retain"}), Some(DeletionPolicy::Retain), None, None, false),
            (json!({}), None, None, None, false),
        ] {
            assert_eq!(unread_asks_for_cleanup(&json!({ "spec": spec })), asks, "{spec}");
            assert_eq!(Ending::of(deletion, mode, suspend) == Ending::Remove, asks, "{spec}");
        }
        assert_eq!(Ending::of(None, None, None), Ending::Release);
        assert_eq!(Ending::of(None, Some(Mode::Plan), None), Ending::Leave);
        assert_eq!(Ending::of(None, None, Some(true)), Ending::Leave);
        for odd in [json!(null), json!({"spec": 3}), json!({"spec": {"deletionPolicy": "Purge"}})] {
            assert!(!unread_asks_for_cleanup(&odd), "{odd}");
        }
    }

    #[test]
    fn finalizers_of_others_stay_where_they_are() {
        let before = metadata(false, &["a.io/x", FINALIZER, "b.io/y"], None);
        assert_eq!(finalizers(&before, false), ["a.io/x", "b.io/y"]);
        assert_eq!(finalizers(&before, true), ["a.io/x", "b.io/y", FINALIZER]);
    }
}
