//! How a self-managed UKO knows its callers: OIDC password grant, passcode login, client certificate.
//!
//! In: a call to the self-managed server. Out: a token, or who the caller is. Never: knows IBM Cloud IAM.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::Refusal;
use crate::state::{World, now};
use crate::token;
use crate::wire::{Answer, Call};

/// The header in which the box's TLS end tells the common name of a verified client certificate.
const CLIENT_CERTIFICATE: &str = "x-box-client-cert";
const LIFETIME: i64 = 7200;

/// Answers the two login routes; `None` for every other.
pub(super) fn answer(world: &World, call: &Call) -> Option<Answer> {
    let segments = call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["oidc", "endpoint", provider, "token"] if call.method == Method::POST => Some(oidc(world, call, provider)),
        ["api", "v2", "system", "login"] if call.method == Method::POST => Some(passcode(world, call)),
        _ => None,
    }
}

fn oidc(world: &World, call: &Call, provider: &str) -> Answer {
    let own = &world.ibm.self_managed;
    if provider != own.oidc_provider {
        return Answer::empty(404).refused(format!("there is no OIDC provider {provider}"));
    }
    let refused = |status, error: &str, why: &str| {
        let body = json!({"error": error, "error_description": why});
        Answer::json(status, &body).refused(why)
    };
    let form: BTreeMap<String, String> = call.form().into_iter().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "password" {
        return refused(400, "unsupported_grant_type", "only the password grant is served");
    }
    if field("client_id") != own.oidc_client_id || field("client_secret") != own.oidc_client_secret {
        return refused(401, "invalid_client", "the OIDC client or its secret is wrong");
    }
    if !field("scope").split(' ').any(|scope| scope == "openid") {
        return refused(400, "invalid_scope", "the scope openid is missing");
    }
    let user = field("username");
    if own.users.get(user).is_none_or(|password| password.is_empty() || password != field("password")) {
        return refused(400, "invalid_grant", "the user or the password is wrong");
    }
    let body = json!({
        "access_token": minted(world, user),
        "token_type": "Bearer",
        "expires_in": LIFETIME,
        "scope": "openid profile email",
        "refresh_token": Uuid::new_v4().simple().to_string(),
    });
    Answer::json(200, &body).by(user)
}

fn passcode(world: &World, call: &Call) -> Answer {
    let body = call.json().unwrap_or(Value::Null);
    let field = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let user = field("userId");
    let known = world.ibm.self_managed.passcodes.get(user);
    if known.is_none_or(|passcode| passcode.is_empty() || passcode != field("passcode")) {
        let trace = Uuid::new_v4().to_string();
        return Refusal::new(401, "unauthorized", "The user or the passcode is wrong.").answer(&trace);
    }
    let token = format!("Bearer {}", minted(world, user));
    Answer::json(200, &json!({"authorizationToken": token})).by(user)
}

fn issuer(world: &World) -> String {
    format!("https://{}:{}", world.ibm.self_managed.host, world.ibm.self_managed.port)
}

fn minted(world: &World, user: &str) -> String {
    let issued = now(world);
    token::mint(&json!({"iss": issuer(world), "sub": user, "iat": issued, "exp": issued + LIFETIME}))
}

/// Who calls: the subject of a token of this server, or of a client certificate sent with `ekmf-mtls: true`.
pub(super) fn caller(world: &World, call: &Call) -> Result<String, Refusal> {
    let stranger = |why: &str| Refusal::new(401, "unauthorized", "The request is not authorized.").because(why);
    if call.header("ekmf-mtls") == Some("true") {
        let subject =
            call.header(CLIENT_CERTIFICATE).ok_or_else(|| stranger("ekmf-mtls without a client certificate"))?;
        if subject == world.ibm.self_managed.user_id {
            return Ok(subject.to_owned());
        }
        return Err(stranger("the client certificate's subject has no account"));
    }
    let bearer = call.bearer().ok_or_else(|| stranger("no bearer token"))?;
    let claims = token::read(bearer).ok_or_else(|| stranger("the bearer token is no JWT"))?;
    if claims.get("iss").and_then(Value::as_str) != Some(issuer(world).as_str()) {
        return Err(stranger("the token was not issued by this server"));
    }
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|exp| exp <= now(world)) {
        return Err(stranger("the token has expired"));
    }
    let user = claims.get("sub").and_then(Value::as_str).unwrap_or_default();
    let own = &world.ibm.self_managed;
    if own.users.contains_key(user) || own.passcodes.contains_key(user) {
        Ok(user.to_owned())
    } else {
        Err(stranger("the token's user is gone"))
    }
}
