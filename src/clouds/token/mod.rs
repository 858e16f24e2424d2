//! Access tokens and the one cache that holds them.
//!
//! In: a key that names an identity, and a way to fetch its token. Out: a token valid now, fetched once for all who ask.
//! Never: prints a token, keeps a failure longer than its backoff, or verifies a signature (claims are read for facts, not for trust).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;
use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::SecretString;
use serde_json::Value;
use tokio::time::Instant;

use super::http::{Error, allowed};

/// Tokens remembered at a time.
const CAPACITY: usize = 256;
/// A token is renewed this long before it ends, or at half its life if that is shorter.
const EARLY: Duration = Duration::from_mins(5);
/// No token is believed to live longer: none of the issuers gives more, and a mistyped life must not overflow a clock.
const LONGEST: Duration = Duration::from_hours(24);
/// The pause after a failed fetch before the same credential is tried again.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);
/// The pause after a failed renewal while the old token still works.
const RENEWAL_PAUSE: Duration = Duration::from_secs(30);

/// What a token says about its bearer. Every claim may be missing: tokens are formally opaque.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Entra: object id of the service principal.
    pub oid: Option<String>,
    /// Entra: the tenant.
    pub tid: Option<String>,
    /// Entra: the application (client) id.
    pub appid: Option<String>,
    /// IBM IAM: the account id (`account.bss`).
    pub account: Option<String>,
    /// Who the token was made for.
    pub audience: Option<String>,
    /// Who made it.
    pub issuer: Option<String>,
    /// Whom it speaks of.
    pub subject: Option<String>,
}

impl Claims {
    /// Reads the payload of a JWT; anything else has no claims.
    #[must_use]
    pub fn read(token: &str) -> Self {
        let payload = token
            .split('.')
            .nth(1)
            .and_then(|part| base64url(part).ok())
            .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
            .unwrap_or_default();
        let text =
            |path: &str| payload.pointer(path).and_then(Value::as_str).and_then(|text| allowed(text, 256, "_.:-/"));
        Self {
            oid: text("/oid"),
            tid: text("/tid"),
            appid: text("/appid").or_else(|| text("/azp")),
            account: text("/account/bss"),
            audience: text("/aud"),
            issuer: text("/iss"),
            subject: text("/sub"),
        }
    }
}

/// Decodes base64url with or without padding.
pub(in crate::clouds) fn base64url(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&URL_SAFE, lenient).decode(text)
}

/// A duration in seconds as issuers write it: a number or its decimal text. What is negative has passed already, and what
/// no clock can hold is a day; `None` when the member holds no number.
pub(in crate::clouds) fn seconds(member: Option<&Value>) -> Option<Duration> {
    let member = member?;
    let number = member.as_f64().or_else(|| member.as_str()?.trim().parse().ok()).filter(|number| !number.is_nan())?;
    let life = if number <= 0.0 { Duration::ZERO } else { Duration::try_from_secs_f64(number).unwrap_or(LONGEST) };
    Some(life.min(LONGEST))
}

/// One bearer token. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct AccessToken {
    secret: Arc<SecretString>,
    expires: Instant,
    renew: Instant,
    /// What the token says about its bearer.
    pub claims: Arc<Claims>,
}

impl AccessToken {
    /// A token fresh from its issuer, with the life the issuer gave it, at most 24 hours.
    #[must_use]
    pub fn fresh(secret: SecretString, life: Duration) -> Self {
        use secrecy::ExposeSecret;
        let now = Instant::now();
        let life = life.min(LONGEST);
        let early = EARLY.min(life / 2);
        // Spread by a tenth, so that a hundred tokens fetched together are not renewed together.
        let jitter = early.mul_f64(fastrand::f64() / 10.0);
        let claims = Arc::new(Claims::read(secret.expose_secret()));
        Self { secret: Arc::new(secret), expires: now + life, renew: now + life.saturating_sub(early + jitter), claims }
    }

    /// Has the token renewed earlier than usual, when its issuer says so (`refresh_in`, or a share of its life).
    #[must_use]
    pub fn renewed_after(mut self, wait: Duration) -> Self {
        self.renew = self.renew.min(Instant::now() + wait.min(LONGEST));
        self
    }

    /// The secret itself, for the `Authorization` header only.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// When the token ends.
    #[must_use]
    pub fn expires(&self) -> Instant {
        self.expires
    }

