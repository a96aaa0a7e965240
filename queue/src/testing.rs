//! Helpers for the tests of whoever writes jobs, behind the feature `testing`. They need a real database, and do
//! everything by the statements that a worker uses: a process is registered, claims under its lease, runs, and settles.
//! What they leave out is the worker around that: its tasks, its threads and its waiting.
//!
//! They panic where a test would unwrap.
//!
//! **Time.** A job that is scheduled, for later or for another attempt, does not run until it is due. Tests do not wait
//! for that: [`advance`] lets time pass for the scheduled jobs, by moving their due times back. The database's clock
//! stays as it is, and so do the times of everything else.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use queue::testing::{Outcome, advance, assert_enqueued, drain, run_inline};
//! use queue::{Job, JobContext, JobError, NewJob, Registry};
//! use serde::{Deserialize, Serialize};
//!
//! /// Sends an order's receipt, and asks for an opinion a week later.
//! #[derive(Serialize, Deserialize)]
//! struct SendReceipt { order: u64 }
//!
//! /// Asks for an opinion.
//! #[derive(Serialize, Deserialize)]
//! struct AskForOpinion { order: u64 }
//!
//! impl Job for SendReceipt {
//!     const KIND: &'static str = "orders.send_receipt";
//!     const QUEUE: &'static str = "orders";
//!
//!     async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
//!         let later = NewJob::of(&AskForOpinion { order: self.order })?.delay(Duration::from_secs(7 * 86_400));
//!         ctx.enqueue(later).await?;
//!         Ok(())
//!     }
//! }
//!
//! impl Job for AskForOpinion {
//!     const KIND: &'static str = "orders.ask_for_opinion";
//!     const QUEUE: &'static str = "orders";
//!
//!     async fn run(self, _: &mut JobContext<'_>) -> Result<(), JobError> {
//!         Err(JobError::discard("nobody answers anyway"))
//!     }
//! }
//!
//! # async fn test(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Registry::new().job::<SendReceipt>().job::<AskForOpinion>();
//! let ran = run_inline(&pool, &registry, NewJob::of(&SendReceipt { order: 7 })?).await;
//! assert_eq!(ran.outcome, Outcome::Succeeded(None));
//!
//! assert_enqueued::<AskForOpinion>(&mut *pool.acquire().await?, |job| job.order == 7).await;
//! assert!(drain(&pool, &registry, "orders").await.is_empty(), "it is not due");
//! advance(&pool, Duration::from_secs(7 * 86_400)).await;
//! let ran = drain(&pool, &registry, "orders").await;
//! assert!(matches!(ran[0].outcome, Outcome::Discarded(_)));
//! # Ok(())
//! # }
//! ```

mod enqueued;
mod session;

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::inspect::{JobState, JobView};
use crate::{NewJob, Registry, enqueue};
use session::{CLAIM_JOBS_MAX, Session};

pub use enqueued::{assert_batch_enqueued, assert_enqueued, enqueued, enqueued_batch};

/// A queue that is still not empty after so many runs is not going to be.
const RUNS_MAX: usize = 10_000;

/// One job that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// The job's id.
    pub id: Uuid,
    /// The kind's name.
    pub kind: String,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// What became of the job, as the database has it.
    pub outcome: Outcome,
}

/// What became of a job that was run.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is in the history, with what it returned.
    Succeeded(Option<Value>),
    /// It is in the history, for this reason.
    Discarded(String),
    /// It is in the history, for this reason.
    Cancelled(String),
    /// The attempt failed with this error, and another one is due then.
    Retried {
        /// What went wrong.
        error: String,
        /// When the next attempt is due.
        due: DateTime<Utc>,
    },
    /// The attempt does not count; the job comes back then.
    Snoozed {
        /// When it is due again.
        due: DateTime<Utc>,
    },
    /// It is in the dead letters.
    Dead {
        /// Why, as in [`JobView::dead_reason`].
        reason: String,
        /// What went wrong at last.
        error: String,
    },
    /// It was taken from the process while it ran: nothing of the run was written.
    Lost,
}

