//! Takes away what a deleted `ConnectorEndpoint` made, one thing a pass.
//!
//! In: the object, and who uses it. Out: what the pass came to. Never: removes what is not ours; goes on while anyone uses it, or
//! while something cannot be read.

mod plan;
#[cfg(test)]
mod tests;

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use self::plan::{Case, Inside, Remains, Step, part};
use super::{
    ConnectorEndpoints, cached,
    desired::{ConnectorWanted, Desired},
    observe,
    plan::Past,
    resolve::{self, Found},
};
use crate::{
    api::v1alpha1::{ConnectorEndpoint, ConnectorEndpointStatus},
    clouds::{
        http::{Class, Error},
        ibm::{ConnectorId, Satellite, SatelliteWriter},
    },
    reconcile::{
        announce::{Seen as SeenAt, Turn},
        driver::{self, lock_owner},
        farewell::{Came, Farewell, Next, Parting, left, removed},
        fault::Fault,
        stage::{Describe, Seen, Waiting},
        summary::Done,
        usage,
        wake::{Key, Kind},
    },
};

/// One pass of a deletion.
pub(super) async fn pass(
    endpoints: &ConnectorEndpoints,
    object: &ConnectorEndpoint,
    key: &Key,
    now: Timestamp,
) -> Farewell<ConnectorEndpointStatus> {
    let shared = &endpoints.shared;
    let mut status = object.status.clone().unwrap_or_default();
    let found = resolve::references(shared, object, key).await;
    let want = Desired::parse(object, key, &shared.cluster_id, &found);
    let past = Past { cached: cached(&status), ..Past::default() };
    let looked = SeenAt { clock: now, looked: Instant::now() };
    let satellite = match &want.credential {
        Ok(credential) => Ok(endpoints.clouds.satellite(credential.clone())),
        Err(fault) => Err(fault.clone()),
    };
    let seen = look(satellite.as_ref(), &want, &past, &found).await;
    let facts = Case {
        want: &want,
        seen: &seen,
        past: &past,
        users: &found.used_by,
        keystores: &usage::keystores(object.metadata.annotations.as_ref()),
        pending: status.pending_create.as_ref().filter(|pending| !seen.holds(&pending.kind, &want, &past)),
        age: shared.announced.age(now),
    };
    let Parting { next, steps, left: remaining } = part(&facts);
    status.pending_create = facts.pending.cloned();
    let (came, news) = match (next, satellite) {
        (Next::Do(step), Ok(satellite)) => endpoints.remove(&satellite, &step, key, looked).await,
        (Next::Do(_), Err(fault)) | (Next::Blocked(fault), _) => (Came::Blocked(fault), Vec::new()),
        (Next::Wait(waiting), _) => (Came::Waits(waiting), Vec::new()),
        (Next::Over, _) => (Came::Over, remaining.iter().map(|what| left(what)).collect()),
    };
    let interval = shared.pace.interval(object.spec.interval_seconds);
    if matches!(came, Came::Worked(_)) {
        (status.address, status.enabled) = (None, None);
    }
    Farewell { status, came, steps: steps.iter().map(Describe::describe).collect(), news, interval }
}

impl ConnectorEndpoints {
    async fn remove(
        &self,
        satellite: &Satellite,
        step: &Step,
        key: &Key,
        looked: SeenAt,
    ) -> (Came, Vec<kube::runtime::events::Event>) {
        let owner = lock_owner(Kind::ConnectorEndpoint, key);
        let locks = [format!("connector/{}", step.connector().as_str())];
        match self.shared.turn(&owner, &locks, None, None, looked) {
            Turn::Send => {}
            Turn::Held(word, wait) => {
                return (Came::Waits(Waiting { word, look_again: Some(wait), person: false }), Vec::new());
            }
            Turn::Record(_) => return (Came::Worked(String::new()), Vec::new()),
        }
        let done = match self.shared.leadership.check() {
            Err(why) => Done::Failed(Fault::from(why)),
            Ok(_) => match send(&satellite.writer(), step).await {
                Ok(()) => Done::Wrote,
                Err(error) => Done::Failed(Fault::from(error)),
            },
        };
        self.shared.locks.clear(&owner);
        self.shared.ended(&owner, &locks, None, &done, driver::now());
        match done {
            Done::Failed(fault) => (Came::Blocked(fault), Vec::new()),
            Done::Nothing | Done::Wrote | Done::Asked | Done::Answered | Done::Held(..) => {
                let row = step.describe();
                (Came::Worked(format!("{}: {}.", row.resource, row.detail)), vec![removed(step)])
            }
        }
    }
}

async fn send(writer: &SatelliteWriter, step: &Step) -> Result<(), Error> {
    match step {
        Step::DeleteEndpoint { connector, id, .. } => writer.delete_endpoint(connector, id).await,
        Step::DeleteSource { connector, id, .. } => writer.delete_source(connector, id).await,
    }
}

/// Everything that may be ours. Who is still used is not looked for outside.
async fn look(satellite: Result<&Satellite, &Fault>, want: &Desired, past: &Past, found: &Found) -> Remains {
    let satellite = match satellite {
        Ok(satellite) if found.used_by.present().is_some_and(Vec::is_empty) => satellite,
        Ok(_) => return Remains::default(),
        Err(fault) => return Remains { connectors: Seen::Unknown(fault.clone()), insides: Vec::new() },
    };
    let connectors = Seen::always(connectors(satellite, want, past).await);
    let mut insides = Vec::new();
    for connector in connectors.present().into_iter().flatten() {
        insides.push(inside(satellite, want, connector).await);
    }
    Remains { connectors, insides }
}

/// The connectors in which something of ours may be.
pub(super) async fn connectors(satellite: &Satellite, want: &Desired, past: &Past) -> Result<Vec<ConnectorId>, Error> {
    match (&want.connector, &past.cached.connector) {
        (ConnectorWanted::Id(id), _) | (ConnectorWanted::Named { .. }, Some(id)) => Ok(vec![id.clone()]),
        (ConnectorWanted::Named { name, region }, None) => {
            let all = satellite.connectors_named(name, region).await?;
            Ok(all.into_iter().map(|connector| connector.id).collect())
        }
    }
}

async fn inside(satellite: &Satellite, want: &Desired, connector: &ConnectorId) -> Inside {
    let (endpoints, sources) = futures::join!(satellite.endpoints(connector), satellite.sources(connector));
    let endpoints = match endpoints {
        Err(error) if error.class == Class::NotFound => Seen::Absent,
        other => Seen::always(other),
    };
    let mut inside =
        Inside { connector: connector.clone(), endpoints, sources: Seen::always(sources), bound: Seen::Absent };
    if let (Some(source), Some(all)) = (inside.our_source(want), inside.endpoints.present()) {
        let mut bound = Vec::new();
        for endpoint in all {
            match observe::bindings(satellite, connector, endpoint).await {
                Seen::Present(bindings) if bindings.iter().any(|one| one.source_id == source.id && one.enabled) => {
                    bound.push(endpoint.id.clone());
                }
                Seen::Unknown(fault) => {
                    inside.bound = Seen::Unknown(fault);
                    return inside;
                }
                Seen::Present(_) | Seen::Absent | Seen::NotLooked => {}
            }
        }
        inside.bound = Seen::Present(bound);
    }
    inside
}
