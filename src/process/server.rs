//! The HTTP port of the pod: /healthz, /readyz, /metrics, /version.
//!
//! In: [`Health`] and [`Metrics`]. Out: plain text. Never: changes anything; asks Kubernetes or a cloud.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::State,
    http::{HeaderName, StatusCode, header::CONTENT_TYPE},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{COMMIT, VERSION, health::Health, metrics::Metrics};

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Answer = (StatusCode, [(HeaderName, &'static str); 1], String);

/// Takes the port and logs the address, since port 0 takes a free one.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    info!(listen = %listener.local_addr()?, "serving /healthz, /readyz, /metrics and /version");
    Ok(listener)
}

/// Serves until `end` is cancelled.
///
/// # Errors
/// When the port is lost.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    metrics: Metrics,
    end: CancellationToken,
) -> std::io::Result<()> {
    let routes = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(health)
        .route("/metrics", get(scrape).with_state(metrics))
        .route("/version", get(version));
    axum::serve(listener, routes).with_graceful_shutdown(end.cancelled_owned()).await
}

/// That this runs at all says that the runtime answers.
async fn healthz(State(health): State<Health>) -> Answer {
    match health.dead() {
        None => text(StatusCode::OK, "ok\n".to_owned()),
        Some(reason) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}

async fn readyz(State(health): State<Health>) -> Answer {
    let mut lines: Vec<String> = health.missing().into_iter().map(|what| format!("waiting for {what}\n")).collect();
    lines.extend(health.dead().map(|reason| format!("{reason}\n")));
    if lines.is_empty() {
        text(StatusCode::OK, "ok\n".to_owned())
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, lines.concat())
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Answer {
    match metrics.encode() {
        Ok(body) => (StatusCode::OK, [(CONTENT_TYPE, OPEN_METRICS)], body),
        Err(fault) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{fault}\n")),
    }
}

async fn version() -> Answer {
    let body = json!({ "version": VERSION, "commit": COMMIT }).to_string();
    (StatusCode::OK, [(CONTENT_TYPE, "application/json")], body)
}

fn text(status: StatusCode, body: String) -> Answer {
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], body)
}
