//! Entra, and the metadata service of a node: credentials in, access tokens out.
//!
//! In: a cloud, a credential, an audience. Out: a token from the shared cache. Never: keeps an assertion, or shows Entra's text.

mod refusal;

use std::{fmt, sync::Arc, time::Duration};

use reqwest::{Method, header::HeaderName};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::wire;
use crate::clouds::{
    hosts::{AzureCloud, IMDS_HOST},
    http::{Bearer, Body, Class, Error, Http, Request, Service},
    token::{AccessToken, Claims, TokenCache, TokenKey, seconds},
};

const OPERATION: &str = "GetToken";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// IMDS asks to be called no faster; its answers are quick when it is there at all.
const IMDS_TIMEOUT: Duration = Duration::from_secs(5);

/// How a client proves who it is.
#[derive(Clone)]
pub enum Proof {
    /// A client secret.
    Secret(SecretString),
    /// A federated token, as a Kubernetes service account holds it; read afresh for every exchange.
    Assertion(SecretString),
    /// The managed identity of the node, through the metadata service. The tenant is not asked for; an empty client id
    /// means the node's own identity.
    ManagedIdentity,
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret",
            Self::Assertion(_) => "Assertion",
            Self::ManagedIdentity => "ManagedIdentity",
        })
    }
}

/// Who the operator, or UKO, is towards Azure.
#[derive(Clone, Debug)]
pub struct Credential {
    /// The Entra tenant.
    pub tenant_id: String,
    /// The application (client) id.
    pub client_id: String,
    /// The proof.
    pub proof: Proof,
}

/// Whom a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Azure Resource Manager.
    ResourceManager,
    /// The data plane of every Key Vault of the cloud.
    KeyVault,
}

impl Audience {
    fn scope(self, cloud: AzureCloud) -> &'static str {
        match self {
            Self::ResourceManager => cloud.arm_scope(),
            Self::KeyVault => cloud.vault_scope(),
        }
    }

    /// The scope as the metadata service wants it: Resource Manager's keeps its slash, Key Vault's does not.
    fn resource(self, cloud: AzureCloud) -> &'static str {
        let scope = self.scope(cloud);
        let cut = match self {
            Self::ResourceManager => ".default",
            Self::KeyVault => "/.default",
        };
        scope.strip_suffix(cut).unwrap_or(scope)
    }
}

/// The client of Entra's token endpoint. A clone shares the cache.
#[derive(Clone, Debug)]
pub struct Entra {
    http: Http,
    cache: Arc<TokenCache>,
}

impl Entra {
    /// A client over the shared stack and cache; no call is made.
    #[must_use]
    pub fn new(http: Http, cache: Arc<TokenCache>) -> Self {
        Self { http, cache }
    }

    /// A token for this identity and audience, cached. Its claim `oid` is the identity's object id.
    ///
    /// Shape: `POST https://<authority>/<tenant>/oauth2/v2.0/token`, form; numbers may come as text \[P\].
    /// # Errors
    /// `Denied` or `Invalid` until the Secret or the spec changes (`ClientSecretInvalid`, `TenantNotFound`, …);
    /// `AwaitingPerson` for what only a directory's owner can mend; `Transient` otherwise. Codes are `AADSTS<n>`.
    /// # Cancel safety
    /// Safe.
    pub async fn token(
        &self,
        cloud: AzureCloud,
        credential: &Credential,
        audience: Audience,
    ) -> Result<AccessToken, Error> {
        let key = key(cloud, credential, audience);
        self.cache.get(key, || self.fetch(cloud, credential, audience)).await
    }

    async fn fetch(
        &self,
        cloud: AzureCloud,
        credential: &Credential,
        audience: Audience,
    ) -> Result<AccessToken, Error> {
        let request = match &credential.proof {
            Proof::ManagedIdentity => metadata_request(cloud, credential, audience)?,
            Proof::Secret(_) | Proof::Assertion(_) => token_request(cloud, credential, audience)?,
        };
        let answer = self.http.send(&request, None).await?;
        if !answer.is_success() {
            return Err(refusal::of(&answer));
        }
        let body: Value = answer.json()?;
        read_token(&body).ok_or_else(|| answer.unreadable())
    }
}

