//! What all of UKO's lists share: known parameters, filters, sorting, pages.
//!
//! In: the call and every item as JSON. Out: one page with its neighbours' hrefs. Never: knows what an item is.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::error::Refusal;
use crate::wire::Call;

/// A query parameter as the list of its comma-separated values.
pub(super) fn values<'a>(call: &'a Call, name: &str) -> Option<Vec<&'a str>> {
    call.query(name).map(|text| text.split(',').collect())
}

/// Refuses parameters that the operation does not know.
pub(super) fn only(call: &Call, known: &[&str]) -> Result<(), Refusal> {
    match call.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(Refusal::parameter(name, format!("The parameter {name} is not known."))),
        None => Ok(()),
    }
}

/// Does a text hold another, whatever the case?
pub(super) fn holds(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}

/// One page of `items` under `member`.
pub(super) fn page(call: &Call, mut items: Vec<Value>, member: &str, absolute: bool) -> Result<Value, Refusal> {
    let limit = number(call, "limit", 20).filter(|limit| (1..=1000).contains(limit));
    let limit =
        limit.ok_or_else(|| Refusal::parameter("limit", "The parameter limit must be a number from 1 to 1000."))?;
    let offset = number(call, "offset", 0);
    let offset = offset.ok_or_else(|| Refusal::parameter("offset", "The parameter offset must be a number from 0."))?;
    sort(call, &mut items)?;
    let total = items.len();
    let href = |offset: usize| json!({"href": link(call, limit, offset, absolute)});
    let mut page = Map::new();
    page.insert("total_count".into(), json!(total));
    page.insert("limit".into(), json!(limit));
    page.insert("offset".into(), json!(offset));
    page.insert("first".into(), href(0));
    page.insert("last".into(), href(total.saturating_sub(1) / limit * limit));
    if offset > 0 {
        page.insert("previous".into(), href(offset.saturating_sub(limit)));
    }
    if offset.saturating_add(limit) < total {
        page.insert("next".into(), href(offset + limit));
    }
    let shown: Vec<Value> = items.into_iter().skip(offset).take(limit).collect();
    page.insert(member.into(), Value::Array(shown));
    Ok(Value::Object(page))
}

fn number(call: &Call, name: &str, default: usize) -> Option<usize> {
    call.query(name).map_or(Some(default), |text| text.parse().ok())
}

/// The list's own path and filters, with another offset.
fn link(call: &Call, limit: usize, offset: usize, absolute: bool) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string()).append_pair("offset", &offset.to_string());
    for (name, value) in call.query.iter().filter(|(name, _)| name != "limit" && name != "offset") {
        query.append_pair(name, value);
    }
    let relative = format!("{}?{}", call.path, query.finish());
    match (absolute, call.port) {
        (false, _) => relative,
        (true, 443) => format!("https://{}{relative}", call.host),
        (true, port) => format!("https://{}:{port}{relative}", call.host),
    }
}

/// Sorts by `sort`, by default the newest change first; equal items stay in the order of their ids.
fn sort(call: &Call, items: &mut [Value]) -> Result<(), Refusal> {
    let fields = values(call, "sort").unwrap_or_else(|| vec!["-updated_at"]);
    let fits = |field: &&str| {
        let name = field.strip_prefix('-').unwrap_or(field);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.[]-".contains(c))
    };
    if let Some(wrong) = fields.iter().find(|field| !fits(field)) {
        return Err(Refusal::parameter("sort", format!("The list cannot be sorted by {wrong}.")));
    }
    items.sort_by(|one, other| {
        let order = fields.iter().map(|field| match field.strip_prefix('-') {
            Some(name) => compare(other, one, name),
            None => compare(one, other, field),
        });
        order.fold(Ordering::Equal, Ordering::then).then_with(|| compare(one, other, "id"))
    });
    Ok(())
}

fn compare(one: &Value, other: &Value, field: &str) -> Ordering {
    let pointer = format!("/{}", field.replace('.', "/"));
    match (one.pointer(&pointer), other.pointer(&pointer)) {
        (Some(Value::String(one)), Some(Value::String(other))) => one.cmp(other),
        (Some(one), Some(other)) => one.as_i64().cmp(&other.as_i64()),
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
    }
}
