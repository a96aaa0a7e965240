//! `bitnexus worker`: the role that runs jobs, a supervisor over worker processes.

mod crash;
pub(crate) mod memory;
pub(crate) mod queues;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use queue::metrics::process;
use workers::metrics::page::{self, Bound};
use workers::supervisor::policy::Policy;
use workers::supervisor::pool::{Config, Ended};
use workers::supervisor::{Care, EXIT_GIVEN_UP, pool, signals};

use self::memory::Memory;
use self::queues::Queues;
use crate::config::{self, DatabaseArgs, ShutdownArgs};
use crate::discovery::DiscoveryArgs;
use crate::mirror::MirrorArgs;
use crate::schedules::ScheduleArgs;
use crate::telemetry::TelemetryArgs;
use crate::webhooks::ClientArgs;
use crate::witnesses::WitnessesArgs;
use crate::{keys, program, telemetry};

/// Where the workers' metrics are unless told otherwise.
pub const METRICS_LISTEN: &str = "127.0.0.1:9464";

/// Run jobs: start worker processes, restart what dies, and serve one metrics page for all of them.
///
/// SIGTERM drains: running jobs end or go back to the queue, and what still runs after the shutdown timeout is killed.
/// SIGTTIN starts one process more, SIGTTOU drains one; SIGHUP puts a new process in the place of each, one after the
/// other, which also takes up a new release of this program. When processes die again and again the role ends with
/// status 70.
#[derive(Debug, Args)]
pub struct WorkerArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// How many worker processes.
    #[arg(long, value_name = "N", env = "WORKER_PROCESSES", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    processes: u16,
    /// How many jobs of each queue every process runs at once; of all queues together if these have weights.
    #[arg(long, value_name = "N", env = "WORKER_CONCURRENCY", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// The queues to serve, such as `ledger:3,accounts`. With weights (1 to 1000) they share the places: one of weight 3
    /// begins three jobs for each of one of weight 1 as long as both have some. Default: all queues, without weights.
    #[arg(long, value_name = "NAME[:WEIGHT],…", env = "WORKER_QUEUES", default_value = "", hide_default_value = true)]
    queues: Queues,
    /// How many restarts of all processes together within the window are too many.
    #[arg(long, value_name = "N", env = "WORKER_MAX_RESTARTS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    max_restarts: u32,
    /// The window in which they are counted, in seconds.
    #[arg(long, value_name = "SECONDS", env = "WORKER_RESTART_WINDOW", default_value = "60", value_parser = config::seconds)]
    restart_window: Duration,
    /// How much memory a process may have resident, such as 512MiB. One that has more is replaced: its successor is at
    /// work before it drains. Default: any amount.
    #[arg(long, value_name = "SIZE", env = "WORKER_MEMORY_LIMIT")]
    memory_limit: Option<Memory>,
    /// Seconds after which a process that gives no sign of life is killed and replaced; 0: never.
    #[arg(long, value_name = "SECONDS", env = "WORKER_HEARTBEAT_TIMEOUT", default_value = "10", value_parser = config::seconds)]
    heartbeat_timeout: Duration,
    /// Seconds that a process may take to be at work. A successor that takes longer is ended, and what it was to replace
    /// stays.
    #[arg(long, value_name = "SECONDS", env = "WORKER_READY_TIMEOUT", default_value = "60", value_parser = config::seconds)]
    ready_timeout: Duration,
    /// Address that the metrics page of all processes is served on; port 0 takes a free one, and logs it. Default: the
    /// PORT that a Procfile runner sets, else 127.0.0.1:9464.
    #[arg(long, value_name = "ADDRESS:PORT", env = "METRICS_LISTEN")]
    metrics_listen: Option<SocketAddr>,
    /// File with the key that signs the ledger's checkpoints; `bitnexus ledger key new` makes one.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: Option<PathBuf>,
    #[command(flatten)]
    discovery: DiscoveryArgs,
    #[command(flatten)]
    schedules: ScheduleArgs,
    #[command(flatten)]
    webhooks: ClientArgs,
    #[command(flatten)]
    mirror: MirrorArgs,
    #[command(flatten)]
    witnesses: WitnessesArgs,
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
    config::end_with_the_runner()?;
    let orders = signals::orders()?;
    queue::metrics::register_supervisor();
    let key_file = keys::file(args.signing_key_file.as_deref(), &args.database.dir)?;
    keys::read(&key_file)?;
    // What is wrong with its flags is said before a worker process starts.
    args.webhooks.client()?;
    args.mirror.mirror()?;
    args.witnesses.witnesses()?;
    let leases = args.database.pool("worker supervisor", 1)?;
    let bound = bind(args.metrics_listen).await?;
    let listed = args.discovery.list(leases.clone(), "worker", "http", bound.address);
    log_settings(&args);
    let config = Config {
        processes: args.processes,
        command: child_command(&args, telemetry, key_file)?,
        grace: args.shutdown.timeout(),
        policy: args.policy(),
        care: args.care(),
        orders,
        metrics: Arc::new(move || metrics.render() + &process::page(env!("CARGO_PKG_VERSION"))),
        on_crash: Box::new(move |exit| Box::pin(crash::clean_up_after(leases.clone(), exit))),
    };
    let ended = pool::run(config, bound, shutdown).await?;
    listed.leave().await;
    match ended {
        Ended::Stopped => Ok(ExitCode::SUCCESS),
        Ended::GivenUp => Ok(ExitCode::from(EXIT_GIVEN_UP)),
    }
}

