//! The JSON of Satellite Link and of the connector graph.
//!
//! In: answers, read leniently; drafts and changes, written strictly. Out: data types, request bodies.
//! Never: sends a member that nobody asked for, save `server_protocol`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    ClientProtocol, ConnectionType, Connector, ConnectorState, Endpoint, EndpointChange, EndpointDraft, EndpointStatus,
    ServerProtocol, Source, SourceBinding, SourceKind,
};
use crate::clouds::ibm::{
    ConnectorId, EndpointId, SourceId,
    member::{Unreadable, filled, list, needed, number, text, texts, truth},
};

/// Asks for one connector by its global id \[D\].
pub(super) const CONNECTOR: &str = "query connector($id: ID!) { node(id: $id) { id \
     ... on SatelliteConnector { name state region { id name } } } }";

/// Asks for one page of all connectors the caller may see \[D\].
pub(super) const CONNECTORS: &str = "query connectors($first: Int, $after: String) { \
     satelliteConnectors(first: $first, after: $after) { \
     edges { node { id name state region { id name } } } pageInfo { hasNextPage endCursor } } }";

/// One page of connectors, and where the next one starts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ConnectorPage {
    pub(super) connectors: Vec<Connector>,
    pub(super) next: Option<String>,
}

pub(super) fn connector(node: &Value) -> Result<Connector, Unreadable> {
    let region = node.get("region").unwrap_or(&Value::Null);
    Ok(Connector {
        id: ConnectorId::new(needed(node, "id")?),
        name: needed(node, "name")?,
        region: filled(region, "name").or_else(|| filled(region, "id")),
        state: ConnectorState::of(&text(node, "state").unwrap_or_default()),
        tunnels: None,
    })
}

pub(super) fn connector_page(data: &Value) -> Result<ConnectorPage, Unreadable> {
    let found = data.get("satelliteConnectors").ok_or(Unreadable("satelliteConnectors"))?;
    let edges = list(found, "edges")?;
    // A node that one may not see is null; one without a name is no connector that a name could find.
    let nodes = edges.iter().filter_map(|edge| edge.get("node")).filter(|node| filled(node, "name").is_some());
    let page = found.get("pageInfo").unwrap_or(&Value::Null);
    let more = truth(page, "hasNextPage").unwrap_or(false);
    Ok(ConnectorPage {
        connectors: nodes.map(connector).collect::<Result<_, _>>()?,
        next: filled(page, "endCursor").filter(|_| more),
    })
}

/// A location as the Link API shows it \[S\]: it has no name, and its switch stands for its state.
pub(super) fn location(id: &ConnectorId, answer: &Value) -> Connector {
    let state = match text(answer, "status").unwrap_or_default().as_str() {
        "enabled" | "" => ConnectorState::Created,
        other => ConnectorState::Other(other.to_owned()),
    };
    Connector {
        id: id.clone(),
        name: filled(answer, "desc").unwrap_or_else(|| id.to_string()),
        region: None,
        state,
        tunnels: tunnels(answer),
    }
}

/// How many tunnels are up. Documented for locations \[S\]; a connector may show the like \[I\].
pub(super) fn tunnels(answer: &Value) -> Option<u32> {
    number(answer.get("performance")?, "tunnels")
}

pub(super) fn endpoints(answer: &Value) -> Result<Vec<Endpoint>, Unreadable> {
    list(answer, "endpoints")?.iter().map(endpoint).collect()
}

