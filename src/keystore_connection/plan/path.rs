//! Stage `ConnectorEndpointReady`: UKO has a way to the Key Vault, and it leads there.
//!
//! In: the `ConnectorEndpoint` as Kubernetes shows it. Out: a verdict, and the `tls_proxy`. Never: asks IBM; the endpoint has a controller of its own.

use super::{Case, Step, faulty};
use crate::{
    api::{
        condition::{self, ConditionType},
        v1alpha1::{ConnectorEndpoint, Protocol},
    },
    clouds::http::Class,
    keystore_connection::desired::Path,
    reconcile::{
        fault::Fault,
        stage::{Seen, Verdict},
    },
};

/// What UKO gets as `tls_proxy`.
pub(in crate::keystore_connection) fn tls_proxy(path: &Path) -> Option<String> {
    match path {
        Path::Direct => None,
        Path::External(proxy) => Some(proxy.clone()),
        Path::Connector { found, .. } => found.present()?.status.as_ref()?.address.clone(),
    }
}

pub(super) fn connector_endpoint_ready(case: Case<'_>) -> Verdict<Step> {
    let (name, found) = match &case.want.path {
        Path::Direct => return Verdict::met("NotApplicable", "UKO reaches the Key Vault without a proxy."),
        Path::External(proxy) => {
            return Verdict::met("ExternallyManaged", format!("UKO goes through {proxy}, which others manage."));
        }
        Path::Connector { name, found } => (name, found),
    };
    let endpoint = match found {
        Seen::Unknown(fault) => return faulty(fault),
        Seen::Absent | Seen::NotLooked => {
            let text = format!(
                "spec.connectorEndpointRef names the ConnectorEndpoint {name}, which is not in this namespace. Create it."
            );
            return Verdict::Blocked(Fault::new(Class::NotFound, "ConnectorEndpointNotFound", text));
        }
        Seen::Present(endpoint) => endpoint,
    };
    if let Some(fault) = misdirected(case, name, endpoint) {
        return Verdict::Blocked(fault);
    }
    usable(name, endpoint)
}

/// Whether it leads to this vault at all: that is a matter of its spec, and no waiting mends it.
fn misdirected(case: Case<'_>, name: &str, endpoint: &ConnectorEndpoint) -> Option<Fault> {
    let destination = &endpoint.spec.destination;
    let host = case.want.cloud.privatelink_host(&case.want.vault.name);
    let address = case.seen.interface.present().and_then(|interface| interface.vault_address());
    let fits = destination.host.eq_ignore_ascii_case(&host) || address == Some(&*destination.host);
    let address_unknown = case.want.private_endpoint.is_some() && address.is_none();
    let may_be_address = destination.host.chars().all(|c| c.is_ascii_digit() || c == '.');
    if destination.port != 443 || !(fits || address_unknown && may_be_address) {
        let text = format!(
            "The ConnectorEndpoint {name} leads to {}:{}, not to this Key Vault. Set its destination to {host}, port 443{}.",
            destination.host,
            destination.port,
            address.map(|address| format!(" (or {address})")).unwrap_or_default()
        );
        return Some(Fault::invalid("DestinationMismatch", text));
    }
    match endpoint.spec.protocol.unwrap_or_default() {
        Protocol::TCP => None,
        Protocol::TLS => {
            let text = format!(
                "The ConnectorEndpoint {name} has protocol TLS. UKO speaks TLS with the Key Vault itself: set its protocol to TCP."
            );
            Some(Fault::invalid("ProtocolNotTCP", text))
        }
    }
}

/// Its status counts only when it speaks of the current spec.
fn usable(name: &str, endpoint: &ConnectorEndpoint) -> Verdict<Step> {
    let status = endpoint.status.clone().unwrap_or_default();
    let current = status.observed_generation == endpoint.metadata.generation.unwrap_or_default();
    if !endpoint.spec.enabled.unwrap_or(true) {
        let text = format!("The ConnectorEndpoint {name} is switched off. Set its spec.enabled to true.");
        return Verdict::Blocked(Fault::awaiting_person("ConnectorEndpointDisabled", text));
    }
    let ready = condition::get(&status.conditions, ConditionType::Ready).filter(|_| current);
    match (ready, &status.address) {
        (Some(ready), Some(address)) if ready.status == "True" && status.enabled != Some(false) => {
            Verdict::met("ConnectorEndpointReady", format!("UKO goes through {address}."))
        }
        (Some(ready), _) if condition::get(&status.conditions, ConditionType::Stalled).is_some() => {
            let text = format!("The ConnectorEndpoint {name} is stalled: {}", ready.message);
            Verdict::Blocked(Fault::awaiting_person("ConnectorEndpointStalled", text))
        }
        (Some(_) | None, _) => {
            let text =
                format!("The ConnectorEndpoint {name} is not Ready yet; kubectl describe ukoep {name} tells why.");
            Verdict::in_progress("ConnectorEndpointInProgress", text, Some(std::time::Duration::from_secs(30)))
        }
    }
}
