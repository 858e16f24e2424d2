//! Writes on a `ConnectorEndpoint` that our keystore goes through it, for as long as it does.
//!
//! In: the keystore as it was read, and the endpoints of the namespace. Out: at most one patch a pass. Never: lets go of an endpoint
//! before UKO's own `tls_proxy` has moved.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{
    KeystoreConnections,
    desired::{Desired, Path},
    plan::path::tls_proxy,
};
use crate::{
    api::v1alpha1::{ConnectorEndpoint, Mode},
    clouds::ibm::Keystore,
    reconcile::{finalizer::Patched, usage, wake::Key},
};

/// The first endpoint whose annotation is not as it should be, and what it should name.
fn due<'a>(
    want: &Desired,
    keystore: &Keystore,
    all: &'a [ConnectorEndpoint],
) -> Option<(&'a ConnectorEndpoint, BTreeSet<String>)> {
    let id = keystore.id.as_str();
    let present = match &want.path {
        Path::Connector { name, .. } => Some(name.as_str()),
        Path::External(_) | Path::Direct => None,
    };
    let moved = has_moved(want, keystore);
    let wrong = |endpoint: &&ConnectorEndpoint| {
        let named = usage::keystores(endpoint.metadata.annotations.as_ref()).contains(id);
        let used = present == endpoint.metadata.name.as_deref();
        if used { !named } else { named && moved }
    };
    let endpoint = all.iter().find(wrong)?;
    let mut keystores = usage::keystores(endpoint.metadata.annotations.as_ref());
    if !keystores.remove(id) {
        keystores.insert(id.to_owned());
    }
    Some((endpoint, keystores))
}

/// UKO goes where the spec leads, and nowhere else any more.
fn has_moved(want: &Desired, keystore: &Keystore) -> bool {
    match (&want.path, tls_proxy(&want.path)) {
        (Path::Direct, _) => keystore.tls_proxy.is_none(),
        (Path::Connector { .. } | Path::External(_), Some(proxy)) => keystore.tls_proxy == Some(proxy),
        (Path::Connector { .. } | Path::External(_), None) => false,
    }
}

impl KeystoreConnections {
    /// Whether something was written, which ends the pass. A failure stops nothing: it is told in the log, and tried again at
    /// the next full look.
    pub(super) async fn keep_usage(&self, want: &Desired, keystore: Option<&Keystore>, key: &Key) -> bool {
        let Some(keystore) = keystore.filter(|_| want.mode == Mode::Manage) else { return false };
        let all = match usage::endpoints(&self.shared.kube, &key.0).await {
            Ok(all) => all,
            Err(fault) => {
                tracing::warn!(reason = fault.reason, "the ConnectorEndpoints of the namespace could not be listed");
                return false;
            }
        };
        let Some((endpoint, keystores)) = due(want, keystore, &all) else { return false };
        match usage::set(&self.shared.kube, endpoint, &keystores, &self.shared.leadership).await {
            Ok(Patched::Done | Patched::Outdated) => true,
            Err(fault) => {
                let endpoint = endpoint.name_any();
                tracing::warn!(reason = fault.reason, endpoint, "the annotation used-by-keystore could not be written");
                false
            }
        }
    }
}
