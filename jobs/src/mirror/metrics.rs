//! What a worker process records of the mirror; docs/METRICS.md has all metrics.

use queue::metrics::{self as define, Metric};

const CONNECTED: Metric = define::gauge("mirror_connected", &[], "Whether the Erlang node answers.");
const TRANSACTIONS: Metric = define::counter(
    "mirror_transactions_total",
    &["outcome"],
    "Transactions sent to the Erlang ledger, by answer: recorded, exists, refused or failed.",
);
pub(super) const REQUEST_SECONDS: Metric =
    define::seconds("mirror_request_seconds", &[], "How long one call of the Erlang node took.");

/// Makes the series of a worker process, at 0.
pub(crate) fn register() {
    CONNECTED.register(&[]);
    TRANSACTIONS.register(&[&["recorded", "exists", "refused", "failed"]]);
    REQUEST_SECONDS.register(&[]);
}

/// Counts transactions that were sent.
pub(super) fn sent(outcome: &'static str, number: usize) {
    metrics::counter!(TRANSACTIONS.name, "outcome" => outcome).increment(number as u64);
}

/// Is there as long as a connection: the process has at most one.
#[derive(Debug)]
pub(super) struct Connected(());

impl Connected {
    pub(super) fn new() -> Connected {
        metrics::gauge!(CONNECTED.name).increment(1.0);
        Connected(())
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        metrics::gauge!(CONNECTED.name).decrement(1.0);
    }
}
