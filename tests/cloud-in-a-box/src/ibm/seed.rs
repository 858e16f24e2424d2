//! IBM's half of the world at the start, and what `seed.json` says of it.
//!
//! In: nothing. Out: one account with a connector, an HPCS instance and a self-managed UKO. Never: randomness.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::state::{Connector, Ibm, Identity, Location, Profile, SELF_MANAGED, SelfManaged, UkoServer, Vault};
use crate::state::World;

const ACCOUNT: &str = "3f6a9b0c1d2e4f5a8b7c6d5e4f3a2b1c";
const REGION: &str = "eu-de";
const API_KEY: &str = "b0x-Kq3v9ZsP1mXc7WnR5tYhU2eJ8dLa6fGiO4bTzQwE";
const LOCATION: &str = "cbl4k5jf0v1ms7ts8o5g";
const CONNECTOR: &str = "ci8sugud1pgdkfe1ku1g";
const PROFILE: &str = "Profile-7d2c1f0e-5b4a-4c3d-9e8f-1a2b3c4d5e6f";
const INSTANCE: &str = "5d7e9f10-2b3c-4d5e-8f90-a1b2c3d4e5f6";
const VAULT: &str = "0e6f5a4b-3c2d-4e1f-9a8b-7c6d5e4f3a2b";
const OWN_VAULT: &str = "9c8b7a6f-5e4d-4c3b-8a29-1f0e2d3c4b5a";
const PORT: u16 = 9100;
const START: i64 = 1_735_689_600;

impl Ibm {
    /// IBM's half of the world at the start.
    #[must_use]
    pub fn seed() -> Self {
        Self {
            account: ACCOUNT.into(),
            region: REGION.into(),
            api_keys: BTreeMap::from([(
                API_KEY.into(),
                Identity { iam_id: "iam-ServiceId-2f1e0d9c-8b7a-4695-8473-62514f3e2d1c".into(), without_access: false },
            )]),
            profiles: BTreeMap::from([(PROFILE.into(), profile())]),
            connectors: BTreeMap::from([(connector_id(), connector())]),
            locations: BTreeMap::from([(
                LOCATION.into(),
                Location { description: "keys".into(), tunnels: 3, created_at: START },
            )]),
            uko: BTreeMap::from([
                (INSTANCE.into(), server(vec![own_name(), format!("{}:{PORT}", legacy_name())], VAULT)),
                (SELF_MANAGED.into(), server(Vec::new(), OWN_VAULT)),
            ]),
            self_managed: self_managed(),
            next_client_port: 32_768,
            ..Self::default()
        }
    }
}

/// IBM's id of a connector: URL-safe base64 of its kind and its quoted short id \[D].
fn connector_id() -> String {
    URL_SAFE_NO_PAD.encode(format!("SatelliteConnector:\"{CONNECTOR}\""))
}

fn connector() -> Connector {
    Connector {
        name: "keys-eu".into(),
        region: REGION.into(),
        state: "CREATED".into(),
        created_date: "2025-01-01T00:00:00Z".into(),
        resource_group: "4c5d6e7f8091a2b3c4d5e6f708192a3b".into(),
        tunnels: 3,
    }
}

fn profile() -> Profile {
    Profile { name: "uko-operator".into(), iam_id: format!("iam-{PROFILE}"), links: Vec::new(), without_access: false }
}

fn own_name() -> String {
    format!("{INSTANCE}.uko.{REGION}.hs-crypto.appdomain.cloud")
}

fn legacy_name() -> String {
    format!("uko.{REGION}.hs-crypto.cloud.ibm.com")
}

fn server(hosts: Vec<String>, vault: &str) -> UkoServer {
    let payments = Vault {
        name: "payments".into(),
        description: "Keys of the payments team".into(),
        created_at: START,
        updated_at: START,
        created_by: "IBMid-0600002K1P".into(),
        updated_by: "IBMid-0600002K1P".into(),
        recovery_key_label: None,
    };
    UkoServer { hosts, vaults: BTreeMap::from([(vault.into(), payments)]), ..UkoServer::default() }
}

fn self_managed() -> SelfManaged {
    SelfManaged {
        oidc_client_secret: "oidc-client-secret".into(),
        users: BTreeMap::from([("operator".into(), "oidc-user-password".into())]),
        passcodes: BTreeMap::from([("UKOOPER".into(), "passcode-of-operator".into())]),
        forwarders: BTreeMap::from([(
            "forwarder.example.com:9443".into(),
            "payments-kv.privatelink.vaultcore.azure.net:443".into(),
        )]),
        ..SelfManaged::default()
    }
}

/// The `ibm` part of `seed.json`.
#[must_use]
pub fn seed_json(world: &World) -> Value {
    let ibm = &world.ibm;
    let own = &ibm.self_managed;
    json!({
        "accountId": ibm.account,
        "apiKey": API_KEY,
        "trustedProfileId": PROFILE,
        "region": REGION,
        "locationId": LOCATION,
        "connector": {"id": connector_id(), "name": "keys-eu", "region": REGION},
        "uko": {
            "instanceId": INSTANCE,
            "url": format!("https://{}", own_name()),
            "legacyUrl": format!("https://{}:{PORT}", legacy_name()),
            "brokerUrl": format!("https://{REGION}.broker.hs-crypto.cloud.ibm.com"),
            "sourceAddress": ibm.switches.uko_source_address,
            "vault": {"id": VAULT, "name": "payments"},
            "selfManaged": {
                "url": format!("https://{}:{}", own.host, own.port),
                "oidc": {
                    "provider": own.oidc_provider,
                    "clientId": own.oidc_client_id,
                    "clientSecret": own.oidc_client_secret,
                    "username": "operator",
                    "password": "oidc-user-password",
                },
                "passcode": {"userId": "UKOOPER", "passcode": "passcode-of-operator"},
                "vault": {"id": OWN_VAULT, "name": "payments"},
                "forwarders": own.forwarders,
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connectors_id_decodes_to_its_kind() {
        let plain = URL_SAFE_NO_PAD.decode(connector_id()).unwrap();
        assert_eq!(String::from_utf8(plain).unwrap(), "SatelliteConnector:\"ci8sugud1pgdkfe1ku1g\"");
    }
}
