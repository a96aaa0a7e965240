//! Every metric of the worker role's supervisor, in one table.

use metrics::Unit;
use queue::metrics::{Metric, MetricType};

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Counter, unit: Unit::Count, labels, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Gauge, unit: Unit::Count, labels: &[], help }
}

pub(super) const PROCESSES: Metric = gauge("worker_processes", "Worker processes that run now.");
pub(super) const PROCESSES_WANTED: Metric = gauge("worker_processes_wanted", "How many should run.");
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

/// Tells the recorder what they mean.
pub(super) fn describe() {
    for metric in ALL {
        match metric.kind {
            MetricType::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            MetricType::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            MetricType::Histogram => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
    for outcome in ["completed", "aborted"] {
        metrics::counter!(ROLLS.name, "outcome" => outcome).absolute(0);
    }
}
