//! IBM Cloud IAM: a credential in, an access token out.
//!
//! In: an API key, or a projected token of a service account with a trusted profile. Out: a cached [`AccessToken`] whose
//! `claims.account` names the account.
//! Never: uses a refresh token (service ids need none), or keeps a credential.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    member::filled,
    refusal::{Verdict, Words, common, foreign},
    route,
};
use crate::clouds::{
    hosts::IAM_HOST,
    http::{Answer, Bearer, Body, Class, Error, Http, Request, Service},
    token::{AccessToken, TokenCache, TokenKey, base64url, seconds},
};

const API_KEY_GRANT: &str = "urn:ibm:params:oauth:grant-type:apikey";
const COMPUTE_RESOURCE_GRANT: &str = "urn:ibm:params:oauth:grant-type:cr-token";
/// A token counts as expired this long before it is, as in IBM's SDKs \[S\].
const SAFETY: Duration = Duration::from_secs(10);
/// The life of a token whose answer does not say; short, since guessing long would keep a dead one \[I\].
const UNSAID_LIFE: Duration = Duration::from_mins(10);
/// The share of its life after which IBM's SDKs renew a token \[S\].
const RENEWAL_SHARE: f64 = 0.8;

/// Who the operator is towards IBM Cloud.
#[derive(Clone, Debug)]
pub enum IbmCredential {
    /// An API key of a user or service id.
    ApiKey(SecretString),
    /// A projected service account token, audience `iam`, for a trusted profile. Works only in clusters of IBM Cloud \[D\].
    ContainerToken {
        /// The projected token.
        token: SecretString,
        /// `Profile-…`.
        profile_id: String,
    },
}

/// The token endpoint. A clone shares pool and cache.
#[derive(Clone, Debug)]
pub struct Iam {
    http: Http,
    cache: Arc<TokenCache>,
}

impl Iam {
    /// Makes the client; no call is made.
    #[must_use]
    pub fn new(http: Http, cache: Arc<TokenCache>) -> Self {
        Self { http, cache }
    }

    /// The token of a credential, renewed at 80 % of its life.
    ///
    /// Shape: `POST /identity/token`, a form; 200 with `access_token` and `expires_in` in seconds \[S\].
    /// # Errors
    /// `Denied`, reason `ApiKeyInvalid`: IAM answers 400 with a code `BXNIM04…` for a bad key \[E\]. `Transient` for a refusal
    /// that is not IAM's own: the page of a proxy says nothing about the key.
    /// # Cancel safety
    /// Safe: the next caller fetches again.
    pub async fn token(&self, credential: &IbmCredential) -> Result<AccessToken, Error> {
        self.cache.get(key(credential), || self.fetch(credential)).await
    }

    /// The credential as something that can sign calls.
    pub(super) fn identity<'a>(&'a self, credential: &'a IbmCredential) -> Identity<'a> {
        Identity { iam: self, credential }
    }

    async fn fetch(&self, credential: &IbmCredential) -> Result<AccessToken, Error> {
        let base = route::base(Service::Iam, "GetToken", IAM_HOST)?;
        let url = route::to(Service::Iam, "GetToken", &base, &["identity", "token"])?;
        let request =
            Request::new(Service::Iam, "GetToken", Method::POST, url).with_body(form(credential)).idempotent();
        let answer = self.http.send(&request, None).await?;
        if !answer.is_success() {
            return Err(refused(&answer, credential));
        }
        let body: Value = answer.json()?;
        let secret = filled(&body, "access_token").ok_or_else(|| answer.unreadable())?;
        let life = seconds(body.get("expires_in")).unwrap_or(UNSAID_LIFE);
        let token = AccessToken::fresh(secret.into(), life.saturating_sub(SAFETY));
        Ok(token.renewed_after(life.mul_f64(RENEWAL_SHARE)))
    }
}

/// One credential, ready to sign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity<'a> {
    iam: &'a Iam,
    credential: &'a IbmCredential,
}

impl Bearer for Identity<'_> {
    async fn token(&self) -> Result<AccessToken, Error> {
        self.iam.token(self.credential).await
    }

    fn forget(&self, refused: &AccessToken) {
        self.iam.cache.forget(key(self.credential), refused);
    }
}

fn form(credential: &IbmCredential) -> Body {
    match credential {
        IbmCredential::ApiKey(api_key) => {
            Body::form(&[("grant_type", API_KEY_GRANT), ("apikey", api_key.expose_secret())])
        }
        IbmCredential::ContainerToken { token, profile_id } => Body::form(&[
            ("grant_type", COMPUTE_RESOURCE_GRANT),
            ("cr_token", token.expose_secret()),
            ("profile_id", profile_id),
        ]),
    }
}

/// A projected token is minted anew again and again; its service account, not its text, is the identity.
fn key(credential: &IbmCredential) -> TokenKey {
    match credential {
        IbmCredential::ApiKey(api_key) => TokenKey::of(&["iam", "apikey", api_key.expose_secret()]),
        IbmCredential::ContainerToken { token, profile_id } => {
            let bearer = token.expose_secret();
            let account = service_account(bearer).unwrap_or_else(|| bearer.to_owned());
            TokenKey::of(&["iam", "cr-token", profile_id, &account])
        }
    }
}

