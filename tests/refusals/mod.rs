//! The table of refusals, read from the YAML files beside this one; `README.md` says what their members mean.
//!
//! In: nothing. Out: one row a case, as objects before and after. Never: judges; the two tests that include this do.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;
use serde_json::Value;

/// One case, built.
#[derive(Debug)]
pub(crate) struct Row {
    /// What a user did.
    pub(crate) case: String,
    /// What stood before, if this is a change. Its name is unique in the table, as is that of `new`.
    pub(crate) old: Option<Value>,
    /// What the user sends.
    pub(crate) new: Value,
    /// What must come back.
    pub(crate) expected: Expected,
}

/// What must come back.
#[derive(Debug)]
pub(crate) enum Expected {
    /// No complaint.
    Accepted,
    /// One line that holds both.
    Refused {
        /// Path of the field.
        field: String,
        /// What is allowed.
        says: String,
    },
}

impl Row {
    /// Kind of the object.
    pub(crate) fn kind(&self) -> &str {
        self.new["kind"].as_str().unwrap()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "case")]
    what: String,
    from: Option<Edit>,
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    unset: Vec<String>,
    field: Option<String>,
    says: Option<String>,
    #[serde(default)]
    accepted: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    unset: Vec<String>,
}

/// Every row of both kinds.
pub(crate) fn table() -> Vec<Row> {
    let base: BTreeMap<String, Value> = read("base.yaml");
    [("ConnectorEndpoint", "connector-endpoint.yaml"), ("AzureKeystoreConnection", "azure-keystore-connection.yaml")]
        .into_iter()
        .flat_map(|(kind, file)| {
            let base = &base[kind];
            let cases: Vec<Case> = read(file);
            cases.into_iter().enumerate().map(|(number, case)| row(base, number, case)).collect::<Vec<_>>()
        })
        .collect()
}

fn row(base: &Value, number: usize, case: Case) -> Row {
    let mut object = base.clone();
    object["metadata"]["name"] = format!("case-{number}").into();
    let old = case.from.map(|edit| {
        change(&mut object, edit);
        object.clone()
    });
    let edit = Edit { set: case.set, unset: case.unset };
    change(&mut object, edit);
    let expected = match (case.accepted, case.field, case.says) {
        (true, None, None) => Expected::Accepted,
        (false, Some(field), Some(says)) => Expected::Refused { field, says },
        _ => panic!("{}: either field and says, or accepted: true", case.what),
    };
    Row { case: case.what, old, new: object, expected }
}

fn change(object: &mut Value, edit: Edit) {
    for (path, value) in edit.set {
        let (parent, name) = parent_of(object, &path);
        parent[name] = value;
    }
    for path in edit.unset {
        let (parent, name) = parent_of(object, &path);
        let removed = parent.as_object_mut().and_then(|members| members.remove(name));
        assert!(removed.is_some(), "{path} is not there to be unset");
    }
}

fn parent_of<'a, 'b>(object: &'a mut Value, path: &'b str) -> (&'a mut Value, &'b str) {
    let (parents, name) = path.rsplit_once('.').unwrap();
    let parent = parents.split('.').fold(object, |at, member| &mut at[member]);
    (parent, name)
}

fn read<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals").join(file);
    let text = fs::read_to_string(&path).unwrap();
    serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
