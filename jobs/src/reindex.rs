//! Makes anew what searches for products use, and counts the words that products have.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::products::{batch, reindex};
use domain::{Error, Principal, ProductId};
use ledger::Book;
use queue::schedule::{Overlap, Schedule};
use queue::{Job, JobContext, JobError, NewJob, Notifier, Priority, Registry, Unique};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::progress::Progress;
use crate::submitted::{self, Repeatable, Submitted};

/// Goes through all products of a book.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = Reindex { shard: 0, book_id: 1, is_tick: false })]
pub struct Reindex {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// From the schedule: it only enqueues one that keeps others out, as a schedule's own job cannot.
    is_tick: bool,
}

/// Where the next step begins.
#[derive(Debug, Serialize, Deserialize)]
struct Cursor {
    began_at: DateTime<Utc>,
    after: Option<Uuid>,
    progress: Progress,
}

/// Enqueues the job; returns the job to follow: the one that is under way already, if there is one.
///
/// # Errors
/// [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    repeatable: Option<&Repeatable<Uuid>>,
) -> Result<Submitted<Uuid>, Error> {
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let job = job(principal.book).actor(principal.user_id.to_string());
    let enqueued = queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let job_id = enqueued[0].id;
    submitted::finish(&mut tx, principal, repeatable, &job_id).await?;
    tx.commit().await?;
    notifier.wake(Reindex::QUEUE);
    Ok(Submitted::Done(job_id))
}

fn job(book: Book) -> NewJob {
    let Book { shard, id: book_id } = book;
    let job = NewJob::of(&Reindex { shard, book_id, is_tick: false }).expect("the payload is plain data");
    // Two at a time would count together.
    job.unique(format!("book {book_id}"), Unique::WhileLive)
}

/// With the job, and its schedule: the words are counted once a day.
pub(crate) fn register(registry: Registry) -> Registry {
    let Book { shard, id: book_id } = Book::MAIN;
    let tick = Reindex { shard, book_id, is_tick: true };
    let schedule = Schedule::of("products.reindex.daily", &tick, "47 4 * * *");
    let schedule = schedule.expect("the spec of this file is cron").overlap(Overlap::Skip);
    registry.job::<Reindex>().schedule(schedule)
}

impl Job for Reindex {
    const KIND: &'static str = "products.reindex";
    const QUEUE: &'static str = crate::PRODUCTS_QUEUE;
    const PRIORITY: Priority = Priority::LOW;
    /// From step to step.
    const TIMEOUT: Duration = Duration::from_secs(120);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        if self.is_tick {
            ctx.enqueue(job(book)).await.map_err(JobError::retry)?;
            return Ok(());
        }
        let mut cursor = match ctx.cursor::<Cursor>().await? {
            Some(cursor) => cursor,
            None => begin(ctx, book).await?,
        };
        loop {
            let batch = reindex::next(ctx.tx().await?, book, cursor.after.map(ProductId)).await?;
            cursor.progress.add(batch.products);
            let Some(ProductId(after)) = batch.resume_after else { break };
            cursor.after = Some(after);
            ctx.commit_step(&cursor).await?;
            ctx.progress(&cursor.progress.shown()).await?;
        }
        reindex::end(ctx.tx().await?, book, cursor.began_at).await?;
        ctx.set_result(&json!({ "products": cursor.progress.done }))
    }
}

/// The first step: the counts begin at nothing.
async fn begin(ctx: &mut JobContext<'_>, book: Book) -> Result<Cursor, JobError> {
    let tx = ctx.tx().await?;
    let began_at = reindex::begin(tx, book).await?;
    let progress = Progress::of(batch::count(tx, book).await?);
    let cursor = Cursor { began_at, after: None, progress };
    ctx.commit_step(&cursor).await?;
    Ok(cursor)
}
