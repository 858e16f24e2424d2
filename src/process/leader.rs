//! The election: one Lease, optimistic locks, our own monotonic clock.
//!
//! In: the Lease, by GET, POST and PUT with its `resourceVersion`. Out: a [`Tenure`] that is true only while proven.
//! Never: trusts a remote clock; waits for an answer longer than the proof lasts; leads again after a loss.

use std::{fmt, time::Duration};

use k8s_openapi::{api::coordination::v1::Lease, jiff::Timestamp};
use kube::{Api, api::PostParams};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    api_server::plain,
    health::Gate,
    lease::{Claim, Opening, Sighting, unborn},
};
use crate::reconcile::leadership::Tenure;

/// The three times of an election; `renew_deadline` is shorter than `lease_duration`, `retry_period` at most half of it.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long the Lease must stand still before another candidate may take it.
    pub lease_duration: Duration,
    /// How long after its last renewal the leader may go on writing.
    pub renew_deadline: Duration,
    /// Pause between two renewals, or two looks.
    pub retry_period: Duration,
}

/// One process that wants to lead.
pub struct Candidate {
    /// Leases of the operator's own namespace.
    pub leases: Api<Lease>,
    /// Name of the Lease.
    pub name: String,
    /// What the Lease calls this process. Two processes of one name still cannot lead both.
    pub identity: String,
    /// The times.
    pub timing: Timing,
    /// Wall clock, for the record that people read; nothing is decided by it.
    pub clock: fn() -> Timestamp,
    /// Open while our view of the Lease is fresh.
    pub view: Gate,
}

/// How leadership was lost. The process must end: what it believed of the world may be old.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// No renewal succeeded before the deadline.
    #[error("no renewal of the Lease succeeded within {0:?}; another process may lead by now")]
    DeadlinePassed(Duration),
    /// Another process holds the Lease.
    #[error("the Lease was taken by '{0}'")]
    Taken(String),
    /// Someone deleted the Lease.
    #[error("the Lease was deleted")]
    Deleted,
}

/// What one call to the API server came to.
enum Outcome {
    Done(Box<Lease>),
    /// Somebody wrote first.
    Conflict,
    Missing,
    /// Not known: it may have been done.
    Unclear(String),
}

struct Held {
    claim: Claim,
    lease: Lease,
    proven_from: Instant,
}

impl Candidate {
    /// Stands for election, leads, and releases the Lease when `end` is cancelled.
    ///
    /// # Errors
    /// How the Lease was lost. `tenure` is over by then.
    ///
    /// # Cancel safety
    /// Dropped, the tenure ends at once and the Lease is left to expire, as after a crash.
    pub async fn run(self, mut tenure: Tenure, end: CancellationToken) -> Result<(), Lost> {
        let won = tokio::select! {
            biased;
            () = end.cancelled() => return Ok(()),
            won = self.campaign(&mut tenure) => won,
        };
        let held = self.hold(won, &mut tenure, &end).await?;
        tenure.end();
        self.release(held).await;
        Ok(())
    }

    async fn campaign(&self, tenure: &mut Tenure) -> Held {
        let mut seen: Option<Sighting> = None;
        let mut sent: Option<(Claim, bool)> = None;
        let mut complaint: Option<String> = None;
        loop {
            match self.stand(&mut seen, &mut sent, tenure).await {
                Ok(Some(held)) => return held,
                Ok(None) => complaint = None,
                Err(problem) => {
                    if complaint.as_ref() != Some(&problem) {
                        warn!(lease = self.name, problem, "cannot stand for election; trying on");
                    }
                    complaint = Some(problem);
                }
            }
            // Jitter, so that two candidates do not meet at every step.
            let pause = self.timing.retry_period.mul_f64(1.0 + fastrand::f64() / 5.0);
            sleep_until(Instant::now() + pause).await;
        }
    }

