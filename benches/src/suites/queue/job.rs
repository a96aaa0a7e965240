//! The job that does nothing, and one worker process that runs it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use queue::backend::ConsumerConfig;
use queue::{EnqueueError, Job, JobContext, JobError, Limit, NewJob, Registry};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use workers::child::{self, ChildConfig};

use crate::server::Database;

/// Runs at once.
const CONCURRENCY: usize = 64;

/// How long jobs that do nothing may take, all of them together; then something is wrong.
const PATIENCE: Duration = Duration::from_secs(600);

/// The limit that some of the jobs are under, and how many of a key run at once.
pub(super) const LIMIT: &str = "bench";
const LIMIT_MAX: u32 = 100;

/// The queue of the job.
pub(super) const QUEUE: &str = "bench";

/// A job that does nothing; its JSON has about 106 bytes, as that of the rivals.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Nothing {
    number: usize,
    filler: String,
}

impl Nothing {
    /// One to enqueue.
    pub(super) fn job(number: usize) -> Result<NewJob, EnqueueError> {
        NewJob::of(&Nothing { number, filler: "x".repeat(80) })
    }
}

impl Job for Nothing {
    const KIND: &'static str = "bench.nothing";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        ctx.state::<Probe>().count();
        Ok(())
    }
}

/// What the jobs of a worker tell.
#[derive(Debug, Default)]
pub(super) struct Probe {
    ran: AtomicUsize,
    target: usize,
    reached: Notify,
    begun: Option<mpsc::UnboundedSender<Instant>>,
}

impl Probe {
    /// Tells when so many jobs have begun.
    pub(super) fn after(target: usize) -> Probe {
        Probe { target, ..Probe::default() }
    }

    /// Tells when each job began.
    pub(super) fn each(begun: mpsc::UnboundedSender<Instant>) -> Probe {
        Probe { begun: Some(begun), ..Probe::default() }
    }

    fn count(&self) {
        if let Some(begun) = &self.begun {
            // Whoever measured may have seen enough.
            let _ = begun.send(Instant::now());
        }
        if self.ran.fetch_add(1, Ordering::Relaxed) + 1 == self.target {
            self.reached.notify_one();
        }
    }
}

/// A worker process, but for the process: it runs beside whoever measures, which sleeps meanwhile.
#[derive(Debug)]
pub(super) struct Worker {
    /// When it was started, with its connections still to be made.
    pub(super) started: Instant,
    probe: Arc<Probe>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<()>>,
}

impl Worker {
    /// Starts one with the usual settings.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn start(database: &Database, probe: Probe) -> Result<Worker> {
        let probe = Arc::new(probe);
        let registry = Registry::new().job::<Nothing>().limit(Limit::running(LIMIT, LIMIT_MAX)).state(probe.clone());
        let mut consumer = ConsumerConfig::new(database.pool(8).await?, registry);
        consumer.concurrency = CONCURRENCY;
        let (stop, stopped) = oneshot::channel::<()>();
        let started = Instant::now();
        let ended = tokio::spawn(child::run(ChildConfig::new(consumer), async move {
            // The sender is dropped where a measurement failed: that ends the worker as well.
            let _ = stopped.await;
        }));
        Ok(Worker { started, probe, stop, ended })
    }

    /// Waits until as many jobs have begun as the probe was asked for.
    ///
    /// # Errors
    /// When they do not.
    pub(super) async fn reached(&self) -> Result<()> {
        let reached = tokio::time::timeout(PATIENCE, self.probe.reached.notified());
        reached.await.with_context(|| format!("fewer than {} jobs began within {PATIENCE:?}", self.probe.target))
    }

    /// Stops it in order; all outcomes are written then.
    ///
    /// # Errors
    /// When the worker failed.
    pub(super) async fn stop(self) -> Result<()> {
        drop(self.stop);
        self.ended.await?
    }
}
