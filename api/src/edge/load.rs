//! Turning requests away while the database is too slow to serve them: an answer at once is worth more than one that comes too late.
//!
//! While requests are in flight, a pulse goes through the same pool of connections as they do, five times a second. How long it takes is
//! how long the next request would stand in line. When that is too long, requests are refused until a pulse is quick again.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::Notify;

use super::observe::{IN_FLIGHT, POOL_WAIT, REFUSED};
use crate::problem::Problem;

/// The pause between two pulses.
const PAUSE: Duration = Duration::from_millis(200);

/// A pulse that takes longer is given up, with its connection, and another one is sent.
const GIVEN_UP: Duration = Duration::from_secs(5);

/// How much there is to do, and how quick the database is about it.
pub(crate) struct Load {
    in_flight: AtomicUsize,
    in_flight_max: usize,
    is_slow: AtomicBool,
    /// Told when there is something to do again.
    begun: Notify,
}

/// A request in flight.
pub(crate) struct Seat<'a>(&'a Load);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Load {
    /// Watches the pool: a pulse of more than `wait_max` means that it is too slow. Must be called within a tokio runtime.
    pub(crate) fn watch(pool: PgPool, in_flight_max: usize, wait_max: Duration) -> Arc<Load> {
        let (in_flight, is_slow, begun) = (AtomicUsize::new(0), AtomicBool::new(false), Notify::new());
        let load = Arc::new(Load { in_flight, in_flight_max, is_slow, begun });
        tokio::spawn(pulses(Arc::downgrade(&load), pool, wait_max));
        load
    }

    /// Lets a request in, unless there are too many or the database is too slow.
    pub(crate) fn enter(&self) -> Result<Seat<'_>, Problem> {
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(self);
        if before == 0 {
            self.begun.notify_one();
        }
        if before >= self.in_flight_max {
            return Err(refused("busy", "Too many requests are being served; try again."));
        }
        if self.is_slow.load(Ordering::Relaxed) {
            return Err(refused("slow", "The database is too slow at the moment to take more requests; try again."));
        }
        Ok(seat)
    }

    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && !self.is_slow.load(Ordering::Relaxed)
    }

    fn set_slow(&self, is_slow: bool) {
        if self.is_slow.swap(is_slow, Ordering::Relaxed) != is_slow {
            tracing::warn!(is_slow, "requests are turned away while the database is slow");
        }
    }
}

fn refused(why: &'static str, detail: &'static str) -> Problem {
    metrics::counter!(REFUSED.name, "reason" => why).increment(1);
    Problem::unavailable("overloaded", detail)
}

/// Sends pulses for as long as the load is anybody's.
async fn pulses(load: Weak<Load>, pool: PgPool, wait_max: Duration) {
    loop {
        let Some(load) = load.upgrade() else { return };
        if load.is_idle() {
            metrics::gauge!(IN_FLIGHT.name).set(0.0);
            drop(tokio::time::timeout(PAUSE, load.begun.notified()).await);
            continue;
        }
        metrics::gauge!(IN_FLIGHT.name).set(load.in_flight.load(Ordering::Relaxed) as f64);
        pulse(&load, &pool, wait_max).await;
        drop(load);
        tokio::time::sleep(PAUSE).await;
    }
}

/// One pulse: the state follows it at once when it takes too long, not only when it ends.
async fn pulse(load: &Load, pool: &PgPool, wait_max: Duration) {
    let started = Instant::now();
    let mut beat = std::pin::pin!(tokio::time::timeout(GIVEN_UP, sqlx::query("select 1").execute(pool)));
    let ended = match tokio::time::timeout(wait_max, beat.as_mut()).await {
        Ok(ended) => ended,
        Err(_late) => {
            load.set_slow(true);
            beat.await
        }
    };
    let took = started.elapsed();
    metrics::histogram!(POOL_WAIT.name).record(took);
    // A database that is not there says so at once, to each request by itself: then nobody stands in line.
    let is_late = took > wait_max || matches!(ended, Err(_) | Ok(Err(sqlx::Error::PoolTimedOut)));
    load.set_slow(is_late);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn there_are_so_many_seats_and_each_is_given_back() {
        let pool = PgPool::connect_lazy("postgres://nobody@localhost/nothing").unwrap();
        let load = Load::watch(pool, 2, Duration::from_secs(1));
        let (first, _second) = (load.enter().unwrap(), load.enter().unwrap());
        assert_eq!(load.enter().map(drop).unwrap_err().code(), "overloaded");
        drop(first);
        assert!(load.enter().is_ok());
        load.set_slow(true);
        assert_eq!(load.enter().map(drop).unwrap_err().code(), "overloaded");
    }
}
