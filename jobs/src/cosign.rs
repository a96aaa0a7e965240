//! Has witnesses sign the last checkpoint: others then know how long the log was, whatever becomes of this database.
//!
//! Whoever signs a checkpoint asks for it in the same transaction. One job at a time asks for a book, all witnesses at once, and
//! keeps what each has signed as soon as it is there. What a witness does takes no attempt of the job: one that is away is asked
//! again for a later checkpoint, or by the schedule, and later each time.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use ledger::Book;
use ledger::checkpoint::{self, Checkpoint, cosigned};
use queue::schedule::{CatchUp, Overlap, Schedule};
use queue::{EnqueueError, Job, JobContext, JobError, NewJob, Registry, Retry, Unique};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::metrics::COSIGNATURES;
use crate::witness::{AskError, Witness};

/// Asks the witnesses that are configured, if there are some, to sign the last checkpoint of a book.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = Cosign { shard: 0, book_id: 1 })]
pub struct Cosign {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
}

/// How long checkpoints gather before witnesses are asked for the last of them.
pub const DELAY: Duration = Duration::from_secs(1);

/// The job that asks for this book; to be enqueued in the transaction that signs.
pub(crate) fn of(book: Book) -> Result<NewJob, EnqueueError> {
    let key = format!("{}/{}/{}", Cosign::KIND, book.shard, book.id);
    let job = NewJob::of(&Cosign { shard: book.shard, book_id: book.id })?;
    Ok(job.delay(DELAY).sequence(key.clone()).unique(key, Unique::UntilStarted))
}

/// With the job, and where there are witnesses its schedule: it asks those again that were away when the last checkpoint came.
pub(crate) fn register(registry: Registry, is_configured: bool) -> Registry {
    let registry = registry.job::<Cosign>();
    if !is_configured {
        return registry;
    }
    let Book { shard, id: book_id } = Book::MAIN;
    let schedule = Schedule::of("ledger.cosign", &Cosign { shard, book_id }, "@every 1m");
    registry.schedule(schedule.expect("it is well formed").overlap(Overlap::Skip).catch_up(CatchUp::None))
}

impl Job for Cosign {
    const KIND: &'static str = "ledger.cosign";
    const QUEUE: &'static str = crate::MIRROR_QUEUE;
    /// For failures of the database.
    const RETRY: Retry = Retry::exponential(Duration::from_secs(1)).max_attempts(5);
    const HISTORY_DAYS: Option<u16> = Some(1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let state = ctx.state::<crate::State>();
        let Some(witnesses) = state.witnesses() else { return Ok(()) };
        let (book, pool) = (Book { shard: self.shard, id: self.book_id }, ctx.pool());
        let mut conn = pool.acquire().await?;
        let Some(last) = checkpoint::latest(&mut conn, book).await? else { return Ok(()) };
        let sizes = cosigned::sizes(&mut conn, book, witnesses.iter().map(Witness::key)).await?;
        // Witnesses take their time, and connections are few.
        drop(conn);
        let open = witnesses.iter().zip(sizes).filter(|(witness, size)| *size < last.size as u64 && witness.is_due());
        let asked = join_all(open.map(|(witness, size)| ask(pool, book, witness, (&last, size)))).await;
        let mut outcomes: BTreeMap<&str, u32> = BTreeMap::new();
        for outcome in asked {
            *outcomes.entry(outcome?).or_default() += 1;
        }
        ctx.set_result(&outcomes)
    }
}

/// Asks one witness, and keeps what it has signed. Answers what came of it, as the metric has it.
async fn ask(
    pool: &PgPool,
    book: Book,
    witness: &Witness,
    (last, size): (&Checkpoint, u64),
) -> Result<&'static str, sqlx::Error> {
    let outcome = match witness.ask(pool, book, last.clone(), size).await {
        Ok((checkpoint, line)) => {
            cosigned::keep(&mut *pool.acquire().await?, book, &checkpoint, (witness.key(), &line)).await?;
            witness.answered();
            "signed"
        }
        Err(AskError::Database(error)) => return Err(error),
        Err(error) => {
            let (outcome, again_in) = (error.outcome(), witness.failed());
            match outcome {
                "forked" => tracing::error!(%witness, %book, %error, "the log is not the one that was signed for"),
                _ => tracing::warn!(%witness, %book, %error, ?again_in, "a witness did not sign"),
            }
            outcome
        }
    };
    metrics::counter!(COSIGNATURES.name, "outcome" => outcome).increment(1);
    Ok(outcome)
}
