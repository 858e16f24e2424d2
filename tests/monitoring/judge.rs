//! Whether a query can find what it asks for.
//!
//! In: a query and what is exposed. Out: a sentence for each thing that is not there. Never: values; a counter may stand at any.

use std::collections::BTreeSet;

use super::{
    exposition::Exposed,
    promql::{self, TARGET},
    sources::Query,
};

/// What is wrong with a query, given what is exposed.
pub(crate) fn faults(query: &Query, exposed: &Exposed) -> Vec<String> {
    let reading = match promql::read(&query.text) {
        Ok(reading) => reading,
        Err(error) => return vec![format!("{}: {error}", query.place)],
    };
    let mut wrong = Vec::new();
    let labels = |metrics: &BTreeSet<String>| -> BTreeSet<String> {
        let own = metrics.iter().flat_map(|metric| exposed.labels(metric).unwrap_or_default());
        own.chain(TARGET.map(str::to_owned)).collect()
    };
    for selector in &reading.selectors {
        let Some(own) = exposed.labels(&selector.metric) else {
            wrong.push(format!("{}: nothing exposes {}", query.place, selector.metric));
            continue;
        };
        let strange = selector.matchers.iter().filter(|one| !own.contains(&one.label));
        wrong.extend(strange.map(|one| format!("{}: {} has no label {}", query.place, selector.metric, one.label)));
    }
    for (grouped, metrics) in &reading.groupings {
        let own = labels(metrics);
        wrong.extend(grouped.difference(&own).map(|label| format!("{}: {metrics:?} have no {label}", query.place)));
    }
    let all = reading.selectors.into_iter().map(|selector| selector.metric).collect();
    let carried = reading.carries.unwrap_or_else(|| labels(&all));
    wrong.extend(query.expects.difference(&carried).map(|label| format!("{}: the result has no {label}", query.place)));
    wrong
}

#[test]
fn a_misspelt_metric_or_label_is_noticed() {
    let page = "| Metric | Type | Labels | Says |
| `uko_operator_leader` | gauge | | x |
| `uko_operator_policy_valid` | gauge | | x |
| `uko_operator_condition` | gauge | `kind`, `condition`, `namespace` | x |
| `uko_operator_reconciles_total` | counter | `kind` | x |
| `uko_operator_reconcile_duration_seconds` | histogram | `kind` | x |
";
    let exposed = &Exposed::of_page(page);
    let query = |text: &str, expects: &[&str]| Query {
        place: "here".to_owned(),
        text: text.to_owned(),
        expects: expects.iter().map(|label| (*label).to_owned()).collect(),
    };
    assert_eq!(faults(&query("max by (instance) (uko_operator_leader)", &["instance"]), exposed), Vec::<String>::new());
    for (text, expects) in [
        ("uko_operator_leaders", [].as_slice()),
        ("rate(uko_operator_reconciles[5m])", &[]),
        ("uko_operator_reconcile_duration_seconds", &[]),
        ("uko_operator_condition{type=\"Ready\"}", &[]),
        ("sum by (type) (uko_operator_condition)", &[]),
        ("uko_operator_leader unless on (kind) uko_operator_policy_valid", &[]),
        ("sum by (kind) (uko_operator_condition)", &["namespace"]),
        ("uko_operator_leader ==", &[]),
    ] {
        assert_eq!(
            faults(&query(text, expects), exposed).len(),
            1,
            "{text}: {:?}",
            faults(&query(text, expects), exposed)
        );
    }
}
