//! Streams all users of a book and processes each, at most ten at a time.
//!
//! Users are read page by page in the order of their ids; the place and the counts are a step of the job, so that a run that
//! is killed goes on with the page that it was in. Each user has a transaction of its own on a connection of the worker's,
//! beside the job's: what an operation does to a user is the same however often it is done. One that fails is written down
//! and does not stop the others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::accounts::statistics;
use domain::{Error, Principal, Role, UserId, audit};
use futures::{StreamExt, stream};
use ledger::Book;
use queue::{Job, JobContext, JobError, NewJob, Notifier, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use uuid::Uuid;

use crate::open_wallets;
use crate::submitted::{self, Repeatable, Submitted};

/// How many users are processed at once, at most.
pub const CONCURRENCY: usize = 10;

/// Users of one step.
const PAGE: i64 = 250;
/// How many failures the result names; all are counted.
const NAMED_MAX: usize = 100;
/// How long a reason may be, in characters.
const REASON_MAX: usize = 200;

/// What is done to each user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Counts the user's products and transactions anew.
    Recount,
    /// Opens wallets that are not open, as after a job of theirs was given up.
    OpenMissingWallets,
}

/// Processes every user of a book.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = ProcessUsers { shard: 0, book_id: 1, operation: Operation::Recount })]
pub struct ProcessUsers {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// What is done to each user.
    operation: Operation,
}

/// A run that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The job to follow.
    pub job_id: Uuid,
}

/// How far a run is, where it goes on, and at last what it came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Report {
    /// Users that were processed.
    processed: u64,
    /// Users that could not be.
    failed: u64,
    /// The first of them.
    failures: Vec<Failure>,
    /// The most that were under way at once.
    most_at_once: usize,
    /// The last user of the last page.
    after: Option<Uuid>,
}

/// A user that could not be processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Failure {
    user_id: Uuid,
    reason: String,
}

/// Enqueues a run.
///
/// # Errors
/// [`Error::Forbidden`] unless an administrator asks; [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    operation: Operation,
    repeatable: Option<&Repeatable<Asked>>,
) -> Result<Submitted<Asked>, Error> {
    if principal.role != Role::Admin {
        return Err(Error::Forbidden("only an administrator processes all users"));
    }
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let Book { shard, id: book_id } = principal.book;
    let job = NewJob::of(&ProcessUsers { shard, book_id, operation }).expect("the payload is plain data");
    let job = job.actor(principal.user_id.to_string());
    let asked = Asked { job_id: job.id };
    let detail = serde_json::json!({ "operation": operation });
    audit::record(&mut tx, principal, "user.process", &asked.job_id.to_string(), detail).await?;
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    submitted::finish(&mut tx, principal, repeatable, &asked).await?;
    tx.commit().await?;
    notifier.wake(ProcessUsers::QUEUE);
    Ok(Submitted::Done(asked))
}

impl Job for ProcessUsers {
    const KIND: &'static str = "accounts.process_users";
    const QUEUE: &'static str = crate::ACCOUNTS_QUEUE;
    const PRIORITY: Priority = Priority::LOW;
    /// From page to page.
    const TIMEOUT: Duration = Duration::from_secs(300);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let mut report: Report = ctx.cursor().await?.unwrap_or_default();
        loop {
            // Not in the job's own transaction, which would stand idle meanwhile.
            let mut conn = ctx.pool().acquire().await?;
            let users = statistics::page(&mut conn, book, report.after.map(UserId), PAGE).await?;
            drop(conn);
            if users.is_empty() {
                break;
            }
            self.process(ctx.pool(), book, &users, &mut report).await;
            report.after = users.last().map(|user| user.0);
            ctx.commit_step(&report).await?;
            ctx.progress(&report.shown()).await?;
        }
        ctx.set_result(&report.shown())
    }
}

impl ProcessUsers {
    /// Processes a page of users, [`CONCURRENCY`] at a time, and adds what came of it.
    async fn process(&self, pool: &PgPool, book: Book, users: &[UserId], report: &mut Report) {
        let under_way = AtomicUsize::new(0);
        let one = async |user: UserId| {
            let at_once = under_way.fetch_add(1, Ordering::Relaxed) + 1;
            let done = self.operation.process(pool, book, user).await;
            under_way.fetch_sub(1, Ordering::Relaxed);
            (user, at_once, done)
        };
        let mut ended = stream::iter(users.iter().copied().map(one)).buffer_unordered(CONCURRENCY);
        while let Some((user, at_once, done)) = ended.next().await {
            report.most_at_once = report.most_at_once.max(at_once);
            match done {
                Ok(()) => report.processed += 1,
                Err(error) => report.fail(user, &error),
            }
        }
    }
}

impl Operation {
    /// Processes one user, in a transaction of its own.
    async fn process(self, pool: &PgPool, book: Book, user: UserId) -> sqlx::Result<()> {
        let mut tx = pool.begin().await?;
        match self {
            Operation::Recount => statistics::recount(&mut tx, book, user).await?,
            Operation::OpenMissingWallets => {
                open_wallets::open(&mut tx, book, &[user.0]).await?;
            }
        }
        tx.commit().await
    }
}

impl Report {
    fn fail(&mut self, user: UserId, error: &sqlx::Error) {
        self.failed += 1;
        tracing::warn!(%user, %error, "a user could not be processed");
        if self.failures.len() < NAMED_MAX {
            let reason = error.to_string().chars().take(REASON_MAX).collect();
            self.failures.push(Failure { user_id: user.0, reason });
        }
    }

    /// Without the place, which is nobody's business.
    fn shown(&self) -> serde_json::Value {
        serde_json::json!({
            "processed": self.processed,
            "failed": self.failed,
            "failures": self.failures,
            "most_at_once": self.most_at_once,
        })
    }
}
