//! Signs what the ledger has recorded since the last checkpoint.

use std::time::Duration;

use domain::events::{self, Event};
use ledger::Book;
use ledger::checkpoint;
use queue::{EnqueueError, Job, JobContext, JobError, NewJob, Unique};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

/// Signs the head of one book, unless it is signed already.
#[derive(Debug, Serialize, Deserialize)]
pub struct PublishCheckpoint {
    shard: i16,
    book_id: i32,
}

/// How long new leaves wait at most before they are signed for.
const DELAY: Duration = Duration::from_secs(1);

/// Sees to it that what the caller's transaction adds to the book is signed soon: one job waits for each book, whoever
/// asks and however often.
///
/// # Errors
/// When the database fails.
pub async fn submit(conn: &mut PgConnection, book: Book) -> Result<(), EnqueueError> {
    let job = PublishCheckpoint { shard: book.shard, book_id: book.id };
    let key = format!("{}/{}/{}", PublishCheckpoint::KIND, book.shard, book.id);
    let job = NewJob::of(&job)?.delay(DELAY).unique(key, Unique::UntilStarted);
    queue::enqueue(conn, &[job]).await?;
    Ok(())
}

impl Job for PublishCheckpoint {
    const KIND: &'static str = "ledger.publish_checkpoint";
    const QUEUE: &'static str = crate::LEDGER_QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let state = ctx.state::<crate::State>();
        let tx = ctx.tx().await?;
        let signed = checkpoint::sign_head(tx, book, &state.signing_key).await.map_err(JobError::retry)?;
        if let Some(checkpoint) = signed {
            let payload = json!({ "size": checkpoint.size });
            let event = Event { topic: "ledger".to_owned(), kind: "ledger.checkpoint", payload };
            events::publish(tx, book, &[event]).await?;
        }
        Ok(())
    }
}
