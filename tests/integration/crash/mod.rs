//! The operator dies at every request of a flow, and it ends as if nothing had happened.
//!
//! In: the shipped binary, SIGKILL while it waits for an answer, clouds and an API server that lose answers. Out: the same
//! end as without a crash. Never: a list of requests by hand: a flow without a crash is recorded first, and each of its
//! requests is a place to die.
//!
//! `make test-crash` (`UKO_OPERATOR_CRASH=all`) tries every place; without it a part that stands for the rest runs.

mod end;
mod flow;
mod points;
mod stage;

use std::{any::Any, collections::BTreeSet, env, fmt, future::Future, panic::AssertUnwindSafe, time::Instant};

use futures::{FutureExt, StreamExt, stream};
use serde_json::{Value, json};

use self::{
    flow::Flow,
    points::{Moment, Point, Shape},
    stage::{End, Stage},
};

/// Worlds at once in each flow: a world is a cloud and an operator, and mostly waits. The harness has a limit of its own.
const AT_ONCE: usize = 4;
/// The same random moments every time.
const SEED: u64 = 20_260_117;
/// How many of them.
const RANDOM: u32 = 10;

/// One crash.
#[derive(Clone, Debug)]
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

/// A flow without a crash.
struct Recorded {
    points: Vec<Point>,
    requests: u64,
    end: End,
}

#[tokio::test]
async fn a_crash_while_everything_is_made_ends_as_if_there_had_been_none() {
    tried(Flow::Create).await;
}

#[tokio::test]
async fn a_crash_while_everything_is_changed_ends_as_if_there_had_been_none() {
    tried(Flow::Update).await;
}

#[tokio::test]
async fn a_crash_while_a_password_is_rotated_ends_as_if_there_had_been_none() {
    tried(Flow::Rotate).await;
}

#[tokio::test]
async fn a_crash_while_everything_is_removed_ends_as_if_there_had_been_none() {
    tried(Flow::Delete).await;
}