    fn valid(&self, now: Instant) -> bool {
        self.expires > now
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Names one identity at one issuer for one audience. A changed credential is another key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// Fingerprints everything that decides which token comes back, the credential included.
    #[must_use]
    pub fn of(parts: &[&str]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in parts {
            // The length keeps ["ab", "c"] and ["a", "bc"] apart.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey")
    }
}

#[derive(Default)]
struct Held {
    token: Option<AccessToken>,
    failure: Option<(Error, Instant)>,
    renewal_after: Option<Instant>,
}

#[derive(Default)]
struct Slot {
    held: Mutex<Held>,
    /// Held while a fetch is under way; it holds nothing itself, so a cancelled fetch leaves no trace.
    fetching: tokio::sync::Mutex<()>,
    used: Mutex<Option<Instant>>,
}

impl Slot {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tokens by identity: one fetch at a time for each key, renewed early, at most 256, least recently used goes first.
#[derive(Default)]
pub struct TokenCache {
    slots: Mutex<HashMap<TokenKey, Arc<Slot>>>,
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenCache")
    }
}

/// What the cache can say without asking anybody.
enum Known {
    Token(AccessToken),
    Failure(Error),
    /// Still valid, but it is time for a new one.
    Ageing(AccessToken),
    Nothing,
}

impl TokenCache {
    /// An empty cache.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The token of `key`, from the cache or from `fetch`. Callers of one key share one fetch, and its failure.
    ///
    /// # Errors
    /// What `fetch` ended in; for a short while (the issuer's wait, else 5 s) the same again without asking.
    /// # Cancel safety
    /// Safe: a dropped fetch is started again by the next in line.
    pub async fn get<F, Fetching>(&self, key: TokenKey, fetch: F) -> Result<AccessToken, Error>
    where
        F: FnOnce() -> Fetching + Send,
        Fetching: Future<Output = Result<AccessToken, Error>> + Send,
    {
        let slot = self.slot(key);
        let old = match known(&slot) {
            Known::Token(token) => return Ok(token),
            Known::Failure(error) => return Err(error),
            Known::Ageing(token) => Some(token),
            Known::Nothing => None,
        };
        let _fetching = match (slot.fetching.try_lock(), &old) {
            (Ok(guard), _) => guard,
            // Somebody renews it already, and the old one still works.
            (Err(_), Some(token)) => return Ok(token.clone()),
            (Err(_), None) => slot.fetching.lock().await,
        };
        match known(&slot) {
            Known::Token(token) => return Ok(token),
            Known::Failure(error) => return Err(error),
            Known::Ageing(_) | Known::Nothing => {}
        }
        settle(&slot, fetch().await)
    }

    /// Drops the token a service refused, unless a newer one has taken its place.
    pub fn forget(&self, key: TokenKey, refused: &AccessToken) {
        let slot = self.slot(key);
        let mut held = slot.held();
        let same = held.token.as_ref().is_some_and(|token| Arc::ptr_eq(&token.secret, &refused.secret));
        if same {
            held.token = None;
        }
    }

    fn slot(&self, key: TokenKey) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= CAPACITY && !slots.contains_key(&key) {
            evict(&mut slots);
        }
        let slot = Arc::clone(slots.entry(key).or_default());
        *slot.used.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        slot
    }
}

fn evict(slots: &mut HashMap<TokenKey, Arc<Slot>>) {
    let used = |slot: &Slot| *slot.used.lock().unwrap_or_else(PoisonError::into_inner);
    let idle = slots.iter().filter(|(_, slot)| Arc::strong_count(slot) == 1);
    let oldest = idle.min_by_key(|(_, slot)| used(slot)).map(|(key, _)| *key);
    if let Some(key) = oldest {
        slots.remove(&key);
    }
}

fn known(slot: &Slot) -> Known {
    let now = Instant::now();
    let held = slot.held();
    if let Some(token) = held.token.as_ref().filter(|token| token.valid(now)) {
        let due = token.renew <= now && held.renewal_after.is_none_or(|after| after <= now);
        return if due { Known::Ageing(token.clone()) } else { Known::Token(token.clone()) };
    }
    match &held.failure {
        Some((error, until)) if *until > now => Known::Failure(error.clone()),
        Some(_) | None => Known::Nothing,
    }
}

/// Writes down how a fetch ended. A token that still works outlives a renewal that failed for now.
fn settle(slot: &Slot, outcome: Result<AccessToken, Error>) -> Result<AccessToken, Error> {
    let now = Instant::now();
    let mut held = slot.held();
    match outcome {
        Ok(token) => {
            *held = Held { token: Some(token.clone()), ..Held::default() };
            Ok(token)
        }
        Err(error) => {
            let pause = error.retry_after.unwrap_or(FAILURE_PAUSE);
            let old = held.token.clone().filter(|token| token.valid(now));
            if let Some(token) = old.filter(|_| error.is_retryable()) {
                held.renewal_after = Some(now + pause.max(RENEWAL_PAUSE));
                return Ok(token);
            }
            held.token = None;
            held.failure = Some((error.clone(), now + pause));
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests;
