//! The files that name metrics: the rules, the dashboards, the examples of the guide.
//!
//! In: the tree. Out: every query in it, with its place and the labels that its texts speak of. Never: judges them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

/// One query, somewhere.
#[derive(Debug)]
pub(crate) struct Query {
    /// File, and alert or panel.
    pub(crate) place: String,
    /// The expression.
    pub(crate) text: String,
    /// Labels that a legend, a column or an annotation expects of the result.
    pub(crate) expects: BTreeSet<String>,
}

/// The root of the project.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the project.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A YAML file of the project.
pub(crate) fn yaml(path: &str) -> Value {
    serde_yaml::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every alert of the rule file.
pub(crate) fn alerts() -> Vec<Value> {
    let rules = yaml("deploy/prometheus/rules.yaml");
    let groups = rules["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Every dashboard, with the name of its file.
pub(crate) fn dashboards() -> Vec<(String, Value)> {
    let folder = root().join("deploy/grafana");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let json = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    })
    .collect()
}

/// Every query of rules and dashboards.
pub(crate) fn queries() -> Vec<Query> {
    let rules = alerts().iter().map(of_alert).collect::<Vec<_>>();
    let panels = dashboards().iter().flat_map(|(name, dashboard)| of_dashboard(name, dashboard)).collect::<Vec<_>>();
    rules.into_iter().chain(panels).collect()
}

fn of_alert(alert: &Value) -> Query {
    let mut expects = BTreeSet::new();
    for annotation in alert["annotations"].as_object().unwrap().values() {
        let words = annotation.as_str().unwrap().split("$labels.").skip(1);
        expects.extend(words.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()));
    }
    Query {
        place: format!("alert {}", alert["alert"].as_str().unwrap()),
        text: alert["expr"].as_str().unwrap().to_owned(),
        expects,
    }
}

fn of_dashboard(name: &str, dashboard: &Value) -> Vec<Query> {
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let columns = columns(panel);
        for target in panel["targets"].as_array().into_iter().flatten() {
            let legend = target["legendFormat"].as_str().unwrap_or_default();
            let labels = legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim().to_owned());
            found.push(Query {
                place: format!("{name}, panel {}", panel["title"].as_str().unwrap()),
                text: target["expr"].as_str().unwrap().to_owned(),
                expects: columns.iter().cloned().chain(labels).collect(),
            });
        }
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        let query = variable["query"]["query"].as_str().unwrap_or_default();
        if let Some(inner) = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')')) {
            let (metric, label) = inner.rsplit_once(',').unwrap();
            found.push(Query {
                place: format!("{name}, variable {}", variable["name"].as_str().unwrap()),
                text: metric.trim().to_owned(),
                expects: BTreeSet::from([label.trim().to_owned()]),
            });
        }
    }
    found
}

/// The labels that a table puts in an order or paints.
fn columns(panel: &Value) -> BTreeSet<String> {
    let transformations = panel["transformations"].as_array().into_iter().flatten();
    let ordered = transformations.flat_map(|one| one["options"]["indexByName"].as_object().into_iter().flatten());
    let overrides = panel["fieldConfig"]["overrides"].as_array().into_iter().flatten();
    let painted = overrides.filter_map(|one| one["matcher"]["options"].as_str());
    ordered.map(|(name, _)| name.clone()).chain(painted.map(str::to_owned)).collect()
}
