//! When a call is made again on the spot. Everything slower is the controller's next look.
//!
//! In: a request and how it ended. Out: the pauses that are left. Never: repeats a mutation, or waits out a throttling.

use std::time::Duration;

use super::{Answer, Class, Error, Request};

/// Tries beyond the first.
const MORE: u32 = 2;

/// The pauses of one call: none unless it is idempotent, else two, doubling, each between half and whole.
pub(super) fn pauses(request: &Request, initial: Duration) -> impl Iterator<Item = Duration> + use<> {
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

#[cfg(test)]
mod tests {
    use reqwest::{
        Method,
        header::{HeaderMap, HeaderValue, RETRY_AFTER},
    };
    use url::Url;

    use super::*;
    use crate::clouds::http::Service;

    fn request(method: Method) -> Request {
        let url = Url::parse("https://management.azure.com/x").unwrap();
        Request::new(Service::Arm, "Thing", method, url)
    }

    #[test]
    fn only_what_may_be_repeated_gets_two_growing_pauses() {
        let initial = Duration::from_millis(100);
        for method in [Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
            assert_eq!(pauses(&request(method), initial).count(), 0);
        }
        let all: Vec<Duration> = pauses(&request(Method::GET), initial).collect();
        for (pause, whole) in all.iter().zip([100, 200]) {
            assert!((whole / 2..=whole).contains(&pause.as_millis()), "{all:?}");
        }
        assert_eq!(all.len(), 2);
        let exchange = request(Method::POST).idempotent();
        assert_eq!(pauses(&exchange, initial).count(), 2);
    }

    #[test]
    fn throttling_refusals_and_named_times_are_never_waited_out_here() {
        let answer = |status, wait: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            headers.extend(wait.map(|wait| (RETRY_AFTER, HeaderValue::from_static(wait))));
            Ok(Answer::for_test(&request(Method::GET), status, &headers, Vec::new()))
        };
        assert!(worthwhile(&answer(503, None)) && worthwhile(&answer(500, None)));
        for status in [200, 401, 404, 429] {
            assert!(!worthwhile(&answer(status, None)), "{status}");
        }
        assert!(!worthwhile(&answer(503, Some("30"))));
        let error = |class| Error::new(Service::Arm, "Thing", class, "X", "Y.");
        assert!(worthwhile(&Err(error(Class::Transient))));
        assert!(!worthwhile(&Err(error(Class::Throttled))));
        assert!(!worthwhile(&Err(error(Class::Transient).with_retry_after(Some(Duration::ZERO)))));
    }
}
