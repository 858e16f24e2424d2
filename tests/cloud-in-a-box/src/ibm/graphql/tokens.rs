//! GraphQL's words and signs.
//! In: text. Out: tokens; commas, blanks and comments are gone. Never: knows grammar.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Number(String),
    Sign(char),
    Spread,
}

/// The tokens of a document.
pub(super) fn tokens(query: &str) -> Result<Vec<Token>, String> {
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
