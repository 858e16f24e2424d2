//! As much of GraphQL as a client needs to look something up.
//!
//! In: a query document, variables, an operation name. Out: the selected fields, filled by a resolver, in the order asked.
//! Never: knows a type; the resolver decides which fields exist.

mod reader;
mod tokens;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use self::reader::{Choice, Directives, Raw, Reader};
use self::tokens::tokens;

/// One field that a client asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Field {
    /// The name under which the client wants the answer.
    pub alias: String,
    /// The field's own name.
    pub name: String,
    /// Its arguments, variables put in.
    pub arguments: BTreeMap<String, Value>,
    /// The fields asked for below it; fragments are unfolded.
    pub selection: Vec<Field>,
}

/// What a document asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// `query`, `mutation` or `subscription`.
    pub kind: String,
    /// The root fields.
    pub selection: Vec<Field>,
}

/// Reads a request.
///
/// # Errors
/// A message for the `errors` list.
pub fn parse(query: &str, variables: &Value, operation: Option<&str>) -> Result<Operation, String> {
    let mut reader = Reader { tokens: tokens(query)?, at: 0 };
    let mut operations = Vec::new();
    let mut fragments = BTreeMap::new();
    while reader.peek().is_some() {
        reader.definition(&mut operations, &mut fragments)?;
    }
    let chosen = match operation {
        Some(name) => operations.into_iter().find(|raw| raw.name == name),
        None if operations.len() > 1 => {
            return Err("Must provide operation name if query contains multiple operations.".into());
        }
        None => operations.into_iter().next(),
    };
    let raw = chosen.ok_or("Unknown operation.")?;
    let mut values = raw.defaults;
    if let Value::Object(given) = variables {
        values.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
    let unfold = Unfold { values: &values, fragments: &fragments };
    Ok(Operation { kind: raw.kind, selection: unfold.fields(&raw.selection, 0)? })
}

/// Picks the asked fields out of an object; `__typename` and nested objects and lists included.
///
/// # Errors
/// A field that the object does not have.
pub fn select(object: &Value, selection: &[Field]) -> Result<Value, String> {
    match object {
        Value::Array(items) => {
            items.iter().map(|item| select(item, selection)).collect::<Result<_, _>>().map(Value::Array)
        }
        Value::Object(members) if selection.is_empty() => {
            let kind = members.get("__typename").and_then(Value::as_str).unwrap_or("object");
            Err(format!("Field of type \"{kind}\" must have a selection of subfields."))
        }
        Value::Object(members) => {
            let mut picked = Map::new();
            for field in selection {
                let kind = members.get("__typename").and_then(Value::as_str).unwrap_or("object");
                let value = members
                    .get(&field.name)
                    .ok_or_else(|| format!("Cannot query field \"{}\" on type \"{kind}\".", field.name))?;
                picked.insert(field.alias.clone(), select(value, &field.selection)?);
            }
            Ok(Value::Object(picked))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(object.clone()),
    }
}

/// Puts variables in and unfolds fragments.
struct Unfold<'a> {
    values: &'a BTreeMap<String, Value>,
    fragments: &'a BTreeMap<String, Vec<Choice>>,
}

impl Unfold<'_> {
    fn fields(&self, choices: &[Choice], depth: usize) -> Result<Vec<Field>, String> {
        if depth > 32 {
            return Err("The query is nested too deeply.".into());
        }
        let mut fields = Vec::new();
        for choice in choices {
            match choice {
                Choice::Field { alias, name, arguments, only, selection } if self.wanted(only) => fields.push(Field {
                    alias: alias.clone(),
                    name: name.clone(),
                    arguments: arguments.iter().map(|(name, raw)| (name.clone(), self.value(raw))).collect(),
                    selection: self.fields(selection, depth + 1)?,
                }),
                Choice::Fragment { name, only } if self.wanted(only) => {
                    let body = self.fragments.get(name).ok_or_else(|| format!("Unknown fragment \"{name}\"."))?;
                    fields.extend(self.fields(body, depth + 1)?);
                }
                Choice::Inline { only, selection } if self.wanted(only) => {
                    fields.extend(self.fields(selection, depth + 1)?);
                }
                Choice::Field { .. } | Choice::Fragment { .. } | Choice::Inline { .. } => {}
            }
        }
        Ok(fields)
    }

    fn wanted(&self, directives: &Directives) -> bool {
        directives.iter().all(|(name, arguments)| {
            let condition = arguments.iter().find(|(name, _)| name == "if").map(|(_, raw)| self.value(raw));
            match (name.as_str(), condition) {
                ("include", Some(Value::Bool(condition))) => condition,
                ("skip", Some(Value::Bool(condition))) => !condition,
                _ => true,
            }
        })
    }

    fn value(&self, raw: &Raw) -> Value {
        match raw {
            Raw::Value(value) => value.clone(),
            Raw::Variable(name) => self.values.get(name).cloned().unwrap_or(Value::Null),
            Raw::List(items) => items.iter().map(|item| self.value(item)).collect(),
            Raw::Object(members) => {
                Value::Object(members.iter().map(|(name, raw)| (name.clone(), self.value(raw))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_phrasing_asks_for_the_same() {
        let plain = "{ node(id: \"a\") { id name } }";
        let named = "query Q($id: ID!) { node(id: $id) { ... on SatelliteConnector { id name } } }";
        let folded = "query Q($id: ID! = \"a\") { node(id: $id) { ...parts } } fragment parts on SatelliteConnector { id, name }";
        let wanted = parse(plain, &Value::Null, None).unwrap();
        assert_eq!(parse(named, &json!({"id": "a"}), Some("Q")).unwrap(), wanted);
        assert_eq!(parse(folded, &Value::Null, None).unwrap(), wanted);
    }

    #[test]
    fn skip_and_include_decide() {
        let query = "query($yes: Boolean!) { a @skip(if: $yes) b @include(if: $yes) }";
        let found = parse(query, &json!({"yes": true}), None).unwrap();
        assert_eq!(found.selection.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn an_alias_names_the_answer_and_an_unknown_field_is_refused() {
        let asked = parse("{ mine: name }", &Value::Null, None).unwrap();
        let object = json!({"__typename": "SatelliteConnector", "name": "n"});
        assert_eq!(select(&object, &asked.selection).unwrap(), json!({"mine": "n"}));
        let asked = parse("{ nome }", &Value::Null, None).unwrap();
        assert!(select(&object, &asked.selection).unwrap_err().contains("\"nome\""));
    }

    #[test]
    fn texts_hold_escapes_and_broken_documents_are_refused() {
        let asked = parse(r#"{ node(id: "a\"b") { id } }"#, &Value::Null, None).unwrap();
        assert_eq!(asked.selection.first().unwrap().arguments.get("id"), Some(&json!("a\"b")));
        for broken in ["{ a", "query {", "{ node(id: ) { id } }", "{ a } }", "nonsense", "", "{ a(x: \"y) }"] {
            assert!(parse(broken, &Value::Null, None).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_document_that_nests_without_end_is_refused() {
        let deep = "{ a".repeat(100_000);
        assert!(parse(&deep, &Value::Null, None).unwrap_err().contains("deeply"));
        let round = "{ ...x } fragment x on Y { a { ...x } }";
        assert!(parse(round, &Value::Null, None).unwrap_err().contains("deeply"));
    }
}
