//! The IBM clients against the cloud in a box: IAM and the broker here, Satellite and UKO beside.
//!
//! In: a box of its own for every test. Out: what the clients make of its answers, good and bad.
//! Never: shares a box, sleeps, or asserts an order of calls.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "ibm_satellite.rs"]
mod satellite;
#[path = "ibm_self_managed.rs"]
mod self_managed;
#[path = "ibm_uko.rs"]
mod uko;
#[path = "ibm_uko_doubts.rs"]
mod uko_doubts;

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloud_in_a_box::server::{self, Options, Running};
use serde_json::{Value, json};
use tempfile::TempDir;
use uko_operator::clouds::{
    Clouds,
    hosts::LinkScope,
    http::{Class, CloudMetrics, Http, HttpSettings, ProxySettings},
    ibm::{Broker, Iam, IbmCredential},
    token::TokenCache,
};

/// A box, and clients that reach nothing else.
struct Ibm {
    running: Running,
    seed: Value,
    http: Http,
    settings: HttpSettings,
    cache: Arc<TokenCache>,
    _folder: TempDir,
}

impl Ibm {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let running = server::start(Options::anywhere(folder.path().to_owned())).await.unwrap();
        let seed = serde_json::from_slice(&std::fs::read(folder.path().join("seed.json")).unwrap()).unwrap();
        let settings = HttpSettings {
            extra_ca_file: Some(folder.path().join("ca.pem")),
            proxy: ProxySettings { https_proxy: Some(format!("http://{}", running.proxy)), ..ProxySettings::default() },
            read_retry_initial: Duration::from_millis(1),
            ..HttpSettings::default()
        };
        let http = Http::new(&settings, &CloudMetrics::default()).unwrap();
        Self { running, seed, http, settings, cache: Arc::default(), _folder: folder }
    }

    fn iam(&self) -> Iam {
        Iam::new(self.http.clone(), Arc::clone(&self.cache))
    }

    fn api_key(&self) -> IbmCredential {
        IbmCredential::ApiKey(self.text("/ibm/apiKey").into())
    }

    /// A member of `seed.json`.
    fn text(&self, pointer: &str) -> String {
        self.seed.pointer(pointer).unwrap().as_str().unwrap().to_owned()
    }

    fn patch(&self, patch: &Value) {
        self.running.core.world().merge(patch).unwrap();
    }

    fn fault(&self, rule: Value) {
        self.running.core.faults().add(rule).unwrap();
    }

    /// The calls a service got, oldest first, as `GET /requests` shows them.
    fn calls(&self, service: &str) -> Vec<Value> {
        let log = serde_json::to_value(self.running.core.log().after(0)).unwrap();
        let all = log.as_array().unwrap().iter();
        all.filter(|call| call["service"] == service).cloned().collect()
    }
}

/// A header of a logged call.
fn header(call: &Value, name: &str) -> Option<String> {
    let headers = call["request_headers"].as_object().unwrap();
    let found = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name))?;
    Some(found.1.as_str().unwrap().to_owned())
}

fn projected_token(subject: &str) -> String {
    let claims = json!({"iss": "https://kubernetes.default.svc", "sub": subject, "aud": ["iam"]});
    format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

#[tokio::test]
async fn a_token_names_its_account_and_is_fetched_once() {
    let ibm = Ibm::start().await;
    let (iam, key) = (ibm.iam(), ibm.api_key());
    let first = iam.token(&key).await.unwrap();
    assert_eq!(first.claims.account.as_deref(), Some(ibm.text("/ibm/accountId").as_str()));
    let (second, third) = tokio::join!(iam.token(&key), iam.token(&key));
    assert_eq!(second.unwrap().expires(), third.unwrap().expires());
    assert_eq!(ibm.calls("iam").len(), 1);
}

/// Moves the clock while nothing is in flight.
async fn let_pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_token_is_renewed_at_four_fifths_of_its_life_and_outlives_a_failed_renewal() {
    let ibm = Ibm::start().await;
    let (iam, key) = (ibm.iam(), ibm.api_key());
    let first = iam.token(&key).await.unwrap();
    let_pass(Duration::from_secs(2_870)).await;
    iam.token(&key).await.unwrap();
    assert_eq!(ibm.calls("iam").len(), 1);
    ibm.fault(json!({"service": "iam", "status": 503, "count": -1}));
    let_pass(Duration::from_secs(20)).await;
    let old = iam.token(&key).await.unwrap();
    assert_eq!(old.expires(), first.expires());
    assert!(ibm.calls("iam").len() > 1);
    let_pass(Duration::from_mins(12)).await;
    let error = iam.token(&key).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Transient, "IamUnavailable"));
}

#[tokio::test]
async fn a_bad_api_key_is_denied_with_ibms_code_and_id() {
    let ibm = Ibm::start().await;
    let error = ibm.iam().token(&IbmCredential::ApiKey("wrong-key".into())).await.unwrap_err();
    assert_eq!((error.class, error.reason, error.status), (Class::Denied, "ApiKeyInvalid", Some(400)));
    assert_eq!(error.code.as_deref(), Some("BXNIM0415E"));
    assert!(error.request_id.is_some());
    assert!(!format!("{error:?}").contains("wrong-key"));
}

