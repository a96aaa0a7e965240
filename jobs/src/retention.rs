//! Forgets what nobody asks for any more. How long it is kept stands in the payload of the schedule `system.retention`,
//! which an operator can change. docs/SCHEDULES.md has all that is kept for a time, and who removes it.

use std::time::Duration;

use domain::retention::{Old, forget};
use queue::schedule::{Overlap, Schedule};
use queue::{Job, JobContext, JobError, Priority};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Removes old rows of a shard.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = Retention::of(0))]
pub struct Retention {
    /// Where the rows live.
    shard: i16,
    /// Hours for which the answer to an `Idempotency-Key` is kept.
    #[schemars(range(min = 24, max = 8784))]
    answers_hours: i32,
    /// Days for which a session is kept after its end.
    #[schemars(range(min = 0, max = 3660))]
    sessions_days: i32,
    /// Days for which leave to set a new password is kept after it expired.
    #[schemars(range(min = 0, max = 3660))]
    password_resets_days: i32,
}

impl Retention {
    /// A shard, with what is kept by default.
    pub fn of(shard: i16) -> Retention {
        Retention { shard, answers_hours: 72, sessions_days: 30, password_resets_days: 30 }
    }

    /// For how long these are kept, in hours.
    fn hours(&self, old: Old) -> i32 {
        match old {
            // Not less than was promised, whatever the payload says.
            Old::Answers => self.answers_hours.max(24),
            Old::Sessions => self.sessions_days.max(0).saturating_mul(24),
            Old::PasswordResets => self.password_resets_days.max(0).saturating_mul(24),
        }
    }
}

/// Each hour, so that no run has much to do.
pub(crate) fn schedule() -> Schedule {
    let schedule = Schedule::of("system.retention", &Retention::of(0), "41 * * * *");
    schedule.expect("the spec is cron").overlap(Overlap::Skip)
}

/// Where a run is: which table, at which page, and what it has removed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Cursor {
    table: usize,
    page: i64,
    removed: [u64; Old::ALL.len()],
}

impl Job for Retention {
    const KIND: &'static str = "system.retention";
    const QUEUE: &'static str = crate::ACCOUNTS_QUEUE;
    const PRIORITY: Priority = Priority::LOW;
    /// From step to step.
    const TIMEOUT: Duration = Duration::from_secs(300);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let mut cursor: Cursor = ctx.cursor().await?.unwrap_or_default();
        while let Some(old) = Old::ALL.get(cursor.table) {
            let step = forget(ctx.tx().await?, self.shard, *old, cursor.page, self.hours(*old)).await?;
            cursor.removed[cursor.table] += step.removed;
            match step.next {
                Some(page) => cursor.page = page,
                None => (cursor.table, cursor.page) = (cursor.table + 1, 0),
            }
            ctx.commit_step(&cursor).await?;
        }
        let [answers, sessions, password_resets] = cursor.removed;
        ctx.set_result(&json!({ "answers": answers, "sessions": sessions, "password_resets": password_resets }))
    }
}
