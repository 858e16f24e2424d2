//! Azure Resource Manager: who asks, for what, with which version; then the resource's own room.
//!
//! In: a call to a `management.…` host. Out: the answer. Never: the data plane.

mod caller;
mod check;
mod connections;
mod dns;
mod endpoint_rules;
mod endpoint_view;
mod endpoints;
mod error;
mod keys;
mod networks;
mod operations;
mod policies;
mod quirks;
mod records;
mod rights;
mod roles;
mod target;
mod vaults;
mod versions;
mod zone_groups;

use http::Method;

use self::caller::Caller;
use self::target::Target;
use super::cloud::{CLOUDS, Names};
use crate::state::World;
use crate::wire::{Answer, Call};

/// A refusal travels as the answer it is.
type Outcome = Result<Answer, Answer>;

/// One request that passed the gate: who, what, which version.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    call: &'a Call,
    caller: Caller,
    target: Target,
    version: String,
    cloud: &'static Names,
}

/// Answers a call to Resource Manager.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    operations::settle(world);
    let Some(cloud) = CLOUDS.iter().find(|cloud| cloud.arm == call.host) else {
        return Answer::empty(404).refused("no Resource Manager has this host");
    };
    let caller = match caller::authenticate(world, call, cloud) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let principal = caller.object_id.clone();
    let answered = enter(world, call, cloud, caller).unwrap_or_else(|refusal| refusal);
    quirks::apply(world, call, answered).by(principal)
}

fn enter(world: &mut World, call: &Call, cloud: &'static Names, caller: Caller) -> Outcome {
    let target = Target::parse(call)?;
    let version = versions::check(world, call, &target)?;
    caller::owns(world, &caller, &target, cloud)?;
    let ask = Ask { call, caller, target, version, cloud };
    if ask.target.kind != "microsoft.network/locations/operations" {
        rights::check(world, &ask)?;
    }
    dispatch(world, &ask)
}

fn dispatch(world: &mut World, ask: &Ask) -> Outcome {
    let method = &ask.call.method;
    let is = |wanted: Method| *method == wanted;
    match (ask.target.kind.as_str(), ask.target.list) {
        ("subscriptions", false) if is(Method::GET) => vaults::subscription(world, ask),
        ("resourcegroups", false) if is(Method::GET) => vaults::resource_group(world, ask),
        ("resources", true) if is(Method::GET) => vaults::resources(world, ask),
        ("microsoft.keyvault/vaults", list) => vaults::answer(world, ask, list),
        ("microsoft.keyvault/vaults/accesspolicies", false) if is(Method::PUT) => policies::update(world, ask),
        ("microsoft.keyvault/vaults/privatelinkresources", true) if is(Method::GET) => {
            connections::link_resources(world, ask)
        }
        ("microsoft.keyvault/vaults/privateendpointconnections", list) => connections::answer(world, ask, list),
        ("microsoft.keyvault/vaults/keys" | "microsoft.keyvault/vaults/keys/versions", _) => keys::answer(world, ask),
        ("microsoft.keyvault/locations/deletedvaults", false) if is(Method::GET) => vaults::deleted(world, ask),
        ("microsoft.keyvault/deletedvaults", true) if is(Method::GET) => Ok(vaults::deleted_list(world, ask)),
        ("microsoft.network/privateendpoints", list) => endpoints::answer(world, ask, list),
        ("microsoft.network/privateendpoints/privatednszonegroups", list) => zone_groups::answer(world, ask, list),
        ("microsoft.network/networkinterfaces", list) => networks::interface(world, ask, list),
        ("microsoft.network/virtualnetworks", list) => networks::network(world, ask, list),
        ("microsoft.network/virtualnetworks/subnets", list) => networks::subnet(world, ask, list),
        ("microsoft.network/privatednszones", list) => dns::zone(world, ask, list),
        ("microsoft.network/privatednszones/virtualnetworklinks", list) => dns::link(world, ask, list),
        ("microsoft.network/privatednszones/a", list) => records::answer(world, ask, list),
        (
            "microsoft.network/locations/operations"
            | "microsoft.network/locations/operationresults"
            | "microsoft.network/privatednsoperationstatuses"
            | "microsoft.network/privatednsoperationresults",
            false,
        ) if is(Method::GET) => operations::poll(world, ask),
        ("microsoft.authorization/roleassignments", true) if is(Method::GET) => roles::list(world, ask),
        _ => Err(error::method_not_allowed(ask)),
    }
}
