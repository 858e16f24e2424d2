//! Alerts, dashboard and guide against the shipped binary: what they name is what a scrape finds.
//!
//! In: a world in which everything was measured once. Out: every query and every row of the guide holds. Never: a
//! metric that nothing exposes.

#[path = "../monitoring/exposition.rs"]
mod exposition;
#[path = "../monitoring/judge.rs"]
mod judge;
#[path = "../monitoring/promql.rs"]
mod promql;
#[path = "../monitoring/sources.rs"]
mod sources;

use exposition::Exposed;
use judge::faults;
use serde_json::json;
use sources::{queries, text};
use tokio::sync::OnceCell;

use crate::harness::{World, story::CONNECTION};

/// One scrape for all tests here.
static SCRAPE: OnceCell<Exposed> = OnceCell::const_new();

/// What an operator exposes that made a connection and was then asked for patience.
async fn exposed() -> &'static Exposed {
    SCRAPE
        .get_or_init(async || {
            let world = World::start("monitoring").await;
            world.apply_fixture().await;
            world.is_ready().await;
            world
                .cloud
                .fault(&json!({"service": "arm", "method": "GET", "status": 429, "retry_after": 60, "count": -1}))
                .await;
            let operator = world.operator.as_ref().unwrap();
            let mut second = 0;
            world
                .eventually("who asks again while the cloud asks for patience is held back", async || {
                    second += 1;
                    let at = format!("2027-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
                    world.annotate(CONNECTION, "reconcile-requested-at", &at).await;
                    let scrape = operator.metrics().await;
                    let withheld = "uko_operator_cloud_requests_withheld_total{cloud=\"arm\",cause=\"throttled\"}";
                    if scrape.contains(withheld) { Ok(()) } else { Err(scrape) }
                })
                .await;
            Exposed::of_scrape(&operator.metrics().await)
        })
        .await
}

#[tokio::test]
async fn every_metric_and_label_that_a_rule_or_a_panel_names_is_exposed() {
    let exposed = exposed().await;
    let wrong: Vec<String> = queries().iter().flat_map(|query| faults(query, exposed)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_guide_lists_exactly_the_metrics_that_are_exposed() {
    assert_eq!(&Exposed::of_page(&text("docs/guides/metrics.md")), exposed().await);
}
