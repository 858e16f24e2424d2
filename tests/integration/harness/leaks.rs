//! Whether a secret got out.
//!
//! In: a seed, what was asked of the clouds, texts that people can read. Out: the places where a secret stands. Never: the secret itself.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

/// A secret and the name it may be spoken of by.
pub(crate) struct Secret {
    name: String,
    spellings: Vec<String>,
}

/// Every secret of a seed, and every token that a cloud handed out.
pub(crate) fn secrets(seed: &Value, requests: &[Value]) -> Vec<Secret> {
    let mut found = Vec::new();
    collect(seed, "seed", &mut found);
    for request in requests {
        let service = text(request, "service");
        if matches!(service, "entra" | "iam") {
            tokens(request, service, &mut found);
        }
    }
    found
}

/// The names of the secrets that stand in `haystack`, with `place`.
pub(crate) fn found_in(secrets: &[Secret], place: &str, haystack: &str) -> Vec<String> {
    secrets
        .iter()
        .filter(|secret| secret.spellings.iter().any(|one| haystack.contains(one)))
        .map(|secret| format!("{} in {place}", secret.name))
        .collect()
}

/// The names of the secrets that went where they have no business: into a URL, a header, an answer, or the body of a
/// call that is neither a sign-in nor the registration of a keystore.
pub(crate) fn found_in_requests(secrets: &[Secret], requests: &[Value]) -> Vec<String> {
    let mut leaks = Vec::new();
    for request in requests {
        let (service, url) = (text(request, "service"), text(request, "url"));
        let place = |part: &str| format!("{part} of {} {url}", text(request, "method"));
        for part in ["url", "request_headers", "response_headers"] {
            let content = request.get(part).map(Value::to_string).unwrap_or_default();
            leaks.extend(found_in(secrets, &place(part), &content));
        }
        let signs_in = matches!(service, "entra" | "iam")
            || (service == "uko" && (url.contains("/token") || url.contains("/login")));
        let registers = service == "uko" && url.contains("/keystores");
        if !signs_in {
            let answer = spelled(request, "response_body");
            leaks.extend(found_in(secrets, &place("answer"), &answer));
        }
        if !(signs_in || registers) {
            let body = spelled(request, "request_body");
            leaks.extend(found_in(secrets, &place("body"), &body));
        }
    }
    leaks
}

fn collect(value: &Value, path: &str, found: &mut Vec<Secret>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let inside = format!("{path}.{name}");
                match member {
                    Value::String(secret) if is_secret(name) => push(inside, secret, found),
                    Value::Object(_) | Value::Array(_) => collect(member, &inside, found),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                collect(item, path, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["secret", "password", "passcode", "apikey", "keypem"].iter().any(|word| name.contains(word))
}

fn tokens(request: &Value, service: &str, found: &mut Vec<Secret>) {
    let answer = spelled(request, "response_body");
    let body: Value = serde_json::from_str(&answer).unwrap_or_default();
    for name in ["access_token", "refresh_token", "id_token"] {
        if let Some(token) = body.get(name).and_then(Value::as_str) {
            push(format!("{service} {name}"), token, found);
        }
    }
}

/// A secret as it is, in a form, in JSON, and in a Secret's `data`.
fn push(name: String, secret: &str, found: &mut Vec<Secret>) {
    if secret.len() < 8 {
        return; // too short to tell from an accident, such as an empty client secret
    }
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let quoted = Value::from(secret).to_string();
    let json = quoted.trim_matches('"').to_owned();
    let spellings = vec![secret.to_owned(), form, json, STANDARD.encode(secret)];
    found.push(Secret { name, spellings });
}

fn text<'a>(request: &'a Value, name: &str) -> &'a str {
    request.get(name).and_then(Value::as_str).unwrap_or("")
}

fn spelled(request: &Value, name: &str) -> String {
    match request.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[test]
fn a_leak_is_found_in_every_spelling_and_named_without_its_value() {
    let seed =
        serde_json::json!({"azure": {"operator": {"clientSecret": "aX8Q~v/w+x=\"y"}, "tenantId": "public-name"}});
    let secrets = secrets(&seed, &[]);
    for log in ["aX8Q~v/w+x=\"y", "s=aX8Q%7Ev%2Fw%2Bx%3D%22y", r#""aX8Q~v/w+x=\"y""#] {
        assert_eq!(found_in(&secrets, "log", log), ["seed.azure.operator.clientSecret in log"], "{log}");
    }
    assert!(found_in(&secrets, "log", "public-name").is_empty());
}

#[test]
fn a_secret_may_travel_to_sign_in_and_nowhere_else() {
    let seed = serde_json::json!({"ibm": {"apiKey": "a-very-secret-key"}});
    let request = |service: &str, url: &str| serde_json::json!({"service": service, "method": "POST", "url": url, "request_body": "apikey=a-very-secret-key"});
    let signing_in = request("iam", "https://iam.cloud.ibm.com/identity/token");
    let elsewhere = request("link", "https://api.link.satellite.cloud.ibm.com/v1/connectors");
    let secrets = secrets(&seed, &[]);
    assert!(found_in_requests(&secrets, &[signing_in]).is_empty());
    assert_eq!(found_in_requests(&secrets, &[elsewhere]).len(), 1);
}
