//! The HPCS broker: which address a hosted UKO instance answers at.
//!
//! In: a region and an instance id. Out: a checked [`UkoUrl`].
//! Never: believes an address that is not this instance's, or not in this region.

use reqwest::Method;
use serde_json::Value;
use url::Url;

use super::{
    Iam, IbmCredential,
    refusal::{Verdict, Words, common, foreign},
    route,
    uko::UkoUrl,
};
use crate::clouds::{
    hosts::{broker_host, uko_region},
    http::{Answer, Class, Error, Http, Request, Service},
};

const OPERATION: &str = "GetInstanceEndpoints";

/// Looks up instances. A clone shares pool and tokens.
#[derive(Clone, Debug)]
pub struct Broker {
    http: Http,
    iam: Iam,
}

impl Broker {
    /// Makes the client; no call is made.
    #[must_use]
    pub fn new(http: Http, iam: Iam) -> Self {
        Self { http, iam }
    }

    /// The address of the instance's UKO.
    ///
    /// Shape: `GET https://<region>.broker.hs-crypto.cloud.ibm.com/crypto_v2/instances/{id}`; `uko.public` is a host without
    /// a scheme, perhaps with a port \[S\].
    /// # Errors
    /// `NotFound`, reason `UkoInstanceNotFound`. `Invalid`, reason `UkoAddressRefused`: the address is none of UKO's.
    pub async fn uko_url(&self, region: &str, instance_id: &str, credential: &IbmCredential) -> Result<UkoUrl, Error> {
        let host = broker_host(region).ok_or_else(|| {
            let advice = "The region is no plain word; use the region's id, for example eu-de.";
            Error::new(Service::Broker, OPERATION, Class::Invalid, "RegionInvalid", advice)
        })?;
        let base = route::base(Service::Broker, OPERATION, &host)?;
        let url = route::to(Service::Broker, OPERATION, &base, &["crypto_v2", "instances", instance_id])?;
        let request = Request::new(Service::Broker, OPERATION, Method::GET, url);
        let answer = self.http.send_as(&request, &self.iam.identity(credential)).await?;
        if !answer.is_success() {
            return Err(refused(&answer));
        }
        let body: Value = answer.json()?;
        let Some(host) = body.pointer("/uko/public").and_then(Value::as_str).filter(|host| !host.is_empty()) else {
            return Err(answer.error(
                Class::AwaitingPerson,
                "UkoNotEnabled",
                "The instance has no UKO address; it must be of the plan with Unified Key Orchestrator.",
            ));
        };
        checked(host, region, instance_id).ok_or_else(|| refused_address(&answer))
    }
}

/// Accepts both host forms, in this region, and with this instance's id where the form carries one.
fn checked(host: &str, region: &str, instance_id: &str) -> Option<UkoUrl> {
    let bare = host.strip_prefix("https://").unwrap_or(host).trim_end_matches('/');
    let url = Url::parse(&format!("https://{bare}/")).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let here = uko_region(&url)? == region;
    let first = url.host_str()?.split('.').next()?;
    let ours = first == "uko" || first.eq_ignore_ascii_case(instance_id);
    (plain && here && ours).then(|| UkoUrl::hosted(url)).flatten()
}

fn refused_address(answer: &Answer) -> Error {
    answer.error(
        Class::Invalid,
        "UkoAddressRefused",
        "The broker names an address that is not this instance's UKO in this region; check instance id and region.",
    )
}

/// The broker's error bodies are unpublished \[I\]: any JSON object is taken for its own, anything else for a proxy's.
fn refused(answer: &Answer) -> Error {
    let words = Words::of(answer);
    let foreign = || (matches!(answer.status, 400 | 401 | 403) && !words.json).then(|| foreign(answer.service));
    let verdict = common(answer).or_else(foreign).unwrap_or_else(|| verdict(answer.status));
    words.error(answer, verdict)
}

fn verdict(status: u16) -> Verdict {
    match status {
        401 => (
            Class::Denied,
            "BrokerTokenRejected",
            "The HPCS broker refuses the IAM token; check the API key or the trusted profile.",
        ),
        403 => (
            Class::AwaitingPerson,
            "BrokerPermissionDenied",
            "Give the identity at least the role Viewer on the HPCS instance.",
        ),
        404 => (
            Class::NotFound,
            "UkoInstanceNotFound",
            "The region has no such HPCS instance; check instance id and region.",
        ),
        _other => (
            Class::AwaitingPerson,
            "BrokerRequestRejected",
            "The HPCS broker refuses the request; check instance id and region.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds::ibm::refusal::tests::answer;

    const ID: &str = "0123abcd-0000-4000-8000-000000000000";

    #[test]
    fn a_refusal_counts_only_when_the_broker_wrote_it() {
        for (status, body, class, reason) in [
            (401, r#"{"message":"no"}"#, Class::Denied, "BrokerTokenRejected"),
            (403, r#"{"errors":[{"code":"forbidden"}]}"#, Class::AwaitingPerson, "BrokerPermissionDenied"),
            (401, "<html>", Class::Transient, "BrokerUnavailable"),
            (401, "", Class::Transient, "BrokerUnavailable"),
            (403, "Blocked", Class::Transient, "BrokerUnavailable"),
            (400, "<html>", Class::Transient, "BrokerUnavailable"),
        ] {
            let error = refused(&answer(Service::Broker, OPERATION, status, body));
            assert_eq!((error.class, error.reason), (class, reason), "{status} {body}");
        }
    }

    #[test]
    fn both_forms_of_this_instance_are_accepted() {
        for host in [
            format!("{ID}.uko.eu-de.hs-crypto.appdomain.cloud"),
            format!("https://{ID}.uko.eu-de.hs-crypto.appdomain.cloud/"),
            "uko.eu-de.hs-crypto.cloud.ibm.com:9730".to_owned(),
        ] {
            assert!(checked(&host, "eu-de", ID).is_some(), "{host}");
        }
    }

    #[test]
    fn an_address_of_anybody_else_is_refused() {
        for host in [
            "evil.example",
            "11111111-0000-4000-8000-000000000000.uko.eu-de.hs-crypto.appdomain.cloud",
            "uko.us-east.hs-crypto.cloud.ibm.com:9730",
            "uko.eu-de.hs-crypto.cloud.ibm.com:9730/steal?x=1",
            "uko.eu-de.hs-crypto.cloud.ibm.com:9730@evil.example",
            "http://uko.eu-de.hs-crypto.cloud.ibm.com:9730",
            "",
        ] {
            assert!(checked(host, "eu-de", ID).is_none(), "{host}");
        }
    }
}
