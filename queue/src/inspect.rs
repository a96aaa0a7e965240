//! Looks at jobs wherever they are in their lives, at queues and at worker processes.

mod list;
mod processes;
mod queues;

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

pub use list::{JobPage, JobSummary, Search, list};
pub use processes::{ProcessView, processes};
pub use queues::{KindPause, LimitView, QueueView, limits, oldest_ready, paused_kinds, queues};

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Not due yet.
    Scheduled,
    /// Due, and waiting for a worker.
    Ready,
    /// Claimed by a worker.
    Running,
    /// Waiting for other jobs.
    Waiting,
    /// Ended well.
    Succeeded,
    /// Ended by its own decision that there is nothing to do.
    Discarded,
    /// Ended because somebody did not want it any more.
    Cancelled,
    /// Given up: out of attempts, poison, or not understood.
    Dead,
}

impl JobState {
    /// The stable name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobState::Scheduled => "scheduled",
            JobState::Ready => "ready",
            JobState::Running => "running",
            JobState::Waiting => "waiting",
            JobState::Succeeded => "succeeded",
            JobState::Discarded => "discarded",
            JobState::Cancelled => "cancelled",
            JobState::Dead => "dead",
        }
    }

    /// Whether nothing more will happen to it by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, JobState::Succeeded | JobState::Discarded | JobState::Cancelled | JobState::Dead)
    }

    /// As it is stored.
    pub(crate) const fn number(self) -> i16 {
        self as i16
    }

    pub(crate) fn from_number(number: i16) -> JobState {
        match number {
            0 => JobState::Scheduled,
            1 => JobState::Ready,
            2 => JobState::Running,
            3 => JobState::Waiting,
            4 => JobState::Succeeded,
            5 => JobState::Discarded,
            6 => JobState::Cancelled,
            _ => JobState::Dead,
        }
    }
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptError {
    /// Which attempt, from 1.
    pub attempt: i16,
    /// What went wrong.
    pub error: String,
    /// Its causes, the nearest first.
    #[serde(default)]
    pub chain: Vec<String>,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// The process that ran it.
    pub process: Option<Uuid>,
}

/// A job, as an outsider may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobView {
    /// Its id.
    pub id: Uuid,
    /// The kind's name.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Where it is in its life.
    pub state: JobState,
    /// 0 to 99, the smaller runs first.
    pub priority: i16,
    /// Attempts begun.
    pub attempt: i16,
    /// Attempts allowed.
    pub max_attempts: i16,
    /// When it is or was due.
    pub run_at: DateTime<Utc>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When its last attempt was claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who caused it.
    pub actor: Option<String>,
    /// The job that enqueued it.
    pub parent: Option<Uuid>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Who asked for its end while it ran.
    pub cancel_asked_by: Option<String>,
    /// Why it is dead: `exhausted`, `poison`, `unknown_kind` or `undecodable`.
    pub dead_reason: Option<String>,
    /// Its failed attempts, oldest first.
    pub errors: Vec<AttemptError>,
    /// What it last reported.
    pub progress: Option<Value>,
    /// What it returned.
    pub result: Option<Value>,
}

/// Finds a job among the live, the dead and the finished; none if it never was or its history has been dropped.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<Option<JobView>> {
    match look(conn, shard, id).await? {
        // A row that is moved to its day's new partition while the statement waits for that can be missed by one look.
        None => look(conn, shard, id).await,
        found => Ok(found),
    }
}

/// The payload of a job as it is stored, sealed if it is sealed; none if there is no such job.
///
/// # Errors
/// When the database fails.
pub async fn payload(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<Option<Value>> {
    let found = sqlx::query_scalar!(
        r#"
        select payload as "payload!"
          from (
               select 1 as place, payload, null::timestamptz as finished_at from queue.job where shard = $1 and id = $2
                union all
               select 2, payload, died_at from queue.dead_job where shard = $1 and id = $2
                union all
               select 3, payload, finished_at from queue.job_history where shard = $1 and id = $2
               ) as everywhere
         order by place, finished_at desc
         limit 1
        "#,
        shard,
        id,
    );
    found.fetch_optional(conn).await
}

/// Which of these jobs are live (waiting or running), and which are dead; the rest have ended, or never were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Ready, scheduled, waiting or running.
    pub live: HashSet<Uuid>,
    /// Among the dead letters, and not live.
    pub dead: HashSet<Uuid>,
}

/// Looks for many jobs at once, as the caller's transaction sees them.
///
/// # Errors
/// When the database fails.
pub async fn whereabouts(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<Whereabouts> {
    let rows = sqlx::query!(
        r#"
        select wanted.id as "id!", (live.id is not null) as "is_live!"
          from unnest($2::uuid[]) as wanted (id)
          -- One look-up in the primary key for each, whatever the planner thinks of the tables.
          left join lateral (
               select id from queue.job where shard = $1 and id = wanted.id offset 0
          ) as live on true
          left join lateral (
               select id from queue.dead_job where shard = $1 and id = wanted.id offset 0
          ) as dead on true
         where live.id is not null or dead.id is not null
        "#,
        shard,
        ids,
    );
    let mut found = Whereabouts::default();
    for row in rows.fetch_all(conn).await? {
        let place = if row.is_live { &mut found.live } else { &mut found.dead };
        place.insert(row.id);
    }
    Ok(found)
}

async fn look(conn: &mut PgConnection, shard: i16, id: Uuid) -> sqlx::Result<Option<JobView>> {
    let found = sqlx::query_file!("src/inspect.sql", shard, id,);
    let found = found.fetch_optional(conn).await?;
    Ok(found.map(|row| JobView {
        id,
        kind: row.kind,
        queue: row.queue,
        state: JobState::from_number(row.state as i16),
        priority: row.priority,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        run_at: row.run_at,
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
        actor: row.actor,
        parent: row.parent,
        tags: row.tags.unwrap_or_default(),
        cancel_asked_by: row.cancelled_by,
        dead_reason: row.reason,
        errors: row.errors.and_then(|errors| serde_json::from_value(errors).ok()).unwrap_or_default(),
        progress: row.progress,
        result: row.result,
    }))
}
