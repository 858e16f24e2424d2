//! The walls of the house: who may import whom, how long a file may be, what a module may be called.
//!
//! In: the source as text. Out: every breach at once, each with its file and the wall it broke. Never: compiles or runs
//! the source. A room that does not exist yet breaks nothing; a file that belongs to no room does.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[path = "architecture/imports.rs"]
mod imports;
#[path = "architecture/rooms.rs"]
mod rooms;

use std::{
    fs,
    path::{Path, PathBuf},
};

use imports::{imports_of, without_comments, without_tests};
use rooms::{CONTROLLERS, ROOMS, Room};

/// The controller whose folder a file lies in.
fn controller_of(file: &str) -> Option<&'static str> {
    CONTROLLERS.into_iter().find(|name| file.starts_with(&format!("{name}/")))
}

fn room_of(file: &str) -> Option<&'static Room> {
    let fits = |pattern: &str| {
        let pattern = match (pattern.strip_prefix('*'), controller_of(file)) {
            (Some(rest), Some(controller)) => format!("{controller}{rest}"),
            (Some(_), None) => return false,
            (None, _) => pattern.to_owned(),
        };
        if pattern.ends_with('/') { file.starts_with(&pattern) } else { file == pattern }
    };
    ROOMS.iter().find(|room| room.at.iter().any(|pattern| fits(pattern)))
}

/// `path` is `prefix` or lies below it.
fn within(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Every wall that this file breaks.
fn breaches(file: &str, source: &str) -> Vec<String> {
    let Some(room) = room_of(file) else {
        return vec![format!("src/{file} belongs to no room: give it one in tests/architecture.rs")];
    };
    let code = without_tests(&without_comments(source));
    let own = controller_of(file);
    let mut found = Vec::new();
    for path in imports_of(file, &code) {
        let broken = match path.strip_prefix("crate::") {
            Some(ours) => {
                let mut open = room.ours.iter().copied().chain(own);
                !open.any(|open| within(ours, open))
            }
            None => room.not.iter().any(|closed| within(&path, closed)),
        };
        if broken {
            found.push(format!("src/{file} may not import {path}"));
        }
    }
    found.extend(
        room.never
            .iter()
            .filter(|word| code.contains(**word))
            .map(|word| format!("src/{file} may not say `{}`", word.trim())),
    );
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder`, without what is built or fetched.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let built = [".git", ".cache", ".venv", "target", "node_modules", "__pycache__"];
        if built.iter().any(|skipped| name == *skipped) {
            continue;
        }
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

fn rust_files(folder: &str) -> Vec<(String, String)> {
    let folder = root().join(folder);
    files(&folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_room_keeps_to_its_walls() {
    let found: Vec<String> = rust_files("src").iter().flat_map(|(file, source)| breaches(file, source)).collect();
    none(&found);
}

#[test]
fn no_file_is_longer_than_the_wall() {
    let found: Vec<String> = ["src", "tests"]
        .into_iter()
        .flat_map(|folder| rust_files(folder).into_iter().map(move |file| (folder, file)))
        .filter(|(_, (_, source))| source.lines().count() > 500)
        .map(|(folder, (file, source))| {
            format!("{folder}/{file} has {} lines, the wall is 500", source.lines().count())
        })
        .collect();
    none(&found);
}

#[test]
fn a_module_is_one_file_or_a_folder_with_mod_rs_and_is_no_drawer() {
    let sources = rust_files("src");
    let mut found = Vec::new();
    for (file, _) in &sources {
        let module = file.strip_suffix(".rs").unwrap();
        // `token.rs` with `token/tests.rs` is a module and its tests.
        let twin =
            sources.iter().any(|(other, _)| other.starts_with(&format!("{module}/")) && !other.ends_with("/tests.rs"));
        if twin {
            found.push(format!("src/{file} has a folder of its name: move it to {module}/mod.rs"));
        }
        for part in module.split('/') {
            if ["util", "utils", "common", "helper", "helpers", "types", "misc"].contains(&part) {
                found.push(format!("src/{file}: `{part}` is a drawer; name it after what it does"));
            }
        }
    }
    none(&found);
}

#[test]
fn the_project_knows_nothing_of_where_it_was_made() {
    // Put together here, so that this file does not hold them.
    let needles = ["shared", "wt", "main"].map(|place| format!("/work/{place}"));
    let mut found = Vec::new();
    for path in files(root()) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        found.extend(
            needles
                .iter()
                .filter(|needle| text.contains(needle.as_str()))
                .map(|needle| format!("{} names {needle}", path.display())),
        );
    }
    none(&found);
}

#[test]
fn the_walls_hold_against_those_who_try() {
    let tries = [
        ("api/condition.rs", "use crate::clouds::http::Error;", "may not import crate::clouds::http::Error"),
        ("api/condition.rs", "use std::{fmt, fs::File};", "may not import std::fs::File"),
        ("clouds/azure/entra.rs", "use super::super::ibm::iam;", "may not import crate::clouds::ibm::iam"),
        ("clouds/http/mod.rs", "use kube::Client;", "may not import kube::Client"),
        (
            "reconcile/pace.rs",
            "use crate::clouds::{http::{Class, Error}, azure::ArmId};",
            "crate::clouds::azure::ArmId",
        ),
        ("reconcile/pace.rs", "fn x() { crate::clouds::ibm::ping() }", "crate::clouds::ibm::ping"),
        ("keystore_connection/plan/mod.rs", "use crate::connector_endpoint::plan::Step;", "crate::connector_endpoint"),
        ("keystore_connection/plan/mod.rs", "pub(crate) async fn plan() {}", "may not say `async`"),
        ("connector_endpoint/observe.rs", "use super::Writers;", "may not say `Writers`"),
        ("process/leader.rs", "use crate::reconcile::driver;", "crate::reconcile::driver"),
        ("elsewhere.rs", "", "belongs to no room"),
    ];
    for (file, source, wanted) in tries {
        let found = breaches(file, source);
        assert!(found.iter().any(|breach| breach.contains(wanted)), "{file}: {source}: {found:?}");
    }
    let fine = [
        ("reconcile/pace.rs", "use crate::{api::condition, clouds::http::{Class, Error}};\nuse super::fault::Fault;"),
        (
            "keystore_connection/plan/mod.rs",
            "use super::{desired::Desired, observe::Observed};\nuse crate::clouds::azure::ArmId;",
        ),
        ("keystore_connection/plan/mod.rs", "// async fn\n#[cfg(test)]\nmod tests { use tokio::time; }"),
        ("process/leader.rs", "use crate::reconcile::leadership::Leadership;\nuse super::{health::Health};"),
        ("lib.rs", "pub mod api;"),
    ];
    for (file, source) in fine {
        none(&breaches(file, source));
    }
}