    /// One look, and one try if the Lease may be taken. `sent` is a claim whose answer was lost, and whether it took over.
    async fn stand(
        &self,
        seen: &mut Option<Sighting>,
        sent: &mut Option<(Claim, bool)>,
        tenure: &mut Tenure,
    ) -> Result<Option<Held>, String> {
        let found = self.look().await?;
        self.view.open_for(self.timing.lease_duration);
        let sighting = self.sight(seen.take(), found, Instant::now());
        let taken = self.try_take(&sighting, sent, tenure).await;
        *seen = Some(sighting);
        taken
    }

    fn sight(&self, seen: Option<Sighting>, found: Option<Lease>, now: Instant) -> Sighting {
        let before = seen.as_ref().and_then(|seen| seen.holder().map(str::to_owned));
        let first = seen.is_none();
        let sighting = match seen {
            None => Sighting::first(found, now),
            Some(seen) => seen.next(found, now),
        };
        if let Some(holder) = sighting.holder()
            && (first || before.as_deref() != Some(holder))
        {
            info!(lease = self.name, holder, "standing by");
        }
        sighting
    }

    async fn try_take(
        &self,
        seen: &Sighting,
        sent: &mut Option<(Claim, bool)>,
        tenure: &mut Tenure,
    ) -> Result<Option<Held>, String> {
        let ours = |claim: &Claim| seen.lease().is_some_and(|lease| claim.is_in(lease));
        let (claim, took_over) = match sent.clone().filter(|(claim, _)| ours(claim)) {
            Some(landed) => landed,
            None => match seen.opening(Instant::now(), self.timing.lease_duration) {
                Opening::Held => return Ok(None),
                opening @ (Opening::Free | Opening::Expired) => {
                    (Claim::after(seen.lease(), &self.identity, (self.clock)()), opening == Opening::Expired)
                }
            },
        };
        let proven_from = Instant::now();
        match self.write(&claim, seen.lease(), self.call_timeout()).await {
            Outcome::Done(lease) => {
                let until = proven_from + self.timing.renew_deadline;
                tenure.begin(claim.term(), until, took_over.then(Instant::now));
                info!(lease = self.name, identity = self.identity, term = claim.term().0, took_over, "leading");
                Ok(Some(Held { claim, lease: *lease, proven_from }))
            }
            Outcome::Conflict => Ok(None),
            Outcome::Missing => {
                Err("the Lease cannot be made: does the operator's own namespace (--namespace) exist?".to_owned())
            }
            Outcome::Unclear(problem) => {
                *sent = Some((claim, took_over));
                Err(problem)
            }
        }
    }

    /// Renews until `end`, or until the proof is gone.
    async fn hold(&self, mut held: Held, tenure: &mut Tenure, end: &CancellationToken) -> Result<Held, Lost> {
        let mut next = held.proven_from + self.timing.retry_period;
        loop {
            let deadline = held.proven_from + self.timing.renew_deadline;
            tokio::select! {
                biased;
                () = end.cancelled() => return Ok(held),
                () = sleep_until(next.min(deadline)) => {}
            }
            let sent_at = Instant::now();
            if sent_at >= deadline {
                tenure.end();
                return Err(Lost::DeadlinePassed(self.timing.renew_deadline));
            }
            next = sent_at + self.timing.retry_period;
            let patience = self.call_timeout().min(deadline - sent_at);
            match self.write(&held.claim, Some(&held.lease), patience).await {
                Outcome::Done(lease) => {
                    held.lease = *lease;
                    held.proven_from = sent_at;
                    tenure.extend(sent_at + self.timing.renew_deadline);
                    self.view.open_for(self.timing.renew_deadline);
                }
                Outcome::Conflict => match self.look_again(&held.claim, deadline).await {
                    // Our own lost write, or a label: the record is ours, only its version moved.
                    Ok(Some(lease)) => {
                        held.lease = lease;
                        next = Instant::now() + self.timing.retry_period / 10;
                    }
                    Ok(None) => {}
                    Err(lost) => {
                        tenure.end();
                        return Err(lost);
                    }
                },
                Outcome::Missing => {
                    tenure.end();
                    return Err(Lost::Deleted);
                }
                Outcome::Unclear(problem) => {
                    warn!(lease = self.name, problem, "the Lease was not renewed; trying on");
                }
            }
        }
    }

