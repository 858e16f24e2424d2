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
    clouds::ibm::{Keystore, KeystoreId},
    reconcile::{finalizer::Patched, usage, wake::Key},
};

/// The first endpoint whose annotation is not as it should be, and what it should name. `former` is the keystore that status still
/// names although it is gone: it was removed in UKO, and this one was registered in its place.
fn due<'a>(
    want: &Desired,
    keystore: &Keystore,
    former: Option<&KeystoreId>,
    all: &'a [ConnectorEndpoint],
) -> Option<(&'a ConnectorEndpoint, BTreeSet<String>)> {
    let id = keystore.id.as_str();
    let present = match &want.path {
        Path::Connector { name, .. } => Some(name.as_str()),
        Path::External(_) | Path::Direct => None,
    };
    let moved = has_moved(want, keystore);
    all.iter().find_map(|endpoint| {
        let before = usage::keystores(endpoint.metadata.annotations.as_ref());
        let mut after = before.clone();
        if let Some(former) = former.filter(|former| former.as_str() != id) {
            after.remove(former.as_str());
        }
        if present == endpoint.metadata.name.as_deref() {
            after.insert(id.to_owned());
        } else if moved {
            after.remove(id);
        }
        (after != before).then_some((endpoint, after))
    })
}

/// UKO goes where the spec leads, and nowhere else any more.
fn has_moved(want: &Desired, keystore: &Keystore) -> bool {
    match (&want.path, tls_proxy(&want.path)) {
        (Path::Direct, _) => keystore.tls_proxy.is_none(),
        (Path::Connector { .. } | Path::External(_), Some(proxy)) => keystore.tls_proxy == Some(proxy),
        (Path::Connector { .. } | Path::External(_), None) => false,
    }
}

/// How the annotations of the namespace stand after a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Claims {
    /// As they should be.
    #[default]
    Right,
    /// One was written, or somebody wrote in between: that ends the pass, and there may be more.
    Written,
    /// One could not be written. That stops nothing: it is told in the log, and tried again at the next full look.
    Failed,
}

impl KeystoreConnections {
    /// Mends one annotation.
    pub(super) async fn keep_usage(
        &self,
        want: &Desired,
        keystore: Option<&Keystore>,
        former: Option<&KeystoreId>,
        key: &Key,
    ) -> Claims {
        let Some(keystore) = keystore.filter(|_| want.mode == Mode::Manage) else { return Claims::Right };
        let all = match usage::endpoints(&self.shared.kube, &key.0).await {
            Ok(all) => all,
            Err(fault) => {
                tracing::warn!(reason = fault.reason, "the ConnectorEndpoints of the namespace could not be listed");
                return Claims::Failed;
            }
        };
        let Some((endpoint, keystores)) = due(want, keystore, former, &all) else { return Claims::Right };
        match usage::set(&self.shared.kube, endpoint, &keystores, &self.shared.leadership).await {
            Ok(Patched::Done | Patched::Outdated) => Claims::Written,
            Err(fault) => {
                let endpoint = endpoint.name_any();
                tracing::warn!(reason = fault.reason, endpoint, "the annotation used-by-keystore could not be written");
                Claims::Failed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::keystore_connection::cleanup::tests::{keystore, want};

    const OLD: &str = "old.example.com:1";
    const NEW: &str = "new.example.com:2";

    fn endpoint(name: &str, used_by: &str) -> ConnectorEndpoint {
        let mut endpoint: ConnectorEndpoint =
            serde_yaml::from_str(include_str!("../../deploy/samples/connector-endpoint.yaml")).unwrap();
        endpoint.metadata.name = Some(name.to_owned());
        endpoint.metadata.annotations = Some([(usage::USED_BY.to_owned(), used_by.to_owned())].into());
        endpoint.status = serde_json::from_value(json!({"address": NEW})).unwrap();
        endpoint
    }

    /// Through `payments`, which answers at NEW, while UKO goes to `proxy`.
    fn changed(proxy: &str, former: Option<&str>, all: &[ConnectorEndpoint]) -> Option<(String, Vec<String>)> {
        let mut want = want();
        let found = crate::reconcile::stage::Seen::Present(endpoint("payments", ""));
        want.path = Path::Connector { name: "payments".to_owned(), found };
        let store = Keystore { tls_proxy: Some(proxy.to_owned()), ..keystore("") };
        let former = former.map(KeystoreId::new);
        let (endpoint, ids) = due(&want, &store, former.as_ref(), all)?;
        Some((endpoint.name_any(), ids.into_iter().collect()))
    }

    #[test]
    fn the_present_endpoint_is_claimed_at_once_and_a_former_one_let_go_only_after_uko_has_moved() {
        let [before, after] = ["x", "k1,x"].map(|ids| endpoint("payments", ids));
        let former = endpoint("former", "k1,y");
        let named = |name: &str, ids: &[&str]| Some((name.to_owned(), ids.iter().map(ToString::to_string).collect()));
        assert_eq!(changed(OLD, None, &[former.clone(), before]), named("payments", &["k1", "x"]));
        assert_eq!(changed(OLD, None, &[former.clone(), after.clone()]), None, "UKO still goes through the former one");
        assert_eq!(changed(NEW, None, &[former, after.clone()]), named("former", &["y"]));
        assert_eq!(changed(NEW, None, &[after, endpoint("others", "y")]), None, "ids of others are theirs");
    }

    #[test]
    fn a_keystore_that_was_made_again_takes_the_place_of_the_one_that_is_gone() {
        let all = [endpoint("payments", "k0,x")];
        let ids = vec!["k1".to_owned(), "x".to_owned()];
        assert_eq!(changed(NEW, Some("k0"), &all), Some(("payments".to_owned(), ids)));
        assert_eq!(changed(NEW, Some("k1"), &[endpoint("payments", "k1")]), None);
    }
}
