//! A small pure model of IBM Cloud.
//!
//! In: a few words a scenario writes down. Out: what a look at it sees, and what a step makes of it. Never: the wire; that is cloud-in-a-box.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    clouds::{
        http::Class,
        ibm::{
            self, Connector, ConnectorId, ConnectorState, EndpointChange, EndpointId, SourceBinding, SourceId,
            satellite::{ClientProtocol, ConnectionType, EndpointStatus, ServerProtocol, SourceKind},
        },
    },
    connector_endpoint::{
        connector_of,
        desired::Desired,
        observe::Observed,
        plan::{Past, Step, find_endpoint},
    },
    reconcile::{fault::Fault, ownership::Owner, stage::Seen},
};

const CONNECTOR: &str = "U2F0ZWxsaXRl";

/// What is out there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct World {
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// Which reads get no answer.
    pub dark: BTreeMap<Part, Trouble>,
    /// What the next writes come to, in order; after that all succeed.
    pub writes: Vec<Write>,
    /// States of the connectors that fit.
    pub connectors: Vec<String>,
    pub tunnels: Option<u32>,
    pub endpoints: BTreeMap<String, Endpoint>,
    pub sources: BTreeMap<String, Source>,
    /// Creations that take effect at a later second.
    pub later: Vec<(i64, String, Endpoint)>,
    /// Connections that name it.
    pub used_by: Vec<String>,
    /// Reads show no mark of ours, but this; empty: null.
    #[serde(skip)]
    pub shown_instead: Option<String>,
    /// A person gives the object what others own.
    #[serde(skip)]
    pub given: bool,
}

/// Something that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Part {
    Login,
    Connectors,
    Endpoints,
    Endpoint,
    Sources,
    Bindings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Trouble {
    Outage,
    Denied,
}

