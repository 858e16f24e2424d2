//! What holds for every wish, every state of the clouds and every loss of an answer.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    sim::{START, Sim, at, in_case},
    world::{
        Connection, Endpoint, Kek, KeyVault, PARTS, Part, Store, Test, Trouble, Whose, World, Write, Zone,
        connector_endpoint,
    },
};
use crate::reconcile::scenario::patched;
use crate::{
    api::condition::ConditionType,
    clouds::http::Class,
    keystore_connection::{
        observe::Observed,
        plan::{Case, Step, plan},
    },
    reconcile::{fault::Fault, stage::Seen, summary::Done},
};

fn pick<T: Clone + std::fmt::Debug + 'static>(choices: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(choices.to_vec())
}

fn words(choices: &'static [&'static str]) -> impl Strategy<Value = String> {
    pick(choices).prop_map(str::to_owned)
}

prop_compose! {
    fn spec()(
        (mode, drift, adoption) in (words(&["Manage", "Manage", "Manage", "Plan"]), words(&["Correct", "Report"]), words(&["Never", "IfUnowned"])),
        (test, permissions, approval) in (words(&["Required", "Advisory", "Skip"]), words(&["Verify", "Grant", "Trust"]), words(&["Automatic", "Manual"])),
        (endpoint, closes, create) in (any::<bool>(), any::<bool>(), any::<bool>()),
        (named, described, zone, path) in (any::<bool>(), any::<bool>(), any::<bool>(), 0..3),
        kek in words(&["Observe", "Ignore", "Recover", "Recreate", "Recreate"]),
    ) -> Value {
        let mut spec = json!({
            "mode": mode, "driftPolicy": drift, "adoptionPolicy": adoption, "connectionTest": test,
            "azure": {"keyPermissions": permissions}, "privateEndpoint": {"approval": approval}, "uko": {"vault": {"create": create}},
            "keyEncryptionKey": {"policy": kek},
        });
        if !zone {
            spec["privateEndpoint"]["privateDnsZoneId"] = Value::Null;
        }
        if !endpoint {
            spec["privateEndpoint"] = Value::Null;
        }
        if closes {
            spec["azure"]["publicNetworkAccess"] = json!("Disabled");
        }
        if named {
            spec["keystore"] = json!({"name": "chosen"});
        }
        if described {
            spec["keystore"]["description"] = json!("wanted");
        }
        match path {
            0 => spec["connectorEndpointRef"] = Value::Null,
            1 => {
                spec["connectorEndpointRef"] = Value::Null;
                spec["tlsProxy"] = json!("proxy.example.com:443");
            }
            _ => {}
        }
        spec
    }
}

prop_compose! {
    fn key_vault()(
        sku in words(&["premium", "premium", "premium", "standard"]),
        rbac in any::<bool>(),
        held in 0..=10_usize,
        public in words(&["Enabled", "Enabled", "Disabled", "SecuredByPerimeter", "Later"]),
        state in words(&["Succeeded", "Succeeded", "Updating"]),
    ) -> KeyVault {
        let all = KeyVault::default();
        let permissions = all.permissions.iter().take(held).cloned().collect();
        KeyVault { sku, rbac, permissions, public, state, ..all }
    }
}

prop_compose! {
    fn endpoint()(
        whose in pick(&[Whose::Ours, Whose::Ours, Whose::Nobodys, Whose::Released, Whose::Others]),
        state in words(&["Succeeded", "Succeeded", "Failed", "Updating", "Later"]),
        status in words(&["Approved", "Approved", "Pending", "Rejected", "Disconnected", "Later"]),
        manual in any::<bool>(),
        address in proptest::option::of(Just("10.1.0.4".to_owned())),
        tagged in any::<bool>(),
    ) -> Endpoint {
        let tags = if tagged { [("TEAM".to_owned(), "others".to_owned())].into() } else { std::collections::BTreeMap::new() };
        Endpoint { whose, tags, state, status, manual, address, ..Endpoint::default() }
    }
}

prop_compose! {
    fn store()(
        whose in pick(&[Whose::Ours, Whose::Nobodys, Whose::Released, Whose::Others]),
        vault_name in words(&["payments-kv", "payments-kv", "another-kv"]),
        name in words(&["payments", "chosen", "by-hand"]),
        described in any::<bool>(),
        proxied in any::<bool>(),
    ) -> Store {
        let description = if described { "made by hand\nlong ago".to_owned() } else { String::new() };
        let all = Store::default();
        Store { whose, vault_name, name, description, tls_proxy: all.tls_proxy.clone().filter(|_| proxied), ..all }
    }
}

