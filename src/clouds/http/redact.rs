//! Makes a cloud's raw answer fit for the trace log.
//!
//! In: bytes nobody vouches for. Out: a short text without secrets. Never: used for status, events or errors.

use std::borrow::Cow;

use serde_json::Value;

const SHOWN: usize = 2_000;
const HIDDEN: &str = "[hidden]";

/// Words in the name of a member that make its value a secret.
const SECRET_NAMES: [&str; 9] =
    ["password", "passwd", "passcode", "secret", "token", "apikey", "api_key", "assertion", "credential"];

/// The body as text, with secrets hidden, cut to 2,000 characters. What is not JSON is only measured, not shown.
pub(super) fn body(bytes: &[u8]) -> String {
    let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else {
        return format!("[{} bytes that are not JSON]", bytes.len());
    };
    hide(&mut value);
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret_name(name) {
                    *member = Value::from(HIDDEN);
                } else {
                    hide(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) => {
            if let Cow::Owned(clean) = hide_words(text) {
                *text = clean;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_NAMES.iter().any(|word| name.contains(word))
}

fn hide_words(text: &str) -> Cow<'_, str> {
    if !text.split_whitespace().any(is_secret_word) {
        return Cow::Borrowed(text);
    }
    let words = text.split_whitespace().map(|word| if is_secret_word(word) { HIDDEN } else { word });
    Cow::Owned(words.collect::<Vec<_>>().join(" "))
}

/// A JWT, or forty characters of base64 in a row. Ids of Azure resources have slashes and dashes in between and stay.
fn is_secret_word(word: &str) -> bool {
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_' | '~');
    let longest = word.split(|c| !base64(c)).map(str::len).max().unwrap_or_default();
    word.contains("eyJ") || longest >= 40
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_by_name_and_by_look_are_hidden() {
        let raw = br#"{"client_secret":"hunter2","error":{"message":"bad Bearer eyJhbGci.x.y for /subscriptions/00000000-0000-0000-0000-000000000000"},
            "list":["QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w"],"code":"KeyNotFound","n":1}"#;
        let text = body(raw);
        for secret in ["hunter2", "eyJ", "QUJD"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        assert!(text.contains("KeyNotFound") && text.contains("/subscriptions/0000"));
    }

    #[test]
    fn what_is_not_json_is_only_measured() {
        assert_eq!(body(b"<html>password=x</html>"), "[23 bytes that are not JSON]");
    }

    #[test]
    fn a_long_body_is_cut_between_characters() {
        let long = serde_json::json!({ "text": "ü ".repeat(3_000) }).to_string();
        assert_eq!(body(long.as_bytes()).chars().count(), SHOWN + 1);
    }
}
