//! The reasons that come from the network itself, whichever cloud was asked.
//!
//! In: nothing. Out: the sentence that `docs/reasons/` opens each of them with. Never: advice for one case; that is the condition's message.

/// Each reason with what it means; `tests/reasons.rs` holds it against the literals of the source.
pub const REASONS: &[(&str, &str)] = &[
    ("AnswerTooLarge", "A service sent more than any real answer holds; nothing of it was used."),
    ("AnswerUnreadable", "A service's answer was torn, or not what its documentation says."),
    ("AzureThrottled", "Resource Manager asks for patience; the call is made again when it says so."),
    ("AzureUnavailable", "Resource Manager or Key Vault gave a server error or no answer; it is asked again."),
    ("BrokerThrottled", "The broker of Hyper Protect Crypto Services asks for patience; the call is made again later."),
    (
        "BrokerUnavailable",
        "The broker of Hyper Protect Crypto Services gave a server error, no answer, or a proxy answered in its place; it is asked again.",
    ),
    ("CaBundleInvalid", "The CA bundle of a self-managed UKO is not PEM or holds no certificate."),
    ("CertificateNotTrusted", "A server's certificate is not signed by a CA that the operator trusts."),
    ("ClientCertificateInvalid", "The client certificate or its key for a self-managed UKO cannot be used."),
    ("ConnectorLookupThrottled", "IBM Cloud's list of connectors asks for patience; the call is made again later."),
    (
        "ConnectorLookupUnavailable",
        "IBM Cloud's list of connectors gave a server error or no answer; it is asked again.",
    ),
    ("EntraUnavailable", "Microsoft Entra is busy or gave no answer; it is asked again."),
    ("ExtraCaUnreadable", "The file of --extra-ca-file cannot be read."),
    ("IamThrottled", "IBM Cloud IAM asks for patience; the call is made again later."),
    (
        "IamUnavailable",
        "IBM Cloud IAM gave a server error, no answer, or a proxy answered in its place; it is asked again.",
    ),
    ("LinkThrottled", "Satellite Link asks for patience; the call is made again later."),
    ("LinkUnavailable", "Satellite Link gave a server error or no answer; it is asked again."),
    ("MetadataServiceThrottled", "The metadata service of the node asks for patience; the call is made again later."),
    ("MetadataServiceUnavailable", "The metadata service of the node gave no answer; it is asked again."),
    ("ProxyInvalid", "The URL of the proxy in the operator's environment cannot be used."),
    ("TlsSetupFailed", "The TLS client could not be set up."),
    ("UkoThrottled", "UKO asks for patience; the call is made again later."),
    ("UkoUnavailable", "UKO gave a server error, no answer, or a proxy answered in its place; it is asked again."),
    (
        "VaultNameUnresolvable",
        "The Key Vault's host name does not resolve: the vault is deleted, or lies in another cloud.",
    ),
    ("VaultThrottled", "Key Vault asks for patience; the call is made again later."),
];
