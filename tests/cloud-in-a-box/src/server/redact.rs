//! Takes secrets out of what the request log keeps, and says which there were.
//!
//! In: headers and bodies. Out: the same with `***`, and the names of what was hidden. Never: keeps a secret.

use std::collections::BTreeSet;

use http::HeaderMap;
use serde_json::{Map, Value};
use url::form_urlencoded;

const HIDDEN: &str = "***";
const SECRET_HEADERS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
const SECRET_MEMBERS: [&str; 10] = [
    "client_secret",
    "client_assertion",
    "apikey",
    "password",
    "passcode",
    "azure_service_principal_password",
    "access_token",
    "refresh_token",
    "authorizationtoken",
    "id_token",
];

/// Headers as a JSON object; repeated ones are joined.
pub fn headers<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>, secrets: &mut BTreeSet<String>) -> Value {
    let mut shown = Map::new();
    for (name, value) in pairs {
        let name = name.to_lowercase();
        let value = if SECRET_HEADERS.contains(&name.as_str()) {
            secrets.insert(name.clone());
            HIDDEN.to_owned()
        } else {
            value.to_owned()
        };
        let joined = match shown.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value,
        };
        shown.insert(name, Value::String(joined));
    }
    Value::Object(shown)
}

/// Request headers as pairs of text.
pub fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap_or("(not text)")))
}

/// A body: JSON as a value, other text as a string, nothing as null.
pub fn body(bytes: &[u8], content_type: &str, secrets: &mut BTreeSet<String>) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    if content_type.starts_with("application/x-www-form-urlencoded") {
        return Value::String(form(bytes, secrets));
    }
    match serde_json::from_slice(bytes) {
        Ok(mut value) => {
            hide(&mut value, secrets);
            value
        }
        Err(_) => Value::String(String::from_utf8_lossy(bytes).into_owned()),
    }
}

fn form(bytes: &[u8], secrets: &mut BTreeSet<String>) -> String {
    let mut shown = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(bytes) {
        if is_secret(&name) {
            secrets.insert(name.clone().into_owned());
            shown.append_pair(&name, HIDDEN);
        } else {
            shown.append_pair(&name, &value);
        }
    }
    shown.finish()
}

fn hide(value: &mut Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if member.is_string() && is_secret(name) {
                    secrets.insert(name.clone());
                    *member = Value::String(HIDDEN.to_owned());
                } else {
                    hide(member, secrets);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, secrets)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret(name: &str) -> bool {
    SECRET_MEMBERS.contains(&name.to_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_hides_its_secret_and_names_it() {
        let mut secrets = BTreeSet::new();
        let shown = body(
            b"grant_type=client_credentials&client_secret=s3",
            "application/x-www-form-urlencoded; charset=utf-8",
            &mut secrets,
        );
        assert_eq!(shown, json!("grant_type=client_credentials&client_secret=***"));
        assert!(secrets.contains("client_secret"));
    }

    #[test]
    fn json_is_searched_to_the_bottom() {
        let mut secrets = BTreeSet::new();
        let bytes = json!({"a": [{"azure_service_principal_password": "p", "authorizationToken": "t", "name": "n"}]})
            .to_string();
        let shown = body(bytes.as_bytes(), "application/json", &mut secrets);
        assert_eq!(
            shown,
            json!({"a": [{"azure_service_principal_password": "***", "authorizationToken": "***", "name": "n"}]})
        );
        assert_eq!(secrets.len(), 2);
    }

    #[test]
    fn the_authorization_header_is_hidden() {
        let mut secrets = BTreeSet::new();
        let shown = headers([("Authorization", "Bearer x"), ("Accept", "a")].into_iter(), &mut secrets);
        assert_eq!(shown, json!({"authorization": "***", "accept": "a"}));
    }
}
