//! How closely to look this time, and what an object asked for once.
//!
//! In: memory, fingerprint of the inputs, annotations. Out: a [`Look`]. Never: looks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{driver::Shared, ownership::TAKE_OVER, pace::PaceSettings, summary::age};
use crate::api::v1alpha1::Memory;

/// The annotation that has something lost made again.
const RECREATE: &str = "recreate-requested-at";

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

/// How often everything is looked at, and when it last was.
pub(crate) struct Due {
    every: Duration,
    last: Option<Time>,
}

impl Due {
    /// At each `interval` of the object, and no more often than the operator allows. A quarter less, because a look may come a
    /// fifth early.
    pub(crate) fn of(last: Option<Time>, interval: Duration, pace: &PaceSettings) -> Self {
        Self { every: interval.mul_f64(0.75).max(pace.full_look_interval), last }
    }
}

/// When this process last looked at everything, by object. Status knows it too, but is not written for a time stamp alone.
#[derive(Debug, Default)]
pub(crate) struct FullLooks {
    at: Mutex<HashMap<String, Timestamp>>,
}

impl FullLooks {
    /// When `owner` was last looked at fully; `memory` is what its status says.
    pub(crate) fn last(&self, owner: &str, memory: &Memory) -> Option<Time> {
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner).get(owner).copied().map(Time);
        at.into_iter().chain(memory.full_look_at.clone()).max_by_key(|time| time.0)
    }

    /// A full look found nothing to do.
    pub(crate) fn found_calm(&self, owner: &str, now: Timestamp) {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned(), now);
    }

    /// The object is gone.
    pub(crate) fn forget(&self, owner: &str) {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }
}

/// Time stamps alone are worth a write this often, and after whatever a person asked for.
const STAMPS: Duration = Duration::from_mins(30);

/// Whether they are now, after a look that found everything `settled`.
pub(crate) fn stamps_due(before: Option<&Memory>, settled: bool, now: Timestamp) -> bool {
    let written = before.and_then(|memory| memory.full_look_at.as_ref());
    settled && written.is_none_or(|at| age(at, now) >= STAMPS)
}

impl Look {
    /// Decides; `handled` is the request that status acknowledges.
    pub(crate) fn decide(
        before: &Memory,
        inputs: String,
        annotations: Option<&BTreeMap<String, String>>,
        handled: Option<&str>,
        due: &Due,
        now: Timestamp,
    ) -> Self {
        let requested = request(annotations, "reconcile-requested-at");
        let fresh = requested.is_some() && requested.as_deref() != handled;
        let changed = before.settled_inputs.as_ref() != Some(&inputs);
        let looked = due.last.as_ref().is_some_and(|at| age(at, now) < due.every);
        let calm = before.failures.is_empty() && before.progressing_since.is_none();
        let mut memory = before.clone();
        let new = memory.inputs.as_ref() != Some(&inputs);
        if new {
            memory.inputs = Some(inputs);
            memory.inputs_changed_at = Some(Time(now));
            // A new spec or Secret is a new attempt to set tags, and to close the public address.
            memory.tags_set_at = None;
            (memory.closed_at, memory.reopened_by_others, memory.path_lost) = (None, None, None);
        }
        // Likewise to bring the key-encryption key back; and so is a person's request.
        if new || fresh {
            memory.kek_refusal = None;
            memory.kek_repair.iter_mut().for_each(|repair| repair.count = 0);
        }
        Self { quick: looked && calm && !changed && !fresh, changed, memory, requested }
    }
}

/// What an object says about how closely to look at it.
pub(crate) struct Asked<'a> {
    /// Its memory.
    pub before: &'a Memory,
    /// Its annotations.
    pub annotations: Option<&'a BTreeMap<String, String>>,
    /// The request that status acknowledges.
    pub handled: Option<&'a str>,
    /// `spec.intervalSeconds`.
    pub interval: Option<u32>,
}

