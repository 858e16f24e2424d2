//! Strict bodies: every member known, every type right, nothing missing.
//!
//! In: a body and its shape. Out: the body, or 400 that names the member. Never: looks at values beyond their type.

use serde_json::Value;

use super::error;
use crate::wire::{Answer, Call};

/// What a JSON value must look like. `null` counts as absent.
#[derive(Debug)]
pub(crate) enum Shape {
    /// Anything; a read-only member that clients send back.
    Any,
    /// A string.
    Text,
    /// One of these words, without case.
    Word(&'static [&'static str]),
    /// A boolean.
    Flag,
    /// A number.
    Number,
    /// An object of strings.
    Tags,
    /// A list of one shape.
    List(&'static Shape),
    /// An object with these members.
    Object(&'static [Member]),
}

/// A member: name, whether it must be there, shape.
#[derive(Debug)]
pub(crate) struct Member(pub(crate) &'static str, pub(crate) bool, pub(crate) Shape);

/// Short for "must be there".
pub(crate) const MUST: bool = true;
/// Short for "may be there".
pub(crate) const MAY: bool = false;

/// The request's body, if it has this shape.
pub(crate) fn body(call: &Call, shape: &Shape) -> Result<Value, Answer> {
    if !call.header("content-type").unwrap_or_default().starts_with("application/json") {
        return Err(error::plain(
            415,
            "UnsupportedMediaType",
            "The content media type is not supported. Only 'application/json' is supported.",
        ));
    }
    let value = call.json()?;
    value_fits(&value, shape, "")?;
    Ok(value)
}

fn value_fits(value: &Value, shape: &Shape, path: &str) -> Result<(), Answer> {
    let wrong = |want: &str| Err(error::field(path, &format!("a value of type {want} is expected")));
    match (shape, value) {
        (Shape::Any, _)
        | (Shape::Text, Value::String(_))
        | (Shape::Flag, Value::Bool(_))
        | (Shape::Number, Value::Number(_)) => Ok(()),
        (Shape::Word(words), Value::String(word)) => {
            if words.iter().any(|known| known.eq_ignore_ascii_case(word)) {
                return Ok(());
            }
            Err(error::field(path, &format!("'{word}' is none of {}", words.join(", "))))
        }
        (Shape::Tags, Value::Object(members)) => match members.iter().find(|(_, tag)| !tag.is_string()) {
            None => Ok(()),
            Some((name, _)) => Err(error::field(&below(path, name), "a value of type string is expected")),
        },
        (Shape::List(item), Value::Array(items)) => {
            items.iter().enumerate().try_for_each(|(at, value)| value_fits(value, item, &format!("{path}[{at}]")))
        }
        (Shape::Object(known), Value::Object(members)) => {
            if let Some(stranger) = members.keys().find(|name| !known.iter().any(|member| member.0 == name.as_str())) {
                return Err(error::field(
                    &below(path, stranger),
                    &format!("Could not find member '{stranger}' on the object"),
                ));
            }
            known.iter().try_for_each(|Member(name, must, shape)| match members.get(*name) {
                None | Some(Value::Null) if *must => {
                    Err(error::field(&below(path, name), &format!("Required property '{name}' not found in JSON")))
                }
                None | Some(Value::Null) => Ok(()),
                Some(value) => value_fits(value, shape, &below(path, name)),
            })
        }
        (Shape::Text | Shape::Word(_), _) => wrong("string"),
        (Shape::Flag, _) => wrong("boolean"),
        (Shape::Number, _) => wrong("number"),
        (Shape::List(_), _) => wrong("array"),
        (Shape::Tags | Shape::Object(_), _) => wrong("object"),
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A member's text; empty if absent.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A member's list; empty if absent.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Tags of a body; `None` if the body has none.
pub(crate) fn tags(value: &Value) -> Option<std::collections::BTreeMap<String, String>> {
    let members = value.get("tags")?.as_object()?;
    Some(members.iter().map(|(name, tag)| (name.clone(), tag.as_str().unwrap_or_default().to_owned())).collect())
}

/// A tag set that Azure takes.
pub(crate) fn tags_fit(value: &Value) -> Result<(), Answer> {
    let Some(tags) = tags(value) else {
        return Ok(());
    };
    if tags.len() > 50 {
        return Err(error::parameter("tags", "A resource has at most 50 tags."));
    }
    let bad = tags.iter().find(|(name, tag)| {
        name.is_empty() || name.len() > 512 || tag.len() > 256 || name.contains(['<', '>', '%', '&', '\\', '?', '/'])
    });
    match bad {
        None => Ok(()),
        Some((name, _)) => Err(error::plain(
            400,
            "InvalidTagNameCharacters",
            format!(
                "The tag name '{name}' is invalid: 1 to 512 characters, none of <>%&\\?/, and a value of at most 256."
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SHAPE: Shape = Shape::Object(&[
        Member("location", MUST, Shape::Text),
        Member("properties", MAY, Shape::Object(&[Member("ids", MAY, Shape::List(&Shape::Text))])),
    ]);

    fn refusal(value: &Value) -> String {
        text(&value_fits(value, &SHAPE, "").unwrap_err().value(), "/error/target").to_owned()
    }

    #[test]
    fn the_wrong_member_is_named() {
        assert_eq!(refusal(&json!({})), "location");
        assert_eq!(refusal(&json!({"location": 1})), "location");
        assert_eq!(refusal(&json!({"location": "x", "color": 1})), "color");
        assert_eq!(refusal(&json!({"location": "x", "properties": {"ids": ["a", 1]}})), "properties.ids[1]");
    }

    #[test]
    fn null_is_absent() {
        assert!(value_fits(&json!({"location": "x", "properties": null}), &SHAPE, "").is_ok());
    }
}
