//! `bitnexus worker-child`: one worker process, started by `bitnexus worker` and not by people.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use jobs::State;
use jobs::webhooks::dispatch;
use ledger::Book;
use queue::Notifier;
use queue::Registry;
use queue::backend::ConsumerConfig;
use queue::metrics as define;
use workers::child::{self, ChildConfig};
use workers::supervisor::lifeline::{Answers, Readiness};
use workers::supervisor::{orphan, signals};

use super::worker::queues::Queues;
use crate::config::{DatabaseArgs, ShutdownArgs};
use crate::mirror::MirrorArgs;
use crate::telemetry::{Identity, Spans, TelemetryArgs};
use crate::webhooks::ClientArgs;
use crate::witnesses::WitnessesArgs;
use crate::{keys, schedules, telemetry};

/// Connections beside those of the running jobs: claiming, settling, the heartbeat, wake-ups.
const CONNECTIONS_BESIDE_JOBS: u32 = 6;

/// The share of the time for stopping that running jobs have; the rest is for writing what became of them.
const JOBS_SHARE: f64 = 0.8;

/// How much longer than to drain a process may take to end once its supervisor is gone.
const ORPHAN_EXTRA: Duration = Duration::from_secs(1);

/// Run jobs in this one process.
#[derive(Debug, Args)]
pub struct WorkerChildArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Which slot of its supervisor this process fills.
    #[arg(long, value_name = "N")]
    slot: u16,
    /// How many jobs of each queue run at once; of all queues together if these have weights.
    #[arg(long, value_name = "N", env = "WORKER_CONCURRENCY", default_value_t = 8)]
    concurrency: u16,
    /// The queues to serve, with their weights; all if there are none.
    #[arg(long, value_name = "NAME[:WEIGHT],…", env = "WORKER_QUEUES", default_value = "")]
    queues: Queues,
    /// File with the keys that sign the ledger's checkpoints.
    #[arg(long, value_name = "FILE", env = "LEDGER_SIGNING_KEY_FILE")]
    signing_key_file: PathBuf,
    #[command(flatten)]
    webhooks: ClientArgs,
    #[command(flatten)]
    mirror: MirrorArgs,
    #[command(flatten)]
    witnesses: WitnessesArgs,
    #[command(flatten)]
    shutdown: ShutdownArgs,
}

/// How many connections to the database a worker process opens at most.
pub(crate) fn connections_max(queues: &Queues, concurrency: u16) -> u32 {
    queues.connections(concurrency) + CONNECTIONS_BESIDE_JOBS
}

impl WorkerChildArgs {
    /// Which slot of its supervisor this process fills.
    pub fn slot(&self) -> u16 {
        self.slot
    }
}

/// Runs jobs until it is asked to stop or its supervisor is gone; then drains.
///
/// # Errors
/// When the database's address is wrong, or the process cannot register.
pub async fn run(args: WorkerChildArgs, telemetry: &TelemetryArgs) -> Result<ExitCode> {
    let spans = Spans::start(telemetry, Identity { role: "worker", slot: Some(args.slot) })?;
    let metrics = telemetry::start_metrics()?;
    let readiness = Readiness::default();
    let pool = args.database.pool("worker", connections_max(&args.queues, args.concurrency))?;
    let measured = pool.clone();
    let page = move || {
        define::measure_pool(&measured);
        metrics.render()
    };
    let answers = Answers { metrics: Box::new(page), readiness: readiness.clone() };
    let shutdown = signals::shutdown_and_answer(answers)?;
    keys::read(&args.signing_key_file)?;
    // Read anew for each checkpoint, so that a rotation needs no restart.
    let signing_keys = Box::new(move || Ok(keys::read(&args.signing_key_file)?));
    let concurrency = usize::from(args.concurrency);
    let state = State::new(signing_keys).with_webhooks(args.webhooks.client()?).with_mirror(args.mirror.mirror()?);
    let state = state.with_witnesses(args.witnesses.witnesses()?);
    let registry = schedules::from_environment(jobs::registry(state))?;
    register(&registry);
    // It ends with the process: what it has begun is one transaction.
    tokio::spawn(dispatch::follow(pool.clone(), Notifier::spawn(pool.clone()), Book::MAIN.shard));
    let consumer = ConsumerConfig { concurrency, ..ConsumerConfig::new(pool, registry) };
    let consumer = args.queues.apply(consumer);
    let time = args.shutdown.timeout();
    orphan::end_late_orphan(time + ORPHAN_EXTRA)?;
    let config = ChildConfig {
        deadline: time.mul_f64(JOBS_SHARE),
        patience: time.mul_f64(1.0 - JOBS_SHARE),
        readiness,
        ..ChildConfig::new(consumer)
    };
    #[cfg(target_os = "linux")]
    tokio::spawn(crate::resting::keep_small());
    tracing::info!("running jobs");
    child::run(config, shutdown.cancelled_owned()).await?;
    spans.finish().await;
    Ok(ExitCode::SUCCESS)
}

/// Makes every series of the process, at 0.
fn register(registry: &Registry) {
    let kinds = registry.kinds();
    define::register(&kinds, &jobs::QUEUES);
    define::register_pool();
    define::name_only(kinds);
    jobs::metrics::register_worker();
}
