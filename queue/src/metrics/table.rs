//! What the queue records, one constant each, and the values that their labels have.

use super::{Metric, OTHER, counter, gauge, seconds, sizes};
use crate::settle::Verdict;

pub(crate) const JOBS_ENQUEUED: Metric = counter(
    "queue_jobs_enqueued_total",
    &["kind"],
    "Jobs enqueued by this process, before the commit of the caller's transaction.",
);
pub(crate) const JOBS_CLAIMED: Metric =
    counter("queue_jobs_claimed_total", &["queue"], "Jobs claimed by this process.");
pub(crate) const ATTEMPTS: Metric = counter("queue_attempts_total", &["kind"], "Attempts begun by this process.");
pub(crate) const JOBS_SETTLED: Metric = counter(
    "queue_jobs_settled_total",
    &["kind", "outcome"],
    "Ends of attempts in this process: succeeded, discarded, cancelled, retried, snoozed, returned, dead or parked.",
);
pub(crate) const RUN_SECONDS: Metric =
    seconds("queue_job_run_seconds", &["kind"], "How long a run took; a batch counts once.");
pub(crate) const WAIT_SECONDS: Metric =
    seconds("queue_job_wait_seconds", &["kind"], "From a job being due to its being claimed.");
pub(crate) const CLAIM_SECONDS: Metric =
    seconds("queue_claim_seconds", &[], "How long one claim took, the round trip included.");
pub(crate) const CLAIM_SIZE: Metric = sizes("queue_claim_size", &[], "How many jobs one claim found.");
pub(crate) const SETTLE_SECONDS: Metric =
    seconds("queue_settle_seconds", &[], "How long one batched settle took, the round trip and the commit included.");
pub(crate) const SETTLE_SIZE: Metric = sizes("queue_settle_size", &[], "How many outcomes one statement settled.");
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
pub(crate) const RUNS: Metric = gauge("queue_runs", &["queue"], "Runs under way; a batch counts once.");
pub(crate) const PLACES: Metric =
    gauge("queue_places", &["queue"], "How many runs of the queue this process has at once at most.");
pub(crate) const SCHEDULE_TICKS: Metric = counter(
    "queue_schedule_ticks_total",
    &["outcome"],
    "Ticks of schedules by this process: fired, skipped, or missed (a run of missed ticks counts once).",
);
pub(crate) const SCHEDULE_LATE_SECONDS: Metric =
    seconds("queue_schedule_late_seconds", &[], "From a tick being due to its job being enqueued.");

/// All of them.
pub const METRICS: [Metric; 22] = [
    JOBS_ENQUEUED,
    JOBS_CLAIMED,
    ATTEMPTS,
    JOBS_SETTLED,
    RUN_SECONDS,
    WAIT_SECONDS,
    CLAIM_SECONDS,
    CLAIM_SIZE,
    SETTLE_SECONDS,
    SETTLE_SIZE,
    LEASE_LOST,
    PROCESS_LEASE_LOST,
    RESCUED,
    PROMOTED,
    UNBLOCKED,
    DATABASE_ERRORS,
    UNREADABLE,
    IN_HAND,
    RUNS,
    PLACES,
    SCHEDULE_TICKS,
    SCHEDULE_LATE_SECONDS,
];

/// The queue's own tasks, as [`DATABASE_ERRORS`] names them.
const TASKS: [&str; 8] = ["claim", "settle", "lease", "promote", "unblock", "schedule", "upkeep", "counters"];

/// Makes the series that a process has which only enqueues.
pub fn register_enqueuer(kinds: &[&str]) {
    JOBS_ENQUEUED.register(&[&and_other(kinds)]);
}

/// Makes the series of a worker process at 0; call it once, after installing the recorder.
pub fn register(kinds: &[&str], queues: &[&str]) {
    register_enqueuer(kinds);
    for metric in [ATTEMPTS, RUN_SECONDS, WAIT_SECONDS, LEASE_LOST] {
        metric.register(&[kinds]);
    }
    // What was not run at all may be of a kind that nobody knows here.
    JOBS_SETTLED.register(&[&and_other(kinds), &Verdict::NAMES]);
    UNREADABLE.register(&[kinds, &["newer_version", "unknown_key"]]);
    for metric in [JOBS_CLAIMED, IN_HAND, RUNS, PLACES] {
        metric.register(&[queues]);
    }
    for metric in [CLAIM_SECONDS, CLAIM_SIZE, SETTLE_SECONDS, SETTLE_SIZE, PROCESS_LEASE_LOST, PROMOTED] {
        metric.register(&[]);
    }
    RESCUED.register(&[&["ready", "poison"]]);
    UNBLOCKED.register(&[&["unblocked", "cancelled"]]);
    DATABASE_ERRORS.register(&[&TASKS]);
    SCHEDULE_TICKS.register(&[&["fired", "skipped", "missed"]]);
    SCHEDULE_LATE_SECONDS.register(&[]);
}

/// Makes the series of a supervisor, which gives back the jobs of processes that died.
pub fn register_supervisor() {
    RESCUED.register(&[&["ready", "poison"]]);
}

fn and_other<'a>(kinds: &[&'a str]) -> Vec<&'a str> {
    kinds.iter().copied().chain([OTHER]).collect()
}
