//! Microsoft Entra ID's token endpoint with its discovery documents, and the metadata service.
//!
//! In: a call to a `login.…` host or to 169.254.169.254. Out: tokens, or refusals with Entra's codes.
//! Never: signs anything; says more about a wrong secret than Entra does.

use http::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::cloud::{CLOUDS, Names, names};
use super::facts::{self, EntraError};
use super::state::{Application, Cloud};
use crate::state::{World, now};
use crate::token;
use crate::wire::{Answer, Call, Service};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Answers a call to Entra or to the metadata service.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    if call.service == Service::Imds {
        return metadata(world, call);
    }
    let Some(cloud) = CLOUDS.iter().find(|cloud| is_authority(cloud, &call.host)) else {
        return Answer::empty(404).refused("no Entra has this host");
    };
    let segments = call.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (&call.method, segments.as_slice()) {
        (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => match issue(world, call, cloud, tenant) {
            Ok(answer) => answer,
            Err(error) => refuse(world, cloud, &error),
        },
        (&Method::GET, ["common", "discovery", "instance"]) => instance_discovery(),
        (&Method::GET, [tenant, "v2.0", ".well-known", "openid-configuration"]) => configuration(world, cloud, tenant),
        _ => Answer::empty(404).refused("Entra has no such path here"),
    }
}

fn is_authority(cloud: &Names, host: &str) -> bool {
    cloud.authority == host || cloud.authority_aliases.contains(&host)
}

fn issue(world: &World, call: &Call, cloud: &Names, tenant: &str) -> Result<Answer, EntraError> {
    if !call.header("content-type").unwrap_or_default().starts_with("application/x-www-form-urlencoded") {
        return Err(missing("grant_type"));
    }
    let form = call.form();
    let field = |name: &str| {
        let found = form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty()).ok_or_else(|| missing(name))
    };
    let grant = field("grant_type")?;
    if grant != "client_credentials" {
        let text = format!("The app requested an unsupported grant type '{grant}'.");
        return Err(EntraError::new(70003, 400, "unsupported_grant_type", text));
    }
    let client_id = field("client_id")?;
    let scope = field("scope")?;
    let tenant_id = tenant_here(world, cloud, tenant)?;
    let audience = audience(cloud, scope)?;
    let object_id = match (field("client_secret"), field("client_assertion_type")) {
        (Ok(secret), _) => facts::secret_is_valid(world, &tenant_id, client_id, secret)?,
        (Err(_), Ok(ASSERTION_TYPE)) => {
            let application = facts::application(world, &tenant_id, client_id)?;
            federated(world, application, client_id, field("client_assertion")?)?;
            application.object_id.clone()
        }
        (Err(_), _) => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            return Err(EntraError::new(7_000_218, 401, "invalid_client", text));
        }
    };
    let life = world.settings.token_lifetime_seconds;
    let access_token = mint(world, cloud, &tenant_id, client_id, &object_id, &audience);
    let body =
        json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": access_token});
    Ok(Answer::json(200, &body).by(object_id))
}

fn missing(name: &str) -> EntraError {
    let text = format!("The request body must contain the following parameter: '{name}'.");
    EntraError::new(900_144, 400, "invalid_request", text)
}

/// The tenant's id, if it lives in the cloud whose authority was asked.
fn tenant_here(world: &World, cloud: &Names, tenant: &str) -> Result<String, EntraError> {
    if Uuid::parse_str(tenant).is_err() && !tenant.contains('.') {
        let text =
            format!("Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.");
        return Err(EntraError::new(900_023, 400, "invalid_request", text));
    }
    let found = facts::tenant(world, tenant).filter(|(_, found)| found.cloud == cloud.cloud);
    found.map(|(id, _)| id.to_owned()).ok_or_else(|| {
        let text = format!(
            "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
        );
        EntraError::new(90002, 400, "invalid_request", text)
    })
}

