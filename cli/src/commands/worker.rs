//! `bitnexus worker`: the role that runs jobs, a supervisor over worker processes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use ledger::Book;
use queue::lease;
use sqlx::PgPool;
use workers::metrics::page;
use workers::supervisor::policy::Policy;
use workers::supervisor::pool::{Config, Ended};
use workers::supervisor::{EXIT_GIVEN_UP, pool, signals};

use crate::config::{DatabaseArgs, ShutdownArgs};
use crate::telemetry::TelemetryArgs;
use crate::webhooks::ClientArgs;
use crate::{keys, telemetry};

/// Where the workers' metrics are unless told otherwise.
pub const METRICS_LISTEN: &str = "127.0.0.1:9464";

/// Run jobs: start worker processes, restart what dies, and serve one metrics page for all of them.
///
/// SIGTERM drains: running jobs end or go back to the queue, and what still runs after the shutdown timeout is killed.
/// When processes die again and again the role ends with status 70.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// How many worker processes.
    #[arg(long, value_name = "N", env = "WORKER_PROCESSES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    processes: u16,
    /// How many jobs of each queue every process runs at once.
    #[arg(long, value_name = "N", env = "WORKER_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Address that the metrics page of all processes is served on.
    #[arg(long, value_name = "ADDRESS:PORT", env = "METRICS_LISTEN", default_value = METRICS_LISTEN)]
    metrics_listen: SocketAddr,
    /// File with the key that signs the ledger's checkpoints; `bitnexus ledger key new` makes one.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: Option<PathBuf>,
    #[command(flatten)]
    webhooks: ClientArgs,
    #[command(flatten)]
    shutdown: ShutdownArgs,
}

/// Runs the pool until it is asked to stop, or gives up.
///
/// # Errors
/// When the metrics' address cannot be bound, or the database's address is wrong.
pub async fn run(args: WorkerArgs, telemetry: &TelemetryArgs) -> Result<ExitCode> {
    let metrics = telemetry::start_metrics()?;
    let render = metrics.clone();
    let shutdown = signals::shutdown(move || render.render())?;
    let key_file = keys::file(args.signing_key_file.as_deref(), &args.database.dir)?;
    keys::read(&key_file)?;
    // What is wrong with its flags is said before a worker process starts.
    args.webhooks.client()?;
    let leases = args.database.pool("worker supervisor", 1)?;
    let acceptor = page::bind(args.metrics_listen).await;
    let acceptor =
        acceptor.with_context(|| format!("--metrics-listen (METRICS_LISTEN): listening on {}", args.metrics_listen))?;
    let grace = args.shutdown.timeout();
    let config = Config {
        processes: args.processes,
        command: child_command(&args, telemetry, key_file)?,
        grace,
        policy: Policy::default(),
        metrics: Arc::new(move || metrics.render()),
        on_crash: Box::new(move |exit| Box::pin(release_jobs(leases.clone(), exit.pid))),
    };
    match pool::run(config, acceptor, shutdown).await? {
        Ended::Stopped => Ok(ExitCode::SUCCESS),
        Ended::GivenUp => Ok(ExitCode::from(EXIT_GIVEN_UP)),
    }
}

/// Gives back the jobs of a process that died, at once. Where that fails they come back by their lease, seconds later.
async fn release_jobs(pool: PgPool, pid: u32) {
    let release = async {
        let mut connection = pool.acquire().await?;
        for process in lease::of_pid(&mut connection, Book::MAIN.shard, pid).await? {
            lease::release(&mut connection, Book::MAIN.shard, process).await?;
        }
        Ok::<_, sqlx::Error>(())
    };
    if let Err(error) = release.await {
        tracing::warn!(pid, %error, "the jobs of a dead process were not given back yet");
    }
}

/// The command of one worker process: this program again, which gets four fifths of the time to drain.
fn child_command(
    args: &WorkerArgs,
    telemetry: &TelemetryArgs,
    key_file: PathBuf,
) -> Result<Arc<dyn Fn(u16) -> Command + Send + Sync>> {
    let program = std::env::current_exe().context("finding this program")?;
    let (url, concurrency, telemetry) = (args.database.url()?, args.concurrency.to_string(), telemetry.clone());
    let webhooks = args.webhooks.clone();
    let drain = args.shutdown.timeout().mul_f64(0.8).as_secs_f64().to_string();
    Ok(Arc::new(move |slot| {
        let mut command = Command::new(&program);
        command.args(["worker-child", "--slot"]).arg(slot.to_string());
        command.env("DATABASE_URL", &url).env("WORKER_CONCURRENCY", &concurrency).env("SHUTDOWN_TIMEOUT", &drain);
        command.env("LEDGER_SIGNING_KEY_FILE", &key_file);
        webhooks.pass_on(&mut command);
        telemetry.pass_on(&mut command);
        command
    }))
}
