//! Creations that must not happen twice although the process may die between request and answer.
//!
//! In: what stands in `status.pendingCreate`, and what this process remembers of it. Out: announce, go, or wait. Never: sends anything.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use tokio::time::Instant;

use super::{
    driver::Shared,
    stage::Word,
    summary::{self, Done},
};
use crate::api::v1alpha1::PendingCreate;

/// How many looks fit into the time in which a lost request may still take effect: one every ten seconds by default.
const LOOKS: u32 = 12;

/// The announcements that this process made and has not used.
#[derive(Debug)]
pub(crate) struct Announced {
    fresh: Mutex<HashMap<String, Time>>,
    /// Sent and not seen yet. Status says the same, but it can be lost: with its object, or in a restore.
    sent: Mutex<HashMap<String, PendingCreate>>,
    /// A request that was sent and never answered has had its effect by then, or never will.
    lost_after: Duration,
}

/// When the facts behind a step were looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// By the clock of status.
    pub clock: Timestamp,
    /// By the process's own.
    pub looked: Instant,
}

/// Whether a step may be sent now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Turn {
    /// Send it.
    Send,
    /// First put this on record.
    Record(PendingCreate),
    /// Not now; why, and when to ask again.
    Held(Word, Duration),
}

impl Shared {
    /// Asks the table of locks and, for something that must not be made twice, the announcements.
    pub(crate) fn turn(
        &self,
        owner: &str,
        locks: &[String],
        creates: Option<&str>,
        pending: Option<&PendingCreate>,
        seen_at: Seen,
    ) -> Turn {
        let now = seen_at.clock;
        if let Some(kind) = creates {
            match self.announced.ask(owner, kind, pending, self.leadership.create_pause_left(), now) {
                Permission::Announce(pending) => return Turn::Record(pending),
                Permission::Go => {}
                Permission::Wait(wait) => {
                    let message = "An earlier request may still take effect; the clouds are asked again before a new one is sent.";
                    return Turn::Held(Word { reason: "CreationOutcomeInProgress", message: message.to_owned() }, wait);
                }
            }
        }
        let Some(held) = self.reserve(owner, locks, seen_at) else { return Turn::Send };
        // What was announced stays announced: it is sent as soon as the lock is free.
        if let Some(pending) = pending.filter(|_| creates.is_some()) {
            self.announced.keep(owner, pending);
        }
        held
    }

    /// Takes locks that must be held already when a creation is announced; or says why not.
    pub(crate) fn reserve(&self, owner: &str, locks: &[String], seen_at: Seen) -> Option<Turn> {
        if self.locks.take(locks, owner, seen_at.looked) {
            return None;
        }
        let message = "Another object is changing the same Key Vault, subnet, connector or number of keystores; one change at a time.";
        Some(Turn::Held(
            Word { reason: "OtherChangeInProgress", message: message.to_owned() },
            self.pace.poll_interval.min(Duration::from_secs(2)),
        ))
    }
}

impl Shared {
    /// A step was sent and came back. What was refused holds nothing any longer: neither its locks, on which others wait, nor
    /// the announcement. Gives the record of a creation whose answer was lost.
    pub(crate) fn ended(
        &self,
        owner: &str,
        locks: &[String],
        creates: Option<&str>,
        done: &Done,
        now: Timestamp,
    ) -> Option<PendingCreate> {
        if is_refused(done) {
            self.locks.release(locks, owner);
        }
        self.announced.ended(owner, creates, done, now)
    }
}

/// Nothing was made, and nothing will be.
fn is_refused(done: &Done) -> bool {
    matches!(done, Done::Failed(fault) if !fault.outcome_unknown)
}

/// How old a record may become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Age {
    /// Now.
    pub now: Timestamp,
    /// `--lost-create-timeout`.
    pub lost_after: Duration,
}

impl Age {
    /// How often to look for something whose creation may have been lost.
    pub(crate) fn look_every(self) -> Duration {
        self.lost_after / LOOKS
    }
}

/// Whether what a record speaks of may still appear.
pub(crate) fn may_still_come(pending: &PendingCreate, age: Age) -> bool {
    summary::age(&pending.started_at, age.now) < age.lost_after
}

