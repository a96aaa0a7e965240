//! Reconciles a book: runs the checks R1 to R12 over one snapshot, keeps what they find, and repairs what is safe to repair.
//!
//! Reading and writing are apart: the checks read on a connection of the worker's, whose transaction is the snapshot; what
//! they find is committed page by page in the job's own transaction, with the place where the next page begins. So a run
//! that is killed goes on where it was, on a new snapshot; the run's row counts them.

mod engine;
mod inline;
mod pending;
mod repair;

use std::time::Duration;

use domain::reconciliation::runs::{self, NewRun};
use domain::{Error, Principal};
use ledger::Book;
use queue::schedule::{CatchUp, Overlap, Schedule};
use queue::{EnqueueError, Job, JobContext, JobError, NewJob, Notifier, Priority, Registry, Retry, Unique};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::submitted::{self, Repeatable, Submitted};
use engine::{Cursor, Keep, Task};

pub use engine::Progress;
pub use inline::run_inline;

/// Runs the checks over one book.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = Reconcile { shard: 0, book_id: 1, is_full: false, repair: false })]
pub struct Reconcile {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// Everything, not only what came since the last verified size.
    is_full: bool,
    /// Projections that differ are derived again, and lost work is enqueued under its id.
    repair: bool,
}

/// A run that was asked for; the job that does it has the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The run, and the job.
    pub id: Uuid,
}

/// Asks for a run and enqueues its job, in one commit.
///
/// # Errors
/// [`Error::Forbidden`] to users; [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    (is_full, repair): (bool, bool),
    repeatable: Option<&Repeatable<Asked>>,
) -> Result<Submitted<Asked>, Error> {
    if !principal.is_staff() {
        return Err(Error::Forbidden("only an operator or an administrator reconciles"));
    }
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let (book, id) = (principal.book, Uuid::now_v7());
    let asked_by = principal.user_id.to_string();
    runs::ask(&mut tx, &NewRun { id, book, is_full, repair, asked_by: asked_by.clone() }).await?;
    let job = Reconcile { shard: book.shard, book_id: book.id, is_full, repair };
    let job = NewJob::of(&job).expect("the payload is plain data").id(id).actor(asked_by);
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let asked = Asked { id };
    submitted::finish(&mut tx, principal, repeatable, &asked).await?;
    tx.commit().await?;
    notifier.wake(Reconcile::QUEUE);
    Ok(Submitted::Done(asked))
}

impl Reconcile {
    /// A run that finds out what a mirror lacks; at most one a minute.
    pub(crate) fn for_mirror(book: Book) -> Result<NewJob, EnqueueError> {
        let job = Reconcile { shard: book.shard, book_id: book.id, is_full: false, repair: false };
        let key = format!("{}/mirror/{}/{}", Reconcile::KIND, book.shard, book.id);
        Ok(NewJob::of(&job)?.unique(key, Unique::For(Duration::from_secs(60))).actor("mirror"))
    }
}

/// With the job and its two schedules: every five minutes what is new, and all of it once a day.
pub(crate) fn register(registry: Registry) -> Registry {
    let Book { shard, id: book_id } = Book::MAIN;
    let schedule = |name: &str, is_full, spec: &str, catch_up| {
        let job = Reconcile { shard, book_id, is_full, repair: false };
        let schedule = Schedule::of(name, &job, spec).expect("the specs of this file are cron");
        schedule.overlap(Overlap::Skip).catch_up(catch_up)
    };
    registry
        .job::<Reconcile>()
        .schedule(schedule("ledger.reconcile.incremental", false, "*/5 * * * *", CatchUp::None))
        .schedule(schedule("ledger.reconcile.full", true, "17 3 * * *", CatchUp::Last))
}

impl Job for Reconcile {
    const KIND: &'static str = "ledger.reconcile";
    const QUEUE: &'static str = crate::LEDGER_QUEUE;
    const PRIORITY: Priority = Priority::LOW;
    const RETRY: Retry = Retry::exponential(Duration::from_secs(5)).max_attempts(5);
    /// From page to page.
    const TIMEOUT: Duration = Duration::from_secs(600);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let asked_by = ctx.actor().unwrap_or("schedule").to_owned();
        let new = NewRun { id: ctx.id(), book, is_full: self.is_full, repair: self.repair, asked_by };
        runs::ask(ctx.tx().await?, &new).await?;
        let mut reader = ctx.pool().acquire().await?;
        let mut verifier = if self.is_full { Some(ctx.pool().acquire().await?) } else { None };
        let state = ctx.state::<crate::State>();
        let mirror = state.mirror().map(|mirror| (mirror, ctx.pool()));
        let task = Task { book, run: new.id, is_full: self.is_full, repair: self.repair, mirror };
        let done = engine::run(&task, &mut reader, verifier.as_deref_mut(), &mut Steps { ctx }).await?;
        let Some(done) = done else { return Ok(()) };
        crate::metrics::reconciled(done.took, done.summary.is_clean);
        ctx.set_result(&serde_json::json!({
            "run_id": new.id,
            "is_clean": done.summary.is_clean,
            "open": done.summary.open,
        }))
    }
}

/// The steps of a run as those of its job.
struct Steps<'a, 'b> {
    ctx: &'a mut JobContext<'b>,
}

impl Keep for Steps<'_, '_> {
    async fn cursor(&mut self) -> Result<Option<Cursor>, JobError> {
        self.ctx.cursor().await
    }

    async fn tx(&mut self) -> Result<&mut PgConnection, JobError> {
        Ok(self.ctx.tx().await?)
    }

    async fn commit(&mut self, cursor: &Cursor) -> Result<(), JobError> {
        self.ctx.commit_step(cursor).await
    }

    async fn tell(&mut self, progress: &Progress) -> Result<(), JobError> {
        self.ctx.progress(progress).await
    }

    async fn beat(&mut self) -> Result<(), JobError> {
        self.ctx.heartbeat().await
    }
}
