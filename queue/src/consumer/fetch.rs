//! Claims jobs whenever there may be some and there is room for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::Shared;
use super::flush::Outcome;
use crate::claim::{Claimed, claim};
use crate::error::Failure;
use crate::lease::{Generation, take_back_since};
use crate::link::Link;
use crate::metrics::{CLAIM_SECONDS, IN_HAND, JOBS_CLAIMED};
use crate::settle::{DeadReason, Settlement, Verdict};

struct Fetcher {
    shared: Arc<Shared>,
    link: Link,
    /// The lease that the two below are about.
    generation: Option<Arc<Generation>>,
    /// When the last claim whose answer arrived was made, by the database's clock.
    last_claimed_at: Option<DateTime<Utc>>,
    /// An answer has not arrived: there may be jobs in our name that nobody runs.
    is_unsure: bool,
}

pub(super) async fn run(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    // A claim that a crash of the server undoes has done no harm, so it need not wait for the disk.
    let link = Link::new("claim", &options, &[("synchronous_commit", "off")]);
    let mut fetcher =
        Fetcher { shared: shared.clone(), link, generation: None, last_claimed_at: None, is_unsure: false };
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        () = fetcher.run() => {}
    }
}

impl Fetcher {
    async fn run(&mut self) {
        let shared = self.shared.clone();
        let mut next_poll = Instant::now() + shared.timing.poll;
        loop {
            while self.fetch().await {}
            let ask_again = shared.lanes.iter().filter_map(|lane| lane.ask_again_in()).min();
            let ask_again = ask_again.map_or(next_poll, |wait| next_poll.min(Instant::now() + wait));
            tokio::select! {
                () = shared.fetch.notified() => {}
                () = tokio::time::sleep_until(ask_again.into()) => {
                    if Instant::now() >= next_poll {
                        shared.hint_all();
                        next_poll = Instant::now() + shared.timing.poll;
                    }
                }
            }
        }
    }

    /// One claim, if one is worth it; returns whether to look again at once.
    async fn fetch(&mut self) -> bool {
        let shared = self.shared.clone();
        let Some(generation) = shared.generation().filter(|generation| generation.is_live()) else { return false };
        if self.generation.as_ref().is_none_or(|known| known.id != generation.id) {
            self.generation = Some(generation.clone());
            (self.last_claimed_at, self.is_unsure) = (None, false);
        }
        if self.is_unsure && !self.make_sure(&generation).await {
            return true;
        }
        let wanted: HashMap<&str, usize> = shared
            .lanes
            .iter()
            .map(|lane| (lane.queue.as_str(), lane.wanted()))
            .filter(|(_, wanted)| *wanted > 0)
            .collect();
        if wanted.is_empty() {
            return false;
        }
        shared.lanes.iter().filter(|lane| wanted.contains_key(lane.queue.as_str())).for_each(|lane| lane.claiming());
        let began = Instant::now();
        // Unsure until the answer is there, also if this task is dropped here.
        self.is_unsure = true;
        let claimed = timeout(shared.timing.lease, async {
            claim(self.link.get().await?, shared.shard, generation.id, &wanted).await
        });
        let claimed = claimed.await;
        let Some(claimed) = self.link.check(claimed).await else {
            shared.hint_all();
            return true;
        };
        self.is_unsure = false;
        metrics::histogram!(CLAIM_SECONDS.name).record(began.elapsed());
        self.hand_over(&generation, &wanted, claimed);
        true
    }

    /// Hands back what a claim without an answer may have claimed.
    async fn make_sure(&mut self, generation: &Generation) -> bool {
        let shared = self.shared.clone();
        let taken_back = timeout(shared.timing.lease, async {
            take_back_since(self.link.get().await?, shared.shard, generation.id, self.last_claimed_at).await
        });
        let taken_back = taken_back.await;
        let is_sure = self.link.check(taken_back).await.is_some();
        self.is_unsure = !is_sure;
        is_sure
    }

    /// Puts the jobs in their lanes.
    fn hand_over(&mut self, generation: &Arc<Generation>, wanted: &HashMap<&str, usize>, claimed: Vec<Claimed>) {
        let shared = &self.shared;
        self.last_claimed_at = claimed.iter().map(|job| job.claimed_at).max().or(self.last_claimed_at);
        let mut by_queue: HashMap<String, Vec<Claimed>> = HashMap::new();
        for job in claimed {
            // The queue's name is only looked at here, so it is moved rather than copied where it can be.
            match by_queue.get_mut(&job.queue) {
                Some(jobs) => jobs.push(job),
                None => drop(by_queue.insert(job.queue.clone(), vec![job])),
            }
        }
        for (queue, jobs) in by_queue {
            let index = shared.lanes.iter().position(|lane| lane.queue == queue);
            let index = index.expect("only the queues of lanes are claimed from");
            let lane = &shared.lanes[index];
            metrics::counter!(JOBS_CLAIMED.name, "queue" => queue.clone()).increment(jobs.len() as u64);
            if wanted.get(queue.as_str()).is_some_and(|wanted| jobs.len() >= *wanted) {
                lane.hint();
            }
            let (mut known, mut unknown) = (Vec::with_capacity(jobs.len()), Vec::new());
            for job in jobs {
                match shared.executor.registry.find(&job.kind) {
                    Some(kind) => known.push((kind.clone(), job)),
                    None => unknown.push(job),
                }
            }
            let late = lane.push(generation, known);
            shared.give_back(index, &late);
            self.bury(index, unknown);
            metrics::gauge!(IN_HAND.name, "queue" => queue).set(lane.in_hand() as f64);
        }
    }

    /// Jobs of a kind that this process does not know are kept, as dead letters that name it.
    fn bury(&self, lane: usize, unknown: Vec<Claimed>) {
        if unknown.is_empty() {
            return;
        }
        self.shared.lanes[lane].took_in(unknown.len());
        let settlement = |job: &Claimed| {
            tracing::error!(id = %job.holding.id, kind = job.kind, "no such kind of job; it goes to the dead letters");
            let failure = Failure::text(format!("the worker knows no kind of job named {}", job.kind));
            Settlement { holding: job.holding, verdict: Verdict::Dead(DeadReason::UnknownKind, failure) }
        };
        self.shared.report(Outcome::unrun(lane, unknown.iter().map(settlement).collect()));
    }
}
