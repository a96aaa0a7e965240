//! Changes schedules at run time. Each function is on the caller's connection, and joins a transaction that is open on it.

use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::declare::write;
use super::overlap::{look_at, make_way};
use super::plan::{Previous, admit};
use super::row::{Row, lock};
use super::spec::parse_zone;
use super::{CatchUp, Overlap, Schedule, ScheduleError};
use crate::inspect::JobState;
use crate::notify::CHANNEL;
use crate::{Enqueued, PAYLOAD_BYTES_MAX, Priority, enqueue};

/// What the channel of wake-ups says when a schedule was changed: no queue has this name.
pub(crate) const CHANGED: &str = "";

/// What to change of a schedule; what is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// When it ticks, as in [`Schedule::of`].
    pub spec: Option<String>,
    /// The IANA name of its time zone.
    pub time_zone: Option<String>,
    /// What becomes of missed ticks.
    pub catch_up: Option<CatchUp>,
    /// What a tick does while the last job is live.
    pub overlap: Option<Overlap>,
    /// The payload of its jobs. It is not checked against their kind: one that does not parse makes dead letters.
    pub payload: Option<Value>,
    /// The priority of its jobs.
    pub priority: Option<Priority>,
    /// How many attempts its jobs have.
    pub max_attempts: Option<u16>,
}

/// Makes a schedule that is not in code.
///
/// # Errors
/// [`ScheduleError::Exists`], or as [`declare`](super::declare).
pub async fn create(conn: &mut PgConnection, schedule: &Schedule) -> Result<(), ScheduleError> {
    let written = write(&mut *conn, std::slice::from_ref(schedule), false).await?;
    if written.is_empty() {
        return Err(ScheduleError::Exists(schedule.name.clone()));
    }
    announce(conn).await
}

/// Changes a schedule; from then on, what code declares of it is not applied, until [`revert`](super::revert). If it is to tick at other
/// times, it does so from now on, and forgets ticks that are due and not fired yet.
///
/// # Errors
/// [`ScheduleError::NotFound`], or why the change makes no sense; nothing is changed then.
pub async fn change(conn: &mut PgConnection, name: &str, change: &Change) -> Result<(), ScheduleError> {
    let mut tx = conn.begin().await?;
    let mut row = lock(&mut tx, name).await?;
    let before = (row.spec.clone(), row.time_zone.clone());
    apply(&mut row, change)?;
    let schedule = row.schedule()?;
    schedule.check()?;
    let is_retimed = before != (row.spec.clone(), row.time_zone.clone());
    sqlx::query!(
        r#"
        update queue.schedule
           set spec = $2,
               time_zone = $3,
               catch_up = $4,
               catch_up_max = $5,
               overlap = $6,
               payload = $7::text::json,
               priority = $8,
               max_attempts = $9,
               next_at = case when $10 then $11 else next_at end,
               is_overridden = true,
               retry_at = null,
               error = null,
               updated_at = statement_timestamp()
         where name = $1
        "#,
        name,
        schedule.spec.to_string(),
        schedule.zone.name(),
        row.catch_up,
        row.catch_up_max,
        row.overlap,
        row.payload,
        row.priority,
        row.max_attempts,
        is_retimed,
        schedule.next_after(row.now),
    )
    .execute(&mut *tx)
    .await?;
    announce(&mut tx).await?;
    Ok(tx.commit().await?)
}

/// Puts the change into the row, as far as it can be told to be possible without the rest.
fn apply(row: &mut Row, change: &Change) -> Result<(), ScheduleError> {
    if let Some(spec) = &change.spec {
        row.spec = spec.parse::<super::spec::Spec>()?.to_string();
    }
    if let Some(zone) = &change.time_zone {
        row.time_zone = parse_zone(zone)?.name().to_owned();
    }
    if let Some(catch_up) = change.catch_up {
        row.catch_up = catch_up.as_str().to_owned();
        row.catch_up_max = i16::try_from(catch_up.max()).map_err(|_| ScheduleError::CatchUp(catch_up.max()))?;
    }
    if let Some(overlap) = change.overlap {
        row.overlap = overlap.as_str().to_owned();
    }
    if let Some(payload) = &change.payload {
        row.payload = payload.to_string();
        if row.payload.len() > PAYLOAD_BYTES_MAX {
            return Err(ScheduleError::Job("the payload of a job has at most 1 MiB of JSON"));
        }
    }
    row.priority = change.priority.map_or(row.priority, Priority::rank);
    if let Some(attempts) = change.max_attempts {
        let attempts = i16::try_from(attempts).ok().filter(|attempts| *attempts > 0);
        row.max_attempts = attempts.ok_or(ScheduleError::Job("a job has 1 to 32767 attempts"))?;
    }
    Ok(())
}

