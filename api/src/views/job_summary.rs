//! Jobs as a list shows them, and why one is where it is.

use chrono::{DateTime, Utc};
use poem_openapi::Object;
use queue::explain::{Explanation, Reason};
use queue::inspect::{self, JobState};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::body::choice::choice;
use crate::problem::from_domain::sentence;

choice! {
    /// Where a job is in its life.
    pub(crate) enum StateName {
        /// Not due yet.
        Scheduled = "scheduled",
        /// Due, and waiting for a worker.
        Ready = "ready",
        /// Claimed by a worker.
        Running = "running",
        /// Waiting for other jobs, for its limit, or for its kind to be resumed.
        Waiting = "waiting",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended by its own decision that there is nothing to do.
        Discarded = "discarded",
        /// Ended because somebody did not want it any more.
        Cancelled = "cancelled",
        /// Given up.
        Dead = "dead",
    }
}

impl StateName {
    /// As the queue says it.
    pub(crate) fn state(self) -> JobState {
        match self {
            StateName::Scheduled => JobState::Scheduled,
            StateName::Ready => JobState::Ready,
            StateName::Running => JobState::Running,
            StateName::Waiting => JobState::Waiting,
            StateName::Succeeded => JobState::Succeeded,
            StateName::Discarded => JobState::Discarded,
            StateName::Cancelled => JobState::Cancelled,
            StateName::Dead => JobState::Dead,
        }
    }
}

/// A job in a list; `getJob` shows all of it.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "JobSummary")]
pub(crate) struct JobSummaryView {
    /// Its identifier.
    pub id: Uuid,
    /// What it does, such as `ledger.record_transaction`.
    pub kind: String,
    /// The queue it is in.
    pub queue: String,
    /// `scheduled`, `ready`, `running`, `waiting`, `succeeded`, `discarded`, `cancelled` or `dead`.
    pub state: String,
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
    /// Who caused it.
    pub actor: Option<String>,
    /// The job that enqueued it.
    pub parent: Option<Uuid>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Why it is dead: `exhausted`, `poison`, `unknown_kind` or `undecodable`.
    pub dead_reason: Option<String>,
    /// What went wrong last; its first 1,000 characters.
    pub last_error: Option<String>,
}

impl From<inspect::JobSummary> for JobSummaryView {
    fn from(job: inspect::JobSummary) -> JobSummaryView {
        JobSummaryView {
            id: job.id,
            kind: job.kind,
            queue: job.queue,
            state: job.state.as_str().to_owned(),
            priority: job.priority.into(),
            attempt: job.attempt.into(),
            max_attempts: job.max_attempts.into(),
            run_at: job.run_at,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            actor: job.actor,
            parent: job.parent,
            tags: job.tags,
            dead_reason: job.dead_reason,
            last_error: job.last_error,
        }
    }
}

/// One thing that holds a job up, or what became of it.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "JobReason")]
pub(crate) struct ReasonView {
    /// `running`, `scheduled`, `retry_in`, `waits_for`, `queue_paused`, `kind_paused`, `laid_aside`, `queue_limit`, `no_such_limit`,
    /// `sequence_behind`, `limit_full`, `rate_limited`, `no_live_worker`, `rank`, `ended` or `dead`.
    pub reason: String,
    /// The same for a person.
    pub text: String,
    /// Its figures, by name; times to wait are in seconds.
    pub detail: Value,
}

/// Why a job is where it is.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "JobExplanation")]
pub(crate) struct ExplanationView {
    /// The job.
    pub id: Uuid,
    /// Its kind.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Where it is in its life.
    pub state: String,
    /// All that applies, in the order in which it would have to be cleared; never empty.
    pub reasons: Vec<ReasonView>,
}

impl From<&Explanation> for ExplanationView {
    fn from(explanation: &Explanation) -> ExplanationView {
        ExplanationView {
            id: explanation.id,
            kind: explanation.kind.clone(),
            queue: explanation.queue.clone(),
            state: explanation.state.as_str().to_owned(),
            reasons: explanation.reasons.iter().map(reason).collect(),
        }
    }
}

fn reason(reason: &Reason) -> ReasonView {
    let mut detail = serde_json::to_value(reason).expect("a reason has string keys and no failing serializer");
    let name = detail.as_object_mut().and_then(|members| members.remove("reason"));
    let name = name.and_then(|name| name.as_str().map(str::to_owned)).expect("a reason is tagged with its name");
    ReasonView { reason: name, text: sentence(&reason.to_string()), detail }
}
