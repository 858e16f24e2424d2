//! How the operator signs in to a UKO: IBM Cloud IAM for hosted ones, three ways of their own for self-managed ones.
//!
//! In: a credential and a base URL. Out: signed calls.
//! Never: sends an IAM token to a host that is not IBM's, or a password anywhere but to the login.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::{Method, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{UkoUrl, refusal};
use crate::clouds::{
    http::{Answer, Bearer, Body, Class, Error, Http, Request, Service},
    ibm::{
        Iam, IbmCredential,
        member::{filled, number},
        route,
    },
    token::{AccessToken, TokenCache, TokenKey, base64url, seconds},
};

/// Tells a self-managed UKO to look at the client certificate \[D\].
const MUTUAL_TLS: HeaderName = HeaderName::from_static("ekmf-mtls");
/// The life of a token whose answer does not say: the passcode login names none \[D\].
const UNSAID_LIFE: Duration = Duration::from_mins(10);

/// Who the operator is towards a UKO.
#[derive(Clone, Debug)]
pub enum UkoCredential {
    /// Hosted UKO: IBM Cloud IAM.
    Iam(IbmCredential),
    /// Self-managed: the password grant of the server's own OIDC provider.
    OidcPassword {
        /// `EkmfOpenIdConnect` or `UKOOpenIdConnect` \[D\].
        provider: String,
        /// The OIDC client.
        client_id: String,
        /// Its secret; may be absent in the default configuration \[D\].
        client_secret: Option<SecretString>,
        /// The user.
        username: SecretString,
        /// The user's password.
        password: SecretString,
    },
    /// Self-managed: login with a passcode.
    Passcode {
        /// The user.
        user_id: SecretString,
        /// The passcode.
        passcode: SecretString,
    },
    /// Self-managed: the client certificate that [`Http::trusting`] was given.
    MutualTls,
}

/// One identity at one UKO. A clone shares pool and tokens.
#[derive(Clone, Debug)]
pub(super) struct Session {
    http: Http,
    iam: Iam,
    cache: Arc<TokenCache>,
    base: UkoUrl,
    credential: Arc<UkoCredential>,
}

impl Session {
    pub(super) fn new(http: Http, iam: Iam, cache: Arc<TokenCache>, base: UkoUrl, credential: UkoCredential) -> Self {
        Self { http, iam, cache, base, credential: Arc::new(credential) }
    }

    pub(super) fn base(&self) -> &UkoUrl {
        &self.base
    }

    /// Sends a call in the way the credential wants.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, Error> {
        match &*self.credential {
            UkoCredential::Iam(credential) if self.base.is_hosted() => {
                self.http.send_as(&request, &self.iam.identity(credential)).await
            }
            UkoCredential::Iam(_) => Err(not_ibms(request.operation)),
            UkoCredential::OidcPassword { .. } | UkoCredential::Passcode { .. } => {
                self.http.send_as(&request, self).await
            }
            UkoCredential::MutualTls => {
                let request = request.with_header(MUTUAL_TLS, "true");
                self.http.send(&request, None).await
            }
        }
    }

    /// Gets a token, or finds the one that is there.
    pub(super) async fn prove(&self) -> Result<(), Error> {
        match &*self.credential {
            UkoCredential::Iam(credential) if self.base.is_hosted() => self.iam.token(credential).await.map(drop),
            UkoCredential::Iam(_) => Err(not_ibms("Login")),
            UkoCredential::OidcPassword { .. } | UkoCredential::Passcode { .. } => self.token().await.map(drop),
            UkoCredential::MutualTls => Ok(()),
        }
    }

    /// What is sent to sign in, and the key its token is kept under; `None` where nothing is.
    fn login(&self) -> Option<Login> {
        let base = self.base.as_str();
        match &*self.credential {
            UkoCredential::OidcPassword { provider, client_id, client_secret, username, password } => {
                let secret = client_secret.as_ref().map_or("", |secret| secret.expose_secret());
                let (user, password) = (username.expose_secret(), password.expose_secret());
                let form = [
                    ("grant_type", "password"),
                    ("client_id", client_id),
                    ("client_secret", secret),
                    ("username", user),
                    ("password", password),
                    ("scope", "openid profile email"),
                ];
                Some(Login {
                    operation: "LoginOidc",
                    path: vec!["oidc".into(), "endpoint".into(), provider.clone(), "token".into()],
                    body: Body::form(&form),
                    member: "access_token",
                    key: TokenKey::of(&["uko-oidc", base, provider, client_id, secret, user, password]),
                })
            }
            UkoCredential::Passcode { user_id, passcode } => {
                let (user, passcode) = (user_id.expose_secret(), passcode.expose_secret());
                Some(Login {
                    operation: "LoginPasscode",
                    path: ["api", "v2", "system", "login"].map(str::to_owned).to_vec(),
                    body: Body::json(&json!({"userId": user, "passcode": passcode})),
                    member: "authorizationToken",
                    key: TokenKey::of(&["uko-passcode", base, user, passcode]),
                })
            }
            UkoCredential::Iam(_) | UkoCredential::MutualTls => None,
        }
    }

    async fn sign_in(&self, login: Login) -> Result<AccessToken, Error> {
        let segments: Vec<&str> = login.path.iter().map(String::as_str).collect();
        let url = route::to(Service::Uko, login.operation, self.base.url(), &segments)?;
        let request = Request::new(Service::Uko, login.operation, Method::POST, url).with_body(login.body).idempotent();
        let answer = self.http.send(&request, None).await?;
        if !answer.is_success() {
            return Err(refusal::login(&answer));
        }
        let body: Value = answer.json()?;
        granted(&body, login.member).ok_or_else(|| answer.unreadable())
    }
}

