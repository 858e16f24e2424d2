//! As much of GraphQL as a client needs to look something up.
//!
//! In: a query document, variables, an operation name. Out: the selected fields, filled by a resolver, in the order asked.
//! Never: knows a type; the resolver decides which fields exist.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

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
        None if operations.len() > 1 => return Err("Must provide operation name if query contains multiple operations.".into()),
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
        Value::Array(items) => items.iter().map(|item| select(item, selection)).collect::<Result<_, _>>().map(Value::Array),
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

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(char),
    Spread,
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = query.trim_start_matches('\u{feff}');
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            ' ' | '\t' | '\r' | '\n' | ',' => 1,
            '#' => rest.find('\n').unwrap_or(rest.len()),
            '.' if rest.starts_with("...") => {
                found.push(Token::Spread);
                3
            }
            '"' => {
                let (text, taken) = quoted(rest)?;
                found.push(Token::Text(text));
                taken
            }
            '-' | '0'..='9' => {
                let taken = run(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
                found.push(Token::Number(rest.get(..taken).unwrap_or_default().into()));
                taken
            }
            '_' | 'a'..='z' | 'A'..='Z' => {
                let taken = run(rest, |c| c.is_ascii_alphanumeric() || c == '_');
                found.push(Token::Name(rest.get(..taken).unwrap_or_default().into()));
                taken
            }
            '{' | '}' | '(' | ')' | '[' | ']' | ':' | '!' | '$' | '=' | '@' | '|' | '&' => {
                found.push(Token::Sign(first));
                1
            }
            other => return Err(format!("Syntax Error: Unexpected character \"{other}\".")),
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(found)
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// A quoted text, plain or of the block form, and how many bytes it takes.
fn quoted(text: &str) -> Result<(String, usize), String> {
    let unterminated = || "Syntax Error: Unterminated string.".to_owned();
    if let Some(block) = text.strip_prefix("\"\"\"") {
        let end = block.find("\"\"\"").ok_or_else(unterminated)?;
        return Ok((block.get(..end).unwrap_or_default().trim().to_owned(), end + 6));
    }
    let mut escaped = false;
    let end = text
        .char_indices()
        .skip(1)
        .find(|(_, c)| {
            let closes = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        })
        .map(|(at, _)| at + 1)
        .ok_or_else(unterminated)?;
    let literal = text.get(..end).unwrap_or_default();
    let plain = serde_json::from_str(literal).map_err(|_| unterminated())?;
    Ok((plain, end))
}

/// A value whose variables are not put in yet.
#[derive(Clone, Debug)]
enum Raw {
    Value(Value),
    Variable(String),
    List(Vec<Raw>),
    Object(Vec<(String, Raw)>),
}

#[derive(Clone, Debug)]
enum Choice {
    Field { alias: String, name: String, arguments: Vec<(String, Raw)>, only: Directives, selection: Vec<Choice> },
    Fragment { name: String, only: Directives },
    Inline { only: Directives, selection: Vec<Choice> },
}

/// `@include` and `@skip` with their conditions.
type Directives = Vec<(String, Vec<(String, Raw)>)>;

struct RawOperation {
    kind: String,
    name: String,
    defaults: BTreeMap<String, Value>,
    selection: Vec<Choice>,
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, sign: char) -> bool {
        let is_it = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is_it);
        is_it
    }

    fn needs(&mut self, sign: char) -> Result<(), String> {
        if self.takes(sign) { Ok(()) } else { Err(format!("Syntax Error: Expected \"{sign}\", found {}.", self.found())) }
    }

    fn found(&self) -> String {
        match self.peek() {
            None => "<EOF>".into(),
            Some(Token::Name(text) | Token::Text(text) | Token::Number(text)) => format!("\"{text}\""),
            Some(Token::Sign(sign)) => format!("\"{sign}\""),
            Some(Token::Spread) => "\"...\"".into(),
        }
    }

    fn name(&mut self) -> Result<String, String> {
        let found = self.found();
        match self.next() {
            Some(Token::Name(name)) => Ok(name),
            Some(Token::Text(_) | Token::Number(_) | Token::Sign(_) | Token::Spread) | None => {
                Err(format!("Syntax Error: Expected Name, found {found}."))
            }
        }
    }

    fn definition(
        &mut self,
        operations: &mut Vec<RawOperation>,
        fragments: &mut BTreeMap<String, Vec<Choice>>,
    ) -> Result<(), String> {
        if self.peek() == Some(&Token::Sign('{')) {
            let selection = self.selection()?;
            operations.push(RawOperation { kind: "query".into(), name: String::new(), defaults: BTreeMap::new(), selection });
            return Ok(());
        }
        let kind = self.name()?;
        match kind.as_str() {
            "fragment" => {
                let name = self.name()?;
                let on = self.name()?;
                if on != "on" {
                    return Err(format!("Syntax Error: Expected \"on\", found \"{on}\"."));
                }
                self.name()?;
                self.directives()?;
                let selection = self.selection()?;
                fragments.insert(name, selection);
            }
            "query" | "mutation" | "subscription" => {
                let name = if matches!(self.peek(), Some(Token::Name(_))) { self.name()? } else { String::new() };
                let defaults = self.variables()?;
                self.directives()?;
                let selection = self.selection()?;
                operations.push(RawOperation { kind, name, defaults, selection });
            }
            other => return Err(format!("Syntax Error: Unexpected Name \"{other}\".")),
        }
        Ok(())
    }

    /// `($first: Int = 10, $after: String)`: only the defaults matter, types are the resolver's business.
    fn variables(&mut self) -> Result<BTreeMap<String, Value>, String> {
        let mut defaults = BTreeMap::new();
        if !self.takes('(') {
            return Ok(defaults);
        }
        while !self.takes(')') {
            self.needs('$')?;
            let name = self.name()?;
            self.needs(':')?;
            while self.takes('[') {}
            self.name()?;
            while self.takes(']') || self.takes('!') {}
            if self.takes('=') {
                if let Raw::Value(value) = self.value()? {
                    defaults.insert(name, value);
                }
            }
            self.directives()?;
        }
        Ok(defaults)
    }

    fn selection(&mut self) -> Result<Vec<Choice>, String> {
        self.needs('{')?;
        let mut choices = Vec::new();
        while !self.takes('}') {
            choices.push(if self.peek() == Some(&Token::Spread) { self.spread()? } else { self.field()? });
        }
        if choices.is_empty() { Err("Syntax Error: Expected Name, found \"}\".".into()) } else { Ok(choices) }
    }

    fn spread(&mut self) -> Result<Choice, String> {
        self.at += 1;
        if let Some(Token::Name(name)) = self.peek().cloned() {
            self.at += 1;
            if name != "on" {
                return Ok(Choice::Fragment { name, only: self.directives()? });
            }
            self.name()?;
        }
        Ok(Choice::Inline { only: self.directives()?, selection: self.selection()? })
    }

    fn field(&mut self) -> Result<Choice, String> {
        let alias = self.name()?;
        let name = if self.takes(':') { self.name()? } else { alias.clone() };
        let arguments = self.arguments()?;
        let only = self.directives()?;
        let selection = if self.peek() == Some(&Token::Sign('{')) { self.selection()? } else { Vec::new() };
        Ok(Choice::Field { alias, name, arguments, only, selection })
    }

    fn directives(&mut self) -> Result<Directives, String> {
        let mut found = Vec::new();
        while self.takes('@') {
            found.push((self.name()?, self.arguments()?));
        }
        Ok(found)
    }

    fn arguments(&mut self) -> Result<Vec<(String, Raw)>, String> {
        let mut found = Vec::new();
        if self.takes('(') {
            while !self.takes(')') {
                let name = self.name()?;
                self.needs(':')?;
                found.push((name, self.value()?));
            }
        }
        Ok(found)
    }

    fn value(&mut self) -> Result<Raw, String> {
        let found = self.found();
        let wrong = || Err(format!("Syntax Error: Unexpected {found}."));
        match self.next() {
            Some(Token::Text(text)) => Ok(Raw::Value(Value::String(text))),
            Some(Token::Number(text)) => match serde_json::from_str(&text) {
                Ok(number) => Ok(Raw::Value(number)),
                Err(_) => wrong(),
            },
            Some(Token::Name(word)) => Ok(Raw::Value(match word.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                other => Value::String(other.into()),
            })),
            Some(Token::Sign('$')) => self.name().map(Raw::Variable),
            Some(Token::Sign('[')) => {
                let mut items = Vec::new();
                while !self.takes(']') {
                    items.push(self.value()?);
                }
                Ok(Raw::List(items))
            }
            Some(Token::Sign('{')) => {
                let mut members = Vec::new();
                while !self.takes('}') {
                    let name = self.name()?;
                    self.needs(':')?;
                    members.push((name, self.value()?));
                }
                Ok(Raw::Object(members))
            }
            Some(Token::Sign(_) | Token::Spread) | None => wrong(),
        }
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
                Choice::Inline { only, selection } if self.wanted(only) => fields.extend(self.fields(selection, depth + 1)?),
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
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
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
}
