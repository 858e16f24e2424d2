//! The reasons that both controllers share: Kubernetes, Secrets, order, ownership.
//!
//! In: nothing. Out: the sentence that `docs/reasons/` opens each of them with. Never: advice for one case; that is the condition's message.

/// Each reason with what it means; `tests/reasons.rs` holds it against the literals of the source.
pub const REASONS: &[(&str, &str)] = &[
    ("Abandoned", "A person let a deleted object go with the annotation abandon; the event names what stays outside."),
    (
        "ClaimConflict",
        "Something of the wanted name is already there and is marked as another owner's, or nobody marked it.",
    ),
    ("CorrectionFailed", "Managed fields were set back, and somebody changed them again."),
    ("CredentialsExpireWithin14Days", "A Secret says that it ends within 14 days."),
    ("CredentialsExpireWithin30Days", "A Secret says that it ends within 30 days."),
    ("CredentialsExpireWithin3Days", "A Secret says that it ends within 3 days."),
    ("CredentialsExpired", "A Secret says that it has ended."),
    (
        "CreationOutcomeInProgress",
        "An earlier request may still take effect, so the clouds are asked again before a new one is sent.",
    ),
    ("Deleted", "Something that a deleted object had made was removed outside."),
    ("DeletionInProgress", "The object is being deleted, and what it made is being removed."),
    ("DriftReported", "Managed fields differ outside, and driftPolicy is Report, so they stay."),
    ("ExpiresAtInvalid", "A Secret's annotation uko-operator.io/expires-at is no date; nothing else follows from it."),
    ("KubernetesForbidden", "The API server refused the operator."),
    ("KubernetesRefused", "The API server refused a call; this is retried."),
    ("KubernetesUnavailable", "The API server did not answer; this is retried."),
    ("LeftBehind", "Something outside was left as it is when its object went; the event says why."),
    ("NotLeader", "This process may not write any more; the next leader goes on."),
    ("NotLooked", "Nobody has looked at this yet."),
    (
        "ObjectUnreadable",
        "A deleted object that says Delete cannot be read by this version of the operator, so nothing is removed.",
    ),
    (
        "OtherChangeInProgress",
        "Another object is changing the same Key Vault, subnet or connector; one change at a time.",
    ),
    ("Planned", "Mode is Plan: this stage has something to do, and status.plan says what."),
    ("SecretForbidden", "The operator may not read a Secret that the spec names."),
    ("SecretKeyEmpty", "The key in the Secret is empty."),
    ("SecretKeyInvalid", "The value in the Secret is not text (UTF-8)."),
    ("SecretKeyMissing", "The Secret has no key of that name."),
    ("SecretNotFound", "The Secret that the spec names is not in the object's namespace."),
    ("SpecInvalid", "The spec contradicts itself in a way that the CRD should have refused."),
    (
        "WaitingForEarlierStage",
        "This stage is looked at or worked on once an earlier one is met; the message names it.",
    ),
];
