//! Faults on demand: which request meets which fault.
//!
//! In: rules as `POST /faults` takes them. Out: at most one fault per request, first live rule first.
//! Never: carries a fault out; that is `exchange`.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::azure::state::Failure;
use crate::wire::{Call, percent_decoded};

/// A rule: which requests (all given members must fit), how often, and what happens to them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rule {
    /// Its id; given by the box.
    #[serde(skip_deserializing)]
    pub id: u64,
    /// Service word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Regular expression, searched in path and query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How many requests meet it; -1 = all.
    pub count: Count,
    /// Fitting requests that pass before it starts.
    pub skip: u64,
    /// What happens.
    #[serde(flatten)]
    pub effect: EffectFields,
}

/// How often a rule strikes; the wire's -1 is for ever.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Count(pub i64);

impl Default for Count {
    fn default() -> Self {
        Self(1)
    }
}

/// What a fault does. At least one member must be given.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EffectFields {
    /// Answered in place of the service's own status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// With `status`: a string as it is, anything else as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// With `status`: further headers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, String>>,
    /// With `status`: the `Retry-After` header, number or text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Value>,
    /// With `status`: the request is carried out nevertheless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<bool>,
    /// Milliseconds before anything happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// `true`: cut, nothing done; `"after"`: done, answer lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drop: Option<Value>,
    /// The answer is lost now; the request is carried out only after so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_after_ms: Option<u64>,
    /// With `drop` or `commit_after_ms`: the connection is not cut; the client waits for an answer that never comes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<bool>,
    /// ARM accepts, the operation fails later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_fail: Option<Failure>,
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before anything is done.
    Before,
    /// After it is done.
    After,
}

impl EffectFields {
    /// When the connection is cut, if it is.
    #[must_use]
    pub fn cut(&self) -> Option<Cut> {
        match &self.drop {
            Some(Value::Bool(true)) => Some(Cut::Before),
            Some(Value::String(word)) if word == "after" => Some(Cut::After),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Live {
    rule: Rule,
    path: Option<Regex>,
}

/// All rules, in the order they were set.
#[derive(Debug, Default)]
pub struct Faults {
    live: Vec<Live>,
    last_id: u64,
}

impl Faults {
    /// Adds a rule and returns its id.
    ///
    /// # Errors
    /// Says what is wrong with the rule.
    pub fn add(&mut self, value: Value) -> Result<u64, String> {
        let known = [
            "service",
            "method",
            "path",
            "host",
            "count",
            "skip",
            "status",
            "body",
            "headers",
            "retry_after",
            "apply",
            "latency_ms",
            "drop",
            "commit_after_ms",
            "hold",
            "async_fail",
        ];
        let members = value.as_object().ok_or("a fault is a JSON object")?;
        if let Some(stranger) = members.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("unknown member `{stranger}`; known are {}", known.join(", ")));
        }
        let mut rule: Rule = serde_json::from_value(value).map_err(|error| error.to_string())?;
        check(&rule)?;
        let path = rule.path.as_deref().map(Regex::new).transpose().map_err(|error| format!("path: {error}"))?;
        self.last_id = self.last_id.saturating_add(1);
        rule.id = self.last_id;
        self.live.push(Live { rule, path });
        Ok(self.last_id)
    }

    /// The fault this request meets, if any; counts it.
    pub fn take(&mut self, call: &Call) -> Option<Rule> {
        let target = call.path_and_query();
        self.live.iter_mut().find_map(|live| live.strike(call, &target))
    }

    /// The rules as they stand; spent ones have `count` 0.
    #[must_use]
    pub fn list(&self) -> Vec<&Rule> {
        self.live.iter().map(|live| &live.rule).collect()
    }

    /// Removes all rules; says how many there were. Ids go on.
    pub fn clear(&mut self) -> usize {
        let count = self.live.len();
        self.live.clear();
        count
    }
}

fn check(rule: &Rule) -> Result<(), String> {
    let effect = &rule.effect;
    if effect.drop.is_some() && effect.cut().is_none() {
        return Err("drop is true or \"after\"".into());
    }
    if effect.status.is_some_and(|status| !(200..=599).contains(&status)) {
        return Err("status lies between 200 and 599".into());
    }
    if effect.hold.is_some() && effect.drop.is_none() && effect.commit_after_ms.is_none() {
        return Err("hold goes with drop or commit_after_ms".into());
    }
    let alone =
        [effect.status.is_some(), effect.drop.is_some(), effect.commit_after_ms.is_some(), effect.async_fail.is_some()];
    match alone.iter().filter(|given| **given).count() {
        0 if effect.latency_ms.is_none() => {
            Err("one of status, latency_ms, drop, commit_after_ms, async_fail must be given".into())
        }
        0 | 1 => Ok(()),
        _ => Err("only one of status, drop, commit_after_ms, async_fail may be given".into()),
    }
}

impl Live {
    fn strike(&mut self, call: &Call, target: &str) -> Option<Rule> {
        let rule = &mut self.rule;
        let fits = rule.service.as_deref().is_none_or(|service| service == call.service.as_str())
            && rule.method.as_deref().is_none_or(|method| call.method.as_str().eq_ignore_ascii_case(method))
            && rule.host.as_deref().is_none_or(|host| host.eq_ignore_ascii_case(&call.host))
            && self.path.as_ref().is_none_or(|path| path.is_match(target) || path.is_match(&percent_decoded(target)));
        if !fits || rule.count.0 == 0 {
            return None;
        }
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        if rule.count.0 > 0 {
            rule.count.0 -= 1;
        }
        Some(rule.clone())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method};
    use serde_json::json;

