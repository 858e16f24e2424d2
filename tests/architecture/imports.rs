//! Which paths a source file imports, read from its text.
//!
//! In: the file's place below `src/` and its text. Out: full paths, `crate::…` for our own. Never: macros; no wall hangs on them.

/// The text without line comments and block comments; what stands in strings is left alone.
pub(crate) fn without_comments(source: &str) -> String {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| line.split_once(" // ").map_or(line, |(code, _)| code))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The text up to its tests, which stand last.
pub(crate) fn without_tests(code: &str) -> String {
    code.split_once("#[cfg(test)]").map_or(code, |(before, _)| before).to_owned()
}

/// Every path that is imported, or named in full from `crate::`.
pub(crate) fn imports_of(file: &str, code: &str) -> Vec<String> {
    let module = module_of(file);
    let mut found = Vec::new();
    for statement in statements(code) {
        expand("", &statement, &mut found);
    }
    // A path that ends in `::` opens a tree, which the statement above has unfolded.
    found.extend(
        code.replace("(in crate::", "(in ")
            .split("crate::")
            .skip(1)
            .map(|after| {
                after.chars().take_while(|c| c.is_alphanumeric() || ['_', ':'].contains(c)).collect::<String>()
            })
            .filter(|path| !path.is_empty() && !path.ends_with(':'))
            .map(|path| format!("crate::{path}")),
    );
    found.iter().map(|path| absolute(&module, path)).collect()
}

/// `a/b/mod.rs` and `a/b.rs` are both `a::b`.
fn module_of(file: &str) -> Vec<String> {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let mut parts: Vec<String> = module.split('/').map(str::to_owned).collect();
    if ["lib", "main"].contains(&module) {
        parts.clear();
    }
    parts
}

/// The bodies of `use …;` and `pub use …;`, on one line each.
fn statements(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for line in code.lines().map(str::trim) {
        let begun = line
            .strip_prefix("pub ")
            .or_else(|| line.strip_prefix("pub(").and_then(|rest| rest.split_once(") ")).map(|(_, rest)| rest))
            .unwrap_or(line)
            .strip_prefix("use ");
        if let Some(rest) = begun {
            open = Some(rest.to_owned());
        } else if let Some(statement) = open.as_mut() {
            statement.push_str(line);
        }
        if let Some(statement) = open.take_if(|statement| statement.contains(';')) {
            found.push(statement.split(';').next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// `a::{b, c::{d}}` is `a::b` and `a::c::d`.
fn expand(prefix: &str, tree: &str, found: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, inner)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default().trim();
        if !path.is_empty() {
            let path = format!("{prefix}{path}");
            found.push(path.trim_end_matches("::self").to_owned());
        }
        return;
    };
    let prefix = format!("{prefix}{}", head.trim());
    let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
    let (mut depth, mut branch) = (0_usize, String::new());
    for character in inner.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if character == ',' && depth == 0 {
            expand(&prefix, &branch, found);
            branch.clear();
        } else {
            branch.push(character);
        }
    }
    expand(&prefix, &branch, found);
}

/// From the crate's root, if it is ours.
fn absolute(module: &[String], path: &str) -> String {
    let mut at: Vec<&str> = module.iter().map(String::as_str).collect();
    let mut parts = path.split("::").peekable();
    match parts.peek().copied() {
        Some("crate" | "uko_operator") => at.clear(),
        Some("super") => {
            while parts.next_if_eq(&"super").is_some() {
                at.pop();
            }
            at.extend(parts);
            return format!("crate::{}", at.join("::"));
        }
        Some("self") => {}
        _ => return path.to_owned(),
    }
    parts.next();
    at.extend(parts);
    format!("crate::{}", at.join("::"))
}