fn audience(cloud: &Names, scope: &str) -> Result<String, EntraError> {
    let mut resources = scope.split(' ').filter(|part| !part.is_empty());
    let (first, more) = (resources.next().unwrap_or_default(), resources.next());
    let Some(resource) = first.strip_suffix("/.default").filter(|_| more.is_none()) else {
        let text = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
        );
        return Err(EntraError::new(1_002_012, 400, "invalid_scope", text));
    };
    let bare = resource.trim_end_matches('/');
    if is_resource(cloud, bare) {
        return Ok(resource.to_owned());
    }
    let text = format!(
        "The resource principal named {resource} was not found in the tenant. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant."
    );
    Err(EntraError::new(500_011, 400, "invalid_resource", text))
}

fn is_resource(cloud: &Names, resource: &str) -> bool {
    cloud.arm_audiences.contains(&resource)
        || resource == format!("https://{}", cloud.vault_suffix)
        || resource == format!("https://{}", cloud.graph)
}

/// Entra's verdict on a federated assertion.
fn federated(world: &World, application: &Application, client_id: &str, assertion: &str) -> Result<(), EntraError> {
    let refused = |code: u64, text: String| Err(EntraError::new(code, 401, "invalid_client", text));
    let Some(claims) = token::read(assertion.trim()) else {
        return refused(50027, "JWT token is invalid or malformed.".into());
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (issuer, subject, now) = (text("iss"), text("sub"), now(world));
    if issuer == client_id {
        return refused(
            700_027,
            "The certificate with identifier used to sign the client assertion is not registered on application."
                .into(),
        );
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    if time("exp").is_none_or(|end| end <= now) || time("nbf").is_some_and(|start| start > now + 300) {
        return refused(700_024, "Client assertion is not within its valid time range.".into());
    }
    let audiences: Vec<String> = match claims.get("aud") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => vec![text("aud")],
    };
    let known: Vec<_> = application.federated.values().collect();
    if known.is_empty() {
        return refused(70025, format!("The client '{client_id}' has no configured federated identity credentials."));
    }
    let by_issuer: Vec<_> = known.iter().filter(|entry| entry.issuer == issuer).collect();
    if by_issuer.is_empty() {
        return refused(
            700_211,
            format!("No matching federated identity record found for presented assertion issuer '{issuer}'."),
        );
    }
    if !by_issuer.iter().any(|entry| audiences.contains(&entry.audience)) {
        let shown = audiences.join(" ");
        return refused(
            700_212,
            format!("No matching federated identity record found for presented assertion audience '{shown}'."),
        );
    }
    if !by_issuer.iter().any(|entry| entry.subject == subject && audiences.contains(&entry.audience)) {
        return refused(
            700_213,
            format!("No matching federated identity record found for presented assertion subject '{subject}'."),
        );
    }
    Ok(())
}

fn mint(world: &World, cloud: &Names, tenant_id: &str, client_id: &str, object_id: &str, audience: &str) -> String {
    let now = now(world);
    let issuer_host = cloud.authority_aliases.last().unwrap_or(&cloud.authority);
    token::mint(&json!({
        "aud": audience, "iss": format!("https://{issuer_host}/{tenant_id}/"),
        "iat": now, "nbf": now - 300, "exp": now + world.settings.token_lifetime_seconds,
        "appid": client_id, "appidacr": "1", "idp": format!("https://{issuer_host}/{tenant_id}/"), "idtyp": "app",
        "oid": object_id, "sub": object_id, "tid": tenant_id, "uti": Uuid::new_v4().simple().to_string(), "ver": "1.0",
    }))
}

fn refuse(world: &World, cloud: &Names, error: &EntraError) -> Answer {
    let (trace, correlation) = (Uuid::new_v4().to_string(), Uuid::new_v4().to_string());
    let time = utc(now(world));
    let code = error.code;
    let description =
        format!("AADSTS{code}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}", error.message);
    let body = json!({
        "error": error.error, "error_description": description, "error_codes": [code], "timestamp": time,
        "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("https://{}/error?code={code}", cloud.authority),
    });
    Answer::json(error.status, &body).refused(format!("AADSTS{code}: {}", error.message))
}

/// `2026-01-01 00:00:00Z`, as Entra writes it.
fn utc(seconds: i64) -> String {
    super::iso(seconds).replace('T', " ")
}

fn instance_discovery() -> Answer {
    let metadata: Vec<Value> = CLOUDS
        .iter()
        .map(|cloud| {
            let mut aliases = vec![cloud.authority];
            aliases.extend(cloud.authority_aliases);
            json!({"preferred_network": cloud.authority, "preferred_cache": cloud.authority, "aliases": aliases})
        })
        .collect();
    let public = names(Cloud::AzurePublic).authority;
    Answer::json(
        200,
        &json!({
            "tenant_discovery_endpoint": format!("https://{public}/common/v2.0/.well-known/openid-configuration"),
            "api-version": "1.1", "metadata": metadata,
        }),
    )
}

fn configuration(world: &World, cloud: &Names, tenant: &str) -> Answer {
    let id = match tenant_here(world, cloud, tenant) {
        Ok(id) => id,
        Err(_) if ["common", "organizations", "consumers"].contains(&tenant) => "{tenantid}".to_owned(),
        Err(error) => return refuse(world, cloud, &error),
    };
    let base = format!("https://{}/{id}", cloud.authority);
    Answer::json(
        200,
        &json!({
            "token_endpoint": format!("{base}/oauth2/v2.0/token"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": format!("{base}/discovery/v2.0/keys"),
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": format!("{base}/v2.0"),
            "request_uri_parameter_supported": false,
            "userinfo_endpoint": format!("https://{}/oidc/userinfo", cloud.graph),
            "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
            "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
            "http_logout_supported": true,
            "frontchannel_logout_supported": true,
            "end_session_endpoint": format!("{base}/oauth2/v2.0/logout"),
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "tid", "ver"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": cloud.authority.trim_start_matches("login."),
            "cloud_graph_host_name": cloud.graph,
            "msgraph_host": cloud.graph,
        }),
    )
}

/// The metadata service: numbers travel as strings, errors have two members only.
fn metadata(world: &World, call: &Call) -> Answer {
    let refused = |status: u16, error: &str, text: &str| {
        Answer::json(status, &json!({"error": error, "error_description": text})).refused(text)
    };
    if call.path.trim_end_matches('/') != "/metadata/identity/oauth2/token" {
        return refused(404, "not_found", "The metadata service has no such path here");
    }
    if !call.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return refused(400, "invalid_request", "Required metadata header not specified");
    }
    if call.header("x-forwarded-for").is_some() {
        return refused(400, "invalid_request", "X-Forwarded-For is not allowed");
    }
    if call.query("api-version").is_none() {
        return refused(400, "invalid_request", "Required query variable 'api-version' is missing");
    }
    let Some(resource) = call.query("resource") else {
        return refused(400, "invalid_request", "Required query variable 'resource' is missing");
    };
    let Some(cloud) = CLOUDS.iter().find(|cloud| is_resource(cloud, resource.trim_end_matches('/'))) else {
        return refused(400, "invalid_resource", "AADSTS500011: The resource principal was not found in the tenant.");
    };
    let attached =
        world.azure.tenants.iter().filter(|(_, tenant)| tenant.cloud == cloud.cloud).flat_map(|(id, tenant)| {
            tenant
                .applications
                .iter()
                .filter(|(_, found)| found.managed_identity && !found.disabled)
                .map(move |(client, found)| (id, client, found))
        });
    let wanted = call.query("client_id");
    let mut fitting = attached.filter(|(_, client, _)| wanted.is_none_or(|wanted| client.eq_ignore_ascii_case(wanted)));
    let (Some((tenant_id, client_id, application)), None) = (fitting.next(), fitting.next()) else {
        return refused(400, "invalid_request", "Identity not found");
    };
    let now = now(world);
    let life = 86_399;
    let access_token = mint(world, cloud, tenant_id, client_id, &application.object_id, resource);
    Answer::json(200, &json!({
        "access_token": access_token, "client_id": client_id, "expires_in": life.to_string(),
        "expires_on": (now + life).to_string(), "ext_expires_in": life.to_string(), "not_before": (now - 300).to_string(),
        "resource": resource, "token_type": "Bearer",
    })).by(application.object_id.clone())
}
