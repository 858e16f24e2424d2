//! The control API: state, faults, request log, reset. Plain HTTP on a port of its own.
//!
//! In: a test's wishes. Out: JSON. Never: is reachable through the proxy.

use std::io;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Core;

/// Answers for ever.
///
/// # Errors
/// Only if the listener breaks.
pub async fn serve(listener: TcpListener, core: Arc<Core>) -> io::Result<()> {
    let router = Router::new()
        .route("/state", get(state).post(patch))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/requests", get(requests))
        .route("/reset", post(reset))
        .with_state(core);
    axum::serve(listener, router).await
}

async fn state(State(core): State<Arc<Core>>) -> Response {
    let world = core.world().clone();
    Json(world).into_response()
}

async fn patch(State(core): State<Arc<Core>>, body: String) -> Response {
    let patched = serde_json::from_str::<Value>(&body)
        .map_err(|error| format!("the patch is not JSON: {error}"))
        .and_then(|patch| core.world().merge(&patch));
    answer(patched.map(|()| json!({"patched": true})))
}

async fn faults(State(core): State<Arc<Core>>) -> Response {
    Json(core.faults().list()).into_response()
}

async fn add_fault(State(core): State<Arc<Core>>, body: String) -> Response {
    let added = serde_json::from_str::<Value>(&body)
        .map_err(|error| format!("the fault is not JSON: {error}"))
        .and_then(|rule| core.faults().add(rule));
    answer(added.map(|id| json!({"id": id})))
}

async fn clear_faults(State(core): State<Arc<Core>>) -> Response {
    let removed = core.faults().clear();
    Json(json!({"removed": removed})).into_response()
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn requests(State(core): State<Arc<Core>>, Query(from): Query<After>) -> Response {
    let entries = core.log().after(from.after);
    Json(entries).into_response()
}

async fn reset(State(core): State<Arc<Core>>) -> Response {
    core.reset();
    Json(json!({"reset": true})).into_response()
}

fn answer(result: Result<Value, String>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(why) => (StatusCode::BAD_REQUEST, Json(json!({"error": why}))).into_response(),
    }
}
