//! What the HTTP port answers.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use uko_operator::{
    process::{
        api_server::Kinds,
        health::Health,
        metrics::Metrics,
        server::{listen, serve},
    },
    reconcile::leadership::{CREATE_PAUSE, leadership},
};

use crate::api::{ApiServer, State, Wire};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn the_port_says_what_is_missing_until_the_kinds_are_served() {
    let health = Health::default();
    let (_tenure, leadership) = leadership(CREATE_PAUSE);
    let end = CancellationToken::new();
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(serve(listener, health.clone(), Metrics::new(&leadership), end.clone()));

    let plurals = ["connectorendpoints", "azurekeystoreconnections"].map(str::to_owned);
    let kinds = Kinds::new(&health, "uko-operator.io", "v1alpha1", plurals);
    let missing = get(address, "/readyz").await;
    assert!(missing.starts_with("HTTP/1.1 503"), "{missing}");
    assert!(missing.contains("waiting for the Kubernetes API server\n"), "{missing}");
    assert!(missing.contains("waiting for the CRD connectorendpoints.uko-operator.io\n"), "{missing}");
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));

    let (server, wire) = (ApiServer::default(), Wire::default());
    wire.set(State::Unavailable);
    let kube = server.client(&wire);
    let until = |line: &'static str, there: bool| async move {
        let seen = async { while get(address, "/readyz").await.contains(line) != there {} };
        tokio::time::timeout(Duration::from_secs(30), seen).await.unwrap();
    };
    let waiting = kinds.wait(&kube, Duration::from_millis(1));
    let steps = async {
        wire.set(State::Sound);
        until("the Kubernetes API server", false).await;
        until("the CRD azurekeystoreconnections.uko-operator.io", true).await;
        server.serve("/apis/uko-operator.io/v1alpha1", &["connectorendpoints"]);
        until("the CRD connectorendpoints.uko-operator.io", false).await;
        until("the CRD azurekeystoreconnections.uko-operator.io", true).await;
        server.serve("/apis/uko-operator.io/v1alpha1", &["connectorendpoints", "azurekeystoreconnections"]);
    };
    tokio::join!(waiting, steps);
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

    let scrape = get(address, "/metrics").await;
    assert!(scrape.contains("content-type: application/openmetrics-text"), "{scrape}");
    assert!(scrape.contains("\nuko_operator_leader 0\n"), "{scrape}");
    assert!(scrape.contains("uko_operator_build_info{"), "{scrape}");
    assert!(get(address, "/version").await.contains("\"version\":\"0.1.0\""));

    end.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(30), tasks.join_next());
    ended.await.unwrap().unwrap().unwrap().unwrap();
}
