//! The connector graph: `POST https://containers.cloud.ibm.com/graphql` \[D\].
//!
//! In: a client, an id or a name. Out: connectors.
//! Never: takes an answer with errors for an answer, or reads for ever.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Connector, Satellite, refusal, wire};
use crate::clouds::{
    hosts::CONTAINERS_HOST,
    http::{Answer, Bearer, Body, Class, Error, Request, Service},
    ibm::{ConnectorId, route},
};

const PAGE: u64 = 100;
/// 25 connectors are allowed for an account and region \[D\]; this is many times more than all regions together.
const PAGES: usize = 50;

pub(super) async fn connector(client: &Satellite, id: &ConnectorId) -> Result<Option<Connector>, Error> {
    let body = json!({"query": wire::CONNECTOR, "variables": {"id": id.as_str()}});
    let answer = ask(client, "GetConnector", &body).await?;
    let data = match data(&answer)? {
        Data::Found(data) => data,
        Data::NotFound => return Ok(None),
    };
    match data.get("node") {
        // A node without a name is something else than a connector.
        Some(node) if node.get("name").is_some() => {
            wire::connector(node).map(Some).map_err(|missing| answer.unreadable().with_source(Arc::new(missing)))
        }
        Some(_) => Ok(None),
        None => Err(answer.unreadable()),
    }
}

pub(super) async fn connectors_named(client: &Satellite, name: &str, region: &str) -> Result<Vec<Connector>, Error> {
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    for _page in 0..PAGES {
        let body = json!({"query": wire::CONNECTORS, "variables": {"first": PAGE, "after": after}});
        let answer = ask(client, "ListConnectors", &body).await?;
        let Data::Found(data) = data(&answer)? else {
            return Err(answer.unreadable());
        };
        let page = wire::connector_page(&data).map_err(|missing| answer.unreadable().with_source(Arc::new(missing)))?;
        found.extend(page.connectors.into_iter().filter(|one| {
            let there = one.region.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(region));
            there && one.name == name
        }));
        match page.next {
            None => return Ok(found),
            // A cursor that stands still would be read for ever.
            same if same == after => return Err(answer.unreadable()),
            next => after = next,
        }
    }
    let advice = "There are more connectors than can be read; name the connector by its id.";
    Err(Error::new(Service::Containers, "ListConnectors", Class::Invalid, "TooManyConnectors", advice))
}

pub(super) fn names_unsupported() -> Error {
    let advice = "With the link scope `locations` a connector is named by its id only.";
    Error::new(Service::Containers, "ListConnectors", Class::Invalid, "ConnectorNameUnsupported", advice)
}

/// A token that was revoked shows with status 401, or with 200 and a code \[I\]; both are tried once more with a fresh one.
async fn ask(client: &Satellite, operation: &'static str, body: &Value) -> Result<Answer, Error> {
    let base = route::base(Service::Containers, operation, CONTAINERS_HOST)?;
    let url = route::to(Service::Containers, operation, &base, &["graphql"])?;
    let request =
        Request::new(Service::Containers, operation, Method::POST, url).with_body(Body::json(body)).idempotent();
    let identity = client.identity();
    let used = identity.token().await?;
    let answer = client.http.send_as(&request, &identity).await?;
    if !refuses_token(&answer) {
        return Ok(answer);
    }
    identity.forget(&used);
    client.http.send_as(&request, &identity).await
}

fn refuses_token(answer: &Answer) -> bool {
    match data(answer) {
        Ok(_) => false,
        Err(error) => answer.is_success() && error.class == Class::Denied,
    }
}

enum Data {
    Found(Value),
    NotFound,
}

fn data(answer: &Answer) -> Result<Data, Error> {
    if !answer.is_success() {
        return Err(refusal::graph(answer));
    }
    let mut body: Value = answer.json()?;
    let errors = body.get("errors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let code = |error: &Value| error.pointer("/extensions/code").and_then(Value::as_str).map(str::to_owned);
    if !errors.is_empty() && errors.iter().all(|error| code(error).as_deref() == Some("NOT_FOUND")) {
        return Ok(Data::NotFound);
    }
    if !errors.is_empty() {
        return Err(refusal::graph_errors(answer, errors));
    }
    match body.get_mut("data").map(Value::take) {
        Some(data) if data.is_object() => Ok(Data::Found(data)),
        Some(_) | None => Err(answer.unreadable()),
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::clouds::ibm::refusal::tests::answer;

    fn graph(body: &str) -> Answer {
        answer(Service::Containers, "GetConnector", 200, body)
    }

    #[test]
    fn an_answer_with_errors_is_no_answer() {
        let partial = r#"{"data":{"node":{"id":"U2F0","name":"n"}},"errors":[{"message":"x"}]}"#;
        assert_eq!(data(&graph(partial)).err().unwrap().reason, "ConnectorLookupFailed");
        let gone = r#"{"data":{"node":null},"errors":[{"extensions":{"code":"NOT_FOUND"}}]}"#;
        assert!(matches!(data(&graph(gone)), Ok(Data::NotFound)));
        assert_eq!(data(&graph("<html>")).err().unwrap().reason, "AnswerUnreadable");
        assert_eq!(data(&graph("{\"data\":null}")).err().unwrap().reason, "AnswerUnreadable");
    }

    #[test]
    fn only_the_codes_of_a_token_ask_for_a_fresh_one() {
        assert!(refuses_token(&graph(r#"{"errors":[{"extensions":{"code":"UNAUTHENTICATED"}}]}"#)));
        assert!(!refuses_token(&graph(r#"{"errors":[{"extensions":{"code":"FORBIDDEN"}}]}"#)));
        assert!(!refuses_token(&graph(r#"{"data":{"node":null}}"#)));
    }
}
