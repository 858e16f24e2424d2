//! Every task of the process, by name. The first to end ends the process, and an end has an order.
//!
//! In: workers (they write to the clouds) and foundations (they outlive the workers: election, port). Out: why it ended.
//! Never: a detached task; a Lease that is released while a write may still be on its way.

use std::{collections::HashMap, error::Error, future::Future, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{Id, JoinError, JoinSet},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::health::Health;

/// How long passes in flight may take to end. With the release it stays below the 30 s that Kubernetes gives a pod.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(20);
/// How long the foundations may take after that; the Lease is released here.
const RELEASE_DEADLINE: Duration = Duration::from_secs(5);

/// What a task ends with. No task ends before it is told to, so an early `Ok` is a fault as well.
pub type TaskResult = Result<(), Box<dyn Error + Send + Sync>>;

/// Why the process ends.
#[derive(Debug, thiserror::Error)]
pub enum Ending {
    /// A person or Kubernetes asked for it.
    #[error("received {0}")]
    Asked(&'static str),
    /// A task failed.
    #[error("task '{task}' failed")]
    Failed {
        /// Its name.
        task: &'static str,
        /// Its fault.
        #[source]
        fault: Box<dyn Error + Send + Sync>,
    },
    /// A task ended although nobody had told it to.
    #[error("task '{0}' ended by itself")]
    Stopped(&'static str),
    /// The start went wrong before there was a task to blame.
    #[error("cannot start")]
    Start(#[source] Box<dyn Error + Send + Sync>),
}

/// The named tasks of the process. Dropped, it aborts them all.
#[derive(Debug)]
pub struct Supervisor {
    workers: Crew,
    foundations: Crew,
    stop: CancellationToken,
    end: CancellationToken,
    signals: Signals,
    health: Health,
    drain_deadline: Duration,
}

#[derive(Debug, Default)]
struct Crew {
    tasks: JoinSet<TaskResult>,
    names: HashMap<Id, &'static str>,
    spawned: usize,
}

#[derive(Debug)]
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Supervisor {
    /// Listens for SIGTERM and SIGINT from now on.
    ///
    /// # Errors
    /// When the signals cannot be had.
    pub fn new(health: Health, drain_deadline: Duration) -> std::io::Result<Self> {
        Ok(Self {
            workers: Crew::default(),
            foundations: Crew::default(),
            stop: CancellationToken::new(),
            end: CancellationToken::new(),
            signals: Signals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            },
            health,
            drain_deadline,
        })
    }

    /// Cancelled when workers must take no new work and end what they have.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Cancelled when all workers have ended and the foundations must end too.
    #[must_use]
    pub fn end(&self) -> CancellationToken {
        self.end.clone()
    }

    /// A task that works for resources. It ends when [`Self::stop`] is cancelled and its work in flight is done.
    pub fn spawn<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = TaskResult> + Send + 'static,
    {
        self.workers.spawn(name, task);
    }

    /// A task that the workers stand on. It ends when [`Self::end`] is cancelled. If it ends before, workers are cut off
    /// without waiting: what they rely on is gone.
    pub fn spawn_foundation<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = TaskResult> + Send + 'static,
    {
        self.foundations.spawn(name, task);
    }

    /// Does `work` while watching over the tasks.
    ///
    /// # Errors
    /// The ending that came first; `work` is dropped then. Give it to [`Self::finish`].
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ending> {
        tokio::select! {
            biased;
            ending = first_end(&mut self.workers, &mut self.foundations, &mut self.signals) => Err(ending),
            done = work => Ok(done),
        }
    }

    /// Waits for the first end.
    pub async fn ending(&mut self) -> Ending {
        first_end(&mut self.workers, &mut self.foundations, &mut self.signals).await
    }

    /// Ends everything in order: workers stop taking work and finish, then the foundations end. What does not end in time
    /// is cut off; then the foundations are cut off too, so that the Lease expires instead of being released.
    ///
    /// # Errors
    /// `ending` itself, unless the process was asked to end.
    pub async fn finish(mut self, ending: Ending) -> Result<(), Ending> {
        info!(%ending, "ending");
        if !matches!(ending, Ending::Asked(_)) {
            self.health.died(ending.to_string());
        }
        self.stop.cancel();
        if self.foundations.has_lost_one() {
            error!("cutting off all work: what it relies on is gone");
        } else if self.drain().await && !matches!(ending, Ending::Failed { .. }) {
            self.end.cancel();
            if timeout(RELEASE_DEADLINE, self.foundations.all_ended()).await.is_err() {
                warn!(left = ?self.foundations.left(), "some tasks did not end in time");
            }
        } else {
            // A write of the fallen may still be on its way: the next leader must wait, and pause its creates.
            warn!(left = ?self.workers.left(), "work did not end in order; the Lease is left to expire");
        }
        self.workers.tasks.abort_all();
        self.foundations.tasks.abort_all();
        match ending {
            Ending::Asked(_) => Ok(()),
            fault @ (Ending::Failed { .. } | Ending::Stopped(_) | Ending::Start(_)) => Err(fault),
        }
    }

    /// Whether all workers ended in order; not if one failed, a foundation fell, a second signal came or time ran out.
    async fn drain(&mut self) -> bool {
        let deadline = Instant::now() + self.drain_deadline;
        let ended = async {
            tokio::select! {
                biased;
                in_order = self.workers.all_ended() => in_order,
                fallen = self.foundations.next_end() => {
                    error!(ending = %fallen, "lost while ending");
                    false
                }
                again = self.signals.next() => {
                    warn!("received {again} again: not waiting any longer");
                    false
                }
            }
        };
        timeout_at(deadline, ended).await.unwrap_or(false)
    }
}

async fn first_end(workers: &mut Crew, foundations: &mut Crew, signals: &mut Signals) -> Ending {
    tokio::select! {
        biased;
        fallen = foundations.next_end() => fallen,
        fallen = workers.next_end() => fallen,
        asked = signals.next() => Ending::Asked(asked),
    }
}

impl Crew {
    fn spawn<F>(&mut self, name: &'static str, task: F)
    where
        F: Future<Output = TaskResult> + Send + 'static,
    {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
        self.spawned += 1;
    }

    /// The next end; waits for ever where there is no task.
    async fn next_end(&mut self) -> Ending {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.read(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits for all, tells each fault, and whether there was none.
    async fn all_ended(&mut self) -> bool {
        let mut in_order = true;
        while let Some(ended) = self.tasks.join_next_with_id().await {
            match self.read(ended) {
                Ending::Failed { task, fault } => {
                    in_order = false;
                    error!(task, fault, "failed while ending");
                }
                Ending::Stopped(_) | Ending::Asked(_) | Ending::Start(_) => {}
            }
        }
        in_order
    }

    fn read(&mut self, ended: Result<(Id, TaskResult), JoinError>) -> Ending {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(fault) => (fault.id(), Err(fault.into())),
        };
        let task = self.names.remove(&id).unwrap_or("unnamed");
        match result {
            Ok(()) => Ending::Stopped(task),
            Err(fault) => Ending::Failed { task, fault },
        }
    }

    /// Foundations never end before they are told to, so one name less than spawned means one is gone.
    fn has_lost_one(&self) -> bool {
        self.spawned != self.names.len()
    }

    fn left(&self) -> Vec<&'static str> {
        self.names.values().copied().collect()
    }
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
