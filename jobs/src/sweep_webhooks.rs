//! Forgets deliveries that are old.

use domain::webhooks::sweep;
use queue::schedule::{Overlap, Schedule};
use queue::{Job, JobContext, JobError, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Forgets the old deliveries of a shard.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = SweepWebhooks { shard: 0 })]
pub struct SweepWebhooks {
    /// Where the deliveries live.
    shard: i16,
}

/// Deliveries in a step.
const STEP: i64 = 5_000;

/// Every hour.
pub(crate) fn schedule() -> Schedule {
    let sweep = Schedule::of("webhooks.sweep", &SweepWebhooks { shard: 0 }, "17 * * * *");
    sweep.expect("the spec is cron").overlap(Overlap::Skip)
}

impl Job for SweepWebhooks {
    const KIND: &'static str = "webhooks.sweep";
    const QUEUE: &'static str = crate::WEBHOOKS_QUEUE;
    const PRIORITY: Priority = Priority::LOW;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let mut forgotten: u64 = ctx.cursor().await?.unwrap_or_default();
        loop {
            let step = sweep::forget_old(ctx.tx().await?, self.shard, STEP).await?;
            if step == 0 {
                break;
            }
            forgotten += step;
            ctx.commit_step(&forgotten).await?;
        }
        ctx.set_result(&json!({ "forgotten": forgotten }))
    }
}
