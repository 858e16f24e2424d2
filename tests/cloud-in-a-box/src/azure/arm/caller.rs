//! Who asks: the token, its audience, its tenant.
//!
//! In: the `Authorization` header. Out: a [`Caller`], or 401 with Resource Manager's codes. Never: what the caller may do.

use serde_json::Value;

use super::error;
use super::target::Target;
use crate::azure::cloud::Names;
use crate::state::{World, now};
use crate::token;
use crate::wire::{Answer, Call};

/// The principal behind a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `oid`.
    pub(crate) object_id: String,
    /// `tid`.
    pub(crate) tenant_id: String,
}

/// Reads the token.
pub(crate) fn authenticate(world: &World, call: &Call, cloud: &Names) -> Result<Caller, Answer> {
    let refuse = |code: &str, message: &str| {
        let challenge =
            format!("Bearer authorization_uri=\"https://{}/common\", error=\"invalid_token\"", cloud.authority);
        Err(error::gateway(401, code, message).header("www-authenticate", challenge))
    };
    let Some(bearer) = call.bearer() else {
        return refuse("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.");
    };
    let Some(claims) = token::read(bearer) else {
        return refuse("InvalidAuthenticationToken", "The access token is invalid.");
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !cloud.arm_audiences.contains(&text("aud").trim_end_matches('/')) {
        return refuse(
            "InvalidAuthenticationToken",
            "The access token has been obtained for wrong audience or resource.",
        );
    }
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|end| end <= now(world)) {
        return refuse(
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        );
    }
    Ok(Caller { object_id: text("oid"), tenant_id: text("tid") })
}

/// The subscription exists in this cloud and belongs to the caller's tenant.
pub(crate) fn owns(world: &World, caller: &Caller, target: &Target, cloud: &Names) -> Result<(), Answer> {
    let missing = || {
        error::gateway(
            404,
            "SubscriptionNotFound",
            format!("The subscription '{}' could not be found.", target.subscription),
        )
    };
    let subscription = world.azure.subscriptions.get(&target.subscription.to_lowercase()).ok_or_else(missing)?;
    let tenant = world.azure.tenants.get(&subscription.tenant_id).ok_or_else(missing)?;
    if tenant.cloud != cloud.cloud {
        return Err(missing());
    }
    if !subscription.tenant_id.eq_ignore_ascii_case(&caller.tenant_id) {
        let message = format!(
            "The access token is from the wrong issuer. It must match the tenant '{}' associated with this subscription.",
            subscription.tenant_id
        );
        return Err(error::gateway(401, "InvalidAuthenticationTokenTenant", message));
    }
    Ok(())
}
