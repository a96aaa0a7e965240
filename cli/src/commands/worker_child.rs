//! `bitnexus worker-child`: one worker process, started by `bitnexus worker` and not by people.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use jobs::State;
use jobs::webhooks::dispatch;
use ledger::Book;
use queue::Notifier;
use queue::backend::ConsumerConfig;
use workers::child::{self, ChildConfig};
use workers::supervisor::signals;

use crate::config::{DatabaseArgs, ShutdownArgs};
use crate::webhooks::ClientArgs;
use crate::{keys, telemetry};

/// Connections beside those of the running jobs: claiming, settling, the heartbeat, wake-ups.
const CONNECTIONS_BESIDE_JOBS: u32 = 6;

/// The share of the time for stopping that running jobs have; the rest is for writing what became of them.
const JOBS_SHARE: f64 = 0.8;

/// Run jobs in this one process.
#[derive(Debug, Args)]
pub struct WorkerChildArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Which slot of its supervisor this process fills.
    #[arg(long, value_name = "N")]
    slot: u16,
    /// How many jobs of each queue run at once.
    #[arg(long, value_name = "N", env = "WORKER_CONCURRENCY", default_value_t = 8)]
    concurrency: u16,
    /// File with the keys that sign the ledger's checkpoints.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: PathBuf,
    #[command(flatten)]
    webhooks: ClientArgs,
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
    let jobs_max = u32::from(args.concurrency) * jobs::QUEUES.len() as u32;
    let pool = args.database.pool("worker", jobs_max + CONNECTIONS_BESIDE_JOBS)?;
    keys::read(&args.signing_key_file)?;
    // Read anew for each checkpoint, so that a rotation needs no restart.
    let signing_keys = Box::new(move || Ok(keys::read(&args.signing_key_file)?));
    let concurrency = usize::from(args.concurrency);
    let registry = jobs::registry(State::new(signing_keys).with_webhooks(args.webhooks.client()?));
    // It ends with the process: what it has begun is one transaction.
    tokio::spawn(dispatch::follow(pool.clone(), Notifier::spawn(pool.clone()), Book::MAIN.shard));
    let consumer = ConsumerConfig { concurrency, ..ConsumerConfig::new(pool, registry) };
    let time = args.shutdown.timeout();
    let config = ChildConfig {
        deadline: time.mul_f64(JOBS_SHARE),
        patience: time.mul_f64(1.0 - JOBS_SHARE),
        ..ChildConfig::new(consumer)
    };
    tracing::info!(slot = args.slot, "running jobs");
    child::run(config, shutdown.cancelled_owned()).await?;
    Ok(ExitCode::SUCCESS)
}
