//! A Satellite connector as data.
//!
//! In: nothing. Out: the types the planner compares.
//! Never: says whether a tunnel is up; provisioning is all that the published API shows.

use crate::clouds::ibm::{ConnectorId, word::words};

words! {
    /// How far IBM got with making or removing a connector; says nothing about its tunnel \[D\].
    ConnectorState {
        /// Made.
        Created = "CREATED",
        /// Being made.
        Creating = "CREATING",
        /// Being removed.
        Deleting = "DELETING",
        /// Could not be made.
        Failed = "FAILED",
    }
}

/// A Satellite connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connector {
    /// Its id, also the first part of the ids of its endpoints.
    pub id: ConnectorId,
    /// Its name; not documented as unique.
    pub name: String,
    /// The IBM region it lives in, for instance `eu-de`; absent when the answer does not say.
    pub region: Option<String>,
    /// How far its provisioning is.
    pub state: ConnectorState,
    /// Tunnels that agents hold open, where the service says so: documented for locations \[S\], unknown for connectors \[I\].
    pub tunnels: Option<u32>,
}
