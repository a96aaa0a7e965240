//! Every metric of the queue, in one table: what is recorded, registered and documented is taken from here.

/// What a metric's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution.
    Histogram,
}

/// One metric, as Prometheus shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// The name, with its unit.
    pub name: &'static str,
    /// What its values mean.
    pub kind: MetricType,
    /// The unit of its values.
    pub unit: metrics::Unit,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it tells, in a sentence.
    pub help: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Counter, unit: metrics::Unit::Count, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Gauge, unit: metrics::Unit::Count, labels, help }
}

const fn seconds(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind: MetricType::Histogram, unit: metrics::Unit::Seconds, labels, help }
}

pub(crate) const JOBS_ENQUEUED: Metric = counter(
    "queue_jobs_enqueued_total",
    &["kind"],
    "Jobs enqueued by this process, before the commit of the caller's transaction.",
);
pub(crate) const JOBS_CLAIMED: Metric =
    counter("queue_jobs_claimed_total", &["queue"], "Jobs claimed by this process.");
pub(crate) const JOBS_SETTLED: Metric = counter(
    "queue_jobs_settled_total",
    &["kind", "outcome"],
    "Jobs settled by this process: succeeded, discarded, cancelled, retried, snoozed, returned or dead.",
);
pub(crate) const RUN_SECONDS: Metric =
    seconds("queue_job_run_seconds", &["kind"], "How long a run took; a batch counts once.");
pub(crate) const WAIT_SECONDS: Metric =
    seconds("queue_job_wait_seconds", &["kind"], "From a job being due to its being claimed.");
pub(crate) const CLAIM_SECONDS: Metric =
    seconds("queue_claim_seconds", &[], "How long one claim took, the round trip included.");
pub(crate) const SETTLE_SECONDS: Metric =
    seconds("queue_settle_seconds", &[], "How long one batched settle took, the round trip and the commit included.");
pub(crate) const LEASE_LOST: Metric =
    counter("queue_lease_lost_total", &["kind"], "Outcomes refused because the job had been taken from this process.");
pub(crate) const PROCESS_LEASE_LOST: Metric =
    counter("queue_process_lease_lost_total", &[], "Times this process lost its lease and registered anew.");
pub(crate) const RESCUED: Metric =
    counter("queue_rescued_total", &["outcome"], "Jobs taken from dead processes by this one: ready or poison.");
pub(crate) const PROMOTED: Metric = counter("queue_promoted_total", &[], "Scheduled jobs made ready by this process.");
pub(crate) const UNBLOCKED: Metric = counter(
    "queue_unblocked_total",
    &["outcome"],
    "Jobs that waited for others and were told of their end by this process: unblocked or cancelled.",
);
pub(crate) const DATABASE_ERRORS: Metric = counter(
    "queue_database_errors_total",
    &["task"],
    "Failed statements of the queue's own tasks; each is tried again.",
);
pub(crate) const UNREADABLE: Metric = counter(
    "queue_jobs_unreadable_total",
    &["kind", "reason"],
    "Times a job was put off for a process that can read it: newer_version or unknown_key.",
);
pub(crate) const IN_HAND: Metric =
    gauge("queue_jobs_in_hand", &["queue"], "Jobs claimed by this process and not settled yet.");
pub(crate) const SCHEDULE_TICKS: Metric = counter(
    "queue_schedule_ticks_total",
    &["outcome"],
    "Ticks of schedules by this process: fired, skipped, or missed (a run of missed ticks counts once).",
);
pub(crate) const SCHEDULE_LATE_SECONDS: Metric =
    seconds("queue_schedule_late_seconds", &[], "From a tick being due to its job being enqueued.");

/// All of them.
pub const METRICS: [Metric; 17] = [
    JOBS_ENQUEUED,
    JOBS_CLAIMED,
    JOBS_SETTLED,
    RUN_SECONDS,
    WAIT_SECONDS,
    CLAIM_SECONDS,
    SETTLE_SECONDS,
    LEASE_LOST,
    PROCESS_LEASE_LOST,
    RESCUED,
    PROMOTED,
    UNBLOCKED,
    DATABASE_ERRORS,
    UNREADABLE,
    IN_HAND,
    SCHEDULE_TICKS,
    SCHEDULE_LATE_SECONDS,
];

/// Tells the installed recorder the type, unit and help of every metric; call it once, after installing it.
pub fn describe() {
    for metric in METRICS {
        match metric.kind {
            MetricType::Counter => metrics::describe_counter!(metric.name, metric.unit, metric.help),
            MetricType::Gauge => metrics::describe_gauge!(metric.name, metric.unit, metric.help),
            MetricType::Histogram => metrics::describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{METRICS, MetricType};

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for metric in METRICS {
            assert!(metric.name.starts_with("queue_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == MetricType::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_seconds"), metric.unit == metrics::Unit::Seconds, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