impl Shared {
    /// How closely to look at `owner` whose spec and Secrets have the fingerprint `inputs`.
    pub(crate) fn look(&self, owner: &str, asked: &Asked<'_>, inputs: String, now: Timestamp) -> Look {
        let last = self.full_looks.last(owner, asked.before);
        let due = Due::of(last, self.pace.interval(asked.interval), &self.pace);
        Look::decide(asked.before, inputs, asked.annotations, asked.handled, &due, now)
    }
}

/// An annotation of ours that acts once.
pub(crate) fn request(annotations: Option<&BTreeMap<String, String>>, name: &str) -> Option<String> {
    let value = annotations?.get(&format!("uko-operator.io/{name}"))?;
    Some(value.chars().take(64).collect())
}

/// When a person asked for something lost to be made again. A wish counts only if it is younger than the thing (`made`, and
/// without the memory of that an old wish would make it again), and only until it is acknowledged.
pub(crate) fn recreate_requested(
    annotations: Option<&BTreeMap<String, String>>,
    handled: Option<&str>,
    made: Option<&Time>,
) -> Option<Timestamp> {
    let asked = request(annotations, RECREATE).filter(|asked| Some(asked.as_str()) != handled)?;
    asked.parse::<Timestamp>().ok().filter(|asked| made.is_some_and(|made| *asked > made.0))
}

/// What status acknowledges of `recreate-requested-at` and of `take-over`, `handled` being what it acknowledged before. The
/// first is spent once everything is as it should be, the second once all that there was to take is `taken`.
pub(crate) fn spent_wishes(
    annotations: Option<&BTreeMap<String, String>>,
    settled: bool,
    taken: bool,
    handled: [Option<&str>; 2],
) -> [Option<String>; 2] {
    let [recreate, take_over] = handled;
    [
        acknowledged(annotations, RECREATE, settled, recreate),
        acknowledged(annotations, TAKE_OVER, settled || taken, take_over),
    ]
}

/// What status acknowledges of an annotation that acts until it is spent: from then on it must not act on a later loss.
fn acknowledged(
    annotations: Option<&BTreeMap<String, String>>,
    name: &str,
    spent: bool,
    handled: Option<&str>,
) -> Option<String> {
    let asked = request(annotations, name)?;
    (spent || handled == Some(asked.as_str())).then_some(asked)
}

#[cfg(test)]
mod tests {
    use crate::{api::v1alpha1::StageFailure, reconcile::scenario::pace};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn fine() -> Memory {
        Memory {
            inputs: Some("a".to_owned()),
            settled_inputs: Some("a".to_owned()),
            inputs_changed_at: Some(Time(at(-9_000))),
            full_look_at: Some(Time(at(-60))),
            ..Memory::default()
        }
    }

    fn decide(before: &Memory, inputs: &str, asked: Option<&str>, handled: Option<&str>) -> Look {
        let annotations =
            asked.map(|at| BTreeMap::from([("uko-operator.io/reconcile-requested-at".to_owned(), at.to_owned())]));
        let due = Due::of(before.full_look_at.clone(), Duration::from_mins(5), &pace());
        Look::decide(before, inputs.to_owned(), annotations.as_ref(), handled, &due, at(0))
    }

    #[test]
    fn a_look_is_quick_only_while_everything_was_fine_a_short_while_ago() {
        assert!(decide(&fine(), "a", None, None).quick);
        assert!(!decide(&Memory::default(), "a", None, None).quick);
        assert!(!decide(&Memory { full_look_at: Some(Time(at(-1800))), ..fine() }, "a", None, None).quick);
        assert!(!decide(&Memory { progressing_since: Some(Time(at(-1))), ..fine() }, "a", None, None).quick);
        let row =
            StageFailure { stage: "VaultReady".to_owned(), reason: "R".to_owned(), since: Time(at(-1)), attempts: 1 };
        assert!(!decide(&Memory { failures: vec![row], ..fine() }, "a", None, None).quick);
    }

