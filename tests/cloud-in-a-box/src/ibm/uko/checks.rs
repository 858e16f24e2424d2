//! How UKO reads a request body: known members, right types, lengths, patterns.
//!
//! In: JSON. Out: typed values, or a 400 that names the member. Never: looks at the world.

use serde_json::{Map, Value};

use super::error::Refusal;
use crate::wire::Call;

/// The members of the body, none of them unknown.
pub(super) fn members(call: &Call, known: &[&str]) -> Result<Map<String, Value>, Refusal> {
    let media = call.header("content-type").unwrap_or_default().to_lowercase();
    if !(media.starts_with("application/json")
        || (media.starts_with("application/vnd.ibm.uko.") && media.contains("+json")))
    {
        return Err(Refusal::new(415, "unsupported_media_type", "The body must be application/json.")
            .at("header", "Content-Type"));
    }
    let body = serde_json::from_slice(&call.body)
        .map_err(|_| Refusal::new(400, "invalid_json", "The body is not valid JSON."))?;
    object(body, known, "")
}

/// The members of an object within the body.
pub(super) fn object(value: Value, known: &[&str], within: &str) -> Result<Map<String, Value>, Refusal> {
    let Value::Object(members) = value else {
        return Err(Refusal::field("invalid_field", within, "An object is expected."));
    };
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let full = if within.is_empty() { name.clone() } else { format!("{within}.{name}") };
            Err(Refusal::field("unknown_field", &full, format!("The field {full} is not known.")))
        }
        None => Ok(members),
    }
}

/// What a text member may be.
#[derive(Clone, Copy)]
pub(super) struct Text {
    /// Its name.
    pub(super) name: &'static str,
    /// Least length.
    pub(super) least: usize,
    /// Greatest length.
    pub(super) most: usize,
    /// Does it fit the pattern?
    pub(super) fits: fn(&str) -> bool,
}

impl Text {
    /// The member, if it is there.
    pub(super) fn read(&self, members: &Map<String, Value>) -> Result<Option<String>, Refusal> {
        let name = self.name;
        match members.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => {
                let length = text.chars().count();
                if length < self.least || length > self.most {
                    let (least, most) = (self.least, self.most);
                    let words = format!("The field {name} must have {least} to {most} characters.");
                    return Err(Refusal::field("invalid_length", name, words));
                }
                if (self.fits)(text) {
                    Ok(Some(text.clone()))
                } else {
                    Err(Refusal::field(
                        "invalid_field",
                        name,
                        format!("The field {name} holds characters that are not allowed."),
                    ))
                }
            }
            Some(_) => Err(Refusal::field("invalid_type", name, format!("The field {name} must be a string."))),
        }
    }

    /// The member, which must be there.
    pub(super) fn need(&self, members: &Map<String, Value>) -> Result<String, Refusal> {
        self.read(members)?.ok_or_else(|| missing(self.name))
    }
}

/// 400 for a member that must be there.
pub(super) fn missing(name: &str) -> Refusal {
    Refusal::field("missing_field", name, format!("The field {name} is required."))
}

/// A member whose value is one of a few words.
pub(super) fn word(members: &Map<String, Value>, name: &str, words: &[&str]) -> Result<Option<String>, Refusal> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(word)) if words.contains(&word.as_str()) => Ok(Some(word.clone())),
        Some(_) => {
            let words = words.join(", ");
            Err(Refusal::field("invalid_field", name, format!("The field {name} must be one of: {words}.")))
        }
    }
}

/// Letters and digits first, then those and `others`.
pub(super) fn starts_alphanumeric(text: &str, others: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// `^[-0-9a-zA-Z]+$`
pub(super) fn id(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Anything.
pub(super) fn any(_: &str) -> bool {
    true
}
