//! The forward proxy: CONNECT with TLS inside, and plain HTTP for the metadata service.
//!
//! In: sockets. Out: [`Call`]s to `exchange`, answers back. Never: forwards anything.

use std::sync::Arc;
use std::{fmt, io};

use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::form_urlencoded;

use super::log::{Entry, clock};
use super::tls::TlsError;
use super::{Core, exchange};
use crate::azure::cloud::CLOUDS;
use crate::hosts;
use crate::wire::{Answer, Call, Service};

/// Tells a handler the common name of the client certificate; never taken from a request.
pub const CLIENT_CERTIFICATE: &str = "x-box-client-cert";
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// What makes hyper cut the connection, or reset the stream of an HTTP/2 one.
#[derive(Debug)]
struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("cut on purpose, or by the client")
    }
}

impl std::error::Error for Cut {}

type Reply = Response<Full<Bytes>>;

/// Accepts connections for ever.
///
/// # Errors
/// Only if the listener breaks.
pub async fn serve(listener: TcpListener, core: Arc<Core>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let core = Arc::clone(&core);
        tokio::spawn(async move { outer(stream, core).await });
    }
}

async fn outer(stream: TcpStream, core: Arc<Core>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let core = Arc::clone(&core);
        async move { first_request(core, request).await }
    });
    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // An error here is a client that went away or a connection cut on purpose.
    let _ = connection.with_upgrades().await;
}

async fn first_request(core: Arc<Core>, request: Request<Incoming>) -> Result<Reply, Cut> {
    if request.method() == Method::CONNECT {
        return Ok(connect(core, request));
    }
    let host = host_of(&request);
    let (name, port) = split(&host, 80);
    let service = hosts::service(&core.world(), &name, port);
    let target = Target { service, host: name, port, client: None };
    if service == Service::Imds {
        return answer(&core, &target, request).await;
    }
    let call = target.call(request.method().clone(), request.uri(), request.headers().clone(), Vec::new());
    Ok(refuse(&core, call, "plain HTTP is answered for the metadata service only"))
}

/// Where a tunnel leads.
#[derive(Clone, Debug)]
struct Target {
    service: Service,
    host: String,
    port: u16,
    client: Option<String>,
}

fn connect(core: Arc<Core>, request: Request<Incoming>) -> Reply {
    let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let (host, port) = split(&authority, 443);
    let service = hosts::service(&core.world(), &host, port);
    let target = Target { service, host, port, client: None };
    if matches!(service, Service::Unknown | Service::Imds) {
        let call = target.call(Method::CONNECT, &Uri::default(), request.headers().clone(), Vec::new());
        return refuse(&core, call, "the box answers for no such host");
    }
    if service == Service::Kv && !vault_exists(&core, &target.host) {
        // As any proxy says when a name does not resolve.
        let call = target.call(Method::CONNECT, &Uri::default(), request.headers().clone(), Vec::new());
        let answer = Answer::empty(502).refused("no vault has this name, so it would not resolve");
        core.log().push(Entry::new(&call, Some(&answer), None, clock()));
        return into_response(answer);
    }
    tokio::spawn(async move {
        let name = target.host.clone();
        match hyper::upgrade::on(request).await {
            Ok(upgraded) => {
                if let Err(error) = tunnel(core, target, TokioIo::new(upgraded)).await {
                    eprintln!("tunnel to {name}: {error}");
                }
            }
            Err(error) => eprintln!("tunnel to {name}: {error}"),
        }
    });
    Response::new(Full::default())
}

fn vault_exists(core: &Core, host: &str) -> bool {
    let world = core.world();
    CLOUDS
        .iter()
        .filter_map(|cloud| Some((cloud, cloud.vault_of_host(host)?)))
        .any(|(cloud, name)| world.azure.vaults.get(name).is_some_and(|vault| vault.cloud == cloud.cloud))
}

fn refuse(core: &Core, mut call: Call, why: &str) -> Reply {
    call.service = Service::Unknown;
    let text = format!("cloud-in-a-box: {why}: {}:{}\n", call.host, call.port);
    let answer = Answer::empty(403).header("content-type", "text/plain").with_body(text.into_bytes()).refused(why);
    core.log().push(Entry::new(&call, Some(&answer), None, clock()));
    into_response(answer)
}

async fn tunnel(
    core: Arc<Core>,
    mut target: Target,
    stream: TokioIo<hyper::upgrade::Upgraded>,
) -> Result<(), TlsError> {
    let self_managed = core.world().ibm.self_managed.host.eq_ignore_ascii_case(&target.host);
    let config = core.certificates.server(&target.host, self_managed)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let presented = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    target.client = presented.and_then(|leaf| core.certificates.client_name(leaf)).map(str::to_owned);
    let service = service_fn(move |request| {
        let (core, target) = (Arc::clone(&core), target.clone());
        async move { answer(&core, &target, request).await }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    // A cut on purpose ends as an error here too; it is in the request log already.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    Ok(())
}

async fn answer(core: &Arc<Core>, target: &Target, request: Request<Incoming>) -> Result<Reply, Cut> {
    let named = host_of(&request);
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, LARGEST_BODY).collect().await.map_err(|_| Cut)?.to_bytes().to_vec();
    let mut call = target.call(parts.method, &parts.uri, parts.headers, body);
    if !named.is_empty() {
        let (host, port) = split(&named, target.port);
        let service = hosts::service(&core.world(), &host, port);
        if service != target.service {
            return Ok(refuse_misdirected(core, &call, &host));
        }
        call.host = host;
    }
    exchange::run(core, call).await.map(into_response).ok_or(Cut)
}

fn refuse_misdirected(core: &Core, call: &Call, host: &str) -> Reply {
    let why = format!("the tunnel leads to {}, the request names {host}", call.host);
    let answer = Answer::empty(421).refused(why);
    core.log().push(Entry::new(call, Some(&answer), None, clock()));
    into_response(answer)
}

impl Target {
    fn call(&self, method: Method, uri: &Uri, mut headers: HeaderMap, body: Vec<u8>) -> Call {
        headers.remove(CLIENT_CERTIFICATE);
        if let Some(name) = self.client.as_deref().and_then(|name| HeaderValue::from_str(name).ok()) {
            headers.insert(CLIENT_CERTIFICATE, name);
        }
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Call {
            service: self.service,
            host: self.host.clone(),
            port: self.port,
            method,
            path: uri.path().to_owned(),
            query,
            headers,
            body,
        }
    }
}

fn host_of<B>(request: &Request<B>) -> String {
    let from_uri = request.uri().authority().map(ToString::to_string);
    let from_header = || request.headers().get(HOST).and_then(|value| value.to_str().ok()).map(str::to_owned);
    from_uri.or_else(from_header).unwrap_or_default()
}

fn split(authority: &str, default_port: u16) -> (String, u16) {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().unwrap_or(0)),
        None => (authority, default_port),
    };
    (host.to_lowercase(), port)
}

fn into_response(answer: Answer) -> Reply {
    let mut builder =
        Response::builder().status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::IM_A_TEAPOT));
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    builder.body(Full::new(Bytes::from(answer.body))).unwrap_or_else(|error| broken(&error))
}

fn broken(error: &http::Error) -> Reply {
    eprintln!("an answer could not be sent: {error}");
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    reply
}
