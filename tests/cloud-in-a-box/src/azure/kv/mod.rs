//! Key Vault's data plane: the gate (token, network, version), then keys.
//!
//! In: a call to a vault's own host. Out: keys, challenges, refusals with inner codes. Never: shows a private key; there is none.

mod body;
mod keys;
mod reach;
mod view;

use http::Method;
use serde_json::{Value, json};

use super::cloud::{self, Names};
use super::facts;
use super::state::Vault;
use crate::state::{World, now};
use crate::token;
use crate::wire::{Answer, Call};

const VERSIONS: [&str; 4] = ["7.4", "7.5", "7.6", "2025-07-01"];

/// One request that passed the gate.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    call: &'a Call,
    /// The vault's key in the world.
    vault: String,
    /// Object id of the caller.
    caller: String,
    segments: Vec<String>,
}

/// Answers a call to a vault.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    let found = cloud::CLOUDS.iter().find_map(|cloud| Some((cloud, cloud.vault_of_host(&call.host)?)));
    let Some((cloud, name)) = found else {
        return Answer::empty(404).refused("no vault has this host");
    };
    let key = name.to_lowercase();
    let Some(vault) = world.azure.vaults.get(&key).filter(|vault| vault.cloud == cloud.cloud) else {
        return Answer::empty(404).refused("the vault is not there; in life its name would not resolve");
    };
    let seen = reach::address(world, vault);
    let answered = enter(world, call, cloud, &key);
    let (answer, caller) = match answered {
        Ok((answer, caller)) => (answer, Some(caller)),
        Err(refusal) => (refusal, None),
    };
    let answer = answer
        .header("x-ms-keyvault-network-info", format!("conn_type=Ipv4;addr={seen};act_addr_fam=InterNetwork;"))
        .header("strict-transport-security", "max-age=31536000;includeSubDomains")
        .header("cache-control", "no-cache");
    match caller {
        Some(caller) => answer.by(caller),
        None => answer,
    }
}

fn enter(world: &mut World, call: &Call, cloud: &Names, key: &str) -> Result<(Answer, String), Answer> {
    let segments = call.segments();
    if call.method == Method::GET && segments == ["healthstatus"] {
        return Ok((Answer::json(200, &json!({})), String::new()));
    }
    let vault = world.azure.vaults.get(key).ok_or_else(|| Answer::empty(404))?;
    let caller = authenticate(world, call, cloud, vault)?;
    let ask = Ask { call, vault: key.to_owned(), caller: caller.clone(), segments };
    let answered = reach::check(world, vault).and_then(|()| version(call)).and_then(|()| keys::answer(world, &ask));
    Ok((answered.unwrap_or_else(|refusal| refusal), caller))
}

/// The token's object id, or 401 with the challenge.
fn authenticate(world: &World, call: &Call, cloud: &Names, vault: &Vault) -> Result<String, Answer> {
    let refuse = |message: &str| {
        let resource = format!("https://{}", cloud.vault_suffix);
        let authority = format!("https://{}/{}", cloud.authority, vault.tenant_id);
        let challenge = format!("Bearer authorization=\"{authority}\", resource=\"{resource}\"");
        Err(error(401, "Unauthorized", message, None).header("www-authenticate", challenge))
    };
    let Some(bearer) = call.bearer() else {
        return refuse("AKV10000: Request is missing a Bearer or PoP token.");
    };
    let Some(claims) = token::read(bearer) else {
        return refuse("AKV10001: The token is malformed.");
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if text("aud").trim_end_matches('/') != format!("https://{}", cloud.vault_suffix) {
        return refuse("AKV10022: Invalid audience. Expected the audience of this cloud's vaults.");
    }
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|end| end <= now(world)) {
        return refuse("AKV10014: The token is expired.");
    }
    if !text("tid").eq_ignore_ascii_case(&vault.tenant_id) {
        return refuse("AKV10032: Invalid issuer. Expected the issuer of the vault's tenant.");
    }
    Ok(text("oid"))
}

fn version(call: &Call) -> Result<(), Answer> {
    match call.query("api-version") {
        None => Err(error(400, "BadParameter", "api-version must be specified", None)),
        Some(version) if VERSIONS.contains(&version) => Ok(()),
        Some(version) => Err(error(
            400,
            "BadParameter",
            &format!(
                "The specified version ({version}) is not recognized. Consider using the latest supported version (2025-07-01)."
            ),
            None,
        )),
    }
}

/// A refusal of the data plane.
pub(crate) fn error(status: u16, code: &str, message: &str, inner: Option<&str>) -> Answer {
    let mut body = json!({"code": code, "message": message});
    if let Some(inner) = inner {
        super::set(&mut body, "innererror", json!({"code": inner}));
    }
    let why = inner.map_or(format!("{code}: {message}"), |inner| format!("{code}/{inner}: {message}"));
    Answer::json(status, &json!({"error": body})).refused(why)
}

/// The caller holds this key permission.
pub(crate) fn permitted(world: &World, ask: &Ask, permission: &str) -> Result<(), Answer> {
    let vault = world.azure.vaults.get(&ask.vault).ok_or_else(|| Answer::empty(404))?;
    if facts::key_permissions(world, vault, &ask.caller).contains(permission) {
        return Ok(());
    }
    let (caller, name) = (&ask.caller, &vault.name);
    if vault.enable_rbac_authorization == Some(true) {
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: oid={caller}\r\nAction: 'Microsoft.KeyVault/vaults/keys/{permission}'\r\nAssignment: (not found)\r\nVault: {name}"
        );
        return Err(error(403, "Forbidden", &message, Some("ForbiddenByRbac")));
    }
    let message = format!(
        "The user, group or application 'oid={caller}' does not have keys {permission} permission on key vault '{name}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287"
    );
    Err(error(403, "Forbidden", &message, Some("ForbiddenByPolicy")))
}
