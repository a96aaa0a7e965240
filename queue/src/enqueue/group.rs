//! Many tasks that enqueue at once share a commit.
//!
//! What is asked for while the last commits are in flight is gathered and written by one statement; an idle process adds
//! no delay, and the commit of a job that comes alone wakes the workers by itself. This is for jobs that stand alone: one
//! that belongs to a change of the caller's is enqueued in the caller's transaction, by [`enqueue`](super::enqueue).

use std::time::Instant;

use sqlx::{Connection as _, PgPool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{EnqueueError, Enqueued, Wake, enqueue_and};
use crate::notify::Pace;
use crate::{Kept, NewJob, Notifier, Unique, pool_options, trace};

/// Jobs that share a commit at most.
const GROUP_MAX: usize = 1_000;
/// Commits that may be in flight at once: while one waits for the disk, the next one is being prepared.
const COMMITS_MAX: usize = 2;
/// A commit begins beside another one only for so many jobs: fewer cost less when they wait and share the next one.
const SECOND_MIN: usize = 32;
/// How often to let others run before a group that is smaller than the last one is closed.
const YIELDS_MAX: usize = 8;
/// Jobs that may wait for a commit; whoever comes then waits for a place.
const WAITING_MAX: usize = 4_096;

struct Waiting {
    job: NewJob,
    answer: oneshot::Sender<Result<Enqueued, EnqueueError>>,
}

/// A handle for enqueueing jobs that stand alone; clones share their commits.
#[derive(Debug, Clone)]
pub struct Enqueuer {
    sender: mpsc::Sender<Waiting>,
}

impl Enqueuer {
    /// Starts the task that writes, on connections of its own to the pool's database; it ends with the last clone.
    pub fn spawn(pool: PgPool, notifier: Notifier) -> Enqueuer {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write_groups(connections(&pool), notifier, receiver));
        Enqueuer { sender }
    }

    /// Enqueues the job; it is there for good when this returns, and the workers have been told.
    ///
    /// # Errors
    /// As [`enqueue`](super::enqueue); after [`EnqueueError::Shared`] and [`EnqueueError::Database`] the job may or may not
    /// be there: repeating it with the same id is safe while the job lives.
    pub async fn enqueue(&self, job: NewJob) -> Result<Enqueued, EnqueueError> {
        // The task that writes works for nobody in particular.
        let span = trace::current().map(|caller| trace::Span::enqueue(caller, &job.kind, &job.queue, 1));
        let job = match span.as_ref().filter(|_| job.trace.is_none()) {
            Some(span) => job.trace(span.context().to_string()),
            None => job,
        };
        let ended = || EnqueueError::Shared("the task that writes has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.sender.send(Waiting { job, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

/// A pool of the enqueuer's own.
fn connections(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus queue enqueue");
    // The statement is planned once: its plan never depends on the jobs, and planning costs more than inserting.
    let options = options.options([("plan_cache_mode", "force_generic_plan")]);
    let own = pool_options().max_connections(COMMITS_MAX as u32);
    own.connect_lazy_with(options)
}

async fn write_groups(pool: PgPool, notifier: Notifier, mut receiver: mpsc::Receiver<Waiting>) {
    let mut in_flight: JoinSet<Kept> = JoinSet::new();
    let mut idle: Vec<Kept> = (0..COMMITS_MAX).map(|_| Kept::new(pool.clone())).collect();
    let (mut group, mut last): (Vec<Waiting>, usize) = (Vec::new(), 0);
    let mut pace = Pace::default();
    loop {
        let may_begin = in_flight.is_empty() || (in_flight.len() < COMMITS_MAX && group.len() >= SECOND_MIN);
        if group.is_empty() || !may_begin {
            tokio::select! {
                received = receiver.recv_many(&mut group, GROUP_MAX), if group.len() < GROUP_MAX => {
                    if received == 0 {
                        break;
                    }
                }
                Some(done) = in_flight.join_next() => idle.push(done.unwrap_or_else(|_panicked| Kept::new(pool.clone()))),
            }
            continue;
        }
        // Those who were answered a moment ago are about to ask again: they are let run first.
        for _ in 0..YIELDS_MAX {
            while group.len() < GROUP_MAX
                && let Ok(waiting) = receiver.try_recv()
            {
                group.push(waiting);
            }
            if group.len() >= last {
                break;
            }
            tokio::task::yield_now().await;
        }
        last = group.len();
        let wake = if pace.is_alone(last, Instant::now()) { Wake::WithCommit } else { Wake::Later };
        let mut kept = idle.pop().expect("a connection for each commit");
        let (notifier, group) = (notifier.clone(), std::mem::take(&mut group));
        in_flight.spawn(async move {
            write(&mut kept, &notifier, group, wake).await;
            kept
        });
    }
    while let Some(done) = in_flight.join_next().await {
        idle.extend(done);
    }
    // What was taken in is written, though nobody can ask for more.
    if !group.is_empty() {
        let mut kept = idle.pop().unwrap_or_else(|| Kept::new(pool));
        write(&mut kept, &notifier, group, Wake::Later).await;
    }
}

/// Writes the group in one commit and answers everybody in it.
async fn write(kept: &mut Kept, notifier: &Notifier, group: Vec<Waiting>, wake: Wake) {
    let (jobs, askers): (Vec<NewJob>, Vec<_>) = group.into_iter().map(|one| (one.job, one.answer)).unzip();
    match commit(kept, notifier, &jobs, wake).await {
        Ok(answers) => {
            for (asker, answer) in askers.into_iter().zip(answers) {
                // A caller that has gone away does not need its answer.
                let _ = asker.send(Ok(answer));
            }
        }
        // The database refused something that one of them brought: each by itself, so that only that one fails. Or it takes
        // no messages any more, because somebody does not read theirs: nothing is told then.
        Err(EnqueueError::Database(sqlx::Error::Database(error))) if jobs.len() > 1 || wake == Wake::WithCommit => {
            tracing::warn!(%error, jobs = jobs.len(), "a shared commit failed; enqueueing one by one");
            for (asker, job) in askers.into_iter().zip(jobs) {
                let alone = commit(kept, notifier, &[job], Wake::Later).await;
                let _ = asker.send(alone.map(|answers| answers[0]));
            }
        }
        Err(error) => {
            for asker in askers {
                let _ = asker.send(Err(EnqueueError::Shared(error.to_string())));
            }
        }
    }
}

async fn commit(
    kept: &mut Kept,
    notifier: &Notifier,
    jobs: &[NewJob],
    wake: Wake,
) -> Result<Vec<Enqueued>, EnqueueError> {
    let is_held = |job: &NewJob| matches!(job.unique, Some((_, Unique::For(_))));
    let conn = kept.get().await?;
    let answers = if jobs.iter().any(is_held) {
        let mut tx = conn.begin().await?;
        let answers = enqueue_and(&mut tx, jobs, wake).await?;
        tx.commit().await?;
        answers
    } else {
        // One statement writes each job, so each stands alone without a transaction, which saves two round trips.
        enqueue_and(conn, jobs, wake).await?
    };
    kept.answered();
    if wake == Wake::Later {
        for (job, answer) in jobs.iter().zip(&answers) {
            if answer.created {
                notifier.wake(job.queue.clone());
            }
        }
    }
    Ok(answers)
}
