//! Satellite connectors, endpoints and access rules against the box.
//!
//! In: a box. Out: what the client reads and writes. Never: asserts an order of calls.

use std::time::Duration;

use serde_json::{Value, json};
use uko_operator::clouds::{
    hosts::LinkScope,
    http::Class,
    ibm::{
        ConnectorId, Satellite,
        satellite::{ClientProtocol, ConnectorState, EndpointChange, EndpointDraft, ServerProtocol},
    },
};

use super::{Ibm, header};

fn client(ibm: &Ibm) -> (Satellite, ConnectorId) {
    let satellite = Satellite::new(ibm.http.clone(), ibm.iam(), ibm.api_key(), LinkScope::Connectors);
    (satellite, ibm.text("/ibm/connector/id").into())
}

fn draft(name: &str) -> EndpointDraft {
    EndpointDraft {
        display_name: name.into(),
        server_host: "payments-kv.privatelink.vaultcore.azure.net".into(),
        server_port: 443,
        client_protocol: ClientProtocol::Tcp,
        server_protocol: ServerProtocol::Tcp,
        inactivity_timeout: Some(Duration::from_mins(1)),
        created_by: "uko-operator:abc keys/payments".into(),
    }
}

#[tokio::test]
async fn a_connector_is_found_by_id_and_by_name_in_its_region() {
    let ibm = Ibm::start().await;
    let (satellite, id) = client(&ibm);
    let connector = satellite.connector(&id).await.unwrap().unwrap();
    assert_eq!((connector.name.as_str(), connector.state), ("keys-eu", ConnectorState::Created));
    assert_eq!(satellite.connectors_named("keys-eu", "eu-de").await.unwrap()[0].id, id);
    assert_eq!(satellite.connectors_named("keys-eu", "us-east").await.unwrap(), []);
    assert_eq!(satellite.connectors_named("keys", "eu-de").await.unwrap(), []);
    assert_eq!(satellite.connector(&"U2F0ZWxsaXRl".into()).await.unwrap(), None);
    assert_eq!(satellite.tunnels(&id).await.unwrap(), Some(3));
}

#[tokio::test]
async fn every_page_of_connectors_is_read_so_that_a_namesake_is_seen() {
    let ibm = Ibm::start().await;
    let (satellite, _) = client(&ibm);
    let many: serde_json::Map<String, Value> = (0..230)
        .map(|turn| {
            let name = if turn == 229 { "keys-eu".to_owned() } else { format!("other-{turn}") };
            let created = format!("2026-01-01T00:00:{turn:03}Z");
            (
                format!("U2F0{turn}"),
                json!({"name": name, "region": "eu-de", "state": "BRAND_NEW", "createdDate": created}),
            )
        })
        .collect();
    ibm.patch(&json!({"ibm": {"connectors": many}}));
    let found = satellite.connectors_named("keys-eu", "eu-de").await.unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].state, ConnectorState::Other("BRAND_NEW".into()));
}

#[tokio::test]
async fn errors_of_the_graph_are_errors_although_the_status_says_200() {
    let ibm = Ibm::start().await;
    let (satellite, id) = client(&ibm);
    for (body, class, reason) in [
        (json!({"data": null, "errors": [{"message": "no"}]}), Class::Transient, "ConnectorLookupFailed"),
        (json!({"errors": [{"extensions": {"code": "FORBIDDEN"}}]}), Class::AwaitingPerson, "ConnectorLookupDenied"),
        (json!("<html>maintenance</html>"), Class::Transient, "AnswerUnreadable"),
    ] {
        ibm.fault(json!({"service": "containers", "status": 200, "body": body}));
        let error = satellite.connector(&id).await.unwrap_err();
        assert_eq!((error.class, error.reason), (class, reason), "{body}");
    }
}

