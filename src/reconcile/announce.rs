//! Creations that must not happen twice although the process may die between request and answer.
//!
//! In: what stands in `status.pendingCreate`, and what this process remembers of it. Out: announce, go, or wait. Never: sends anything.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    driver::Shared,
    stage::Word,
    summary::{Done, age},
};
use crate::api::v1alpha1::PendingCreate;

/// How many looks fit into the time in which a lost request may still take effect: one every ten seconds by default.
const LOOKS: u32 = 12;

/// The announcements that this process made and has not used.
#[derive(Debug)]
pub(crate) struct Announced {
    table: Mutex<Table>,
    /// A request that was sent and never answered has had its effect by then, or never will.
    lost_after: Duration,
}

#[derive(Debug, Default)]
struct Table {
    /// On record, not sent yet.
    fresh: HashMap<String, Time>,
    /// Sent, not answered. Status says the same, but it can be lost: with its object, or in a restore.
    sent: HashMap<String, PendingCreate>,
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
        now: Timestamp,
    ) -> Turn {
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
        if self.locks.take(locks, owner) {
            return Turn::Send;
        }
        // What was announced stays announced: it is sent as soon as the lock is free.
        if let Some(pending) = pending.filter(|_| creates.is_some()) {
            self.announced.keep(owner, pending);
        }
        let message = "Another object is changing the same Key Vault, subnet or connector; one change at a time.";
        Turn::Held(
            Word { reason: "OtherChangeInProgress", message: message.to_owned() },
            self.pace.poll_interval.min(Duration::from_secs(2)),
        )
    }

    /// What stays on record after a pass that sent no creation: a request that was never answered may still take effect,
    /// whatever else could not be read this time. `there` says of a kind that it was seen.
    pub(crate) fn on_record(
        &self,
        owner: &str,
        pending: Option<&PendingCreate>,
        there: impl Fn(&str) -> bool,
        now: Timestamp,
    ) -> Option<PendingCreate> {
        let pending = pending?;
        if there(&pending.kind) {
            self.announced.answered(owner);
            return None;
        }
        self.announced.is_open(pending, now).then(|| pending.clone())
    }

    /// What stays on record after a creation was sent.
    pub(crate) fn after_create(
        &self,
        owner: &str,
        pending: Option<&PendingCreate>,
        done: &Done,
    ) -> Option<PendingCreate> {
        if matches!(done, Done::Failed(fault) if fault.outcome_unknown) {
            return pending.cloned();
        }
        self.announced.answered(owner);
        None
    }
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
        Self { table: Mutex::default(), lost_after }
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
        let mut table = self.lock();
        if pause > Duration::ZERO {
            return Permission::Wait(pause.min(self.look_every()));
        }
        let known = [pending, table.sent.get(owner)].into_iter().flatten().filter(|pending| pending.kind == kind);
        if let Some(pending) = known.max_by_key(|pending| pending.started_at.0).cloned() {
            if table.fresh.remove(owner).is_some_and(|ours| ours == pending.started_at) {
                table.sent.retain(|_, sent| self.is_open(sent, now));
                table.sent.insert(owner.to_owned(), pending);
                return Permission::Go;
            }
            if self.is_open(&pending, now) {
                return Permission::Wait(self.look_every());
            }
        }
        let started_at = Time(now);
        table.fresh.insert(owner.to_owned(), started_at.clone());
        Permission::Announce(PendingCreate { kind: kind.to_owned(), started_at })
    }

    /// How often to look for something whose creation may have been lost.
    fn look_every(&self) -> Duration {
        self.lost_after / LOOKS
    }

    /// Whether it may still take effect.
    fn is_open(&self, pending: &PendingCreate, now: Timestamp) -> bool {
        age(&pending.started_at, now) < self.lost_after
    }

    /// The announcement was not used after all.
    fn keep(&self, owner: &str, pending: &PendingCreate) {
        let mut table = self.lock();
        table.sent.remove(owner);
        table.fresh.insert(owner.to_owned(), pending.started_at.clone());
    }

    /// The cloud said how it ended, or what was asked for is there.
    fn answered(&self, owner: &str) {
        self.lock().sent.remove(owner);
    }

    /// The object is gone. What was sent for it and never answered is not: an object of the same name owns it.
    pub(crate) fn forget(&self, owner: &str) {
        self.lock().fresh.remove(owner);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::leadership::CREATE_PAUSE;

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
    fn an_object_of_the_same_name_waits_for_what_its_predecessor_sent() {
        let table = Announced::new(CREATE_PAUSE);
        let pending = announced(table.ask("a", "Keystore", None, Duration::ZERO, at(0)));
        assert_eq!(table.ask("a", "Keystore", Some(&pending), Duration::ZERO, at(1)), Permission::Go);
        table.forget("a");
        assert_eq!(table.ask("a", "Keystore", None, Duration::ZERO, at(2)), Permission::Wait(EVERY));
        table.answered("a");
        announced(table.ask("a", "Keystore", None, Duration::ZERO, at(3)));
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
    fn a_leader_that_took_an_expired_lease_creates_nothing_at_first() {
        let table = Announced::new(CREATE_PAUSE);
        assert_eq!(table.ask("a", "Keystore", None, Duration::from_mins(1), at(0)), Permission::Wait(EVERY));
    }
}
