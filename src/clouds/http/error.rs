//! The one error of this border.
//!
//! In: what a cloud or the network said. Out: a class, a stable reason, our own advice and typed, allow-listed facts.
//! Never: a response body, a URL with a query, or a secret.

use std::{borrow::Cow, error::Error as StdError, fmt, ops::Deref, sync::Arc, time::Duration};

/// Which outside service was asked. Its name is the label of metrics, spans and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Entra's token endpoint.
    Entra,
    /// Azure Resource Manager.
    Arm,
    /// The data plane of Azure Key Vault.
    KeyVault,
    /// The instance metadata service of an Azure machine.
    Imds,
    /// IBM Cloud IAM.
    Iam,
    /// IBM Cloud Kubernetes Service, which lists Satellite connectors.
    Containers,
    /// Satellite Link, which holds the endpoints of a connector.
    Link,
    /// The broker that knows the addresses of a hosted UKO instance.
    Broker,
    /// Unified Key Orchestrator.
    Uko,
}

impl Service {
    /// The short name used in labels, logs and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Entra => "entra",
            Self::Arm => "arm",
            Self::KeyVault => "kv",
            Self::Imds => "imds",
            Self::Iam => "iam",
            Self::Containers => "containers",
            Self::Link => "link",
            Self::Broker => "broker",
            Self::Uko => "uko",
        }
    }

    /// The reason when the service answered 5xx or not at all.
    #[must_use]
    pub const fn unavailable(self) -> &'static str {
        match self {
            Self::Entra => "EntraUnavailable",
            Self::Arm | Self::KeyVault => "AzureUnavailable",
            Self::Imds => "MetadataServiceUnavailable",
            Self::Iam => "IamUnavailable",
            Self::Containers => "ConnectorLookupUnavailable",
            Self::Link => "LinkUnavailable",
            Self::Broker => "BrokerUnavailable",
            Self::Uko => "UkoUnavailable",
        }
    }

    /// The reason when the service asks us to slow down.
    #[must_use]
    pub const fn throttled(self) -> &'static str {
        match self {
            Self::Entra => "EntraUnavailable",
            Self::Arm => "AzureThrottled",
            Self::KeyVault => "VaultThrottled",
            Self::Imds => "MetadataServiceThrottled",
            Self::Iam => "IamThrottled",
            Self::Containers => "ConnectorLookupThrottled",
            Self::Link => "LinkThrottled",
            Self::Broker => "BrokerThrottled",
            Self::Uko => "UkoThrottled",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of fault it is. The class alone decides the condition and the next look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may work in a moment; nobody has to do anything.
    Transient,
    /// The service asks for patience.
    Throttled,
    /// Somebody else is changing the same thing.
    Conflict,
    /// The thing is still being made, or a change has not spread yet.
    Provisioning,
    /// Something that is not ours to make is not there.
    NotFound,
    /// Only a person outside the cluster can help: a role, a lock, an approval, a quota.
    AwaitingPerson,
    /// The credential was refused; a new Secret or spec is needed.
    Denied,
    /// What was asked can never work as written.
    Invalid,
}

impl Class {
    /// The word used in spans.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Conflict => "conflict",
            Self::Provisioning => "provisioning",
            Self::NotFound => "not_found",
            Self::AwaitingPerson => "awaiting_person",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
        }
    }
}

/// The id a cloud gave to one call. Always printable and short, so it is safe in status and logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// Accepts `^[A-Za-z0-9._:-]{1,128}$`; anything else is dropped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        allowed(text, 128, "._:-").map(Self)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Keeps `text` only if it is made of ASCII letters, digits and `extra`, and no longer than `longest`.
pub(in crate::clouds) fn allowed(text: &str, longest: usize, extra: &str) -> Option<String> {
    let fits = !text.is_empty() && text.len() <= longest;
    let clean = text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
    (fits && clean).then(|| text.to_owned())
}

/// A cause that may be shared by clones of one error.
pub type Source = Arc<dyn StdError + Send + Sync + 'static>;

/// What an [`Error`] knows. Read through the error itself (`error.class`).
#[derive(Clone, Debug)]
pub struct Facts {
    /// Who was asked.
    pub service: Service,
    /// What was tried, for example `GetVault`.
    pub operation: &'static str,
    /// What kind of fault it is.
    pub class: Class,
    /// Stable CamelCase word, for example `ClientSecretInvalid`.
    pub reason: &'static str,
    /// One sentence in our own words: what to do.
    pub advice: Cow<'static, str>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The cloud's own code, if it is a plain word.
    pub code: Option<String>,
    /// The cloud's id of the call.
    pub request_id: Option<RequestId>,
    /// How long the cloud asked us to wait.
    pub retry_after: Option<Duration>,
    /// The field that the cloud refused, if it named one.
    pub field: Option<String>,
    /// A mutation may have been carried out although no good answer came.
    pub outcome_unknown: bool,
    source: Option<Source>,
}

