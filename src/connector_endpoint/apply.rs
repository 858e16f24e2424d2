//! Takes the one step that the plan wants now.
//!
//! In: a step and writers. Out: [`Done`]. Never: chooses; writes without a live lease.

use super::plan::Step;
use crate::{
    clouds::{
        http::Error,
        ibm::{ConnectorId, SatelliteWriter},
    },
    reconcile::{fault::Fault, leadership::Leadership, summary::Done},
};

/// Sends `step` to the connector.
pub(super) async fn step(
    writer: &SatelliteWriter,
    leadership: &Leadership,
    connector: &ConnectorId,
    step: &Step,
) -> Done {
    if let Err(why) = leadership.check() {
        return Done::Failed(Fault::from(why));
    }
    match send(writer, connector, step).await {
        Ok(()) => Done::Wrote,
        Err(error) => Done::Failed(Fault::from(error)),
    }
}

async fn send(writer: &SatelliteWriter, connector: &ConnectorId, step: &Step) -> Result<(), Error> {
    match step {
        Step::CreateEndpoint(draft, _) => writer.create_endpoint(connector, draft).await.map(drop),
        Step::AdoptEndpoint { id, change, .. } | Step::UpdateEndpoint { id, change } => {
            writer.update_endpoint(connector, id, change).await.map(drop)
        }
        Step::CreateSource { name, addresses } => writer.create_source(connector, name, addresses).await.map(drop),
        Step::UpdateSource { id, addresses } => writer.update_source(connector, id, addresses).await.map(drop),
        Step::BindSource { endpoint, source } => {
            writer.bind_sources(connector, endpoint, &[(source.clone(), true)]).await.map(drop)
        }
    }
}