/// Stops a schedule's ticks; jobs that it has made are left alone.
///
/// # Errors
/// [`ScheduleError::NotFound`].
pub async fn pause(conn: &mut PgConnection, name: &str) -> Result<(), ScheduleError> {
    let paused = sqlx::query!(
        r#"
        update queue.schedule
           set is_paused = true,
               updated_at = case when is_paused then updated_at else statement_timestamp() end
         where name = $1
        "#,
        name,
    );
    found(name, paused.execute(conn).await?.rows_affected())
}

/// Lets a paused schedule tick again, from the next tick on: those during the pause are not caught up with.
///
/// # Errors
/// [`ScheduleError::NotFound`].
pub async fn resume(conn: &mut PgConnection, name: &str) -> Result<(), ScheduleError> {
    let mut tx = conn.begin().await?;
    let row = lock(&mut tx, name).await?;
    if row.is_paused {
        sqlx::query!(
            r#"
            update queue.schedule
               set is_paused = false,
                   next_at = $2,
                   retry_at = null,
                   error = null,
                   updated_at = statement_timestamp()
             where name = $1
            "#,
            name,
            row.schedule()?.next_after(row.now),
        )
        .execute(&mut *tx)
        .await?;
        announce(&mut tx).await?;
    }
    Ok(tx.commit().await?)
}

/// Enqueues its job now, apart from its ticks and also while it is paused. It heeds [`Overlap`]: where a tick would be
/// skipped, nothing is created and the answer has the live job's id. Wake the workers after the commit.
///
/// # Errors
/// [`ScheduleError::NotFound`] and [`ScheduleError::Enqueue`].
pub async fn run_now(conn: &mut PgConnection, name: &str) -> Result<Enqueued, ScheduleError> {
    let mut tx = conn.begin().await?;
    let row = lock(&mut tx, name).await?;
    let schedule = row.schedule()?;
    let previous = look_at(&mut tx, &schedule, row.last_job_id).await?;
    if let (true, Some(id)) = (admit(schedule.overlap, previous, 1).is_empty(), row.last_job_id) {
        let state = if previous == Previous::Running { JobState::Running } else { JobState::Ready };
        return Ok(Enqueued { id, created: false, state });
    }
    make_way(&mut tx, &schedule, previous, row.last_job_id).await?;
    let job = schedule.job.id(Uuid::now_v7());
    let enqueued = enqueue(&mut tx, std::slice::from_ref(&job)).await?;
    let noted = sqlx::query!("update queue.schedule set last_job_id = $2 where name = $1", name, job.id);
    noted.execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(enqueued[0])
}

/// Removes a schedule; its jobs, and the record of its ticks, stay. One that code declares comes back with the next start.
///
/// # Errors
/// [`ScheduleError::NotFound`].
pub async fn remove(conn: &mut PgConnection, name: &str) -> Result<(), ScheduleError> {
    let removed = sqlx::query!("delete from queue.schedule where name = $1", name);
    found(name, removed.execute(conn).await?.rows_affected())
}

fn found(name: &str, rows: u64) -> Result<(), ScheduleError> {
    if rows == 1 { Ok(()) } else { Err(ScheduleError::NotFound(name.to_owned())) }
}

/// Tells the worker processes, with the caller's commit: a schedule may be due sooner than they think. It rides in the
/// transaction, unlike the hints about jobs, because schedules are changed seldom.
pub(super) async fn announce(conn: &mut PgConnection) -> Result<(), ScheduleError> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, CHANGED).execute(conn).await?;
    Ok(())
}
