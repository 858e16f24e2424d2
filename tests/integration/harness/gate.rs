//! A gate between the operator and the API server: it lets everything through and can stop at one write.
//!
//! In: an admin client. Out: a kubeconfig for the operator, and the writes that went through. Never: answers by itself.

use std::{
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse, Response},
};
use kube::Client;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use super::folder::Folder;

/// Longer than any object of ours.
const LONGEST: usize = 4 << 20;

/// When the operator is left waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The write never reaches the API server.
    Before,
    /// It was carried out; its answer never comes.
    After,
}

/// Between an operator and the API server. Dropping it cuts both off.
pub(crate) struct Gate {
    folder: Folder,
    state: Arc<Inner>,
    serving: JoinHandle<()>,
}

struct Inner {
    client: Client,
    writes: Mutex<Writes>,
}

#[derive(Default)]
struct Writes {
    /// `METHOD kind/name[/status]` of every write to an object of ours.
    seen: Vec<String>,
    /// At which of them to stop: what it is, and how many of the same to let through first.
    stop: Option<(String, usize, Stop)>,
    /// It has stopped there.
    stopped: bool,
}

impl Gate {
    /// Opens one for a cluster that `client` reaches as admin.
    #[expect(clippy::disallowed_methods, reason = "it ends with the gate; a test has no supervisor")]
    pub(crate) async fn open(client: Client) -> Self {
        let state = Arc::new(Inner { client, writes: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let folder = Folder::new("gate");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "gate",
            "contexts": [{ "name": "gate", "context": { "cluster": "gate", "user": "admin" } }],
            "clusters": [{ "name": "gate", "cluster": { "server": format!("http://{address}") } }],
            "users": [{ "name": "admin", "user": {} }],
        });
        fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&state));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { folder, state, serving }
    }

    /// For `KUBECONFIG`.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Every write to an object of ours so far.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.state.writes().seen.clone()
    }

    /// Stops at a write like `what`, after `skip` of them from now on.
    pub(crate) fn stop_at(&self, what: &str, skip: usize, stop: Stop) {
        let mut writes = self.state.writes();
        (writes.stop, writes.stopped) = (Some((what.to_owned(), skip, stop)), false);
    }

    /// Whether the operator waits there.
    pub(crate) fn has_stopped(&self) -> bool {
        self.state.writes().stopped
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Inner {
    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a write; answers whether to stop at it.
    fn note(&self, request: &Request) -> Option<Stop> {
        let what = write_to_ours(request.method(), request.uri().path())?;
        let mut writes = self.writes();
        let is_there = |(wanted, skip, _): &mut (String, usize, Stop)| {
            let same = *wanted == what;
            let there = same && *skip == 0;
            *skip -= usize::from(same && !there);
            there
        };
        let stop = writes.stop.take_if(is_there).map(|(.., stop)| stop);
        writes.seen.push(what);
        stop
    }

    async fn forward(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        parts.headers.remove("host");
        let body = axum::body::to_bytes(body, LONGEST).await.unwrap_or_default();
        let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
        match self.client.send(request).await {
            Ok(answer) => answer.map(Body::new),
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }
}

async fn pass(State(gate): State<Arc<Inner>>, request: Request) -> Response {
    let stop = gate.note(&request);
    if stop == Some(Stop::Before) {
        return gate.wait().await;
    }
    let answer = gate.forward(request).await;
    if stop == Some(Stop::After) { gate.wait().await } else { answer }
}

impl Inner {
    /// Until the client goes away.
    async fn wait(&self) -> Response {
        self.writes().stopped = true;
        std::future::pending().await
    }
}

/// `METHOD kind/name[/status]` of a write to an object of our group.
fn write_to_ours(method: &Method, path: &str) -> Option<String> {
    let (_, ours) = path.split_once("/apis/uko-operator.io/v1alpha1/namespaces/")?;
    let (_, object) = ours.split_once('/')?;
    (method != Method::GET).then(|| format!("{method} {object}"))
}

#[test]
fn writes_to_our_kinds_are_told_from_the_rest() {
    let of = |method, path| write_to_ours(&method, path);
    let path = "/apis/uko-operator.io/v1alpha1/namespaces/keys/connectorendpoints/payments";
    assert_eq!(of(Method::PATCH, path), Some("PATCH connectorendpoints/payments".to_owned()));
    assert_eq!(of(Method::GET, path), None);
    assert_eq!(of(Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/keys/leases/uko-operator"), None);
}