#[tokio::test]
async fn a_revoked_token_is_replaced_wherever_it_is_refused() {
    let ibm = Ibm::start().await;
    let (satellite, id) = client(&ibm);
    ibm.fault(json!({"service": "containers", "status": 200, "body": {"errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}}));
    assert!(satellite.connector(&id).await.unwrap().is_some());
    ibm.fault(json!({"service": "link", "status": 401}));
    assert_eq!(satellite.endpoints(&id).await.unwrap(), []);
    assert_eq!(ibm.calls("iam").len(), 3);
}

#[tokio::test]
async fn an_endpoint_lives_from_create_to_delete() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    let writer = satellite.writer();
    let made = writer.create_endpoint(&connector, &draft("uko-payments")).await.unwrap();
    assert_eq!(made.address(), None);
    let settled = loop {
        let now = satellite.endpoint(&connector, &made.id).await.unwrap().unwrap();
        if now.address().is_some() {
            break now;
        }
    };
    assert_eq!(settled.created_by.as_deref(), Some("uko-operator:abc keys/payments"));
    assert_eq!(settled.inactivity_timeout, Some(Duration::from_mins(1)));

    let mut change = EndpointChange::keeping(settled.server_protocol.clone());
    change.server_host = Some("10.0.0.7".into());
    change.enabled = Some(false);
    let changed = writer.update_endpoint(&connector, &made.id, &change).await.unwrap();
    assert_eq!((changed.server_host.as_str(), changed.is_enabled()), ("10.0.0.7", false));
    assert_eq!(changed.address(), settled.address());

    writer.delete_endpoint(&connector, &made.id).await.unwrap();
    assert_eq!(satellite.endpoints(&connector).await.unwrap(), []);
    writer.delete_endpoint(&connector, &made.id).await.unwrap();
    let account = ibm.text("/ibm/accountId");
    let calls = ibm.calls("link");
    assert!(calls.len() > 5);
    for call in calls {
        assert_eq!(header(&call, "x-auth-resource-account").as_ref(), Some(&account));
    }
}

#[tokio::test]
async fn a_change_never_resets_the_server_protocol() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    let writer = satellite.writer();
    let odd = EndpointDraft { client_protocol: ClientProtocol::Tls, ..draft("uko-odd") };
    let made = writer.create_endpoint(&connector, &odd).await.unwrap();
    assert_eq!(made.server_protocol, ServerProtocol::Tcp, "a service's default behind tls would be tls");
    let mut change = EndpointChange::keeping(made.server_protocol);
    change.inactivity_timeout = Some(Duration::from_secs(90));
    let changed = writer.update_endpoint(&connector, &made.id, &change).await.unwrap();
    assert_eq!(changed.server_protocol, ServerProtocol::Tcp);
}

#[tokio::test]
async fn access_rules_are_made_bound_changed_and_removed() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    let writer = satellite.writer();
    let endpoint = writer.create_endpoint(&connector, &draft("uko-payments")).await.unwrap();
    let source = writer.create_source(&connector, "uko-abcdefgh", &["10.0.0.0/8".into()]).await.unwrap();
    writer.bind_sources(&connector, &endpoint.id, &[(source.id.clone(), true)]).await.unwrap();
    let bound = satellite.endpoint_sources(&connector, &endpoint.id).await.unwrap();
    assert_eq!((bound.len(), bound[0].enabled, &bound[0].source_id), (1, true, &source.id));
    writer.update_source(&connector, &source.id, &["10.1.0.0/16".into(), "161.26.0.0/16".into()]).await.unwrap();
    let all = satellite.sources(&connector).await.unwrap();
    assert_eq!(all[0].addresses, ["10.1.0.0/16", "161.26.0.0/16"]);
    let error = writer.create_source(&connector, "uko-abcdefgh", &["10.0.0.0/8".into()]).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Conflict, "SourceNameTaken"));
    writer.delete_source(&connector, &source.id).await.unwrap();
    writer.delete_source(&connector, &source.id).await.unwrap();
    assert_eq!(satellite.sources(&connector).await.unwrap(), []);
}

