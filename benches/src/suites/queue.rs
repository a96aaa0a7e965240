//! Jobs: enqueued one by one and in bulk, and drained by one worker process.

use std::time::{Duration, Instant};

use anyhow::Result;
use queue::{Job, JobContext, JobError, NewJob, enqueue};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::report::Report;
use crate::server::Server;

/// Jobs in a statement where they are enqueued in bulk.
const BULK: usize = 1_000;

/// A job that does nothing, about as large as those of the comparison.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Nothing {
    number: usize,
    filler: String,
}

impl Nothing {
    fn new(number: usize) -> Nothing {
        Nothing { number, filler: "x".repeat(80) }
    }
}

impl Job for Nothing {
    const KIND: &'static str = "bench.nothing";
    const QUEUE: &'static str = "bench";

    async fn run(self, _ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        Ok(())
    }
}

/// Adds `queue.enqueue_one`, `queue.enqueue_one_8` and `queue.enqueue_bulk`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let span = Duration::from_secs(if quick { 1 } else { 5 });
    let server = Server::start().await?;
    let pool = server.pool(8).await?;
    server.settle().await?;
    report.add("queue.enqueue_one", one_by_one(&pool, 1, span).await?, "jobs/s");
    report.add("queue.enqueue_one_8", one_by_one(&pool, 8, span).await?, "jobs/s");
    sqlx::query("truncate queue.job").execute(&pool).await?;
    server.settle().await?;
    report.add("queue.enqueue_bulk", in_bulk(&pool, 100_000).await?, "jobs/s");
    Ok(())
}

/// Jobs a second from so many clients, each with one job in each commit.
async fn one_by_one(pool: &PgPool, clients: usize, span: Duration) -> Result<f64> {
    let started = Instant::now();
    let client = |_| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut conn = pool.acquire().await?;
            let mut done = 0;
            while started.elapsed() < span {
                enqueue(&mut conn, &[NewJob::of(&Nothing::new(done))?]).await?;
                done += 1;
            }
            anyhow::Ok(done)
        })
    };
    let mut done = 0;
    for client in (0..clients).map(client).collect::<Vec<_>>() {
        done += client.await??;
    }
    Ok(done as f64 / started.elapsed().as_secs_f64())
}

/// Jobs a second from one client, [`BULK`] in each commit.
async fn in_bulk(pool: &PgPool, count: usize) -> Result<f64> {
    let mut conn = pool.acquire().await?;
    let started = Instant::now();
    for start in (0..count).step_by(BULK) {
        let jobs: Result<Vec<_>, _> = (start..start + BULK).map(|number| NewJob::of(&Nothing::new(number))).collect();
        enqueue(&mut conn, &jobs?).await?;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}