/// A self-managed UKO's own tokens.
impl Bearer for Session {
    async fn token(&self) -> Result<AccessToken, Error> {
        let login = self.login().ok_or_else(|| not_ibms("Login"))?;
        self.cache.get(login.key, || self.sign_in(login)).await
    }

    fn forget(&self, refused: &AccessToken) {
        if let Some(login) = self.login() {
            self.cache.forget(login.key, refused);
        }
    }
}

struct Login {
    operation: &'static str,
    path: Vec<String>,
    body: Body,
    member: &'static str,
    key: TokenKey,
}

fn not_ibms(operation: &'static str) -> Error {
    let advice =
        "An IBM Cloud credential is only sent to IBM's own hosts; a server of your own needs another authentication.";
    Error::new(Service::Uko, operation, Class::Invalid, "UkoAuthenticationMismatch", advice)
}

/// Reads the token of a login. The passcode login's already starts with `Bearer ` \[I\].
fn granted(body: &Value, member: &str) -> Option<AccessToken> {
    let text = filled(body, member)?;
    let bare = match text.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token.trim(),
        Some(_) | None => text.as_str(),
    };
    let life = seconds(body.get("expires_in")).or_else(|| life_of(bare)).unwrap_or(UNSAID_LIFE);
    (!bare.is_empty()).then(|| AccessToken::fresh(bare.into(), life))
}

/// What is left of a JWT's life, by this machine's clock. An early 401 is mended by signing in again.
fn life_of(token: &str) -> Option<Duration> {
    let claims: Value = serde_json::from_slice(&base64url(token.split('.').nth(1)?).ok()?).ok()?;
    let end = UNIX_EPOCH.checked_add(Duration::from_secs(number(&claims, "exp")?))?;
    end.duration_since(SystemTime::now()).ok().filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn the_scheme_in_front_of_a_passcode_token_is_taken_off() {
        for text in ["Bearer abc", "bearer  abc", "abc"] {
            let token = granted(&json!({"authorizationToken": text}), "authorizationToken").unwrap();
            assert_eq!(token.secret().expose_secret(), "abc");
        }
        assert!(granted(&json!({"authorizationToken": "Bearer "}), "authorizationToken").is_none());
        assert!(granted(&json!({"token": "abc"}), "authorizationToken").is_none());
    }

    #[test]
    fn a_token_lives_as_long_as_the_answer_or_the_token_says() {
        let lasts = |body: &Value| granted(body, "t").unwrap().expires().duration_since(Instant::now());
        let hour = Duration::from_hours(1);
        assert!(lasts(&json!({"t": "abc", "expires_in": 7200})) > hour);
        assert!(lasts(&json!({"t": "abc"})) <= UNSAID_LIFE);
        assert!(lasts(&json!({"t": "abc", "expires_in": u64::MAX})) > hour);
        assert_eq!(lasts(&json!({"t": "abc", "expires_in": -1})), Duration::ZERO);
        let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + 2 * hour;
        let payload = URL_SAFE_NO_PAD.encode(json!({"exp": end.as_secs()}).to_string());
        assert!(lasts(&json!({"t": format!("e30.{payload}.x")})) > hour);
    }

    #[test]
    fn no_credential_shows_in_debug() {
        let credential = UkoCredential::OidcPassword {
            provider: "EkmfOpenIdConnect".into(),
            client_id: "c".into(),
            client_secret: Some("hunter2".into()),
            username: "hunter2".into(),
            password: "hunter2".into(),
        };
        assert!(!format!("{credential:?}").contains("hunter2"));
    }
}
