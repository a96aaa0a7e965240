//! Many tasks that enqueue at once share a commit.
//!
//! What is asked for while the last commits are in flight is gathered and written by one statement; an idle process adds
//! no delay. This is for jobs that stand alone: one that belongs to a change of the caller's is enqueued in the caller's
//! transaction, by [`enqueue`].

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{EnqueueError, Enqueued, enqueue};
use crate::{NewJob, Notifier, Unique};

/// Jobs that share a commit at most.
const GROUP_MAX: usize = 1_000;
/// Commits that may be in flight at once: while one waits for the disk, the next one is being prepared.
const COMMITS_MAX: usize = 2;
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
    /// Starts the task that writes, on at most two connections of the pool; it ends with the last clone.
    pub fn spawn(pool: PgPool, notifier: Notifier) -> Enqueuer {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write_groups(pool, notifier, receiver));
        Enqueuer { sender }
    }

    /// Enqueues the job; it is there for good when this returns, and the workers have been told.
    ///
    /// # Errors
    /// As [`enqueue`]; after [`EnqueueError::Shared`] and [`EnqueueError::Database`] the job may or may not be there:
    /// repeating it with the same id is safe while the job lives.
    pub async fn enqueue(&self, job: NewJob) -> Result<Enqueued, EnqueueError> {
        let ended = || EnqueueError::Shared("the task that writes has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.sender.send(Waiting { job, answer }).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

async fn write_groups(pool: PgPool, notifier: Notifier, mut receiver: mpsc::Receiver<Waiting>) {
    let commits = Arc::new(Semaphore::new(COMMITS_MAX));
    let mut group = Vec::new();
    while receiver.recv_many(&mut group, 1).await > 0 {
        let commit = commits.clone().acquire_owned().await.expect("nobody closes the semaphore");
        // Whatever has come while the commits before were in flight.
        while group.len() < GROUP_MAX
            && let Ok(waiting) = receiver.try_recv()
        {
            group.push(waiting);
        }
        let (pool, notifier, group) = (pool.clone(), notifier.clone(), std::mem::take(&mut group));
        tokio::spawn(async move {
            write(&pool, &notifier, group).await;
            drop(commit);
        });
    }
}

/// Writes the group in one commit and answers everybody in it.
async fn write(pool: &PgPool, notifier: &Notifier, group: Vec<Waiting>) {
    let (jobs, askers): (Vec<NewJob>, Vec<_>) = group.into_iter().map(|one| (one.job, one.answer)).unzip();
    match commit(pool, notifier, &jobs).await {
        Ok(answers) => {
            for (asker, answer) in askers.into_iter().zip(answers) {
                // A caller that has gone away does not need its answer.
                let _ = asker.send(Ok(answer));
            }
        }
        // The database refused something that one of them brought: each by itself, so that only that one fails.
        Err(EnqueueError::Database(sqlx::Error::Database(error))) if jobs.len() > 1 => {
            tracing::warn!(%error, jobs = jobs.len(), "a shared commit failed; enqueueing one by one");
            for (asker, job) in askers.into_iter().zip(jobs) {
                let alone = commit(pool, notifier, &[job]).await;
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

async fn commit(pool: &PgPool, notifier: &Notifier, jobs: &[NewJob]) -> Result<Vec<Enqueued>, EnqueueError> {
    let is_held = |job: &NewJob| matches!(job.unique, Some((_, Unique::For(_))));
    let answers = if jobs.iter().any(is_held) {
        let mut tx = pool.begin().await?;
        let answers = enqueue(&mut tx, jobs).await?;
        tx.commit().await?;
        answers
    } else {
        // One statement writes each job, so each stands alone without a transaction, which saves two round trips.
        enqueue(&mut *pool.acquire().await?, jobs).await?
    };
    for (job, answer) in jobs.iter().zip(&answers) {
        if answer.created {
            notifier.wake(job.queue.clone());
        }
    }
    Ok(answers)
}