async fn tried(flow: Flow) {
    let recorded = &record(flow).await;
    let every: Vec<Crash> = at_points(&recorded.points).chain(random(flow)).collect();
    let count = every.len();
    let crashes = if all() { every } else { some(every) };
    let tried = crashes.len();
    let failed: Vec<String> = stream::iter(crashes)
        .map(|crash| async move {
            let started = Instant::now();
            let name = crash.to_string();
            let end = caught(run(flow, crash, recorded)).await;
            println!(
                "{flow:?}: {name}: {} s, {}",
                started.elapsed().as_secs(),
                if end.is_ok() { "ok" } else { "FAILED" }
            );
            end.err().map(|message| format!("=== {flow:?}: {name}\n{message}"))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    println!("{flow:?}: {tried} crashes were tried of {count}");
    assert!(failed.is_empty(), "{} of {tried} crashes end badly\n{}", failed.len(), failed.join("\n"));
}

async fn record(flow: Flow) -> Recorded {
    let mut stage = Stage::new("recorded").await;
    flow.begin(&mut stage).await;
    let (first, written) = (stage.world.cloud.last_request().await, stage.gate.writes().len());
    flow.act(&mut stage).await;
    flow.is_done(&stage).await;
    let requests = stage.world.cloud.requests_after(first).await;
    let writes = stage.gate.writes().split_off(written);
    flow.settles(&stage).await;
    let end = stage.end(first).await;
    Recorded { points: Point::of(&requests, &writes), requests: requests.len().try_into().unwrap(), end }
}

fn all() -> bool {
    env::var_os("UKO_OPERATOR_CRASH").is_some_and(|value| value == "all")
}

fn at_points(points: &[Point]) -> impl Iterator<Item = Crash> {
    points.iter().flat_map(|point| point.moments().iter().map(|moment| Crash::At(point.clone(), *moment)))
}

/// Every creation at its worst moment, every other change and every kind of the operator's own writes once, and one random
/// moment of each kind.
fn some(every: Vec<Crash>) -> Vec<Crash> {
    let mut kinds = BTreeSet::new();
    every
        .into_iter()
        .filter(|crash| !crash.is_a_repetition())
        .filter(|crash| match crash {
            Crash::At(point, moment) if point.makes() => *moment == Moment::Late,
            Crash::At(point, moment) if point.writes() => *moment == Moment::After,
            Crash::At(Point::Write(..), moment) => *moment == Moment::After,
            Crash::At(Point::Request(..), _) => false,
            Crash::Random(_, meanwhile) => kinds.insert(format!("{meanwhile:?}")),
        })
        .collect()
}

/// Two after everything was done, the rest anywhere.
fn random(flow: Flow) -> impl Iterator<Item = Crash> {
    let mut dice = fastrand::Rng::with_seed(SEED);
    let meanwhile = [Meanwhile::StatusIsWiped, Meanwhile::ObjectsAreReplaced, Meanwhile::Nothing];
    let anywhere: Vec<Crash> = (0..RANDOM)
        .zip(meanwhile.into_iter().cycle())
        .map(|(_, what)| Crash::Random(dice.u64(50..1000), what))
        .collect();
    let at_the_end = [Meanwhile::StatusIsWiped, Meanwhile::ObjectsAreReplaced].map(|what| Crash::Random(1000, what));
    at_the_end
        .into_iter()
        .chain(anywhere)
        .filter(move |crash| flow.keeps_its_objects() || matches!(crash, Crash::Random(_, Meanwhile::Nothing)))
}

impl Crash {
    /// How often something is asked again, or said in status, depends on timing: another run may not come to it.
    fn is_a_repetition(&self) -> bool {
        matches!(self, Self::At(Point::Request(_, 1..) | Point::Write(_, 1..), _))
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(point, moment) => write!(out, "{point} / {moment:?}"),
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

async fn run(flow: Flow, crash: Crash, recorded: &Recorded) {
    let mut stage = Stage::new("crash").await;
    flow.begin(&mut stage).await;
    let first = stage.world.cloud.last_request().await;
    match &crash {
        Crash::At(Point::Request(shape, skip), moment) => stage.world.cloud.fault(&shape.fault(*skip, *moment)).await,
        Crash::At(Point::Write(what, skip), moment) => stage.gate.stop_at(what, *skip, moment.stop()),
        Crash::Random(..) => {}
    }
    flow.act(&mut stage).await;
    let comes = async {
        match &crash {
            Crash::At(Point::Request(..), _) => stage.wait_for_fault().await,
            Crash::At(Point::Write(..), _) => stage.wait_for_gate().await,
            Crash::Random(parts, _) => stage.wait_for_requests(first + recorded.requests * parts / 1000).await,
        }
    };
    if crash.is_a_repetition() {
        let over = tokio::select! { biased; () = comes => false, () = flow.is_done(&stage) => true };
        if over {
            println!("{flow:?}: {crash}: this run did not come to it");
            return;
        }
    } else {
        comes.await;
    }
    stage.kill_operator();
    match crash {
        Crash::At(..) | Crash::Random(_, Meanwhile::Nothing) => {}
        Crash::Random(_, Meanwhile::StatusIsWiped) => stage.wipe_status().await,
        Crash::Random(_, Meanwhile::ObjectsAreReplaced) => stage.replace().await,
    }
    stage.start_operator();
    flow.is_done(&stage).await;
    flow.settles(&stage).await;
    let mut end = stage.end(first).await;
    // What was lost before it was carried out had to be sent again.
    if let Crash::At(Point::Request(shape, _), Moment::Before) = &crash
        && let Some(made) = end.made.get_mut(shape)
    {
        *made -= 1;
    }
    stage.judge(&recorded.end, &end).await;
}

/// The answer of a creation is lost and the operator lives; before the creation takes effect, the cloud is dark once.
#[tokio::test]
async fn a_lost_creation_is_not_forgotten_while_the_cloud_is_dark() {
    let recorded = record(Flow::Create).await;
    let mut stage = Stage::new("dark").await;
    let mut lost = keystore(&recorded).fault(0, Moment::Late);
    (lost["commit_after_ms"], lost["hold"]) = (json!(4000), json!(false));
    stage.world.cloud.fault(&lost).await;
    Flow::Create.act(&mut stage).await;
    stage.wait_for_fault().await;
    let dark = json!({ "service": "uko", "method": "GET", "path": "/keystores", "status": 503, "retry_after": 1 });
    stage.world.cloud.fault(&dark).await;
    Flow::Create.settles(&stage).await;
    let end = stage.end(0).await;
    stage.judge(&recorded.end, &end).await;
}

/// The answer of a creation is lost, and before it takes effect the objects lose all memory of it.
#[tokio::test]
async fn a_lost_creation_is_not_forgotten_with_the_objects() {
    let recorded = record(Flow::Create).await;
    let mut stage = Stage::new("forgotten").await;
    for shape in recorded.end.made.keys() {
        let mut lost = shape.fault(0, Moment::Late);
        lost["hold"] = Value::Bool(false);
        stage.world.cloud.fault(&lost).await;
    }
    Flow::Create.act(&mut stage).await;
    stage.wait_for_fault().await;
    stage.replace().await;
    Flow::Create.settles(&stage).await;
    let end = stage.end(0).await;
    stage.judge(&recorded.end, &end).await;
}

fn keystore(recorded: &Recorded) -> Shape {
    let shape = recorded.end.made.keys().find(|shape| shape.to_string().ends_with("/keystores"));
    shape.expect("the flow makes a keystore").clone()
}
