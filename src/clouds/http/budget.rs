//! What one host can bear: calls in flight, a gate it asked for, a breaker it earned.
//!
//! In: a wish to call a host, and how the call ended. Out: a pass, or the reason to stay at home. Never: sends anything,
//! or keeps one team at home because another one was told to wait.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::Instant,
};

/// Hosts remembered at a time. There are about twenty real ones, plus one for each Key Vault.
const HOSTS: usize = 512;
/// Gates remembered at a time: one for each host, and at Azure one for each subscription.
const GATES: usize = 512;
/// Transport failures in a row after which a host is left alone.
const BREAKS_AFTER: u32 = 6;
/// How long a broken host is left alone before one call may try it.
const BREAK: Duration = Duration::from_secs(5);

/// Why a call does not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The service asked for patience until then.
    Gate(Duration),
    /// The host did not answer lately; somebody probes it already, or it is too early to probe.
    Broken(Duration),
    /// No slot became free in time.
    Busy,
}

#[derive(Debug)]
struct State {
    failures: u32,
    broken_until: Option<Instant>,
    probing: bool,
    used: Instant,
}

#[derive(Debug)]
struct Host {
    slots: Arc<Semaphore>,
    state: Mutex<State>,
}

impl Host {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budgets of all hosts. A clone shares them.
#[derive(Clone, Debug)]
pub(super) struct Budgets {
    hosts: Arc<Mutex<HashMap<String, Arc<Host>>>>,
    /// Closed gates, and when each opens.
    gates: Arc<Mutex<HashMap<String, Instant>>>,
    slots: usize,
}

/// Whom a call concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Host and port: slots and breaker.
    pub(super) origin: String,
    /// Whose calls wait together: the host's, or those of one part of it that counts calls by itself.
    pub(super) gate: String,
}

impl Budgets {
    pub(super) fn new(slots: usize) -> Self {
        Self { hosts: Arc::default(), gates: Arc::default(), slots: slots.max(1) }
    }

    /// Waits for a slot, at most `patience`, then asks gate and breaker.
    ///
    /// # Cancel safety
    /// A pass that is dropped without a verdict gives back its slot and its right to probe.
    pub(super) async fn admit(&self, target: &Target, patience: Duration) -> Result<Pass, Refusal> {
        // Asked before the queue as well: a closed gate must not fill it.
        self.check_gate(&target.gate)?;
        let host = self.host(&target.origin);
        let slots = Arc::clone(&host.slots);
        let slot = tokio::time::timeout(patience, slots.acquire_owned())
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(Refusal::Busy)?;
        self.check_gate(&target.gate)?;
        let probe = {
            let now = Instant::now();
            let mut state = host.state();
            state.used = now;
            check_breaker(&mut state, now)?
        };
        Ok(Pass { host, probe, settled: false, _slot: slot })
    }

    /// Closes a gate for `wait`, never shortening what was asked before.
    pub(super) fn close_gate(&self, gate: &str, wait: Duration) {
        let now = Instant::now();
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= GATES && !gates.contains_key(gate) {
            gates.retain(|_, until| *until > now);
        }
        if gates.len() >= GATES && !gates.contains_key(gate) {
            let soonest = gates.iter().min_by_key(|(_, until)| **until).map(|(gate, _)| gate.clone());
            soonest.map(|gate| gates.remove(&gate));
        }
        let until = gates.entry(gate.to_owned()).or_insert(now);
        *until = (*until).max(now + wait);
    }

    fn check_gate(&self, gate: &str) -> Result<(), Refusal> {
        let now = Instant::now();
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        match gates.get(gate) {
            Some(until) if *until > now => Err(Refusal::Gate(*until - now)),
            Some(_) | None => Ok(()),
        }
    }

    fn host(&self, origin: &str) -> Arc<Host> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(origin) {
            return Arc::clone(host);
        }
        if hosts.len() >= HOSTS {
            forget_the_oldest(&mut hosts);
        }
        let host = Arc::new(Host {
            slots: Arc::new(Semaphore::new(self.slots)),
            state: Mutex::new(State { failures: 0, broken_until: None, probing: false, used: Instant::now() }),
        });
        hosts.insert(origin.to_owned(), Arc::clone(&host));
        host
    }
}

fn forget_the_oldest(hosts: &mut HashMap<String, Arc<Host>>) {
    let idle = hosts.iter().filter(|(_, host)| Arc::strong_count(host) == 1);
    let oldest = idle.min_by_key(|(_, host)| host.state().used).map(|(origin, _)| origin.clone());
    if let Some(origin) = oldest {
        hosts.remove(&origin);
    }
}

fn check_breaker(state: &mut State, now: Instant) -> Result<bool, Refusal> {
    let Some(until) = state.broken_until else {
        return Ok(false);
    };
    if until > now {
        return Err(Refusal::Broken(until - now));
    }
    if state.probing {
        return Err(Refusal::Broken(BREAK));
    }
    state.probing = true;
    Ok(true)
}

/// The right to make one attempt. It must be told how the attempt ended.
#[derive(Debug)]
pub(super) struct Pass {
    host: Arc<Host>,
    probe: bool,
    settled: bool,
    _slot: OwnedSemaphorePermit,
}

