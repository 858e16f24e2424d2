//! What is generated from the types lies in the tree as it would be generated now: `crds/`, the operator chart's copy of it,
//! `docs/reference/`, and the schema of the values of `charts/keystore-connection`. Likewise the operator chart's copies of
//! alerts and dashboard, which people write in `deploy/`.
//!
//! `UPDATE_GENERATED=1 cargo test --test generated` writes it anew.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a failed unwrap is a failed test")]

#[path = "generated/reference.rs"]
mod reference;
#[path = "generated/values_schema.rs"]
mod values_schema;

use std::{fs, path::Path};

use uko_operator::api::v1alpha1::{crd_yaml, crds};

/// Compares a folder with what it should hold, or makes it so.
fn in_step(folder: &str, wanted: &[(String, String)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let update = std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1");
    if update {
        fs::create_dir_all(&folder).unwrap();
    }
    for (name, text) in wanted {
        let path = folder.join(name);
        if update {
            fs::write(&path, text).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == *text,
            "{} is not what it is made from; run: UPDATE_GENERATED=1 cargo test --test generated",
            path.display()
        );
    }
}

#[test]
fn crds_are_in_step_with_the_types() {
    let wanted: Vec<_> = crd_yaml().unwrap().into_iter().map(|file| (file.name, file.text)).collect();
    in_step("crds", &wanted);
    in_step("charts/uko-operator/files/crds", &wanted); // a chart can read its own folder only
}

#[test]
fn the_operator_chart_holds_copies_of_the_alerts_and_the_dashboard() {
    let copy = |path: &str, name: &str| {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
        (name.to_owned(), text)
    };
    let wanted = [
        copy("deploy/prometheus/rules.yaml", "rules.yaml"),
        copy("deploy/grafana/uko-operator.json", "uko-operator.json"),
    ];
    in_step("charts/uko-operator/files", &wanted);
}

#[test]
fn the_reference_is_in_step_with_the_types() {
    let wanted: Vec<_> = crds()
        .iter()
        .map(|crd| {
            let name = format!("{}.md", crd.spec.names.kind.to_lowercase());
            (name, reference::page(crd))
        })
        .collect();
    in_step("docs/reference", &wanted);
}

#[test]
fn the_schema_of_a_teams_values_is_in_step_with_the_types() {
    let wanted = ("values.schema.json".to_owned(), values_schema::text(&crds()));
    in_step("charts/keystore-connection", &[wanted]);
}
