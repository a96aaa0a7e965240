//! A schedule as it is stored.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::spec::parse_zone;
use super::{CatchUp, Overlap, Schedule, ScheduleError};
use crate::{NewJob, Priority};

/// A row of queue.schedule.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) shard: i16,
    pub(super) kind: String,
    pub(super) queue: String,
    pub(super) priority: i16,
    pub(super) max_attempts: i16,
    pub(super) payload: String,
    pub(super) version: i16,
    pub(super) spec: String,
    pub(super) time_zone: String,
    pub(super) catch_up: String,
    pub(super) catch_up_max: i16,
    pub(super) overlap: String,
    pub(super) is_paused: bool,
    pub(super) is_declared: bool,
    pub(super) is_overridden: bool,
    pub(super) declared: Option<String>,
    pub(super) configured: Option<String>,
    pub(super) next_at: Option<DateTime<Utc>>,
    pub(super) error: Option<String>,
    pub(super) last_tick_at: Option<DateTime<Utc>>,
    pub(super) last_job_id: Option<Uuid>,
    pub(super) created_at: DateTime<Utc>,
    pub(super) updated_at: DateTime<Utc>,
    /// When the row was read, by the database's clock.
    pub(super) now: DateTime<Utc>,
}

/// The schedules of these names, or all of them, by name.
pub(super) async fn read(conn: &mut PgConnection, names: Option<&[String]>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_file_as!(Row, "src/schedule/row.sql", names as Option<&[String]>,).fetch_all(conn).await
}

/// The schedule of this name, locked until the transaction ends.
pub(super) async fn lock(conn: &mut PgConnection, name: &str) -> Result<Row, ScheduleError> {
    // Read after it is locked: whoever held the lock may have changed it.
    let locked = sqlx::query_scalar!("select name from queue.schedule where name = $1 for update", name);
    let locked = locked.fetch_optional(&mut *conn).await?;
    let row = read(conn, Some(locked.as_slice())).await?.pop();
    row.ok_or_else(|| ScheduleError::NotFound(name.to_owned()))
}

impl Row {
    /// What it says to do; an error if it was written by somebody who knew more, or better.
    pub(super) fn schedule(&self) -> Result<Schedule, ScheduleError> {
        let priority = u8::try_from(self.priority).ok().and_then(Priority::new);
        let priority = priority.ok_or(ScheduleError::Job("the priority of a job is 0 to 99"))?;
        let job = NewJob::stored(
            (self.kind.clone(), self.queue.clone()),
            self.shard,
            priority,
            self.max_attempts.unsigned_abs(),
            (self.version, self.payload.clone()),
        );
        Ok(Schedule {
            name: self.name.clone(),
            job: job.actor(format!("schedule:{}", self.name)),
            spec: self.spec.parse()?,
            zone: parse_zone(&self.time_zone)?,
            configured: None,
            catch_up: self.catch_up(),
            overlap: self.overlap(),
        })
    }

    pub(super) fn catch_up(&self) -> CatchUp {
        match self.catch_up.as_str() {
            "none" => CatchUp::None,
            "all" => CatchUp::All(self.catch_up_max.unsigned_abs()),
            _ => CatchUp::Last,
        }
    }

    pub(super) fn overlap(&self) -> Overlap {
        match self.overlap.as_str() {
            "skip" => Overlap::Skip,
            "replace" => Overlap::Replace,
            _ => Overlap::Allow,
        }
    }
}

impl CatchUp {
    /// The word for it in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            CatchUp::None => "none",
            CatchUp::Last => "last",
            CatchUp::All(_) => "all",
        }
    }
}

impl Overlap {
    /// The word for it in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Overlap::Allow => "allow",
            Overlap::Skip => "skip",
            Overlap::Replace => "replace",
        }
    }
}