impl Outcome {
    /// From what the database has of the job after this attempt. When jobs of the run were lost, one that goes on is one
    /// of them if its attempt does not count.
    fn of(view: JobView, attempt: i16, has_lost: bool) -> Outcome {
        let (result, reason, due) = (view.result, view.dead_reason.unwrap_or_default(), view.run_at);
        let error = view.errors.into_iter().next_back().map(|last| last.error).unwrap_or_default();
        match view.state {
            JobState::Succeeded => Outcome::Succeeded(result),
            JobState::Discarded => Outcome::Discarded(error),
            JobState::Cancelled => Outcome::Cancelled(error),
            JobState::Dead => Outcome::Dead { reason, error },
            JobState::Running => Outcome::Lost,
            _ if view.attempt >= attempt => Outcome::Retried { error, due },
            _ if has_lost => Outcome::Lost,
            _ => Outcome::Snoozed { due },
        }
    }
}

/// Runs one job that is ready, or due, whatever stands before it in its queue.
///
/// # Panics
/// When there is no such job, its kind is not in the registry, or the database fails.
pub async fn run_one(pool: &PgPool, registry: &Registry, id: Uuid) -> Ran {
    let mut session = Session::open(pool, registry).await;
    session.promote().await;
    let view = session.find(id).await;
    assert_eq!(view.state, JobState::Ready, "only a ready job is run; this one is due {}", view.run_at);
    // The others keep their places.
    let claimed = session.claim(&view.queue, CLAIM_JOBS_MAX).await;
    let (one, others): (Vec<_>, Vec<_>) = claimed.into_iter().partition(|job| job.holding.id == id);
    session.give_back(&others).await;
    assert_eq!(one.len(), 1, "the job {id} is among the first {CLAIM_JOBS_MAX} of its queue");
    let mut ran = session.run(&one).await;
    session.close().await;
    ran.remove(0)
}

/// Enqueues a job and runs it at once.
///
/// # Panics
/// When the job was not created or is not due, and as [`run_one`].
pub async fn run_inline(pool: &PgPool, registry: &Registry, job: NewJob) -> Ran {
    let mut conn = pool.acquire().await.expect("the test's database answers");
    let enqueued = enqueue(&mut conn, &[job]).await.expect("the job can be enqueued");
    drop(conn);
    assert!(enqueued[0].created, "the job {} stands in the way of this one", enqueued[0].id);
    run_one(pool, registry, enqueued[0].id).await
}

/// Runs what is ready or due in this queue, and whatever becomes so by that, until nothing is left. Jobs of a batch kind
/// that are next to each other are run together. Returns all runs in their order.
///
/// # Panics
/// When the queue does not empty, a job's kind is not in the registry, or the database fails.
pub async fn drain(pool: &PgPool, registry: &Registry, queue: &str) -> Vec<Ran> {
    let mut session = Session::open(pool, registry).await;
    let mut ran = Vec::new();
    loop {
        session.promote().await;
        let claimed = session.claim(queue, CLAIM_JOBS_MAX).await;
        if claimed.is_empty() {
            session.close().await;
            return ran;
        }
        for jobs in session.runs(claimed) {
            ran.extend(session.run(&jobs).await);
        }
        assert!(ran.len() < RUNS_MAX, "{queue} is not empty after {} runs; does a job snooze for no time?", ran.len());
    }
}

/// Lets this much time pass for every scheduled job: it is due that much sooner.
///
/// # Panics
/// When the database fails.
pub async fn advance(pool: &PgPool, time: Duration) {
    let advanced = sqlx::query!(
        "update queue.job set run_at = run_at - make_interval(secs => $1) where state = 0",
        time.as_secs_f64(),
    );
    advanced.execute(pool).await.expect("the test's database answers");
}
