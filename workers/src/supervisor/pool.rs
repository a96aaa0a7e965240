//! The worker role: a supervisor over equal worker processes, one to a slot, behind one metrics page.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::future::{BoxFuture, join_all};
use poem::listener::TcpAcceptor;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::policy::Policy;
use super::report::{Event, Exit};
use super::{ChildSpec, Kept, Supervisor};
use crate::metrics::page::{self, Sources};

/// How long giving back the jobs of the last processes may take once all have ended.
const LAST_CRASHES: Duration = Duration::from_secs(1);

/// What a pool runs and how.
pub struct Config {
    /// How many worker processes.
    pub processes: u16,
    /// Makes the command of a worker process, given its slot, counted from 1.
    pub command: Arc<dyn Fn(u16) -> Command + Send + Sync>,
    /// How long a process may take to drain before it is killed.
    pub grace: Duration,
    /// When dead processes are started again.
    pub policy: Policy,
    /// Renders the metrics of the supervisor itself.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Called when a process died unasked or had to be killed, so that its jobs are given back at once.
    pub on_crash: Box<dyn Fn(Exit) -> BoxFuture<'static, ()> + Send>,
}

/// How a pool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Its processes died too often.
    GivenUp,
}

/// Runs the pool until `shutdown`; then every process drains, or is killed when its grace is over.
///
/// # Errors
/// When the metrics page cannot be served.
pub async fn run(config: Config, acceptor: TcpAcceptor, shutdown: CancellationToken) -> Result<Ended> {
    describe();
    let (supervisor, events) = Supervisor::new(config.policy);
    let slots: Vec<_> =
        (1..=config.processes).map(|slot| start(&supervisor, slot, &config.command, config.grace)).collect();
    let slots = Arc::new(slots);
    let lines = {
        let slots = Arc::clone(&slots);
        move || slots.iter().filter_map(|(slot, kept)| Some((slot.clone(), kept.line()?))).collect()
    };
    let sources = Sources { own: config.metrics, lines: Arc::new(lines) };
    let served = CancellationToken::new();
    let page = tokio::spawn(page::serve(acceptor, sources, served.clone()));
    let watched = tokio::spawn(watch(events, config.on_crash));
    let ended = tokio::select! {
        () = shutdown.cancelled() => Ended::Stopped,
        () = supervisor.given_up() => Ended::GivenUp,
    };
    join_all(slots.iter().map(|(_, kept)| kept.stop())).await;
    drop(supervisor);
    watched.await?;
    served.cancel();
    page.await??;
    Ok(ended)
}

/// Starts the process of one slot.
fn start(
    supervisor: &Supervisor,
    slot: u16,
    command: &Arc<dyn Fn(u16) -> Command + Send + Sync>,
    grace: Duration,
) -> (String, Kept) {
    let command = Arc::clone(command);
    let spec = ChildSpec { grace, ..ChildSpec::new(format!("worker.{slot}"), move || command(slot)) };
    (slot.to_string(), supervisor.keep(spec))
}

/// Counts what happens to the processes, and has the jobs of a dead one given back.
async fn watch(mut events: UnboundedReceiver<Event>, on_crash: impl Fn(Exit) -> BoxFuture<'static, ()>) {
    let mut crashes = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Started { name, pid } => {
                tracing::info!(slot = name, pid, "child started");
                metrics::counter!("worker_starts_total", "worker" => slot(&name)).increment(1);
                metrics::gauge!("worker_processes").increment(1);
            }
            Event::Ended(exit) => {
                metrics::gauge!("worker_processes").decrement(1);
                if !exit.asked {
                    metrics::counter!("worker_crashes_total", "worker" => slot(&exit.name)).increment(1);
                }
                if !exit.asked || !exit.status.success() {
                    // On a task of its own: a database that is away must not hide what happens next.
                    crashes.spawn(on_crash(exit));
                }
            }
            Event::GivenUp { .. } => {}
        }
    }
    if timeout(LAST_CRASHES, crashes.join_all()).await.is_err() {
        tracing::warn!("the jobs of processes that were killed come back when their leases run out");
    }
}

/// The slot in a child's name, as the label of its metrics has it.
fn slot(name: &str) -> String {
    name.trim_start_matches("worker.").to_owned()
}

fn describe() {
    metrics::describe_counter!("worker_starts_total", "Starts of worker processes, by slot.");
    metrics::describe_counter!("worker_crashes_total", "Worker processes that died unasked, by slot.");
    metrics::describe_gauge!("worker_processes", "Worker processes that run now.");
}
