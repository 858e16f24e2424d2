//! A self-managed UKO against the box: three ways to sign in, a CA of its own, older servers.
//!
//! In: a box. Out: what the client makes of it. Never: sends an IBM Cloud token to a customer's server.

use secrecy::SecretString;
use serde_json::json;
use uko_operator::clouds::{
    http::{Class, Http},
    ibm::{Uko, UkoCredential, UkoUrl, UkoVaultId},
};

use super::{Ibm, header};

const OWN: &str = "/ibm/uko/selfManaged";

fn own(ibm: &Ibm, member: &str) -> String {
    ibm.text(&format!("{OWN}/{member}"))
}

fn trusting(ibm: &Ibm, with_certificate: bool) -> Http {
    let identity = SecretString::from(format!("{}\n{}", own(ibm, "clientCertPem"), own(ibm, "clientKeyPem")));
    let identity = with_certificate.then_some(&identity);
    ibm.http.trusting(Some(own(ibm, "caPem").as_bytes()), identity).unwrap()
}

fn client(ibm: &Ibm, http: Http, credential: UkoCredential) -> (Uko, UkoVaultId) {
    let url = UkoUrl::self_managed(&own(ibm, "url")).unwrap();
    let uko = Uko::new(http, ibm.iam(), ibm.cache.clone(), url, credential);
    (uko, own(ibm, "vault/id").into())
}

fn oidc(ibm: &Ibm, provider: &str, password: &str) -> UkoCredential {
    UkoCredential::OidcPassword {
        provider: provider.into(),
        client_id: own(ibm, "oidc/clientId"),
        client_secret: Some(own(ibm, "oidc/clientSecret").into()),
        username: own(ibm, "oidc/username").into(),
        password: password.into(),
    }
}

#[tokio::test]
async fn each_way_to_sign_in_reads_the_vault() {
    let ibm = Ibm::start().await;
    let passcode =
        UkoCredential::Passcode { user_id: own(&ibm, "userId").into(), passcode: own(&ibm, "passcode").into() };
    let password = own(&ibm, "oidc/password");
    for (credential, certificate) in
        [(oidc(&ibm, "EkmfOpenIdConnect", &password), false), (passcode, false), (UkoCredential::MutualTls, true)]
    {
        let what = format!("{credential:?}");
        let (uko, vault) = client(&ibm, trusting(&ibm, certificate), credential);
        uko.probe().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(uko.vault(&vault).await.unwrap().unwrap().name, "payments", "{what}");
    }
    let logins = ibm.calls("uko").into_iter().filter(|call| call["method"] == "POST");
    assert_eq!(logins.count(), 2, "each login is kept");
    assert!(ibm.calls("iam").is_empty());
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_a_wrong_provider_is_a_setting() {
    let ibm = Ibm::start().await;
    let (uko, _) = client(&ibm, trusting(&ibm, false), oidc(&ibm, "EkmfOpenIdConnect", "hunter2"));
    let error = uko.probe().await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Denied, "UkoLoginRefused"));
    assert!(!format!("{error:?}").contains("hunter2"));
    let (uko, _) = client(&ibm, trusting(&ibm, false), oidc(&ibm, "UKOOpenIdConnect", "x"));
    let error = uko.probe().await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Invalid, "UkoLoginProviderUnknown"));
}

#[tokio::test]
async fn an_older_server_is_told_from_a_missing_vault() {
    let ibm = Ibm::start().await;
    let password = own(&ibm, "oidc/password");
    let (uko, vault) = client(&ibm, trusting(&ibm, false), oidc(&ibm, "EkmfOpenIdConnect", &password));
    assert_eq!(uko.vault(&"00000000-0000-4000-8000-00000000dead".into()).await.unwrap(), None);
    ibm.patch(&json!({"ibm": {"selfManaged": {"withoutApiV4": true}}}));
    for error in [
        uko.probe().await.unwrap_err(),
        uko.vault(&vault).await.unwrap_err(),
        uko.vaults_named("payments").await.unwrap_err(),
    ] {
        assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "ApiVersionUnsupported"));
    }
}

#[tokio::test]
async fn a_server_with_an_unknown_ca_is_not_trusted() {
    let ibm = Ibm::start().await;
    let (uko, _) = client(&ibm, ibm.http.clone(), UkoCredential::MutualTls);
    let error = uko.probe().await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "CertificateNotTrusted"));
}

#[tokio::test]
async fn an_ibm_cloud_credential_never_reaches_a_customers_server() {
    let ibm = Ibm::start().await;
    let (uko, _) = client(&ibm, trusting(&ibm, false), UkoCredential::Iam(ibm.api_key()));
    let error = uko.probe().await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Invalid, "UkoAuthenticationMismatch"));
    assert!(ibm.calls("uko").is_empty() && ibm.calls("iam").is_empty());
}

#[tokio::test]
async fn only_a_certificate_is_announced_as_one() {
    let ibm = Ibm::start().await;
    let (uko, _) = client(&ibm, trusting(&ibm, true), UkoCredential::MutualTls);
    uko.probe().await.unwrap();
    let calls = ibm.calls("uko");
    assert_eq!(calls.len(), 1);
    assert_eq!(header(&calls[0], "ekmf-mtls").as_deref(), Some("true"));
    assert_eq!(header(&calls[0], "authorization"), None);
}
