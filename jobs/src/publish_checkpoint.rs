//! Signs what the ledger has recorded since the last checkpoint, within a second.
//!
//! Whoever posts asks for it in the same transaction; one job waits for each book, whoever asks and however often. Three
//! things could make it late, and do not: it goes before whatever else waits in its queue; the workers are told when it
//! comes due; and it waits for the writer that holds the book when it begins, who may have found this job still waiting
//! and therefore have asked for no other.

use std::time::Duration;

use domain::events::{self, Event, topic};
use ledger::Book;
use ledger::checkpoint;
use queue::schedule::{CatchUp, Overlap, Schedule};
use queue::{EnqueueError, Job, JobContext, JobError, NewJob, Priority, Retry, Unique};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cosign;
use crate::metrics::CHECKPOINTS;

/// Signs the head of one book, unless it is signed already.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = PublishCheckpoint { shard: 0, book_id: 1 })]
pub struct PublishCheckpoint {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
}

/// How long new leaves gather before they are signed for. What is left of the second is for coming due, being claimed,
/// and waiting for the writer.
pub const DELAY: Duration = Duration::from_millis(300);

/// The job that signs for this book; to be enqueued in the transaction that posts, by [`queue::Batch::enqueue`] or
/// [`JobContext::enqueue`] where there is one, since these tell the workers.
///
/// # Errors
/// When the payload cannot be written, which is a defect.
pub fn of(book: Book) -> Result<NewJob, EnqueueError> {
    let job = PublishCheckpoint { shard: book.shard, book_id: book.id };
    let key = format!("{}/{}/{}", PublishCheckpoint::KIND, book.shard, book.id);
    Ok(NewJob::of(&job)?.delay(DELAY).unique(key, Unique::UntilStarted))
}

/// Looks each minute whether the main book has leaves that nobody has asked to sign for, such as those of an import.
pub(crate) fn sweep() -> Schedule {
    let Book { shard, id: book_id } = Book::MAIN;
    let schedule = Schedule::of("ledger.checkpoint", &PublishCheckpoint { shard, book_id }, "@every 1m");
    schedule.expect("it is well formed").overlap(Overlap::Skip).catch_up(CatchUp::None)
}

impl Job for PublishCheckpoint {
    const KIND: &'static str = "ledger.publish_checkpoint";
    const QUEUE: &'static str = crate::LEDGER_QUEUE;
    const PRIORITY: Priority = Priority::URGENT;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(100)).max_attempts(50);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let state = ctx.state::<crate::State>();
        let keys = state.signing_keys().map_err(JobError::retry)?;
        let tx = ctx.tx().await?;
        checkpoint::wait_for_writer(tx, book).await?;
        let signed = checkpoint::sign_head_by(tx, book, &keys).await.map_err(JobError::retry)?;
        if let Some(checkpoint) = signed {
            let payload = json!({ "v": 1, "size": checkpoint.size });
            let event = Event::new("ledger.checkpoint", [topic::LEDGER.to_owned()], &payload);
            events::publish(tx, book, &[event]).await?;
            metrics::counter!(CHECKPOINTS.name).increment(1);
            ctx.tell(events::CHANNEL);
            if state.witnesses().is_some() {
                ctx.enqueue(cosign::of(book)?).await?;
            }
        }
        Ok(())
    }
}