/// Who a client of Azure is: what [`Http::send_as`] needs of it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) entra: Entra,
    pub(super) cloud: AzureCloud,
    pub(super) credential: Arc<Credential>,
    pub(super) audience: Audience,
}

impl Bearer for Identity {
    async fn token(&self) -> Result<AccessToken, Error> {
        self.entra.token(self.cloud, &self.credential, self.audience).await
    }

    fn forget(&self, refused: &AccessToken) {
        self.entra.cache.forget(key(self.cloud, &self.credential, self.audience), refused);
    }
}

/// The cache key. A federated token changes every hour and still names the same subject, so issuer and subject stand for it.
fn key(cloud: AzureCloud, credential: &Credential, audience: Audience) -> TokenKey {
    let (kind, proof) = match &credential.proof {
        Proof::Secret(secret) => ("secret", secret.expose_secret().to_owned()),
        Proof::Assertion(assertion) => ("assertion", subject(assertion.expose_secret())),
        Proof::ManagedIdentity => ("managed", String::new()),
    };
    let Credential { tenant_id, client_id, .. } = credential;
    TokenKey::of(&[cloud.authority_host(), tenant_id, client_id, kind, &proof, audience.scope(cloud)])
}

fn subject(assertion: &str) -> String {
    let claims = Claims::read(assertion);
    match (claims.issuer, claims.subject) {
        (Some(issuer), Some(subject)) => format!("{issuer} {subject}"),
        (_, _) => assertion.to_owned(),
    }
}

fn token_request(cloud: AzureCloud, credential: &Credential, audience: Audience) -> Result<Request, Error> {
    let tenant = &credential.tenant_id;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let fits = !tenant.is_empty() && tenant.len() <= 128 && tenant.chars().all(plain);
    let address = format!("https://{}/{tenant}/oauth2/v2.0/token", cloud.authority_host());
    let url = Url::parse(&address).ok().filter(|_| fits).ok_or_else(|| {
        let advice = "Correct the tenant id: it is a GUID or a domain name.";
        Error::new(Service::Entra, OPERATION, Class::Invalid, "TenantNotFound", advice)
    })?;
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", credential.client_id.as_str()),
        ("scope", audience.scope(cloud)),
    ];
    match &credential.proof {
        Proof::Secret(secret) => form.push(("client_secret", secret.expose_secret())),
        Proof::Assertion(assertion) => {
            form.push(("client_assertion_type", ASSERTION_TYPE));
            form.push(("client_assertion", assertion.expose_secret().trim()));
        }
        Proof::ManagedIdentity => {}
    }
    Ok(Request::new(Service::Entra, OPERATION, Method::POST, url)
        .with_body(Body::form(&form))
        .with_attempt_id(HeaderName::from_static("client-request-id"))
        .with_header(HeaderName::from_static("return-client-request-id"), "true")
        .idempotent())
}

fn metadata_request(cloud: AzureCloud, credential: &Credential, audience: Audience) -> Result<Request, Error> {
    let base = format!("http://{IMDS_HOST}/metadata/identity/oauth2/token");
    let mut url = Url::parse(&base).map_err(|_| {
        Error::new(Service::Imds, OPERATION, Class::Invalid, "ManagedIdentityNotFound", "Correct the identity.")
    })?;
    url.query_pairs_mut().append_pair("api-version", "2018-02-01").append_pair("resource", audience.resource(cloud));
    if !credential.client_id.is_empty() {
        url.query_pairs_mut().append_pair("client_id", &credential.client_id);
    }
    Ok(Request::new(Service::Imds, OPERATION, Method::GET, url)
        .with_header(HeaderName::from_static("metadata"), "true")
        .with_timeout(IMDS_TIMEOUT))
}

