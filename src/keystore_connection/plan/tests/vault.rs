//! Stage `VaultReady`.

use serde_json::{Value, json};

use super::{
    sim::Sim,
    word,
    world::{KeyVault, Part, Trouble, World},
};
use crate::{api::condition::ConditionType, keystore_connection::plan::Step, reconcile::stage::Verdict};

const OFFICER: &str = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603";
const READER: &str = "21090545-7ca7-4776-b22c-e363652d74d2";
const CUSTOM: &str = "00000000-0000-4000-8000-000000000000";

fn verdict(spec: Value, change: impl FnOnce(&mut World)) -> Verdict<Step> {
    let mut world = World::default();
    change(&mut world);
    Sim::of(spec, world).verdict(ConditionType::VaultReady)
}

fn of_vault(spec: Value, change: impl FnOnce(&mut KeyVault)) -> String {
    word(&verdict(spec, |world| change(world.vault.as_mut().unwrap())))
}

#[test]
fn a_vault_that_is_not_there_is_told_apart_from_one_that_cannot_be_read() {
    let says = |change: fn(&mut World)| word(&verdict(json!({}), change));
    assert_eq!(says(|world| world.vault = None), "Blocked VaultNotFound NotFound");
    assert_eq!(
        says(|world| (world.vault, world.deleted_vault) = (None, true)),
        "Blocked VaultSoftDeleted AwaitingPerson"
    );
    assert_eq!(says(|world| world.darken(Part::Vault, Trouble::Outage)), "Unclear CloudUnavailable");
    assert_eq!(says(|world| world.darken(Part::Vault, Trouble::Forbidden)), "Blocked RoleMissing AwaitingPerson");
}

#[test]
fn a_vault_that_does_not_fit_is_refused_with_the_field_to_mend() {
    let none = || json!({});
    assert_eq!(of_vault(none(), |_| {}), "Met VaultReady");
    assert_eq!(of_vault(none(), |vault| vault.tenant = "x".to_owned()), "Blocked TenantMismatch Invalid");
    assert_eq!(of_vault(none(), |vault| vault.sku = "standard".to_owned()), "Blocked VaultNotPremium Invalid");
    assert_eq!(of_vault(json!({"keystore": {"variant": "Standard"}}), |_| {}), "Blocked VariantMismatch Invalid");
    assert_eq!(of_vault(none(), |vault| vault.sku = "later".to_owned()), "Blocked VariantMismatch Invalid");
    assert_eq!(of_vault(none(), |vault| vault.soft_delete = false), "Blocked SoftDeleteDisabled AwaitingPerson");
    assert_eq!(of_vault(none(), |vault| vault.state = "RegisteringDns".to_owned()), "Wait VaultInProgress");
}

#[test]
fn missing_permissions_are_told_granted_or_taken_on_trust() {
    let few =
        |vault: &mut KeyVault| vault.permissions.retain(|permission| permission != "purge" && permission != "backup");
    assert_eq!(of_vault(json!({}), few), "Blocked VaultAccessIncomplete AwaitingPerson");
    assert_eq!(of_vault(json!({"azure": {"keyPermissions": "Trust"}}), few), "Met VaultReady");
    let grant = verdict(json!({"azure": {"keyPermissions": "Grant"}}), |world| few(world.vault.as_mut().unwrap()));
    let Verdict::Do(Step::GrantKeyPermissions { object_id, permissions }, _) = grant else { panic!("{grant:?}") };
    assert_eq!((object_id.as_str(), permissions), (super::world::PRINCIPAL, vec!["purge", "backup"]));
}

#[test]
fn a_role_is_judged_only_as_far_as_anyone_can_tell() {
    let roles = |roles: &[&str]| {
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        of_vault(json!({}), |vault| (vault.rbac, vault.roles) = (true, roles))
    };
    assert_eq!(roles(&[READER, OFFICER]), "Met VaultReady");
    assert_eq!(roles(&[CUSTOM]), "Met VaultAccessUnverified");
    assert_eq!(roles(&[READER]), "Blocked VaultRoleMissing AwaitingPerson");
    assert_eq!(roles(&[]), "Blocked VaultRoleMissing AwaitingPerson");
    let dark = |trouble| {
        word(&verdict(json!({}), |world| {
            world.vault.as_mut().unwrap().rbac = true;
            world.dark.insert(Part::Roles, trouble);
        }))
    };
    assert_eq!(dark(Trouble::Forbidden), "Met VaultAccessUnverified");
    assert_eq!(dark(Trouble::Outage), "Unclear CloudUnavailable");
}

#[test]
fn rights_on_an_access_policy_are_granted_once() {
    let mut sim = Sim::of(json!({"azure": {"keyPermissions": "Grant"}}), World::settled());
    sim.world.vault.as_mut().unwrap().permissions.clear();
    sim.rest();
    let grants = sim.steps.iter().filter(|step| matches!(step, Step::GrantKeyPermissions { .. })).count();
    assert_eq!(grants, 1);
    assert!(sim.is(ConditionType::Ready, "True"));
}