prop_compose! {
    fn world()(
        vault in proptest::option::weighted(0.9, key_vault()),
        endpoint in proptest::option::of(endpoint()),
        connection in proptest::option::of((words(&["Approved", "Pending", "Rejected", "Disconnected", "Later"]), words(&["Succeeded", "Updating", "Failed"]))),
        keystores in proptest::collection::vec(store(), 0..2),
        (zone, record, linked) in (proptest::option::of(pick(&[Zone::Ours, Zone::Other, Zone::OursElsewhere, Zone::Updating])), proptest::option::of(words(&["10.1.0.4", "10.9.9.9"])), any::<bool>()),
        (vaults, neighbour, delegated) in (0..3_usize, proptest::bool::weighted(0.1), proptest::bool::weighted(0.1)),
        (kek, test) in (pick(&[Kek::Healthy, Kek::MadeByUko, Kek::Missing, Kek::SoftDeleted, Kek::Hidden, Kek::HiddenDeleted, Kek::WrongType, Kek::Expired]), pick(&[Test::Passes, Test::Passes, Test::Fails, Test::Names("azure_tenant".to_owned()), Test::Outage])),
        (health, heartbeat_age) in (proptest::option::of(words(&["ok", "not_responding", "configuration_error", "pending_check", "later"])), pick(&[0, 0, 100_000])),
        (ready, destination) in (proptest::bool::weighted(0.8), words(&["payments-kv.privatelink.vaultcore.azure.net", "10.1.0.4", "10.9.9.9"])),
        writes in proptest::collection::vec(pick(&[Write::Done, Write::LostBefore, Write::LostAfter, Write::DoneLater, Write::Refused]), 0..5),
        dark in proptest::collection::btree_map(pick(&PARTS), pick(&[Trouble::Outage, Trouble::Forbidden, Trouble::Denied]), 0..2),
    ) -> World {
        let path = json!({"spec": {"destination": {"host": destination}}, "status": {"enabled": ready}});
        World {
            vault, endpoint, keystores, linked, neighbour, kek, test, health, heartbeat_age, writes, dark,
            connection: connection.map(|(status, state)| Connection { status, state }),
            zone_group: zone,
            record: record.map(|address| vec![address]),
            uko_vaults: (0..vaults).map(|number| format!("{}{number}", &super::world::UKO_VAULT[..35])).collect(),
            subnet: super::world::Net { delegated, ..super::world::Net::default() },
            connector_endpoint: Some(patched(connector_endpoint(), path)),
            ..World::default()
        }
    }
}

/// The policy for the key-encryption key is one of these.
fn policy(sim: &Sim, wanted: &[&str]) -> bool {
    let spec = serde_json::to_value(&sim.object.spec).unwrap();
    wanted.iter().any(|word| spec["keyEncryptionKey"]["policy"] == *word)
}

