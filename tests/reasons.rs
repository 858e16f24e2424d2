//! Every reason that a condition can carry has its entry under `docs/reasons/`, in the words of the source.
//!
//! The source says them in tables: `pub const REASONS: &[(&str, &str)]`, each row a reason and one sentence of what it means.
//! `UPDATE_GENERATED=1 cargo test --test reasons` writes headings and sentences anew and keeps what people wrote below them.
//! Every CamelCase literal of the rooms that coin reasons must stand in a table, or among the [`other_words`].
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "reasons/other_words.rs"]
mod other_words;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use uko_operator::api::condition::{CONNECTOR_ENDPOINT_STAGES, ConditionType, KEYSTORE_CONNECTION_STAGES};

const INTRODUCTION: &str = "# Conditions and their reasons

Both kinds report `status.conditions`. A condition's message says what is wrong and what to do; this page says what its
type and its reason mean. Reasons are stable: alerts and scripts may match on them.

Read the first condition that is not True; the later ones wait for it. A reason that ends in `InProgress` needs nobody, one
that begins with `Awaiting` needs a person outside and is no fault. The commands below take these names from your shell:

    NS=keys NAME=payments VAULT=payments-kv RG=rg-keys        # namespace and name of the object; vault and its group
    PE=payments-kv-pe PE_RG=rg-network                        # private endpoint and its group
    NET_RG=rg-network VNET=vnet-keys SUBNET=/subscriptions/...  # network, its group, id of the subnet
    CLIENT_ID=... OBJECT_ID=...                               # of UKO's service principal
    OPERATOR_CLIENT_ID=... SERVICE_ID=... CONNECTOR_ID=...    # the operator in Azure and in IBM Cloud; the connector
    VAULT_ID=$(az keyvault show --name $VAULT --query id -o tsv)
    REQUEST_ID=$(kubectl -n $NS get akc $NAME -o jsonpath='{.status.lastFailure.requestId}')

<!-- Headings and first sentences are generated from src/; what stands below them is written by hand:
     UPDATE_GENERATED=1 cargo test --test reasons -->
";

/// Rooms that coin reasons.
const ROOMS: [&str; 4] = ["clouds", "reconcile", "connector_endpoint", "keystore_connection"];

const REASONS_HEADING: &str = "\n## Reasons\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // What a test says is no reason.
        let of_tests = path.file_stem().is_some_and(|stem| stem == "tests" || stem == "scenario");
        if of_tests {
            continue;
        }
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

/// Every literal of a room's code that could be a reason, with the files that hold it. Tables, comments and tests do not count.
fn words() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in ROOMS.iter().flat_map(|room| rust_files(&root().join("src").join(room))) {
        let name = path.file_name().unwrap();
        let of_tests = path.parent().is_some_and(|folder| folder.ends_with("tests"));
        if of_tests || ["reasons.rs", "tests.rs", "scenario.rs"].iter().any(|other| name == *other) {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for word in camel_case_literals(&source) {
            found.entry(word).or_default().insert(path.strip_prefix(root()).unwrap().display().to_string());
        }
    }
    found
}

/// The literals that are one word with a capital first.
fn camel_case_literals(source: &str) -> BTreeSet<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let is_word = |text: &&str| {
        text.starts_with(|first: char| first.is_ascii_uppercase()) && text.chars().all(|c| c.is_ascii_alphanumeric())
    };
    lines.flat_map(|line| line.split('"').skip(1)).filter(is_word).map(str::to_owned).collect()
}

#[test]
fn every_reason_that_the_code_can_say_stands_in_a_table() {
    let (known, words) = (reasons(), words());
    let others: BTreeSet<&str> =
        [other_words::OPERATIONS, other_words::AZURE_CODES, other_words::CLOUD_WORDS, other_words::OWN_WORDS]
            .concat()
            .into_iter()
            .collect();
    let unexplained: Vec<_> = words
        .iter()
        .filter(|(word, _)| !known.contains_key(*word) && !others.contains(word.as_str()))
        .map(|(word, files)| format!("{word} in {files:?}"))
        .collect();
    assert!(
        unexplained.is_empty(),
        "add each to its room's REASONS with a sentence, or to tests/reasons/other_words.rs if it is no reason: {unexplained:#?}"
    );
    let said_by_nobody: Vec<_> = known.keys().filter(|reason| !words.contains_key(*reason)).collect();
    assert!(said_by_nobody.is_empty(), "no code says these reasons; remove them from their tables: {said_by_nobody:?}");
    let gone: Vec<_> = others.iter().filter(|word| !words.contains_key(**word)).collect();
    assert!(gone.is_empty(), "no code holds these words; remove them from tests/reasons/other_words.rs: {gone:?}");
    let both: Vec<_> = others.iter().filter(|word| known.contains_key(**word)).collect();
    assert!(both.is_empty(), "a reason is no other word: {both:?}");
}

#[test]
fn only_words_of_code_count_as_literals() {
    let source = r#"
        // "InAComment"
        Fault::new(Class::Invalid, "OneReason", "A sentence."); met("TwoReasons", format!("{x} One"))
        #[cfg(test)]
        mod tests {"#;
    let source = source.replace("        #[cfg(test)]\n        mod tests {", "#[cfg(test)]\nmod tests {\n\"InATest\"");
    let words: Vec<String> = camel_case_literals(&source).into_iter().collect();
    assert_eq!(words, ["OneReason", "TwoReasons"]);
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
