//! The writes that a `ConnectorEndpoint` can need.
//!
//! In: ids and drafts. Out: a step that can be put into words. Never: sends anything.

use super::ENDPOINTS_LIMIT;
use crate::{
    api::v1alpha1::{PlanAction, PlannedStep},
    clouds::ibm::{EndpointChange, EndpointDraft, EndpointId, SourceId},
    reconcile::stage::Describe,
};

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Make the endpoint, of which the connector has so many already.
    CreateEndpoint(EndpointDraft, u32),
    /// Put our mark on an unowned endpoint.
    AdoptEndpoint {
        /// Which.
        id: EndpointId,
        /// Its name.
        name: String,
        /// The mark.
        change: EndpointChange,
    },
    /// Change what differs.
    UpdateEndpoint {
        /// Which.
        id: EndpointId,
        /// What.
        change: EndpointChange,
    },
    /// Make the access rule.
    CreateSource {
        /// Its name.
        name: String,
        /// Who may.
        addresses: Vec<String>,
    },
    /// Change who may.
    UpdateSource {
        /// Which rule.
        id: SourceId,
        /// Who may.
        addresses: Vec<String>,
    },
    /// Put the rule in force for the endpoint.
    BindSource {
        /// Which endpoint.
        endpoint: EndpointId,
        /// Which rule.
        source: SourceId,
    },
}

impl Step {
    /// What must be announced before it is sent, because sending it twice would make two.
    pub(crate) fn creates(&self) -> Option<&'static str> {
        match self {
            Self::CreateEndpoint(..) => Some("ConnectorEndpoint"),
            Self::CreateSource { .. } => Some("Source"),
            Self::AdoptEndpoint { .. }
            | Self::UpdateEndpoint { .. }
            | Self::UpdateSource { .. }
            | Self::BindSource { .. } => None,
        }
    }
}

impl Describe for Step {
    fn describe(&self) -> PlannedStep {
        let (action, resource, detail) = match self {
            Self::CreateEndpoint(draft, used) => (
                PlanAction::Create,
                format!("connector endpoint {}", draft.display_name),
                format!("to {}:{}; {}", draft.server_host, draft.server_port, quota(*used)),
            ),
            Self::AdoptEndpoint { name, .. } => {
                (PlanAction::Adopt, format!("connector endpoint {name}"), "put the owner's mark on it".to_owned())
            }
            Self::UpdateEndpoint { id, .. } => (
                PlanAction::Update,
                format!("connector endpoint {}", id.as_str()),
                "set what differs; the fields are in status.drift".to_owned(),
            ),
            Self::CreateSource { name, addresses } => {
                (PlanAction::Create, format!("access rule {name}"), format!("allow {}", addresses.join(", ")))
            }
            Self::UpdateSource { id, addresses } => {
                (PlanAction::Update, format!("access rule {}", id.as_str()), format!("allow {}", addresses.join(", ")))
            }
            Self::BindSource { endpoint, .. } => (
                PlanAction::Update,
                format!("connector endpoint {}", endpoint.as_str()),
                "put the access rule in force".to_owned(),
            ),
        };
        PlannedStep { action, resource, detail, estimated_cost: None }
    }
}

/// What is left on the connector before one more is made.
pub(super) fn quota(used: u32) -> String {
    format!("{used} of {ENDPOINTS_LIMIT} endpoints of the connector are used")
}
