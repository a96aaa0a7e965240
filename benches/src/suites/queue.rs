//! Jobs: enqueued one by one and in bulk, and drained by one worker process.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use queue::backend::ConsumerConfig;
use queue::{Job, JobContext, JobError, NewJob, Registry, enqueue};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::oneshot;
use workers::child::{self, ChildConfig};

use crate::report::Report;
use crate::server::Server;

/// Jobs in a statement where they are enqueued in bulk.
const BULK: usize = 1_000;

/// Jobs that wait for the worker when its clock starts.
const DRAINED: usize = 100_000;

/// Runs at once in the worker that drains.
const DRAIN_CONCURRENCY: usize = 64;

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

/// Adds `queue.enqueue_one`, `queue.enqueue_one_8`, `queue.enqueue_bulk` and `queue.drain`.
pub(crate) async fn run(quick: bool, report: &mut Report) -> Result<()> {
    let span = Duration::from_secs(if quick { 1 } else { 5 });
    let server = Server::start().await?;
    let pool = server.pool(8).await?;
    server.settle().await?;
    report.add("queue.enqueue_one", one_by_one(&pool, 1, span).await?, "jobs/s");
    report.add("queue.enqueue_one_8", one_by_one(&pool, 8, span).await?, "jobs/s");
    sqlx::query("truncate queue.job").execute(&pool).await?;
    server.settle().await?;
    report.add("queue.enqueue_bulk", in_bulk(&pool, DRAINED).await?, "jobs/s");
    server.settle().await?;
    report.add("queue.drain", drain(&server, &pool).await?, "jobs/s");
    Ok(())
}

/// Jobs a second of one worker process that finds [`DRAINED`] of them waiting, from its start to the last one settled.
async fn drain(server: &Server, pool: &PgPool) -> Result<f64> {
    let registry = Registry::new().job::<Nothing>();
    let mut consumer = ConsumerConfig::new(server.pool(8).await?, registry);
    consumer.concurrency = DRAIN_CONCURRENCY;
    let (stop, stopped) = oneshot::channel::<()>();
    let started = Instant::now();
    let worker = tokio::spawn(child::run(ChildConfig::new(consumer), async move {
        // The sender is dropped where the drain failed: that ends the worker as well.
        let _ = stopped.await;
    }));
    while sqlx::query_scalar("select exists (select from queue.job)").fetch_one(pool).await? {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rate = DRAINED as f64 / started.elapsed().as_secs_f64();
    drop(stop);
    worker.await??;
    let kept: i64 =
        sqlx::query_scalar("select count(*) from queue.job_history where state = 4").fetch_one(pool).await?;
    ensure!(kept == DRAINED as i64, "{kept} of {DRAINED} jobs succeeded");
    Ok(rate)
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
