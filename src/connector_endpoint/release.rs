//! Gives up the mark of what a deleted `ConnectorEndpoint` leaves behind.
//!
//! In: the object as it was last read. Out: how many marks were rewritten. Never: changes anything else; touches what is not ours.

use super::{
    ConnectorEndpoints, cached,
    cleanup::connectors,
    desired::Desired,
    plan::{Past, is_marked_ours, unchanged},
    resolve,
};
use crate::{
    api::v1alpha1::ConnectorEndpoint,
    clouds::{http::Class, ibm::EndpointChange},
    reconcile::{fault::Fault, wake::Key},
};

/// One best-effort pass.
pub(super) async fn pass(
    endpoints: &ConnectorEndpoints,
    object: &ConnectorEndpoint,
    key: &Key,
) -> Result<usize, Fault> {
    let shared = &endpoints.shared;
    let found = resolve::references(shared, object, key).await;
    let want = Desired::parse(object, key, &shared.cluster_id, &found);
    let past = Past { cached: cached(&object.status.clone().unwrap_or_default()), ..Past::default() };
    let satellite = endpoints.clouds.satellite(want.credential.clone()?);
    let mut marks = 0;
    for connector in connectors(&satellite, &want, &past).await? {
        let listed = match satellite.endpoints(&connector).await {
            Err(error) if error.class == Class::NotFound => Vec::new(),
            listed => listed?,
        };
        for endpoint in listed.iter().filter(|endpoint| is_marked_ours(&want, endpoint)) {
            shared.may_release()?;
            let change = EndpointChange { created_by: Some(want.owner.released()), ..unchanged(&want, endpoint) };
            satellite.writer().update_endpoint(&connector, &endpoint.id, &change).await?;
            marks += 1;
        }
    }
    Ok(marks)
}
