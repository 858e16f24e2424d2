//! UKO's API v4, hosted (HPCS, both host forms) and self-managed; the host tells them apart.
//!
//! In: a call. Out: vaults, keystores, their status and keys, as the contract's schemas have them.
//! Never: trusts a name from the body to choose the server.

mod checks;
mod draft;
mod error;
mod health;
mod keys;
mod keystores;
mod listing;
mod login;
mod vaults;

use http::Method;
use uuid::Uuid;

use self::error::Refusal;
use super::clock::rfc3339;
use super::iam;
use super::state::{SELF_MANAGED, UkoServer};
use crate::state::World;
use crate::wire::{Answer, Call};

/// What every handler of this room answers.
type Outcome = Result<Answer, Refusal>;

/// Answers any route of any UKO.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    let trace = Uuid::new_v4().to_string();
    let Some(server) = server(world, call) else {
        return Refusal::not_found("instance").because("no UKO answers at this host and port").answer(&trace);
    };
    if server == SELF_MANAGED
        && let Some(answer) = login::answer(world, call)
    {
        return answer;
    }
    let caller = if server == SELF_MANAGED {
        login::caller(world, call)
    } else {
        let stranger = |it: iam::Stranger| {
            Refusal::new(it.status, "unauthorized", "The request is not authorized.").because(it.why)
        };
        iam::caller(world, call).map(|caller| caller.iam_id).map_err(stranger)
    };
    let answer = match caller {
        Ok(caller) => routed(&mut Scene { world, call, server: &server, caller: &caller })
            .unwrap_or_else(|refusal| refusal.answer(&trace))
            .by(caller),
        Err(refusal) => refusal.answer(&trace),
    };
    answer.header("X-Correlation-ID", trace)
}

/// The key of the server that answers at this host and port.
fn server(world: &World, call: &Call) -> Option<String> {
    let own = &world.ibm.self_managed;
    if call.host.eq_ignore_ascii_case(&own.host) && call.port == own.port {
        return Some(SELF_MANAGED.into());
    }
    let with_port = format!("{}:{}", call.host, call.port);
    let names = |host: &String| (call.port == 443 && *host == call.host) || *host == with_port;
    world.ibm.uko.iter().find(|(_, server)| server.hosts.iter().any(names)).map(|(id, _)| id.clone())
}

/// One call to one server by a known caller.
struct Scene<'a> {
    world: &'a mut World,
    call: &'a Call,
    server: &'a str,
    caller: &'a str,
}

impl Scene<'_> {
    fn uko(&mut self) -> &mut UkoServer {
        self.world.ibm.uko.entry(self.server.to_owned()).or_default()
    }

    fn uko_ref(&self) -> Option<&UkoServer> {
        self.world.ibm.uko.get(self.server)
    }

    /// The header `UKO-Vault`, checked against the vault that the call concerns.
    fn check_vault_header(&self, vault: &str) -> Result<(), Refusal> {
        match self.call.header("uko-vault") {
            None if self.world.ibm.switches.vault_header_required => {
                Err(Refusal::header("UKO-Vault", "The header UKO-Vault is required."))
            }
            Some(named) if !named.eq_ignore_ascii_case(vault) => {
                Err(Refusal::header("UKO-Vault", "The header UKO-Vault names another vault."))
            }
            _ => Ok(()),
        }
    }

    /// The header `If-Match`, checked against the `ETag` of a resource changed at `updated_at`.
    fn check_etag(&self, updated_at: i64) -> Result<(), Refusal> {
        match self.call.header("if-match") {
            None => Err(Refusal::header("If-Match", "The header If-Match is required.")),
            Some(etag) if etag == rfc3339(updated_at) => Ok(()),
            Some(_) => {
                let words = "The resource was changed by someone else; the given ETag is not the current one.";
                Err(Refusal::new(self.world.ibm.switches.stale_etag, "etag_mismatch", words).at("header", "If-Match"))
            }
        }
    }
}

fn routed(scene: &mut Scene<'_>) -> Outcome {
    let segments = scene.call.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let ["api", "v4", rest @ ..] = parts.as_slice() else {
        return Err(Refusal::not_found("route"));
    };
    if scene.server == SELF_MANAGED && scene.world.ibm.self_managed.without_api_v4 {
        return Err(Refusal::not_found("route").because("this server speaks an older API"));
    }
    let method = scene.call.method.clone();
    match (rest, method) {
        (["vaults"], Method::GET) => vaults::list(scene),
        (["vaults"], Method::POST) => vaults::create(scene),
        (["vaults", id], Method::GET) => vaults::read(scene, id),
        (["vaults", id], Method::PATCH) => vaults::update(scene, id),
        (["vaults", id], Method::DELETE) => vaults::delete(scene, id),
        (["keystores"], Method::GET) => keystores::list(scene),
        (["keystores"], Method::POST) => keystores::create(scene),
        (["keystores", id], Method::GET) => keystores::read(scene, id),
        (["keystores", id], Method::PATCH) => keystores::update(scene, id),
        (["keystores", id], Method::DELETE) => keystores::delete(scene, id),
        (["keystores", id, "status"], Method::GET) => health::read(scene, id),
        (["keystores", id, "managed_keys"], Method::GET) => keys::of_keystore(scene, id),
        (["keystores", id, "associated_resources"], Method::GET) => keys::associated_resources(scene, id),
        (["managed_keys"], Method::GET) => keys::list(scene),
        (["vaults" | "keystores" | "managed_keys", ..], _) => {
            Err(Refusal::new(405, "method_not_allowed", "The method is not allowed here."))
        }
        _ => Err(Refusal::not_found("route")),
    }
}
