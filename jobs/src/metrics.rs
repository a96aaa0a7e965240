//! What jobs, and the API's half of them, record; docs/METRICS.md has all metrics.

use std::time::Duration;

use ledger::posting::{Outcome, Refusal};
use queue::metrics::{self as define, Metric};

pub(crate) const GROUP_SIZE: Metric =
    define::sizes("transactions_group_size", &[], "How many transactions shared a commit of the API.");
pub(crate) const POSTINGS: Metric = define::counter(
    "ledger_postings_total",
    &["outcome"],
    "What the ledger answered: created, exists, differs or refused; a batch that is run again counts again.",
);
pub(crate) const REFUSALS: Metric =
    define::counter("ledger_refusals_total", &["reason"], "Postings refused, by the first rule that they broke.");
pub(crate) const BATCH_SIZE: Metric =
    define::sizes("ledger_batch_size", &[], "How many postings one commit of the ledger took.");
pub(crate) const POST_SECONDS: Metric = define::seconds(
    "ledger_post_seconds",
    &[],
    "How long one batch took in the ledger, waiting for the book's writer included.",
);
pub(crate) const CHECKPOINTS: Metric = define::counter("ledger_checkpoints_total", &[], "Checkpoints signed.");
pub(crate) const COSIGNATURES: Metric = define::counter(
    "ledger_cosignatures_total",
    &["outcome"],
    "Answers of witnesses that were asked to sign a checkpoint: signed, unreachable, refused, or forked.",
);
pub(crate) const RECONCILE_SECONDS: Metric =
    define::seconds("ledger_reconcile_seconds", &[], "How long runs of reconciliation took.");
pub(crate) const RECONCILES: Metric = define::counter(
    "ledger_reconciles_total",
    &["outcome"],
    "Runs of reconciliation that came to their end: clean, or with breaks.",
);

/// Makes the series of an API process, at 0.
pub fn register_submitter() {
    GROUP_SIZE.register(&[]);
}

/// Makes the series of a worker process, at 0.
pub fn register_worker() {
    let refusals: Vec<&str> = Refusal::ALL.iter().map(|refusal| refusal.as_str()).collect();
    POSTINGS.register(&[&["created", "exists", "differs", "refused"]]);
    REFUSALS.register(&[&refusals]);
    COSIGNATURES.register(&[&["signed", "unreachable", "refused", "forked"]]);
    RECONCILES.register(&[&["clean", "breaks"]]);
    for metric in [BATCH_SIZE, POST_SECONDS, CHECKPOINTS, RECONCILE_SECONDS] {
        metric.register(&[]);
    }
    crate::mirror::metrics::register();
    crate::webhooks::metrics::register();
}

/// Counts a run of reconciliation that came to its end.
pub(crate) fn reconciled(took: Duration, is_clean: bool) {
    metrics::histogram!(RECONCILE_SECONDS.name).record(took);
    metrics::counter!(RECONCILES.name, "outcome" => if is_clean { "clean" } else { "breaks" }).increment(1);
}

/// Counts what the ledger answered to a batch.
pub(crate) fn posted(outcomes: &[Outcome], took: Duration) {
    metrics::histogram!(POST_SECONDS.name).record(took);
    metrics::histogram!(BATCH_SIZE.name).record(outcomes.len() as f64);
    let (mut created, mut exists, mut differs, mut refused) = (0, 0, 0, 0);
    for outcome in outcomes {
        match outcome {
            Outcome::Created { .. } => created += 1,
            Outcome::Exists { .. } => exists += 1,
            Outcome::ExistsWithDifferent(_) => differs += 1,
            Outcome::Refused(refusal) => {
                refused += 1;
                metrics::counter!(REFUSALS.name, "reason" => refusal.as_str()).increment(1);
            }
        }
    }
    for (outcome, number) in [("created", created), ("exists", exists), ("differs", differs), ("refused", refused)] {
        if number > 0 {
            metrics::counter!(POSTINGS.name, "outcome" => outcome).increment(number);
        }
    }
}