impl Pass {
    /// The host answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.settled = true;
        let mut state = self.host.state();
        state.failures = 0;
        state.broken_until = None;
        state.probing = false;
    }

    /// The host could not be reached, or cut the call off.
    pub(super) fn failed(mut self) {
        self.settled = true;
        let mut state = self.host.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= BREAKS_AFTER {
            state.broken_until = Some(Instant::now() + BREAK);
            state.probing = false;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.probe && !self.settled {
            self.host.state().probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    fn host(origin: &str) -> Target {
        Target { origin: origin.to_owned(), gate: origin.to_owned() }
    }

    async fn break_it(budgets: &Budgets, origin: &str) {
        for _ in 0..BREAKS_AFTER {
            budgets.admit(&host(origin), PATIENCE).await.unwrap().failed();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_refuses_until_its_time_and_only_its_own_host() {
        let budgets = Budgets::new(2);
        budgets.close_gate("a:443", Duration::from_secs(30));
        budgets.close_gate("a:443", Duration::from_secs(5));
        let refusal = budgets.admit(&host("a:443"), PATIENCE).await.unwrap_err();
        assert_eq!(refusal, Refusal::Gate(Duration::from_secs(30)));
        assert!(budgets.admit(&host("b:443"), PATIENCE).await.is_ok());
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(budgets.admit(&host("a:443"), PATIENCE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_host_gets_one_probe_and_heals_by_it() {
        let budgets = Budgets::new(4);
        break_it(&budgets, "a:443").await;
        assert!(matches!(budgets.admit(&host("a:443"), PATIENCE).await, Err(Refusal::Broken(_))));
        tokio::time::advance(BREAK).await;
        let probe = budgets.admit(&host("a:443"), PATIENCE).await.unwrap();
        assert!(matches!(budgets.admit(&host("a:443"), PATIENCE).await, Err(Refusal::Broken(_))));
        probe.answered();
        assert!(budgets.admit(&host("a:443"), PATIENCE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_breaks_again_and_a_dropped_one_lets_the_next_try() {
        let budgets = Budgets::new(4);
        break_it(&budgets, "a:443").await;
        tokio::time::advance(BREAK).await;
        drop(budgets.admit(&host("a:443"), PATIENCE).await.unwrap());
        budgets.admit(&host("a:443"), PATIENCE).await.unwrap().failed();
        assert!(matches!(budgets.admit(&host("a:443"), PATIENCE).await, Err(Refusal::Broken(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_in_between_keeps_the_breaker_closed() {
        let budgets = Budgets::new(1);
        for _ in 0..3 {
            for _ in 1..BREAKS_AFTER {
                budgets.admit(&host("a:443"), PATIENCE).await.unwrap().failed();
            }
            budgets.admit(&host("a:443"), PATIENCE).await.unwrap().answered();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_slots_are_in_flight_and_the_queue_has_an_end() {
        let budgets = Budgets::new(1);
        let first = budgets.admit(&host("a:443"), PATIENCE).await.unwrap();
        assert_eq!(budgets.admit(&host("a:443"), PATIENCE).await.unwrap_err(), Refusal::Busy);
        drop(first);
        assert!(budgets.admit(&host("a:443"), PATIENCE).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_are_forgotten_before_they_pile_up() {
        let budgets = Budgets::new(1);
        for n in 0..HOSTS * 2 {
            budgets.admit(&host(&format!("v{n}:443")), PATIENCE).await.unwrap().answered();
        }
        assert_eq!(budgets.hosts.lock().unwrap().len(), HOSTS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gate_holds_back_its_own_part_of_a_host_and_the_breaker_all_of_it() {
        let budgets = Budgets::new(4);
        let part = |gate: &str| Target { origin: "a:443".to_owned(), gate: gate.to_owned() };
        budgets.close_gate("a:443/subscriptions/s1", Duration::from_secs(30));
        assert!(matches!(budgets.admit(&part("a:443/subscriptions/s1"), PATIENCE).await, Err(Refusal::Gate(_))));
        assert!(budgets.admit(&part("a:443/subscriptions/s2"), PATIENCE).await.is_ok());
        break_it(&budgets, "a:443").await;
        let refusal = budgets.admit(&part("a:443/subscriptions/s2"), PATIENCE).await.unwrap_err();
        assert!(matches!(refusal, Refusal::Broken(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn gates_do_not_pile_up_and_the_one_that_opens_first_is_forgotten_first() {
        let budgets = Budgets::new(1);
        budgets.close_gate("old", Duration::from_secs(1));
        tokio::time::advance(Duration::from_secs(2)).await;
        for n in 0..GATES * 2 {
            let wait = Duration::from_secs(u64::try_from(n).unwrap() + 60);
            budgets.close_gate(&format!("g{n}"), wait);
        }
        assert_eq!(budgets.gates.lock().unwrap().len(), GATES);
        let last = format!("g{}", GATES * 2 - 1);
        assert!(budgets.check_gate(&last).is_err());
        assert!(budgets.check_gate("g0").is_ok() && budgets.check_gate("old").is_ok());
    }
}
