//! The schema and its rules, without a cluster: what is refused, in which words, and that nothing is unbounded.
//!
//! `tests/integration/refusals.rs` runs the same table on a real API server, whose words this one imitates.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test is what they are for")]

mod refusals;

use std::{collections::BTreeSet, sync::LazyLock};

use kube::core::cel::{CompiledSchema, ErrorKind, Validator, compile_schema};
use refusals::{Expected, Row, table};
use serde_json::Value;
use uko_operator::api::v1alpha1::crds;

const KINDS: [&str; 2] = ["ConnectorEndpoint", "AzureKeystoreConnection"];

/// The schema of one kind, as the API server gets it.
fn schema_of(kind: &str) -> Value {
    let crd = crds().into_iter().find(|crd| crd.spec.names.kind == kind).unwrap();
    let version = crd.spec.versions.into_iter().next().unwrap();
    serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

/// One complaint, as `field: words`.
struct Complaint {
    line: String,
    /// The API server evaluates no rule while one of these stands.
    blocking: bool,
    /// The rule that did not hold, if it was one.
    rule: Option<String>,
}

/// Every row with everything that the API server would say of it, worked out once for all tests.
static JUDGED: LazyLock<Vec<(Row, Vec<Complaint>)>> = LazyLock::new(|| {
    let kinds = KINDS.map(|kind| {
        let schema = schema_of(kind);
        let rules = compile_schema(&schema);
        (kind, schema, rules)
    });
    table()
        .into_iter()
        .map(|row| {
            let (_, schema, rules) = kinds.iter().find(|(kind, ..)| *kind == row.kind()).unwrap();
            let found = complaints(schema, rules, &row);
            (row, found)
        })
        .collect()
});

fn complaints(schema: &Value, rules: &CompiledSchema, row: &Row) -> Vec<Complaint> {
    let (mut new, mut old) = (row.new.clone(), row.old.clone());
    drop_nulls(&mut new);
    if let Some(old) = old.as_mut() {
        drop_nulls(old);
    }
    let mut found = Vec::new();
    shape(schema, &new, "", &mut found);
    if found.iter().any(|complaint| complaint.blocking) {
        return found;
    }
    let Err(errors) = Validator::new().validate_compiled(rules, &new, old.as_ref()) else {
        return found;
    };
    for error in &errors {
        assert_eq!(error.kind, ErrorKind::ValidationFailure, "{}: {error}", row.case);
        found.push(Complaint { line: error.to_string(), blocking: false, rule: Some(error.rule.clone()) });
    }
    found
}

/// Nothing is nullable, so the API server drops `null` members before it looks.
fn drop_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(drop_nulls);
    }
}

/// Types, limits and enums, in the API server's words. Patterns are not looked at: each has a rule of the same text.
fn shape(schema: &Value, value: &Value, path: &str, found: &mut Vec<Complaint>) {
    let mut say = |words: String, blocking| {
        found.push(Complaint { line: format!("{path}: {words}"), blocking, rule: None });
    };
    let limit = |name: &str| schema[name].as_f64();
    let type_ = schema["type"].as_str().unwrap();
    let fits = match type_ {
        "string" => value.is_string(),
        "integer" => value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{path}: no test for type {other}"),
    };
    if !fits {
        return say(format!("must be of type {type_}"), true);
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        let allowed: Vec<String> = allowed.iter().map(Value::to_string).collect();
        say(format!("supported values: {}", allowed.join(", ")), true);
    }
    if let Some(number) = value.as_f64() {
        if let Some(minimum) = limit("minimum").filter(|minimum| number < *minimum) {
            say(format!("should be greater than or equal to {minimum}"), false);
        }
        if let Some(maximum) = limit("maximum").filter(|maximum| number > *maximum) {
            say(format!("should be less than or equal to {maximum}"), false);
        }
    }
    let size = |value: &Value| {
        let size = match value {
            Value::String(text) => text.chars().count(),
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        };
        u64::try_from(size).unwrap()
    };
    let over = |name: &str| schema[name].as_u64().filter(|limit| size(value) > *limit);
    if let Some(limit) = over("maxLength") {
        say(format!("Too long: may not be more than {limit}"), true);
    }
    if let Some(limit) = over("maxProperties").or_else(|| over("maxItems")) {
        say(format!("Too many: must have at most {limit} items"), true);
    }
    if let Some(limit) = schema["minItems"].as_u64().filter(|limit| size(value) < *limit) {
        say(format!("should have at least {limit} items"), false);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        if value.get(name).is_none() {
            found.push(Complaint {
                line: format!("{path}.{name}: Required value").trim_start_matches('.').to_owned(),
                blocking: true,
                rule: None,
            });
        }
    }
    inside(schema, value, path, found);
}

