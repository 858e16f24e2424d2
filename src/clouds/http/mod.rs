//! The one way out: timeouts, retries, budgets, metrics, spans and redaction for every cloud.
//!
//! In: a [`Request`] whose host `clouds::hosts` knows. Out: an [`Answer`] of any status, or an [`Error`] of the transport.
//! Never: follows a redirect, repeats a mutation, or lets a body, a query or a token into a log.

mod budget;
mod error;
mod message;
mod metrics;
pub mod reasons;
mod redact;
mod retry;
mod settings;
mod transport;

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tracing::{Instrument, Span, field::Empty};

use self::budget::{Budgets, Refusal};
pub(in crate::clouds) use self::error::allowed;
pub use self::{
    error::{Class, Error, Facts, RequestId, Service, Source},
    message::{Answer, Body, Request},
    metrics::CloudMetrics,
    settings::{HttpSettings, ProxySettings},
};
use super::token::AccessToken;

/// The largest answer that is read; Azure's largest known one, a vault with 1,024 policies, is about 1 MiB.
const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// The least patience after a throttling answer, also when it names no time, or none at all.
const LEAST_WAIT: Duration = Duration::from_secs(5);

/// Gives the bearer token of one identity, and takes back one that was refused.
pub trait Bearer: Send + Sync {
    /// A token that is valid now.
    fn token(&self) -> impl Future<Output = Result<AccessToken, Error>> + Send;
    /// Drops a token that the service refused, so that the next one is fresh.
    fn forget(&self, refused: &AccessToken);
}

/// The shared HTTP stack. A clone shares pools, budgets and metrics.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client,
    direct: Client,
    settings: Arc<HttpSettings>,
    budgets: Budgets,
    metrics: CloudMetrics,
}

impl Http {
    /// Builds the stack; no call is made.
    ///
    /// # Errors
    /// `Invalid`: a CA file or proxy that cannot be used, or an image without any CA.
    pub fn new(settings: &HttpSettings, metrics: &CloudMetrics) -> Result<Self, Error> {
        Ok(Self {
            client: transport::client(settings, &transport::Extras::default())?,
            direct: transport::direct_client(settings)?,
            settings: Arc::new(settings.clone()),
            budgets: Budgets::new(settings.concurrency_per_host),
            metrics: metrics.clone(),
        })
    }

    /// The same stack for a server of the customer's own: one more CA to trust, and a client certificate to show.
    /// The handshake costs a pool of its own: keep the result as long as the PEM is the same.
    ///
    /// # Errors
    /// `Invalid`, reason `CaBundleInvalid` or `ClientCertificateInvalid`.
    pub fn trusting(&self, ca_pem: Option<&[u8]>, identity_pem: Option<&SecretString>) -> Result<Self, Error> {
        let extras = transport::Extras { ca_pem, identity_pem };
        let client = transport::client(&self.settings, &extras)?;
        Ok(Self { client, ..self.clone() })
    }

