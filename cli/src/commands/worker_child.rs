//! `bitnexus worker-child`: one worker process, started by `bitnexus worker` and not by people.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use workers::supervisor::signals;

use crate::config::{DatabaseArgs, ShutdownArgs};
use crate::{glue, telemetry};

/// Connections beside those of the running jobs: claiming, settling, the heartbeat, wake-ups.
const CONNECTIONS_BESIDE_JOBS: u32 = 4;

/// Run jobs in this one process.
#[derive(Debug, Args)]
pub struct WorkerChildArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Which slot of its supervisor this process fills.
    #[arg(long, value_name = "N")]
    slot: u16,
    /// How many jobs run at once.
    #[arg(long, value_name = "N", env = "WORKER_CONCURRENCY", default_value_t = 8)]
    concurrency: u16,
    /// File with the key that signs the ledger's checkpoints.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: PathBuf,
    #[command(flatten)]
    shutdown: ShutdownArgs,
}

/// Runs jobs until it is asked to stop or its supervisor is gone; then drains.
///
/// # Errors
/// When the database's address is wrong, or the process cannot register.
pub async fn run(args: WorkerChildArgs) -> Result<ExitCode> {
    let metrics = telemetry::start_metrics()?;
    let shutdown = signals::shutdown(move || metrics.render())?;
    let pool = args.database.pool("worker", u32::from(args.concurrency) + CONNECTIONS_BESIDE_JOBS)?;
    glue::run_jobs(pool, args.slot, args.concurrency, shutdown, args.shutdown.timeout()).await?;
    Ok(ExitCode::SUCCESS)
}
