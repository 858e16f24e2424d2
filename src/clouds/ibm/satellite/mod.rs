//! Satellite connectors, their endpoints and their access rules: the reader.
//!
//! In: a connector id. Out: what the Link API and the connector graph say of it.
//! Never: picks a connector, waits for an address, writes (that is [`SatelliteWriter`]), or follows a link of an answer.

mod connector;
mod endpoint;
mod graph;
mod refusal;
mod source;
mod wire;
mod writer;

use std::sync::Arc;

use reqwest::{Method, header::HeaderName};
use serde_json::Value;

pub use connector::{Connector, ConnectorState};
pub use endpoint::{
    ClientProtocol, ConnectionType, Endpoint, EndpointChange, EndpointDraft, EndpointStatus, ServerProtocol,
};
pub use source::{Source, SourceBinding, SourceKind};
pub use writer::SatelliteWriter;

use super::{ConnectorId, EndpointId, Iam, IbmCredential, iam::Identity, member::Unreadable, route};
use crate::clouds::{
    hosts::{LINK_HOST, LinkScope},
    http::{Answer, Bearer, Body, Error, Http, Request, Service},
};

/// Names the account whose resources are meant; sent by IBM's own tools \[S\], not needed by the SDK.
const ACCOUNT: HeaderName = HeaderName::from_static("x-auth-resource-account");

/// Reads connectors and what hangs on them. A clone shares pool, budgets and tokens.
#[derive(Clone, Debug)]
pub struct Satellite {
    http: Http,
    iam: Iam,
    credential: Arc<IbmCredential>,
    scope: LinkScope,
}

impl Satellite {
    /// Makes the client; no call is made.
    #[must_use]
    pub fn new(http: Http, iam: Iam, credential: IbmCredential, scope: LinkScope) -> Self {
        Self { http, iam, credential: Arc::new(credential), scope }
    }

    /// The same client, with the right to write.
    #[must_use]
    pub fn writer(&self) -> SatelliteWriter {
        SatelliteWriter::new(self.clone())
    }

    /// Signs in, or finds that it is signed in.
    ///
    /// # Errors
    /// IAM's table.
    pub async fn sign_in(&self) -> Result<(), Error> {
        self.iam.token(&self.credential).await.map(drop)
    }

    /// One connector by its id.
    ///
    /// Shape: graph query `node` \[D\]; under [`LinkScope::Locations`] `GET /v1/locations/{id}` \[S\].
    /// # Errors
    /// `Transient`, reason `ConnectorLookupFailed`: an error of the graph, which comes with status 200.
    pub async fn connector(&self, id: &ConnectorId) -> Result<Option<Connector>, Error> {
        match self.scope {
            LinkScope::Connectors => graph::connector(self, id).await,
            LinkScope::Locations => Ok(self.link_view(id).await?.map(|view| wire::location(id, &view))),
        }
    }

    /// All connectors of exactly this name in this region; more than one is possible. All pages are read.
    ///
    /// Shape: graph query `satelliteConnectors`, edges and `pageInfo` \[D\].
    /// # Errors
    /// As [`Satellite::connector`]; under [`LinkScope::Locations`] `Invalid`: locations have no names.
    pub async fn connectors_named(&self, name: &str, region: &str) -> Result<Vec<Connector>, Error> {
        match self.scope {
            LinkScope::Connectors => graph::connectors_named(self, name, region).await,
            LinkScope::Locations => Err(graph::names_unsupported()),
        }
    }

    /// How many tunnels agents hold open; `None` when the service does not say. Advisory.
    ///
    /// Shape: `GET /v1/connectors/{id}` exists \[E\], its members are unknown; those of locations are taken \[I\].
    /// # Errors
    /// Any of Link's; none of them should stop anything.
    pub async fn tunnels(&self, id: &ConnectorId) -> Result<Option<u32>, Error> {
        Ok(self.link_view(id).await?.as_ref().and_then(wire::tunnels))
    }

    /// All endpoints of a connector; the API does not page \[S\].
    ///
    /// Shape: `GET /v1/{connectors \[O\] | locations \[S\]}/{id}/endpoints`.
    /// # Errors
    /// `NotFound`, reason `ConnectorNotFound`. `Transient` for an answer that is no list: never an empty list.
    pub async fn endpoints(&self, connector: &ConnectorId) -> Result<Vec<Endpoint>, Error> {
        let answer = self.ask("ListEndpoints", &[connector.as_str(), "endpoints"]).await?;
        read(&answer, wire::endpoints)
    }

