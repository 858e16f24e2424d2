//! Lenient looks into a JSON answer.
//!
//! In: a value and a path (`/properties/sku/name`). Out: what is there, or nothing. Never: fails on a member that is
//! missing, null, unknown or of another type.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ArmId;

pub(super) fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path).and_then(Value::as_str).filter(|text| !text.is_empty())
}

pub(super) fn owned(value: &Value, path: &str) -> Option<String> {
    text(value, path).map(str::to_owned)
}

pub(super) fn flag(value: &Value, path: &str) -> Option<bool> {
    value.pointer(path).and_then(Value::as_bool)
}

/// A number, or its decimal text.
pub(super) fn number(value: &Value, path: &str) -> Option<i64> {
    let found = value.pointer(path)?;
    found.as_i64().or_else(|| found.as_str()?.trim().parse().ok())
}

pub(super) fn id(value: &Value, path: &str) -> Option<ArmId> {
    text(value, path).and_then(ArmId::parse)
}

pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    value.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(super) fn texts(value: &Value, path: &str) -> Vec<String> {
    list(value, path).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

pub(super) fn ids(value: &Value, path: &str, inner: &str) -> Vec<ArmId> {
    list(value, path).iter().filter_map(|item| id(item, inner)).collect()
}

pub(super) fn map(value: &Value, path: &str) -> BTreeMap<String, String> {
    let members = value.pointer(path).and_then(Value::as_object);
    let pairs = members.into_iter().flatten();
    pairs.filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned()))).collect()
}
