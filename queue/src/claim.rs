//! Takes ready jobs for this process: several queues in one round trip.

pub(crate) mod cursor;
pub(crate) mod limited;
pub(crate) mod lone;
pub(crate) mod start;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::settle::Holding;
use cursor::Range;

/// A job that this process has claimed.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) holding: Holding,
    /// Where its row is: see [`Settlement::ctid`](crate::settle::Settlement::ctid).
    pub(crate) ctid: String,
    pub(crate) queue: String,
    pub(crate) kind: String,
    pub(crate) priority: i16,
    pub(crate) run_at: DateTime<Utc>,
    /// From 1.
    pub(crate) attempt: i16,
    pub(crate) max_attempts: i16,
    /// How many processes died with it in hand.
    pub(crate) crashes: i16,
    /// From its being due to the claim, in seconds.
    pub(crate) waited_s: f64,
    pub(crate) actor: Option<String>,
    pub(crate) trace: Option<String>,
    /// Somebody asked for its end before.
    pub(crate) cancelled_by: Option<String>,
    /// It should have begun earlier.
    pub(crate) is_expired: bool,
    /// The version of the payload.
    pub(crate) version: i16,
    pub(crate) payload: String,
}

/// How many jobs to claim from one queue, and where to look for them.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) queue: &'a str,
    pub(crate) jobs: usize,
    pub(crate) ranges: Vec<Range>,
}

/// Claims up to the wanted number of ready jobs of each queue, if the process's lease is alive. They come back in the
/// order of their priority, then of their coming due. Needs [`PLANNER`](crate::settle::PLANNER) in force.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    wanted: &[Wanted<'_>],
) -> sqlx::Result<Vec<Claimed>> {
    let ranges = || wanted.iter().zip(1..).flat_map(|(one, place)| one.ranges.iter().map(move |range| (place, range)));
    let claimed = sqlx::query_file_as!(
        Row,
        "src/claim/ready.sql",
        shard,
        process,
        &wanted.iter().map(|one| one.queue).collect::<Vec<_>>() as &[&str],
        &wanted.iter().map(|one| one.jobs as i32).collect::<Vec<_>>(),
        &ranges().map(|(place, _)| place).collect::<Vec<i32>>(),
        &ranges().map(|(_, range)| range.after_priority).collect::<Vec<_>>(),
        &ranges().map(|(_, range)| range.after_time).collect::<Vec<_>>(),
        &ranges().map(|(_, range)| range.last_priority).collect::<Vec<_>>(),
        &ranges().map(|(_, range)| range.last_time).collect::<Vec<_>>(),
    );
    Ok(in_order(process, claimed.fetch_all(conn).await?))
}

/// What a claim returns of each job.
struct Row {
    id: Uuid,
    epoch: i32,
    queue: String,
    kind: String,
    attempt: i16,
    max_attempts: i16,
    crashes: i16,
    priority: i16,
    run_at: DateTime<Utc>,
    claimed_at: DateTime<Utc>,
    ctid: String,
    actor: Option<String>,
    trace: Option<String>,
    cancelled_by: Option<String>,
    is_expired: bool,
    version: i16,
    payload: String,
    limit_name: Option<String>,
    limit_key: Option<String>,
}

fn in_order(process: Uuid, mut rows: Vec<Row>) -> Vec<Claimed> {
    rows.sort_unstable_by_key(|row| (row.priority, row.run_at, row.id));
    let claimed = |row: Row| Claimed {
        holding: Holding { id: row.id, epoch: row.epoch, owner: process, claimed_at: row.claimed_at },
        ctid: row.ctid,
        queue: row.queue,
        kind: row.kind,
        priority: row.priority,
        run_at: row.run_at,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        crashes: row.crashes,
        // The clock may have been put back since it was due.
        waited_s: (row.claimed_at - row.run_at).as_seconds_f64().max(0.0),
        actor: row.actor,
        trace: row.trace,
        cancelled_by: row.cancelled_by,
        is_expired: row.is_expired,
        version: row.version,
        payload: row.payload,
    };
    rows.into_iter().map(claimed).collect()
}

/// Marks jobs that were in hand at an earlier crash as begun: if this process dies as well, that counts against them,
/// and not against what merely lay beside them. Returns false when one of them is not ours any more.
pub(crate) async fn put_on_trial(conn: &mut PgConnection, shard: i16, holdings: &[Holding]) -> sqlx::Result<bool> {
    for holding in holdings {
        let marked = sqlx::query!(
            r#"
            update queue.job
               set on_trial = true
             where shard = $1 and id = $2 and epoch = $3 and owner = $4 and claimed_at = $5
            "#,
            shard,
            holding.id,
            holding.epoch,
            holding.owner,
            holding.claimed_at,
        );
        // Planned each time: a plan from when the table was empty would read all of it.
        if marked.persistent(false).execute(&mut *conn).await?.rows_affected() == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