/// What a write comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Write {
    Done,
    LostBefore,
    LostAfter,
    DoneLater,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Whose {
    Ours,
    Nobodys,
    Released,
    Others,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Endpoint {
    pub whose: Whose,
    /// Absent: the name that the operator would give.
    pub name: Option<String>,
    pub host: String,
    pub port: u16,
    pub protocol: String,
    /// Towards the destination; absent: the service's own default.
    pub server_protocol: Option<String>,
    pub timeout: Option<u64>,
    pub enabled: bool,
    pub address: bool,
    /// Sources bound to it, and whether they are in force.
    pub bound: BTreeMap<String, bool>,
    pub pending: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct Source {
    /// Absent: the name that the operator would give.
    pub name: Option<String>,
    pub addresses: Vec<String>,
}

impl Default for Endpoint {
    fn default() -> Self {
        Self {
            whose: Whose::Ours,
            name: None,
            host: "payments-kv.privatelink.vaultcore.azure.net".to_owned(),
            port: 443,
            protocol: "tcp".to_owned(),
            server_protocol: None,
            timeout: Some(60),
            enabled: true,
            address: true,
            bound: BTreeMap::from([("ours".to_owned(), true)]),
            pending: false,
        }
    }
}

impl Default for Source {
    fn default() -> Self {
        Self { name: None, addresses: vec!["10.0.0.0/8".to_owned()] }
    }
}

impl Default for World {
    fn default() -> Self {
        let key = BTreeMap::from([("apiKey".to_owned(), "key-of-ibm".to_owned())]);
        Self {
            secrets: BTreeMap::from([("ibm-cloud".to_owned(), key)]),
            dark: BTreeMap::new(),
            writes: Vec::new(),
            connectors: vec!["CREATED".to_owned()],
            tunnels: None,
            endpoints: BTreeMap::new(),
            sources: BTreeMap::new(),
            later: Vec::new(),
            used_by: Vec::new(),
            shown_instead: None,
            given: false,
        }
    }
}

impl World {
    /// Everything is made.
    pub(super) fn settled() -> Self {
        Self {
            endpoints: BTreeMap::from([("ours".to_owned(), Endpoint::default())]),
            sources: BTreeMap::from([("ours".to_owned(), Source::default())]),
            ..Self::default()
        }
    }

    pub(super) fn darken(&mut self, part: Part, trouble: Trouble) {
        self.dark.insert(part, trouble);
    }

    fn read<T>(&self, part: Part, there: impl FnOnce() -> Option<T>) -> Seen<T> {
        match self.dark.get(&part) {
            Some(Trouble::Outage) => Seen::Unknown(Fault::new(
                Class::Transient,
                "LinkUnavailable",
                "IBM Cloud did not answer; this is retried.",
            )),
            Some(Trouble::Denied) => Seen::Unknown(Fault::new(
                Class::Denied,
                "ApiKeyRefused",
                "IBM Cloud refused the API key. Put a valid one into the Secret.",
            )),
            None => there().map_or(Seen::Absent, Seen::Present),
        }
    }

    /// The look itself.
    pub(super) fn look(&self, want: &Desired, past: &Past, quick: bool) -> Observed {
        let mut seen = Observed::default();
        if quick {
            if let (Some(_), Some(id)) = (&past.cached.connector, &past.cached.endpoint) {
                let have = self.endpoints.get(id.as_str());
                seen.endpoint = self.read(Part::Endpoint, || have.map(|have| self.shown(id.as_str(), have, want)));
            }
            return seen;
        }
        seen.login = self.read(Part::Login, || Some(()));
        if seen.login.fault().is_some() {
            return seen;
        }
        let connector = |state: &String| Connector {
            id: ConnectorId::new(CONNECTOR),
            name: "keys-eu".to_owned(),
            region: Some("eu-de".to_owned()),
            state: ConnectorState::of(state),
            tunnels: self.tunnels,
        };
        seen.connectors = self.read(Part::Connectors, || Some(self.connectors.iter().map(connector).collect()));
        if connector_of(&seen).is_none() {
            return seen;
        }
        seen.endpoints = self.read(Part::Endpoints, || {
            Some(self.endpoints.iter().map(|(id, have)| self.shown(id, have, want)).collect())
        });
        seen.sources = self.read(Part::Sources, || {
            let read = |(id, have): (&String, &Source)| ibm::Source {
                id: SourceId::new(id.clone()),
                name: have.name.clone().unwrap_or_else(|| want.source_name()),
                kind: SourceKind::User,
                addresses: have.addresses.clone(),
            };
            Some(self.sources.iter().map(read).collect())
        });
        let found = find_endpoint(want, &seen, past).map(|endpoint| endpoint.id.as_str().to_owned());
        if let (true, Some(found)) = (want.allowed_sources.is_some(), found) {
            let have = &self.endpoints[&found];
            let binding = |(id, enabled): (&String, &bool)| SourceBinding {
                source_id: SourceId::new(id.clone()),
                enabled: *enabled,
                pending: have.pending,
            };
            seen.bindings = self.read(Part::Bindings, || Some(have.bound.iter().map(binding).collect()));
        }
        seen
    }

    pub(super) fn land(&mut self, now: i64) {
        let (due, later) =
            std::mem::take(&mut self.later).into_iter().partition::<Vec<_>, _>(|(when, ..)| *when <= now);
        self.later = later;
        self.endpoints.extend(due.into_iter().map(|(_, id, endpoint)| (id, endpoint)));
    }

    /// Gives the endpoint that the answer names as ours.
    pub(super) fn apply(&mut self, step: &Step) -> Option<EndpointId> {
        match step {
            Step::CreateEndpoint(draft, _) => {
                let id = format!("made{}", self.endpoints.len());
                let mut made =
                    Endpoint { bound: BTreeMap::new(), name: Some(draft.display_name.clone()), ..Endpoint::default() };
                (made.host, made.port) = (draft.server_host.clone(), draft.server_port);
                self.endpoints.insert(id.clone(), made);
                return Some(EndpointId::new(id));
            }
            Step::AdoptEndpoint { id, change, .. } | Step::UpdateEndpoint { id, change } => {
                let have = self.endpoints.get_mut(id.as_str()).unwrap();
                let given = matches!(step, Step::AdoptEndpoint { .. }) && self.given;
                assert!(given || have.whose != Whose::Others, "another owner's endpoint was changed");
                have.change(change);
                return matches!(step, Step::AdoptEndpoint { .. }).then(|| id.clone());
            }
            Step::CreateSource { name, addresses } => {
                let made = Source { name: Some(name.clone()), addresses: addresses.clone() };
                self.sources.insert(format!("source{}", self.sources.len()), made);
            }
            Step::UpdateSource { id, addresses } => {
                self.sources.get_mut(id.as_str()).unwrap().addresses.clone_from(addresses);
            }
            Step::BindSource { endpoint, source } => {
                let have = self.endpoints.get_mut(endpoint.as_str()).unwrap();
                assert_ne!(have.whose, Whose::Others);
                have.bound.insert(source.as_str().to_owned(), true);
            }
        }
        None
    }

    fn shown(&self, id: &str, have: &Endpoint, want: &Desired) -> ibm::Endpoint {
        let read = have.as_read(id, want);
        match &self.shown_instead {
            Some(text) if have.whose == Whose::Ours => {
                ibm::Endpoint { created_by: Some(text.clone()).filter(|text| !text.is_empty()), ..read }
            }
            Some(_) | None => read,
        }
    }
}

/// Whose the things of [`Whose::Others`] are.
pub(super) fn other() -> Owner {
    Owner::new("cluster", "ConnectorEndpoint", "elsewhere", "thing")
}

impl Endpoint {
    fn as_read(&self, id: &str, want: &Desired) -> ibm::Endpoint {
        ibm::Endpoint {
            id: EndpointId::new(id),
            connector_id: Some(ConnectorId::new(CONNECTOR)),
            display_name: self.name.clone().unwrap_or_else(|| want.draft.display_name.clone()),
            connection_type: ConnectionType::Location,
            server_host: self.host.clone(),
            server_port: Some(self.port),
            client_protocol: ClientProtocol::of(&self.protocol),
            server_protocol: self
                .server_protocol
                .as_deref()
                .map_or_else(|| ClientProtocol::of(&self.protocol).default_server_protocol(), ServerProtocol::of),
            inactivity_timeout: self.timeout.map(Duration::from_secs),
            created_by: match self.whose {
                Whose::Ours => Some(want.owner.mark()),
                Whose::Nobodys => None,
                Whose::Released => Some("uko-operator:released keys/payments".to_owned()),
                Whose::Others => Some(other().mark()),
            },
            client_host: self.address.then(|| "c-01.private.eu-de.link.satellite.cloud.ibm.com".to_owned()),
            client_port: self.address.then_some(32768),
            status: if self.enabled { EndpointStatus::Enabled } else { EndpointStatus::Disabled },
            sources: None,
        }
    }

    fn change(&mut self, change: &EndpointChange) {
        let EndpointChange {
            server_protocol,
            display_name,
            server_host,
            server_port,
            client_protocol,
            inactivity_timeout,
            created_by,
            enabled,
        } = change.clone();
        assert!(
            !matches!(server_protocol, ServerProtocol::Other(_)),
            "a word that the service refuses: {server_protocol:?}"
        );
        self.server_protocol = self.server_protocol.take().map(|_| server_protocol.as_str().to_owned());
        self.name = display_name.or(self.name.take());
        self.host = server_host.unwrap_or(std::mem::take(&mut self.host));
        self.port = server_port.unwrap_or(self.port);
        self.timeout = inactivity_timeout.map(|timeout| timeout.as_secs()).or(self.timeout);
        self.enabled = enabled.unwrap_or(self.enabled);
        if let Some(protocol) = client_protocol {
            protocol.as_str().clone_into(&mut self.protocol);
        }
        if created_by.is_some() {
            self.whose = Whose::Ours;
        }
    }
}
