//! Looks after the event log: makes its days ahead, drops old ones, and numbers what nobody has followed.

use domain::events::log;
use queue::schedule::{Overlap, Schedule};
use queue::{Job, JobContext, JobError, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Events are kept for so many days.
pub const DAYS: i32 = 7;

/// Keeps the event log of a shard.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = KeepEvents { shard: 0 })]
pub struct KeepEvents {
    /// Where the books live.
    shard: i16,
}

/// Every ten minutes.
pub(crate) fn schedule() -> Schedule {
    let keep = Schedule::of("events.keep", &KeepEvents { shard: 0 }, "*/10 * * * *");
    keep.expect("the spec is cron").overlap(Overlap::Skip)
}

impl Job for KeepEvents {
    const KIND: &'static str = "events.keep";
    const QUEUE: &'static str = crate::ACCOUNTS_QUEUE;
    const PRIORITY: Priority = Priority::LOW;
    const HISTORY_DAYS: Option<u16> = Some(1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        // By itself: others wait while it is done.
        let last = log::number(ctx.pool(), self.shard).await?;
        let dropped = log::keep_days(ctx.tx().await?, DAYS).await?;
        ctx.set_result(&json!({ "last": last, "dropped": dropped }))
    }
}
