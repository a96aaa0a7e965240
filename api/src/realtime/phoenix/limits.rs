//! Bounds on channels.

use std::time::Duration;

use super::topics::TopicMap;

/// What channels may take, and which there are.
#[derive(Debug, Clone)]
pub struct SocketLimits {
    /// How many clients may be connected at once; more are turned away with 503.
    pub sockets_max: usize,
    /// How many of them may be one user's; more are turned away with 429.
    pub sockets_per_user_max: usize,
    /// Topics that one client may have joined at once.
    pub channels_max: usize,
    /// Bytes of a frame that a client sends.
    pub frame_bytes_max: usize,
    /// How many joins a second one client may send in the long run; ten times as many may come at once.
    pub joins_per_second: u32,
    /// A client of which nothing is heard for so long loses its connection; it sends a heartbeat every 30 s.
    pub idle_timeout: Duration,
    /// How long a long poll waits for something to tell.
    pub poll_window: Duration,
    /// The topics.
    pub topics: TopicMap,
}

impl Default for SocketLimits {
    fn default() -> SocketLimits {
        SocketLimits {
            sockets_max: 20_000,
            sockets_per_user_max: 100,
            channels_max: 100,
            frame_bytes_max: 64 * 1024,
            joins_per_second: 20,
            idle_timeout: Duration::from_secs(60),
            poll_window: Duration::from_secs(10),
            topics: TopicMap::default(),
        }
    }
}
