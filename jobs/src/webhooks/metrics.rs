//! What a worker process records of webhooks; docs/METRICS.md has all metrics.

use domain::webhooks::Status;
use domain::webhooks::outgoing::Tried;
use queue::metrics::{self as define, Metric};

const DELIVERIES: Metric = define::counter(
    "webhook_deliveries_total",
    &["outcome"],
    "Attempts to deliver a webhook, by how they ended: delivered, retried or gave_up.",
);
const DELIVERY_SECONDS: Metric =
    define::seconds("webhook_delivery_seconds", &[], "How long receivers of webhooks took to answer, or to fail.");

/// Makes the series of a worker process, at 0.
pub(crate) fn register() {
    DELIVERIES.register(&[&["delivered", "retried", "gave_up"]]);
    DELIVERY_SECONDS.register(&[]);
}

/// Counts an attempt.
pub(crate) fn tried(tried: &Tried) {
    metrics::histogram!(DELIVERY_SECONDS.name).record(tried.took);
    let outcome = match tried.delivery() {
        Status::Delivered => "delivered",
        Status::Pending => "retried",
        Status::Failed | Status::Cancelled => "gave_up",
    };
    metrics::counter!(DELIVERIES.name, "outcome" => outcome).increment(1);
}
