//! Access rules of a connector ("sources") and their binding to endpoints.
//!
//! In: nothing. Out: the types the planner compares.
//! Never: judges an address; the ranges IBM allows are checked where the manifest is.

use crate::clouds::ibm::{SourceId, word::words};

words! {
    /// Who made a rule \[S\].
    SourceKind {
        /// A person or an operator.
        User = "user",
        /// IBM itself.
        Service = "service",
    }
}

/// A named list of client addresses. It acts only where it is bound to an endpoint and switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Its name, unique within the location \[S\].
    pub name: String,
    /// Who made it.
    pub kind: SourceKind,
    /// Addresses and CIDR blocks, in the order of the answer.
    pub addresses: Vec<String>,
}

/// The state of one rule on one endpoint. With no enabled rule every client on IBM's private network may connect \[D\].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceBinding {
    /// The rule.
    pub source_id: SourceId,
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether the service is still applying it.
    pub pending: bool,
}
