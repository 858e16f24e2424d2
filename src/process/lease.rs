//! What a Lease says, and what may be done about it.
//!
//! In: the record as last read, when its holder's part last changed by our own monotonic clock. Out: whether it may be
//! taken, and the next record. Never: compares a remote wall clock with ours; reads or writes the Lease.

use std::{collections::BTreeSet, fmt::Write as _, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use tokio::time::Instant;

use crate::reconcile::leadership::Term;

/// Name of the Lease: one for an operator that watches all namespaces, another for each set of watched ones.
#[must_use]
pub fn lease_name(watched: &BTreeSet<String>) -> String {
    let mut name = "uko-operator".to_owned();
    if watched.is_empty() {
        return name;
    }
    let set = watched.iter().map(String::as_str).collect::<Vec<_>>();
    name.push('-');
    for byte in digest(&SHA256, set.join(",").as_bytes()).as_ref().iter().take(5) {
        let _ = write!(name, "{byte:02x}"); // writing to a String cannot fail
    }
    name
}

/// Whether the Lease may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    /// Its holder is alive, as far as we have seen.
    Held,
    /// Nobody holds it: never made, or released in order.
    Free,
    /// Its holder did not renew it for the whole lease duration.
    Expired,
}

/// The Lease as we last saw it.
#[derive(Clone, Debug)]
pub(super) struct Sighting {
    lease: Option<Lease>,
    /// A Lease that we had seen is gone: its last holder may still believe in it.
    vanished: bool,
    since: Instant,
}

impl Sighting {
    pub(super) fn first(lease: Option<Lease>, now: Instant) -> Self {
        Self { lease, vanished: false, since: now }
    }

    /// The next look. Only a change of the holder's part starts the clock again: a label does not keep a dead holder alive.
    pub(super) fn next(self, lease: Option<Lease>, now: Instant) -> Self {
        let gone = lease.is_none();
        let unchanged = spec(lease.as_ref()) == spec(self.lease.as_ref());
        Self {
            vanished: gone && (self.vanished || self.lease.is_some()),
            since: if unchanged { self.since } else { now },
            lease,
        }
    }

    pub(super) fn opening(&self, now: Instant, lease_duration: Duration) -> Opening {
        let spec = spec(self.lease.as_ref());
        if !self.vanished && holder(spec).is_none() {
            return Opening::Free;
        }
        // A holder with longer settings stops later than we would.
        let theirs = spec
            .and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok())
            .map_or(Duration::ZERO, Duration::from_secs);
        if now.saturating_duration_since(self.since) >= lease_duration.max(theirs) {
            Opening::Expired
        } else {
            Opening::Held
        }
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    pub(super) fn holder(&self) -> Option<&str> {
        holder(spec(self.lease.as_ref()))
    }
}

/// One candidate's hold on the Lease: the part of the record that names it and no other, not even a namesake.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claim {
    holder: String,
    acquired: MicroTime,
    transitions: i32,
}

impl Claim {
    pub(super) fn after(seen: Option<&Lease>, holder: &str, now: Timestamp) -> Self {
        let before = spec(seen).and_then(|spec| spec.lease_transitions);
        Self { holder: holder.to_owned(), acquired: MicroTime(now), transitions: before.unwrap_or(0).saturating_add(1) }
    }

    pub(super) fn term(&self) -> Term {
        Term(self.transitions)
    }

    /// Whether the record is what this claim wrote. A write whose answer was lost is found again by this.
    pub(super) fn is_in(&self, lease: &Lease) -> bool {
        spec(Some(lease)).is_some_and(|spec| {
            spec.holder_identity.as_ref() == Some(&self.holder)
                && spec.acquire_time.as_ref().map(micros) == Some(micros(&self.acquired))
                && spec.lease_transitions == Some(self.transitions)
        })
    }

    /// The record that holds the Lease from `now` on. Keeps the metadata, so the `resourceVersion` guards the write.
    pub(super) fn held(&self, seen: &Lease, now: Timestamp, lease_duration: Duration) -> Lease {
        let mut lease = self.record(seen, now, lease_duration);
        if let Some(spec) = &mut lease.spec {
            spec.holder_identity = Some(self.holder.clone());
        }
        lease
    }

    /// The record that lets the next candidate in at once.
    pub(super) fn released(&self, seen: &Lease, now: Timestamp, lease_duration: Duration) -> Lease {
        self.record(seen, now, lease_duration)
    }