    use super::*;
    use crate::wire::Service;

    fn call(method: Method, path: &str) -> Call {
        Call {
            service: Service::Arm,
            host: "management.azure.com".into(),
            port: 443,
            method,
            path: path.into(),
            query: vec![("api-version".into(), "2024-03-01".into())],
            headers: HeaderMap::new(),
            body: Vec::new(),
        }
    }

    #[test]
    fn a_rule_skips_strikes_and_is_spent() {
        let mut faults = Faults::default();
        let id = faults.add(json!({"service": "arm", "method": "put", "path": "vaults/kv1\\?api", "skip": 1, "count": 2, "status": 500})).unwrap();
        let put = call(Method::PUT, "/a/vaults/kv1");
        assert!(faults.take(&call(Method::GET, "/a/vaults/kv1")).is_none());
        assert!(faults.take(&put).is_none());
        assert_eq!(faults.take(&put).unwrap().id, id);
        assert!(faults.take(&put).is_some());
        assert!(faults.take(&put).is_none());
    }

    #[test]
    fn the_first_live_rule_wins() {
        let mut faults = Faults::default();
        let first = faults.add(json!({"status": 429, "retry_after": 7})).unwrap();
        let second = faults.add(json!({"count": -1, "latency_ms": 5})).unwrap();
        let get = call(Method::GET, "/");
        let struck: Vec<u64> = (0..3).map(|_| faults.take(&get).unwrap().id).collect();
        assert_eq!(struck, [first, second, second]);
    }

    #[test]
    fn a_rule_that_makes_no_sense_is_refused_with_the_reason() {
        let mut faults = Faults::default();
        assert!(faults.add(json!({"statsu": 500})).unwrap_err().contains("statsu"));
        assert!(faults.add(json!({"service": "arm"})).unwrap_err().contains("must be given"));
        assert!(faults.add(json!({"status": 500, "drop": true})).unwrap_err().contains("only one"));
        assert!(faults.add(json!({"drop": "before"})).unwrap_err().contains("after"));
        assert!(faults.add(json!({"status": 500, "hold": true})).unwrap_err().contains("goes with drop"));
        assert!(faults.add(json!({"path": "(", "status": 500})).unwrap_err().contains("path"));
    }
}
