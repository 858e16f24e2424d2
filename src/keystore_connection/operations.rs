//! Writes that Azure accepted and is still working on.
//!
//! In: the first answer of a write. Out: how it is getting on. Never: outlives the process; after a restart the resource itself tells.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use tokio::time::Instant;

use super::observe::Operation;
use crate::{
    clouds::azure::{Accepted, OperationState, OperationUrl, ResourceManager},
    reconcile::{fault::Fault, pace::PaceSettings, summary::Done},
};

/// Azure takes minutes at most; after that the resource's own state counts \[P\].
const BUDGET: Duration = Duration::from_mins(15);

/// One operation an object at most; the table is as long as the list of objects.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    running: Mutex<HashMap<String, Running>>,
    /// When a private endpoint was last asked for. Status says it too, but can be lost.
    asked: Mutex<HashMap<String, Time>>,
}

#[derive(Clone, Debug)]
struct Running {
    url: OperationUrl,
    since: Instant,
    not_before: Instant,
}

impl Operations {
    /// Remembers where to ask.
    pub(super) fn follow(&self, owner: &str, accepted: Accepted) {
        let Some(url) = accepted.operation else { return };
        let now = Instant::now();
        let not_before = now + accepted.retry_after.unwrap_or_default();
        self.lock().insert(owner.to_owned(), Running { url, since: now, not_before });
    }

    /// Asks, unless Azure said that it is too early.
    pub(super) async fn poll(&self, arm: &ResourceManager, owner: &str, pace: &PaceSettings) -> Operation {
        let Some(running) = self.lock().get(owner).cloned() else { return Operation::None };
        let early = running.not_before.saturating_duration_since(Instant::now());
        if early > Duration::ZERO {
            return Operation::Running(early);
        }
        if running.since.elapsed() > BUDGET {
            self.forget(owner);
            return Operation::Failed(Fault::awaiting_person(
                "OperationTimedOut",
                "Azure has not finished the last change within 15 minutes. Look at the activity log of the private endpoint.",
            ));
        }
        match arm.operation(&running.url).await {
            Ok(OperationState::Running { retry_after }) => {
                let wait = pace.for_cloud(retry_after);
                let later = Running { not_before: Instant::now() + wait, ..running };
                self.lock().insert(owner.to_owned(), later);
                Operation::Running(wait)
            }
            Ok(OperationState::Succeeded) => {
                self.forget(owner);
                Operation::None
            }
            Ok(OperationState::Failed(error)) => {
                self.forget(owner);
                Operation::Failed(Fault::from(error))
            }
            // The poll failed, not the operation, which goes on holding its lock.
            Err(error) => Operation::Running(pace.for_cloud(error.retry_after)),
        }
    }

    /// Nothing is running for it any more.
    pub(super) fn forget(&self, owner: &str) {
        self.lock().remove(owner);
    }

    /// A private endpoint was asked for. What was refused makes nothing.
    pub(super) fn asked_for_endpoint(&self, owner: &str, done: &Done, now: Timestamp) {
        if !matches!(done, Done::Failed(fault) if !fault.outcome_unknown) {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.to_owned(), Time(now));
        }
    }

    /// When that was.
    pub(super) fn endpoint_asked_at(&self, owner: &str) -> Option<Time> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get(owner).cloned()
    }

    /// The object is gone.
    pub(super) fn gone(&self, owner: &str) {
        self.forget(owner);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(owner);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_endpoint_that_was_asked_for_is_remembered_unless_it_was_refused() {
        let table = Operations::default();
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let refused = Done::Failed(Fault::awaiting_person("RoleMissing", "Grant it."));
        table.asked_for_endpoint("o", &refused, at(1));
        assert_eq!(table.endpoint_asked_at("o"), None);
        let lost = Done::Failed(Fault { outcome_unknown: true, ..Fault::awaiting_person("CloudUnavailable", "") });
        table.asked_for_endpoint("o", &lost, at(2));
        table.forget("o");
        table.asked_for_endpoint("o", &refused, at(3));
        assert_eq!(table.endpoint_asked_at("o"), Some(Time(at(2))), "the first may still come");
        table.gone("o");
        assert_eq!(table.endpoint_asked_at("o"), None);
    }
}
