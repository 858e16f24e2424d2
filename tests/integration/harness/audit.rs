//! Who asked the API server for what, and which rule of a Role allowed it.
//!
//! In: an audit log, the Roles of a release. Out: calls that were refused, rights that nobody used. Never: a call of somebody else.

use std::collections::BTreeSet;

use serde_json::Value;

use super::story::text;

/// One call of one ServiceAccount, in the words of RBAC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Call {
    verb: String,
    group: String,
    /// `resource` or `resource/subresource`.
    resource: String,
    namespace: String,
    name: String,
}

/// One verb on one resource that a rule grants, as far as it reaches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Right {
    role: String,
    verb: String,
    group: String,
    resource: String,
    /// Of a Role; a `ClusterRole` reaches everywhere.
    namespace: Option<String>,
    /// Empty: any.
    names: Vec<String>,
}

impl Right {
    fn allows(&self, call: &Call) -> bool {
        self.verb == call.verb
            && self.group == call.group
            && self.resource == call.resource
            && self.namespace.as_ref().is_none_or(|namespace| *namespace == call.namespace)
            && (self.names.is_empty() || self.names.contains(&call.name))
    }
}

/// The calls of `user`: those that were allowed, and those that RBAC refused.
pub(crate) fn calls(log: &str, user: &str) -> (BTreeSet<Call>, BTreeSet<Call>) {
    let (mut allowed, mut refused) = (BTreeSet::new(), BTreeSet::new());
    // The server may be in the middle of its last line.
    for event in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(about) = event.get("objectRef").filter(|_| text(&event, "/user/username") == user) else {
            continue;
        };
        let resource = match text(about, "/subresource") {
            "" => text(about, "/resource").to_owned(),
            part => format!("{}/{part}", text(about, "/resource")),
        };
        if resource.is_empty() {
            continue; // what is served, which every user may ask
        }
        let call = Call {
            verb: text(&event, "/verb").to_owned(),
            group: text(about, "/apiGroup").to_owned(),
            resource,
            namespace: text(about, "/namespace").to_owned(),
            name: text(about, "/name").to_owned(),
        };
        match text(&event, "/annotations/authorization.k8s.io~1decision") {
            "allow" => allowed.insert(call),
            _ => refused.insert(call),
        };
    }
    (allowed, refused)
}

/// Every right of these Roles and `ClusterRoles`, one verb on one resource each.
pub(crate) fn rights<'a>(roles: impl IntoIterator<Item = &'a Value>) -> Vec<Right> {
    let words = |rule: &Value, member: &str| -> Vec<String> {
        rule.get(member).cloned().map(|words| serde_json::from_value(words).unwrap()).unwrap_or_default()
    };
    let mut found = Vec::new();
    for role in roles {
        let namespace = role.pointer("/metadata/namespace").and_then(Value::as_str).map(str::to_owned);
        for rule in role["rules"].as_array().unwrap() {
            for group in words(rule, "apiGroups") {
                for resource in words(rule, "resources") {
                    found.extend(words(rule, "verbs").into_iter().map(|verb| Right {
                        role: format!("{} {}", text(role, "/kind"), text(role, "/metadata/name")),
                        verb,
                        group: group.clone(),
                        resource: resource.clone(),
                        namespace: namespace.clone(),
                        names: words(rule, "resourceNames"),
                    }));
                }
            }
        }
    }
    found
}

/// Rights that none of these calls needed.
pub(crate) fn unused(rights: &[Right], calls: &BTreeSet<Call>) -> Vec<Right> {
    rights.iter().filter(|right| !calls.iter().any(|call| right.allows(call))).cloned().collect()
}

/// Calls that none of these rights allows: something else granted them.
pub(crate) fn unexplained(rights: &[Right], calls: &BTreeSet<Call>) -> Vec<Call> {
    calls.iter().filter(|call| !rights.iter().any(|right| right.allows(call))).cloned().collect()
}

/// Whether a refused call is the look for news of one Secret, without which news come at the next look.
pub(crate) fn watches_one_secret(call: &Call) -> bool {
    call.resource == "secrets" && !call.name.is_empty() && ["list", "watch"].contains(&call.verb.as_str())
}
