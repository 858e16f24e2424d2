//! What went wrong, in words that may be shown.
//!
//! In: a cloud's error, a Kubernetes error, a judgement of our own. Out: a [`Fault`]. Never: a response body, a secret, `{:?}`.

use std::time::Duration;

use super::leadership::NotLeader;
use crate::clouds::http::{Class, Error};

/// The reason for a value that this version knows but does not act on.
const NOT_YET_SUPPORTED: &str = "NotYetSupported";

/// Something that keeps a stage from being met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Decides conditions and the next look.
    pub class: Class,
    /// Stable CamelCase reason of the condition.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
    /// What was tried at a cloud, if anything.
    pub call: Option<Box<FailedCall>>,
    /// When the cloud asked to come back.
    pub retry_after: Option<Duration>,
    /// A write may have been carried out although we have no answer.
    pub outcome_unknown: bool,
}

/// The facts a support case needs, as `status.lastFailure` keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedCall {
    /// Service and operation, such as `arm/GetVault`.
    pub operation: String,
    /// The cloud's own code.
    pub code: Option<String>,
    /// The cloud's request id.
    pub request_id: Option<String>,
    /// The field the cloud named.
    pub field: Option<String>,
}

impl Fault {
    /// A judgement of our own.
    pub(crate) fn new(class: Class, reason: &'static str, message: impl Into<String>) -> Self {
        Self { class, reason, message: message.into(), call: None, retry_after: None, outcome_unknown: false }
    }

    /// The spec, a Secret or the policy file must change.
    pub(crate) fn invalid(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Class::Invalid, reason, message)
    }

    /// A person must act outside.
    pub(crate) fn awaiting_person(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(Class::AwaitingPerson, reason, message)
    }

    /// A value that this version knows but does not act on.
    pub(crate) fn not_yet_supported(field: &str, cure: &str) -> Self {
        Self::invalid(NOT_YET_SUPPORTED, format!("{field} is not supported by this version of the operator. {cure}"))
    }

    /// Whether it is such a value.
    pub(crate) fn is_not_yet_supported(&self) -> bool {
        self.reason == NOT_YET_SUPPORTED
    }

    /// The same fault with another reason and message, for a stage that knows better what it means.
    pub(crate) fn worded(self, reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), ..self }
    }

    /// Whether time alone may mend it.
    pub(crate) fn is_passing(&self) -> bool {
        match self.class {
            Class::Transient | Class::Throttled | Class::Conflict => true,
            Class::Provisioning | Class::NotFound | Class::AwaitingPerson | Class::Denied | Class::Invalid => false,
        }
    }

    /// The field that the cloud refused, if it named one.
    pub(crate) fn refused_field(&self) -> Option<&str> {
        self.call.as_ref().and_then(|call| call.field.as_deref())
    }
}

impl From<Error> for Fault {
    /// The message ends with what was tried and the cloud's own code, which are the same on every pass.
    fn from(error: Error) -> Self {
        let operation = format!("{}/{}", error.service.as_str(), error.operation);
        let code = error.code.as_ref().map(|code| format!(": {code}")).unwrap_or_default();
        Self {
            class: error.class,
            reason: error.reason,
            message: format!("{} ({operation}{code})", error.advice),
            call: Some(Box::new(FailedCall {
                operation,
                code: error.code.clone(),
                request_id: error.request_id.as_ref().map(ToString::to_string),
                field: error.field.clone(),
            })),
            retry_after: error.retry_after,
            outcome_unknown: error.outcome_unknown,
        }
    }
}

impl From<NotLeader> for Fault {
    /// The process is about to end; the next leader goes on.
    fn from(_: NotLeader) -> Self {
        Self::new(Class::Transient, "NotLeader", "This process may not write any more; the next leader goes on.")
    }
}

impl From<kube::Error> for Fault {
    /// kube's own text may hold the whole answer, Secrets included, so neither log nor status gets it.
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            tracing::warn!("a call to the API server got no usable answer");
            return Self::new(
                Class::Transient,
                "KubernetesUnavailable",
                "The API server did not answer; this is retried.",
            );
        };
        tracing::warn!(code = status.code, reason = status.reason, "the API server refused a call");
        if status.code == 403 {
            return Self::awaiting_person(
                "KubernetesForbidden",
                "The API server refused the operator. Grant its ServiceAccount the rights that docs/guides/permissions.md lists.",
            );
        }
        Self::new(Class::Transient, "KubernetesRefused", "The API server refused a call; this is retried.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clouds::http::{RequestId, Service};

    #[test]
    fn a_refusal_says_what_to_do_what_was_tried_and_the_clouds_own_code_but_no_id_that_changes() {
        let error =
            || Error::new(Service::Arm, "PutPrivateEndpoint", Class::AwaitingPerson, "Locked", "Remove the lock.");
        assert_eq!(Fault::from(error()).message, "Remove the lock. (arm/PutPrivateEndpoint)");
        let coded = error().with_code("ScopeLocked").with_request_id(RequestId::parse("0a-1"));
        let fault = Fault::from(coded);
        assert_eq!(fault.message, "Remove the lock. (arm/PutPrivateEndpoint: ScopeLocked)");
        assert_eq!(fault.call.and_then(|call| call.request_id).as_deref(), Some("0a-1"));
    }
}
