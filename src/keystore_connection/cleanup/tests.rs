//! What goes, in which order, and what stops it.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use serde_json::{Value, json};

use super::{
    super::{desired::Desired, observe::Operation, resolve::Found},
    plan::{Case, Known, Remains, Step, part},
};
use crate::{
    api::v1alpha1::PendingCreate,
    clouds::{
        azure::{DnsZoneGroup, PrivateEndpoint},
        http::Class,
        ibm::{
            ETag, Keystore, UkoVaultId,
            uko::{InstalledKeys, KeystoreKind},
        },
    },
    reconcile::{
        announce::Age,
        farewell::{Next, Parting},
        fault::Fault,
        ownership::Owner,
        policy_file::Policy,
        secrets::Secrets,
        stage::Seen,
    },
};

const POLICY: &str = "rules: [{namespaces: [keys], ukoInstances: [3f8a6b1c-2d4e-4a5b-9c7d-8e0f1a2b3c4d]}]";

/// As the sample wants it.
pub(in crate::keystore_connection) fn want() -> Desired {
    wanted(POLICY)
}

fn wanted(policy: &str) -> Desired {
    let sample = include_str!("../../../deploy/samples/azure-keystore-connection.yaml");
    let object = serde_yaml::from_str(sample).unwrap();
    let key = ("keys".to_owned(), "payments".to_owned());
    let secrets = Secrets::holding("keys", BTreeMap::new());
    let found = Found { secrets, endpoint: Seen::NotLooked, keystores: Seen::NotLooked };
    Desired::parse(&object, &key, "cluster", found, &Policy::parse(policy).unwrap())
}

pub(super) fn other() -> Owner {
    Owner::new("cluster", "AzureKeystoreConnection", "keys", "other")
}

/// With the id `k1`.
pub(in crate::keystore_connection) fn keystore(description: &str) -> Keystore {
    Keystore {
        id: "k1".into(),
        vault_id: None,
        kind: KeystoreKind::AzureKeyVault,
        name: "payments-azure".to_owned(),
        description: description.to_owned(),
        groups: Vec::new(),
        tls_proxy: None,
        azure_service_name: None,
        azure_resource_group: None,
        azure_location: None,
        azure_service_principal_client_id: None,
        azure_tenant: None,
        azure_subscription_id: None,
        azure_environment: None,
        azure_variant: None,
        status: None,
        etag: Some(ETag::new("v1")),
    }
}

pub(super) fn endpoint(tags: &Value, state: &str) -> PrivateEndpoint {
    PrivateEndpoint::read(&json!({
        "id": want().private_endpoint.unwrap().id.as_str(),
        "tags": tags,
        "properties": {"provisioningState": state},
    }))
    .unwrap()
}

pub(super) fn group(name: &str) -> DnsZoneGroup {
    let id = format!("{}/privateDnsZoneGroups/{name}", want().private_endpoint.unwrap().id.as_str());
    DnsZoneGroup::read(&json!({"id": id, "properties": {"provisioningState": "Succeeded"}})).unwrap()
}

/// Everything is there and ours.
pub(super) fn all() -> Remains {
    let owner = want().owner;
    let tags = json!({"uko-operator-owner": owner.hash, "uko-operator-object": owner.object});
    Remains {
        keystores: Seen::Present(vec![(UkoVaultId::new("v"), keystore(&owner.marked("text")))]),
        installed: Seen::Present(InstalledKeys::default()),
        operation: Operation::None,
        endpoint: Seen::Present(endpoint(&tags, "Succeeded")),
        groups: Seen::Present(vec![group("uko-operator")]),
        claimed: Seen::Present(vec!["payments".to_owned()]),
    }
}

fn gone() -> Remains {
    Remains {
        keystores: Seen::Present(Vec::new()),
        endpoint: Seen::Absent,
        claimed: Seen::Absent,
        ..Remains::default()
    }
}

fn nothing_known() -> Known {
    Known { keystore: None, uko_vault: None, private_endpoint: None, last_write_at: None }
}

pub(super) fn decide(seen: &Remains, known: &Known, pending: Option<&PendingCreate>) -> Parting<Step> {
    let age = Age { now: Timestamp::from_second(1_800_000_000).unwrap(), lost_after: Duration::from_mins(2) };
    part(&Case { want: &want(), seen, known, pending, age, pause: Duration::ZERO })
}

