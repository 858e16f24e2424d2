//! When to look again.
//!
//! In: a class of fault and how often it came. Out: a duration. Never: a clock; jitter is an argument.

use std::time::Duration;

use super::fault::Fault;
use crate::clouds::http::Class;

const MINUTE: Duration = Duration::from_mins(1);

/// Production flags of the operator; tests set them low.
#[derive(Clone, Debug)]
pub(crate) struct PaceSettings {
    /// First wait after a passing fault.
    pub backoff_initial: Duration,
    /// Longest wait after a passing fault.
    pub backoff_max: Duration,
    /// How long `Ready` is held while only passing faults stand against it.
    pub ready_grace: Duration,
    /// How long `Reconciling` may last without progress.
    pub progress_deadline: Duration,
    /// How often to ask for the end of an operation when the cloud does not say.
    pub poll_interval: Duration,
    /// Shortest interval an object may ask for.
    pub min_interval: Duration,
    /// How often everything is looked at, at most.
    pub full_look_interval: Duration,
}

impl PaceSettings {
    /// What `intervalSeconds` means here. Default 300 seconds.
    pub(crate) fn interval(&self, seconds: Option<u32>) -> Duration {
        Duration::from_secs(u64::from(seconds.unwrap_or(300))).max(self.min_interval)
    }

    /// The wait after a fault that came `attempts` times in a row. The object's interval is the longest wait: the user
    /// asked for a look that often, and what a person mends outside wakes nobody.
    pub(crate) fn after(&self, fault: &Fault, attempts: u32) -> Duration {
        let wait = match fault.class {
            Class::Conflict if attempts <= 1 => Duration::ZERO,
            Class::Transient | Class::Conflict => doubling(self.backoff_initial, self.backoff_max, attempts),
            Class::Throttled => doubling(self.backoff_initial, self.backoff_max, attempts).max(Duration::from_secs(1)),
            // What a cloud still puts in place is asked for often at first, and ever more rarely if it does not come.
            Class::Provisioning => doubling(self.poll_interval, MINUTE * 5, attempts.saturating_sub(4)),
            Class::NotFound => doubling(MINUTE / 2, MINUTE * 5, attempts),
            Class::AwaitingPerson => doubling(MINUTE * 5, MINUTE * 30, attempts),
            Class::Denied | Class::Invalid => MINUTE * 30,
        };
        match (fault.class, fault.retry_after) {
            // Whoever is still at work knows best.
            (Class::Provisioning, Some(asked)) => asked,
            (_, Some(asked)) => wait.max(asked),
            (_, None) => wait,
        }
    }

    /// The wait after a step. At once; but a cloud that answers well and shows nothing is not asked in a circle. The first
    /// two are an announcement and its request.
    pub(crate) fn again(&self, attempts: u32) -> Duration {
        match attempts {
            0..=2 => Duration::ZERO,
            _ => doubling(self.backoff_initial, self.backoff_max, attempts - 2),
        }
    }

    /// The wait for a person.
    pub(crate) fn for_person(attempts: u32) -> Duration {
        doubling(MINUTE, MINUTE * 10, attempts)
    }

    /// The wait for a cloud that is working: what it asked for, but never a busy loop.
    pub(crate) fn for_cloud(&self, asked: Option<Duration>) -> Duration {
        asked.unwrap_or(self.poll_interval).max(Duration::from_millis(200))
    }
}

fn doubling(first: Duration, longest: Duration, attempts: u32) -> Duration {
    let factor = 1_u32 << attempts.saturating_sub(1).min(16);
    first.saturating_mul(factor).min(longest)
}

/// `wait` moved by up to 20 % either way; `dice` is in 0..1.
pub(crate) fn jittered(wait: Duration, dice: f64) -> Duration {
    wait.mul_f64(0.8 + 0.4 * dice.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> PaceSettings {
        PaceSettings {
            backoff_initial: Duration::from_secs(2),
            backoff_max: MINUTE * 2,
            ready_grace: MINUTE * 5,
            progress_deadline: MINUTE * 30,
            poll_interval: Duration::from_secs(10),
            min_interval: MINUTE,
            full_look_interval: MINUTE * 30,
        }
    }

    #[test]
    fn a_passing_fault_doubles_from_two_seconds_to_two_minutes() {
        let fault = Fault::new(Class::Transient, "AzureUnavailable", "");
        let waits: Vec<u64> = (1..=9).map(|n| settings().after(&fault, n).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 120, 120, 120]);
        assert_eq!(settings().after(&fault, u32::MAX), MINUTE * 2);
    }

    #[test]
    fn retry_after_is_never_undercut() {
        let fault = Fault { retry_after: Some(MINUTE * 7), ..Fault::new(Class::Throttled, "AzureThrottled", "") };
        assert_eq!(settings().after(&fault, 1), MINUTE * 7);
    }

    #[test]
    fn the_first_conflict_is_looked_at_at_once() {
        let fault = Fault::new(Class::Conflict, "ConcurrentChange", "");
        assert_eq!(settings().after(&fault, 1), Duration::ZERO);
        assert!(settings().after(&fault, 2) > Duration::ZERO);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(jittered(Duration::from_secs(10), 0.0), Duration::from_secs(8));
        assert_eq!(jittered(Duration::from_secs(10), 1.0), Duration::from_secs(12));
    }
}
