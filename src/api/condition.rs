//! The words of `status.conditions`: their types, their order, and how one statement changes the list.
//!
//! In: a statement and the time. Out: a list in a fixed order whose transition times are honest. Never: decides what is
//! true, reads a clock, words a message.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

/// Longest message in bytes; the API server would take more, people do not.
pub const MESSAGE_LIMIT: usize = 1024;

/// What ends a message that was too long.
const CUT: &str = "…";

macro_rules! condition_types {
    ($($name:ident $meaning:literal),+ $(,)?) => {
        /// A condition type of either kind, in the order in which a list shows them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ConditionType {
            $(#[doc = $meaning] $name),+
        }

        impl ConditionType {
            /// Every type, in order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As it stands in `conditions[].type`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name)),+
                }
            }

            /// What it says when it is True, in one sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => $meaning),+
                }
            }
        }
    };
}

condition_types! {
    Ready "Everything asked for is in place and healthy.",
    Reconciling "Work is under way and is expected to end by itself.",
    Stalled "Nothing more can be done before someone changes the spec, a Secret or the policy file.",
    CredentialsValid "Every cloud accepts the credentials that this object names.",
    ConnectorAvailable "The Satellite Connector exists and can carry this endpoint.",
    EndpointProvisioned "The connector endpoint exists as asked for and has an address.",
    AccessControlApplied "Only the allowed sources can use the connector endpoint.",
    VaultReady "The Key Vault exists, fits the keystore, and grants UKO its ten key permissions.",
    PrivateEndpointReady "The private endpoint is approved on the Key Vault's side and has an address.",
    ConnectorEndpointReady "UKO has a way to the Key Vault: the connector endpoint is Ready and leads to this vault.",
    ConnectionTested "UKO could use the Key Vault in a test with exactly these settings.",
    KeystoreConnected "The keystore is registered as asked for and UKO reports it healthy.",
    KeyEncryptionKeyHealthy "The key-encryption key is there and usable, so keys can be distributed.",
    NetworkAccessApplied "Public network access of the Key Vault is as asked for.",
    CredentialsExpiring "A credential that this object uses ends soon.",
    DeletionBlocked "Deletion waits for something that still uses what would be removed.",
    ClaimConflict "Something that this object needs is marked as another owner's.",
    Drifted "Managed fields differ outside and were not set back.",
}

/// Stages of a `ConnectorEndpoint`, in the order in which they are reached.
pub const CONNECTOR_ENDPOINT_STAGES: [ConditionType; 4] = [
    ConditionType::CredentialsValid,
    ConditionType::ConnectorAvailable,
    ConditionType::EndpointProvisioned,
    ConditionType::AccessControlApplied,
];

/// Stages of an `AzureKeystoreConnection`, in the order in which they are reached.
pub const KEYSTORE_CONNECTION_STAGES: [ConditionType; 8] = [
    ConditionType::CredentialsValid,
    ConditionType::VaultReady,
    ConditionType::PrivateEndpointReady,
    ConditionType::ConnectorEndpointReady,
    ConditionType::ConnectionTested,
    ConditionType::KeystoreConnected,
    ConditionType::KeyEncryptionKeyHealthy,
    ConditionType::NetworkAccessApplied,
];

/// Reasons that the design fixes for both kinds: stable, each with one sentence. Each further room that coins reasons
/// holds a table of this name and shape; `tests/reasons.rs` finds them all and compares them with `docs/reasons/`.
pub const REASONS: &[(&str, &str)] = &[
    ("NotManaged", "The spec leaves this to others, so the operator neither looks nor touches."),
    ("ExternallyManaged", "Others manage this; the operator uses it as it is."),
    ("NotApplicable", "There is nothing of this kind in the path that was asked for."),
    ("Skipped", "The spec says that this is not to be tested; it does not count for Ready."),
    ("Suspended", "spec.suspend is true: no call is made, and the other conditions tell the last known state."),
    ("ChangesPlanned", "spec.mode is Plan, and status.plan lists what would be done."),
    ("NothingToDo", "spec.mode is Plan, and nothing would be done."),
    (
        "NotYetSupported",
        "The spec asks for something that this version of the operator cannot do; the message names the field.",
    ),
];

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

impl Status {
    /// As it stands in `conditions[].status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// One thing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Of what.
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: Status,
    /// Stable CamelCase word.
    pub reason: &'a str,
    /// What is wrong and what to do; cut at [`MESSAGE_LIMIT`] bytes.
    pub message: &'a str,
}

