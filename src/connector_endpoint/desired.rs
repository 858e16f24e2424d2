//! Turns a spec and what it names into what is wanted, with every default filled in.
//!
//! In: the object and [`Found`]. Out: [`Desired`]. Never: reads anything; a missing Secret is a fact, not an end.

use std::{collections::BTreeSet, time::Duration};

use super::resolve::Found;
use crate::{
    api::v1alpha1::{ConnectorEndpoint, DriftPolicy, Mode, Protocol},
    clouds::ibm::{ConnectorId, EndpointDraft, IbmCredential, satellite::ClientProtocol},
    reconcile::{
        fault::Fault,
        ownership::{Adoption, Owner, cut},
        usage,
        wake::Key,
    },
};

/// What is wanted.
pub(super) struct Desired {
    /// Who we are outside.
    pub owner: Owner,
    /// Which connector.
    pub connector: ConnectorWanted,
    /// Who signs in.
    pub credential: Result<IbmCredential, Fault>,
    /// The endpoint as it would be made.
    pub draft: EndpointDraft,
    /// Whether the name was chosen by the user.
    pub named_by_user: bool,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Who may use it; none = not managed.
    pub allowed_sources: Option<BTreeSet<String>>,
    /// What may be taken that does not carry our mark.
    pub adoption: Adoption,
    /// Whether differences are set back.
    pub drift: DriftPolicy,
    /// Manage or plan.
    pub mode: Mode,
    /// Connections that name it.
    pub used_by: Vec<String>,
    /// Keystores that go through it, also where the object that made one is gone.
    pub keystores: Vec<String>,
    /// A person allowed a new destination although it is in use.
    pub destination_change_allowed: bool,
}

/// How the connector is named.
pub(super) enum ConnectorWanted {
    /// By id.
    Id(ConnectorId),
    /// By name and region.
    Named {
        /// Name.
        name: String,
        /// Region.
        region: String,
    },
}

impl Desired {
    /// Never fails: what cannot be used is a fault where it is needed.
    pub(super) fn parse(object: &ConnectorEndpoint, key: &Key, cluster_id: &str, found: &Found) -> Self {
        let spec = &object.spec;
        let owner = Owner::new(cluster_id, "ConnectorEndpoint", &key.0, &key.1);
        let display_name = spec.display_name.as_deref().map_or_else(|| default_name(&owner, key), str::to_owned);
        let client_protocol = match spec.protocol.unwrap_or_default() {
            Protocol::TCP => ClientProtocol::Tcp,
            Protocol::TLS => ClientProtocol::Tls,
        };
        let key_of_account = found.secrets.ibm_api_key("spec.authentication", &spec.authentication);
        Self {
            credential: key_of_account.map(IbmCredential::ApiKey),
            connector: match (&spec.connector.id, &spec.connector.name, &spec.connector.region) {
                (None, Some(name), Some(region)) => {
                    ConnectorWanted::Named { name: name.to_string(), region: region.to_string() }
                }
                (id, _, _) => ConnectorWanted::Id(ConnectorId::new(id.as_deref().unwrap_or_default())),
            },
            draft: EndpointDraft {
                display_name,
                server_host: spec.destination.host.to_string(),
                server_port: u16::try_from(spec.destination.port).unwrap_or(u16::MAX),
                server_protocol: client_protocol.default_server_protocol(),
                client_protocol,
                inactivity_timeout: Some(Duration::from_secs(spec.inactivity_timeout_seconds.unwrap_or(60).into())),
                created_by: owner.mark(),
            },
            named_by_user: spec.display_name.is_some(),
            enabled: spec.enabled.unwrap_or(true),
            allowed_sources: spec.allowed_sources.as_ref().map(|list| list.iter().map(ToString::to_string).collect()),
            adoption: Adoption::of(
                spec.adoption_policy,
                object.metadata.annotations.as_ref(),
                object.status.as_ref().and_then(|status| status.last_handled_take_over.as_deref()),
            ),
            drift: spec.drift_policy.unwrap_or_default(),
            mode: spec.mode.unwrap_or_default(),
            used_by: used_by(object, found),
            keystores: usage::keystores(object.metadata.annotations.as_ref()).into_iter().collect(),
            destination_change_allowed: annotation(object, "allow-destination-change"),
            owner,
        }
    }

    /// Who is cut off by a new destination, in words; none is nobody.
    pub(super) fn users(&self) -> Option<String> {
        match (self.used_by.is_empty(), self.keystores.is_empty()) {
            (false, _) => Some(self.used_by.join(", ")),
            (true, false) => Some(format!("the keystore {}", self.keystores.join(", "))),
            (true, true) => None,
        }
    }

    /// Name of the access rule that is ours.
    pub(super) fn source_name(&self) -> String {
        format!("uko-{}", self.owner.short())
    }
}

/// While the API server does not answer, what status says stands: nobody is cut off because we know too little.
fn used_by(object: &ConnectorEndpoint, found: &Found) -> Vec<String> {
    let before = || object.status.as_ref().map(|status| status.used_by.clone()).unwrap_or_default();
    found.used_by.present().cloned().unwrap_or_else(before)
}

fn annotation(object: &ConnectorEndpoint, name: &str) -> bool {
    let annotations = object.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(&format!("uko-operator.io/{name}"))).is_some_and(|value| value == "true")
}

/// `uko-<namespace>-<name, cut>-<8 characters of the owner hash>`, at most 63, letters, digits and hyphens.
fn default_name(owner: &Owner, key: &Key) -> String {
    let plain: String = format!("uko-{}-{}", key.0, key.1).chars().map(|c| if c == '.' { '-' } else { c }).collect();
    let suffix = owner.short();
    format!("{}-{suffix}", cut(&plain, 63 - 1 - suffix.len()).trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_is_one_that_satellite_accepts_and_ends_in_our_suffix() {
        let key = ("keys".to_owned(), format!("pay.ments-{}", "x".repeat(60)));
        let owner = Owner::new("c", "ConnectorEndpoint", &key.0, &key.1);
        let name = default_name(&owner, &key);
        assert!(name.len() <= 63 && name.starts_with("uko-keys-pay-ments-") && name.ends_with(owner.short()));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }
}
