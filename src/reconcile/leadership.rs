//! The token that every writer asks before it touches anything outside.
//!
//! In: what the election (`process::leader`) last proved, through its [`Tenure`]. Out: a [`Term`], or why not.
//! Never: talks to Kubernetes; stays true because the election hangs. Proof runs out by itself, before another may lead.
//!
//! Assumes that the monotonic clocks of both candidates run at about the same speed. A virtual machine that is paused
//! and resumed breaks that; then the `ETag`s and marks of the clouds are what is left.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// Default of `--lost-create-timeout`: how long a create of the predecessor may still be on its way.
pub const CREATE_PAUSE: Duration = Duration::from_mins(2);

/// Number of the leader, counted by the Lease (`leaseTransitions`). A later leader has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(pub i32);

/// Why nothing may be written now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotLeader {
    /// Not elected yet.
    #[error("this process stands by: another one leads, or none is elected yet")]
    Standby,
    /// Elected, but the last proof of it is too old.
    #[error("the Lease was not renewed in time, so another process may lead by now")]
    ProofExpired,
    /// Released or lost; this process never leads again.
    #[error("this process has given up the Lease")]
    Ended,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    Standby,
    Leading { term: Term, until: Instant, taken_over_at: Option<Instant> },
    Ended,
}

/// Asked by writers, at each write. Cheap to clone; all clones see the same standing.
#[derive(Clone, Debug)]
pub struct Leadership {
    standing: watch::Receiver<Standing>,
    create_pause: Duration,
}

/// The election's half: the only one that can make a [`Leadership`] true. Dropping it ends the tenure.
#[derive(Debug)]
pub struct Tenure(watch::Sender<Standing>);

/// Makes both halves. `create_pause` is `--lost-create-timeout`, by default [`CREATE_PAUSE`].
#[must_use]
pub fn leadership(create_pause: Duration) -> (Tenure, Leadership) {
    let (tenure, standing) = watch::channel(Standing::Standby);
    (Tenure(tenure), Leadership { standing, create_pause })
}

impl Leadership {
    /// The term, while the last renewal proves that no other process may lead yet.
    ///
    /// Ask at each write and not once a pass.
    ///
    /// # Errors
    /// Why nothing may be written. The caller drops what it was about to do; the next leader looks again.
    pub fn check(&self) -> Result<Term, NotLeader> {
        match *self.standing.borrow() {
            Standing::Standby => Err(NotLeader::Standby),
            Standing::Ended => Err(NotLeader::Ended),
            Standing::Leading { term, until, .. } if Instant::now() < until => Ok(term),
            Standing::Leading { .. } => Err(NotLeader::ProofExpired),
        }
    }

    /// When an expired Lease was taken over; `None` if the predecessor released it or there was none.
    #[must_use]
    pub fn taken_over_at(&self) -> Option<Instant> {
        match *self.standing.borrow() {
            Standing::Leading { taken_over_at, .. } => taken_over_at,
            Standing::Standby | Standing::Ended => None,
        }
    }

    /// How long creates that cannot be repeated safely must still wait; zero when they need not.
    #[must_use]
    pub fn create_pause_left(&self) -> Duration {
        self.taken_over_at()
            .map_or(Duration::ZERO, |taken| (taken + self.create_pause).saturating_duration_since(Instant::now()))
    }

    /// Whether a create that cannot be repeated safely may be sent: leading, and no create of a predecessor that died
    /// holding the Lease can still be on its way.
    #[must_use]
    pub fn may_create_again(&self) -> bool {
        self.check().is_ok() && self.create_pause_left().is_zero()
    }

    /// Waits for this process to be elected.
    ///
    /// # Errors
    /// [`NotLeader::Ended`] when the election ended first.
    pub async fn elected(&self) -> Result<Term, NotLeader> {
        let mut standing = self.standing.clone();
        let known =
            standing.wait_for(|standing| !matches!(standing, Standing::Standby)).await.map(|standing| *standing);
        match known {
            Ok(Standing::Leading { term, .. }) => Ok(term),
            Ok(Standing::Standby | Standing::Ended) | Err(_) => Err(NotLeader::Ended),
        }
    }
}

impl Tenure {
    /// Begins to lead: proven until `until`. `taken_over_at` is set when the predecessor did not release the Lease.
    pub fn begin(&mut self, term: Term, until: Instant, taken_over_at: Option<Instant>) {
        self.0.send_replace(Standing::Leading { term, until, taken_over_at });
    }

    /// A renewal succeeded: proven until `until`.
    pub fn extend(&mut self, until: Instant) {
        self.0.send_if_modified(|standing| match standing {
            Standing::Leading { until: proven, .. } => {
                *proven = until;
                true
            }
            Standing::Standby | Standing::Ended => false,
        });
    }

    /// No write may start from now on, for good.
    pub fn end(&mut self) {
        self.0.send_replace(Standing::Ended);
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn proof_runs_out_by_itself_and_a_renewal_extends_it() {
        let (mut tenure, leadership) = leadership(CREATE_PAUSE);
        assert_eq!(leadership.check(), Err(NotLeader::Standby));
        tenure.begin(Term(3), Instant::now() + 10 * SECOND, None);
        assert_eq!(leadership.check(), Ok(Term(3)));
        tokio::time::advance(9 * SECOND).await;
        tenure.extend(Instant::now() + 10 * SECOND);
        tokio::time::advance(9 * SECOND).await;
        assert_eq!(leadership.check(), Ok(Term(3)));
        tokio::time::advance(SECOND).await;
        assert_eq!(leadership.check(), Err(NotLeader::ProofExpired));
    }

    #[tokio::test(start_paused = true)]
    async fn creates_pause_only_after_a_lease_was_taken_over() {
        let (mut tenure, leadership) = leadership(CREATE_PAUSE);
        assert!(!leadership.may_create_again(), "a standby creates nothing");
        let hour = Duration::from_hours(1);
        tenure.begin(Term(1), Instant::now() + hour, Some(Instant::now()));
        tokio::time::advance(119 * SECOND).await;
        assert!(!leadership.may_create_again());
        assert_eq!(leadership.create_pause_left(), SECOND);
        tokio::time::advance(SECOND).await;
        assert!(leadership.may_create_again());
        tenure.begin(Term(2), Instant::now() + hour, None);
        assert!(leadership.may_create_again());
    }

    #[tokio::test]
    async fn a_dropped_election_ends_the_tenure() {
        let (mut tenure, leadership) = leadership(CREATE_PAUSE);
        tenure.begin(Term(1), Instant::now() + 10 * SECOND, None);
        assert_eq!(leadership.elected().await, Ok(Term(1)));
        drop(tenure);
        assert_eq!(leadership.check(), Err(NotLeader::Ended));
        assert_eq!(leadership.elected().await, Err(NotLeader::Ended));
    }
}
