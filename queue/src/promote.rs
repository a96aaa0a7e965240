//! Makes scheduled jobs ready when they come due.

use std::time::Duration;

use sqlx::PgConnection;

/// How many jobs are made ready by one statement.
pub(crate) const BATCH_MAX: u64 = 2_000;

/// What one round did.
#[derive(Debug, Default)]
pub(crate) struct Promoted {
    pub(crate) jobs: u64,
    /// The queues that have new ready jobs.
    pub(crate) queues: Vec<String>,
    /// When the next job comes due, if any is scheduled.
    pub(crate) next: Option<Duration>,
}

/// Makes due jobs ready, the longest due first. Needs [`PLANNER`](crate::settle::PLANNER) in force.
pub(crate) async fn promote(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Promoted> {
    let promoted = sqlx::query_file!("src/promote.sql", shard, BATCH_MAX as i64,);
    let promoted = promoted.fetch_one(conn).await?;
    let next = promoted.next_s.map(|next_s| Duration::from_secs_f64(next_s.max(0.0)));
    Ok(Promoted { jobs: promoted.jobs as u64, queues: promoted.queues, next })
}
