//! IBM Cloud containers, as far as it knows Satellite connectors: `POST /graphql` with `node` and `satelliteConnectors`.
//!
//! In: a GraphQL request. Out: connectors, page by page; errors come with status 200. Never: knows endpoints or agents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::graphql::{self, Field};
use super::iam;
use super::state::Connector;
use crate::state::World;
use crate::wire::{Answer, Call};

/// Connectors on a page when the client names no size [I].
const PAGE: usize = 20;
const PAGE_LIMIT: usize = 100;

/// Answers the GraphQL route.
#[must_use]
pub fn answer(world: &World, call: &Call) -> Answer {
    let request_id = Uuid::new_v4().to_string();
    answered(world, call).header("X-Request-Id", request_id)
}

fn answered(world: &World, call: &Call) -> Answer {
    if call.path != "/graphql" || call.method != http::Method::POST {
        let body = json!({"code": "E0404", "description": "The requested resource was not found.", "type": "General"});
        return Answer::json(404, &body).refused("containers has only POST /graphql in the box");
    }
    let caller = match iam::caller(world, call) {
        Ok(caller) => caller,
        Err(stranger) => {
            let code = if stranger.status == 401 { "UNAUTHENTICATED" } else { "FORBIDDEN" };
            return errors(&stranger.why, code).refused(stranger.why);
        }
    };
    let body = match call.json() {
        Ok(body) => body,
        Err(answer) => return answer.by(caller.iam_id),
    };
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let variables = body.get("variables").cloned().unwrap_or(Value::Null);
    let operation = body.get("operationName").and_then(Value::as_str);
    let done = graphql::parse(query, &variables, operation).and_then(|asked| match asked.kind.as_str() {
        "query" => data(world, &asked.selection),
        other => Err(format!("The box serves no {other}.")),
    });
    match done {
        Ok(data) => Answer::json(200, &json!({"data": data})).by(caller.iam_id),
        Err(why) => errors(&why, "GRAPHQL_VALIDATION_FAILED").refused(why).by(caller.iam_id),
    }
}

fn errors(message: &str, code: &str) -> Answer {
    let body = json!({"errors": [{"message": message, "extensions": {"code": code}}], "data": null});
    Answer::json(200, &body)
}

fn data(world: &World, selection: &[Field]) -> Result<Value, String> {
    let mut answer = Map::new();
    for field in selection {
        let value = match field.name.as_str() {
            "node" => node(world, field)?,
            "satelliteConnectors" => page(world, field)?,
            "__typename" => json!("Query"),
            other => return Err(format!("Cannot query field \"{other}\" on type \"Query\".")),
        };
        answer.insert(field.alias.clone(), value);
    }
    Ok(Value::Object(answer))
}

fn node(world: &World, field: &Field) -> Result<Value, String> {
    let Some(Value::String(id)) = field.arguments.get("id") else {
        return Err("Field \"node\" argument \"id\" of type \"ID!\" is required, but it was not provided.".into());
    };
    match world.ibm.connectors.get(id) {
        Some(connector) => graphql::select(&shown(world, id, connector), &field.selection),
        None => Ok(Value::Null),
    }
}

fn page(world: &World, field: &Field) -> Result<Value, String> {
    let mut all: Vec<_> = world.ibm.connectors.iter().collect();
    all.sort_by(|(id, one), (other_id, other)| (&one.created_date, id).cmp(&(&other.created_date, other_id)));
    let at = |cursor: &str| all.iter().position(|(id, _)| STANDARD.encode(id) == cursor);
    let mut from = 0;
    let mut to = all.len();
    if let Some(cursor) = text(field, "after")? {
        from = at(cursor).ok_or("Invalid cursor in argument \"after\".")? + 1;
    }
    if let Some(cursor) = text(field, "before")? {
        to = at(cursor).ok_or("Invalid cursor in argument \"before\".")?;
    }
    match (size(field, "first")?, size(field, "last")?) {
        (Some(_), Some(_)) => {
            return Err("Arguments \"first\" and \"last\" exclude each other.".into());
        }
        (Some(first), None) => to = to.min(from + first),
        (None, Some(last)) => from = from.max(to.saturating_sub(last)),
        (None, None) => to = to.min(from + PAGE),
    }
    let edges: Vec<Value> = all
        .iter()
        .enumerate()
        .filter(|(at, _)| (from..to).contains(at))
        .map(|(_, (id, connector))| {
            let cursor = STANDARD.encode(id);
            json!({"__typename": "SatelliteConnectorEdge", "cursor": cursor, "node": shown(world, id, connector)})
        })
        .collect();
    let cursor = |edge: Option<&Value>| edge.and_then(|edge| edge.get("cursor")).cloned().unwrap_or(Value::Null);
    let whole = json!({
        "__typename": "SatelliteConnectorConnection",
        "pageInfo": {
            "__typename": "PageInfo",
            "hasNextPage": to < all.len(),
            "hasPreviousPage": from > 0,
            "startCursor": cursor(edges.first()),
            "endCursor": cursor(edges.last()),
        },
        "edges": edges,
    });
    graphql::select(&whole, &field.selection)
}

fn text<'a>(field: &'a Field, argument: &str) -> Result<Option<&'a str>, String> {
    match field.arguments.get(argument) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!("String cannot represent a non string value: {other}")),
    }
}

fn size(field: &Field, argument: &str) -> Result<Option<usize>, String> {
    match field.arguments.get(argument) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(number @ 1..=PAGE_LIMIT) => Ok(Some(number)),
            _ => Err(format!("Argument \"{argument}\" must be a number from 1 to {PAGE_LIMIT}.")),
        },
    }
}

fn shown(world: &World, id: &str, connector: &Connector) -> Value {
    let account = &world.ibm.account;
    let crn = format!("crn:v1:bluemix:public:satellite:{}:a/{account}:{id}::", connector.region);
    json!({
        "__typename": "SatelliteConnector",
        "id": id,
        "name": connector.name,
        "crn": crn,
        "createdDate": connector.created_date,
        "state": connector.state,
        "region": {
            "__typename": "Region",
            "id": connector.region,
            "name": connector.region,
            "displayName": connector.region,
        },
        "resourceGroup": {
            "__typename": "ResourceGroup",
            "id": connector.resource_group,
            "externalID": connector.resource_group,
            "name": "Default",
        },
    })
}