pub(super) fn endpoint(object: &Value) -> Result<Endpoint, Unreadable> {
    let word = |name| text(object, name).unwrap_or_default();
    // One public script writes `connection_type` [O].
    let side = text(object, "conn_type").unwrap_or_else(|| word("connection_type"));
    // Rules that cannot be read are not known, which says nothing against the endpoint.
    let bound = object.get("sources").and_then(Value::as_array);
    Ok(Endpoint {
        id: EndpointId::new(needed(object, "endpoint_id")?),
        connector_id: filled(object, "location_id").map(ConnectorId::new),
        display_name: word("display_name"),
        connection_type: ConnectionType::of(&side),
        server_host: word("server_host"),
        server_port: number(object, "server_port"),
        client_protocol: ClientProtocol::of(&word("client_protocol")),
        server_protocol: ServerProtocol::of(&word("server_protocol")),
        inactivity_timeout: number(object, "timeout").map(Duration::from_secs),
        created_by: text(object, "created_by"),
        client_host: filled(object, "client_host"),
        client_port: number(object, "client_port").filter(|port| *port != 0),
        status: EndpointStatus::of(&word("status")),
        sources: bound.and_then(|bound| bound.iter().map(binding).collect::<Result<_, _>>().ok()),
    })
}

pub(super) fn sources(answer: &Value) -> Result<Vec<Source>, Unreadable> {
    list(answer, "sources")?.iter().map(source).collect()
}

pub(super) fn source(object: &Value) -> Result<Source, Unreadable> {
    Ok(Source {
        id: SourceId::new(needed(object, "source_id")?),
        name: text(object, "source_name").unwrap_or_default(),
        kind: SourceKind::of(&text(object, "type").unwrap_or_default()),
        addresses: texts(object, "addresses"),
    })
}

pub(super) fn bindings(answer: &Value) -> Result<Vec<SourceBinding>, Unreadable> {
    list(answer, "sources")?.iter().map(binding).collect()
}

fn binding(object: &Value) -> Result<SourceBinding, Unreadable> {
    Ok(SourceBinding {
        source_id: SourceId::new(needed(object, "source_id")?),
        enabled: truth(object, "enabled").unwrap_or(false),
        pending: truth(object, "pending").unwrap_or(false),
    })
}

pub(super) fn create_endpoint(draft: &EndpointDraft) -> Value {
    let mut body = Map::new();
    body.insert("conn_type".into(), ConnectionType::Location.as_str().into());
    body.insert("display_name".into(), draft.display_name.as_str().into());
    body.insert("server_host".into(), draft.server_host.as_str().into());
    body.insert("server_port".into(), draft.server_port.into());
    body.insert("client_protocol".into(), draft.client_protocol.as_str().into());
    body.insert("server_protocol".into(), draft.server_protocol.as_str().into());
    if let Some(timeout) = draft.inactivity_timeout {
        body.insert("timeout".into(), timeout.as_secs().into());
    }
    body.insert("created_by".into(), draft.created_by.as_str().into());
    Value::Object(body)
}

pub(super) fn update_endpoint(change: &EndpointChange) -> Value {
    let EndpointChange {
        server_protocol,
        display_name,
        server_host,
        server_port,
        client_protocol,
        inactivity_timeout,
        created_by,
        enabled,
    } = change;
    let members = [
        ("display_name", display_name.as_deref().map(Value::from)),
        ("server_host", server_host.as_deref().map(Value::from)),
        ("server_port", server_port.map(Value::from)),
        ("client_protocol", client_protocol.as_ref().map(|word| word.as_str().into())),
        ("server_protocol", Some(server_protocol.as_str().into())),
        ("timeout", inactivity_timeout.map(|timeout| timeout.as_secs().into())),
        ("created_by", created_by.as_deref().map(Value::from)),
        ("enabled", enabled.map(Value::from)),
    ];
    let set = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect())
}

pub(super) fn create_source(name: &str, addresses: &[String]) -> Value {
    json!({"type": SourceKind::User.as_str(), "source_name": name, "addresses": addresses})
}

pub(super) fn update_source(addresses: &[String]) -> Value {
    json!({"addresses": addresses})
}

