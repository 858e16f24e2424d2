//! An operator that stands in its world: it answers, it leaks nothing, it leaves when asked.

use crate::harness::World;

#[tokio::test]
async fn the_operator_answers_and_leaves_on_sigterm() {
    let mut world = World::start("standing").await;
    let operator = world.operator.as_ref().unwrap();
    let (status, _) = operator.get("/healthz").await;
    assert_eq!(status, 200);
    world
        .eventually("the operator is ready", async || match operator.get("/readyz").await {
            (200, _) => Ok(()),
            (status, body) => Err(format!("{status} {body}")),
        })
        .await;
    assert!(operator.metrics().await.contains("# HELP"));
    world.no_secret_anywhere().await;
    let status = world.operator.as_mut().unwrap().stop().await;
    assert!(status.success(), "{status}");
}
