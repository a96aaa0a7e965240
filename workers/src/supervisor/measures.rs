//! Every metric of the worker role's supervisor, in one table.

use queue::metrics::{Metric, counter, gauge};

pub(super) const PROCESSES: Metric = gauge("worker_processes", &[], "Worker processes that run now.");
pub(super) const PROCESSES_WANTED: Metric = gauge("worker_processes_wanted", &[], "How many should run.");
pub(super) const STARTS: Metric = counter("worker_starts_total", &["worker"], "Starts of worker processes.");
pub(super) const RESTARTS: Metric = counter(
    "worker_restarts_total",
    &["worker", "reason"],
    "Processes that were replaced, by why: crashed, unresponsive, memory or rolling.",
);
pub(super) const ROLLS: Metric =
    counter("worker_rolls_total", &["outcome"], "Rolling restarts, by how they ended: completed or aborted.");

/// All of them.
pub const ALL: [&Metric; 5] = [&PROCESSES, &PROCESSES_WANTED, &STARTS, &RESTARTS, &ROLLS];

/// Makes the series of the pool, at 0.
pub(super) fn describe() {
    ALL.iter().for_each(|metric| metric.describe());
    ROLLS.register(&[&["completed", "aborted"]]);
    PROCESSES.register(&[]);
    PROCESSES_WANTED.register(&[]);
}

/// Makes the series of a slot, at 0.
pub(super) fn register(slot: u16) {
    let slot = slot.to_string();
    STARTS.register(&[&[&slot]]);
    RESTARTS.register(&[&[&slot], &["crashed", "unresponsive", "memory", "rolling"]]);
}