impl WorkerArgs {
    fn policy(&self) -> Policy {
        Policy { restarts_max: self.max_restarts as usize, window: self.restart_window, ..Policy::default() }
    }

    fn care(&self) -> Care {
        Care {
            heartbeat_timeout: Some(self.heartbeat_timeout).filter(|timeout| !timeout.is_zero()),
            ready_timeout: self.ready_timeout,
            rss_max: self.memory_limit.map(|memory| memory.0),
        }
    }
}

/// Binds the metrics' address, and logs which it is.
async fn bind(listen: Option<SocketAddr>) -> Result<Bound> {
    let address = config::listen(listen, METRICS_LISTEN)?;
    let bound = page::bind(address).await.with_context(|| {
        format!(
            "--metrics-listen (METRICS_LISTEN): listening on {address}; several worker roles on one machine need an \
             address each, such as 127.0.0.1:0 for a free port"
        )
    })?;
    tracing::info!(address = %bound.address, "the metrics page listens");
    Ok(bound)
}

/// What the role was told, once.
fn log_settings(args: &WorkerArgs) {
    let WorkerArgs { processes, concurrency, max_restarts, restart_window, .. } = args;
    let (queues, drain) = (&args.queues, args.shutdown.timeout());
    tracing::info!(processes, concurrency, %queues, max_restarts, ?restart_window, ?drain, "worker pool");
}

/// The command of one worker process: this program again, which gets four fifths of the time to drain. What it is told
/// stands in its environment, where a newer or older release may know it or not.
fn child_command(
    args: &WorkerArgs,
    telemetry: &TelemetryArgs,
    key_file: PathBuf,
) -> Result<Arc<dyn Fn(u16) -> Command + Send + Sync>> {
    let program = program::path().context("finding this program")?;
    let (url, concurrency, telemetry) = (args.database.url()?, args.concurrency.to_string(), telemetry.clone());
    let (schedules, webhooks) = (args.schedules.pass_on()?, args.webhooks.clone());
    let (mirror, witnesses) = (args.mirror.clone(), args.witnesses.clone());
    let (drain, queues) = (args.shutdown.timeout().mul_f64(0.8).as_secs_f64().to_string(), args.queues.to_string());
    Ok(Arc::new(move |slot| {
        let mut command = Command::new(&program);
        command.args(["worker-child", "--slot"]).arg(slot.to_string());
        command.env("DATABASE_URL", &url).env("WORKER_CONCURRENCY", &concurrency).env("SHUTDOWN_TIMEOUT", &drain);
        command.env("LEDGER_SIGNING_KEY_FILE", &key_file).env("WORKER_QUEUES", &queues);
        schedules(&mut command);
        webhooks.pass_on(&mut command);
        mirror.pass_on(&mut command);
        witnesses.pass_on(&mut command);
        telemetry.pass_on(&mut command);
        command
    }))
}
