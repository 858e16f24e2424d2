//! IBM Cloud IAM: `POST /identity/token`, and who the bearer of a token is.
//!
//! In: an API key, or a token of a Kubernetes service account for a trusted profile. Out: a token for one hour.
//! Never: checks a signature; the box mints what it reads.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

use super::clock::rfc3339;
use crate::state::{World, now};
use crate::token;
use crate::wire::{Answer, Call};

const GRANT_API_KEY: &str = "urn:ibm:params:oauth:grant-type:apikey";
const GRANT_CR_TOKEN: &str = "urn:ibm:params:oauth:grant-type:cr-token";
const LIFETIME: i64 = 3600;

/// Answers the token endpoint.
#[must_use]
pub fn answer(world: &World, call: &Call) -> Answer {
    if call.path != "/identity/token" {
        return refusal(world, call, 404, "BXNIM0404E", "Not found.", "IAM has no such route in the box");
    }
    if call.method != http::Method::POST {
        return refusal(world, call, 405, "BXNIM0405E", "Method not allowed.", "only POST is known here");
    }
    let form: BTreeMap<String, String> = call.form().into_iter().collect();
    match form.get("grant_type").map(String::as_str) {
        Some(GRANT_API_KEY) => by_api_key(world, call, &form),
        Some(GRANT_CR_TOKEN) => by_cr_token(world, call, &form),
        Some(other) => {
            let why = format!("grant type {other} is not served");
            refusal(world, call, 400, "BXNIM0408E", "Unsupported grant type.", &why)
        }
        None => missing(world, call, "grant_type"),
    }
}

fn by_api_key(world: &World, call: &Call, form: &BTreeMap<String, String>) -> Answer {
    let Some(key) = form.get("apikey").filter(|key| !key.is_empty()) else {
        return missing(world, call, "apikey");
    };
    match world.ibm.api_keys.get(key) {
        Some(identity) => granted(world, &identity.iam_id, GRANT_API_KEY),
        None => refusal(world, call, 400, "BXNIM0415E", "Provided API key could not be found.", "no such API key"),
    }
}

fn by_cr_token(world: &World, call: &Call, form: &BTreeMap<String, String>) -> Answer {
    let Some(cr_token) = form.get("cr_token").filter(|token| !token.is_empty()) else {
        return missing(world, call, "cr_token");
    };
    let wanted_id = form.get("profile_id");
    let wanted_name = form.get("profile_name");
    let profile = world.ibm.profiles.iter().find(|(id, profile)| match (wanted_id, wanted_name) {
        (Some(wanted), _) => *id == wanted,
        (None, Some(wanted)) => profile.name == *wanted,
        (None, None) => false,
    });
    let Some((_, profile)) = profile else {
        let words = "Provided trusted profile could not be found.";
        return refusal(world, call, 400, "BXNIM0426E", words, "no such trusted profile");
    };
    match service_account(cr_token, now(world)) {
        Err(why) => refusal(world, call, 400, "BXNIM0425E", "Provided compute resource token is not valid.", &why),
        Ok(account) if profile.links.is_empty() || profile.links.contains(&account) => {
            granted(world, &profile.iam_id, GRANT_CR_TOKEN)
        }
        Ok(account) => {
            let why = format!("the profile has no link for service account {account}");
            let words = "The compute resource is not allowed to assume the trusted profile.";
            refusal(world, call, 403, "BXNIM0427E", words, &why)
        }
    }
}

/// The service account (`namespace/name`) of a projected token whose audience is `iam`.
fn service_account(cr_token: &str, now: i64) -> Result<String, String> {
    let part = cr_token.split('.').nth(1).ok_or("the token is no JWT")?;
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).map_err(|_| "the token's claims are not base64")?;
    let claims: Value = serde_json::from_slice(&bytes).map_err(|_| "the token's claims are not JSON")?;
    let for_iam = match claims.get("aud") {
        Some(Value::String(audience)) => audience == "iam",
        Some(Value::Array(audiences)) => audiences.iter().any(|audience| audience == "iam"),
        _ => false,
    };
    if !for_iam {
        return Err("the token's audience is not `iam`".into());
    }
    if claims.get("exp").and_then(Value::as_i64).is_some_and(|exp| exp <= now) {
        return Err("the token has expired".into());
    }
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    subject
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .ok_or_else(|| "the token's subject is no service account".into())
}

