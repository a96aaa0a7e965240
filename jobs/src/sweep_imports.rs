//! Tidies up after imports: uploads that were cut, files whose job has ended without them, reports that are old.

use domain::imports;
use queue::inspect::{self, JobState};
use queue::schedule::{Overlap, Schedule};
use queue::{Job, JobContext, JobError, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

/// Looks through the imports of a shard.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = SweepImports { shard: 0 })]
pub struct SweepImports {
    /// Where the book lives.
    shard: i16,
}

impl SweepImports {
    /// The sweep of a shard.
    pub fn of(shard: i16) -> SweepImports {
        SweepImports { shard }
    }
}

/// Every ten minutes.
pub(crate) fn schedule() -> Schedule {
    let sweep = Schedule::of("imports.sweep", &SweepImports::of(0), "*/10 * * * *");
    sweep.expect("the spec is cron").overlap(Overlap::Skip)
}

impl Job for SweepImports {
    const KIND: &'static str = "imports.sweep";
    const QUEUE: &'static str = crate::PRODUCTS_QUEUE;
    const PRIORITY: Priority = Priority::LOW;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let tx = ctx.tx().await?;
        let uploads = imports::forget_uploads(tx, self.shard).await?;
        let mut stopped = 0;
        for import in imports::active(tx, self.shard).await? {
            if has_ended(tx, self.shard, import).await? {
                stopped += u64::from(imports::stop(tx, self.shard, import).await?);
            }
        }
        let old = imports::forget_old(tx, self.shard).await?;
        ctx.set_result(&serde_json::json!({ "uploads": uploads, "stopped": stopped, "old": old }))
    }
}

/// Whether the import's job has ended for good: one among the dead letters may live again, and then goes on where it was.
async fn has_ended(conn: &mut PgConnection, shard: i16, job: Uuid) -> sqlx::Result<bool> {
    let job = inspect::find(conn, shard, job).await?;
    Ok(job.is_none_or(|job| matches!(job.state, JobState::Succeeded | JobState::Discarded | JobState::Cancelled)))
}
