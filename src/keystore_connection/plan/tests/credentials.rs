//! Stage `CredentialsValid`, and that nothing is written behind a refused one.

use serde_json::json;

use super::{
    sim::Sim,
    word,
    world::{Part, Trouble, World},
};
use crate::api::condition::ConditionType;

const STAGE: ConditionType = ConditionType::CredentialsValid;

fn says(spec: serde_json::Value, change: impl FnOnce(&mut World)) -> String {
    let mut world = World::default();
    change(&mut world);
    word(&Sim::of(spec, world).verdict(STAGE))
}

#[test]
fn every_identity_that_is_refused_is_named() {
    let dark = |part, trouble| says(json!({}), |world| world.darken(part, trouble));
    for part in [Part::ServicePrincipal, Part::Operator, Part::UkoLogin] {
        assert_eq!(dark(part, Trouble::Denied), "Blocked CredentialsRefused Denied", "{part:?}");
        assert_eq!(dark(part, Trouble::Outage), "Unclear CloudUnavailable", "{part:?}");
    }
    assert_eq!(says(json!({}), |_| {}), "Met SignedIn");
}

#[test]
fn a_refusal_is_told_before_an_outage_beside_it() {
    let said = says(json!({}), |world| {
        world.dark.insert(Part::ServicePrincipal, Trouble::Outage);
        world.dark.insert(Part::UkoLogin, Trouble::Denied);
    });
    assert_eq!(said, "Blocked CredentialsRefused Denied");
}

#[test]
fn a_secret_that_cannot_be_used_says_why() {
    let said = says(json!({}), |world| drop(world.secrets.remove("payments-sp")));
    assert_eq!(said, "Blocked SecretNotFound Invalid");
    let said = says(json!({}), |world| drop(world.secrets.get_mut("ibm-cloud").unwrap().remove("apiKey")));
    assert_eq!(said, "Blocked SecretKeyMissing Invalid");
    let said = says(json!({}), |world| {
        world.secrets.get_mut("azure-operator").unwrap().insert("clientSecret".to_owned(), " \n".to_owned());
    });
    assert_eq!(said, "Blocked SecretKeyEmpty Invalid");
}

#[test]
fn the_object_id_must_be_the_one_of_the_principals_own_token() {
    let other = json!({"azure": {"servicePrincipal": {"objectId": "99999999-9999-4999-8999-999999999999"}}});
    assert_eq!(says(other.clone(), |_| {}), "Blocked ObjectIdMismatch Invalid");
    assert_eq!(says(other, |world| world.object_id = None), "Met SignedIn");
    assert_eq!(says(json!({}), |world| world.object_id = None), "Blocked ObjectIdUnknown Invalid");
    let same = json!({"azure": {"servicePrincipal": {"objectId": super::world::PRINCIPAL.to_uppercase()}}});
    assert_eq!(says(same, |_| {}), "Met SignedIn");
}

#[test]
fn what_the_policy_or_the_version_refuses_is_told_and_nothing_is_looked_at() {
    for (spec, policy, reason) in [
        (json!({}), "", "TargetNotAllowed"),
        (
            json!({"azure": {"identity": {"servicePrincipal": {"clientId": "33333333-3333-4333-8333-333333333333"}}}}),
            "allow",
            "IdentitiesNotSeparated",
        ),
        (
            json!({"azure": {"identity": {"servicePrincipal": {"passwordSecretRef": {"name": "payments-sp"}}}}}),
            "allow",
            "IdentitiesNotSeparated",
        ),
    ] {
        let mut world = World::default();
        if policy.is_empty() {
            world.policy = String::new();
        }
        let plan = Sim::of(spec, world).plan();
        assert_eq!(word(&plan.stages[0].verdict), format!("Blocked {reason} Invalid"));
        assert_eq!(plan.next(), None);
        for stage in plan.stages.iter().skip(1) {
            assert!(!matches!(stage.verdict, super::Verdict::Do(..)), "{stage:?}");
        }
    }
}

#[test]
fn nothing_is_written_behind_a_refused_credential() {
    for part in [Part::ServicePrincipal, Part::UkoLogin, Part::Operator] {
        let mut sim = Sim::of(json!({"azure": {"keyPermissions": "Grant"}}), World::default());
        sim.world.vault.as_mut().unwrap().permissions.clear();
        sim.world.dark.insert(part, Trouble::Denied);
        sim.run(600);
        assert_eq!(sim.steps, [], "{part:?}");
        assert!(sim.is(ConditionType::Stalled, "True"));
    }
}
