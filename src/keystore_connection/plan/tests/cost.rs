//! What a plan says a keystore costs, and when nobody can say it.

use serde_json::{Value, json};

use super::{
    sim::Sim,
    world::{Part, Trouble, World},
};
use crate::api::v1alpha1::{CostBasis, EstimatedCost, PlanAction};

/// What the plan says of the keystore it makes.
fn cost(spec: Value, change: impl FnOnce(&mut World)) -> Option<EstimatedCost> {
    let mut world = World::default();
    change(&mut world);
    let rows = Sim::of(spec, world).plan().preview();
    let mut costs =
        rows.into_iter().filter(|row| row.action == PlanAction::Create && row.resource == "keystore payments");
    let row = costs.next().unwrap();
    assert!(costs.next().is_none());
    row.estimated_cost
}

fn basis(change: impl FnOnce(&mut World)) -> (CostBasis, Option<String>) {
    let cost = cost(json!({"mode": "Plan"}), change).unwrap();
    assert_eq!((&*cost.currency, &*cost.prices_as_of), ("USD", "2025-07-23"));
    (cost.basis, cost.amount)
}

#[test]
fn the_first_keystore_of_an_instance_starts_its_base_price_and_every_other_one_adds_to_it() {
    assert_eq!(basis(|_| {}), (CostBasis::FirstKeystore, Some("3650.00".to_owned())));
    let others = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect();
    let further = (CostBasis::FurtherKeystore, Some("70.00".to_owned()));
    assert_eq!(basis(|world| world.elsewhere = others(&["azure_key_vault"])), further);
    assert_eq!(basis(|world| world.elsewhere = others(&["ibm_cloud_kms", "aws_kms"])), further);
    assert_eq!(basis(|world| world.elsewhere = others(&["of_next_year"])), further);
}

#[test]
fn nobody_guesses_where_keystores_could_not_be_counted() {
    let unknown = (CostBasis::Unknown, None);
    assert_eq!(basis(|world| world.elsewhere = vec!["ibm_cloud_kms".to_owned()]), unknown, "may be internal ones");
    for trouble in [Trouble::Outage, Trouble::Forbidden] {
        assert_eq!(basis(|world| world.darken(Part::Instance, trouble)), unknown);
    }
}

#[test]
fn it_is_told_where_an_earlier_stage_hides_the_keystore_and_where_it_is_the_next_step() {
    let next = json!({"privateEndpoint": null, "connectionTest": "Skip"});
    for spec in [json!({}), next, json!({"uko": {"vault": {"create": true}}})] {
        assert!(cost(spec.clone(), |_| {}).is_some(), "{spec}");
    }
    let no_vault_yet = cost(json!({"uko": {"vault": {"create": true}}}), |world| world.uko_vaults.clear());
    assert_eq!(no_vault_yet.unwrap().basis, CostBasis::FirstKeystore);
}

#[test]
fn a_server_of_ones_own_has_no_price() {
    let oidc = json!({"provider": "EkmfOpenIdConnect", "clientId": "uko-operator", "secretRef": {"name": "uko-login"}});
    let server = json!({
        "url": "https://uko.example.com",
        "caBundle": {"secretRef": {"name": "uko-ca"}},
        "authentication": {"type": "OidcPassword", "oidcPassword": oidc},
    });
    let none = cost(json!({"uko": {"hpcs": null, "server": server}}), |world| {
        world.policy = "rules: [{namespaces: [keys], ukoServers: ['https://uko.example.com']}]".to_owned();
        let login = [("username", "uko"), ("password", "uko"), ("clientSecret", "uko")];
        let login = login.map(|(key, value)| (key.to_owned(), value.to_owned()));
        world.secrets.insert("uko-login".to_owned(), login.into());
        world.secrets.insert("uko-ca".to_owned(), [("ca.crt".to_owned(), "a CA".to_owned())].into());
    });
    assert_eq!(none, None);
}