    /// Sends a call with an optional bearer token. Repeats idempotent ones, at most twice, after a transport failure or a 5xx.
    ///
    /// # Errors
    /// No answer came, or the host's gate or breaker is closed. Every answer, whatever its status, is `Ok`.
    /// # Cancel safety
    /// A mutation dropped in flight may have been carried out.
    pub async fn send(&self, request: &Request, bearer: Option<&AccessToken>) -> Result<Answer, Error> {
        let mut pauses = retry::pauses(request, self.settings.read_retry_initial);
        let mut attempt = 0;
        loop {
            let span = span(request, attempt);
            let outcome = self.measured(request, bearer).instrument(span).await;
            if !retry::worthwhile(&outcome) {
                return outcome;
            }
            let Some(pause) = pauses.next() else {
                return outcome;
            };
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    /// Sends a call as an identity. A 401 drops the token and the call is made once more with a fresh one.
    ///
    /// # Errors
    /// As [`Http::send`], and whatever getting a token can end in.
    pub async fn send_as(&self, request: &Request, identity: &impl Bearer) -> Result<Answer, Error> {
        let token = identity.token().await?;
        let answer = self.send(request, Some(&token)).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        identity.forget(&token);
        let fresh = identity.token().await?;
        self.send(request, Some(&fresh)).await
    }

    async fn measured(&self, request: &Request, bearer: Option<&AccessToken>) -> Result<Answer, Error> {
        let target = request.target();
        let patience = request.timeout.unwrap_or(self.settings.request_timeout);
        let pass = match self.budgets.admit(&target, patience).await {
            Ok(pass) => pass,
            Err(refusal) => {
                self.metrics.withheld(request.service, refusal);
                let error = at_home(request, refusal);
                unanswered(&error);
                return Err(error);
            }
        };
        let started = Instant::now();
        let outcome = self.exchange(request, bearer).await;
        let status = outcome.as_ref().ok().map(|answer| answer.status);
        self.metrics.count(request.service, request.operation, status, started.elapsed());
        match &outcome {
            Ok(answer) => {
                pass.answered();
                note(answer);
                if (request.throttles)(answer) {
                    let wait = answer.retry_after.unwrap_or_default().max(LEAST_WAIT);
                    self.budgets.close_gate(&target.gate, wait);
                }
            }
            Err(error) => {
                pass.failed();
                unanswered(error);
                tracing::debug!(target: "uko_operator::clouds", reason = error.reason, "no answer");
            }
        }
        outcome
    }

    async fn exchange(&self, request: &Request, bearer: Option<&AccessToken>) -> Result<Answer, Error> {
        let client = match request.service {
            Service::Imds => &self.direct,
            Service::Entra
            | Service::Arm
            | Service::KeyVault
            | Service::Iam
            | Service::Containers
            | Service::Link
            | Service::Broker
            | Service::Uko => &self.client,
        };
        let mut call = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if !request.headers.contains_key(header::ACCEPT) {
            call = call.header(header::ACCEPT, "application/json");
        }
        if let Some((kind, text)) = request.body.content() {
            if !request.headers.contains_key(header::CONTENT_TYPE) {
                call = call.header(header::CONTENT_TYPE, kind);
            }
            call = call.body(text);
        } else if request.method == Method::POST {
            call = call.header(header::CONTENT_LENGTH, 0);
        }
        if let Some(name) = &request.attempt_id {
            call = call.header(name, uuid::Uuid::new_v4().to_string());
        }
        if let Some(token) = bearer {
            call = call.bearer_auth(token.secret().expose_secret());
        }
        if let Some(timeout) = request.timeout {
            call = call.timeout(timeout);
        }
        let response = call.send().await.map_err(|error| transport::failure(request, error))?;
        self.read(request, response).await
    }

    async fn read(&self, request: &Request, mut response: reqwest::Response) -> Result<Answer, Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        loop {
            let piece = response.chunk().await.map_err(|error| transport::failure(request, error))?;
            let Some(piece) = piece else { break };
            if body.len() + piece.len() > LARGEST_BODY {
                let answer = Answer::read(request, status, &headers, Vec::new());
                return Err(answer
                    .error(
                        Class::Transient,
                        "AnswerTooLarge",
                        "The answer is larger than any real one; it was not read.",
                    )
                    .with_outcome_unknown(request.mutates()));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer::read(request, status, &headers, body))
    }
}

/// One attempt. The path may name a customer's things and the query may hold a signature, so neither is told.
fn span(request: &Request, attempt: u32) -> Span {
    tracing::debug_span!(
        target: "uko_operator::clouds",
        "cloud_call",
        service = request.service.as_str(),
        operation = request.operation,
        method = request.method.as_str(),
        host = request.url.host_str().unwrap_or_default(),
        port = request.url.port_or_known_default(),
        attempt,
        status = Empty,
        request_id = Empty,
        class = Empty,
        reason = Empty,
    )
}

/// Told to the present span. What an answer means, its service's client knows: see [`Answer::error`].
fn unanswered(error: &Error) {
    Span::current().record("class", error.class.as_str()).record("reason", error.reason);
}

fn note(answer: &Answer) {
    let span = tracing::Span::current();
    span.record("status", answer.status);
    if let Some(id) = &answer.request_id {
        span.record("request_id", id.as_str());
    }
    tracing::debug!(target: "uko_operator::clouds", status = answer.status, "answered");
    if !answer.is_success() {
        tracing::trace!(target: "uko_operator::clouds", body = redact::body(&answer.body), "refused");
    }
}

/// The error for a call that never left, so that its outcome is known: nothing happened.
fn at_home(request: &Request, refusal: Refusal) -> Error {
    let service = request.service;
    let (class, reason, advice, wait) = match refusal {
        Refusal::Gate(wait) => {
            (Class::Throttled, service.throttled(), "The service asked for patience; nothing is sent until then.", wait)
        }
        Refusal::Broken(wait) => (
            Class::Transient,
            service.unavailable(),
            "The service did not answer lately; it is left alone for a few seconds.",
            wait,
        ),
        Refusal::Busy => (
            Class::Transient,
            service.unavailable(),
            "Too many calls to this host are in flight; it is asked again.",
            Duration::from_secs(1),
        ),
    };
    Error::new(service, request.operation, class, reason, advice).with_retry_after(Some(wait))
}
