//! The reasons that a `ConnectorEndpoint` coins; some serve connections too.
//!
//! In: nothing. Out: the sentence that `docs/reasons/` opens each of them with. Never: advice for one case; that is the condition's message.

/// Each reason with what it means; `tests/reasons.rs` holds it against the literals of the source.
pub const REASONS: &[(&str, &str)] = &[
    ("AccessControlApplied", "Only the allowed sources may use the endpoint."),
    ("AccessControlInProgress", "The access rule of the endpoint is being made, changed or bound."),
    (
        "AccessControlShared",
        "The allowed sources may use the endpoint, and so may those of other access rules, which are not ours and stay.",
    ),
    ("AccessRuleGone", "The access rule is gone or not bound, and driftPolicy is Report, so it is only told."),
    ("AccessRuleInProgress", "The access rule is being created before the endpoint."),
    ("AddressInProgress", "IBM Cloud has not given the endpoint an address yet."),
    ("AdoptionInProgress", "Something that nobody owns is being taken over: the owner's mark is put on it."),
    ("ConnectorAmbiguous", "Several Satellite Connectors have this name in this region."),
    (
        "ConnectorAvailable",
        "The connector is usable; the message counts its endpoints and says when no agent is connected.",
    ),
    ("ConnectorDeleting", "The connector is being deleted."),
    (
        "ConnectorEndpointInUse",
        "A connection names the endpoint, or a keystore still goes through it, so it is not removed.",
    ),
    ("ConnectorFailed", "IBM Cloud says that the creation of the connector failed."),
    ("ConnectorInProgress", "IBM Cloud is still creating the connector."),
    ("DestinationInUse", "A new destination would cut off the connections that use this endpoint."),
    ("EndpointGone", "The endpoint is gone, and driftPolicy is Report, so it is not made again."),
    ("EndpointInProgress", "The endpoint, or the access rule that comes before it, is being created."),
    ("EndpointProvisioned", "The endpoint exists as asked for and has an address."),
    ("EndpointReady", "IBM Cloud reaches the destination's host and port through the endpoint."),
    ("SignedIn", "The clouds accept the credentials."),
    ("UpdateInProgress", "The endpoint differs from the spec and is being changed."),
];