/// Whatever one pass does is allowed by what is out there.
fn check(sim: &Sim, before: &World, step: &Step) -> Result<(), TestCaseError> {
    let dark = |parts: &[Part]| parts.iter().find(|part| before.dark.contains_key(part)).copied();
    match step {
        // A single keystore is read only once its id is known.
        Step::CreateKeystore(..) => {
            prop_assert_eq!(dark(&[Part::Vault, Part::UkoLogin, Part::UkoVaults, Part::Keystores]), None);
            let ours = before.keystores.iter().chain(before.later.iter().map(|(_, store)| store));
            let same = ours.filter(|store| store.vault_name == "payments-kv" || store.whose == Whose::Ours).count();
            prop_assert_eq!(same, 0, "a second keystore for one Key Vault");
        }
        Step::CreatePrivateEndpoint { .. } => {
            prop_assert_eq!(dark(&[Part::Vault, Part::Endpoint, Part::Subnet, Part::Network, Part::Neighbours]), None);
            prop_assert!(before.endpoint.is_none() && !before.neighbour && !before.subnet.delegated);
        }
        Step::CreateUkoVault { .. } => prop_assert!(dark(&[Part::UkoVaults]).is_none() && before.uko_vaults.is_empty()),
        Step::ClosePublicAccess => {
            let approved = |word: &str| word == "Approved";
            let endpoint = before.endpoint.as_ref().unwrap();
            prop_assert!(approved(&endpoint.status) && approved(&before.connection.as_ref().unwrap().status));
            let address = endpoint.address.clone().unwrap();
            let named = before.record == Some(vec![address.clone()]) && before.linked;
            let straight =
                before.connector_endpoint.as_ref().unwrap()["spec"]["destination"]["host"] == address.as_str();
            prop_assert!(named || straight);
            prop_assert!(before.health.as_deref().is_none_or(|word| word == "ok"));
            let since = sim.memory().path_facts_since.unwrap().0.as_second();
            prop_assert!(sim.now - before.heartbeat_age > since, "the heartbeat is older than the facts");
        }
        Step::ApproveConnection { .. }
        | Step::TagPrivateEndpoint { .. }
        | Step::RetryPrivateEndpoint { .. }
        | Step::CreateDnsZoneGroup { .. }
        | Step::RemoveDnsZoneGroup { .. } => {
            prop_assert_ne!(before.endpoint.as_ref().unwrap().whose, Whose::Others);
            if let Step::ApproveConnection { .. } = step {
                prop_assert!(!before.endpoint.as_ref().unwrap().manual);
            }
            if let Step::RemoveDnsZoneGroup { .. } = step {
                prop_assert_eq!(before.zone_group, Some(Zone::OursElsewhere));
            }
        }
        Step::AdoptKeystore { handle, .. } | Step::UpdateKeystore { handle, .. } => {
            let store = before.keystores.iter().find(|store| store.id == handle.id.as_str()).unwrap();
            prop_assert_ne!(store.whose, Whose::Others);
            prop_assert_eq!(store.vault_name.as_str(), "payments-kv");
        }
        Step::RecoverKey => {
            prop_assert!(policy(sim, &["Recover", "Recreate"]) && before.kek == Kek::SoftDeleted);
            prop_assert!(before.keystores.iter().any(|store| store.whose != Whose::Others));
        }
        Step::RecreateKey { .. } => {
            prop_assert!(policy(sim, &["Recreate"]) && before.vault.as_ref().unwrap().sku == "premium");
            prop_assert!(before.keystores.iter().any(|store| store.whose != Whose::Others));
            let lost = [Kek::Missing, Kek::SoftDeleted, Kek::Hidden, Kek::HiddenDeleted];
            prop_assert!(lost.contains(&before.kek));
            prop_assert!(before.kek != Kek::SoftDeleted || before.dark.contains_key(&Part::DataKey));
        }
        Step::RemovePrivateEndpoint { .. } => prop_assert!(false, "nobody asked for a new endpoint"),
        Step::GrantKeyPermissions { .. } | Step::TestConnection(_) => {}
    }
    Ok(())
}

/// From second, for seconds, what gets no answer.
type Blink = (i64, i64, Part);

fn blinks() -> impl Strategy<Value = Vec<Blink>> {
    proptest::collection::vec((0..400_i64, 5..150_i64, pick(&PARTS)), 0..4)
}

/// Some hours of passes; every step is checked.
fn live(sim: &mut Sim, seconds: i64, blinks: &[Blink]) -> Result<usize, TestCaseError> {
    let (until, mut passes, always) = (sim.now + seconds, 0, sim.world.dark.clone());
    while sim.now < until {
        let second = sim.now - START;
        sim.world.dark.clone_from(&always);
        for (from, length, part) in blinks {
            if (*from..from + length).contains(&second) {
                sim.world.darken(*part, Trouble::Outage);
            }
        }
        // What lands in this very pass is there before its step.
        let (mut before, have) = (sim.world.clone(), sim.steps.len());
        before.land(sim.now);
        let passed = sim.pass();
        for step in sim.steps.iter().skip(have) {
            check(sim, &before, step)?;
        }
        sim.wait(passed.next);
        passes += 1;
        prop_assert!(passes < 3 * seconds / 4 + 60, "a busy loop: {}", sim.says(ConditionType::Ready));
    }
    Ok(sim.steps.len())
}

