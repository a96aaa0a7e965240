//! How fast one worker process gets rid of jobs that wait.

use std::time::Duration;

use anyhow::{Result, ensure};
use sqlx::PgPool;
use uuid::Uuid;

use super::fill::{Filled, ready};
use super::job::{Probe, Worker};
use super::{DRAINED, Plan};
use crate::report::Report;
use crate::server::{Database, Server};

/// The last jobs to be settled are among so many; only they are looked for, so that looking costs the same everywhere.
const TAIL: usize = 10_000;

/// Adds `queue.drain`.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let mut rates = Vec::new();
    for _ in 0..plan.repetitions() {
        let database = server.fresh_of_ours().await?;
        rates.push(filled_drain(&database, DRAINED, DRAINED).await?);
    }
    report.add_median("queue.drain", rates, "jobs/s");
    Ok(())
}

/// Enqueues a backlog, puts the server at rest, and drains the first `jobs` of it; answers jobs a second.
///
/// # Errors
/// As [`drain`].
pub(super) async fn filled_drain(database: &Database, backlog: usize, jobs: usize) -> Result<f64> {
    let filled = ready(&database.pool(1).await?, backlog).await?;
    database.settle().await?;
    drain(database, &filled, jobs).await
}

/// Jobs a second of one worker process, from its start until the first `jobs` of these are settled.
///
/// # Errors
/// When a job is lost or does not succeed.
pub(super) async fn drain(database: &Database, filled: &Filled, jobs: usize) -> Result<f64> {
    let pool = database.pool(1).await?;
    let worker = Worker::start(database, Probe::after(jobs)).await?;
    worker.reached().await?;
    let tail = filled.range(jobs.saturating_sub(TAIL), jobs);
    while any_left(&pool, tail).await? {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let rate = jobs as f64 / worker.started.elapsed().as_secs_f64();
    worker.stop().await?;
    let succeeded = succeeded(&pool, filled.range(0, jobs)).await?;
    ensure!(succeeded >= jobs as i64, "{succeeded} of {jobs} jobs succeeded");
    Ok(rate)
}

async fn any_left(pool: &PgPool, (from, to): (Uuid, Uuid)) -> Result<bool> {
    let left = "select exists (select from queue.job where shard = 0 and id >= $1 and id <= $2)";
    Ok(sqlx::query_scalar(left).bind(from).bind(to).fetch_one(pool).await?)
}

async fn succeeded(pool: &PgPool, (from, to): (Uuid, Uuid)) -> Result<i64> {
    let succeeded = "select count(*) from queue.job_history where shard = 0 and id >= $1 and id <= $2 and state = 4";
    Ok(sqlx::query_scalar(succeeded).bind(from).bind(to).fetch_one(pool).await?)
}
