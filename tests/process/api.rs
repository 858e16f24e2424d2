//! An API server in memory that keeps `resourceVersion`s, and wires to it that can be cut one by one.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// The objects, by path.
#[derive(Clone, Default)]
pub(crate) struct ApiServer(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    version: u64,
    objects: BTreeMap<String, Value>,
}

/// One client's way to the server.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

/// What the wire does to a request.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum State {
    /// Brings it there and the answer back.
    #[default]
    Sound,
    /// Swallows it.
    Cut,
    /// Brings it there and swallows the answer.
    LosesAnswers,
    /// The same, but reads come through.
    LosesWrites,
    /// Answers 503.
    Unavailable,
}

impl Wire {
    pub(crate) fn set(&self, state: State) {
        *self.0.lock().unwrap() = state;
    }
}

impl ApiServer {
    pub(crate) fn client(&self, wire: &Wire) -> Client {
        let (server, wire) = (self.clone(), wire.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, wire) = (server.clone(), wire.clone());
            async move { Ok::<_, Infallible>(server.carry(request, &wire).await) }
        });
        Client::new(service, "uko-operator")
    }

    async fn carry(&self, request: Request<Body>, wire: &Wire) -> Response<Body> {
        let state = *wire.0.lock().unwrap();
        match state {
            State::Sound => self.answer(request).await,
            State::LosesWrites if request.method() == Method::GET => self.answer(request).await,
            State::Cut => pending().await,
            State::LosesAnswers | State::LosesWrites => {
                self.answer(request).await;
                pending().await
            }
            State::Unavailable => failure(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
        }
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let bytes = body.collect_bytes().await.unwrap();
        let path = parts.uri.path().to_owned();
        let mut store = self.0.lock().unwrap();
        match parts.method {
            Method::GET => match store.objects.get(&path) {
                Some(object) => success(StatusCode::OK, object),
                None if path.starts_with("/apis/uko-operator.io") => Response::builder()
                    .status(StatusCode::NOT_FOUND)
                    .body(Body::from(b"404 page not found\n".to_vec()))
                    .unwrap(),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            },
            Method::POST => {
                let object: Value = serde_json::from_slice(&bytes).unwrap();
                let name = object["metadata"]["name"].as_str().unwrap().to_owned();
                store.create(&format!("{path}/{name}"), object)
            }
            Method::PUT => store.replace(&path, serde_json::from_slice(&bytes).unwrap()),
            other => panic!("the election has no business with {other}"),
        }
    }

    /// The object as stored.
    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    pub(crate) fn delete(&self, path: &str) {
        self.0.lock().unwrap().objects.remove(path).unwrap();
    }

    pub(crate) fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut store = self.0.lock().unwrap();
        let mut object = store.objects.get(path).cloned().unwrap();
        change(&mut object);
        store.keep(path, object);
    }

    /// The server serves this list of kinds.
    pub(crate) fn serve(&self, path: &str, plurals: &[&str]) {
        let resources: Vec<Value> = plurals
            .iter()
            .map(|name| json!({ "name": name, "kind": name, "namespaced": true, "singularName": "", "verbs": [] }))
            .collect();
        let list = json!({ "kind": "APIResourceList", "groupVersion": "g/v", "resources": resources });
        self.0.lock().unwrap().objects.insert(path.to_owned(), list);
    }
}

impl Store {
    fn create(&mut self, path: &str, object: Value) -> Response<Body> {
        if self.objects.contains_key(path) {
            return failure(StatusCode::CONFLICT, "AlreadyExists");
        }
        success(StatusCode::CREATED, &self.keep(path, object))
    }

    fn replace(&mut self, path: &str, object: Value) -> Response<Body> {
        let Some(known) = self.objects.get(path) else {
            return failure(StatusCode::NOT_FOUND, "NotFound");
        };
        let sent = &object["metadata"]["resourceVersion"];
        assert!(sent.is_string(), "an update without resourceVersion is no optimistic lock");
        if *sent != known["metadata"]["resourceVersion"] {
            return failure(StatusCode::CONFLICT, "Conflict");
        }
        success(StatusCode::OK, &self.keep(path, object))
    }

    fn keep(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

fn success(status: StatusCode, object: &Value) -> Response<Body> {
    let body = Body::from(object.to_string().into_bytes());
    Response::builder().status(status).body(body).unwrap()
}

fn failure(status: StatusCode, reason: &str) -> Response<Body> {
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": status.as_u16(),
    });
    success(status, &body)
}