    fn record(&self, seen: &Lease, now: Timestamp, lease_duration: Duration) -> Lease {
        Lease {
            metadata: seen.metadata.clone(),
            spec: Some(LeaseSpec {
                acquire_time: Some(self.acquired.clone()),
                lease_duration_seconds: i32::try_from(lease_duration.as_secs()).ok(),
                lease_transitions: Some(self.transitions),
                renew_time: Some(MicroTime(now)),
                ..LeaseSpec::default()
            }),
        }
    }
}

/// The Lease that does not exist yet.
pub(super) fn unborn(name: &str) -> Lease {
    let labels = [("app.kubernetes.io/name", "uko-operator"), ("app.kubernetes.io/managed-by", "uko-operator")];
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()),
            ..ObjectMeta::default()
        },
        spec: None,
    }
}

fn spec(lease: Option<&Lease>) -> Option<&LeaseSpec> {
    lease.and_then(|lease| lease.spec.as_ref())
}

fn holder(spec: Option<&LeaseSpec>) -> Option<&str> {
    spec.and_then(|spec| spec.holder_identity.as_deref()).filter(|holder| !holder.is_empty())
}

/// Kubernetes keeps microseconds; our clock has nanoseconds.
fn micros(time: &MicroTime) -> i64 {
    time.0.as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(15);

    fn time(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).unwrap()
    }

    fn held_by(holder: &str) -> Lease {
        Claim::after(None, holder, time(1)).held(&unborn("l"), time(1), TTL)
    }

    #[test]
    fn the_lease_is_named_after_the_set_of_watched_namespaces() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(lease_name(&set(&[])), "uko-operator");
        let one = lease_name(&set(&["a", "b"]));
        assert_eq!(one, lease_name(&set(&["b", "a"])));
        assert_ne!(one, lease_name(&set(&["a"])));
        assert_eq!(one.len(), "uko-operator-".len() + 10);
    }

    #[test]
    fn a_holder_is_dead_only_after_its_record_stood_still_for_the_whole_duration() {
        let start = Instant::now();
        let seen = Sighting::first(Some(held_by("a")), start);
        assert_eq!(seen.opening(start + TTL / 2, TTL), Opening::Held);
        assert_eq!(seen.opening(start + TTL, TTL), Opening::Expired);

        let mut renewed = held_by("a");
        renewed.spec.as_mut().unwrap().renew_time = Some(MicroTime(time(9)));
        let seen = seen.next(Some(renewed.clone()), start + TTL / 2);
        assert_eq!(seen.opening(start + TTL, TTL), Opening::Held);

        renewed.metadata.labels = None;
        let seen = seen.next(Some(renewed), start + TTL);
        let late = start + TTL / 2 + TTL;
        assert_eq!(seen.opening(late, TTL), Opening::Expired, "a label is no sign of life");
    }

    #[test]
    fn the_longer_duration_of_a_holder_is_respected() {
        let start = Instant::now();
        let seen = Sighting::first(Some(held_by("a")), start);
        let ours = Duration::from_secs(4);
        assert_eq!(seen.opening(start + ours, ours), Opening::Held);
        assert_eq!(seen.opening(start + TTL, ours), Opening::Expired);
    }

    #[test]
    fn a_released_or_absent_lease_is_free_but_a_deleted_one_is_not() {
        let start = Instant::now();
        assert_eq!(Sighting::first(None, start).opening(start, TTL), Opening::Free);
        let claim = Claim::after(None, "a", time(1));
        let released = claim.released(&unborn("l"), time(2), TTL);
        let seen = Sighting::first(Some(held_by("a")), start).next(Some(released), start);
        assert_eq!(seen.opening(start, TTL), Opening::Free);

        let deleted = Sighting::first(Some(held_by("a")), start).next(None, start).next(None, start + TTL / 2);
        assert_eq!(deleted.opening(start + TTL / 2, TTL), Opening::Held);
        assert_eq!(deleted.opening(start + TTL, TTL), Opening::Expired);
    }

    #[test]
    fn a_namesake_is_not_us_and_every_claim_has_a_higher_term() {
        let first = Claim::after(None, "same", time(1));
        let record = first.held(&unborn("l"), time(5), TTL);
        assert!(first.is_in(&record));
        let second = Claim::after(Some(&record), "same", time(1));
        assert!(second.term() > first.term());
        assert!(!second.is_in(&record));
        assert!(!first.is_in(&first.released(&record, time(6), TTL)));
    }
}
