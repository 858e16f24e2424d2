//! Who is waited for, what goes, and what stays.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};

use super::{
    super::{desired::Desired, observe::Cached, plan::Past, resolve::Found},
    plan::{Case, Inside, Remains, Step, part},
};
use crate::{
    api::v1alpha1::PendingCreate,
    clouds::{
        http::Class,
        ibm::{
            ConnectorId, Endpoint, EndpointId, Source,
            satellite::{ClientProtocol, ConnectionType, EndpointStatus, ServerProtocol, SourceKind},
        },
    },
    reconcile::{
        announce::Age,
        farewell::{Next, Parting},
        fault::Fault,
        ownership::Owner,
        secrets::Secrets,
        stage::Seen,
    },
};

/// What a test changes.
struct Scene {
    seen: Remains,
    past: Past,
    users: Seen<Vec<String>>,
    keystores: BTreeSet<String>,
    pending: Option<PendingCreate>,
}

fn want() -> Desired {
    let object = serde_yaml::from_str(include_str!("../../../deploy/samples/connector-endpoint.yaml")).unwrap();
    let found = Found { secrets: Secrets::holding("keys", BTreeMap::new()), used_by: Seen::Present(Vec::new()) };
    Desired::parse(&object, &("keys".to_owned(), "payments".to_owned()), "cluster", &found)
}

fn endpoint(id: &str, name: &str, created_by: Option<String>) -> Endpoint {
    Endpoint {
        id: id.into(),
        connector_id: None,
        display_name: name.to_owned(),
        connection_type: ConnectionType::Location,
        server_host: String::new(),
        server_port: None,
        client_protocol: ClientProtocol::Tcp,
        server_protocol: ServerProtocol::Tcp,
        inactivity_timeout: None,
        created_by,
        client_host: None,
        client_port: None,
        status: EndpointStatus::Enabled,
        sources: None,
    }
}

impl Scene {
    /// Endpoint and rule are there and ours, and nobody uses them.
    fn ours() -> Self {
        let source =
            Source { id: "s1".into(), name: want().source_name(), kind: SourceKind::User, addresses: Vec::new() };
        let inside = Inside {
            connector: ConnectorId::new("c"),
            endpoints: Seen::Present(vec![endpoint("e1", "any", Some(want().owner.mark()))]),
            sources: Seen::Present(vec![source]),
            bound: Seen::Present(vec![EndpointId::new("e1")]),
        };
        Self {
            seen: Remains { connectors: Seen::Present(vec![ConnectorId::new("c")]), insides: vec![inside] },
            past: Past::default(),
            users: Seen::Present(Vec::new()),
            keystores: BTreeSet::new(),
            pending: None,
        }
    }

    fn inside(&mut self) -> &mut Inside {
        &mut self.seen.insides[0]
    }

    fn part(&self) -> Parting<Step> {
        let age = Age { now: Timestamp::from_second(1_800_000_000).unwrap(), lost_after: Duration::from_mins(2) };
        part(&Case {
            want: &want(),
            seen: &self.seen,
            past: &self.past,
            users: &self.users,
            keystores: &self.keystores,
            pending: self.pending.as_ref(),
            age,
        })
    }

    fn blocked(&self) -> Fault {
        match self.part().next {
            Next::Blocked(fault) => fault,
            other @ (Next::Do(_) | Next::Wait(_) | Next::Over) => panic!("{other:?}"),
        }
    }
}

#[test]
fn the_endpoint_goes_before_its_rule_so_that_it_never_stands_open() {
    let mut scene = Scene::ours();
    assert_eq!(scene.part().steps.len(), 2);
    assert!(matches!(scene.part().next, Next::Do(Step::DeleteEndpoint { .. })));
    scene.inside().endpoints = Seen::Present(Vec::new());
    scene.inside().bound = Seen::Present(Vec::new());
    assert!(matches!(scene.part().next, Next::Do(Step::DeleteSource { .. })));
    scene.inside().sources = Seen::Present(Vec::new());
    assert_eq!(scene.part().next, Next::Over);
}

#[test]
fn whoever_uses_it_is_waited_for_and_named_up_to_a_bound() {
    let mut scene = Scene::ours();
    scene.users = Seen::Present((0..7).map(|n| format!("akc-{n}")).collect());
    let fault = scene.blocked();
    assert_eq!(fault.reason, "ConnectorEndpointInUse");
    assert!(fault.message.contains("akc-4 and 2 more"), "{}", fault.message);
    scene.users = Seen::Present(Vec::new());
    scene.keystores = BTreeSet::from(["k1".to_owned()]);
    assert!(scene.blocked().message.contains("k1") && scene.blocked().reason == "ConnectorEndpointInUse");
    scene.keystores.clear();
    scene.users = Seen::Unknown(Fault::new(Class::Transient, "Dark", ""));
    assert_eq!(scene.blocked().reason, "Dark", "who cannot be asked may be using it");
}

#[test]
fn what_cannot_be_read_is_never_taken_for_gone() {
    let dark = || Fault::new(Class::Transient, "Dark", "");
    let mut scene = Scene::ours();
    scene.inside().endpoints = Seen::Unknown(dark());
    assert_eq!(scene.blocked().reason, "Dark");
    let mut scene = Scene::ours();
    scene.inside().sources = Seen::Unknown(dark());
    assert_eq!(scene.blocked().reason, "Dark");
    let mut scene = Scene::ours();
    scene.inside().bound = Seen::Unknown(dark());
    assert_eq!(scene.blocked().reason, "Dark");
    let mut scene = Scene::ours();
    scene.seen = Remains { connectors: Seen::Unknown(dark()), insides: Vec::new() };
    assert_eq!(scene.blocked().reason, "Dark");
}

#[test]
fn a_connector_that_is_not_shown_is_gone_only_for_who_never_had_an_endpoint() {
    let mut scene = Scene::ours();
    scene.inside().endpoints = Seen::Absent;
    assert_eq!(scene.part().next, Next::Over);
    scene.past.cached = Cached { endpoint: Some("e1".into()), ..Cached::default() };
    assert_eq!(scene.blocked().reason, "ConnectorNotFound");
}

#[test]
fn what_is_anothers_stays_with_the_rule_that_guards_it() {
    let other = Owner::new("cluster", "ConnectorEndpoint", "keys", "other");
    for mark in [Some(other.mark()), Some(want().owner.released())] {
        let mut scene = Scene::ours();
        scene.inside().endpoints = Seen::Present(vec![endpoint("e1", &want().draft.display_name, mark)]);
        scene.past.cached = Cached { endpoint: Some("e1".into()), ..Cached::default() };
        let parting = scene.part();
        assert_eq!((parting.next, parting.left.len()), (Next::Over, 2), "{:?}", parting.left);
    }
}

#[test]
fn a_lost_creation_is_waited_for_until_it_can_have_no_effect() {
    let mut scene = Scene::ours();
    scene.inside().endpoints = Seen::Present(Vec::new());
    scene.inside().sources = Seen::Present(Vec::new());
    let pending = |age: i64| PendingCreate {
        kind: "ConnectorEndpoint".to_owned(),
        started_at: Time(Timestamp::from_second(1_800_000_000 - age).unwrap()),
    };
    scene.pending = Some(pending(10));
    assert!(matches!(scene.part().next, Next::Wait(waiting) if waiting.word.reason == "CreationOutcomeInProgress"));
    scene.pending = Some(pending(121));
    assert_eq!(scene.part().next, Next::Over);
}
