//! What the hub records of itself.

use chrono::{DateTime, Utc};
use queue::metrics::{Metric, counter, gauge, seconds};

/// The table of this module.
pub(crate) const METRICS: [Metric; 4] = [SUBSCRIPTIONS, HANDED_OUT, CUT_OFF, DELAY];

const SUBSCRIPTIONS: Metric =
    gauge("events_subscriptions", &[], "Subscriptions to events that are open in this process.");
const HANDED_OUT: Metric =
    counter("events_handed_out_total", &[], "Events that this process read from the log for its subscribers.");
const CUT_OFF: Metric =
    counter("events_cut_off_total", &[], "Subscribers that were cut off because they read too slowly.");
const DELAY: Metric = seconds(
    "events_delay_seconds",
    &[],
    "From an event being published to its being handed out, the commit and the numbering included; the oldest of each look counts.",
);
/// Makes every series at 0.
pub(crate) fn register() {
    METRICS.iter().for_each(|metric| metric.register(&[]));
}

/// So many subscriptions are open.
pub(super) fn subscriptions(open: usize) {
    metrics::gauge!(SUBSCRIPTIONS.name).set(open as f64);
}

/// A subscriber was cut off.
pub(super) fn cut_off() {
    metrics::counter!(CUT_OFF.name).increment(1);
}

/// So many events were handed out, of which the first was published at that time.
pub(super) fn handed_out(events: usize, first: Option<DateTime<Utc>>) {
    metrics::counter!(HANDED_OUT.name).increment(events as u64);
    if let Some(first) = first {
        #[expect(clippy::disallowed_methods, reason = "it is shown and decides nothing")]
        let delay = Utc::now() - first;
        metrics::histogram!(DELAY.name).record(delay.as_seconds_f64().max(0.0));
    }
}
