//! Waiting for an outcome instead of sleeping for a while.
//!
//! In: an attempt that says what it saw. Out: its value, or a panic with the last thing seen. Never: a fixed delay.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

/// Generous, because CI is slow; a test that passes never waits for it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(90);
const BETWEEN: Duration = Duration::from_millis(250);
/// For a test that must act before the operator's next step.
const CLOSELY: Duration = Duration::from_millis(10);

/// Tries until `attempt` answers `Ok`.
///
/// # Panics
/// With what the last attempt saw, once `deadline` has passed.
pub(crate) async fn eventually<T, E: Display>(
    what: &str,
    deadline: Duration,
    attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    match try_eventually(what, deadline, attempt).await {
        Ok(value) => value,
        Err(message) => panic!("{message}"),
    }
}

/// The same for a caller that has more to tell than what the last attempt saw.
pub(crate) async fn try_eventually<T, E: Display>(
    what: &str,
    deadline: Duration,
    attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, String> {
    watched(what, deadline, BETWEEN, attempt).await
}

/// Tries until `attempt` answers `Ok`, so often that the caller can act on it at once.
pub(crate) async fn promptly<T, E: Display>(
    what: &str,
    attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, String> {
    watched(what, DEADLINE, CLOSELY, attempt).await
}

async fn watched<T, E: Display>(
    what: &str,
    deadline: Duration,
    between: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, String> {
    let started = Instant::now();
    loop {
        match attempt().await {
            Ok(value) => return Ok(value),
            Err(seen) if started.elapsed() >= deadline => {
                return Err(format!("{what}: not within {deadline:?}; last seen: {seen}"));
            }
            Err(_) => tokio::time::sleep(between).await,
        }
    }
}
