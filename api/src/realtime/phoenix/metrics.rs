//! What channels record of themselves.

use queue::metrics::{Metric, counter, gauge};

use super::outbox::Goodbye;

/// The table of this module.
pub(crate) const METRICS: [Metric; 5] = [SOCKETS, MESSAGES, CONNECTS_REFUSED, JOINS_REFUSED, CLOSED];

const SOCKETS: Metric = gauge(
    "channel_sockets",
    &[],
    "Clients of channels that are connected to this process, by WebSocket or long polls.",
);
const MESSAGES: Metric = counter("channel_messages_total", &["direction"], "Frames of channels: in or out.");
const CONNECTS_REFUSED: Metric = counter(
    "channel_connects_refused_total",
    &["reason"],
    "Clients of channels that were refused: version, origin, token or full.",
);
const JOINS_REFUSED: Metric = counter(
    "channel_joins_refused_total",
    &["reason"],
    "Joins that were refused: unmatched topic, unauthorized, too many channels joined, too many joins or unavailable.",
);
const CLOSED: Metric = counter(
    "channel_sockets_closed_total",
    &["reason"],
    "Connections of channels that ended: client, or by us: access, idle, malformed, restart, slow or too_long.",
);

/// Makes every series at 0.
pub(crate) fn register() {
    SOCKETS.register(&[]);
    MESSAGES.register(&[&["in", "out"]]);
    CONNECTS_REFUSED.register(&[&["version", "origin", "token", "full"]]);
    JOINS_REFUSED.register(&[&[
        "unmatched topic",
        "unauthorized",
        "too many channels joined",
        "too many joins",
        "unavailable",
    ]]);
    CLOSED.register(&[&["client", "restart", "access", "idle", "slow", "malformed", "too_long"]]);
}

/// So many clients are connected.
pub(super) fn sockets(open: usize) {
    metrics::gauge!(SOCKETS.name).set(open as f64);
}

/// A client sent a frame.
pub(super) fn received() {
    metrics::counter!(MESSAGES.name, "direction" => "in").increment(1);
}

/// So many frames were sent.
pub(super) fn sent(frames: usize) {
    metrics::counter!(MESSAGES.name, "direction" => "out").increment(frames as u64);
}

/// A client was refused.
pub(super) fn refused_connect(reason: &'static str) {
    metrics::counter!(CONNECTS_REFUSED.name, "reason" => reason).increment(1);
}

/// A join was refused.
pub(super) fn refused_join(reason: &'static str) {
    metrics::counter!(JOINS_REFUSED.name, "reason" => reason).increment(1);
}

/// A connection ended; if it was ours to end it, for this reason.
pub(super) fn closed(goodbye: Option<Goodbye>) {
    metrics::counter!(CLOSED.name, "reason" => goodbye.map_or("client", Goodbye::label)).increment(1);
}
