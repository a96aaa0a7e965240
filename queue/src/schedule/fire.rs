//! Fires schedules that are due: their ticks, the jobs of these and their next ticks, in one transaction.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::overlap::{look_at, make_way};
use super::plan::{Due, Previous, admit, due};
use super::row::{Row, read};
use super::{Schedule, ScheduleError};
use crate::error::is_transient;
use crate::metrics::{SCHEDULE_LATE_SECONDS, SCHEDULE_TICKS};
use crate::trace::TraceContext;
use crate::{NewJob, enqueue};

/// How often to look for schedules that nothing told of: the whole cost of schedules while none is due.
const POLL: Duration = Duration::from_secs(5);
/// How many schedules are fired in one transaction: a thousand of one midnight take a few commits.
const FIRE_MAX: i64 = 100;
/// With how many ticks among them.
const TICKS_MAX: usize = 1_000;
/// When another process fires what is due.
const BUSY_GAP: Duration = Duration::from_millis(50);
/// After a failure that goes away by itself.
const RETRY_GAP: Duration = Duration::from_secs(1);
/// How many old ticks are deleted by one statement.
const FORGET_MAX: i64 = 10_000;

/// What one round did.
#[derive(Debug)]
pub(crate) struct Fired {
    /// The queues that have new jobs.
    pub(crate) queues: BTreeSet<String>,
    /// How long to wait for the next round.
    pub(crate) wait: Duration,
}

impl Fired {
    const fn nothing(wait: Duration) -> Fired {
        Fired { queues: BTreeSet::new(), wait }
    }
}