pub(super) fn bind_sources(states: &[(SourceId, bool)]) -> Value {
    let states = states.iter().map(|(id, enabled)| json!({"source_id": id.as_str(), "enabled": enabled}));
    json!({"sources": states.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn an_endpoint_right_after_create_has_no_address_yet() {
        let sample = json!({"endpoint_id": "U2F0_a1B2c", "conn_type": "location", "display_name": "uko-keys",
            "server_host": "kv.privatelink.vaultcore.azure.net", "server_port": 443, "client_protocol": "tcp",
            "server_protocol": "tcp", "timeout": 60, "client_host": null, "client_port": null, "status": "enabled"});
        let fresh = endpoint(&sample).unwrap();
        assert_eq!(fresh.address(), None);
        assert_eq!(fresh.inactivity_timeout, Some(Duration::from_mins(1)));
        assert!(fresh.is_enabled());

        let mut settled = sample;
        settled["client_host"] = json!("c-01.private.eu-de.link.satellite.cloud.ibm.com");
        settled["client_port"] = json!(12358);
        assert_eq!(
            endpoint(&settled).unwrap().address().as_deref(),
            Some("c-01.private.eu-de.link.satellite.cloud.ibm.com:12358")
        );
    }

    #[test]
    fn an_endpoint_may_lack_everything_but_its_id() {
        let bare = endpoint(&json!({"endpoint_id": "e", "brand_new": {"x": 1}})).unwrap();
        assert_eq!(bare.status, EndpointStatus::Other(String::new()));
        assert_eq!(bare.server_port, None);
        assert_eq!((bare.sources, bare.status.clone()), (None, EndpointStatus::Other(String::new())));
        assert_eq!(endpoint(&json!({"display_name": "n"})), Err(Unreadable("endpoint_id")));
    }

    #[test]
    fn ports_may_be_text_and_rules_may_be_missing() {
        let thin = json!({"endpoint_id": "e", "server_port": "443", "client_host": "c-01.private", "client_port": "32768",
            "timeout": "60", "sources": null, "status": null});
        let thin = endpoint(&thin).unwrap();
        assert_eq!((thin.server_port, thin.address().as_deref()), (Some(443), Some("c-01.private:32768")));
        assert_eq!(thin.inactivity_timeout, Some(Duration::from_mins(1)));
        assert_eq!((thin.sources.as_ref(), thin.enabled()), (None, None));
        let zero = endpoint(&json!({"endpoint_id": "e", "client_port": "0", "server_port": "https"})).unwrap();
        assert_eq!((zero.client_port, zero.server_port), (None, None));
        let unreadable = json!({"endpoint_id": "e", "status": "disabled", "sources": [{"source_name": "x"}]});
        let unreadable = endpoint(&unreadable).unwrap();
        assert_eq!((unreadable.sources.as_ref(), unreadable.enabled()), (None, Some(false)));
    }

    #[test]
    fn a_connector_that_cannot_be_named_is_passed_over() {
        let node = json!({"id": "U2F0", "name": "keys", "state": "CREATED"});
        let data = json!({"satelliteConnectors": {"edges": [{"node": null}, {}, null, {"node": {"id": "x"}},
            {"node": {"id": "y", "name": null}}, {"node": node}], "pageInfo": {"hasNextPage": false}}});
        let names: Vec<_> = connector_page(&data).unwrap().connectors.into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["keys"]);
        let anonymous = json!({"satelliteConnectors": {"edges": [{"node": {"name": "keys"}}]}});
        assert_eq!(connector_page(&anonymous), Err(Unreadable("id")), "it could be the one that is looked for");
    }

    #[test]
    fn unknown_words_are_kept() {
        let odd =
            json!({"endpoint_id": "e", "client_protocol": "quic", "server_protocol": "dtls", "status": "draining"});
        let odd = endpoint(&odd).unwrap();
        assert_eq!(odd.client_protocol.as_str(), "quic");
        assert_eq!(odd.server_protocol, ServerProtocol::Other("dtls".into()));
        assert_eq!(odd.status.as_str(), "draining");
        assert_eq!((odd.enabled(), odd.is_enabled()), (None, false));
    }

    #[test]
    fn a_page_of_connectors_names_the_next_one_only_when_there_is_one() {
        let mut data = json!({"satelliteConnectors": {
            "edges": [{"cursor": "1", "node": {"id": "U2F0", "name": "keys", "state": "CREATED",
                "region": {"id": "eu-de", "name": "eu-de", "displayName": "Frankfurt"}}}],
            "pageInfo": {"hasNextPage": true, "endCursor": "1"}}});
        let page = connector_page(&data).unwrap();
        assert_eq!(page.next.as_deref(), Some("1"));
        assert_eq!(page.connectors[0].region.as_deref(), Some("eu-de"));
        data["satelliteConnectors"]["pageInfo"]["hasNextPage"] = json!(false);
        assert_eq!(connector_page(&data).unwrap().next, None);
        assert_eq!(connector_page(&json!({"satelliteConnectors": null})), Err(Unreadable("edges")));
    }

    #[test]
    fn a_location_shows_its_tunnels_and_its_switch() {
        let id = ConnectorId::new("brbats7009sqna3dtest");
        let up = location(&id, &json!({"desc": "site", "status": "enabled", "performance": {"tunnels": 3}}));
        assert_eq!((up.name.as_str(), up.state, up.tunnels), ("site", ConnectorState::Created, Some(3)));
        let off = location(&id, &json!({"status": "disabled"}));
        assert_eq!(off.state, ConnectorState::Other("disabled".into()));
    }

    #[test]
    fn a_new_endpoint_says_everything_the_service_would_otherwise_guess() {
        let draft = EndpointDraft {
            display_name: "uko-keys-payments-abcdefgh".into(),
            server_host: "kv.privatelink.vaultcore.azure.net".into(),
            server_port: 443,
            client_protocol: ClientProtocol::Tcp,
            server_protocol: ServerProtocol::Tcp,
            inactivity_timeout: Some(Duration::from_mins(1)),
            created_by: "uko-operator:abc keys/payments".into(),
        };
        assert_eq!(
            create_endpoint(&draft),
            json!({"conn_type": "location", "display_name": "uko-keys-payments-abcdefgh",
                "server_host": "kv.privatelink.vaultcore.azure.net", "server_port": 443, "client_protocol": "tcp",
                "server_protocol": "tcp", "timeout": 60, "created_by": "uko-operator:abc keys/payments"})
        );
    }

    #[test]
    fn a_change_holds_what_was_asked_and_always_the_server_protocol() {
        let mut change = EndpointChange::keeping(ServerProtocol::Tls);
        assert_eq!(update_endpoint(&change), json!({"server_protocol": "tls"}));
        change.enabled = Some(false);
        change.server_port = Some(8443);
        assert_eq!(update_endpoint(&change), json!({"server_protocol": "tls", "server_port": 8443, "enabled": false}));
    }

    #[test]
    fn rules_and_their_bindings_read_and_write_the_same_words() {
        let rule = source(&json!({"source_id": "U2F0-Source-x", "source_name": "uko-abc", "type": "user",
            "addresses": ["10.0.0.0/8"], "location_id": "U2F0"}))
        .unwrap();
        assert_eq!((rule.kind, rule.addresses), (SourceKind::User, vec!["10.0.0.0/8".to_owned()]));
        let bound = bindings(&json!({"sources": [{"source_id": "s", "enabled": true, "pending": true}]})).unwrap();
        assert_eq!(bound, [SourceBinding { source_id: "s".into(), enabled: true, pending: true }]);
        assert_eq!(
            bind_sources(&[("s".into(), true), ("t".into(), false)]),
            json!({"sources": [{"source_id": "s", "enabled": true}, {"source_id": "t", "enabled": false}]})
        );
        assert_eq!(
            create_source("uko-abc", &["10.0.0.0/8".to_owned()]),
            json!({"type": "user", "source_name": "uko-abc", "addresses": ["10.0.0.0/8"]})
        );
    }
}
