//! Reads `tests/scenarios/` and compares what a story came to with what stands there.
//!
//! In: `resource.yaml`, `world.yaml`. Out: `plan.txt`, `status.yaml`; `UPDATE_SCENARIOS=1` writes them anew. Never: knows a controller.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;
use serde_json::{Value, json};

use super::pace::PaceSettings;

/// One folder.
pub(crate) struct Scenario {
    folder: PathBuf,
    /// The manifest.
    pub resource: Value,
    /// `about`, `minutes`, `world`, `then`.
    pub world: Value,
}

/// The scenarios of one kind, in order.
pub(crate) fn of_kind(kind: &str) -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut folders: Vec<PathBuf> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let read = |path: PathBuf| -> Value {
        serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    };
    let all = folders.into_iter().map(|folder| Scenario {
        resource: read(folder.join("resource.yaml")),
        world: read(folder.join("world.yaml")),
        folder,
    });
    let found: Vec<Scenario> = all.filter(|scenario| scenario.resource["kind"] == kind).collect();
    assert!(!found.is_empty(), "no scenario of kind {kind}");
    found
}

impl Scenario {
    /// How its world differs from the one that everything starts from.
    pub(crate) fn changes(&self) -> Value {
        if self.world["world"].is_object() { self.world["world"].clone() } else { json!({}) }
    }

    /// How long the story runs.
    pub(crate) fn seconds(&self) -> i64 {
        self.world["minutes"].as_i64().unwrap_or(5) * 60
    }

    /// What happens outside meanwhile, with its second.
    pub(crate) fn events(&self) -> Vec<(i64, Value)> {
        let then = self.world["then"].as_array().cloned().unwrap_or_default();
        then.into_iter().map(|event| (event["after"].as_i64().unwrap(), event)).collect()
    }

    /// Compares, or writes anew; answers what differs.
    pub(crate) fn compare<S: Serialize>(&self, story: &Story, status: &S) -> Vec<String> {
        let about = self.world["about"].as_str().unwrap_or_default();
        let plan = format!("{about}\n\n{}", story.text);
        let mut status = serde_json::to_value(status).unwrap();
        redact(&mut status);
        let status = serde_yaml::to_string(&status).unwrap() + "\n";
        let files = [("plan.txt", plan), ("status.yaml", status)];
        let mut different = Vec::new();
        for (name, is) in files {
            let path = self.folder.join(name);
            if std::env::var_os("UPDATE_SCENARIOS").is_some() {
                fs::write(&path, &is).unwrap();
            } else if fs::read_to_string(&path).unwrap_or_default() != is {
                different.push(format!("{}:\n{is}", path.display()));
            }
        }
        different
    }
}

/// Fingerprints stand for inputs that may be written otherwise tomorrow.
fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if ["inputs", "settledInputs", "fingerprint", "inputsFingerprint"].contains(&name.as_str()) {
                    *value = json!("(fingerprint)");
                } else {
                    redact(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// RFC 7396.
pub(crate) fn patched(mut base: Value, patch: Value) -> Value {
    let Value::Object(changes) = patch else { return patch };
    if !base.is_object() {
        base = json!({});
    }
    for (name, change) in changes {
        let members = base.as_object_mut().unwrap();
        if change.is_null() {
            members.remove(&name);
        } else {
            let before = members.remove(&name).unwrap_or(Value::Null);
            members.insert(name, patched(before, change));
        }
    }
    base
}

/// The pace of production.
pub(crate) fn pace() -> PaceSettings {
    PaceSettings {
        backoff_initial: Duration::from_secs(2),
        backoff_max: Duration::from_mins(2),
        ready_grace: Duration::from_mins(5),
        progress_deadline: Duration::from_mins(30),
        poll_interval: Duration::from_secs(10),
        min_interval: Duration::from_mins(1),
        full_look_interval: Duration::from_mins(30),
    }
}

/// What happened, pass by pass, as far as it is news.
#[derive(Default)]
pub(crate) struct Story {
    text: String,
    conditions: Vec<Condition>,
}

impl Story {
    /// Something that others did.
    pub(crate) fn outside(&mut self, second: i64, event: &Value) {
        let what = event["outside"].as_str().unwrap_or("something changes outside");
        let _ = writeln!(self.text, "{:>3}:{:02}  [{what}]", second / 60, second % 60);
    }

    /// One pass: what was done, and which conditions say something new.
    pub(crate) fn pass(&mut self, second: i64, did: Option<String>, idle: bool, conditions: &[Condition]) {
        let news: Vec<&Condition> = conditions
            .iter()
            .filter(|new| {
                let old = self.conditions.iter().find(|old| old.type_ == new.type_);
                old.is_none_or(|old| (&old.status, &old.reason) != (&new.status, &new.reason))
            })
            .collect();
        let gone: Vec<&Condition> =
            self.conditions.iter().filter(|old| !conditions.iter().any(|new| new.type_ == old.type_)).collect();
        if (did.is_none() || idle) && news.is_empty() && gone.is_empty() {
            return;
        }
        let did = did.unwrap_or_else(|| "look".to_owned());
        let _ = writeln!(self.text, "{:>3}:{:02}  {did}", second / 60, second % 60);
        for condition in news {
            let _ =
                writeln!(self.text, "          {:<24} {:<8} {}", condition.type_, condition.status, condition.reason);
        }
        for condition in gone {
            let _ = writeln!(self.text, "          {:<24} gone", condition.type_);
        }
        self.conditions = conditions.to_vec();
    }
}
