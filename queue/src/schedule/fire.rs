//! Fires a schedule that is due: its ticks, their jobs and its next tick, in one transaction.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::overlap::{look_at, make_way};
use super::plan::{Due, admit, due};
use super::row::{Row, read};
use super::{Schedule, ScheduleError};
use crate::error::is_transient;
use crate::metrics::{SCHEDULE_LATE_SECONDS, SCHEDULE_TICKS};
use crate::{NewJob, enqueue};

/// How often to look for schedules that nothing told of: the whole cost of schedules while none is due.
const POLL: Duration = Duration::from_secs(5);
/// When another process fires what is due.
const BUSY_GAP: Duration = Duration::from_millis(50);
/// After a failure that goes away by itself.
const RETRY_GAP: Duration = Duration::from_secs(1);
/// How many old ticks are deleted by one statement.
const FORGET_MAX: i64 = 10_000;

/// What one round did.
#[derive(Debug)]
pub(crate) struct Fired {
    /// The queue that has new jobs.
    pub(crate) queue: Option<String>,
    /// How long to wait for the next round.
    pub(crate) wait: Duration,
}

impl Fired {
    const fn nothing(wait: Duration) -> Fired {
        Fired { queue: None, wait }
    }
}

/// Fires the schedule that has been due the longest, if there is one. Any number of processes may do so at once.
pub(crate) async fn fire_due(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Fired> {
    let wait = next_in(conn, shard).await?;
    if !wait.is_zero() {
        return Ok(Fired::nothing(wait));
    }
    let mut tx = conn.begin().await?;
    let Some(row) = lock_due(&mut tx, shard).await? else {
        return Ok(Fired::nothing(BUSY_GAP));
    };
    let error = match fire(&mut tx, &row).await {
        Ok(decisions) => {
            tx.commit().await?;
            count(&row, &decisions);
            let has_jobs = decisions.iter().any(|decision| decision.job_id.is_some());
            return Ok(Fired { queue: has_jobs.then_some(row.queue), wait: Duration::ZERO });
        }
        Err(error) => error,
    };
    tx.rollback().await?;
    tracing::warn!(schedule = row.name, %error, "a schedule could not be fired; it is tried again");
    if is_transient(&error) {
        return Ok(Fired::nothing(RETRY_GAP));
    }
    postpone(conn, &row, &error).await?;
    Ok(Fired::nothing(Duration::ZERO))
}

/// How long until the next schedule is due, at most [`POLL`].
async fn next_in(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Duration> {
    let next = sqlx::query_scalar!(
        r#"
        select extract(epoch from greatest(next_at, retry_at) - statement_timestamp())::float8 as "next_s!"
          from queue.schedule
         where shard = $1 and not is_paused and next_at is not null
         order by greatest(next_at, retry_at)
         limit 1
        "#,
        shard,
    );
    let next = next.fetch_optional(conn).await?;
    Ok(next.map_or(POLL, |next_s| Duration::from_secs_f64(next_s.clamp(0.0, POLL.as_secs_f64()))))
}

/// The schedule that has been due the longest of those that nobody else fires, locked until the transaction ends.
async fn lock_due(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Option<Row>> {
    let locked = sqlx::query_scalar!(
        r#"
        select name
          from queue.schedule
         where shard = $1 and not is_paused and next_at is not null
           and greatest(next_at, retry_at) <= statement_timestamp()
         order by greatest(next_at, retry_at)
         limit 1
           for update skip locked
        "#,
        shard,
    );
    match locked.fetch_optional(&mut *conn).await? {
        Some(name) => Ok(read(conn, Some(&[name])).await?.pop()),
        None => Ok(None),
    }
}

/// What becomes of one tick, or of a run of missed ones.
#[derive(Debug, Clone, Copy)]
struct Decision {
    tick_at: DateTime<Utc>,
    through_at: Option<DateTime<Utc>>,
    job_id: Option<Uuid>,
}

impl Decision {
    const fn outcome(&self) -> &'static str {
        match (self.job_id, self.through_at) {
            (Some(_), _) => "fired",
            (None, Some(_)) => "missed",
            (None, None) => "skipped",
        }
    }
}

/// Writes the due ticks, their jobs and the next tick; returns what it decided. A tick that is written already, because
/// somebody put the schedule back, is left as it is.
async fn fire(conn: &mut PgConnection, row: &Row) -> Result<Vec<Decision>, ScheduleError> {
    let schedule = row.schedule()?;
    let next_at = row.next_at.unwrap_or(row.now);
    // The database's clock may have been put back since it said that the schedule is due.
    let due = due(|after| schedule.next_after(after), next_at, row.now.max(next_at), schedule.catch_up);
    let previous = look_at(conn, &schedule, row.last_job_id).await?;
    let admitted = admit(schedule.overlap, previous, due.ticks.len());
    let tick = |(place, tick_at): (usize, &DateTime<Utc>)| Decision {
        tick_at: *tick_at,
        through_at: None,
        job_id: admitted.contains(&place).then(Uuid::now_v7),
    };
    let missed = |(first, last)| Decision { tick_at: first, through_at: Some(last), job_id: None };
    let mut decisions: Vec<Decision> = due.missed.map(missed).into_iter().collect();
    decisions.extend(due.ticks.iter().enumerate().map(tick));
    let new = record(conn, &schedule, &decisions).await?;
    decisions.retain(|decision| new.contains(&decision.tick_at));
    let job = |decision: &Decision| Some(schedule.job.clone().id(decision.job_id?).run_at(decision.tick_at));
    let jobs: Vec<NewJob> = decisions.iter().filter_map(job).collect();
    if !jobs.is_empty() {
        make_way(conn, &schedule, previous, row.last_job_id).await?;
        enqueue(conn, &jobs).await?;
    }
    advance(conn, row, &due, &decisions).await?;
    Ok(decisions)
}

/// Writes the ticks; returns those that were not there. The table's key is what makes a tick fire once.
async fn record(
    conn: &mut PgConnection,
    schedule: &Schedule,
    decisions: &[Decision],
) -> sqlx::Result<Vec<DateTime<Utc>>> {
    let recorded = sqlx::query_scalar!(
        r#"
        insert into queue.schedule_tick (shard, name, tick_at, outcome, through_at, job_id)
        select $1, $2, new.tick_at, new.outcome, new.through_at, new.job_id
          from unnest($3::timestamptz[], $4::text[], $5::timestamptz[], $6::uuid[])
               as new(tick_at, outcome, through_at, job_id)
            on conflict do nothing
        returning tick_at
        "#,
        schedule.job.shard,
        schedule.name,
        &decisions.iter().map(|decision| decision.tick_at).collect::<Vec<_>>(),
        &decisions.iter().map(Decision::outcome).collect::<Vec<_>>() as &[&str],
        &decisions.iter().map(|decision| decision.through_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &decisions.iter().map(|decision| decision.job_id).collect::<Vec<_>>() as &[Option<Uuid>],
    );
    recorded.fetch_all(conn).await
}

/// The schedule's next tick, and what it did last.
async fn advance(conn: &mut PgConnection, row: &Row, due: &Due, decisions: &[Decision]) -> sqlx::Result<()> {
    let last = decisions.iter().rfind(|decision| decision.job_id.is_some());
    let advanced = sqlx::query!(
        r#"
        update queue.schedule
           set next_at = $2,
               last_tick_at = coalesce($3, last_tick_at),
               last_job_id = coalesce($4, last_job_id),
               error = null,
               retry_at = null
         where name = $1
        "#,
        row.name,
        due.next_at,
        last.map(|last| last.tick_at),
        last.and_then(|last| last.job_id),
    );
    advanced.execute(conn).await.map(|_| ())
}

/// Leaves a schedule alone for a minute that cannot be fired, with the reason, so that it does not hold up others.
async fn postpone(conn: &mut PgConnection, row: &Row, error: &ScheduleError) -> sqlx::Result<()> {
    let postponed = sqlx::query!(
        r#"
        update queue.schedule
           set retry_at = statement_timestamp() + interval '1 minute',
               error = $3
         where name = $1 and next_at = $2
        "#,
        row.name,
        row.next_at,
        error.to_string(),
    );
    postponed.execute(conn).await.map(|_| ())
}

fn count(row: &Row, decisions: &[Decision]) {
    for decision in decisions {
        metrics::counter!(SCHEDULE_TICKS.name, "outcome" => decision.outcome()).increment(1);
        if decision.job_id.is_some() {
            let late = (row.now - decision.tick_at).to_std().unwrap_or_default();
            metrics::histogram!(SCHEDULE_LATE_SECONDS.name).record(late);
        }
    }
}

/// Deletes the ticks of more than so many days ago.
pub(crate) async fn forget_ticks(conn: &mut PgConnection, shard: i16, keep_days: u64) -> sqlx::Result<()> {
    loop {
        let forgotten = sqlx::query!(
            r#"
            delete from queue.schedule_tick
             where ctid = any (array(
                       select ctid
                         from queue.schedule_tick
                        where shard = $1
                          and fired_at < statement_timestamp() - make_interval(days => $2)
                        order by fired_at
                        limit $3
                   ))
            "#,
            shard,
            i32::try_from(keep_days).unwrap_or(i32::MAX),
            FORGET_MAX,
        );
        if forgotten.execute(&mut *conn).await?.rows_affected() < FORGET_MAX as u64 {
            return Ok(());
        }
    }
}
