//! Changes endpoints and access rules of a connector.
//!
//! In: drafts, changes, ids. Out: what the Link API made of them.
//! Never: repeats a create: there is no idempotency key, so a lost answer is settled by listing.

use reqwest::Method;
use serde_json::Value;

use super::{Endpoint, EndpointChange, EndpointDraft, Satellite, Source, no_such_route_or_thing, read, refusal, wire};
use crate::clouds::{
    http::{Answer, Body, Class, Error},
    ibm::{ConnectorId, EndpointId, SourceId},
};

/// The right to write to connectors. Made by [`Satellite::writer`].
#[derive(Clone, Debug)]
pub struct SatelliteWriter {
    reader: Satellite,
}

impl SatelliteWriter {
    pub(super) fn new(reader: Satellite) -> Self {
        Self { reader }
    }

    /// Makes an endpoint of type `location`.
    ///
    /// Shape: `POST …/endpoints`, 200 or 201; no address yet. Uniqueness of names is undocumented \[I\].
    /// # Errors
    /// `AwaitingPerson`, reason `AwaitingQuota`. `Conflict`, reason `EndpointNameTaken`. With `outcome_unknown` set
    /// it may exist: list and compare `display_name` before repeating.
    /// # Cancel safety
    /// None: dropped in flight, the endpoint may exist.
    pub async fn create_endpoint(&self, connector: &ConnectorId, draft: &EndpointDraft) -> Result<Endpoint, Error> {
        let path = [connector.as_str(), "endpoints"];
        let answer = self.write("CreateEndpoint", Method::POST, &path, &wire::create_endpoint(draft)).await?;
        read(&answer, wire::endpoint)
    }

    /// Changes an endpoint; its address is said to stay \[O\].
    ///
    /// Shape: `PATCH …/endpoints/{endpoint}`; `server_protocol` is always sent, since a missing one falls back \[S\].
    /// # Errors
    /// Link's table.
    /// # Cancel safety
    /// Safe: repeating it changes nothing more.
    pub async fn update_endpoint(
        &self,
        connector: &ConnectorId,
        id: &EndpointId,
        change: &EndpointChange,
    ) -> Result<Endpoint, Error> {
        let path = [connector.as_str(), "endpoints", id.as_str()];
        let answer = self.write("UpdateEndpoint", Method::PATCH, &path, &wire::update_endpoint(change)).await?;
        match read(&answer, wire::endpoint) {
            // The answer's body is published for locations only [I]: what was changed is read back.
            Err(_) if answer.is_success() => {
                self.reader.endpoint(connector, id).await?.ok_or_else(|| answer.unreadable())
            }
            done => done,
        }
    }

    /// Removes an endpoint; one that is gone already is fine. Its address is lost for ever.
    ///
    /// Shape: `DELETE …/endpoints/{endpoint}`, 200 or 204; inferred for connectors \[I\].
    /// # Errors
    /// `AwaitingPerson`, reason `LinkRouteUnsupported`: the route is missing and the endpoint still there.
    /// # Cancel safety
    /// Safe to repeat.
    pub async fn delete_endpoint(&self, connector: &ConnectorId, id: &EndpointId) -> Result<(), Error> {
        let path = [connector.as_str(), "endpoints", id.as_str()];
        let answer = self.reader.send("DeleteEndpoint", Method::DELETE, &path, Body::Empty).await?;
        if !no_such_route_or_thing(&answer) {
            return done(&answer);
        }
        let left = self.reader.endpoints(connector).await?;
        if left.iter().any(|endpoint| endpoint.id == *id) { Err(unsupported(&answer)) } else { Ok(()) }
    }

    /// Makes an access rule. It acts only once it is bound.
    ///
    /// Shape: `POST …/sources` with `type: user`; inferred for connectors \[I\].
    /// # Errors
    /// `Conflict`, reason `SourceNameTaken`. With `outcome_unknown` set it may exist: list before repeating.
    /// # Cancel safety
    /// None: dropped in flight, the rule may exist.
    pub async fn create_source(
        &self,
        connector: &ConnectorId,
        name: &str,
        addresses: &[String],
    ) -> Result<Source, Error> {
        let path = [connector.as_str(), "sources"];
        let answer = self.write("CreateSource", Method::POST, &path, &wire::create_source(name, addresses)).await?;
        read(&answer, wire::source)
    }

    /// Replaces the addresses of an access rule, on every endpoint it is bound to.
    ///
    /// Shape: `PATCH …/sources/{source}`; inferred for connectors \[I\].
    /// # Errors
    /// Link's table.
    /// # Cancel safety
    /// Safe to repeat.
    pub async fn update_source(
        &self,
        connector: &ConnectorId,
        id: &SourceId,
        addresses: &[String],
    ) -> Result<(), Error> {
        let path = [connector.as_str(), "sources", id.as_str()];
        done(&self.write("UpdateSource", Method::PATCH, &path, &wire::update_source(addresses)).await?)
    }

    /// Switches rules on or off for one endpoint; rules that are not named stay as they are.
    ///
    /// Shape: `PATCH …/endpoints/{endpoint}/sources`; inferred for connectors \[I\]. The service may apply it later
    /// (`pending`).
    /// # Errors
    /// Link's table.
    /// # Cancel safety
    /// Safe to repeat.
    pub async fn bind_sources(
        &self,
        connector: &ConnectorId,
        id: &EndpointId,
        states: &[(SourceId, bool)],
    ) -> Result<(), Error> {
        let path = [connector.as_str(), "endpoints", id.as_str(), "sources"];
        done(&self.write("BindSources", Method::PATCH, &path, &wire::bind_sources(states)).await?)
    }

    /// Removes an access rule; one that is gone already is fine.
    ///
    /// Shape: `DELETE …/sources/{source}`; inferred for connectors \[I\].
    /// # Errors
    /// As [`SatelliteWriter::delete_endpoint`].
    /// # Cancel safety
    /// Safe to repeat.
    pub async fn delete_source(&self, connector: &ConnectorId, id: &SourceId) -> Result<(), Error> {
        let path = [connector.as_str(), "sources", id.as_str()];
        let answer = self.reader.send("DeleteSource", Method::DELETE, &path, Body::Empty).await?;
        if !no_such_route_or_thing(&answer) {
            return done(&answer);
        }
        let left = self.reader.sources(connector).await?;
        if left.iter().any(|source| source.id == *id) { Err(unsupported(&answer)) } else { Ok(()) }
    }

    async fn write(
        &self,
        operation: &'static str,
        method: Method,
        path: &[&str],
        body: &Value,
    ) -> Result<Answer, Error> {
        self.reader.send(operation, method, path, Body::json(body)).await
    }
}

fn done(answer: &Answer) -> Result<(), Error> {
    if answer.is_success() { Ok(()) } else { Err(refusal::link(answer)) }
}

fn unsupported(answer: &Answer) -> Error {
    answer.error(
        Class::AwaitingPerson,
        "LinkRouteUnsupported",
        "Satellite Link does not offer this call; remove it by hand, or try the other link scope.",
    )
}