    #[test]
    fn everything_is_looked_at_each_interval_and_only_shorter_checks_are_quick() {
        let often = PaceSettings { full_look_interval: Duration::from_mins(1), ..pace() };
        let quick = |interval: u64, since: i64| {
            let due = Due::of(Some(Time(at(-since))), Duration::from_secs(interval), &often);
            Look::decide(&fine(), "a".to_owned(), None, None, &due, at(0)).quick
        };
        assert!(quick(300, 60), "a check of the key between two looks");
        assert!(!quick(300, 240), "a look that comes a fifth early");
        assert!(!quick(60, 60));
        assert!(quick(10, 40) && !quick(10, 60), "not more often than the operator allows");
        let looks = FullLooks::default();
        assert_eq!(looks.last("a", &fine()), fine().full_look_at);
        looks.found_calm("a", at(-5));
        assert_eq!(looks.last("a", &fine()), Some(Time(at(-5))));
        looks.forget("a");
        assert_eq!(looks.last("a", &Memory::default()), None);
    }

    #[test]
    fn time_stamps_alone_are_written_each_half_hour() {
        let written = |since: i64| Memory { full_look_at: Some(Time(at(-since))), ..Memory::default() };
        assert!(!stamps_due(Some(&written(1799)), true, at(0)) && stamps_due(Some(&written(1800)), true, at(0)));
        assert!(stamps_due(None, true, at(0)) && !stamps_due(None, false, at(0)));
    }

    #[test]
    fn a_changed_input_is_looked_at_fully_until_it_is_fine_and_its_time_is_kept() {
        let look = decide(&fine(), "b", None, None);
        assert!(!look.quick && look.changed);
        assert_eq!((look.memory.inputs.as_deref(), &look.memory.inputs_changed_at), (Some("b"), &Some(Time(at(0)))));
        let again = decide(&Memory { inputs_changed_at: Some(Time(at(-5))), ..look.memory }, "b", None, None);
        assert!(!again.quick && again.changed);
        assert_eq!(again.memory.inputs_changed_at, Some(Time(at(-5))));
    }

    #[test]
    fn a_wish_is_younger_than_what_it_replaces_and_is_spent_once_all_is_well() {
        let set = |at: &str| BTreeMap::from([("uko-operator.io/recreate-requested-at".to_owned(), at.to_owned())]);
        let asked = at(100).to_string();
        let wish = |handled: Option<&str>, made: Option<i64>| {
            recreate_requested(Some(&set(&asked)), handled, made.map(|second| Time(at(second))).as_ref())
        };
        assert_eq!(wish(None, Some(0)), Some(at(100)));
        assert_eq!(wish(Some("earlier"), Some(0)), Some(at(100)));
        assert_eq!((wish(Some(&asked), Some(0)), wish(None, Some(100)), wish(None, None)), (None, None, None));
        let spent = |settled, handled| acknowledged(Some(&set(&asked)), RECREATE, settled, handled);
        assert_eq!((spent(false, None), spent(false, Some("earlier"))), (None, None));
        assert_eq!((spent(true, None), spent(false, Some(asked.as_str()))), (Some(asked.clone()), Some(asked.clone())));
        assert_eq!(acknowledged(None, RECREATE, true, Some(&asked)), None, "taken off, it may be set again");
    }

    #[test]
    fn a_request_counts_once() {
        assert!(!decide(&fine(), "a", Some("1"), None).quick);
        let handled = decide(&fine(), "a", Some("1"), Some("1"));
        assert!(handled.quick && handled.requested.as_deref() == Some("1"));
        assert!(!decide(&fine(), "a", Some("2"), Some("1")).quick);
        let long = decide(&fine(), "a", Some(&"é".repeat(100)), None);
        assert_eq!(long.requested.map(|text| text.chars().count()), Some(64));
    }
}
