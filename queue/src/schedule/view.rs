//! Looks at schedules and their ticks.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::ScheduleError;
use super::layers::{When, of_row};
use super::row::{Row, lock, read};
use super::spec::parse_zone;

/// How many ticks ahead are shown.
const NEXT_MAX: usize = 10;

/// A schedule, as an outsider may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScheduleView {
    /// Its name.
    pub name: String,
    /// The kind of its jobs.
    pub kind: String,
    /// The queue of its jobs.
    pub queue: String,
    /// The priority of its jobs, 0 to 99, the smaller runs first.
    pub priority: i16,
    /// Attempts that its jobs have.
    pub max_attempts: i16,
    /// The job itself.
    pub payload: Value,
    /// When it ticks.
    pub spec: String,
    /// The IANA name of its time zone.
    pub time_zone: String,
    /// `none`, `last` or `all`.
    pub catch_up: &'static str,
    /// How many ticks that are due at once are fired; 1 unless it catches up with all.
    pub catch_up_max: i16,
    /// `allow`, `skip` or `replace`.
    pub overlap: &'static str,
    /// Whether it does not tick.
    pub is_paused: bool,
    /// Whether it comes from code.
    pub is_declared: bool,
    /// Whether it was changed at run time, so that code does not decide any more.
    pub is_overridden: bool,
    /// Who decides: `code`, `environment` or `operator`.
    pub source: &'static str,
    /// When it ticks by what code says, if it comes from there.
    pub declared: Option<When>,
    /// When it ticks by the environment, if that says anything.
    pub configured: Option<When>,
    /// The next ten ticks, or those that it would have if it were not paused; the first is past if it is due. Fewer when
    /// there are no more, and none when its spec is not understood.
    pub next: Vec<DateTime<Utc>>,
    /// The last tick that made a job.
    pub last_tick_at: Option<DateTime<Utc>>,
    /// Its last job, also one that was run by hand.
    pub last_job_id: Option<Uuid>,
    /// Why firing it failed last.
    pub error: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, paused or resumed.
    pub updated_at: DateTime<Utc>,
}

impl ScheduleView {
    /// [`ScheduleView::next`] as local times of the schedule's zone, with the offset that holds then; empty for a zone that is not known.
    pub fn next_local(&self) -> Vec<String> {
        let Ok(zone) = parse_zone(&self.time_zone) else { return Vec::new() };
        self.next.iter().map(|tick| tick.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string()).collect()
    }
}

/// What became of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TickOutcome {
    /// It made a job.
    Fired,
    /// It made none, because of the overlap policy.
    Skipped,
    /// It, and all after it up to another, were left out by the catch-up policy.
    Missed,
}

/// A tick that is over, or a run of missed ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TickView {
    /// When it was due; of missed ticks, the oldest.
    pub tick_at: DateTime<Utc>,
    /// What became of it.
    pub outcome: TickOutcome,
    /// The newest of missed ticks.
    pub through_at: Option<DateTime<Utc>>,
    /// The job that it made.
    pub job_id: Option<Uuid>,
    /// When that was decided.
    pub fired_at: DateTime<Utc>,
}

/// All schedules, by name.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection) -> sqlx::Result<Vec<ScheduleView>> {
    Ok(read(conn, None).await?.into_iter().map(view).collect())
}

/// The schedule of this name.
///
/// # Errors
/// [`ScheduleError::NotFound`] and [`ScheduleError::Database`].
pub async fn get(conn: &mut PgConnection, name: &str) -> Result<ScheduleView, ScheduleError> {
    let row = read(conn, Some(&[name.to_owned()])).await?.pop();
    row.map(view).ok_or_else(|| ScheduleError::NotFound(name.to_owned()))
}

/// Up to `limit` schedules by name, those after this one.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, after: Option<&str>, limit: u16) -> sqlx::Result<Vec<ScheduleView>> {
    let names = sqlx::query_scalar!(
        "select name from queue.schedule where name > $1 order by name limit $2",
        after.unwrap_or_default(),
        i64::from(limit),
    );
    let names = names.fetch_all(&mut *conn).await?;
    Ok(read(conn, Some(&names)).await?.into_iter().map(view).collect())
}

/// The schedule of this name, which nobody changes, pauses or fires until the caller's transaction ends.
///
/// # Errors
/// As [`get`].
pub async fn get_locked(conn: &mut PgConnection, name: &str) -> Result<ScheduleView, ScheduleError> {
    lock(conn, name).await.map(view)
}

/// The newest ticks of a schedule, also of one that was removed; the newest first. They are kept as long as the history.
///
/// # Errors
/// When the database fails.
pub async fn ticks(conn: &mut PgConnection, shard: i16, name: &str, max: u16) -> sqlx::Result<Vec<TickView>> {
    let ticks = sqlx::query!(
        r#"
        select tick_at, outcome, through_at, job_id, fired_at
          from queue.schedule_tick
         where shard = $1 and name = $2
         order by tick_at desc
         limit $3
        "#,
        shard,
        name,
        i64::from(max),
    );
    let ticks = ticks.fetch_all(conn).await?;
    let outcome = |word: &str| match word {
        "fired" => TickOutcome::Fired,
        "skipped" => TickOutcome::Skipped,
        _ => TickOutcome::Missed,
    };
    Ok(ticks
        .into_iter()
        .map(|row| TickView {
            tick_at: row.tick_at,
            outcome: outcome(&row.outcome),
            through_at: row.through_at,
            job_id: row.job_id,
            fired_at: row.fired_at,
        })
        .collect())
}

fn view(row: Row) -> ScheduleView {
    let schedule = row.schedule().ok();
    // While it is paused its next tick stands still, so those that it would have are counted from now.
    let first = match (row.is_paused, &schedule) {
        (true, Some(schedule)) => schedule.next_after(row.now),
        _ => row.next_at,
    };
    let next = |tick: &DateTime<Utc>| schedule.as_ref().and_then(|schedule| schedule.next_after(*tick));
    let (declared, configured) = of_row(&row);
    let source = match (row.is_declared && !row.is_overridden, &configured) {
        (false, _) => "operator",
        (true, Some(_)) => "environment",
        (true, None) => "code",
    };
    ScheduleView {
        source,
        declared,
        configured,
        next: std::iter::successors(first.filter(|_| schedule.is_some()), next).take(NEXT_MAX).collect(),
        catch_up: row.catch_up().as_str(),
        overlap: row.overlap().as_str(),
        name: row.name,
        kind: row.kind,
        queue: row.queue,
        priority: row.priority,
        max_attempts: row.max_attempts,
        payload: serde_json::from_str(&row.payload).unwrap_or_default(),
        spec: row.spec,
        time_zone: row.time_zone,
        catch_up_max: row.catch_up_max,
        is_paused: row.is_paused,
        is_declared: row.is_declared,
        is_overridden: row.is_overridden,
        last_tick_at: row.last_tick_at,
        last_job_id: row.last_job_id,
        error: row.error,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}
