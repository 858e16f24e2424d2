//! GraphQL's grammar, as far as executable documents go.
//! In: tokens. Out: operations and fragments as written. Never: puts variables in or unfolds fragments.

use std::collections::BTreeMap;

use serde_json::Value;

use super::tokens::Token;

/// A value whose variables are not put in yet.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Value(Value),
    Variable(String),
    List(Vec<Raw>),
    Object(Vec<(String, Raw)>),
}

/// One choice of a selection set.
#[derive(Clone, Debug)]
pub(super) enum Choice {
    Field { alias: String, name: String, arguments: Vec<(String, Raw)>, only: Directives, selection: Vec<Choice> },
    Fragment { name: String, only: Directives },
    Inline { only: Directives, selection: Vec<Choice> },
}

/// `@include` and `@skip` with their conditions.
pub(super) type Directives = Vec<(String, Vec<(String, Raw)>)>;

/// An operation before its variables are put in.
pub(super) struct RawOperation {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) defaults: BTreeMap<String, Value>,
    pub(super) selection: Vec<Choice>,
}

/// Walks over tokens.
pub(super) struct Reader {
    pub(super) tokens: Vec<Token>,
    pub(super) at: usize,
}

impl Reader {
    pub(super) fn peek(&self) -> Option<&Token> {
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
        if self.takes(sign) {
            Ok(())
        } else {
            Err(format!("Syntax Error: Expected \"{sign}\", found {}.", self.found()))
        }
    }

    fn found(&self) -> String {
        match self.peek() {
            None => "<EOF>".into(),
            Some(Token::Name(text) | Token::Text(text) | Token::Number(text)) => {
                format!("\"{text}\"")
            }
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

    pub(super) fn definition(
        &mut self,
        operations: &mut Vec<RawOperation>,
        fragments: &mut BTreeMap<String, Vec<Choice>>,
    ) -> Result<(), String> {
        if self.peek() == Some(&Token::Sign('{')) {
            let selection = self.selection()?;
            operations.push(RawOperation {
                kind: "query".into(),
                name: String::new(),
                defaults: BTreeMap::new(),
                selection,
            });
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
            if self.takes('=')
                && let Raw::Value(value) = self.value()?
            {
                defaults.insert(name, value);
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