/// What stays on record of a creation after a pass whose step `creates` something. The record goes when the thing is found,
/// when the cloud refused to make it, or when a lost request can have no effect any more and nobody wants to repeat it; not
/// because a list failed.
pub(crate) fn standing(
    pending: Option<&PendingCreate>,
    creates: Option<&str>,
    done: &Done,
    age: Age,
    found: impl FnOnce(&str) -> bool,
) -> Option<PendingCreate> {
    let pending = pending?;
    let wanted = creates == Some(&pending.kind);
    let may_still_come = wanted || may_still_come(pending, age);
    let refused = wanted && is_refused(done);
    (may_still_come && !refused && !found(&pending.kind)).then(|| pending.clone())
}

/// What may be done about a creation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Permission {
    /// Put this on record; it ends the pass.
    Announce(PendingCreate),
    /// It is on record, by us, and was not sent yet: send it.
    Go,
    /// It may have been sent by a process that died: look again after this long.
    Wait(Duration),
}

impl Announced {
    /// None yet. `lost_after` is `--lost-create-timeout`.
    pub(crate) fn new(lost_after: Duration) -> Self {
        Self { fresh: Mutex::default(), sent: Mutex::default(), lost_after }
    }

    /// What `owner` may do about creating `kind`. `pause` is what a leader that took an expired lease still has to wait.
    pub(crate) fn ask(
        &self,
        owner: &str,
        kind: &str,
        pending: Option<&PendingCreate>,
        pause: Duration,
        now: Timestamp,
    ) -> Permission {
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if pause > Duration::ZERO {
            return Permission::Wait(pause.min(self.look_every()));
        }
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.retain(|_, pending| summary::age(&pending.started_at, now) < self.lost_after);
        let known = [pending, sent.get(owner)].into_iter().flatten().max_by_key(|known| known.started_at.0).cloned();
        if let Some(pending) = known {
            let (old, ours) = (summary::age(&pending.started_at, now), pending.kind == kind);
            let unused = ours && fresh.remove(owner).is_some_and(|ours| ours == pending.started_at);
            // The record must still cover the request for a while after it is sent, or it is made anew.
            if unused && old < self.lost_after / 2 {
                sent.insert(owner.to_owned(), pending);
                return Permission::Go;
            }
            if !unused && old < self.lost_after {
                return Permission::Wait(self.look_every());
            }
        }
        let started_at = Time(now);
        fresh.insert(owner.to_owned(), started_at.clone());
        Permission::Announce(PendingCreate { kind: kind.to_owned(), started_at })
    }

    /// How old a record of this process may become.
    pub(crate) fn age(&self, now: Timestamp) -> Age {
        Age { now, lost_after: self.lost_after }
    }

    /// How often to look for something whose creation may have been lost.
    fn look_every(&self) -> Duration {
        self.lost_after / LOOKS
    }

