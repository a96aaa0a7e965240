//! Reads that may be late go to a replica, while there is one that is not too late.
//!
//! How late it is, is measured by positions in the write-ahead log and our own clock: twice a second the primary says how far it is, and
//! the replica is as late as the oldest such position that it has not reached. So it needs no clock in common, and an idle primary does
//! not look like a late replica.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use domain::{Principal, UserId};
use sqlx::PgPool;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// A look that takes longer found nobody.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);

/// So many who wrote lately are remembered; the map is tidied when it is longer.
const WRITERS_MAX: usize = 100_000;

/// Where the primary is in its log.
const WRITTEN: &str = "
    select (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_insert_lsn() end - '0/0')::bigint";

/// What of that log a standby has applied; null for one that is none any more: it was promoted, and goes its own way.
const APPLIED: &str = "select case when pg_is_in_recovery() then (pg_last_wal_replay_lsn() - '0/0')::bigint end";

/// A replica, and whether it may be read.
pub(crate) struct Replica {
    pool: PgPool,
    lag_max: Duration,
    /// Whether it answers and is not later than that.
    is_current: AtomicBool,
    /// Who has written through this process, and when.
    writers: Mutex<HashMap<UserId, Instant>>,
}

impl Replica {
    /// Watches a replica of `primary`; it is not read before it was found to be current. Must be called within a tokio runtime.
    pub(crate) fn watch(pool: PgPool, primary: PgPool, lag_max: Duration) -> Arc<Replica> {
        let (is_current, writers) = (AtomicBool::new(false), Mutex::default());
        let replica = Arc::new(Replica { pool, lag_max, is_current, writers });
        tokio::spawn(looks(Arc::downgrade(&replica), primary));
        replica
    }

    /// Where the caller's reads may go: to the replica, unless that is away or late, or the caller has written what it may not have yet.
    pub(crate) fn pool_for(&self, caller: &Principal) -> Option<&PgPool> {
        let writers = self.writers.lock().expect("nobody panics while holding the lock");
        let has_written = writers.get(&caller.user_id).is_some_and(|at| at.elapsed() <= 2 * self.lag_max);
        (!has_written && self.is_current.load(Ordering::Relaxed)).then_some(&self.pool)
    }

    /// It could not be read: nobody else need find that out before the next look does.
    pub(crate) fn failed(&self) {
        self.is_current.store(false, Ordering::Relaxed);
    }

    /// Remembers that the caller writes.
    pub(crate) fn wrote(&self, caller: &Principal) {
        let mut writers = self.writers.lock().expect("nobody panics while holding the lock");
        if writers.len() >= WRITERS_MAX {
            writers.retain(|_, at| at.elapsed() <= 2 * self.lag_max);
        }
        writers.insert(caller.user_id, Instant::now());
    }
}

/// Looks again and again, for as long as the replica is anybody's.
async fn looks(replica: Weak<Replica>, primary: PgPool) {
    let mut lag = Lag::default();
    loop {
        let Some(replica) = replica.upgrade() else { return };
        // Without the primary there is nothing to be late against, and nothing new to be missed.
        if let Some(position) = position(&primary, WRITTEN).await {
            lag.primary_is_at(position, Instant::now());
        }
        let is_current = match position(&replica.pool, APPLIED).await {
            Some(position) => lag.of(position, Instant::now()) <= replica.lag_max,
            None => false,
        };
        if replica.is_current.swap(is_current, Ordering::Relaxed) != is_current {
            tracing::warn!(is_current, "whether the replica is read has changed");
        }
        drop(replica);
        tokio::time::sleep(PAUSE).await;
    }
}

async fn position(pool: &PgPool, question: &'static str) -> Option<i64> {
    let asked = sqlx::query_scalar::<_, Option<i64>>(question).fetch_one(pool);
    tokio::time::timeout(LOOK_TIMEOUT, asked).await.ok()?.ok()?
}

/// The positions of the primary that the replica has not reached, oldest first.
#[derive(Default)]
struct Lag(VecDeque<(i64, Instant)>);

impl Lag {
    fn primary_is_at(&mut self, position: i64, now: Instant) {
        // While it stands still there is nothing new to reach.
        if self.0.back().is_none_or(|(last, _)| *last < position) {
            self.0.push_back((position, now));
        }
    }

    /// How late a replica at this position is.
    fn of(&mut self, position: i64, now: Instant) -> Duration {
        while self.0.len() > 1 && self.0.front().is_some_and(|(reached, _)| *reached <= position) {
            self.0.pop_front();
        }
        let missed = self.0.front().filter(|(wanted, _)| *wanted > position);
        missed.map_or(Duration::ZERO, |(_, since)| now.duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_as_late_as_the_oldest_thing_it_lacks() {
        let (start, mut lag) = (Instant::now(), Lag::default());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for (position, second) in [(10, 0), (20, 1), (20, 2), (30, 3)] {
            lag.primary_is_at(position, at(second));
        }
        assert_eq!(lag.of(5, at(4)), Duration::from_secs(4));
        assert_eq!(lag.of(10, at(4)), Duration::from_secs(3));
        assert_eq!(lag.of(25, at(4)), Duration::from_secs(1));
        assert_eq!(lag.of(30, at(400)), Duration::ZERO, "an idle primary makes nobody late");
    }
}
