//! When a run last showed that it gets on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The clock of one attempt's timeout, by which the job and its guard go.
#[derive(Debug)]
pub(crate) struct Pulse {
    began: Instant,
    /// In ms after `began`.
    last_ms: AtomicU64,
}

impl Pulse {
    pub(crate) fn new() -> Pulse {
        Pulse { began: Instant::now(), last_ms: AtomicU64::new(0) }
    }

    /// The timeout begins anew.
    pub(crate) fn beat(&self) {
        self.last_ms.store(self.began.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Completes once there has been no beat for this long.
    pub(super) async fn stops(&self, timeout: Duration) {
        loop {
            let silent_for =
                self.began.elapsed().saturating_sub(Duration::from_millis(self.last_ms.load(Ordering::Relaxed)));
            let Some(left) = timeout.checked_sub(silent_for).filter(|left| !left.is_zero()) else { return };
            tokio::time::sleep(left).await;
        }
    }
}