fn resting(sim: &mut Sim) -> Result<(), TestCaseError> {
    let passed = sim.pass();
    match passed.step {
        // A failed test is repeated for ever, a refused write likewise, and Plan only says what it would do.
        Some(Step::TestConnection(_)) => {}
        Some(step) => prop_assert!(!matches!(passed.done, Done::Wrote), "still writing: {step:?}"),
        None => {
            let ready = sim.says(ConditionType::Ready);
            prop_assert!(ready.split_once(' ').is_some_and(|(_, reason)| reason.len() > 3), "{ready}");
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_wish_comes_to_rest_and_every_step_was_allowed(spec in spec(), world in world(), blinks in blinks()) {
        let plans = spec["mode"] == "Plan";
        let mut sim = Sim::of(spec, world);
        let made = live(&mut sim, 5400, &blinks)?;
        prop_assert!(!plans || sim.steps.is_empty(), "mode Plan did {:?}", sim.steps);
        let writes = sim.steps.iter().filter(|step| !matches!(step, Step::TestConnection(_))).count();
        prop_assert!(writes <= 24, "{writes} of {made}: {:?}", sim.steps);
        resting(&mut sim)?;
        let ours = sim.world.keystores.iter().filter(|store| store.vault_name == "payments-kv").count();
        prop_assert!(ours <= 1);
    }

    #[test]
    fn what_is_only_dark_for_a_while_ends_as_if_it_had_never_been(spec in spec(), mut world in world()) {
        let dark = std::mem::take(&mut world.dark);
        world.writes.clear();
        let mut calm = Sim::of(spec.clone(), world.clone());
        live(&mut calm, 5400, &[])?;
        let mut dim = Sim::of(spec, World { dark, ..world });
        live(&mut dim, 600, &[])?;
        dim.world.dark.clear();
        live(&mut dim, 5400, &[])?;
        prop_assert_eq!(dim.says(ConditionType::Ready), calm.says(ConditionType::Ready));
        prop_assert_eq!(&dim.world.endpoint, &calm.world.endpoint);
        prop_assert_eq!(dim.world.keystores.len(), calm.world.keystores.len());
    }

    #[test]
    fn a_plan_says_something_of_whatever_is_seen(spec in spec(), world in world(), holes in proptest::collection::vec((0..19_usize, 0..3_usize), 0..6), quick in any::<bool>()) {
        let sim = Sim::of(spec, world);
        in_case(&sim.object, &sim.world, at(START), |want, past, _| {
            let mut seen = sim.world.look(want, None, false, START);
            for (field, how) in holes {
                tear(&mut seen, field, how);
            }
            let plan = plan(Case { want, seen: &seen, past, quick, now: at(START) });
            prop_assert_eq!(plan.stages.len(), 8);
            for step in plan.stages.iter().filter_map(|stage| stage.verdict.to_do()) {
                match step {
                    Step::CreateKeystore(..) => prop_assert!(matches!(seen.keystore, Seen::Absent)),
                    Step::CreatePrivateEndpoint { .. } => prop_assert!(matches!(seen.endpoint, Seen::Absent) && seen.vault.present().is_some()),
                    Step::CreateUkoVault { .. } => prop_assert!(seen.uko_vaults.present().is_none_or(Vec::is_empty) && seen.uko_vaults.fault().is_none() && !matches!(seen.uko_vaults, Seen::NotLooked)),
                    Step::RecoverKey => prop_assert!(matches!(seen.key, Seen::Absent) && seen.deleted_key.present().is_some()),
                    Step::RecreateKey { .. } => prop_assert!(matches!(seen.key, Seen::Absent) && seen.keystore.present().is_some()),
                    Step::RemovePrivateEndpoint { .. } => prop_assert!(false, "nobody asked for it"),
                    Step::ClosePublicAccess => prop_assert!(seen.health.present().is_some() && seen.interface.present().is_some() && !quick),
                    Step::GrantKeyPermissions { .. } | Step::TagPrivateEndpoint { .. } | Step::RetryPrivateEndpoint { .. } | Step::ApproveConnection { .. } | Step::CreateDnsZoneGroup { .. } | Step::RemoveDnsZoneGroup { .. } | Step::TestConnection(_) | Step::AdoptKeystore { .. } | Step::UpdateKeystore { .. } => {}
                }
            }
            Ok(())
        })?;
    }
}

/// One field of a look is lost: not there, unreadable, or not looked at.
fn tear(seen: &mut Observed, field: usize, how: usize) {
    fn hole<T>(how: usize) -> Seen<T> {
        match how {
            0 => Seen::Absent,
            1 => Seen::NotLooked,
            _ => Seen::Unknown(Fault::new(Class::Transient, "CloudUnavailable", "")),
        }
    }
    match field {
        0 => seen.service_principal = hole(how),
        1 => seen.operator = hole(how),
        2 => seen.login = hole(how),
        3 => seen.vault = hole(how),
        4 => seen.deleted_vault = hole(how),
        5 => seen.roles = hole(how),
        6 => seen.endpoint = hole(how),
        7 => seen.subnet = hole(how),
        8 => seen.network = hole(how),
        9 => seen.neighbours = hole(how),
        10 => seen.interface = hole(how),
        11 => seen.zone_groups = hole(how),
        12 => seen.record = hole(how),
        13 => seen.links = hole(how),
        14 => seen.key = hole(how),
        15 => seen.uko_vaults = hole(how),
        16 => seen.keystores = hole(how),
        17 => seen.keystore = hole(how),
        _ => seen.health = hole(how),
    }
}
