//! Takes the one step that the plan wants now.
//!
//! In: a step and writers. Out: [`Sent`]. Never: chooses; writes without a live lease.

use super::plan::Step;
use crate::{
    clouds::{
        http::Error,
        ibm::{ConnectorId, EndpointId, SatelliteWriter},
    },
    reconcile::{fault::Fault, leadership::Leadership, summary::Done},
};

/// What came of a step.
pub(super) struct Sent {
    /// How it ended.
    pub done: Done,
    /// The endpoint that is ours by this very answer: the service need not show our mark to anyone.
    pub endpoint: Option<EndpointId>,
}

/// Sends `step` to the connector.
pub(super) async fn step(
    writer: &SatelliteWriter,
    leadership: &Leadership,
    connector: &ConnectorId,
    step: &Step,
) -> Sent {
    if let Err(why) = leadership.check() {
        return Sent { done: Done::Failed(Fault::from(why)), endpoint: None };
    }
    match send(writer, connector, step).await {
        Ok(endpoint) => Sent { done: Done::Wrote, endpoint },
        Err(error) => Sent { done: Done::Failed(Fault::from(error)), endpoint: None },
    }
}

async fn send(writer: &SatelliteWriter, connector: &ConnectorId, step: &Step) -> Result<Option<EndpointId>, Error> {
    match step {
        Step::CreateEndpoint(draft, _) => writer.create_endpoint(connector, draft).await.map(|made| Some(made.id)),
        Step::AdoptEndpoint { id, change, .. } => {
            writer.update_endpoint(connector, id, change).await.map(|_| Some(id.clone()))
        }
        Step::UpdateEndpoint { id, change } => writer.update_endpoint(connector, id, change).await.map(|_| None),
        Step::CreateSource { name, addresses } => writer.create_source(connector, name, addresses).await.map(|_| None),
        Step::UpdateSource { id, addresses } => writer.update_source(connector, id, addresses).await.map(|()| None),
        Step::BindSource { endpoint, source } => {
            writer.bind_sources(connector, endpoint, &[(source.clone(), true)]).await.map(|()| None)
        }
    }
}
