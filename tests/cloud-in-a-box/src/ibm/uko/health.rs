//! The health of a keystore: what `/status` says, and what a good contact brings about.
//!
//! In: a scene and a keystore. Out: `KeystoreStatus`; a heartbeat and, once, the key-encryption key.
//! Never: decides what is broken; the chain does.

use serde_json::{Value, json};

use super::error::Refusal;
use super::{Outcome, Scene};
use crate::azure::facts::{self, KEK};
use crate::chain::{self, Broken, Fault};
use crate::ibm::clock::rfc3339;
use crate::ibm::state::Keystore;
use crate::state::{World, now};
use crate::wire::Answer;

pub(super) fn read(scene: &mut Scene<'_>, id: &str) -> Outcome {
    let keystore = scene.uko().keystores.get(id).cloned().ok_or_else(|| Refusal::not_found("keystore"))?;
    scene.check_vault_header(&keystore.vault)?;
    if keystore.pending_checks > 0 {
        let shown = of(scene.world, scene.server, &keystore);
        if let Some(stored) = scene.uko().keystores.get_mut(id) {
            stored.pending_checks -= 1;
        }
        return Ok(Answer::json(200, &shown));
    }
    contact(scene, id);
    let server = scene.server.to_owned();
    let keystore = scene.uko().keystores.get(id).cloned().ok_or_else(|| Refusal::not_found("keystore"))?;
    Ok(Answer::json(200, &of(scene.world, &server, &keystore)))
}

/// UKO tries the connection. When the chain holds, it notes the time and makes the key-encryption key, once.
pub(super) fn contact(scene: &mut Scene<'_>, id: &str) {
    let Some(keystore) = scene.uko().keystores.get(id).cloned() else {
        return;
    };
    if keystore.forced_health.is_some() || chain::check(scene.world, scene.server, &keystore.connection).is_err() {
        return;
    }
    let made = make_kek(scene.world, &keystore);
    let time = now(scene.world);
    if let Some(stored) = scene.uko().keystores.get_mut(id) {
        stored.last_heartbeat = Some(time);
        stored.kek_made = made;
    }
}

/// Makes the key-encryption key in a premium vault. Has it been made?
fn make_kek(world: &mut World, keystore: &Keystore) -> bool {
    if keystore.kek_made && !world.ibm.switches.kek_made_again {
        return true;
    }
    let size = world.ibm.switches.kek_size;
    let Some(vault) = facts::vault_by_name(world, &keystore.connection.azure_service_name) else {
        return false;
    };
    let premium = vault.sku.eq_ignore_ascii_case("premium");
    let id = vault.id.clone();
    premium && facts::create_kek(world, &id, KEK, size).is_some()
}

/// `KeystoreStatus` as it stands.
pub(super) fn of(world: &World, server: &str, keystore: &Keystore) -> Value {
    let (health, message) = judged(world, server, keystore);
    let heartbeat = keystore.last_heartbeat.map(rfc3339);
    let mut status = json!({"health_status": health, "message": message});
    if let (Value::Object(members), Some(heartbeat)) = (&mut status, heartbeat) {
        members.insert("last_heartbeat".into(), json!(heartbeat));
    }
    status
}

fn judged(world: &World, server: &str, keystore: &Keystore) -> (String, String) {
    if let Some(forced) = &keystore.forced_health {
        return (forced.clone(), "The keystore reports a problem.".into());
    }
    if keystore.pending_checks > 0 {
        return ("pending_check".into(), "The connection has not been checked yet.".into());
    }
    match chain::check(world, server, &keystore.connection) {
        Ok(()) => ("ok".into(), "Ping executed successfully.".into()),
        Err(Broken { fault: Fault::Configuration, .. }) => {
            ("configuration_error".into(), "The keystore refuses the configured credentials.".into())
        }
        Err(Broken { fault: Fault::Unreachable, .. }) => {
            ("not_responding".into(), "The keystore does not respond.".into())
        }
    }
}
