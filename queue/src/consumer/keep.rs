//! Keeps the process's lease: registers, renews, and registers anew when it has been lost. With each heartbeat it hears
//! what operators have said.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::Shared;
use crate::cancel::Wish;
use crate::lane::Source;
use crate::lease::{Clock, Generation, Jump, News, hand_back, register, renew};
use crate::limit::declare;
use crate::link::Link;
use crate::metrics::PROCESS_LEASE_LOST;
use crate::settle::Verdict;

pub(super) async fn run(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    let mut link = Link::new("lease", &options, &[]);
    tokio::select! {
        () = keep(&shared, &mut link) => {}
        () = shared.ended.cancelled() => {}
    }
    // The last outcomes are written under the lease, so it goes after them.
    shared.outcomes.closed().await;
    if let Some(generation) = shared.generation() {
        give_up(&shared, &mut link, &generation).await;
    }
}

async fn keep(shared: &Shared, link: &mut Link) {
    let (queues, kinds) = (shared.queues(), shared.executor.registry.kinds());
    loop {
        let registered = timeout(shared.timing.lease, async {
            declare(link.get().await?, &shared.executor.registry.limits).await?;
            register(link.get().await?, shared.shard, &queues, &kinds, shared.timing.lease).await
        });
        let registered = registered.await;
        let Some(generation) = link.check(registered).await else { continue };
        let generation = Arc::new(generation);
        tracing::info!(process = %generation.id, ?queues, "registered");
        *shared.steady_since.lock().expect("nothing panics while it is held") = Some(Instant::now());
        shared.lease.send_replace(Some(generation.clone()));
        shared.hint_all();
        // At once, to hear what holds.
        shared.control.notify_one();
        renew_until_lost(shared, link, &generation).await;
        tracing::error!(process = %generation.id, "lost the lease: what was in hand is no longer ours");
        metrics::counter!(PROCESS_LEASE_LOST.name).increment(1);
        shared.lease.send_replace(None);
        generation.lost.cancel();
        shared.lanes.iter().for_each(|lane| lane.purge());
    }
}

async fn renew_until_lost(shared: &Shared, link: &mut Link, generation: &Generation) {
    let (mut is_failing, mut heard, queues) = (false, Vec::new(), shared.queues());
    let mut clock = Clock::default();
    loop {
        if !is_failing {
            tokio::select! {
                () = tokio::time::sleep(shared.timing.heartbeat) => {}
                () = shared.control.notified() => {}
            }
        }
        let sent = Instant::now();
        // Half a lease, so that there is time for another attempt.
        let renewed = timeout(shared.timing.lease / 2, async {
            renew(link.get().await?, shared.shard, generation, shared.timing.lease, &heard, &queues).await
        });
        let renewed = renewed.await;
        if renewed.as_ref().map_or(true, |answer| answer.is_err()) {
            *shared.steady_since.lock().expect("nothing panics while it is held") = None;
        }
        match link.check(renewed).await {
            Some(news) if news.is_renewed => {
                let mut steady_since = shared.steady_since.lock().expect("nothing panics while it is held");
                let jump = clock.look(sent, news.now, Instant::now());
                if jump == Some(Jump::Ahead) {
                    *steady_since = None;
                }
                steady_since.get_or_insert_with(Instant::now);
                drop(steady_since);
                if let Some(jump) = jump {
                    shared.jumped(jump, news.now);
                }
                heard = shared.hear(news);
                // What was held back while the lease was in doubt may begin.
                shared.lanes.iter().for_each(|lane| lane.wake());
                is_failing = false;
            }
            Some(_) => return,
            None => is_failing = true,
        }
    }
}

impl Shared {
    fn queues(&self) -> Vec<&str> {
        self.lanes.iter().map(|lane| lane.queue.as_str()).collect()
    }

    /// The database's clock has jumped; it is this time now.
    fn jumped(&self, jump: Jump, now: DateTime<Utc>) {
        match jump {
            Jump::Ahead => {
                tracing::warn!("the database's clock was put forward; for a lease, no process is called lost");
                // Claims have brought nothing since, as our own lease had run out.
                self.hint_all();
            }
            Jump::Back => {
                tracing::warn!("the database's clock was put back");
                *self.put_back.lock().expect("nothing panics while it is held") = Some(now);
            }
        }
    }

    /// Acts on what a heartbeat heard; returns what somebody wants ended.
    fn hear(&self, news: News) -> Vec<Wish> {
        self.measure();
        let wishes = news.wishes();
        self.executor.cancellations.hear(&wishes);
        *self.paused_kinds.write().expect("nothing panics while it is held") =
            news.paused_kinds.into_iter().collect::<HashSet<_>>();
        let paused_kinds = self.paused_kinds();
        for (index, lane) in self.lanes.iter().enumerate() {
            if news.paused_queues.contains(&lane.queue) {
                self.give_back(index, &lane.take_waiting(|_| true), Verdict::Returned);
            } else if !paused_kinds.is_empty() {
                self.give_back(index, &lane.take_waiting(|kind| paused_kinds.contains(kind)), Verdict::Parked);
            }
            if news.limited_queues.contains(&lane.queue) {
                lane.hint(Source::Limited);
                self.fetch.notify_one();
            }
        }
        if news.has_expired {
            self.rescue.notify_one();
        }
        if news.has_ended {
            self.unblock.notify_one();
        }
        wishes
    }
}

/// One attempt is enough: what is not given up runs out.
async fn give_up(shared: &Shared, link: &mut Link, generation: &Generation) {
    let given_up =
        timeout(shared.timing.lease, async { hand_back(link.get().await?, shared.shard, generation.id).await });
    let given_up = given_up.await;
    if let Some(handed_back) = link.check(given_up).await {
        tracing::info!(process = %generation.id, jobs = handed_back.ready, "gave up the lease");
    }
}
