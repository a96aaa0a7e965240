//! Keeps one run from harming others: a panic, a timeout or a lost lease ends it, and only it.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use super::pulse::Pulse;
use crate::lease::Generation;

/// Why a run was ended from outside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    Panicked(String),
    TimedOut,
    LeaseLost,
    /// By whom.
    Cancelled(String),
}

/// Runs the future to its end, unless one of these comes first; `cancelled` completes when the job's time is up after
/// somebody has asked for its end, and says who.
pub(super) async fn guard<T>(
    generation: &Generation,
    pulse: &Pulse,
    timeout: Duration,
    cancelled: impl Future<Output = String>,
    run: impl Future<Output = T>,
) -> Result<T, Stopped> {
    tokio::select! {
        // The run first: one that ends at once, as most do, sets no timer and registers nowhere.
        biased;
        ran = AssertUnwindSafe(run).catch_unwind() => ran.map_err(|panic| Stopped::Panicked(message(panic.as_ref()))),
        () = generation.lost.cancelled() => Err(Stopped::LeaseLost),
        who = cancelled => Err(Stopped::Cancelled(who)),
        () = pulse.stops(timeout) => Err(Stopped::TimedOut),
    }
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_a_timeout_a_cancel_and_a_lost_lease_end_the_run() {
        let (generation, pulse) = (Generation::new(uuid::Uuid::nil()), Pulse::new());
        let (second, never) = (Duration::from_secs(1), std::future::pending::<String>);
        assert_eq!(guard(&generation, &pulse, second, never(), async { 7 }).await, Ok(7));
        let panics = guard(&generation, &pulse, second, never(), async { panic!("boom {}", 1) });
        assert_eq!(panics.await, Err::<(), _>(Stopped::Panicked("boom 1".to_owned())));
        let hangs = guard(&generation, &pulse, second, never(), std::future::pending::<()>());
        assert_eq!(hangs.await, Err(Stopped::TimedOut));
        let cancelled = guard(&generation, &pulse, second, async { "ada".to_owned() }, std::future::pending::<()>());
        assert_eq!(cancelled.await, Err(Stopped::Cancelled("ada".to_owned())));
        generation.lost.cancel();
        let lost = guard(&generation, &pulse, Duration::from_secs(3), never(), std::future::pending::<()>());
        assert_eq!(lost.await, Err(Stopped::LeaseLost));
    }

    #[tokio::test(start_paused = true)]
    async fn a_beat_restarts_the_timeout() {
        let (generation, pulse) = (Generation::new(uuid::Uuid::nil()), Pulse::new());
        let began = tokio::time::Instant::now();
        let beats = async {
            for _ in 0..3 {
                tokio::time::sleep(Duration::from_millis(900)).await;
                pulse.beat();
            }
            std::future::pending::<()>().await;
        };
        assert_eq!(
            guard(&generation, &pulse, Duration::from_secs(1), std::future::pending(), beats).await,
            Err(Stopped::TimedOut)
        );
        assert_eq!(began.elapsed().as_millis(), 3_700);
    }
}
