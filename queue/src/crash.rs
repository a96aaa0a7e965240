//! Crash reports: how a worker process ended that nobody had asked to, and which jobs it had in hand.
//!
//! A supervisor writes one after it has given the jobs back. Each new report removes the oldest, so that there are never
//! more than a thousand, and none older than thirty days: no task has to look after them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::lease;

/// How many reports are kept.
const REPORTS_MAX: i64 = 1_000;

/// How many days a report is kept.
const DAYS_MAX: i32 = 30;

/// How many of its jobs a report names.
const JOBS_MAX: usize = 100;

/// Why a process is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It ended by itself, or by a signal of somebody else's.
    Died,
    /// It gave no sign of life and was killed.
    Silent,
    /// It did not stop in time and was killed.
    Overdue,
}

impl Cause {
    /// As the table has it.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Died => "died",
            Cause::Silent => "silent",
            Cause::Overdue => "overdue",
        }
    }
}

/// What its supervisor knows of a process that has ended.
#[derive(Debug, Clone)]
pub struct Crash {
    /// Which of its supervisor's children it was.
    pub slot: String,
    /// Its process id on this host.
    pub pid: u32,
    /// Why it is reported.
    pub cause: Cause,
    /// Its exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How long it ran, in milliseconds.
    pub uptime_ms: i64,
    /// The most memory that it was seen to have, in bytes.
    pub rss_bytes_max: Option<i64>,
    /// The last lines of its standard error.
    pub last_lines: Vec<String>,
}

/// The jobs that a process had in hand when it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    /// Its lease, if it had one.
    pub process: Option<Uuid>,
    /// The first hundred, with their kinds.
    pub jobs: Vec<(Uuid, String)>,
    /// How many there were in all.
    pub jobs_in_all: i64,
}

/// Gives back the jobs of a process of this host that has ended, and says which they were.
///
/// # Errors
/// When the database fails; then the lease runs out by itself.
pub async fn give_back(conn: &mut PgConnection, shard: i16, pid: u32) -> sqlx::Result<Held> {
    let mut held = Held::default();
    for process in lease::of_pid(conn, shard, pid).await? {
        let jobs = in_hand(conn, shard, process).await?;
        lease::release(conn, shard, process).await?;
        held.process = Some(process);
        held.jobs_in_all += jobs.len() as i64;
        held.jobs.extend(jobs.into_iter().take(JOBS_MAX.saturating_sub(held.jobs.len())));
    }
    Ok(held)
}

/// What the process has claimed. No index knows owners, since every claim would write it.
async fn in_hand(conn: &mut PgConnection, shard: i16, process: Uuid) -> sqlx::Result<Vec<(Uuid, String)>> {
    let jobs =
        sqlx::query!("select id, kind from queue.job where shard = $1 and owner = $2 order by id", shard, process);
    let jobs = jobs.fetch_all(conn).await?;
    Ok(jobs.into_iter().map(|job| (job.id, job.kind)).collect())
}

/// Keeps a report and removes what is too old.
///
/// # Errors
/// When the database fails; nothing is kept then.
pub async fn report(conn: &mut PgConnection, shard: i16, crash: &Crash, held: &Held) -> sqlx::Result<Uuid> {
    let id = Uuid::now_v7();
    let (jobs, kinds): (Vec<Uuid>, Vec<String>) = held.jobs.iter().cloned().unzip();
    let mut tx = conn.begin().await?;
    sqlx::query!(
        r#"
        insert into queue.crash (
            shard, id, host, slot, pid, process, cause, exit_code, signal, uptime_ms, rss_bytes_max, jobs, kinds,
            jobs_in_all, last_lines
        )
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        "#,
        shard,
        id,
        lease::host(),
        crash.slot,
        crash.pid.cast_signed(),
        held.process,
        crash.cause.name(),
        crash.exit_code,
        crash.signal,
        crash.uptime_ms,
        crash.rss_bytes_max,
        &jobs,
        &kinds,
        held.jobs_in_all,
        &crash.last_lines,
    )
    .execute(&mut *tx)
    .await?;
    forget_old(&mut tx, shard).await?;
    tx.commit().await?;
    Ok(id)
}

async fn forget_old(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        delete from queue.crash
         where shard = $1
           and (
               at < clock_timestamp() - make_interval(days => $3)
               -- Ids are in the order of time.
               or id <= (select id from queue.crash where shard = $1 order by id desc offset $2 limit 1)
           )
        "#,
        shard,
        REPORTS_MAX,
        DAYS_MAX,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A report as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CrashView {
    /// Its id.
    pub id: Uuid,
    /// When it was reported.
    pub at: DateTime<Utc>,
    /// The machine.
    pub host: String,
    /// Which of its supervisor's children the process was.
    pub slot: String,
    /// Its process id there.
    pub pid: i32,
    /// Its lease.
    pub process: Option<Uuid>,
    /// `died`, `silent` or `overdue`.
    pub cause: String,
    /// Its exit code, unless a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How long it ran, in milliseconds.
    pub uptime_ms: i64,
    /// The most memory that it was seen to have, in bytes.
    pub rss_bytes_max: Option<i64>,
    /// The jobs that it had in hand, a hundred at most.
    pub jobs: Vec<Uuid>,
    /// The kind of each of them.
    pub kinds: Vec<String>,
    /// How many jobs it had in hand.
    pub jobs_in_all: i64,
    /// The last lines of its standard error.
    pub last_lines: Vec<String>,
}

/// The newest reports, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn list(conn: &mut PgConnection, shard: i16, limit: i64) -> sqlx::Result<Vec<CrashView>> {
    sqlx::query_as!(
        CrashView,
        r#"
        select id, at, host, slot, pid, process, cause, exit_code, signal, uptime_ms, rss_bytes_max, jobs, kinds,
               jobs_in_all, last_lines
          from queue.crash
         where shard = $1
         order by id desc
         limit $2
        "#,
        shard,
        limit,
    )
    .fetch_all(conn)
    .await
}
