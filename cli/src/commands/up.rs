//! `bitnexus up`: everything for one machine, in one command.
//!
//! It is a supervisor over PostgreSQL, the api and the worker role. They start in this order and stop in the reverse:
//! a request is answered and a job settled before its database goes.

mod banner;
mod checks;
mod setup;
mod system;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use workers::supervisor::{EXIT_GIVEN_UP, signals};

use self::system::System;
use super::{api, worker};
use crate::config::ShutdownArgs;
use crate::folder::lock::{Attempt, Locks};
use crate::folder::running::Running;
use crate::folder::{self, Folder};
use crate::postgres::private;
use crate::schedules;
use crate::telemetry::TelemetryArgs;
use crate::tls::TlsArgs;

/// Run everything on this machine: PostgreSQL, the API and the workers.
///
/// Without DATABASE_URL it starts a PostgreSQL of its own, with its data in ./.bitnexus, reached by this account only.
/// It migrates the database, makes an administrator once, restarts what dies, and stops all in order on Ctrl-C or
/// SIGTERM. What a kill left behind is repaired by the next start.
#[derive(Debug, Clone, Args)]
pub struct UpArgs {
    /// Address of a PostgreSQL database, 14 or newer, to use instead of one of its own.
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Folder to keep the data and keys in.
    #[arg(long, value_name = "FOLDER", env = folder::VARIABLE, default_value = folder::DEFAULT)]
    dir: PathBuf,
    /// Download PostgreSQL if this machine has none. BITNEXUS_PG_FETCH=1 does the same.
    #[arg(long)]
    fetch: bool,
    /// Address that the API listens on.
    #[arg(long, value_name = "ADDRESS:PORT", env = "API_LISTEN", default_value = api::LISTEN)]
    api_listen: SocketAddr,
    /// Address that the metrics page of the workers is served on.
    #[arg(long, value_name = "ADDRESS:PORT", env = "METRICS_LISTEN", default_value = worker::METRICS_LISTEN)]
    metrics_listen: SocketAddr,
    /// How many worker processes.
    #[arg(long, value_name = "N", env = "WORKER_PROCESSES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    processes: u16,
    /// How many jobs of each queue every worker process runs at once.
    #[arg(long, value_name = "N", env = "WORKER_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    shutdown: ShutdownArgs,
}

/// Runs until it is asked to stop, or something dies again and again.
///
/// # Errors
/// When it cannot start: each reason is told in a line, with the way out.
pub async fn run(args: UpArgs, telemetry: &TelemetryArgs) -> Result<ExitCode> {
    let shutdown = signals::shutdown(String::new)?;
    let folder = Folder::make(&args.dir)?;
    let _locks = take_locks(&folder).await?;
    checks::ports_are_free(&args)?;
    // The api reads them by itself; what is wrong with them is told before anything is started.
    args.tls.load()?;
    schedules::check(&[])?;
    let running = Running {
        pid: std::process::id(),
        api: args.api_listen,
        has_tls: args.tls.files().is_some(),
        metrics: args.metrics_listen,
        database_url: None,
    };
    running.tell(&folder)?;
    let mut system = System::new(&args, telemetry, folder.clone())?;
    let outcome = tokio::select! {
        started = system.run(running) => started,
        () = shutdown.cancelled() => Ok(()),
    };
    system.stop().await;
    Running::forget(&folder);
    match outcome {
        Ok(()) if system.has_given_up() => Ok(ExitCode::from(EXIT_GIVEN_UP)),
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error),
    }
}

/// The folder's locks; an error when another `up` holds them, with what it has told.
async fn take_locks(folder: &Folder) -> Result<Locks> {
    match Locks::take(folder, || private::end_leftover(folder)).await? {
        Attempt::Held(locks) => Ok(locks),
        Attempt::Taken => match Running::find(folder) {
            Some(Running { pid, api, has_tls, metrics, .. }) => bail!(
                "`bitnexus up` already runs here as process {pid}: API on {}://{api}, metrics on http://{metrics}/metrics; \
                 stop it with `kill {pid}`, or use another folder with --dir and other ports",
                if has_tls { "https" } else { "http" },
            ),
            None => bail!("another `bitnexus up` is just starting or stopping in {}", folder.path().display()),
        },
    }
}