fn read_token(body: &Value) -> Option<AccessToken> {
    let secret = wire::owned(body, "/access_token")?;
    let token = AccessToken::fresh(secret.into(), seconds(body.get("expires_in"))?);
    Some(match seconds(body.get("refresh_in")) {
        Some(wait) => token.renewed_after(wait),
        None => token,
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    fn with(proof: Proof) -> Credential {
        Credential { tenant_id: "00000000-0000-0000-0000-000000000000".into(), client_id: "app".into(), proof }
    }

    fn form(request: &Request) -> Vec<(String, String)> {
        let Body::Form(text) = &request.body else {
            return Vec::new();
        };
        url::form_urlencoded::parse(text.expose_secret().as_bytes()).into_owned().collect()
    }

    fn assertion(payload: &Value) -> Proof {
        Proof::Assertion(format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(payload.to_string())).into())
    }

    #[test]
    fn a_secret_and_an_assertion_are_sent_in_their_own_fields() {
        let secret =
            token_request(AzureCloud::Public, &with(Proof::Secret("a~b+/=".into())), Audience::KeyVault).unwrap();
        assert_eq!(
            secret.url.as_str(),
            "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/oauth2/v2.0/token"
        );
        assert!(form(&secret).contains(&("client_secret".into(), "a~b+/=".into())));
        assert!(form(&secret).contains(&("scope".into(), "https://vault.azure.net/.default".into())));
        let federated = with(Proof::Assertion(" eyJ.x.y\n".into()));
        let federated = token_request(AzureCloud::China, &federated, Audience::ResourceManager).unwrap();
        assert!(form(&federated).contains(&("client_assertion".into(), "eyJ.x.y".into())));
        assert!(form(&federated).contains(&("client_assertion_type".into(), ASSERTION_TYPE.into())));
        assert!(!form(&federated).iter().any(|(name, _)| name == "client_secret"));
    }

    #[test]
    fn a_tenant_that_would_leave_its_path_is_refused_before_the_secret_is_sent() {
        for tenant in ["", "../x", "a/b", "a?b", "a@b"] {
            let credential = Credential { tenant_id: tenant.into(), ..with(Proof::Secret("s".into())) };
            let error = token_request(AzureCloud::Public, &credential, Audience::KeyVault).unwrap_err();
            assert_eq!((error.class, error.reason), (Class::Invalid, "TenantNotFound"));
        }
    }

    #[test]
    fn the_metadata_service_is_asked_without_the_scopes_ending() {
        let credential = with(Proof::ManagedIdentity);
        let url = |audience| metadata_request(AzureCloud::Public, &credential, audience).unwrap().url;
        let resource = |url: Url| url.query_pairs().find(|(name, _)| name == "resource").unwrap().1.into_owned();
        assert_eq!(resource(url(Audience::KeyVault)), "https://vault.azure.net");
        assert_eq!(resource(url(Audience::ResourceManager)), "https://management.azure.com/");
        assert_eq!(url(Audience::KeyVault).host_str(), Some("169.254.169.254"));
    }

    #[test]
    fn numbers_may_come_as_text_and_a_body_without_token_is_none() {
        assert!(read_token(&json!({"token_type": "Bearer", "expires_in": 3599, "access_token": "x"})).is_some());
        assert!(read_token(&json!({"expires_in": "86399", "expires_on": "1767225600", "access_token": "x"})).is_some());
        assert!(read_token(&json!({"expires_in": 3599})).is_none());
        let over = read_token(&json!({"access_token": "x", "expires_in": -1})).unwrap();
        assert!(over.expires() <= tokio::time::Instant::now());
        let endless = json!({"access_token": "x", "expires_in": u64::MAX, "refresh_in": u64::MAX});
        assert!(read_token(&endless).is_some());
    }

    #[test]
    fn the_cache_tells_credentials_apart_but_not_the_renewals_of_one_federated_subject() {
        let of = |proof| key(AzureCloud::Public, &with(proof), Audience::KeyVault);
        assert!(of(Proof::Secret("a".into())) != of(Proof::Secret("b".into())));
        assert!(of(Proof::Secret("a".into())) == of(Proof::Secret("a".into())));
        let subject = |name: &str, exp: u32| assertion(&json!({"iss": "https://issuer", "sub": name, "exp": exp}));
        assert!(of(subject("a", 1)) == of(subject("a", 2)));
        assert!(of(subject("a", 1)) != of(subject("b", 1)));
        let arm = key(AzureCloud::Public, &with(Proof::Secret("a".into())), Audience::ResourceManager);
        assert!(of(Proof::Secret("a".into())) != arm);
    }

    #[test]
    fn debug_never_shows_a_proof() {
        assert!(!format!("{:?}", with(Proof::Secret("hunter2".into()))).contains("hunter2"));
    }
}
