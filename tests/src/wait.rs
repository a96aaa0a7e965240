//! Waiting for something that gives no signal of its own, such as a process that ends or a file that appears.

use std::time::{Duration, Instant};

/// How often it is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// What `look` finds, as soon as it finds something.
///
/// # Panics
/// When it has found nothing after `patience`; `what` says what was waited for.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    until_async(what, patience, async || look()).await
}

/// [`until`] where looking takes a request or a statement.
///
/// # Panics
/// As [`until`].
pub async fn until_async<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(started.elapsed() < patience, "waited {patience:?} in vain for {what}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
