//! Waiting for something that gives no signal of its own, such as a process that ends or a file that appears.

use std::time::{Duration, Instant};

/// How often it is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What `look` finds, as soon as it finds something.
///
/// # Panics
/// When it has found nothing after `patience`; `what` says what was waited for.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < patience, "waited {patience:?} in vain for {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
