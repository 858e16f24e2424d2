use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::clouds::http::{Class, Service};

const HOUR: Duration = Duration::from_hours(1);

fn token(text: &str) -> AccessToken {
    AccessToken::fresh(text.to_owned().into(), HOUR)
}

fn error(class: Class) -> Error {
    Error::new(Service::Entra, "GetToken", class, "X", "Y.")
}

fn key() -> TokenKey {
    TokenKey::of(&["authority", "tenant", "client", "credential", "scope"])
}

fn text(token: &AccessToken) -> String {
    use secrecy::ExposeSecret;
    token.secret().expose_secret().to_owned()
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_fetch() {
    let cache = TokenCache::new();
    let fetches = AtomicU32::new(0);
    let callers = (0..50).map(|_| {
        cache.get(key(), || async {
            fetches.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(token("a"))
        })
    });
    let all = futures::future::join_all(callers).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(fetches.into_inner(), 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_callers_share_one_failure_and_it_is_forgotten_soon() {
    let cache = TokenCache::new();
    let fetches = AtomicU32::new(0);
    let callers = (0..50).map(|_| {
        cache.get(key(), || async {
            fetches.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            Err(error(Class::Denied))
        })
    });
    let all = futures::future::join_all(callers).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(fetches.into_inner(), 1);
    tokio::time::advance(FAILURE_PAUSE).await;
    assert!(cache.get(key(), || async { Ok(token("b")) }).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_changed_credential_never_meets_the_failure_of_the_old_one() {
    let cache = TokenCache::new();
    cache.get(key(), || async { Err(error(Class::Denied)) }).await.unwrap_err();
    let other = TokenKey::of(&["authority", "tenant", "client", "new credential", "scope"]);
    assert!(cache.get(other, || async { Ok(token("b")) }).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_ends() {
    let cache = TokenCache::new();
    cache.get(key(), || async { Ok(token("a")) }).await.unwrap();
    tokio::time::advance(HOUR / 2).await;
    let same = cache.get(key(), || async { Ok(token("b")) }).await.unwrap();
    assert_eq!(text(&same), "a");
    tokio::time::advance((HOUR / 2).saturating_sub(EARLY)).await;
    let next = cache.get(key(), || async { Ok(token("b")) }).await.unwrap();
    assert_eq!(text(&next), "b");
}

#[tokio::test(start_paused = true)]
async fn a_working_token_outlives_a_renewal_that_failed_for_now_but_not_a_refusal() {
    let cache = TokenCache::new();
    cache.get(key(), || async { Ok(token("a")) }).await.unwrap();
    tokio::time::advance(HOUR.saturating_sub(EARLY)).await;
    let old = cache.get(key(), || async { Err(error(Class::Transient)) }).await.unwrap();
    assert_eq!(text(&old), "a");
    let unasked = cache.get(key(), || async { Ok(token("too early")) }).await.unwrap();
    assert_eq!(text(&unasked), "a");
    tokio::time::advance(RENEWAL_PAUSE).await;
    let refused = cache.get(key(), || async { Err(error(Class::Denied)) }).await;
    assert_eq!(refused.unwrap_err().class, Class::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_dropped_unless_a_newer_one_is_there() {
    let cache = TokenCache::new();
    let first = cache.get(key(), || async { Ok(token("a")) }).await.unwrap();
    cache.forget(key(), &first);
    let second = cache.get(key(), || async { Ok(token("b")) }).await.unwrap();
    assert_eq!(text(&second), "b");
    cache.forget(key(), &first);
    let still = cache.get(key(), || async { Ok(token("c")) }).await.unwrap();
    assert_eq!(text(&still), "b");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_fetch_is_started_again_by_the_next_in_line() {
    let cache = TokenCache::new();
    let slow = cache.get(key(), || async {
        tokio::time::sleep(HOUR).await;
        Ok(token("never"))
    });
    let cut = tokio::time::timeout(Duration::from_secs(1), slow).await;
    assert!(cut.is_err());
    let next = cache.get(key(), || async { Ok(token("a")) }).await.unwrap();
    assert_eq!(text(&next), "a");
}

#[tokio::test(start_paused = true)]
async fn the_cache_stays_bounded_and_the_least_used_goes_first() {
    let cache = TokenCache::new();
    for n in 0..=CAPACITY {
        tokio::time::advance(Duration::from_millis(1)).await;
        let key = TokenKey::of(&[&n.to_string()]);
        cache.get(key, || async { Ok(token("a")) }).await.unwrap();
    }
    assert_eq!(cache.slots.lock().unwrap().len(), CAPACITY);
    let first = TokenKey::of(&["0"]);
    let again = cache.get(first, || async { Ok(token("new")) }).await.unwrap();
    assert_eq!(text(&again), "new");
}

#[test]
fn claims_are_read_from_both_clouds_and_from_nothing() {
    let jwt = |payload: &str| format!("e30.{}.", base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(payload));
    let azure = Claims::read(&jwt(r#"{"oid":"o-1","tid":"t-1","appid":"a-1","aud":"https://vault.azure.net"}"#));
    assert_eq!(
        (azure.oid.as_deref(), azure.tid.as_deref(), azure.appid.as_deref()),
        (Some("o-1"), Some("t-1"), Some("a-1"))
    );
    let ibm = Claims::read(&jwt(r#"{"account":{"valid":true,"bss":"0a1b"}}"#));
    assert_eq!(ibm.account.as_deref(), Some("0a1b"));
    assert_eq!(Claims::read("opaque"), Claims::default());
    assert_eq!(Claims::read(&jwt("[]")), Claims::default());
}

#[test]
fn parts_of_a_key_do_not_run_into_each_other_and_debug_hides_it() {
    assert!(TokenKey::of(&["ab", "c"]) != TokenKey::of(&["a", "bc"]));
    assert_eq!(format!("{:?}", key()), "TokenKey");
}

#[tokio::test(start_paused = true)]
async fn a_life_beyond_any_clock_is_a_day_and_one_that_is_over_is_over() {
    let now = Instant::now();
    let day = Duration::from_hours(24);
    for life in [Duration::MAX, Duration::from_secs(u64::MAX), day + day] {
        let token = AccessToken::fresh("a".into(), life).renewed_after(life);
        assert_eq!(token.expires().duration_since(now), day);
        assert!(token.valid(now) && token.renew > now);
    }
    assert!(!AccessToken::fresh("a".into(), Duration::ZERO).valid(now));
}

#[test]
fn a_life_may_be_a_number_or_text_and_never_overflows() {
    use serde_json::json;
    for (written, want) in [
        (json!(3599), Some(3_599)),
        (json!("86399"), Some(86_399)),
        (json!(3600.5), Some(3_600)),
        (json!(0), Some(0)),
        (json!(-5), Some(0)),
        (json!("-1"), Some(0)),
        (json!(u64::MAX), Some(86_400)),
        (json!(1e300), Some(86_400)),
        (json!("inf"), Some(86_400)),
        (json!("NaN"), None),
        (json!("soon"), None),
        (json!(null), None),
        (json!([]), None),
    ] {
        assert_eq!(seconds(Some(&written)).map(|life| life.as_secs()), want, "{written}");
    }
    assert_eq!(seconds(None), None);
}
