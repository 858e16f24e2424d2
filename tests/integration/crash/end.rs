//! What a flow left behind, in a form in which two runs can be compared.
//!
//! In: the clouds before and after. Out: every place that differs, without what differs from run to run. Never: judges.

use std::collections::BTreeSet;

use serde_json::Value;

/// Shorter names are no ids.
const ID: usize = 8;
/// Members that count or tell the time.
const RESTLESS: [&str; 8] =
    ["counters", "nextClientPort", "operations", "etag", "clientPort", "lastHeartbeat", "revision", "pollsLeft"];

/// Every place of `after` that is not as in `before`, with its value; names and ids that are new are hidden. Sorted; two
/// things of the same kind are two lines.
pub(super) fn changes(before: &Value, after: &Value, hidden: &[&str]) -> Vec<String> {
    let mut new: BTreeSet<String> = hidden.iter().map(|word| (*word).to_owned()).collect();
    new_names(before, after, &mut new);
    new.extend(new_ids(&before.to_string(), &after.to_string()));
    let mut names: Vec<String> = new.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut places = Vec::new();
    compare("", before, after, &names, &mut places);
    places.sort();
    places
}

/// Names of members that were not there before: ids that a cloud made.
fn new_names(before: &Value, after: &Value, names: &mut BTreeSet<String>) {
    let Some(after) = after.as_object() else { return };
    for (name, value) in after {
        let old = before.get(name).unwrap_or(&Value::Null);
        if old.is_null() && name.len() >= ID && name.chars().any(|letter| letter.is_ascii_digit()) {
            names.insert(name.clone());
        }
        new_names(old, value, names);
    }
}

/// UUIDs, with or without hyphens, that were not there before.
fn new_ids(before: &str, after: &str) -> BTreeSet<String> {
    let words = after.split(|letter: char| !(letter.is_ascii_hexdigit() || letter == '-'));
    let is_id = |word: &&str| word.chars().filter(char::is_ascii_hexdigit).count() == 32;
    words.filter(is_id).filter(|word| !before.contains(word)).map(str::to_owned).collect()
}

fn compare(place: &str, before: &Value, after: &Value, names: &[String], places: &mut Vec<String>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Value::Object(_) | Value::Null, Value::Object(members)) => {
            for (name, value) in members.iter().filter(|(name, _)| !RESTLESS.contains(&name.as_str())) {
                compare(&format!("{place}/{name}"), before.get(name).unwrap_or(&Value::Null), value, names, places);
            }
            for name in before.as_object().into_iter().flatten().map(|(name, _)| name) {
                if !members.contains_key(name) {
                    places.push(format!("{} is gone", hide(&format!("{place}/{name}"), names)));
                }
            }
        }
        (_, after) => {
            let value = hide(&after.to_string(), names);
            let value = if is_time(after) { "some time".to_owned() } else { value };
            places.push(format!("{} = {value}", hide(place, names)));
        }
    }
}

fn is_time(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| number > 1_000_000_000)
}

fn hide(text: &str, names: &[String]) -> String {
    names.iter().fold(text.to_owned(), |text, name| text.replace(name.as_str(), "*"))
}

#[test]
fn two_runs_that_made_the_same_leave_the_same() {
    let before = serde_json::json!({ "things": { "theirs": { "size": 1 } } });
    let run = |id: &str, size: i32| {
        let mut after = before.clone();
        after["things"][id] =
            serde_json::json!({ "size": size, "name": format!("of {id}"), "at": 1_800_000_000 + size });
        changes(&before, &after, &[])
    };
    assert_eq!(run("id-000001", 2), run("id-000002", 2));
    assert_ne!(run("id-000001", 2), run("id-000002", 3));
    assert_eq!(changes(&before, &before, &[]), Vec::<String>::new());
    let mut twice = before.clone();
    for id in ["id-000001", "id-000002"] {
        twice["things"][id] = serde_json::json!({ "size": 2, "name": format!("of {id}"), "at": 1_800_000_002 });
    }
    assert_ne!(run("id-000001", 2), changes(&before, &twice, &[]));
    let gone = serde_json::json!({ "things": {} });
    assert_eq!(changes(&before, &gone, &[]), ["/things/theirs is gone"]);
}
