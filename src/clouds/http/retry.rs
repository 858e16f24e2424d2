//! When a call is made again on the spot. Everything slower is the controller's next look.
//!
//! In: a request and how it ended. Out: the pauses that are left. Never: repeats a mutation, or waits out a throttling.

use std::time::Duration;

use super::{Answer, Class, Error, Request};

/// Tries beyond the first.
const MORE: u32 = 2;

/// The pauses of one call: none unless it is idempotent, else two, doubling, each between half and whole.
pub(super) fn pauses(
    request: &Request,
    initial: Duration,
) -> impl Iterator<Item = Duration> + use<> {
    let more = if request.idempotent { MORE } else { 0 };
    (0..more).map(move |turn| {
        let whole = initial.saturating_mul(2_u32.saturating_pow(turn));
        whole.mul_f64(0.5 + fastrand::f64() / 2.0)
    })
}

/// A connection that broke, or a 5xx that names no time of its own. A timeout was patience enough, and an answer that was
/// too large will be too large again.
pub(super) fn worthwhile(outcome: &Result<Answer, Error>) -> bool {
    match outcome {
        Ok(answer) => (500..600).contains(&answer.status) && answer.retry_after.is_none(),
        Err(error) => never_answered(error) && !timed_out(error),
    }
}

fn never_answered(error: &Error) -> bool {
    error.class == Class::Transient && error.retry_after.is_none() && error.status.is_none()
}

fn timed_out(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|cause| cause.downcast_ref::<reqwest::Error>())
        .is_some_and(reqwest::Error::is_timeout)
}
