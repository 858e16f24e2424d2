//! Bodies of the data plane, read strictly.
//!
//! In: JSON. Out: what it sets, or 400 that names the member. Never: decides what is allowed.

use serde_json::Value;

use super::error;
use crate::wire::Answer;

/// The object knows these members only.
pub(crate) fn members(body: &Value, known: &[&str], path: &str) -> Result<(), Answer> {
    let strangers = body.as_object().map(|members| members.keys().find(|name| !known.contains(&name.as_str())));
    match strangers {
        Some(None) => Ok(()),
        Some(Some(name)) => Err(error(400, "BadParameter", &format!("Property {path}{name} is unknown."), None)),
        None => Err(error(400, "BadParameter", "The request body must be a JSON object.", None)),
    }
}

/// The attributes that a body sets.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) enabled: Option<bool>,
    pub(crate) nbf: Option<i64>,
    pub(crate) exp: Option<i64>,
}

/// The attributes of a body.
pub(crate) fn attributes(body: &Value) -> Result<Attributes, Answer> {
    let Some(given) = body.get("attributes").filter(|given| !given.is_null()) else {
        return Ok(Attributes::default());
    };
    members(
        given,
        &[
            "enabled",
            "nbf",
            "exp",
            "exportable",
            "created",
            "updated",
            "recoveryLevel",
            "recoverableDays",
            "hsmPlatform",
        ],
        "attributes.",
    )?;
    Ok(Attributes {
        enabled: given.get("enabled").and_then(Value::as_bool),
        nbf: given.get("nbf").and_then(Value::as_i64),
        exp: given.get("exp").and_then(Value::as_i64),
    })
}

/// A list of words of a body; empty if absent.
pub(crate) fn words(body: &Value, name: &str) -> Vec<String> {
    body.get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
