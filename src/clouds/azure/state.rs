//! The state words of Azure, open ended.
//!
//! In: a word, or none. Out: an enum whose last variant keeps what we do not know. Never: guesses that unknown means done.

use serde_json::Value;

use super::wire;

/// How far Azure is with a resource. A missing word means done; an unknown one means running.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProvisioningState {
    /// Done.
    #[default]
    Succeeded,
    /// It did not work; the resource is there, but may not.
    Failed,
    /// Somebody stopped it.
    Canceled,
    /// Being made.
    Creating,
    /// Being changed.
    Updating,
    /// Being removed.
    Deleting,
    /// A word of later times; read it as running.
    Other(String),
}

impl ProvisioningState {
    /// Reads the word at `path`.
    #[must_use]
    pub fn read(value: &Value, path: &str) -> Self {
        let Some(word) = wire::text(value, path) else {
            return Self::Succeeded;
        };
        let known = [
            ("succeeded", Self::Succeeded),
            ("failed", Self::Failed),
            ("canceled", Self::Canceled),
            ("creating", Self::Creating),
            ("updating", Self::Updating),
            ("deleting", Self::Deleting),
        ];
        let lower = word.to_ascii_lowercase();
        let found = known.into_iter().find(|(name, _)| *name == lower);
        found.map_or_else(|| Self::Other(word.to_owned()), |(_, state)| state)
    }

    /// True while an operation is under way: nothing else may be asked of the resource.
    #[must_use]
    pub fn is_running(&self) -> bool {
        match self {
            Self::Creating | Self::Updating | Self::Deleting | Self::Other(_) => true,
            Self::Succeeded | Self::Failed | Self::Canceled => false,
        }
    }
}

/// What the owner of the Key Vault said about a private endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// Nobody has decided yet.
    #[default]
    Pending,
    /// The path is open.
    Approved,
    /// A person said no.
    Rejected,
    /// The other side was removed; this endpoint is dead.
    Disconnected,
    /// A word of later times; wait.
    Other(String),
}

impl ConnectionStatus {
    fn read(value: &Value, path: &str) -> Self {
        let Some(word) = wire::text(value, path) else {
            return Self::Pending;
        };
        let known = [
            ("pending", Self::Pending),
            ("approved", Self::Approved),
            ("rejected", Self::Rejected),
            ("disconnected", Self::Disconnected),
        ];
        let lower = word.to_ascii_lowercase();
        let found = known.into_iter().find(|(name, _)| *name == lower);
        found.map_or_else(|| Self::Other(word.to_owned()), |(_, status)| status)
    }

    /// The word, as Azure spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "Pending",
            Self::Approved => "Approved",
            Self::Rejected => "Rejected",
            Self::Disconnected => "Disconnected",
            Self::Other(word) => word,
        }
    }
}

/// A connection between a private endpoint and a Key Vault, seen from either side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionState {
    /// The decision.
    pub status: ConnectionStatus,
    /// Free text of whoever decided. Azure itself changes its spelling between answers: never compare it.
    pub description: Option<String>,
    /// What Azure says is left to do; usually `None`.
    pub actions_required: Option<String>,
}

impl ConnectionState {
    pub(super) fn read(connection: &Value) -> Self {
        let base = "/properties/privateLinkServiceConnectionState";
        Self {
            status: ConnectionStatus::read(connection, &format!("{base}/status")),
            description: wire::owned(connection, &format!("{base}/description")),
            actions_required: wire::owned(connection, &format!("{base}/actionsRequired")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_missing_state_is_done_and_an_unknown_one_is_running() {
        let read = |word: Value| ProvisioningState::read(&json!({ "state": word }), "/state");
        assert_eq!(read(Value::Null), ProvisioningState::Succeeded);
        assert_eq!(read(json!("SUCCEEDED")), ProvisioningState::Succeeded);
        assert_eq!(read(json!("RegisteringDns")), ProvisioningState::Other("RegisteringDns".into()));
        assert!(read(json!("RegisteringDns")).is_running() && read(json!("Deleting")).is_running());
        assert!(!read(json!("Failed")).is_running() && !read(json!("Canceled")).is_running());
    }

    #[test]
    fn an_unknown_status_is_neither_approved_nor_rejected() {
        let state =
            ConnectionState::read(&json!({"properties":{"privateLinkServiceConnectionState":{"status":"Waiting"}}}));
        assert_eq!(state.status, ConnectionStatus::Other("Waiting".into()));
        assert_eq!(ConnectionState::read(&json!({})).status, ConnectionStatus::Pending);
    }
}
