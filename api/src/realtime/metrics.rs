//! What the hub records of itself.

use chrono::{DateTime, Utc};
use queue::metrics::{Metric, counter, gauge, seconds};

use super::phoenix;

/// The table of this module.
pub(crate) const METRICS: [Metric; 9] = [
    SUBSCRIPTIONS,
    HANDED_OUT,
    CUT_OFF,
    DELAY,
    CHANNEL_SOCKETS,
    CHANNEL_MESSAGES,
    CHANNEL_CONNECTS_REFUSED,
    CHANNEL_JOINS_REFUSED,
    CHANNEL_SOCKETS_CLOSED,
];

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
pub(super) const CHANNEL_SOCKETS: Metric = gauge("channel_sockets", &[], "Sockets of channels that are open.");
pub(super) const CHANNEL_MESSAGES: Metric =
    counter("channel_messages_total", &["direction"], "Messages on the sockets of channels: in or out.");
pub(super) const CHANNEL_CONNECTS_REFUSED: Metric =
    counter("channel_connects_refused_total", &["reason"], "Sockets of channels that were refused, by why.");
pub(super) const CHANNEL_JOINS_REFUSED: Metric =
    counter("channel_joins_refused_total", &["reason"], "Topics of channels that were refused, by why.");
pub(super) const CHANNEL_SOCKETS_CLOSED: Metric =
    counter("channel_sockets_closed_total", &["reason"], "Sockets of channels that ended, by why.");

/// Makes every series at 0.
pub(crate) fn register() {
    [SUBSCRIPTIONS, HANDED_OUT, CUT_OFF, DELAY, CHANNEL_SOCKETS].iter().for_each(|metric| metric.register(&[]));
    CHANNEL_MESSAGES.register(&[&["in", "out"]]);
    CHANNEL_CONNECTS_REFUSED.register(&[&phoenix::CONNECT_REFUSALS]);
    CHANNEL_JOINS_REFUSED.register(&[&phoenix::JOIN_REFUSALS]);
    CHANNEL_SOCKETS_CLOSED.register(&[&phoenix::CLOSED_BY]);
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