#[tokio::test]
async fn a_trusted_profile_needs_a_link_to_the_service_account() {
    let ibm = Ibm::start().await;
    let profile_id = ibm.text("/ibm/trustedProfileId");
    let of = |subject: &str| IbmCredential::ContainerToken {
        token: projected_token(subject).into(),
        profile_id: profile_id.clone(),
    };
    assert!(ibm.iam().token(&of("system:serviceaccount:keys:uko")).await.is_ok());
    ibm.patch(&json!({"ibm": {"profiles": {profile_id.as_str(): {"links": ["keys/uko"]}}}}));
    let error = ibm.iam().token(&of("system:serviceaccount:other:uko")).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "TrustedProfileNotLinked"));
}

#[tokio::test]
async fn an_outage_of_iam_is_bridged_and_a_throttling_is_passed_on() {
    let ibm = Ibm::start().await;
    ibm.fault(json!({"service": "iam", "status": 503}));
    assert!(ibm.iam().token(&ibm.api_key()).await.is_ok());

    let ibm = Ibm::start().await;
    ibm.fault(json!({"service": "iam", "status": 429, "retry_after": 7}));
    let error = ibm.iam().token(&ibm.api_key()).await.unwrap_err();
    assert_eq!((error.class, error.retry_after), (Class::Throttled, Some(Duration::from_secs(7))));
    assert_eq!(ibm.calls("iam").len(), 1);
}

#[tokio::test]
async fn the_broker_names_an_instances_address() {
    let ibm = Ibm::start().await;
    let broker = Broker::new(ibm.http.clone(), ibm.iam());
    let (region, instance) = (ibm.text("/ibm/region"), ibm.text("/ibm/uko/instanceId"));
    let url = broker.uko_url(&region, &instance, &ibm.api_key()).await.unwrap();
    assert_eq!(url.to_string(), ibm.text("/ibm/uko/url"));
    assert!(url.is_hosted());
}

#[tokio::test]
async fn an_address_is_asked_for_once_until_it_is_forgotten_and_a_failure_is_not_kept() {
    let ibm = Ibm::start().await;
    let clouds = Clouds::new(&ibm.settings, &CloudMetrics::default(), LinkScope::Connectors).unwrap();
    let (region, instance, key) = (ibm.text("/ibm/region"), ibm.text("/ibm/uko/instanceId"), ibm.api_key());
    ibm.fault(json!({"service": "broker", "status": 403, "body": {"message": "no"}}));
    let error = clouds.uko_base(&region, &instance, &key).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "BrokerPermissionDenied"));
    let first = clouds.uko_base(&region, &instance, &key).await.unwrap();
    assert_eq!(first.to_string(), ibm.text("/ibm/uko/url"));
    assert_eq!(clouds.clone().uko_base(&region, &instance.to_uppercase(), &key).await.unwrap(), first);
    assert_eq!(ibm.calls("broker").len(), 2);
    clouds.forget_uko_base(&region, &instance);
    assert_eq!(clouds.uko_base(&region, &instance, &key).await.unwrap(), first);
    assert_eq!(ibm.calls("broker").len(), 3);
}

#[tokio::test]
async fn the_page_of_a_proxy_blames_no_credential() {
    let ibm = Ibm::start().await;
    let page = json!({"status": 403, "body": "<html>Blocked by policy</html>"});
    let broker = Broker::new(ibm.http.clone(), ibm.iam());
    for (service, reason) in [("iam", "IamUnavailable"), ("broker", "BrokerUnavailable")] {
        let mut rule = page.clone();
        rule["service"] = json!(service);
        ibm.fault(rule);
        let error = broker
            .uko_url(&ibm.text("/ibm/region"), &ibm.text("/ibm/uko/instanceId"), &ibm.api_key())
            .await
            .unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, reason));
        // What is left of the failure in the cache of tokens is over by then.
        let_pass(Duration::from_secs(6)).await;
    }
}

#[tokio::test]
async fn the_broker_is_not_believed_when_it_names_another_host() {
    let ibm = Ibm::start().await;
    let broker = Broker::new(ibm.http.clone(), ibm.iam());
    let (region, instance) = (ibm.text("/ibm/region"), ibm.text("/ibm/uko/instanceId"));
    ibm.fault(json!({"service": "broker", "status": 200, "body": {"uko": {"public": "evil.example"}}}));
    let error = broker.uko_url(&region, &instance, &ibm.api_key()).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Invalid, "UkoAddressRefused"));
    ibm.fault(json!({"service": "broker", "status": 200, "body": {"instance_id": instance}}));
    let error = broker.uko_url(&region, &instance, &ibm.api_key()).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "UkoNotEnabled"));
}

#[tokio::test]
async fn an_unknown_instance_or_region_is_said_to_be_unknown() {
    let ibm = Ibm::start().await;
    let broker = Broker::new(ibm.http.clone(), ibm.iam());
    let id = "00000000-0000-4000-8000-000000000000";
    let error = broker.uko_url(&ibm.text("/ibm/region"), id, &ibm.api_key()).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::NotFound, "UkoInstanceNotFound"));
    let error = broker.uko_url("evil.example/", id, &ibm.api_key()).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Invalid, "RegionInvalid"));
}
