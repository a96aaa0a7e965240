//! What the jobs of webhooks share: the client that posts, the signature, and the way from events to deliveries.

pub mod client;
pub mod dispatch;
pub(crate) mod metrics;
pub mod sign;

use std::time::Duration;

use queue::Limit;

/// Each endpoint has so many deliveries under way at once, over all processes: one that is slow holds up itself.
pub(crate) const ENDPOINT_LIMIT: &str = "webhooks.endpoint";

/// How many.
const RUNNING_MAX: u32 = 2;

/// The limit, which a worker declares.
pub(crate) fn limit() -> Limit {
    Limit::running(ENDPOINT_LIMIT, RUNNING_MAX)
}

/// How long after each failed attempt the next one is made: the standard's schedule. After the last one there is none.
pub const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3_600),
    Duration::from_secs(5 * 3_600),
    Duration::from_secs(10 * 3_600),
    Duration::from_secs(14 * 3_600),
    Duration::from_secs(20 * 3_600),
    Duration::from_secs(24 * 3_600),
];
