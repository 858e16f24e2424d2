//! The API reference as Markdown, from the CRDs.
//!
//! In: one CRD. Out: one page: a row a field with type, limits and meaning, then the rules between fields. Never: a sentence
//! that is not in the types.

use std::fmt::Write as _;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// The page of one kind.
pub(crate) fn page(crd: &CustomResourceDefinition) -> String {
    let crd = serde_json::to_value(crd).unwrap();
    let (spec, version) = (&crd["spec"], &crd["spec"]["versions"][0]);
    let names = &spec["names"];
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut page = format!(
        "# {}\n\n<!-- Generated from src/api/v1alpha1: UPDATE_GENERATED=1 cargo test --test generated -->\n\n{}\n\n\
         `apiVersion: {}/{}`, namespaced; `kubectl get {}` or `{}`.\n",
        text(&names["kind"]),
        text(&schema["description"]),
        text(&spec["group"]),
        text(&version["name"]),
        text(&names["plural"]),
        text(&names["shortNames"][0]),
    );
    for (part, title) in [("spec", "Spec: what you ask for"), ("status", "Status: what the operator saw")] {
        let schema = &schema["properties"][part];
        let (mut rows, mut rules) = (String::new(), String::new());
        fields(schema, part, &mut rows);
        between(schema, part, &mut rules);
        write!(page, "\n## {title}\n\n| Field | Type | Required | Limits | Meaning |\n|---|---|---|---|---|\n{rows}")
            .unwrap();
        if !rules.is_empty() {
            write!(page, "\n### Rules between fields\n\n| At | Rule |\n|---|---|\n{rules}").unwrap();
        }
    }
    page.push_str("\n## Name\n\n");
    for rule in rules_of(schema) {
        writeln!(page, "* {}", rule.words).unwrap();
    }
    page
}

fn fields(schema: &Value, path: &str, rows: &mut String) {
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let must = if required(name) { "yes" } else { "" };
        writeln!(
            rows,
            "| `{}` | {} | {must} | {} | {} |",
            path.split_once('.').unwrap().1,
            type_of(field),
            cell(&limits(field)),
            cell(text(&field["description"])),
        )
        .unwrap();
        // A condition is Kubernetes' own type; docs/reasons says what ours mean.
        if name != "conditions" {
            fields(field, &path, rows);
            fields(&field["items"], &format!("{path}[]"), rows);
        }
    }
}

fn type_of(field: &Value) -> String {
    let plain = text(&field["type"]);
    match (plain, text(&field["format"])) {
        ("array", _) => format!("list of {}", type_of(&field["items"])),
        ("object", _) if field["additionalProperties"].is_object() => {
            format!("map of {}", type_of(&field["additionalProperties"]))
        }
        ("string", "date-time") => "time".to_owned(),
        _ => plain.to_owned(),
    }
}

/// Everything that bounds one field, in words.
fn limits(field: &Value) -> String {
    let mut said = Vec::new();
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<String> = values.iter().map(|value| format!("`{}`", text(value))).collect();
        said.push(values.join(", "));
    }
    let number = |name: &str| field[name].as_f64();
    for (low, high, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " items"),
        ("minProperties", "maxProperties", " entries"),
    ] {
        match (number(low), number(high)) {
            (_, Some(high)) if text(&field["format"]) == "date-time" || high >= f64::from(i32::MAX) => {}
            (Some(low), Some(high)) if low < high => said.push(format!("{low} to {high}{unit}")),
            (_, Some(high)) if number(low) == Some(high) => said.push(format!("{high}{unit}")),
            (_, Some(high)) => said.push(format!("at most {high}{unit}")),
            (Some(_) | None, None) => {}
        }
    }
    let of_text = ["string", "integer"].contains(&text(&field["type"]));
    for part in [field, &field["items"], &field["additionalProperties"]] {
        if of_text || !std::ptr::eq(part, field) {
            said.extend(rules_of(part).into_iter().map(|rule| rule.words));
        }
    }
    said.dedup();
    said.join("; ")
}

/// The rules of objects, which speak of several fields at once.
fn between(schema: &Value, path: &str, rows: &mut String) {
    if schema["type"] == "object" {
        for rule in rules_of(schema) {
            let at = format!("{path}{}", rule.at);
            writeln!(rows, "| `{at}` | {} |", cell(&rule.words)).unwrap();
        }
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        between(field, &format!("{path}.{name}"), rows);
    }
}

struct Rule {
    at: String,
    words: String,
}

fn rules_of(schema: &Value) -> Vec<Rule> {
    let rules = schema["x-kubernetes-validations"].as_array();
    rules
        .into_iter()
        .flatten()
        .map(|rule| Rule { at: text(&rule["fieldPath"]).to_owned(), words: text(&rule["message"]).to_owned() })
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Fit for one cell of a table; what stands between back-ticks is left as it is.
fn cell(words: &str) -> String {
    let words = words.replace('\n', " ").replace('|', "\\|");
    let parts = words.split('`').enumerate().map(|(index, part)| {
        if index % 2 == 0 { part.replace('<', "&lt;").replace('_', "\\_") } else { part.to_owned() }
    });
    parts.collect::<Vec<_>>().join("`")
}
