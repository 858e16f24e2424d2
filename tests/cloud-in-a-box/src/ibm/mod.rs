//! IBM Cloud and the self-managed UKO: IAM, containers, Satellite Link, the HPCS broker and UKO.
//!
//! In: a [`Call`] whose host is IBM's or the customer's UKO. Out: the answer and the changed world. Never: I/O.

pub mod broker;
pub mod clock;
pub mod containers;
pub mod graphql;
pub mod iam;
pub mod link;
pub mod seed;
pub mod state;
pub mod switches;
#[cfg(test)]
mod tests;
pub mod uko;

pub use seed::seed_json;

use crate::state::World;
use crate::wire::{Answer, Call, Service};

/// Answers for every IBM host and for the self-managed UKO.
pub fn answer(world: &mut World, call: &Call) -> Answer {
    match call.service {
        Service::Iam => iam::answer(world, call),
        Service::Containers => containers::answer(world, call),
        Service::Link => link::answer(world, call),
        Service::Broker => broker::answer(world, call),
        Service::Uko => uko::answer(world, call),
        Service::Entra | Service::Arm | Service::Kv | Service::Imds | Service::Unknown => {
            Answer::empty(421).refused(format!("{} is no host of IBM", call.host))
        }
    }
}
