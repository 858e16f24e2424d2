//! A refusal that carries its own cure.
//!
//! In: the question that was answered with no. Out: one sentence, and the YAML that would allow exactly this. Never: more
//! than was asked for.

use std::fmt;

use super::{Target, Verb};

/// Why the policy says no. `Display` is the sentence, [`Refusal::lines`] the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("namespace {namespace} {denied}")]
pub struct Refusal {
    namespace: String,
    denied: Denied,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Denied {
    Instance(String),
    Server(String),
    Identity { scope: String, verb: Verb },
}

impl Refusal {
    pub(super) fn target(namespace: &str, target: Target<'_>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            denied: match target {
                Target::Instance(id) => Denied::Instance(id.to_owned()),
                Target::Server(url) => Denied::Server(url.to_owned()),
            },
        }
    }

    pub(super) fn identity(namespace: &str, scope: &str, verb: Verb) -> Self {
        Self { namespace: namespace.to_owned(), denied: Denied::Identity { scope: scope.to_owned(), verb } }
    }

    /// The lines to add under `rules:` in the policy file, indented for it.
    #[must_use]
    pub fn lines(&self) -> String {
        let namespace = quoted(&self.namespace);
        let grant = match &self.denied {
            Denied::Instance(id) => format!("ukoInstances: [{}]", quoted(id)),
            Denied::Server(url) => format!("ukoServers: [{}]", quoted(url)),
            Denied::Identity { scope, verb } => {
                format!("operatorIdentity: {{scopes: [{}], verbs: [{verb}]}}", quoted(scope))
            }
        };
        format!("- namespaces: [{namespace}]\n  {grant}\n")
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "may not aim at UKO instance {id}"),
            Self::Server(url) => write!(f, "may not aim at the UKO server {url}"),
            Self::Identity { scope, verb } => {
                write!(f, "may not use the operator's Azure identity for {verb} on {scope}")
            }
        }
    }
}

/// Always quoted: a namespace may be called `on` or `123`. JSON strings are YAML strings.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