fn service_account(token: &str) -> Option<String> {
    let claims: Value = serde_json::from_slice(&base64url(token.split('.').nth(1)?).ok()?).ok()?;
    let text = |path: &str| claims.pointer(path).and_then(Value::as_str);
    let uid = text("/kubernetes.io/serviceaccount/uid").unwrap_or_default();
    Some(format!("{} {} {uid}", text("/iss")?, text("/sub")?))
}

fn refused(answer: &Answer, credential: &IbmCredential) -> Error {
    let words = Words::of(answer);
    let foreign = || (matches!(answer.status, 400 | 401 | 403) && !words.recognised).then(|| foreign(answer.service));
    let verdict = common(answer).or_else(foreign).unwrap_or_else(|| verdict(answer.status, &words, credential));
    words.error(answer, verdict)
}

/// IAM's table. 400 with `BXNIM04…` is a fault of the credential, not of the request \[E\].
fn verdict(status: u16, words: &Words, credential: &IbmCredential) -> Verdict {
    let of_credential = words.code_has("bxnim04") || matches!(status, 401 | 403);
    match (of_credential, credential) {
        (true, IbmCredential::ApiKey(_)) => {
            (Class::Denied, "ApiKeyInvalid", "IBM Cloud does not accept the API key: put a valid one into the Secret.")
        }
        (true, IbmCredential::ContainerToken { .. }) if status == 403 => (
            Class::AwaitingPerson,
            "TrustedProfileNotLinked",
            "Link the trusted profile to this service account in IBM Cloud IAM.",
        ),
        (true, IbmCredential::ContainerToken { .. }) => (
            Class::Denied,
            "TrustedProfileRefused",
            "IBM Cloud refuses the trusted profile: check its id, and that this cluster is one of IBM Cloud.",
        ),
        (false, _) => (
            Class::AwaitingPerson,
            "IamRequestRejected",
            "IBM Cloud IAM refuses the request in an unknown way; check any proxy in between.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;
    use crate::clouds::ibm::refusal::tests::answer;

    fn api_key(text: &str) -> IbmCredential {
        IbmCredential::ApiKey(text.into())
    }

    fn profile(claims: &Value, profile: &str) -> IbmCredential {
        let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
        IbmCredential::ContainerToken { token: format!("e30.{payload}.x").into(), profile_id: profile.into() }
    }

    fn refusal(status: u16, code: &str, credential: &IbmCredential) -> (Class, &'static str) {
        let body = json!({"errorCode": code, "errorMessage": "apikey hunter2", "context": {"requestId": "r"}});
        let error = refused(&answer(Service::Iam, "GetToken", status, &body.to_string()), credential);
        assert!(!format!("{error:?}").contains("hunter2"));
        (error.class, error.reason)
    }

    #[test]
    fn a_bad_key_is_the_secrets_fault_although_iam_says_400() {
        assert_eq!(refusal(400, "BXNIM0415E", &api_key("k")), (Class::Denied, "ApiKeyInvalid"));
        assert_eq!(refusal(400, "BXNIM0109E", &api_key("k")), (Class::AwaitingPerson, "IamRequestRejected"));
        assert_eq!(refusal(429, "", &api_key("k")), (Class::Throttled, "IamThrottled"));
        assert_eq!(refusal(503, "", &api_key("k")), (Class::Transient, "IamUnavailable"));
    }

    #[test]
    fn the_page_of_a_proxy_says_nothing_about_the_key() {
        for credential in [api_key("k"), profile(&json!({"iss": "i", "sub": "s"}), "Profile-1")] {
            for status in [400, 401, 403] {
                for body in ["<html>Blocked</html>", "", "{}", r#"{"code":"blocked"}"#, r#"{"errors":[]}"#] {
                    let error = refused(&answer(Service::Iam, "GetToken", status, body), &credential);
                    assert_eq!((error.class, error.reason), (Class::Transient, "IamUnavailable"), "{status} {body}");
                }
            }
        }
        let managed = r#"{"trace":"t","errors":[{"code":"unauthorized","message":"m"}],"status_code":401}"#;
        let error = refused(&answer(Service::Iam, "GetToken", 401, managed), &api_key("k"));
        assert_eq!((error.class, error.reason), (Class::Denied, "ApiKeyInvalid"));
    }

    #[test]
    fn a_missing_link_of_a_profile_waits_for_a_person() {
        let profile = profile(&json!({"iss": "i", "sub": "s"}), "Profile-1");
        assert_eq!(refusal(403, "BXNIM0427E", &profile), (Class::AwaitingPerson, "TrustedProfileNotLinked"));
        assert_eq!(refusal(400, "BXNIM0426E", &profile), (Class::Denied, "TrustedProfileRefused"));
    }

    #[test]
    fn a_projected_token_minted_anew_is_the_same_identity() {
        let of = |sub: &str, exp: u64| profile(&json!({"iss": "https://k8s", "sub": sub, "exp": exp}), "Profile-1");
        assert!(key(&of("system:serviceaccount:keys:a", 1)) == key(&of("system:serviceaccount:keys:a", 2)));
        assert!(key(&of("system:serviceaccount:keys:a", 1)) != key(&of("system:serviceaccount:keys:b", 1)));
        assert!(key(&api_key("a")) != key(&api_key("b")));
    }

    #[test]
    fn no_credential_shows_in_debug() {
        let both =
            [api_key("hunter2"), IbmCredential::ContainerToken { token: "hunter2".into(), profile_id: "P".into() }];
        assert!(!format!("{both:?}").contains("hunter2"));
    }
}
