//! Cloud in a box: the real host names of Azure and IBM Cloud, answered from memory.
//!
//! In: HTTPS through a forward proxy. Out: what the clouds would answer, faults on demand, and a log of it all.
//! Never: opens a connection to anywhere; shares code with the operator (a shared wire type shares the mistake).
//!
//! The rooms: [`wire`] (a call and its answer), [`state`] (the world, everything serde), [`azure`] and [`ibm`]
//! (pure handlers over the world), [`server`] (TLS, proxy, faults, log, control), [`seed`] (the world at start).
#![forbid(unsafe_code)]

pub mod azure;
pub mod chain;
pub mod hosts;
pub mod ibm;
pub mod seed;
pub mod server;
pub mod state;
pub mod token;
pub mod wire;
