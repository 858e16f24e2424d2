//! How the process ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep};
use uko_operator::process::{
    health::Health,
    supervise::{Ending, Supervisor, TaskResult},
};

const DRAIN: Duration = Duration::from_secs(20);

#[derive(Clone, Default)]
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
    fn is_up(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

struct House {
    supervise: Supervisor,
    health: Health,
    /// The foundation was told to end, as when the Lease is released.
    released: Flag,
    /// The worker finished what it had in hand.
    drained: Flag,
}

/// A foundation, and a worker whose work in hand takes `work` once it is told to stop.
fn house(work: Duration) -> House {
    let health = Health::default();
    let mut supervise = Supervisor::new(health.clone(), DRAIN).unwrap();
    let (released, drained) = (Flag::default(), Flag::default());
    let (stop, end) = (supervise.stop(), supervise.end());
    let (up, done) = (released.clone(), drained.clone());
    supervise.spawn_foundation("election", async move {
        end.cancelled().await;
        up.raise();
        Ok(())
    });
    supervise.spawn("worker", async move {
        stop.cancelled().await;
        sleep(work).await;
        done.raise();
        Ok(())
    });
    House { supervise, health, released, drained }
}

fn failing() -> impl Future<Output = TaskResult> {
    std::future::ready(Err("the cause".into()))
}

#[tokio::test(start_paused = true)]
async fn asked_to_end_it_waits_for_the_work_and_then_releases() {
    let house = house(Duration::from_secs(19));
    house.supervise.finish(Ending::Asked("SIGTERM")).await.unwrap();
    assert!(house.drained.is_up() && house.released.is_up());
    assert_eq!(house.health.dead(), None);
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_too_long_is_cut_off_and_nothing_is_released() {
    let house = house(Duration::from_secs(21));
    let asked = Instant::now();
    house.supervise.finish(Ending::Asked("SIGTERM")).await.unwrap();
    assert_eq!(asked.elapsed(), DRAIN);
    assert!(!house.drained.is_up() && !house.released.is_up());
}

#[tokio::test(start_paused = true)]
async fn a_fallen_foundation_cuts_work_off_at_once() {
    let mut house = house(Duration::from_secs(1));
    house.supervise.spawn_foundation("lost", failing());
    let ending = house.supervise.ending().await;
    let asked = Instant::now();
    let fault = house.supervise.finish(ending).await.unwrap_err();
    assert_eq!(fault.to_string(), "task 'lost' failed");
    assert!(asked.elapsed().is_zero());
    assert!(!house.drained.is_up() && !house.released.is_up());
    assert_eq!(house.health.dead().as_deref(), Some("task 'lost' failed"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_or_panicked_worker_lets_the_others_finish_but_the_lease_expires() {
    for fails in [true, false] {
        let mut house = house(Duration::from_secs(1));
        if fails {
            house.supervise.spawn("broken", failing());
        } else {
            house.supervise.spawn("broken", async { panic!("a bug") });
        }
        let ending = house.supervise.ending().await;
        let fault = house.supervise.finish(ending).await.unwrap_err();
        assert_eq!(fault.to_string(), "task 'broken' failed");
        assert!(house.drained.is_up() && !house.released.is_up());
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_just_ends_is_a_fault_too() {
    let mut house = house(Duration::from_secs(1));
    house.supervise.spawn("controller", async { Ok(()) });
    let ending = house.supervise.ending().await;
    let fault = house.supervise.finish(ending).await.unwrap_err();
    assert_eq!(fault.to_string(), "task 'controller' ended by itself");
    assert!(house.drained.is_up() && house.released.is_up());
}

#[tokio::test(start_paused = true)]
async fn a_task_that_dies_interrupts_the_start() {
    let mut house = house(Duration::from_secs(1));
    assert_eq!(house.supervise.during(async { 1 }).await.unwrap(), 1);
    house.supervise.spawn("broken", failing());
    let waiting = house.supervise.during(std::future::pending::<()>());
    let ending = waiting.await.unwrap_err();
    assert_eq!(ending.to_string(), "task 'broken' failed");
}
