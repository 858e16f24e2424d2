//! One POST to a collector.
//!
//! In: a body and where it goes. Out: whether it was taken, and a line in the log when that changes. Never: a redirect, the
//! clouds' proxy or their extra CA; a URL, a header or an answer in the log; a line for each failure.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use reqwest::{Certificate, Client, StatusCode, header, redirect};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use crate::process::{
    VERSION,
    settings::{Destination, InvalidSetting, OtlpSettings},
};

const CONNECT: Duration = Duration::from_secs(5);
/// First pause before a repetition; doubled each time.
const PAUSE: Duration = Duration::from_secs(1);
/// How often the log says that exports are being lost.
const REMIND: Duration = Duration::from_mins(10);

/// The way to the collector, and what is known of it. It is normally in the cluster, so it is reached directly.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    /// When the log last said that it does not take exports; none while it does.
    told: Mutex<Option<Instant>>,
}

/// Why an export was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Unreachable,
    Late,
    Answered(StatusCode),
}

impl Refusal {
    /// As the OTLP specification has it.
    fn passes(self) -> bool {
        match self {
            Self::Unreachable | Self::Late => true,
            Self::Answered(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
        }
    }

    fn text(self) -> String {
        match self {
            Self::Unreachable => "no connection".to_owned(),
            Self::Late => "no answer in time".to_owned(),
            Self::Answered(status) => format!("it answers {}", status.as_u16()),
        }
    }
}

impl Collector {
    pub(super) fn new(otlp: &OtlpSettings) -> Result<Self, InvalidSetting> {
        let refused = |problem: &str| InvalidSetting::new("OTEL_EXPORTER_OTLP_CERTIFICATE", problem);
        let mut builder = Client::builder()
            .user_agent(format!("uko-operator/{VERSION}"))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT);
        let all = || otlp.traces.iter().chain(&otlp.metrics);
        if all().all(|to| to.url.scheme() == "http") {
            builder = builder.tls_certs_only([]); // the system's CAs are a megabyte that nobody needs here
        } else if let Some(pem) = &otlp.ca_pem {
            let found = Certificate::from_pem_bundle(pem).ok().filter(|found| !found.is_empty());
            builder = builder.tls_certs_merge(found.ok_or_else(|| refused("must name a file with PEM certificates"))?);
        }
        let client = builder.build().map_err(|_| {
            refused("no TLS client could be made; the image needs CA certificates, or name a file in SSL_CERT_FILE")
        })?;
        Ok(Self { client, told: Mutex::default() })
    }

    /// Sends until it is taken, refused for good, or the time is over.
    pub(super) async fn send(&self, to: &Destination, body: Vec<u8>) -> bool {
        let sent = self.repeated(to, body.into()).await;
        self.tell(to, sent);
        sent.is_ok()
    }

    async fn repeated(&self, to: &Destination, body: axum::body::Bytes) -> Result<(), Refusal> {
        let deadline = Instant::now() + to.timeout;
        let mut pause = PAUSE;
        let mut known = Refusal::Late;
        loop {
            match timeout_at(deadline, self.once(to, body.clone())).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(refusal)) => known = refusal,
                Err(_) => return Err(known),
            }
            let longer = pause.mul_f64(1.0 + fastrand::f64() / 2.0);
            if !known.passes() || Instant::now() + longer >= deadline {
                return Err(known);
            }
            sleep(longer).await;
            pause *= 2;
        }
    }

    /// The answer's body is not read: it may say that a part was rejected, and there is nothing to do about it.
    async fn once(&self, to: &Destination, body: axum::body::Bytes) -> Result<(), Refusal> {
        let call = self.client.post(to.url.clone()).headers(to.headers.clone());
        let call = call.header(header::CONTENT_TYPE, "application/x-protobuf").body(body);
        let answer = call.send().await.map_err(|_| Refusal::Unreachable)?;
        if answer.status().is_success() { Ok(()) } else { Err(Refusal::Answered(answer.status())) }
    }

    fn tell(&self, to: &Destination, sent: Result<(), Refusal>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match sent {
            Ok(()) if told.take().is_some() => {
                info!(collector = place(to), "the OpenTelemetry collector takes exports again");
            }
            Err(refusal) if told.is_none_or(|at| at.elapsed() >= REMIND) => {
                *told = Some(Instant::now());
                warn!(
                    collector = place(to),
                    cause = refusal.text(),
                    "the OpenTelemetry collector takes no exports: they are lost; reconciling goes on, and /metrics stays complete"
                );
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// Host and port; the rest of a URL may hold a key.
pub(super) fn place(to: &Destination) -> String {
    let port = to.url.port_or_known_default().unwrap_or_default();
    format!("{}:{port}", to.url.host_str().unwrap_or_default())
}
