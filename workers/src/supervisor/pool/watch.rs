//! Counts what happens to the processes of a pool, and has the jobs of a dead one given back.

use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::measures::{PROCESSES, RESTARTS, STARTS};
use super::super::report::{Cause, Event, Exit, Reason};

/// How long giving back the jobs of the last processes may take once all have ended.
const LAST_CRASHES: Duration = Duration::from_secs(1);

/// Watches until the supervisor is gone.
pub(super) async fn watch(mut events: UnboundedReceiver<Event>, on_crash: impl Fn(Exit) -> BoxFuture<'static, ()>) {
    let mut crashes = JoinSet::new();
    while let Some(event) = events.recv().await {
        match event {
            Event::Started { name, pid } => {
                tracing::info!(child = name, child_pid = pid, "child started");
                metrics::counter!(STARTS.name, "worker" => slot(&name)).increment(1);
                metrics::gauge!(PROCESSES.name).increment(1);
            }
            Event::Ready { name, pid } => tracing::info!(child = name, child_pid = pid, "child is at work"),
            Event::Replaced { name, reason } => {
                let reason = match reason {
                    Reason::Memory => "memory",
                    Reason::Rolling => "rolling",
                };
                count_restart(&name, reason);
            }
            Event::Ended(exit) => {
                metrics::gauge!(PROCESSES.name).decrement(1);
                match exit.cause {
                    Cause::Died => count_restart(&exit.name, "crashed"),
                    Cause::Silent => count_restart(&exit.name, "unresponsive"),
                    Cause::Asked | Cause::Overdue => {}
                }
                if exit.cause != Cause::Asked || !exit.status.success() {
                    // On a task of its own: a database that is away must not hide what happens next.
                    crashes.spawn(on_crash(exit));
                }
                while crashes.try_join_next().is_some() {}
            }
            Event::GivenUp { .. } => {}
        }
    }
    if timeout(LAST_CRASHES, crashes.join_all()).await.is_err() {
        tracing::warn!("the jobs of processes that were killed come back when their leases run out");
    }
}

fn count_restart(name: &str, reason: &'static str) {
    metrics::counter!(RESTARTS.name, "worker" => slot(name), "reason" => reason).increment(1);
}

/// The slot in a child's name, as the label of its metrics has it.
fn slot(name: &str) -> String {
    name.trim_start_matches("worker.").to_owned()
}
