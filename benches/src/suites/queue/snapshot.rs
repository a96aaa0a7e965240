//! The drain while somebody holds an old snapshot, so that no dead row can be removed.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::{Instant, MissedTickBehavior};

use super::fill::{BULK, ready};
use super::job::{Probe, Worker};
use super::{Plan, variants};
use crate::report::Report;
use crate::server::{Database, Server};

/// Each tick enqueues [`BULK`] jobs: 2,000 jobs a second die while the snapshot is held.
const TICK: Duration = Duration::from_millis(500);

/// How long the worker may need for what is left when the churning ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// Adds `queue.drain_held_snapshot`, with its ratio to `queue.drain` and how many jobs had died by then.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let span = Duration::from_secs(if plan.quick { 20 } else { 600 });
    let database = server.fresh_of_ours().await?;
    let holder = database.pool(1).await?;
    let mut held = holder.begin_with("begin isolation level repeatable read").await?;
    // The first statement takes the snapshot, which lives as long as the transaction.
    sqlx::query("select count(*) from queue.job").execute(&mut *held).await?;
    let churned = churn(&database, span).await?;
    report.add("queue.drain_held_snapshot.churned", churned as f64, "jobs");
    variants::add(report, "queue.drain_held_snapshot", variants::repeat(plan, &database).await?);
    held.rollback().await?;
    Ok(())
}

/// Lets jobs come and go; answers how many.
async fn churn(database: &Database, span: Duration) -> Result<usize> {
    let pool = database.pool(1).await?;
    let worker = Worker::start(database, Probe::default()).await?;
    let end = Instant::now() + span;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut churned = 0;
    while Instant::now() < end {
        ticks.tick().await;
        churned += ready(&pool, BULK).await?.jobs;
    }
    while database.number("select count(*) from queue.job").await? > 0 {
        ensure!(end.elapsed() < PATIENCE, "the worker did not keep up with 2,000 jobs a second");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    worker.stop().await?;
    Ok(churned)
}
