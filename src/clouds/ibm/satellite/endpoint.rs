//! An endpoint of a connector: what is read, what is asked for, what is changed.
//!
//! In: nothing. Out: the types the planner compares and builds.
//! Never: says whether the destination answers; the Link API has no such fact.

use std::time::Duration;

use crate::clouds::ibm::{ConnectorId, EndpointId, SourceBinding, word::words};

words! {
    /// The switch of an endpoint; says nothing about reachability \[S\].
    EndpointStatus {
        /// Clients may connect.
        Enabled = "enabled",
        /// Switched off.
        Disabled = "disabled",
    }
}

words! {
    /// Which side the destination is on \[S\].
    ConnectionType {
        /// The destination is outside IBM Cloud: the one made here.
        Location = "location",
        /// The destination is in IBM Cloud.
        Cloud = "cloud",
    }
}

words! {
    /// What clients speak to the endpoint \[S\].
    ClientProtocol {
        /// Bytes as they come; TLS then runs end to end.
        Tcp = "tcp",
        /// TLS that ends in the endpoint.
        Tls = "tls",
        /// Datagrams.
        Udp = "udp",
        /// Plain HTTP.
        Http = "http",
        /// HTTP over TLS that ends in the endpoint.
        Https = "https",
        /// A CONNECT proxy.
        HttpTunnel = "http-tunnel",
    }
}

words! {
    /// What the agents speak to the destination \[S\].
    ServerProtocol {
        /// Bytes as they come.
        Tcp = "tcp",
        /// TLS begun by the agent.
        Tls = "tls",
        /// Datagrams.
        Udp = "udp",
    }
}

impl ClientProtocol {
    /// What the service takes for the destination's side when nothing is said: `tls` behind `tls` and `https`, `udp`
    /// behind `udp`, otherwise `tcp` \[S\].
    #[must_use]
    pub fn default_server_protocol(&self) -> ServerProtocol {
        match self {
            Self::Tls | Self::Https => ServerProtocol::Tls,
            Self::Udp => ServerProtocol::Udp,
            Self::Tcp | Self::Http | Self::HttpTunnel | Self::Other(_) => ServerProtocol::Tcp,
        }
    }
}

/// An endpoint as the Link API shows it. Every member but the id may be missing on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// The connector (or location) it belongs to, where the answer says so.
    pub connector_id: Option<ConnectorId>,
    /// Its name; uniqueness is not documented.
    pub display_name: String,
    /// Which side the destination is on.
    pub connection_type: ConnectionType,
    /// The destination's name or address, as the agents resolve it.
    pub server_host: String,
    /// The destination's port; `None` when the answer holds none.
    pub server_port: Option<u16>,
    /// What clients speak.
    pub client_protocol: ClientProtocol,
    /// What the agents speak to the destination; `Other("")` when the answer holds none.
    pub server_protocol: ServerProtocol,
    /// How long a connection may be idle; `None` is the service's own default.
    pub inactivity_timeout: Option<Duration>,
    /// The mark of whoever made it.
    pub created_by: Option<String>,
    /// The host clients use; null right after create, and then for a while.
    pub client_host: Option<String>,
    /// The port clients use; null right after create, and then for a while.
    pub client_port: Option<u16>,
    /// Its switch.
    pub status: EndpointStatus,
    /// The access rules bound to it, where the answer carries them.
    pub sources: Option<Vec<SourceBinding>>,
}

impl Endpoint {
    /// `host:port` for clients, once the service has chosen both.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        match (&self.client_host, self.client_port) {
            (Some(host), Some(port)) => Some(format!("{host}:{port}")),
            (None, _) | (_, None) => None,
        }
    }

    /// What its switch says; `None` when the answer holds none, or a word this version does not know.
    #[must_use]
    pub fn enabled(&self) -> Option<bool> {
        match self.status {
            EndpointStatus::Enabled => Some(true),
            EndpointStatus::Disabled => Some(false),
            EndpointStatus::Other(_) => None,
        }
    }

    /// Whether its switch is known to be on.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled() == Some(true)
    }
}

/// An endpoint of type `location` to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointDraft {
    /// Its name: a letter first, a letter or digit last, letters, digits and hyphens between, at most 63 \[S\].
    pub display_name: String,
    /// The destination's name or address.
    pub server_host: String,
    /// The destination's port.
    pub server_port: u16,
    /// What clients speak.
    pub client_protocol: ClientProtocol,
    /// What the agents speak; [`ClientProtocol::default_server_protocol`] unless there is a reason.
    pub server_protocol: ServerProtocol,
    /// How long a connection may be idle, whole seconds 1..=180; `None` leaves it to the service.
    pub inactivity_timeout: Option<Duration>,
    /// The ownership mark, at most 1000 characters \[S\].
    pub created_by: String,
}

/// A change of an endpoint; what is `None` stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointChange {
    /// Sent with every change: the service falls back to its default when it is left out, even on PATCH \[S\].
    pub server_protocol: ServerProtocol,
    /// A new name.
    pub display_name: Option<String>,
    /// A new destination host; the address for clients is said to stay \[O\].
    pub server_host: Option<String>,
    /// A new destination port.
    pub server_port: Option<u16>,
    /// What clients shall speak.
    pub client_protocol: Option<ClientProtocol>,
    /// How long a connection may be idle, whole seconds.
    pub inactivity_timeout: Option<Duration>,
    /// A new ownership mark.
    pub created_by: Option<String>,
    /// The switch.
    pub enabled: Option<bool>,
}

impl EndpointChange {
    /// A change that so far changes nothing; fill in what shall differ.
    #[must_use]
    pub fn keeping(server_protocol: ServerProtocol) -> Self {
        Self {
            server_protocol,
            display_name: None,
            server_host: None,
            server_port: None,
            client_protocol: None,
            inactivity_timeout: None,
            created_by: None,
            enabled: None,
        }
    }
}
