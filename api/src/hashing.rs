//! Passwords are slow on purpose (tens of milliseconds, 19 MiB each): they are hashed off the async threads, few at once, and
//! whoever finds too long a line is sent away instead of made to wait.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::problem::Problem;

/// So many passwords are hashed at once: more would only slow each other and every other request.
const AT_ONCE: usize = 2;

/// So many more may wait for their turn, about two seconds' worth.
const WAITING_MAX: usize = 100;

/// Bounds the work on passwords.
pub(crate) struct Hashing {
    at_once: Arc<Semaphore>,
    line: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Hashing {
        Hashing { at_once: Arc::new(Semaphore::new(AT_ONCE)), line: Arc::new(Semaphore::new(AT_ONCE + WAITING_MAX)) }
    }
}

impl Hashing {
    /// Runs `work` on a blocking thread when its turn comes. It goes on if the caller goes away, and keeps its turn until it ends.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let place = self.line.clone().try_acquire_owned();
        let place =
            place.map_err(|_| Problem::unavailable("busy", "Too many passwords are being checked; try again."))?;
        let turn = self.at_once.clone().acquire_owned().await.expect("the semaphore is never closed");
        let work = move || {
            let _held = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Problem::internal())
    }
}
