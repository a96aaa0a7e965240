//! The same drain with what usually slows a queue down lying beside it.

use anyhow::Result;

use super::drain::{drain, filled_drain};
use super::{DRAINED, Plan, fill};
use crate::report::Report;
use crate::server::{Database, Server};

/// Jobs that lie beside the drained ones.
const BESIDE: usize = 1_000_000;
/// Finished ones.
const FINISHED: usize = 10_000_000;
/// With `--quick`.
const FEW: usize = 200_000;

/// Adds `queue.drain_backlog_1m`, `queue.drain_limited`, `queue.drain_scheduled`, `queue.drain_other_queues` and `queue.drain_history`, each
/// with its ratio to `queue.drain`.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let beside = if plan.quick { FEW } else { BESIDE };
    let mut rates = Vec::new();
    for _ in 0..plan.repetitions() {
        rates.push(filled_drain(&server.fresh_of_ours().await?, beside, DRAINED).await?);
    }
    add(report, "queue.drain_backlog_1m", rates);

    let mut rates = Vec::new();
    for _ in 0..plan.repetitions() {
        let database = server.fresh_of_ours().await?;
        let filled = fill::limited(&database.pool(1).await?, DRAINED).await?;
        database.settle().await?;
        rates.push(drain(&database, &filled, DRAINED).await?);
    }
    add(report, "queue.drain_limited", rates);

    let database = server.fresh_of_ours().await?;
    fill::scheduled(&database.pool(1).await?, beside).await?;
    add(report, "queue.drain_scheduled", repeat(plan, &database).await?);

    let database = server.fresh_of_ours().await?;
    fill::other_queues(&database.pool(1).await?, beside).await?;
    add(report, "queue.drain_other_queues", repeat(plan, &database).await?);

    let database = server.fresh_of_ours().await?;
    fill::history(&database.pool(1).await?, if plan.quick { FEW } else { FINISHED }).await?;
    add(report, "queue.drain_history", repeat(plan, &database).await?);
    Ok(())
}

/// Drains on a database that stays as it is.
///
/// # Errors
/// When the database fails or a job is lost.
pub(super) async fn repeat(plan: &Plan, database: &Database) -> Result<Vec<f64>> {
    let mut rates = Vec::new();
    for _ in 0..plan.repetitions() {
        rates.push(filled_drain(database, DRAINED, DRAINED).await?);
    }
    Ok(rates)
}

/// Adds a variant and its ratio to the plain drain of this run.
pub(super) fn add(report: &mut Report, name: &str, rates: Vec<f64>) {
    report.add_median(name, rates, "jobs/s");
    report.add_ratio(&format!("{name}.ratio_to_drain"), name, "queue.drain");
}
