//! Integration: the shipped binary on a real kube-apiserver, with the cloud in a box behind its proxy.
//!
//! In: what `make test-integration` built. Out: outcomes a user would see. Never: a sleep, a fixed port, the order of calls.
//!
//! The cluster starts once per test process and ends with it. Each test gets a [`harness::World`] of its own: a cloud, an
//! operator that watches one namespace, and that namespace.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed unwrap is a failed test"
)]

mod argocd;
#[path = "../argocd/lua.rs"]
#[expect(dead_code, reason = "the actions are tested on fixtures")]
mod argocd_lua;
mod change;
mod claims;
mod cluster;
mod costs;
mod crash;
mod deletion;
mod drift;
mod exactly_once;
mod faults_of_azure;
mod faults_of_ibm;
mod faults_of_secrets;
mod guards;
mod happy_path;
mod harness;
mod helm_uninstalls;
mod helm_waits;
mod install;
mod key_encryption_key;
mod key_repair;
mod leadership;
mod monitoring;
mod network_access;
mod not_yet_supported;
mod opentelemetry;
mod operator_chart;
mod outages;
mod ownership;
mod process;
mod refusals;
mod release;
mod rights;
mod rotation;
mod samples;
mod standing;
#[path = "../tools/mod.rs"]
mod tools;
mod variants;
