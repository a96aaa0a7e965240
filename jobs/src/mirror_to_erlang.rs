//! Tells an Erlang ledger outside what a book of ours records, in order; nothing of ours waits for it.
//!
//! One job lives as long as the mirror does: each round ends with the next one's time, in the same row, so there are never two
//! that tell. Its schedule makes it, and makes another one should it ever end.

use std::time::Duration;

use ledger::Book;
use queue::schedule::{CatchUp, Overlap, Schedule};
use queue::{Job, JobContext, JobError, Registry, Retry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mirror::{Round, round};
use crate::reconcile::Reconcile;

/// Tells the Erlang ledger that is configured, if there is one, what a book has recorded.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = MirrorToErlang { shard: 0, book_id: 1 })]
pub struct MirrorToErlang {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
}

/// With the job, and its schedule where there is something to tell.
pub(crate) fn register(registry: Registry, is_configured: bool) -> Registry {
    let registry = registry.job::<MirrorToErlang>();
    if !is_configured {
        return registry;
    }
    let Book { shard, id: book_id } = Book::MAIN;
    let schedule = Schedule::of("ledger.mirror", &MirrorToErlang { shard, book_id }, "@every 5s");
    let schedule = schedule.expect("it is well formed").overlap(Overlap::Skip).catch_up(CatchUp::None);
    registry.schedule(schedule)
}

impl Job for MirrorToErlang {
    const KIND: &'static str = "ledger.mirror_to_erlang";
    const QUEUE: &'static str = crate::MIRROR_QUEUE;
    /// For failures of the database; what the node does uses no attempt.
    const RETRY: Retry = Retry::exponential(Duration::from_secs(1)).max_attempts(20);
    /// From page to page, a node that is slow to answer included.
    const TIMEOUT: Duration = Duration::from_secs(120);
    const HISTORY_DAYS: Option<u16> = Some(1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let state = ctx.state::<crate::State>();
        let Some(mirror) = state.mirror() else { return Ok(()) };
        let book = Book { shard: self.shard, id: self.book_id };
        Err(JobError::Snooze(match round(ctx, mirror, book).await? {
            Round::Over => Duration::ZERO,
            Round::Wait(pause) => pause,
            Round::Lacking(pause) => {
                ctx.enqueue(Reconcile::for_mirror(book)?).await?;
                ctx.commit_step(&()).await?;
                pause
            }
        }))
    }
}
