//! The operator dies at every request of the flow that creates everything, and nothing is made twice.
//!
//! In: the shipped binary, SIGKILL, a cloud that loses answers. Out: the same end as without a crash. Never: a short list that
//! hides a new request: every write of the recorded flow must have its row in [`points`].
//!
//! `make test-crash` (`UKO_OPERATOR_CRASH=all`) tries every point; without it a representative part runs.

mod points;
mod stage;

use std::{any::Any, env, fmt, future::Future, panic::AssertUnwindSafe, time::Instant};

use futures::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};

use self::{
    points::{Does, Moment, Point, points},
    stage::Stage,
};

/// Worlds at once, over all tests of this file together: each is a cloud and an operator.
const AT_ONCE: usize = 3;
/// The same random moments every time.
const SEED: u64 = 20_260_117;
/// How many of them.
const RANDOM: u32 = 10;

/// One crash.
#[derive(Clone, Copy, Debug)]
enum Crash {
    At(Point, Moment),
    /// After so many thousandths of the flow's requests, and what happens while no operator is there.
    Random(u64, Meanwhile),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    StatusIsWiped,
    ObjectsAreReplaced,
}

#[tokio::test]
async fn a_crash_at_any_request_ends_as_if_there_had_been_none() {
    let flow = record().await;
    let crashes = if all() { every() } else { some() };
    let tried = crashes.len();
    let failed: Vec<String> = stream::iter(crashes)
        .map(|crash| async move {
            let started = Instant::now();
            let end = caught(run(crash, flow)).await;
            println!("{crash}: {} s, {}", started.elapsed().as_secs(), if end.is_ok() { "ok" } else { "FAILED" });
            end.err().map(|message| format!("=== {crash}\n{message}"))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    println!("{tried} crashes were tried of {}", every().len());
    assert!(failed.is_empty(), "{} of {tried} crashes end badly\n{}", failed.len(), failed.join("\n"));
}

/// How many requests the flow needs without a crash; every write of it has a row in the table, and every row is met.
async fn record() -> u64 {
    let mut stage = Stage::new("recorded").await;
    stage.world.apply_fixture().await;
    stage.start_operator();
    stage.is_ready().await;
    let count = stage.world.cloud.last_request().await;
    stage.settles().await;
    stage.judge(None).await;
    let requests = stage.world.cloud.requests_after(0).await;
    for request in requests.iter().filter(|request| is_write(request)) {
        let rows = points().into_iter().filter(|point| point.is(request)).count();
        assert_eq!(rows, 1, "rows for {} {}", request["method"], request["url"]);
    }
    for point in points() {
        let met = requests.iter().filter(|request| point.is(request)).count();
        assert!(met > 0, "{} was never sent", point.name);
    }
    count
}

fn is_write(request: &Value) -> bool {
    let reads = ["entra", "iam", "containers"].iter().any(|service| request["service"] == *service);
    request["method"] != "GET" && !reads
}

fn all() -> bool {
    env::var_os("UKO_OPERATOR_CRASH").is_some_and(|value| value == "all")
}

fn every() -> Vec<Crash> {
    let at = points().into_iter().flat_map(|point| point.moments().iter().map(move |moment| Crash::At(point, *moment)));
    at.chain(random()).collect()
}

/// Every creation at its worst moment, one of each other kind, one of each random kind.
fn some() -> Vec<Crash> {
    let worth = |crash: &Crash| match crash {
        Crash::At(point, moment) => match point.does {
            Does::Makes => *moment == Moment::Late || (*moment == Moment::Before && point.name == "keystore"),
            Does::Sets => *moment == Moment::After,
            Does::Nothing => ["dry run", "keystores read"].contains(&point.name),
        },
        Crash::Random(..) => false,
    };
    every().into_iter().filter(worth).chain(random().into_iter().take(4)).collect()
}

/// Two after everything was done, the rest anywhere.
fn random() -> Vec<Crash> {
    let mut dice = fastrand::Rng::with_seed(SEED);
    let meanwhile = [Meanwhile::StatusIsWiped, Meanwhile::ObjectsAreReplaced, Meanwhile::Nothing];
    let anywhere =
        (0..RANDOM).zip(meanwhile.into_iter().cycle()).map(|(_, what)| Crash::Random(dice.u64(50..1000), what));
    let at_the_end = [Meanwhile::StatusIsWiped, Meanwhile::ObjectsAreReplaced].map(|what| Crash::Random(1000, what));
    at_the_end.into_iter().chain(anywhere).collect()
}

impl fmt::Display for Crash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(point, moment) => write!(out, "{} / {moment:?}", point.name),
            Self::Random(thousandths, meanwhile) => write!(out, "{thousandths} per mille / {meanwhile:?}"),
        }
    }
}

/// A panic is a failure of this crash; the others still count.
async fn caught(work: impl Future<Output = ()>) -> Result<(), String> {
    let text = |cause: Box<dyn Any + Send>| match cause.downcast::<String>() {
        Ok(text) => *text,
        Err(cause) => cause.downcast::<&str>().map_or_else(|_| "a panic".to_owned(), |text| (*text).to_owned()),
    };
    AssertUnwindSafe(work).catch_unwind().await.map_err(text)
}

async fn run(crash: Crash, flow: u64) {
    let mut stage = Stage::new("crash").await;
    if let Crash::At(point, moment) = crash {
        stage.world.cloud.fault(&point.fault(moment)).await;
    }
    stage.world.apply_fixture().await;
    stage.start_operator();
    match crash {
        Crash::At(..) => stage.wait_for_fault().await,
        Crash::Random(thousandths, _) => stage.wait_for_requests(flow * thousandths / 1000).await,
    }
    stage.kill_operator();
    match crash {
        Crash::At(..) | Crash::Random(_, Meanwhile::Nothing) => {}
        Crash::Random(_, Meanwhile::StatusIsWiped) => stage.wipe_status().await,
        Crash::Random(_, Meanwhile::ObjectsAreReplaced) => stage.replace().await,
    }
    stage.start_operator();
    stage.settles().await;
    let repeated = match crash {
        Crash::At(point, Moment::Before) => Some(point.name),
        Crash::At(_, Moment::After | Moment::Late) | Crash::Random(..) => None,
    };
    stage.judge(repeated).await;
}

/// The answer of a creation is lost and the operator lives; before the creation takes effect, the cloud is dark once.
#[tokio::test]
async fn a_lost_creation_is_not_forgotten_while_the_cloud_is_dark() {
    let mut stage = Stage::new("dark").await;
    let point = points().into_iter().find(|point| point.name == "keystore").unwrap();
    let mut lost = point.fault(Moment::Late);
    lost["commit_after_ms"] = json!(4000);
    stage.world.cloud.fault(&lost).await;
    stage.world.apply_fixture().await;
    stage.start_operator();
    stage.wait_for_fault().await;
    let dark = json!({ "service": "uko", "method": "GET", "path": "/keystores", "status": 503, "retry_after": 1 });
    stage.world.cloud.fault(&dark).await;
    stage.settles().await;
    stage.judge(None).await;
}

/// The answer of a creation is lost, and before it takes effect the objects lose all memory of it.
#[tokio::test]
async fn a_lost_creation_is_not_forgotten_with_the_objects() {
    let mut stage = Stage::new("forgotten").await;
    for point in points().into_iter().filter(|point| point.does == Does::Makes) {
        stage.world.cloud.fault(&point.fault(Moment::Late)).await;
    }
    stage.world.apply_fixture().await;
    stage.start_operator();
    stage.wait_for_fault().await;
    stage.replace().await;
    stage.settles().await;
    stage.judge(None).await;
}
