use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::*;
use crate::api::condition::{Statement, Status};

const KIND: Kind = Kind::AzureKeystoreConnection;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn key() -> Key {
    ("keys".to_owned(), "payments".to_owned())
}

fn conditions(said: &[(ConditionType, Status, &str)]) -> Vec<Condition> {
    let mut list = Vec::new();
    for (kind, status, reason) in said {
        condition::set(&mut list, &Statement { kind: *kind, status: *status, reason, message: "" }, 1, at(0));
    }
    list
}

fn ready(status: Status, reason: &str) -> Vec<Condition> {
    conditions(&[(ConditionType::Ready, status, reason)])
}

/// The registry as the process makes it, and what a scrape of it says.
fn start() -> (Metrics, impl Fn() -> String) {
    let mut registry = Registry::with_prefix("uko_operator");
    let metrics = Metrics::register(&mut registry);
    let scrape = move || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    (metrics, scrape)
}

#[test]
fn the_metrics_appear_under_their_published_names_and_go_with_their_object() {
    let (metrics, scrape) = start();
    metrics.reconciled(KIND, Outcome::Settled, Duration::from_millis(40));
    metrics.became_ready(KIND, Duration::from_secs(40));
    metrics.found(KIND, &key(), at(0));
    metrics.told(KIND, &key(), &ready(Status::False, "KekMissing"), at(30), || {});
    metrics.told(KIND, &key(), &ready(Status::True, "KeysCanFlow"), at(300), || {});
    let object = r#"kind="AzureKeystoreConnection",namespace="keys",name="payments""#;
    let of_object = [
        format!(r#"uko_operator_condition{{{object},condition="Ready",status="True",reason="KeysCanFlow"}} 1"#),
        format!("uko_operator_next_reconcile_timestamp_seconds{{{object}}} 1800000300"),
    ];
    let of_all = [
        r#"uko_operator_reconciles_total{kind="AzureKeystoreConnection",outcome="failed"} 0"#,
        r#"uko_operator_time_to_ready_seconds_count{kind="ConnectorEndpoint"} 0"#,
        r#"uko_operator_reconciles_total{kind="AzureKeystoreConnection",outcome="settled"} 1"#,
        r#"uko_operator_reconcile_duration_seconds_count{kind="AzureKeystoreConnection"} 1"#,
        r#"uko_operator_time_to_ready_seconds_sum{kind="AzureKeystoreConnection"} 40.0"#,
    ];
    for line in of_all.iter().copied().chain(of_object.iter().map(String::as_str)) {
        assert!(scrape().contains(&format!("\n{line}\n")), "{line} not in\n{}", scrape());
    }
    assert!(!scrape().contains("KekMissing"), "a condition is in one state");
    metrics.forget(KIND, &key(), || {});
    assert!(!scrape().contains("payments"), "{}", scrape());
}

#[test]
fn a_pass_that_ends_after_its_object_leaves_nothing_behind() {
    let (metrics, scrape) = start();
    metrics.found(KIND, &key(), at(0));
    metrics.forget(KIND, &key(), || {});
    metrics
        .told(KIND, &key(), &ready(Status::True, "KeysCanFlow"), at(300), || panic!("the kind tells nothing either"));
    assert!(!scrape().contains("payments"), "{}", scrape());
}

#[test]
fn an_object_that_no_pass_ends_for_is_overdue_since_it_was_found() {
    let (metrics, scrape) = start();
    metrics.found(KIND, &key(), at(0));
    metrics.found(KIND, &key(), at(60));
    assert!(scrape().contains("} 1800000000\n"), "{}", scrape());
}

#[test]
fn a_condition_that_others_wrote_makes_no_series() {
    let (metrics, scrape) = start();
    let mut list = ready(Status::True, "KeysCanFlow");
    let theirs = Condition { type_: "Theirs".to_owned(), ..list.first().unwrap().clone() };
    list.push(theirs);
    metrics.found(KIND, &key(), at(0));
    metrics.told(KIND, &key(), &list, at(300), || {});
    assert!(!scrape().contains("Theirs"), "{}", scrape());
}

#[test]
fn the_number_of_series_of_an_object_is_bounded_by_our_condition_types() {
    let (metrics, scrape) = start();
    let all: Vec<_> = ConditionType::ALL.iter().map(|kind| (*kind, Status::True, "Because")).collect();
    metrics.found(KIND, &key(), at(0));
    metrics.told(KIND, &key(), &conditions(&all), at(300), || {});
    let series = scrape().lines().filter(|line| line.contains("payments")).count();
    assert_eq!(series, ConditionType::ALL.len() + 1);
}

#[test]
fn only_the_first_ready_is_timed_and_from_the_last_change_before_it() {
    let memory = |settled: Option<&str>| Memory {
        settled_inputs: settled.map(str::to_owned),
        inputs_changed_at: Some(Time(at(10))),
        ..Memory::default()
    };
    let (fresh, settled) = (memory(None), memory(Some("a")));
    let yes = ready(Status::True, "KeysCanFlow");
    let took = |before, after, conditions: &[Condition]| first_ready(before, Some(after), conditions, at(52));
    assert_eq!(took(Some(&fresh), &settled, &yes), Some(Duration::from_secs(42)));
    assert_eq!(took(None, &settled, &yes), Some(Duration::from_secs(42)));
    assert_eq!(took(Some(&settled), &settled, &yes), None, "it was Ready before");
    assert_eq!(took(Some(&fresh), &fresh, &yes), None, "nothing has settled");
    assert_eq!(took(Some(&fresh), &settled, &ready(Status::False, "KekMissing")), None);
    assert_eq!(took(Some(&fresh), &settled, &ready(Status::True, "NothingToDo")), None, "nobody made it");
}