/// Fires the schedules that have been due the longest, if there are any. Any number of processes may do so at once.
pub(crate) async fn fire_due(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Fired> {
    let wait = next_in(conn, shard).await?;
    if !wait.is_zero() {
        return Ok(Fired::nothing(wait));
    }
    match fire_some(conn, shard, FIRE_MAX).await {
        Ok(fired) => Ok(fired),
        Err(error) if is_transient(&error) => {
            tracing::warn!(%error, "schedules could not be fired; they are tried again");
            Ok(Fired::nothing(RETRY_GAP))
        }
        // What cannot be fired holds up no other: alone, it is found out and postponed.
        Err(_) => fire_alone(conn, shard).await,
    }
}

/// Fires up to so many schedules in one transaction: all of them, or none.
async fn fire_some(conn: &mut PgConnection, shard: i16, max: i64) -> Result<Fired, ScheduleError> {
    let mut tx = conn.begin().await?;
    let mut rows = lock_due(&mut tx, shard, max).await?;
    // Their last jobs are locked in the order of the ids, as everywhere.
    rows.sort_by_key(|row| row.last_job_id);
    if rows.is_empty() {
        return Ok(Fired::nothing(BUSY_GAP));
    }
    let firings = fire(&mut tx, shard, &rows).await?;
    tx.commit().await?;
    firings.iter().for_each(count);
    let has_jobs = |firing: &&Firing<'_>| firing.decisions.iter().any(|decision| decision.job_id.is_some());
    let queues = firings.iter().filter(has_jobs).map(|firing| firing.row.queue.clone()).collect();
    Ok(Fired { queues, wait: Duration::ZERO })
}

/// Fires the one that has been due the longest, or leaves it alone for a minute.
async fn fire_alone(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Fired> {
    let mut tx = conn.begin().await?;
    let first = lock_due(&mut tx, shard, 1).await?;
    tx.rollback().await?;
    let Some(row) = first.first() else { return Ok(Fired::nothing(BUSY_GAP)) };
    match fire_some(conn, shard, 1).await {
        Ok(fired) => Ok(fired),
        Err(error) => {
            tracing::warn!(schedule = row.name, %error, "a schedule could not be fired; it is tried again");
            if is_transient(&error) {
                return Ok(Fired::nothing(RETRY_GAP));
            }
            postpone(conn, row, &error).await?;
            Ok(Fired::nothing(Duration::ZERO))
        }
    }
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

/// The schedules that have been due the longest of those that nobody else fires, locked until the transaction ends.
async fn lock_due(conn: &mut PgConnection, shard: i16, max: i64) -> sqlx::Result<Vec<Row>> {
    let locked = sqlx::query_scalar!(
        r#"
        select name
          from queue.schedule
         where shard = $1 and not is_paused and next_at is not null
           and greatest(next_at, retry_at) <= statement_timestamp()
         order by greatest(next_at, retry_at)
         limit $2
           for update skip locked
        "#,
        shard,
        max,
    );
    let names = locked.fetch_all(&mut *conn).await?;
    if names.is_empty() { Ok(Vec::new()) } else { read(conn, Some(&names)).await }
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

/// A schedule that is fired.
#[derive(Debug)]
struct Firing<'a> {
    row: &'a Row,
    schedule: Schedule,
    previous: Previous,
    due: Due,
    decisions: Vec<Decision>,
}

impl<'a> Firing<'a> {
    /// Decides what becomes of the ticks that are due. The last job is locked, if it counts.
    async fn decide(conn: &mut PgConnection, row: &'a Row, schedule: Schedule) -> sqlx::Result<Firing<'a>> {
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
        Ok(Firing { row, schedule, previous, due, decisions })
    }

    fn jobs(&self) -> impl Iterator<Item = NewJob> {
        let job = |decision: &Decision| {
            // Nobody asked for it: each tick begins a trace.
            let trace = TraceContext::root().to_string();
            Some(self.schedule.job.clone().id(decision.job_id?).run_at(decision.tick_at).trace(trace))
        };
        self.decisions.iter().filter_map(job)
    }
}

/// Writes the due ticks of these schedules, their jobs and their next ticks; returns what it decided. A tick that is
/// written already, because somebody put the schedule back, is left as it is. Those whose rows are not understood are
/// left alone for a minute, and those beyond [`TICKS_MAX`] ticks for the next round.
async fn fire<'a>(conn: &mut PgConnection, shard: i16, rows: &'a [Row]) -> Result<Vec<Firing<'a>>, ScheduleError> {
    let (mut firings, mut ticks) = (Vec::new(), 0);
    for row in rows {
        match row.schedule() {
            Ok(schedule) => firings.push(Firing::decide(&mut *conn, row, schedule).await?),
            Err(error) => {
                tracing::warn!(schedule = row.name, %error, "a schedule could not be fired; it is tried again");
                postpone(&mut *conn, row, &error).await?;
            }
        }
        ticks += firings.last().map_or(0, |firing| firing.decisions.len());
        if ticks >= TICKS_MAX {
            break;
        }
    }
    let new = record(&mut *conn, shard, &firings).await?;
    for firing in &mut firings {
        firing.decisions.retain(|decision| new.contains(&(firing.row.name.clone(), decision.tick_at)));
    }
    let mut jobs: Vec<NewJob> = Vec::new();
    for firing in &firings {
        let before = jobs.len();
        jobs.extend(firing.jobs());
        if jobs.len() > before {
            make_way(&mut *conn, &firing.schedule, firing.previous, firing.row.last_job_id).await?;
        }
    }
    if !jobs.is_empty() {
        enqueue(&mut *conn, &jobs).await?;
    }
    advance(conn, &firings).await?;
    Ok(firings)
}

/// Writes the ticks; returns those that were not there, by schedule. The table's key is what makes a tick fire once.
async fn record(
    conn: &mut PgConnection,
    shard: i16,
    firings: &[Firing<'_>],
) -> sqlx::Result<HashSet<(String, DateTime<Utc>)>> {
    let all = || firings.iter().flat_map(|firing| firing.decisions.iter().map(move |decision| (firing, decision)));
    let recorded = sqlx::query!(
        r#"
        insert into queue.schedule_tick (shard, name, tick_at, outcome, through_at, job_id)
        select $1, new.name, new.tick_at, new.outcome, new.through_at, new.job_id
          from unnest($2::text[], $3::timestamptz[], $4::text[], $5::timestamptz[], $6::uuid[])
               as new(name, tick_at, outcome, through_at, job_id)
            on conflict do nothing
        returning name, tick_at
        "#,
        shard,
        &all().map(|(firing, _)| firing.row.name.as_str()).collect::<Vec<_>>() as &[&str],
        &all().map(|(_, decision)| decision.tick_at).collect::<Vec<_>>(),
        &all().map(|(_, decision)| decision.outcome()).collect::<Vec<_>>() as &[&str],
        &all().map(|(_, decision)| decision.through_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &all().map(|(_, decision)| decision.job_id).collect::<Vec<_>>() as &[Option<Uuid>],
    );
    Ok(recorded.fetch_all(conn).await?.into_iter().map(|row| (row.name, row.tick_at)).collect())
}

/// The schedules' next ticks, and what they did last.
async fn advance(conn: &mut PgConnection, firings: &[Firing<'_>]) -> sqlx::Result<()> {
    let last = |firing: &Firing<'_>| firing.decisions.iter().rfind(|decision| decision.job_id.is_some()).copied();
    let lasts: Vec<Option<Decision>> = firings.iter().map(last).collect();
    let advanced = sqlx::query!(
        r#"
        update queue.schedule as schedule
           set next_at = new.next_at,
               last_tick_at = coalesce(new.last_tick_at, schedule.last_tick_at),
               last_job_id = coalesce(new.last_job_id, schedule.last_job_id),
               error = null,
               retry_at = null
          from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::uuid[])
               as new(name, next_at, last_tick_at, last_job_id)
         where schedule.name = new.name
        "#,
        &firings.iter().map(|firing| firing.row.name.as_str()).collect::<Vec<_>>() as &[&str],
        &firings.iter().map(|firing| firing.due.next_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &lasts.iter().map(|last| last.map(|last| last.tick_at)).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &lasts.iter().map(|last| last.and_then(|last| last.job_id)).collect::<Vec<_>>() as &[Option<Uuid>],
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

fn count(firing: &Firing<'_>) {
    for decision in &firing.decisions {
        metrics::counter!(SCHEDULE_TICKS.name, "outcome" => decision.outcome()).increment(1);
        if decision.job_id.is_some() {
            let late = (firing.row.now - decision.tick_at).to_std().unwrap_or_default();
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
