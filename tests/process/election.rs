//! Two candidates, one Lease, wires that fail. Time is paused: it moves only when nobody has anything to do.

use std::{
    pin::pin,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use kube::Api;
use serde_json::Value;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uko_operator::{
    process::{
        health::Health,
        leader::{Candidate, Lost, Timing},
    },
    reconcile::leadership::{CREATE_PAUSE, Leadership, NotLeader, Term, leadership},
};

use crate::api::{ApiServer, State, Wire};

const PATH: &str = "/apis/coordination.k8s.io/v1/namespaces/uko-operator/leases/uko-operator";
const SECOND: Duration = Duration::from_secs(1);
const TIMING: Timing = Timing {
    lease_duration: Duration::from_secs(15),
    renew_deadline: Duration::from_secs(10),
    retry_period: Duration::from_secs(2),
};

/// A wall clock that has nothing to do with the paused one: no election may depend on it.
fn next_microsecond() -> Timestamp {
    static MICROSECONDS: AtomicI64 = AtomicI64::new(0);
    Timestamp::from_microsecond(MICROSECONDS.fetch_add(1, Ordering::SeqCst)).unwrap()
}
/// A standby may have seen the last renewal one look late.
const JUST_SHORT_OF_THE_LEASE: Duration = TIMING.lease_duration.saturating_sub(TIMING.retry_period);

struct Process {
    leadership: Leadership,
    health: Health,
    wire: Wire,
    end: CancellationToken,
    /// One task; dropped with the process, as by SIGKILL.
    task: JoinSet<Result<(), Lost>>,
}

fn candidate(server: &ApiServer, wire: &Wire, health: &Health, identity: &str) -> Candidate {
    Candidate {
        leases: Api::namespaced(server.client(wire), "uko-operator"),
        name: "uko-operator".to_owned(),
        identity: identity.to_owned(),
        timing: TIMING,
        clock: next_microsecond,
        view: health.gate("the Lease"),
    }
}

fn start(server: &ApiServer, identity: &str) -> Process {
    let (tenure, leadership) = leadership(CREATE_PAUSE);
    let (health, wire, end) = (Health::default(), Wire::default(), CancellationToken::new());
    let mut task = JoinSet::new();
    task.spawn(candidate(server, &wire, &health, identity).run(tenure, end.clone()));
    Process { leadership, health, wire, end, task }
}

impl Process {
    /// How long it took until it led.
    async fn elected(&self) -> Duration {
        let asked = Instant::now();
        timeout(120 * SECOND, self.leadership.elected()).await.unwrap().unwrap();
        asked.elapsed()
    }

    /// How it ended.
    async fn ended(&mut self) -> Result<(), Lost> {
        timeout(120 * SECOND, self.task.join_next()).await.unwrap().unwrap().unwrap()
    }

    fn leads(&self) -> bool {
        self.leadership.check().is_ok()
    }
}

fn holder(server: &ApiServer) -> Value {
    server.object(PATH).unwrap()["spec"]["holderIdentity"].clone()
}

#[tokio::test(start_paused = true)]
async fn of_two_candidates_one_wins_and_the_other_stands_by() {
    let server = ApiServer::default();
    let (a, b) = (start(&server, "a"), start(&server, "b"));
    tokio::select! {
        _ = a.elected() => {}
        _ = b.elected() => {}
    }
    for _ in 0..600 {
        sleep(SECOND / 10).await;
        assert!(a.leads() != b.leads(), "exactly one leads at any time");
    }
    let (leader, standby) = if a.leads() { (&a, &b) } else { (&b, &a) };
    assert_eq!(leader.leadership.check(), Ok(Term(1)));
    assert!(leader.leadership.may_create_again());
    assert_eq!(standby.leadership.check(), Err(NotLeader::Standby));
    assert!(leader.health.missing().is_empty());
    assert!(standby.health.missing().is_empty(), "a standby with a fresh view is ready");
}

#[tokio::test(start_paused = true)]
async fn of_twenty_candidates_one_wins() {
    let server = ApiServer::default();
    let names: Vec<String> = (0..20).map(|number| format!("candidate-{number}")).collect();
    let processes: Vec<Process> = names.iter().map(|name| start(&server, name)).collect();
    sleep(60 * SECOND).await;
    assert_eq!(processes.iter().filter(|process| process.leads()).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_stops_before_another_may_start() {
    for fault in [State::Cut, State::LosesAnswers, State::Unavailable] {
        let server = ApiServer::default();
        let mut a = start(&server, "a");
        a.elected().await;
        let b = start(&server, "b");
        sleep(20 * SECOND).await;
        a.wire.set(fault);
        let cut = Instant::now();
        let mut stopped = None;
        while !b.leads() {
            if !a.leads() {
                stopped.get_or_insert(cut.elapsed());
            }
            sleep(SECOND / 100).await;
            assert!(!(a.leads() && b.leads()));
            assert!(cut.elapsed() < 120 * SECOND);
            if fault == State::LosesAnswers && cut.elapsed() > 12 * SECOND {
                a.wire.set(State::Cut); // or its renewals would land for as long as the process lives
            }
        }
        let stopped = stopped.unwrap();
        assert!(stopped <= TIMING.renew_deadline, "{stopped:?}");
        assert_eq!(a.ended().await, Err(Lost::DeadlinePassed(TIMING.renew_deadline)));
        assert_eq!(a.leadership.check(), Err(NotLeader::Ended));
        assert!(b.leadership.check().unwrap() > Term(1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_election_hangs_stops_before_another_may_start() {
    let server = ApiServer::default();
    let (tenure, hung) = leadership(CREATE_PAUSE);
    let run = candidate(&server, &Wire::default(), &Health::default(), "hung").run(tenure, CancellationToken::new());
    let mut run = pin!(run);
    let b = tokio::select! {
        ended = &mut run => panic!("{ended:?}"),
        b = async {
            hung.elected().await.unwrap();
            let b = start(&server, "b");
            sleep(20 * SECOND).await;
            b
        } => b,
    };
    // From here on nobody polls the election any more, as if its thread were stuck.
    let stuck = Instant::now();
    while hung.check().is_ok() {
        sleep(SECOND / 100).await;
        assert!(stuck.elapsed() <= TIMING.renew_deadline);
    }
    assert_eq!(hung.check(), Err(NotLeader::ProofExpired));
    assert!(!b.leads());
    b.elected().await;
    assert_eq!(hung.check(), Err(NotLeader::ProofExpired));
}

#[tokio::test(start_paused = true)]
async fn a_released_lease_is_taken_at_the_next_look_and_creates_go_on() {
    let server = ApiServer::default();
    let mut a = start(&server, "a");
    a.elected().await;
    let b = start(&server, "b");
    sleep(20 * SECOND).await;
    a.end.cancel();
    assert_eq!(a.ended().await, Ok(()));
    assert_eq!(a.leadership.check(), Err(NotLeader::Ended));
    assert_eq!(holder(&server), Value::Null);
    assert!(b.elected().await <= TIMING.retry_period * 2);
    assert_eq!(b.leadership.taken_over_at(), None);
    assert!(b.leadership.may_create_again());
    assert_eq!(b.leadership.check(), Ok(Term(2)));
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_dead_leader_is_taken_late_and_creates_pause() {
    let server = ApiServer::default();
    let a = start(&server, "a");
    a.elected().await;
    let b = start(&server, "b");
    sleep(20 * SECOND).await;
    drop(a.task);
    let waited = b.elected().await;
    assert_eq!(a.leadership.check(), Err(NotLeader::Ended));
    assert!(waited >= JUST_SHORT_OF_THE_LEASE, "{waited:?}");
    assert!(waited <= TIMING.lease_duration + TIMING.retry_period * 2, "{waited:?}");
    assert!(b.leadership.taken_over_at().is_some());
    assert!(b.leads() && !b.leadership.may_create_again());
    sleep(CREATE_PAUSE.saturating_sub(SECOND)).await;
    assert!(b.leads() && !b.leadership.may_create_again(), "renewals do not shorten the pause");
    sleep(2 * SECOND).await;
    assert!(b.leadership.may_create_again());
}

#[tokio::test(start_paused = true)]
async fn a_restart_under_the_same_name_is_not_its_predecessor() {
    let server = ApiServer::default();
    let a = start(&server, "same");
    a.elected().await;
    let b = start(&server, "same");
    sleep(60 * SECOND).await;
    assert!(a.leads() && !b.leads());
    drop(a.task);
    b.elected().await;
    assert!(!b.leadership.may_create_again());
}

#[tokio::test(start_paused = true)]
async fn a_renewal_whose_answer_was_lost_does_not_cost_the_lease() {
    let server = ApiServer::default();
    let a = start(&server, "a");
    a.elected().await;
    let before = server.object(PATH).unwrap();
    a.wire.set(State::LosesAnswers);
    while server.object(PATH).unwrap() == before {
        sleep(SECOND / 10).await;
    }
    a.wire.set(State::Sound);
    sleep(120 * SECOND).await;
    assert_eq!(a.leadership.check(), Ok(Term(1)));
}

#[tokio::test(start_paused = true)]
async fn a_candidacy_whose_answer_was_lost_is_found_again_without_waiting() {
    let server = ApiServer::default();
    let a = start(&server, "a");
    a.wire.set(State::LosesWrites);
    while server.object(PATH).is_none() {
        sleep(SECOND / 10).await;
    }
    a.wire.set(State::Sound);
    let waited = a.elected().await;
    assert!(waited < TIMING.lease_duration, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_label_from_outside_does_not_cost_the_lease() {
    let server = ApiServer::default();
    let a = start(&server, "a");
    a.elected().await;
    server.change(PATH, |lease| {
        lease["metadata"]["labels"]["team"] = "keys".into();
    });
    sleep(60 * SECOND).await;
    assert_eq!(a.leadership.check(), Ok(Term(1)));
    assert_eq!(server.object(PATH).unwrap()["metadata"]["labels"]["team"], "keys");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_taken_or_deleted_ends_the_leader() {
    let server = ApiServer::default();
    let mut a = start(&server, "a");
    a.elected().await;
    server.change(PATH, |lease| {
        lease["spec"]["holderIdentity"] = "intruder".into();
    });
    assert_eq!(a.ended().await, Err(Lost::Taken("intruder".to_owned())));
    assert!(!a.leads());

    let server = ApiServer::default();
    let mut a = start(&server, "a");
    a.elected().await;
    let b = start(&server, "b");
    sleep(20 * SECOND).await;
    server.delete(PATH);
    let waited = async {
        let waited = b.elected().await;
        assert!(!b.leadership.may_create_again());
        waited
    };
    let (ended, waited) = tokio::join!(a.ended(), waited);
    assert_eq!(ended, Err(Lost::Deleted));
    assert!(waited >= JUST_SHORT_OF_THE_LEASE, "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_standby_that_sees_nothing_is_not_ready() {
    let server = ApiServer::default();
    let a = start(&server, "a");
    a.elected().await;
    let b = start(&server, "b");
    sleep(20 * SECOND).await;
    assert!(b.health.missing().is_empty());
    b.wire.set(State::Unavailable);
    sleep(20 * SECOND).await;
    assert_eq!(b.health.missing(), ["the Lease"]);
    b.wire.set(State::Sound);
    sleep(20 * SECOND).await;
    assert!(b.health.missing().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_release_that_meets_a_newer_version_of_its_own_record_still_releases() {
    let server = ApiServer::default();
    let mut a = start(&server, "a");
    a.elected().await;
    server.change(PATH, |lease| {
        lease["metadata"]["labels"]["team"] = "keys".into();
    });
    a.end.cancel();
    assert_eq!(a.ended().await, Ok(()));
    assert_eq!(holder(&server), Value::Null);
}
