//! Satellite connectors, their endpoints and their access rules.
//!
//! In: a connector id and drafts. Out: what the Link API and the GraphQL API say of them.
//! Never: picks a connector, waits for an address, or follows a link of an answer.

mod connector;
mod endpoint;
mod source;

pub use connector::{Connector, ConnectorState};
pub use endpoint::{
    ClientProtocol, ConnectionType, Endpoint, EndpointChange, EndpointDraft, EndpointStatus,
    ServerProtocol,
};
pub use source::{Source, SourceBinding, SourceKind};