/// What went wrong with one call to a cloud. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Error(Arc<Facts>);

impl Error {
    /// Starts an error from the facts that every error has.
    #[must_use]
    pub fn new(
        service: Service,
        operation: &'static str,
        class: Class,
        reason: &'static str,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Arc::new(Facts {
            service,
            operation,
            class,
            reason,
            advice: advice.into(),
            status: None,
            code: None,
            request_id: None,
            retry_after: None,
            field: None,
            outcome_unknown: false,
            source: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        self.with(|facts| facts.status = Some(status))
    }

    /// Adds the cloud's own code; dropped unless it matches `^[A-Za-z0-9_.:-]{1,64}$`.
    #[must_use]
    pub fn with_code(self, code: &str) -> Self {
        self.with(|facts| facts.code = allowed(code, 64, "_.:-"))
    }

    /// Adds the id of the call.
    #[must_use]
    pub fn with_request_id(self, id: Option<RequestId>) -> Self {
        self.with(|facts| facts.request_id = id)
    }

    /// Adds the wait the cloud asked for.
    #[must_use]
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        self.with(|facts| facts.retry_after = wait)
    }

    /// Adds the refused field; dropped unless it matches `^[a-z_.\[\]0-9]{1,64}$`.
    #[must_use]
    pub fn with_field(self, field: &str) -> Self {
        let lower = !field.chars().any(|c| c.is_ascii_uppercase());
        let field = allowed(field, 64, "_.[]").filter(|_| lower);
        self.with(|facts| facts.field = field)
    }

    /// Says whether a mutation may have happened all the same.
    #[must_use]
    pub fn with_outcome_unknown(self, unknown: bool) -> Self {
        self.with(|facts| facts.outcome_unknown = unknown)
    }

    /// Adds the cause for the log. It must hold no secret and no URL with a query.
    #[must_use]
    pub fn with_source(self, source: Source) -> Self {
        self.with(|facts| facts.source = Some(source))
    }

    /// Gives the same facts another class, reason and advice: what a status means depends on who asks.
    #[must_use]
    pub fn reread(self, class: Class, reason: &'static str, advice: impl Into<Cow<'static, str>>) -> Self {
        let advice = advice.into();
        self.with(|facts| {
            facts.class = class;
            facts.reason = reason;
            facts.advice = advice;
        })
    }

    /// True when the same call may succeed later without anybody's help.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.class {
            Class::Transient | Class::Throttled | Class::Conflict | Class::Provisioning => true,
            Class::NotFound | Class::AwaitingPerson | Class::Denied | Class::Invalid => false,
        }
    }
}

impl Deref for Error {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} failed: {}", self.service, self.operation, self.reason)?;
        let mut extras = Vec::new();
        if let Some(status) = self.status {
            extras.push(format!("status {status}"));
        }
        if let Some(code) = &self.code {
            extras.push(format!("code {code}"));
        }
        if let Some(id) = &self.request_id {
            extras.push(format!("request id {id}"));
        }
        if extras.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", extras.join(", "))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Error {
        Error::new(Service::Arm, "GetVault", Class::AwaitingPerson, "AzurePermissionDenied", "Grant it.")
    }

    #[test]
    fn display_says_what_we_tried_and_never_the_advice_or_a_body() {
        let error =
            refused().with_status(403).with_code("AuthorizationFailed").with_request_id(RequestId::parse("0a-1"));
        assert_eq!(
            error.to_string(),
            "arm GetVault failed: AzurePermissionDenied (status 403, code AuthorizationFailed, request id 0a-1)"
        );
    }

    #[test]
    fn texts_outside_the_allow_lists_are_dropped() {
        assert_eq!(refused().with_code("The client 'x' is not allowed").code, None);
        assert_eq!(refused().with_code(&"x".repeat(65)).code, None);
        assert_eq!(refused().with_field("tls_proxy").field.as_deref(), Some("tls_proxy"));
        assert_eq!(refused().with_field("keys[0].name").field.as_deref(), Some("keys[0].name"));
        assert_eq!(refused().with_field("Password=hunter2").field, None);
        assert_eq!(RequestId::parse("a b"), None);
        assert_eq!(RequestId::parse(""), None);
    }

    #[test]
    fn a_clone_keeps_its_facts_when_the_other_is_reread() {
        let first = refused();
        let second = first.clone().reread(Class::NotFound, "VaultNotFound", "Correct the name.");
        assert_eq!((first.class, first.reason), (Class::AwaitingPerson, "AzurePermissionDenied"));
        assert_eq!((second.class, second.reason), (Class::NotFound, "VaultNotFound"));
    }
}