    /// One endpoint. A 404 or 405 is checked against the list, because for connectors this route is only inferred \[I\]:
    /// a missing route must not look like a missing endpoint, which would be made twice.
    ///
    /// Shape: `GET …/endpoints/{endpoint}`; `client_host` and `client_port` may be null for a while \[S\].
    /// # Errors
    /// As [`Satellite::endpoints`].
    pub async fn endpoint(&self, connector: &ConnectorId, id: &EndpointId) -> Result<Option<Endpoint>, Error> {
        let answer = self.ask("GetEndpoint", &[connector.as_str(), "endpoints", id.as_str()]).await?;
        if !no_such_route_or_thing(&answer) {
            return read(&answer, wire::endpoint).map(Some);
        }
        let all = self.endpoints(connector).await?;
        Ok(all.into_iter().find(|endpoint| endpoint.id == *id))
    }

    /// All access rules of a connector; the API does not page \[S\].
    ///
    /// Shape: `GET …/sources`, inferred for connectors \[I\].
    /// # Errors
    /// As [`Satellite::endpoints`].
    pub async fn sources(&self, connector: &ConnectorId) -> Result<Vec<Source>, Error> {
        let answer = self.ask("ListSources", &[connector.as_str(), "sources"]).await?;
        read(&answer, wire::sources)
    }

    /// The rules bound to an endpoint. Where the route is missing \[I\], the endpoint's own list of them counts.
    ///
    /// Shape: `GET …/endpoints/{endpoint}/sources`.
    /// # Errors
    /// As [`Satellite::endpoints`].
    pub async fn endpoint_sources(
        &self,
        connector: &ConnectorId,
        id: &EndpointId,
    ) -> Result<Vec<SourceBinding>, Error> {
        let path = [connector.as_str(), "endpoints", id.as_str(), "sources"];
        let answer = self.ask("ListEndpointSources", &path).await?;
        if no_such_route_or_thing(&answer) {
            let endpoint = self.endpoint(connector, id).await?;
            return endpoint.and_then(|endpoint| endpoint.sources).ok_or_else(|| refusal::link(&answer));
        }
        read(&answer, wire::bindings)
    }

    async fn link_view(&self, id: &ConnectorId) -> Result<Option<Value>, Error> {
        let answer = self.ask("GetLinkView", &[id.as_str()]).await?;
        match answer.status {
            404 => Ok(None),
            _other => read(&answer, |body| Ok(body.clone())).map(Some),
        }
    }

    fn identity(&self) -> Identity<'_> {
        self.iam.identity(&self.credential)
    }

    async fn ask(&self, operation: &'static str, path: &[&str]) -> Result<Answer, Error> {
        self.send(operation, Method::GET, path, Body::Empty).await
    }

    async fn send(&self, operation: &'static str, method: Method, path: &[&str], body: Body) -> Result<Answer, Error> {
        let base = route::base(Service::Link, operation, LINK_HOST)?;
        let prefix = ["v1", self.scope.as_str()];
        let segments: Vec<&str> = prefix.iter().chain(path).copied().collect();
        let url = route::to(Service::Link, operation, &base, &segments)?;
        let mut request = Request::new(Service::Link, operation, method, url).with_body(body);
        let identity = self.identity();
        if let Some(account) = &identity.token().await?.claims.account {
            request = request.with_header(ACCOUNT, account);
        }
        self.http.send_as(&request, &identity).await
    }
}

fn read<T>(answer: &Answer, read: impl FnOnce(&Value) -> Result<T, Unreadable>) -> Result<T, Error> {
    if !answer.is_success() {
        return Err(refusal::link(answer));
    }
    let body: Value = answer.json()?;
    read(&body).map_err(|missing| answer.unreadable().with_source(Arc::new(missing)))
}

/// What an unpublished route answers when it does not exist, or when the thing does not.
fn no_such_route_or_thing(answer: &Answer) -> bool {
    matches!(answer.status, 404 | 405)
}
