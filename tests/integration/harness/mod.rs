//! What a test stands on: a Kubernetes, a cloud, an operator, a namespace.
//!
//! In: binaries beside the test. Out: a [`World`]. Never: an assertion about the product beyond "no secret leaked".
#![allow(dead_code, reason = "a harness offers more than the tests of the day use")]

pub(crate) mod audit;
mod cloud;
mod cluster;
pub(crate) mod collector;
mod eventually;
pub(crate) mod fixture;
pub(crate) mod folder;
mod gate;
pub(crate) mod helm;
mod leaks;
mod operator;
pub(crate) mod release;
pub(crate) mod story;
mod world;

pub(crate) use cloud::Cloud;
pub(crate) use cluster::{Cluster, api_resource};
pub(crate) use eventually::{DEADLINE, eventually, promptly};
pub(crate) use fixture::{Fixture, add, at, sample, set};
pub(crate) use gate::{Gate, Stop};
pub(crate) use helm::Helm;
pub(crate) use operator::{Operator, Options};
pub(crate) use release::Release;
pub(crate) use world::World;
