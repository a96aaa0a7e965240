//! What the hub records of itself.

use chrono::{DateTime, Utc};
use queue::metrics::{Metric, MetricType};

/// The table of this module.
const METRICS: [Metric; 4] = [SUBSCRIPTIONS, HANDED_OUT, CUT_OFF, DELAY];

const SUBSCRIPTIONS: Metric = Metric {
    name: "events_subscriptions",
    kind: MetricType::Gauge,
    unit: metrics::Unit::Count,
    labels: &[],
    help: "Subscriptions to events that are open in this process.",
};
const HANDED_OUT: Metric = Metric {
    name: "events_handed_out_total",
    kind: MetricType::Counter,
    unit: metrics::Unit::Count,
    labels: &[],
    help: "Events that this process read from the log for its subscribers.",
};
const CUT_OFF: Metric = Metric {
    name: "events_cut_off_total",
    kind: MetricType::Counter,
    unit: metrics::Unit::Count,
    labels: &[],
    help: "Subscribers that were cut off because they read too slowly.",
};
const DELAY: Metric = Metric {
    name: "events_delay_seconds",
    kind: MetricType::Histogram,
    unit: metrics::Unit::Seconds,
    labels: &[],
    help: "From an event being published to its being handed out, the commit and the numbering included; the oldest of each look counts.",
};

/// Says what the metrics are, once, for the exporter.
pub(crate) fn describe() {
    for Metric { name, kind, unit, help, .. } in METRICS {
        match kind {
            MetricType::Counter => metrics::describe_counter!(name, unit, help),
            MetricType::Gauge => metrics::describe_gauge!(name, unit, help),
            MetricType::Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
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
