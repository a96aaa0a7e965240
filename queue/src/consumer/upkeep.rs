//! What any process does for all: makes scheduled jobs ready, fires schedules, takes the jobs of dead processes, keeps the history's days.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::Shared;
use crate::control::resume_stranded;
use crate::counters::fold;
use crate::history::{keep_days, keep_kinds};
use crate::lease::rescue_expired;
use crate::link::Link;
use crate::metrics::PROMOTED;
use crate::promote::{BATCH_MAX, promote};
use crate::schedule::{declare_all, fire_due, forget_ticks};
use crate::sweep::sweep;

/// How often to look for scheduled jobs that nothing told of.
const PROMOTE_POLL: Duration = Duration::from_secs(2);
/// Hints count only after this; a job that is known to come due sooner is not kept waiting.
const PROMOTE_GAP: Duration = Duration::from_millis(50);
/// The least time between two looks.
const PROMOTE_GAP_MIN: Duration = Duration::from_millis(2);
/// How often to look after the history's days.
const HISTORY_GAP: Duration = Duration::from_secs(3_600);
/// The same after a failure: somebody may hold a lock on it.
const HISTORY_RETRY: Duration = Duration::from_secs(60);

/// How often changes of counts are folded.
const FOLD_GAP: Duration = Duration::from_secs(5);
/// How many times as long as folding took to wait at least.
const FOLD_PAUSE_FACTOR: u32 = 20;

/// Folds the changes of counts.
pub(super) async fn fold_all(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let mut link = Link::new("counters", &options, &[]);
    let fold_all = async {
        loop {
            let began = Instant::now();
            let folded = timeout(shared.timing.lease * 10, async { fold(link.get().await?, shared.shard).await });
            let folded = folded.await;
            if link.check(folded).await.is_some() {
                tokio::time::sleep(FOLD_GAP.max(began.elapsed() * FOLD_PAUSE_FACTOR)).await;
            }
        }
    };
    tokio::select! {
        () = fold_all => {}
        () = shared.stopping.cancelled() => {}
    }
}

/// Wakes when the next scheduled job comes due.
pub(super) async fn promote_all(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let mut link = Link::new("promote", &options, &[]);
    let promote_all = async {
        loop {
            let promoted = timeout(shared.timing.lease, async { promote(link.get().await?, shared.shard).await });
            let promoted = promoted.await;
            let Some(promoted) = link.check(promoted).await else { continue };
            if promoted.jobs > 0 {
                metrics::counter!(PROMOTED.name).increment(promoted.jobs);
                shared.hint(promoted.queues.iter().map(String::as_str));
            }
            if promoted.jobs == BATCH_MAX {
                continue;
            }
            let wait = promoted.next.map_or(PROMOTE_POLL, |next| next.clamp(PROMOTE_GAP_MIN, PROMOTE_POLL));
            tokio::time::sleep(wait.min(PROMOTE_GAP)).await;
            tokio::select! {
                () = shared.promote.notified() => {}
                () = tokio::time::sleep(wait.saturating_sub(PROMOTE_GAP)) => {}
            }
        }
    };
    tokio::select! {
        () = promote_all => {}
        () = shared.stopping.cancelled() => {}
    }
}

/// Declares the registry's schedules, and fires those that are due, whoever declared them.
pub(super) async fn fire_all(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let mut link = Link::new("schedule", &options, &[]);
    let fire_all = async {
        let schedules = &shared.executor.registry.schedules;
        let mut is_declared = schedules.is_empty();
        while !is_declared {
            let declared = timeout(shared.timing.lease, async { declare_all(link.get().await?, schedules).await });
            let declared = declared.await;
            is_declared = link.check(declared).await.is_some();
        }
        loop {
            let fired = timeout(shared.timing.lease, async { fire_due(link.get().await?, shared.shard).await });
            let fired = fired.await;
            let Some(fired) = link.check(fired).await else { continue };
            for queue in fired.queues {
                shared.hint(std::iter::once(queue.as_str()));
                shared.executor.notifier.wake(queue);
            }
            tokio::select! {
                () = shared.schedules.notified() => {}
                () = tokio::time::sleep(fired.wait) => {}
            }
        }
    };
    tokio::select! {
        () = fire_all => {}
        () = shared.stopping.cancelled() => {}
    }
}

/// Looks for leases that ran out, and once an hour after the history.
pub(super) async fn rescue_all(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let mut link = Link::new("upkeep", &options, &[]);
    let mut history_next = Instant::now();
    let kept_apart = shared.executor.registry.kept_apart();
    let rescue_all = async {
        loop {
            if Instant::now() >= history_next {
                let days = shared.timing.history_days;
                let kept = timeout(shared.timing.lease, async {
                    keep_days(link.get().await?, days).await?;
                    keep_kinds(link.get().await?, shared.shard, &kept_apart).await?;
                    forget_ticks(link.get().await?, shared.shard, days).await
                });
                let kept = kept.await;
                let is_kept = link.check(kept).await.is_some();
                history_next = Instant::now() + if is_kept { HISTORY_GAP } else { HISTORY_RETRY };
            }
            // The heartbeat tells when a lease has run out; this is for what it could not see to the end.
            tokio::select! {
                () = shared.rescue.notified() => {}
                () = tokio::time::sleep(HISTORY_RETRY) => {}
            }
            let resumed = timeout(shared.timing.lease * 10, async {
                sweep(link.get().await?, shared.shard).await?;
                resume_stranded(link.get().await?, shared.shard).await
            });
            let resumed = resumed.await;
            if link.check(resumed).await.is_some_and(|jobs| jobs > 0) {
                shared.hint_all();
            }
            let steady_since = *shared.steady_since.lock().expect("nothing panics while it is held");
            if steady_since.is_none_or(|since| since.elapsed() < shared.timing.lease) {
                continue;
            }
            let rescued =
                timeout(shared.timing.lease * 10, async { rescue_expired(link.get().await?, shared.shard).await });
            let rescued = rescued.await;
            if link.check(rescued).await.is_some_and(|rescued| rescued.ready > 0) {
                shared.hint_all();
            }
        }
    };
    tokio::select! {
        () = rescue_all => {}
        () = shared.stopping.cancelled() => {}
    }
}
