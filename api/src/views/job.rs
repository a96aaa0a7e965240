//! Jobs.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use queue::inspect;
use serde::Serialize;
use uuid::Uuid;

/// Why one attempt at a job failed.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "AttemptError")]
pub(crate) struct AttemptErrorView {
    /// Which attempt, from 1.
    pub attempt: i32,
    /// What went wrong.
    pub error: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Work that goes on after the answer.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "Job")]
pub(crate) struct JobView {
    /// Its identifier.
    pub id: Uuid,
    /// What it does, such as `ledger.record_transaction`.
    pub kind: String,
    /// The queue it is in.
    pub queue: String,
    /// `scheduled`, `ready`, `running`, `waiting`, `succeeded`, `discarded`, `cancelled` or `dead`.
    pub state: String,
    /// Why it is dead: `exhausted`, `poison`, `unknown_kind` or `undecodable`.
    pub dead_reason: Option<String>,
    /// 0 to 99; the smaller runs first.
    pub priority: i32,
    /// How often it was tried.
    pub attempt: i32,
    /// How often it is tried at most.
    pub max_attempts: i32,
    /// When it is or was due.
    pub run_at: DateTime<Utc>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When the last attempt began.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who caused it: a user, a schedule (`schedule:` and its name), or another job.
    pub actor: Option<String>,
    /// The job that enqueued it.
    pub parent: Option<Uuid>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who asked for its end while it ran.
    pub cancel_asked_by: Option<String>,
    /// Why attempts failed, oldest first.
    pub errors: Vec<AttemptErrorView>,
    /// How far it is, in the words of its kind.
    pub progress: Option<serde_json::Value>,
    /// What came of it, in the words of its kind.
    pub result: Option<serde_json::Value>,
}

impl From<&inspect::JobView> for JobView {
    fn from(job: &inspect::JobView) -> JobView {
        let error = |error: &inspect::AttemptError| AttemptErrorView {
            attempt: error.attempt.into(),
            error: error.error.clone(),
            at: error.at,
        };
        JobView {
            id: job.id,
            kind: job.kind.clone(),
            queue: job.queue.clone(),
            state: job.state.as_str().to_owned(),
            dead_reason: job.dead_reason.clone(),
            priority: job.priority.into(),
            attempt: job.attempt.into(),
            max_attempts: job.max_attempts.into(),
            run_at: job.run_at,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            actor: job.actor.clone(),
            parent: job.parent,
            tags: job.tags.clone(),
            cancel_asked_by: job.cancel_asked_by.clone(),
            errors: job.errors.iter().map(error).collect(),
            progress: job.progress.clone(),
            result: job.result.clone(),
        }
    }
}
