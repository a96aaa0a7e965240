//! How much a job writes to the log in its whole life.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use cli::postgres::discover;

use super::drain::drain;
use super::{DRAINED, Plan, fill};
use crate::report::Report;
use crate::server::Server;
use crate::wal;

/// Adds `queue.wal_bytes`: from the checkpoint to the last one settled, so that each page is also written whole once.
pub(super) async fn measure(plan: &Plan, server: &Server, report: &mut Report) -> Result<()> {
    let database = server.fresh_of_ours().await?;
    let pool = database.pool(1).await?;
    database.settle().await?;
    let from = wal::place(&pool).await?;
    let filled = fill::ready(&pool, DRAINED).await?;
    drain(&database, &filled, DRAINED).await?;
    let bytes = wal::bytes_since(&pool, &from).await?;
    report.add("queue.wal_bytes", bytes / DRAINED as f64, "bytes/job");
    if plan.wal_split {
        let to = wal::place(&pool).await?;
        // What is not written to the file yet cannot be read there.
        sqlx::query("select pg_switch_wal()").execute(&pool).await?;
        split(server, &from, &to)?;
    }
    Ok(())
}

/// Prints what kinds of records it consists of.
fn split(server: &Server, from: &str, to: &str) -> Result<()> {
    let program = discover::newest()?.bin.join("pg_waldump");
    if !program.exists() {
        eprintln!("--wal-split: there is no {}", program.display());
        return Ok(());
    }
    let mut command = Command::new(program);
    command.arg("--stats=record").arg("--path").arg(server.wal_folder()).args(["--start", from, "--end", to]);
    ensure!(command.status().context("starting pg_waldump")?.success(), "pg_waldump failed");
    Ok(())
}
