//! Long-running operations and what they do when they end. In: handlers. Out: state. Never: ends one.

use serde::{Deserialize, Serialize};

use super::{PrivateDnsZone, VirtualNetworkLink};

/// A long-running operation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Operation {
    /// Polls that still say `InProgress`.
    pub polls_left: u32,
    /// An operation of private DNS: its polls answer 202 while it runs.
    pub private_dns: bool,
    /// What happens at its end.
    pub effect: Effect,
    /// Its end is a failure.
    pub failure: Option<Failure>,
    /// Over: its effect has happened.
    pub done: bool,
    /// When it began (Unix seconds); after five minutes it ends although nobody asks.
    pub started_at: i64,
}

/// What an operation does when it ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Nothing.
    #[default]
    None,
    /// A private endpoint becomes `Succeeded`, with address and connection.
    FinishEndpoint {
        /// Lower-case id.
        endpoint: String,
    },
    /// A private endpoint disappears.
    RemoveEndpoint {
        /// Lower-case id.
        endpoint: String,
    },
    /// A zone group becomes `Succeeded` and writes its records.
    FinishZoneGroup {
        /// Lower-case id of the endpoint.
        endpoint: String,
        /// Group name.
        group: String,
    },
    /// A zone group disappears with its records.
    RemoveZoneGroup {
        /// Lower-case id of the endpoint.
        endpoint: String,
        /// Group name.
        group: String,
    },
    /// A private DNS zone appears.
    FinishZone {
        /// Lower-case id.
        zone: String,
        /// What appears.
        value: Box<PrivateDnsZone>,
    },
    /// A link is `Completed`.
    FinishLink {
        /// Lower-case id of the zone.
        zone: String,
        /// Link name.
        link: String,
        /// What appears.
        value: Box<VirtualNetworkLink>,
    },
    /// A link disappears.
    RemoveLink {
        /// Lower-case id of the zone.
        zone: String,
        /// Link name.
        link: String,
    },
    /// A zone disappears.
    RemoveZone {
        /// Lower-case id.
        zone: String,
    },
}

/// Why an operation failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Error code.
    pub code: String,
    /// Message.
    #[serde(default)]
    pub message: String,
}
