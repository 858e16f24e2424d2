//! The Azure half of the box over real sockets: proxy, TLS, Entra, Resource Manager, Key Vault, faults, control.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed unwrap or a missing member is a failed test"
)]

mod bench;
mod command;
mod data_plane;
mod endpoints;
mod entra;
mod faults;
mod gate;
mod lags;
mod rules;
mod vaults;
