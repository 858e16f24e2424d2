//! What the pod says of itself: what it still waits for, and whether a part of it has died.
//!
//! In: gates that the parts open, and the supervisor's verdict. Out: the answers of /healthz and /readyz.
//! Never: looks anything up itself; a probe must not depend on a cloud.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Shared by all parts of the process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Facts>>);

#[derive(Debug, Default)]
struct Facts {
    gates: BTreeMap<String, State>,
    dead: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open,
    OpenUntil(Instant),
}

/// One thing that must hold before the pod is ready.
#[derive(Clone, Debug)]
pub struct Gate {
    health: Health,
    what: String,
}

impl Health {
    /// A gate, closed at first. `what` completes the sentence "waiting for …".
    #[must_use]
    pub fn gate(&self, what: impl Into<String>) -> Gate {
        let what = what.into();
        self.facts().gates.insert(what.clone(), State::Closed);
        Gate { health: self.clone(), what }
    }

    /// What is still missing; empty when the pod is ready.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let now = Instant::now();
        let shut = |state: &State| match state {
            State::Closed => true,
            State::Open => false,
            State::OpenUntil(end) => now >= *end,
        };
        self.facts().gates.iter().filter(|(_, state)| shut(state)).map(|(what, _)| what.clone()).collect()
    }

    /// Why the process is not alive any more, if so.
    #[must_use]
    pub fn dead(&self) -> Option<String> {
        self.facts().dead.clone()
    }

    pub(super) fn died(&self, reason: String) {
        self.facts().dead.get_or_insert(reason);
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        // Nothing here can be half done, so what a panicking task left behind is sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// Open until closed.
    pub fn open(&self) {
        self.set(State::Open);
    }

    /// Open for a while only: for facts that grow old.
    pub fn open_for(&self, duration: Duration) {
        self.set(State::OpenUntil(Instant::now() + duration));
    }

    /// Closed again.
    pub fn close(&self) {
        self.set(State::Closed);
    }

    fn set(&self, state: State) {
        self.health.facts().gates.insert(self.what.clone(), state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gate_for_a_fact_that_ages_closes_by_itself() {
        let health = Health::default();
        let (crd, view) = (health.gate("the CRD"), health.gate("the Lease"));
        assert_eq!(health.missing(), ["the CRD", "the Lease"]);
        crd.open();
        view.open_for(Duration::from_secs(15));
        assert!(health.missing().is_empty());
        tokio::time::advance(Duration::from_secs(15)).await;
        assert_eq!(health.missing(), ["the Lease"]);
        crd.close();
        assert_eq!(health.missing(), ["the CRD", "the Lease"]);
    }

    #[test]
    fn the_first_death_is_the_one_that_is_told() {
        let health = Health::default();
        assert_eq!(health.dead(), None);
        health.died("first".to_owned());
        health.died("second".to_owned());
        assert_eq!(health.dead().as_deref(), Some("first"));
    }
}