/// The same for what a list or an object holds.
fn inside(schema: &Value, value: &Value, path: &str, found: &mut Vec<Complaint>) {
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}[{index}]");
        if schema["x-kubernetes-list-type"] == "set" && value.as_array().unwrap()[..index].contains(item) {
            found.push(Complaint { line: format!("{path}: Duplicate value"), blocking: true, rule: None });
        }
        shape(&schema["items"], item, &path, found);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}").trim_start_matches('.').to_owned();
        let known = schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        match known {
            Some(schema) => shape(schema, member, &path, found),
            // The root's metadata and the like are not ours.
            None => assert!(!path.starts_with("spec"), "{path} is not in the schema"),
        }
    }
}

#[test]
fn every_refusal_names_field_and_cure() {
    let mut wrong = Vec::new();
    for (row, found) in JUDGED.iter() {
        let lines: Vec<&str> = found.iter().map(|complaint| complaint.line.as_str()).collect();
        let right = match &row.expected {
            Expected::Accepted => lines.is_empty(),
            Expected::Refused { field, says } => lines.iter().any(|line| line.contains(field) && line.contains(says)),
        };
        if !right {
            wrong.push(format!("{} {}: {:?}\n  got {lines:#?}", row.kind(), row.case, row.expected));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Calls `visit` with path and schema of everything below `schema`, itself included.
fn walk(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    if schema["items"].is_object() {
        walk(&schema["items"], &format!("{path}[]"), visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&schema["additionalProperties"], &format!("{path}{{}}"), visit);
    }
}

#[test]
fn every_rule_is_broken_by_a_case() {
    let broken: BTreeSet<String> =
        JUDGED.iter().flat_map(|(_, found)| found).filter_map(|complaint| complaint.rule.clone()).collect();
    let mut untested = BTreeSet::new();
    for kind in KINDS {
        walk(&schema_of(kind), "", &mut |path, schema| {
            for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
                let text = rule["rule"].as_str().unwrap();
                if !broken.contains(text) {
                    untested.insert(format!("{kind}{path}: {text}"));
                }
            }
        });
    }
    assert!(untested.is_empty(), "no case breaks these: {untested:#?}");
}

#[test]
fn nothing_is_unbounded() {
    let mut wrong = Vec::new();
    for kind in KINDS {
        let schema = schema_of(kind);
        for part in ["spec", "status"] {
            walk(&schema["properties"][part], part, &mut |path, schema| {
                let is = |name: &str| !schema[name].is_null();
                let bounded = match schema["type"].as_str().unwrap_or_default() {
                    "string" => is("enum") || is("maxLength") && (is("pattern") || path.starts_with("status")),
                    "integer" => is("minimum") && (is("maximum") || path.ends_with("observedGeneration")),
                    "array" => is("maxItems") && (is("x-kubernetes-list-type") || path.ends_with("operations")),
                    "object" => is("properties") || is("maxProperties") && is("additionalProperties"),
                    "boolean" => true,
                    _ => false,
                };
                if !bounded || is("nullable") || (is("default") && path.starts_with("spec")) {
                    wrong.push(format!("{kind} {path}: {schema}"));
                }
            });
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_pattern_of_the_spec_has_a_rule_that_says_it_in_words() {
    for kind in KINDS {
        walk(&schema_of(kind)["properties"]["spec"], "spec", &mut |path, schema| {
            let Some(pattern) = schema["pattern"].as_str() else {
                return;
            };
            let rule = format!("self.matches(r\"{pattern}\")");
            let told = schema["x-kubernetes-validations"]
                .as_array()
                .is_some_and(|rules| rules.iter().any(|told| told["rule"] == rule.as_str()));
            assert!(told, "{kind} {path}: {pattern}");
        });
    }
}
