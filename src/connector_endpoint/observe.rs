//! Looks at a connector, its endpoints and its access rules.
//!
//! In: readers and what is wanted. Out: [`Observed`]. Never: writes; gives up because one answer is missing.

use super::desired::{ConnectorWanted, Desired};
use crate::{
    clouds::ibm::{Connector, ConnectorId, Endpoint, EndpointId, Satellite, Source, SourceBinding},
    reconcile::{fault::Fault, stage::Seen},
};

/// What one look told us.
#[derive(Default)]
pub(super) struct Observed {
    /// Whether we could sign in.
    pub login: Seen<()>,
    /// The connectors that fit: one is right.
    pub connectors: Seen<Vec<Connector>>,
    /// All endpoints of the connector.
    pub endpoints: Seen<Vec<Endpoint>>,
    /// The one that status names, on a quick look.
    pub endpoint: Seen<Endpoint>,
    /// All access rules of the connector.
    pub sources: Seen<Vec<Source>>,
    /// The rules bound to our endpoint.
    pub bindings: Seen<Vec<SourceBinding>>,
}

/// What status remembers of the last look.
#[derive(Default)]
pub(super) struct Cached {
    /// Id of the connector.
    pub connector: Option<ConnectorId>,
    /// Id of the endpoint.
    pub endpoint: Option<EndpointId>,
}

/// One read: the endpoint that status names. Enough while everything was fine at the last full look.
pub(super) async fn quick(satellite: &Satellite, cached: &Cached) -> Observed {
    let (Some(connector), Some(endpoint)) = (&cached.connector, &cached.endpoint) else {
        return Observed::default();
    };
    Observed { endpoint: Seen::of(satellite.endpoint(connector, endpoint).await), ..Observed::default() }
}

/// Everything.
pub(super) async fn everything(satellite: &Satellite, want: &Desired, cached: &Cached) -> Observed {
    let login = match satellite.sign_in().await {
        Ok(()) => Seen::Present(()),
        Err(error) => return Observed { login: Seen::Unknown(Fault::from(error)), ..Observed::default() },
    };
    let known = match &want.connector {
        ConnectorWanted::Id(id) => Some(id.clone()),
        ConnectorWanted::Named { .. } => cached.connector.clone(),
    };
    let (connectors, early) = futures::join!(find_connectors(satellite, want), async {
        match &known {
            Some(id) => Some(inside(satellite, id).await),
            None => None,
        }
    });
    let found = connectors.present().and_then(|list| match list.as_slice() {
        [one] => Some(one.id.clone()),
        _ => None,
    });
    let (endpoints, sources) = match (found, early) {
        (Some(id), Some(early)) if Some(&id) == known.as_ref() => early,
        (Some(id), _) => inside(satellite, &id).await,
        (None, _) => (Seen::NotLooked, Seen::NotLooked),
    };
    let connectors = with_agents(satellite, connectors).await;
    Observed { login, connectors, endpoints, sources, endpoint: Seen::NotLooked, bindings: Seen::NotLooked }
}

/// How many agents are connected, where the graph does not say: advisory, so a failure is no fault.
async fn with_agents(satellite: &Satellite, connectors: Seen<Vec<Connector>>) -> Seen<Vec<Connector>> {
    match connectors {
        Seen::Present(mut list) => {
            if let [connector] = list.as_mut_slice()
                && connector.tunnels.is_none()
            {
                connector.tunnels = satellite.tunnels(&connector.id).await.ok().flatten();
            }
            Seen::Present(list)
        }
        Seen::Absent | Seen::Unknown(_) | Seen::NotLooked => connectors,
    }
}

/// The rules bound to `endpoint`, where the endpoint itself does not carry them.
pub(super) async fn bindings(
    satellite: &Satellite,
    connector: &ConnectorId,
    endpoint: &Endpoint,
) -> Seen<Vec<SourceBinding>> {
    match &endpoint.sources {
        Some(sources) => Seen::Present(sources.clone()),
        None => Seen::always(satellite.endpoint_sources(connector, &endpoint.id).await),
    }
}

async fn find_connectors(satellite: &Satellite, want: &Desired) -> Seen<Vec<Connector>> {
    match &want.connector {
        ConnectorWanted::Id(id) => {
            Seen::always(satellite.connector(id).await.map(|found| found.into_iter().collect::<Vec<_>>()))
        }
        ConnectorWanted::Named { name, region } => Seen::always(satellite.connectors_named(name, region).await),
    }
}

async fn inside(satellite: &Satellite, id: &ConnectorId) -> (Seen<Vec<Endpoint>>, Seen<Vec<Source>>) {
    let (endpoints, sources) = futures::join!(satellite.endpoints(id), satellite.sources(id));
    (Seen::always(endpoints), Seen::always(sources))
}