    /// The record if it is still ours; `None` if that could not be read.
    async fn look_again(&self, claim: &Claim, deadline: Instant) -> Result<Option<Lease>, Lost> {
        let left = deadline.saturating_duration_since(Instant::now());
        match timeout(left, self.look()).await {
            Ok(Ok(Some(lease))) if claim.is_in(&lease) => Ok(Some(lease)),
            Ok(Ok(Some(lease))) => {
                Err(Lost::Taken(Sighting::first(Some(lease), Instant::now()).holder().unwrap_or("nobody").to_owned()))
            }
            Ok(Ok(None)) => Err(Lost::Deleted),
            Ok(Err(_)) | Err(_) => Ok(None),
        }
    }

    /// Lets the next candidate in at once. Best effort: a Lease that stays held expires.
    async fn release(&self, mut held: Held) {
        for _ in 0..2 {
            let released = held.claim.released(&held.lease, (self.clock)(), self.timing.lease_duration);
            match self.put(&released, self.call_timeout()).await {
                Outcome::Done(_) => {
                    info!(lease = self.name, "released the Lease");
                    return;
                }
                Outcome::Missing => return,
                Outcome::Unclear(problem) => {
                    warn!(lease = self.name, problem, "cannot tell whether the Lease was released");
                    return;
                }
                Outcome::Conflict => match self.look().await {
                    Ok(Some(lease)) if held.claim.is_in(&lease) => held.lease = lease,
                    Ok(_) | Err(_) => return,
                },
            }
        }
    }

    async fn look(&self) -> Result<Option<Lease>, String> {
        match timeout(self.call_timeout(), self.leases.get_opt(&self.name)).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(fault)) => Err(self.cure(fault)),
            Err(_) => Err("the API server does not answer".to_owned()),
        }
    }

    async fn write(&self, claim: &Claim, seen: Option<&Lease>, patience: Duration) -> Outcome {
        let now = (self.clock)();
        let duration = self.timing.lease_duration;
        if let Some(seen) = seen {
            return self.put(&claim.held(seen, now, duration), patience).await;
        }
        let lease = claim.held(&unborn(&self.name), now, duration);
        self.settle(timeout(patience, self.leases.create(&parameters(), &lease)).await)
    }

    async fn put(&self, lease: &Lease, patience: Duration) -> Outcome {
        let parameters = parameters();
        let call = self.leases.replace(&self.name, &parameters, lease);
        self.settle(timeout(patience, call).await)
    }

    fn settle(&self, answer: Result<kube::Result<Lease>, tokio::time::error::Elapsed>) -> Outcome {
        match answer {
            Ok(Ok(lease)) => Outcome::Done(Box::new(lease)),
            Ok(Err(kube::Error::Api(status))) if status.code == 404 => Outcome::Missing,
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Outcome::Conflict,
            Ok(Err(fault)) => Outcome::Unclear(self.cure(fault)),
            Err(_) => Outcome::Unclear("the API server does not answer".to_owned()),
        }
    }

    /// Shorter than the deadline, so that one lost answer leaves time for another try.
    fn call_timeout(&self) -> Duration {
        self.timing.renew_deadline / 3
    }

    fn cure(&self, fault: kube::Error) -> String {
        let forbidden = matches!(&fault, kube::Error::Api(status) if status.is_forbidden());
        if forbidden {
            format!(
                "the service account may not use Lease {}: grant it get, create and update on leases of coordination.k8s.io in the operator's namespace",
                self.name
            )
        } else {
            plain(fault).to_string()
        }
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("name", &self.name)
            .field("identity", &self.identity)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

fn parameters() -> PostParams {
    PostParams { field_manager: Some("uko-operator".to_owned()), ..PostParams::default() }
}