/// Says one thing, in its place of the list.
///
/// `lastTransitionTime` moves to `now` only when the status changes, so that a new message does not look like news.
pub fn set(conditions: &mut Vec<Condition>, statement: &Statement<'_>, observed_generation: i64, now: Timestamp) {
    let status = statement.status.as_str();
    let since = get(conditions, statement.kind)
        .filter(|condition| condition.status == status)
        .map_or(Time(now), |condition| condition.last_transition_time.clone());
    remove(conditions, statement.kind);
    conditions.push(Condition {
        type_: statement.kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: statement.reason.to_owned(),
        message: cut(statement.message),
        observed_generation: Some(observed_generation),
        last_transition_time: since,
    });
    conditions.sort_by_key(|condition| rank(&condition.type_));
}

/// Says nothing about `kind` any more.
pub fn remove(conditions: &mut Vec<Condition>, kind: ConditionType) {
    conditions.retain(|condition| condition.type_ != kind.as_str());
}

/// What is said about `kind`.
#[must_use]
pub fn get(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == kind.as_str())
}

/// Place in the list; a type that others wrote stays behind ours, where it was.
fn rank(type_: &str) -> usize {
    ConditionType::ALL.iter().position(|kind| kind.as_str() == type_).unwrap_or(ConditionType::ALL.len())
}

fn cut(message: &str) -> String {
    if message.len() <= MESSAGE_LIMIT {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(MESSAGE_LIMIT - CUT.len());
    message.get(..end).unwrap_or_default().to_owned() + CUT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn say(kind: ConditionType, status: Status, message: &str) -> Statement<'_> {
        Statement { kind, status, reason: "Because", message }
    }

    #[test]
    fn a_transition_time_moves_only_with_the_status() {
        let mut list = Vec::new();
        set(&mut list, &say(ConditionType::Ready, Status::False, "a"), 1, at(10));
        set(&mut list, &say(ConditionType::Ready, Status::False, "b"), 2, at(20));
        let ready = get(&list, ConditionType::Ready).unwrap();
        assert_eq!(ready.last_transition_time, Time(at(10)));
        assert_eq!((ready.message.as_str(), ready.observed_generation), ("b", Some(2)));

        set(&mut list, &say(ConditionType::Ready, Status::True, "b"), 2, at(30));
        let ready = get(&list, ConditionType::Ready).unwrap();
        assert_eq!(ready.last_transition_time, Time(at(30)));
        assert_eq!(list.len(), 1);
    }

    #[test]
    fn the_order_is_the_enums_whatever_was_said_first() {
        let mut list = vec![Condition {
            type_: "Elsewhere".to_owned(),
            status: "True".to_owned(),
            reason: "Theirs".to_owned(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(at(0)),
        }];
        for kind in ConditionType::ALL.iter().rev() {
            set(&mut list, &say(*kind, Status::Unknown, ""), 1, at(0));
        }
        let seen: Vec<&str> = list.iter().map(|condition| condition.type_.as_str()).collect();
        let mut wanted: Vec<&str> = ConditionType::ALL.iter().map(|kind| kind.as_str()).collect();
        wanted.push("Elsewhere");
        assert_eq!(seen, wanted);

        remove(&mut list, ConditionType::Stalled);
        assert!(get(&list, ConditionType::Stalled).is_none());
        assert_eq!(list.len(), wanted.len() - 1);
    }

    #[test]
    fn stages_stand_in_the_order_of_the_enum() {
        assert!(CONNECTOR_ENDPOINT_STAGES.is_sorted());
        assert!(KEYSTORE_CONNECTION_STAGES.is_sorted());
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let mut list = Vec::new();
        let long = format!("{}{}", "a", "é".repeat(600));
        set(&mut list, &say(ConditionType::Ready, Status::False, &long), 1, at(0));
        let message = &get(&list, ConditionType::Ready).unwrap().message;
        assert_eq!(message.len(), MESSAGE_LIMIT);
        assert!(message.ends_with("é…"));

        let exact = "b".repeat(MESSAGE_LIMIT);
        set(&mut list, &say(ConditionType::Ready, Status::False, &exact), 1, at(0));
        assert_eq!(get(&list, ConditionType::Ready).unwrap().message, exact);
    }
}
