//! Queues and limits.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use queue::control::{Answer, Preview};
use queue::inspect;
use serde::Serialize;
use uuid::Uuid;

/// A queue as it is now.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Queue")]
pub(crate) struct QueueView {
    /// Its name.
    pub name: String,
    /// Since when nothing is claimed from it; null if it is not paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// How many of its jobs may run at once, over all processes; null for any number.
    pub running_max: Option<i32>,
    /// For how many seconds the job has been due that has waited longest for a worker; null when none is ready.
    pub oldest_ready_s: Option<f64>,
    /// Jobs that are not due.
    pub scheduled: i64,
    /// Jobs that may be claimed.
    pub ready: i64,
    /// Jobs that run.
    pub running: i64,
    /// Jobs that wait for others, for a limit, or for their kind to be resumed.
    pub waiting: i64,
    /// Jobs that ever succeeded.
    pub succeeded: i64,
    /// Jobs that were ever discarded.
    pub discarded: i64,
    /// Jobs that were ever cancelled.
    pub cancelled: i64,
    /// Jobs that ever died; redriving one takes none away.
    pub dead: i64,
}

impl From<inspect::QueueView> for QueueView {
    fn from(queue: inspect::QueueView) -> QueueView {
        let counts = queue.counts;
        QueueView {
            name: counts.queue,
            paused_at: queue.paused_at,
            paused_by: queue.paused_by,
            running_max: queue.running_max,
            oldest_ready_s: queue.oldest_ready_s,
            scheduled: counts.scheduled,
            ready: counts.ready,
            running: counts.running,
            waiting: counts.waiting,
            succeeded: counts.succeeded,
            discarded: counts.discarded,
            cancelled: counts.cancelled,
            dead: counts.dead,
        }
    }
}

/// A limit, which holds for each of its keys.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Limit")]
pub(crate) struct LimitView {
    /// Its name.
    pub name: String,
    /// How many jobs of a key may run at once; null for any number.
    pub running_max: Option<i32>,
    /// How many tokens a second a key's bucket gains; null for no rate.
    pub rate_per_s: Option<f64>,
    /// How many tokens a bucket holds at most.
    pub burst: Option<f64>,
    /// When it was last changed.
    pub changed_at: DateTime<Utc>,
    /// The operator whose value it is; null for the code's own.
    pub changed_by: Option<String>,
}

impl From<inspect::LimitView> for LimitView {
    fn from(limit: inspect::LimitView) -> LimitView {
        LimitView {
            name: limit.name,
            running_max: limit.running_max,
            rate_per_s: limit.rate_per_s,
            burst: limit.burst,
            changed_at: limit.changed_at,
            changed_by: limit.changed_by,
        }
    }
}

/// What became of many jobs.
#[derive(Debug, Object, Serialize)]
pub(crate) struct BulkAnswer {
    /// How many jobs were selected, up to the limit.
    pub matched: i64,
    /// How many of them were changed, or asked to end; 0 for a dry run.
    pub changed: i64,
    /// How many of these run, and were asked to end.
    pub asked: i64,
    /// Whether more are selected than the limit: repeat the request, as long as it changes anything.
    pub has_more: bool,
    /// The row of the audit; null for a dry run.
    pub audit_id: Option<Uuid>,
}

impl From<Answer> for BulkAnswer {
    fn from(answer: Answer) -> BulkAnswer {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        BulkAnswer {
            matched: number(answer.matched),
            changed: number(answer.changed),
            asked: number(answer.asked),
            has_more: answer.has_more,
            audit_id: Some(answer.audit),
        }
    }
}

impl From<Preview> for BulkAnswer {
    fn from(preview: Preview) -> BulkAnswer {
        let matched = i64::try_from(preview.matched).unwrap_or(i64::MAX);
        BulkAnswer { matched, changed: 0, asked: 0, has_more: preview.has_more, audit_id: None }
    }
}
