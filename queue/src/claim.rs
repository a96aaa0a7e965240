//! Takes ready jobs for this process: several queues in one round trip.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::settle::Holding;

/// A job that this process has claimed.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) holding: Holding,
    pub(crate) queue: String,
    pub(crate) kind: String,
    /// From 1.
    pub(crate) attempt: i16,
    pub(crate) max_attempts: i16,
    /// How many processes died with it in hand.
    pub(crate) crashes: i16,
    /// From its being due to the claim, in seconds.
    pub(crate) waited_s: f64,
    /// By the database's clock.
    pub(crate) claimed_at: DateTime<Utc>,
    pub(crate) actor: Option<String>,
    pub(crate) trace: Option<String>,
    /// The version of the payload.
    pub(crate) version: i16,
    pub(crate) payload: String,
}

/// Claims up to the wanted number of ready jobs of each queue, if the process's lease is alive. They come back in the
/// order of their priority, then of their coming due. Needs [`PLANNER`](crate::settle::PLANNER) in force.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    wanted: &HashMap<&str, usize>,
) -> sqlx::Result<Vec<Claimed>> {
    let (queues, limits): (Vec<&str>, Vec<i32>) = wanted.iter().map(|(queue, limit)| (*queue, *limit as i32)).unzip();
    let claimed = sqlx::query_file!("src/claim.sql", shard, process, &queues as &[&str], &limits,);
    let mut claimed = claimed.fetch_all(conn).await?;
    claimed.sort_unstable_by(|one, other| {
        (one.priority, one.run_at, one.id).cmp(&(other.priority, other.run_at, other.id))
    });
    let holding = |id, epoch| Holding { id, epoch, owner: process };
    let claimed = claimed.into_iter().map(|row| Claimed {
        holding: holding(row.id, row.epoch),
        queue: row.queue,
        kind: row.kind,
        attempt: row.attempt,
        max_attempts: row.max_attempts,
        crashes: row.crashes,
        waited_s: (row.claimed_at - row.run_at).as_seconds_f64(),
        claimed_at: row.claimed_at,
        actor: row.actor,
        trace: row.trace,
        version: row.version,
        payload: row.payload,
    });
    Ok(claimed.collect())
}

/// Marks jobs that were in hand at an earlier crash as begun: if this process dies as well, that counts against them,
/// and not against what merely lay beside them. Returns false when one of them is not ours any more.
pub(crate) async fn put_on_trial(conn: &mut PgConnection, shard: i16, holdings: &[Holding]) -> sqlx::Result<bool> {
    for holding in holdings {
        let marked = sqlx::query!(
            "update queue.job set on_trial = true where shard = $1 and id = $2 and epoch = $3 and owner = $4",
            shard,
            holding.id,
            holding.epoch,
            holding.owner,
        );
        // Planned each time: a plan from when the table was empty would read all of it.
        if marked.persistent(false).execute(&mut *conn).await?.rows_affected() == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}