fn granted(world: &World, iam_id: &str, grant: &str) -> Answer {
    let issued = now(world);
    let expires = issued + LIFETIME;
    let claims = json!({
        "iam_id": iam_id,
        "id": iam_id,
        "realmid": iam_id.split('-').next().unwrap_or_default(),
        "identifier": iam_id.split_once('-').map_or(iam_id, |(_, rest)| rest),
        "sub": iam_id,
        "account": {"valid": true, "bss": world.ibm.account, "frozen": true},
        "iat": issued,
        "exp": expires,
        "iss": "https://iam.cloud.ibm.com/identity",
        "grant_type": grant,
        "scope": "ibm openid",
        "client_id": "default",
        "acr": 1,
        "amr": ["pwd"],
        "jti": Uuid::new_v4().to_string(),
    });
    let body = json!({
        "access_token": token::mint(&claims),
        "refresh_token": "not_supported",
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "expiration": expires,
        "scope": "ibm openid",
    });
    Answer::json(200, &body).header("Transaction-Id", Uuid::new_v4().simple().to_string()).by(iam_id)
}

fn missing(world: &World, call: &Call, property: &str) -> Answer {
    let words = format!("Property missing or empty: {property}");
    refusal(world, call, 400, "BXNIM0109E", &words, &words)
}

fn refusal(world: &World, call: &Call, status: u16, code: &str, message: &str, why: &str) -> Answer {
    let request_id = Uuid::new_v4().simple().to_string();
    let time = rfc3339(now(world));
    let body = json!({
        "errorCode": code,
        "errorMessage": message,
        "context": {
            "requestId": request_id,
            "requestType": "incoming.Identity_Token",
            "userAgent": call.header("user-agent").unwrap_or_default(),
            "url": format!("https://{}", call.host),
            "startTime": time,
            "endTime": time,
            "elapsedTime": "1",
            "locale": "en_US",
        },
    });
    Answer::json(status, &body).header("Transaction-Id", request_id).refused(why)
}

/// The bearer of a valid IAM token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub iam_id: String,
    /// The account the token was issued in.
    pub account: String,
}

/// Why a call is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// 401 or 403.
    pub status: u16,
    /// In words.
    pub why: String,
}

/// Who calls, by the bearer token.
///
/// # Errors
/// 401 without a valid token of this account, 403 for an identity without access.
pub fn caller(world: &World, call: &Call) -> Result<Caller, Stranger> {
    let stranger = |status, why: &str| Stranger { status, why: why.to_owned() };
    let bearer = call.bearer().ok_or_else(|| stranger(401, "no bearer token"))?;
    let claims = token::read(bearer).ok_or_else(|| stranger(401, "the bearer token is no JWT"))?;
    if claims.get("iss").and_then(Value::as_str) != Some("https://iam.cloud.ibm.com/identity") {
        return Err(stranger(401, "the token was not issued by IBM Cloud IAM"));
    }
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp <= now(world)) {
        return Err(stranger(401, "the token has expired"));
    }
    let account = claims.pointer("/account/bss").and_then(Value::as_str).unwrap_or_default();
    if account != world.ibm.account {
        return Err(stranger(403, "the token belongs to another account"));
    }
    let iam_id = claims.get("iam_id").and_then(Value::as_str).unwrap_or_default();
    let without_access = world.ibm.api_keys.values().any(|key| key.iam_id == iam_id && key.without_access)
        || world.ibm.profiles.values().any(|profile| profile.iam_id == iam_id && profile.without_access);
    if without_access {
        return Err(stranger(403, "this identity has no role on the service"));
    }
    Ok(Caller { iam_id: iam_id.to_owned(), account: account.to_owned() })
}
