//! The clouds: every call that leaves for Azure or IBM starts here.
//!
//! In: typed requests from `observe` and `apply`. Out: typed answers, or one [`http::Error`] whose class says what to do next.
//! Never: decides, knows a Kubernetes kind, or lets a secret or a response body into an error.

pub mod azure;
mod facade;
pub mod hosts;
pub mod http;
pub mod ibm;
pub mod token;

pub use facade::Clouds;
