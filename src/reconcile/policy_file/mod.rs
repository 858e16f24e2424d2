//! The operator's policy: who may aim at what. Default deny.
//!
//! In: the file of `--policy`. Out: answers, and for a refusal the lines that would allow it. Never: a target that no rule
//! names; half a file.
//!
//! Why it exists: whoever may write manifests but not read Secrets must not be able to send a password to a UKO of their
//! own, nor use the operator's rights on another team's vault.

mod refusal;
mod rule;
mod watch;

pub use refusal::Refusal;
pub use rule::{Target, Verb};
pub use watch::{PolicyState, PolicyWatch};

use rule::{Document, InstanceId, Rule, Scope, ServerOrigin};

/// The rules in force. The default refuses everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    rules: Vec<Rule>,
}

/// A policy file that cannot be used; says the line and what is allowed there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPolicy(String);

impl Policy {
    /// Reads the whole file or nothing of it. A file of comments only refuses everything.
    ///
    /// # Errors
    /// The first fault, with its line.
    pub fn parse(text: &str) -> Result<Self, InvalidPolicy> {
        let says_nothing =
            text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#') || line == "---");
        if says_nothing {
            return Ok(Self::default());
        }
        serde_yaml::from_str::<Document>(text)
            .map(|document| Self { rules: document.rules })
            .map_err(|fault| InvalidPolicy(fault.to_string()))
    }

    /// Whether the namespace may aim at a UKO instance of HPCS.
    ///
    /// # Errors
    /// The refusal, with the lines to add.
    pub fn allows_instance(&self, namespace: &str, id: &str) -> Result<(), Refusal> {
        self.allows(namespace, Target::Instance(id))
    }

    /// Whether the namespace may aim at a self-managed UKO. Spelling does not matter: case, default port, last slash.
    ///
    /// # Errors
    /// The refusal, with the lines to add.
    pub fn allows_server(&self, namespace: &str, url: &str) -> Result<(), Refusal> {
        self.allows(namespace, Target::Server(url))
    }

    fn allows(&self, namespace: &str, target: Target<'_>) -> Result<(), Refusal> {
        match self.naming(namespace, target).next() {
            Some(_) => Ok(()),
            None => Err(Refusal::target(namespace, target)),
        }
    }

    /// Whether the namespace may let the operator's own Azure identity do `verb` on the ARM id `scope`.
    ///
    /// # Errors
    /// The refusal, with the lines to add.
    pub fn operator_identity(&self, namespace: &str, scope: &str, verb: Verb) -> Result<(), Refusal> {
        let wanted = Scope::parse(scope).ok();
        let granted =
            self.covering(namespace).any(|rule| wanted.as_ref().is_some_and(|scope| rule.grants_identity(scope, verb)));
        if granted { Ok(()) } else { Err(Refusal::identity(namespace, scope, verb)) }
    }

    /// How many keystores the namespace may make there before a person has to approve the cost; `None` is no limit.
    ///
    /// Of several rules that name the target the largest limit counts, so that a rule for one namespace can raise what a
    /// rule for all sets. A rule without a limit does not lift another rule's.
    #[must_use]
    pub fn max_keystores(&self, namespace: &str, target: Target<'_>) -> Option<u32> {
        self.naming(namespace, target).filter_map(|rule| rule.max_keystores).max()
    }

    fn covering<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| rule.covers(namespace))
    }

    fn naming<'a>(&'a self, namespace: &'a str, target: Target<'_>) -> impl Iterator<Item = &'a Rule> {
        let (instance, server) = match target {
            Target::Instance(id) => (InstanceId::parse(id).ok(), None),
            Target::Server(url) => (None, ServerOrigin::parse(url).ok()),
        };
        self.covering(namespace).filter(move |rule| {
            instance.as_ref().is_some_and(|id| rule.uko_instances.contains(id))
                || server.as_ref().is_some_and(|url| rule.uko_servers.contains(url))
        })
    }
}

#[cfg(test)]
mod tests;
