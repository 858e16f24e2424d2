//! Every reason that a condition can carry has its entry under `docs/reasons/`, in the words of the source.
//!
//! The source says them in tables: `pub const REASONS: &[(&str, &str)]`, each row a reason and one sentence of what it means.
//! `UPDATE_GENERATED=1 cargo test --test reasons` writes headings and sentences anew and keeps what people wrote below them.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use uko_operator::api::condition::{CONNECTOR_ENDPOINT_STAGES, ConditionType, KEYSTORE_CONNECTION_STAGES};

const INTRODUCTION: &str = "# Conditions and their reasons

Both kinds report `status.conditions`. A condition's message says what is wrong and what to do; this page says what its
type and its reason mean. Reasons are stable: alerts and scripts may match on them.

<!-- Headings and first sentences are generated from src/; what stands below them is written by hand:
     UPDATE_GENERATED=1 cargo test --test reasons -->
";

const REASONS_HEADING: &str = "\n## Reasons\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The rows of every `REASONS` table in one source text.
fn rows_of(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for table in source.split("REASONS: &[(&str, &str)] = &[").skip(1) {
        let table = table.split_once("];").map_or(table, |(table, _)| table);
        let mut words = literals(table).into_iter();
        while let (Some(reason), Some(meaning)) = (words.next(), words.next()) {
            found.push((reason, meaning));
        }
    }
    found
}

/// The string literals of a table, with their escapes resolved.
fn literals(table: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    let mut characters = table.chars().peekable();
    while let Some(character) = characters.next() {
        match (character, open.as_mut()) {
            ('"', None) => open = Some(String::new()),
            ('"', Some(_)) => found.extend(open.take()),
            ('\\', Some(literal)) => match characters.next() {
                Some('n') => literal.push('\n'),
                Some('\n') => while characters.next_if(|next| next.is_whitespace()).is_some() {},
                Some(escaped) => literal.push(escaped),
                None => {}
            },
            (_, Some(literal)) => literal.push(character),
            (_, None) => {}
        }
    }
    found
}

/// Every reason of the source with its meaning; a reason that two tables hold must mean the same in both.
fn reasons() -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for path in rust_files(&root().join("src")) {
        for (reason, meaning) in rows_of(&fs::read_to_string(&path).unwrap()) {
            let place = path.display();
            let camel_case = reason.starts_with(|first: char| first.is_ascii_uppercase())
                && reason.chars().all(|letter| letter.is_ascii_alphanumeric());
            assert!(camel_case && reason.len() <= 64, "{place}: `{reason}` is no CamelCase word of at most 64 letters");
            assert!(meaning.ends_with('.'), "{place}: {reason} needs a sentence");
            let before = found.insert(reason.clone(), meaning.clone());
            assert!(
                before.is_none_or(|before| before == meaning),
                "{place}: {reason} means something else in another table"
            );
        }
    }
    found
}

/// What the page must be: all of it generated but what people wrote below a reason's first sentence.
fn page(written: &BTreeMap<String, String>) -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n## Types\n\n| Type | Stage of | True means |\n|---|---|---|\n");
    for kind in ConditionType::ALL {
        let stage = match (CONNECTOR_ENDPOINT_STAGES.contains(kind), KEYSTORE_CONNECTION_STAGES.contains(kind)) {
            (true, true) => "both",
            (true, false) => "ConnectorEndpoint",
            (false, true) => "AzureKeystoreConnection",
            (false, false) => "",
        };
        writeln!(page, "| `{}` | {stage} | {} |", kind.as_str(), kind.meaning()).unwrap();
    }
    page.push_str(REASONS_HEADING);
    for (reason, meaning) in reasons() {
        let below = written.get(&reason).map_or("", String::as_str);
        write!(page, "\n### {reason}\n\n{meaning}\n{below}").unwrap();
    }
    page
}

/// What people wrote below each reason's first sentence, and the reasons that the page has.
fn written(page: &str) -> BTreeMap<String, String> {
    let reasons = page.split_once(REASONS_HEADING).map_or("", |(_, reasons)| reasons);
    reasons
        .split("\n### ")
        .skip(1)
        .filter_map(|entry| {
            let (reason, rest) = entry.split_once("\n\n")?;
            let (_, below) = rest.split_once('\n')?;
            Some((reason.to_owned(), below.to_owned()))
        })
        .collect()
}

#[test]
fn every_reason_has_its_entry_in_the_words_of_the_source() {
    let path = root().join("docs/reasons/README.md");
    let found = fs::read_to_string(&path).unwrap_or_default();
    let wanted = page(&written(&found));
    if std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, wanted).unwrap();
        return;
    }
    let (known, told) = (reasons(), written(&found));
    let missing: Vec<_> = known.keys().filter(|reason| !told.contains_key(*reason)).collect();
    let stale: Vec<_> = told.keys().filter(|reason| !known.contains_key(*reason)).collect();
    assert!(
        found == wanted,
        "docs/reasons/README.md is not what the source says (missing {missing:?}, no longer there {stale:?}); \
         run: UPDATE_GENERATED=1 cargo test --test reasons"
    );
}

#[test]
fn tables_are_read_as_rust_reads_them() {
    let source = r#"
        pub const REASONS: &[(&str, &str)] = &[
            ("One", "A \"first\" sentence."),
            (
                "Two",
                "A sentence, \
                 cut in two.",
            ),
        ];
        const OTHER: &str = "not a reason";
    "#;
    let rows = [("One", "A \"first\" sentence."), ("Two", "A sentence, cut in two.")];
    let rows = rows.map(|(reason, meaning)| (reason.to_owned(), meaning.to_owned()));
    assert_eq!(rows_of(source), rows);
}

#[test]
fn what_people_wrote_below_a_reason_is_kept() {
    let page = format!("x{REASONS_HEADING}\n### One\n\nGenerated.\n\nBy hand.\n* More.\n\n### Two\n\nGenerated.\n");
    let kept = written(&page);
    assert_eq!(kept.get("One").map(String::as_str), Some("\nBy hand.\n* More.\n"));
    assert_eq!(kept.get("Two").map(String::as_str), Some(""));
}