fn next(seen: &Remains) -> Next<Step> {
    decide(seen, &nothing_known(), None).next
}

fn reason(next: &Next<Step>) -> &'static str {
    match next {
        Next::Blocked(fault) => fault.reason,
        Next::Wait(waiting) => waiting.word.reason,
        Next::Do(_) | Next::Over => "",
    }
}

fn word(next: &Next<Step>) -> &'static str {
    match next {
        Next::Do(Step::DisconnectKeystore { .. }) => "keystore",
        Next::Do(Step::DeleteDnsZoneGroup(_)) => "group",
        Next::Do(Step::DeletePrivateEndpoint { .. }) => "endpoint",
        Next::Do(Step::ReleaseConnectorEndpoint(_)) => "claim",
        Next::Wait(_) => "wait",
        Next::Blocked(_) => "blocked",
        Next::Over => "over",
    }
}

#[test]
fn the_keystore_goes_before_the_path_and_the_claim_on_the_endpoint_last() {
    let mut seen = all();
    assert_eq!(decide(&seen, &nothing_known(), None).steps.len(), 4, "all of it is told");
    let mut order = Vec::new();
    for _ in 0..5 {
        let now = next(&seen);
        order.push(word(&now));
        match now {
            Next::Do(Step::DisconnectKeystore { .. }) => seen.keystores = Seen::Present(Vec::new()),
            Next::Do(Step::DeleteDnsZoneGroup(_)) => seen.groups = Seen::Present(Vec::new()),
            Next::Do(Step::DeletePrivateEndpoint { .. }) => seen.endpoint = Seen::Absent,
            Next::Do(Step::ReleaseConnectorEndpoint(_)) => seen.claimed = Seen::Present(Vec::new()),
            Next::Wait(_) | Next::Blocked(_) | Next::Over => {}
        }
    }
    assert_eq!(order, ["keystore", "group", "endpoint", "claim", "over"]);
}

#[test]
fn what_cannot_be_read_is_never_taken_for_gone() {
    let fault = || Fault::new(Class::Transient, "Dark", "");
    for (seen, what) in [
        (Remains { keystores: Seen::Unknown(fault()), ..gone() }, "keystores"),
        (Remains { installed: Seen::Unknown(fault()), ..all() }, "its keys"),
        (Remains { endpoint: Seen::Unknown(fault()), ..gone() }, "endpoint"),
        (Remains { groups: Seen::Unknown(fault()), keystores: Seen::Present(Vec::new()), ..all() }, "groups"),
        (Remains { claimed: Seen::Unknown(fault()), ..gone() }, "claims"),
    ] {
        assert_eq!(reason(&next(&seen)), "Dark", "{what}");
    }
    assert_eq!(next(&gone()), Next::Over);
}

#[test]
fn a_keystore_with_keys_stops_everything_and_its_keys_are_named_up_to_a_bound() {
    let labels = (0..10).map(|n| format!("key-{n}")).collect();
    let now = next(&Remains { installed: Seen::Present(InstalledKeys { count: 12, labels }), ..all() });
    let Next::Blocked(fault) = now else { panic!("{now:?}") };
    assert_eq!(fault.reason, "KeystoreInUse");
    assert!(fault.message.contains("key-0, key-1") && fault.message.contains("and 2 more"), "{}", fault.message);
}