#[tokio::test]
async fn quota_name_and_permission_each_have_a_reason() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    let writer = satellite.writer();
    ibm.patch(&json!({"ibm": {"switches": {"endpointQuota": {"limit": 1}}}}));
    writer.create_endpoint(&connector, &draft("uko-one")).await.unwrap();
    let error = writer.create_endpoint(&connector, &draft("uko-one")).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::Conflict, "EndpointNameTaken"));
    for status in [400, 403, 409, 422] {
        ibm.patch(&json!({"ibm": {"switches": {"endpointQuota": {"status": status}}}}));
        let error = writer.create_endpoint(&connector, &draft("uko-two")).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "AwaitingQuota"), "{status}");
        assert!(!error.outcome_unknown);
    }
    let key = ibm.text("/ibm/apiKey");
    ibm.patch(&json!({"ibm": {"apiKeys": {key.as_str(): {"withoutAccess": true}}}}));
    let error = writer.create_endpoint(&connector, &draft("uko-two")).await.unwrap_err();
    assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "LinkPermissionDenied"));
    let error = satellite.endpoints(&"U2F0".into()).await.unwrap_err();
    assert!(matches!(error.reason, "ConnectorNotFound" | "LinkPermissionDenied"));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_open_and_the_list_settles_it() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    ibm.fault(json!({"service": "link", "method": "POST", "drop": "after"}));
    let error = satellite.writer().create_endpoint(&connector, &draft("uko-lost")).await.unwrap_err();
    assert!(error.outcome_unknown);
    assert_eq!(error.class, Class::Transient);
    let found = satellite.endpoints(&connector).await.unwrap();
    assert_eq!(found[0].display_name, "uko-lost");
    let posts = ibm.calls("link").into_iter().filter(|call| call["method"] == "POST");
    assert_eq!(posts.count(), 1, "a create is never repeated");
}

#[tokio::test]
async fn a_missing_route_does_not_make_an_endpoint_look_gone() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    let writer = satellite.writer();
    let made = writer.create_endpoint(&connector, &draft("uko-payments")).await.unwrap();
    for status in [404, 405] {
        ibm.fault(
            json!({"service": "link", "method": "GET", "path": "/endpoints/", "status": status, "body": "<html>"}),
        );
        assert!(satellite.endpoint(&connector, &made.id).await.unwrap().is_some());
        ibm.fault(json!({"service": "link", "method": "DELETE", "status": status}));
        let error = writer.delete_endpoint(&connector, &made.id).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::AwaitingPerson, "LinkRouteUnsupported"));
    }
    assert_eq!(satellite.endpoint(&connector, &"U2F0_gone".into()).await.unwrap(), None);
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_never_an_empty_one() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    for body in [json!({"message": "try later"}), json!("<html>"), json!({"endpoints": [{"display_name": "n"}]})] {
        ibm.fault(json!({"service": "link", "status": 200, "body": body}));
        let error = satellite.endpoints(&connector).await.unwrap_err();
        assert_eq!((error.class, error.reason), (Class::Transient, "AnswerUnreadable"), "{body}");
    }
}

#[tokio::test]
async fn a_create_answered_with_201_is_as_good_as_200() {
    let ibm = Ibm::start().await;
    let (satellite, connector) = client(&ibm);
    ibm.patch(&json!({"ibm": {"switches": {"linkCreated": 201}}}));
    assert!(satellite.writer().create_endpoint(&connector, &draft("uko-payments")).await.is_ok());
}

#[tokio::test]
async fn locations_have_the_same_routes_under_another_name() {
    let ibm = Ibm::start().await;
    let satellite = Satellite::new(ibm.http.clone(), ibm.iam(), ibm.api_key(), LinkScope::Locations);
    let location: ConnectorId = ibm.text("/ibm/locationId").into();
    let seen = satellite.connector(&location).await.unwrap().unwrap();
    assert_eq!((seen.state, seen.tunnels), (ConnectorState::Created, Some(3)));
    let made = satellite.writer().create_endpoint(&location, &draft("uko-payments")).await.unwrap();
    assert_eq!(satellite.endpoints(&location).await.unwrap()[0].id, made.id);
    assert_eq!(satellite.connector(&"nowhere".into()).await.unwrap(), None);
    let error = satellite.connectors_named("keys", "eu-de").await.unwrap_err();
    assert_eq!(error.reason, "ConnectorNameUnsupported");
}