    /// What was sent is there, or was refused.
    pub(crate) fn settle(&self, owner: &str, over: impl Fn(&str) -> bool) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if sent.get(owner).is_some_and(|pending| over(&pending.kind)) {
            sent.remove(owner);
        }
    }

    /// A creation was sent and came back. One whose answer was lost may take effect for as long as any other lost request.
    pub(crate) fn ended(
        &self,
        owner: &str,
        creates: Option<&str>,
        done: &Done,
        now: Timestamp,
    ) -> Option<PendingCreate> {
        if is_refused(done) {
            self.settle(owner, |kind| creates == Some(kind));
        }
        let unknown = matches!(done, Done::Failed(fault) if fault.outcome_unknown);
        creates.filter(|_| unknown).map(|kind| PendingCreate { kind: kind.to_owned(), started_at: Time(now) })
    }

    /// The announcement was not used after all.
    fn keep(&self, owner: &str, pending: &PendingCreate) {
        self.settle(owner, |_| true);
        let mut fresh = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.insert(owner.to_owned(), pending.started_at.clone());
    }

    /// Nothing is being created for `owner` any more.
    pub(crate) fn forget(&self, owner: &str) {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::{fault::Fault, leadership::CREATE_PAUSE};

    const EVERY: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn announced(permission: Permission) -> PendingCreate {
        match permission {
            Permission::Announce(pending) => pending,
            Permission::Go | Permission::Wait(_) => panic!("not announced"),
        }
    }

    #[test]
    fn a_creation_is_announced_first_and_sent_once() {
        let table = Announced::new(CREATE_PAUSE);
        let pending = announced(table.ask("a", "Keystore", None, Duration::ZERO, at(0)));
        assert_eq!(table.ask("a", "Keystore", Some(&pending), Duration::ZERO, at(1)), Permission::Go);
        assert_eq!(table.ask("a", "Keystore", Some(&pending), Duration::ZERO, at(2)), Permission::Wait(EVERY));
    }

    #[test]
    fn another_process_waits_until_the_lost_request_can_have_no_effect_any_more() {
        let pending = announced(Announced::new(CREATE_PAUSE).ask("a", "Keystore", None, Duration::ZERO, at(0)));
        let successor = Announced::new(CREATE_PAUSE);
        assert_eq!(successor.ask("a", "Keystore", Some(&pending), Duration::ZERO, at(119)), Permission::Wait(EVERY));
        let again = announced(successor.ask("a", "Keystore", Some(&pending), Duration::ZERO, at(120)));
        assert_eq!(successor.ask("a", "Keystore", Some(&again), Duration::ZERO, at(121)), Permission::Go);
    }

    #[test]
    fn what_was_sent_is_remembered_when_its_status_is_lost() {
        let table = Announced::new(CREATE_PAUSE);
        let pending = announced(table.ask("a", "Keystore", None, Duration::ZERO, at(0)));
        assert_eq!(table.ask("a", "Keystore", Some(&pending), Duration::ZERO, at(1)), Permission::Go);
        assert_eq!(table.ask("a", "Keystore", None, Duration::ZERO, at(5)), Permission::Wait(EVERY));
        table.settle("a", |kind| kind == "Keystore");
        announced(table.ask("a", "Keystore", None, Duration::ZERO, at(6)));
    }

    #[test]
    fn another_creation_waits_until_the_lost_one_is_over() {
        let table = Announced::new(CREATE_PAUSE);
        let lost = announced(table.ask("a", "ConnectorEndpoint", None, Duration::ZERO, at(0)));
        assert_eq!(
            Announced::new(CREATE_PAUSE).ask("a", "Source", Some(&lost), Duration::ZERO, at(5)),
            Permission::Wait(EVERY)
        );
    }

    #[test]
    fn an_old_announcement_is_made_anew_before_anything_is_sent() {
        let table = Announced::new(CREATE_PAUSE);
        let old = announced(table.ask("a", "Keystore", None, Duration::ZERO, at(0)));
        let new = announced(table.ask("a", "Keystore", Some(&old), Duration::ZERO, at(90)));
        assert_eq!(table.ask("a", "Keystore", Some(&new), Duration::ZERO, at(91)), Permission::Go);
    }

    #[test]
    fn a_record_outlives_a_failed_list_and_goes_with_the_find() {
        let table = Announced::new(CREATE_PAUSE);
        let pending = announced(table.ask("a", "Keystore", None, Duration::ZERO, at(0)));
        let (young, old) = (table.age(at(5)), table.age(at(500)));
        let (idle, refused) = (Done::Nothing, Done::Failed(Fault::awaiting_person("RoleMissing", "Grant it.")));
        let wanted = Some("Keystore");
        assert_eq!(standing(Some(&pending), None, &idle, young, |_| false), Some(pending.clone()));
        assert_eq!(standing(Some(&pending), None, &idle, young, |kind| kind == "Keystore"), None);
        assert_eq!(standing(Some(&pending), wanted, &refused, young, |_| false), None);
        assert_eq!(standing(Some(&pending), Some("Source"), &refused, young, |_| false), Some(pending.clone()));
        assert_eq!(standing(Some(&pending), wanted, &idle, old, |_| false), Some(pending.clone()));
        assert_eq!(standing(Some(&pending), None, &idle, old, |_| false), None);
    }

    #[test]
    fn a_leader_that_took_an_expired_lease_creates_nothing_at_first() {
        let table = Announced::new(CREATE_PAUSE);
        assert_eq!(table.ask("a", "Keystore", None, Duration::from_mins(1), at(0)), Permission::Wait(EVERY));
    }
}