#[test]
fn only_what_is_ours_goes_and_the_rest_is_told() {
    let theirs = json!({"uko-operator-owner": other().hash, "uko-operator-object": other().object});
    let [tag, object] = want().owner.released_tags();
    let released = json!({"uko-operator-owner": tag, "uko-operator-object": object});
    for (tags, description) in
        [(&theirs, other().mark()), (&released, want().owner.released()), (&json!({}), String::new())]
    {
        let seen = Remains {
            keystores: Seen::Present(vec![(UkoVaultId::new("v"), keystore(&description))]),
            endpoint: Seen::Present(endpoint(tags, "Succeeded")),
            claimed: Seen::Absent,
            ..all()
        };
        let parting = decide(&seen, &nothing_known(), None);
        assert_eq!((parting.next, parting.left.len()), (Next::Over, 2), "{tags}");
    }
    // Without any mark the id in status says that it is ours.
    let known = Known {
        keystore: Some("k1".into()),
        uko_vault: None,
        private_endpoint: Some(want().private_endpoint.unwrap().id),
        last_write_at: None,
    };
    let mut seen = Remains {
        keystores: Seen::Present(vec![(UkoVaultId::new("v"), keystore("by hand"))]),
        endpoint: Seen::Present(endpoint(&json!({}), "Succeeded")),
        ..all()
    };
    assert_eq!(word(&decide(&seen, &known, None).next), "keystore");
    seen.keystores = Seen::Present(Vec::new());
    assert_eq!(word(&decide(&seen, &known, None).next), "group");
    // A foreign mark wins over it.
    seen.endpoint = Seen::Present(endpoint(&theirs, "Succeeded"));
    assert_eq!(word(&decide(&seen, &known, None).next), "claim");
}

#[test]
fn a_zone_group_of_others_is_not_named_and_a_running_operation_is_waited_for() {
    let mut seen = Remains { keystores: Seen::Present(Vec::new()), ..all() };
    seen.groups = Seen::Present(vec![group("set-by-policy")]);
    assert_eq!(word(&next(&seen)), "endpoint");
    seen.operation = Operation::Running(Duration::from_secs(7));
    assert_eq!(word(&next(&seen)), "wait");
    seen.operation = Operation::Failed(Fault::awaiting_person("ResourceLocked", ""));
    assert_eq!(reason(&next(&seen)), "ResourceLocked");
    seen.operation = Operation::None;
    let owner = want().owner;
    seen.endpoint = Seen::Present(endpoint(&json!({"uko-operator-owner": owner.hash}), "Deleting"));
    assert_eq!(word(&next(&seen)), "wait");
}

#[test]
fn a_lost_creation_is_waited_for_until_it_can_have_no_effect() {
    let pending = |second: i64| PendingCreate {
        kind: "Keystore".to_owned(),
        started_at: Time(Timestamp::from_second(1_800_000_000 - second).unwrap()),
    };
    let now = decide(&gone(), &nothing_known(), Some(&pending(10))).next;
    assert_eq!(reason(&now), "CreationOutcomeInProgress");
    assert_eq!(decide(&gone(), &nothing_known(), Some(&pending(121))).next, Next::Over);
}

#[test]
fn what_the_policy_does_not_allow_is_not_touched() {
    let age = Age { now: Timestamp::UNIX_EPOCH, lost_after: Duration::ZERO };
    let refused = wanted("rules: []");
    let (pause, known) = (Duration::ZERO, nothing_known());
    let parting = part(&Case { want: &refused, seen: &all(), known: &known, pending: None, age, pause });
    assert_eq!(reason(&parting.next), "TargetNotAllowed");
}

#[test]
fn a_private_endpoint_whose_request_was_sent_last_is_waited_for() {
    let sent = |second: i64| Known {
        last_write_at: Some(Time(Timestamp::from_second(1_800_000_000 - second).unwrap())),
        ..nothing_known()
    };
    assert_eq!(reason(&decide(&gone(), &sent(10), None).next), "CreationOutcomeInProgress");
    assert_eq!(decide(&gone(), &sent(121), None).next, Next::Over);
    let known = Known { private_endpoint: Some(want().private_endpoint.unwrap().id), ..sent(10) };
    assert_eq!(decide(&gone(), &known, None).next, Next::Over, "it was there, and is gone");
}

#[test]
fn after_a_predecessor_that_died_a_private_endpoint_is_waited_for_as_well() {
    let age = Age { now: Timestamp::from_second(1_800_000_000).unwrap(), lost_after: Duration::from_mins(2) };
    let (want, seen, known, pause) = (want(), gone(), nothing_known(), Duration::from_secs(30));
    let case = Case { want: &want, seen: &seen, known: &known, pending: None, age, pause };
    assert_eq!(reason(&part(&case).next), "CreationOutcomeInProgress");
    assert_eq!(part(&Case { pause: Duration::ZERO, ..case }).next, Next::Over);
}
