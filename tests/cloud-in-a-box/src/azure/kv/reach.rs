//! Whether a caller reaches the vault: the private path if it sits on that network, else the public listener.
//!
//! In: the vault and where the caller is. Out: nothing, or 403 with the inner code. Never: looks at the token.

use super::error;
use crate::azure::cloud;
use crate::azure::facts::{self, Serving};
use crate::azure::state::Vault;
use crate::state::World;
use crate::wire::Answer;

fn private_path(world: &World, vault: &Vault) -> Option<Serving> {
    let host = format!("{}.{}", vault.name.to_lowercase(), cloud::names(vault.cloud).vault_zone);
    facts::private_endpoint_serving(world, &vault.name, &host).filter(|_| world.settings.caller_on_private_network)
}

/// The caller's address as the vault sees it.
pub(crate) fn address(world: &World, vault: &Vault) -> String {
    match private_path(world, vault) {
        Some(_) => "10.0.1.4".into(),
        None => world.settings.caller_address.clone(),
    }
}

/// The vault answers this caller.
pub(crate) fn check(world: &World, vault: &Vault) -> Result<(), Answer> {
    if private_path(world, vault).is_some() {
        return Ok(());
    }
    let address = &world.settings.caller_address;
    let access = &vault.public_network_access;
    if access.eq_ignore_ascii_case("SecuredByPerimeter") {
        let message = format!("Request from {address} is not allowed by the vault's network security perimeter.");
        return Err(error(403, "Forbidden", &message, Some("ForbiddenByNsp")));
    }
    if !access.is_empty() && !access.eq_ignore_ascii_case("Enabled") {
        let message = "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: box";
        return Err(error(403, "Forbidden", message, Some("ForbiddenByConnection")));
    }
    if facts::public_access_allowed_from(vault, Some(address)) {
        return Ok(());
    }
    let message = format!(
        "Client address is not authorized and caller is not a trusted service.\r\nClient address: {address}\r\nCaller: box\r\nVault: {};location={}",
        vault.name, vault.location
    );
    Err(error(403, "Forbidden", &message, Some("ForbiddenByFirewall")))
}
