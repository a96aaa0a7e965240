//! Claims jobs whenever there may be some and there is room for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;
use uuid::Uuid;

use super::Shared;
use super::flush::Outcome;
use crate::claim::cursor::Cursor;
use crate::claim::limited::{Round, Taken};
use crate::claim::lone::{self, Lone};
use crate::claim::start::{Start, load, save};
use crate::claim::{Claimed, Wanted, claim};
use crate::error::Failure;
use crate::lane::{Room, Source};
use crate::lease::{Generation, take_back_since};
use crate::link::Link;
use crate::metrics::{CLAIM_SECONDS, CLAIM_SIZE, JOBS_CLAIMED};
use crate::registry::Kind;
use crate::settle::{DeadReason, Settlement, Verdict};

/// In a stream of jobs, claims that bring few begin at least this far apart: each then brings more, and costs less for
/// each job. A job that comes to an idle worker is claimed at once.
const STREAM_GAP: Duration = Duration::from_millis(3);

/// What somebody has locked that is to be taken back is looked at again after this time.
const LOCKED_GAP: Duration = Duration::from_secs(1);

struct Fetcher {
    shared: Arc<Shared>,
    link: Link,
    /// Where the claims of each lane have got to.
    cursors: Vec<Cursor>,
    /// When to look from the beginning of a lane again, where a look from the middle found less than was wanted.
    rechecks: Vec<Option<Instant>>,
    round: Round,
    /// When the last claim began, if it brought few jobs.
    small_claim: Option<Instant>,
    /// When a limit's bucket will have a token again.
    token_at: Option<Instant>,
    /// The lease that the two below are about.
    generation: Option<Arc<Generation>>,
    /// When the last claim whose answer arrived was made, by the database's clock; or to when that was put back since.
    last_claimed_at: Option<DateTime<Utc>>,
    /// An answer has not arrived: there may be jobs in our name that nobody runs.
    is_unsure: bool,
}

pub(super) async fn run(shared: Arc<Shared>, options: Arc<PgConnectOptions>) {
    // A claim that a crash of the server undoes has done no harm, so it need not wait for the disk.
    let link = Link::new("claim", &options, &[("synchronous_commit", "off")]);
    let lanes = shared.lanes.len();
    let mut fetcher = Fetcher {
        shared: shared.clone(),
        link,
        cursors: std::iter::repeat_with(Cursor::default).take(lanes).collect(),
        rechecks: vec![None; lanes],
        round: Round::default(),
        small_claim: None,
        token_at: None,
        generation: None,
        last_claimed_at: None,
        is_unsure: false,
    };
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        () = fetcher.run() => {}
    }
}

impl Fetcher {
    async fn run(&mut self) {
        let shared = self.shared.clone();
        let mut next_poll = Instant::now() + shared.poll_gap();
        loop {
            while self.fetch().await {}
            let gated = shared.lanes.iter().filter_map(|lane| lane.ask_again_in()).map(|wait| Instant::now() + wait);
            let known = self.rechecks.iter().flatten().chain(&self.token_at).copied();
            let ask_again = gated.chain(known).fold(next_poll, Instant::min);
            tokio::select! {
                () = shared.fetch.notified() => {}
                () = tokio::time::sleep_until(ask_again.into()) => {
                    self.hint_what_is_due();
                    if Instant::now() >= next_poll {
                        shared.lanes.iter().for_each(|lane| lane.hint(Source::Ready));
                        next_poll = Instant::now() + shared.poll_gap();
                    }
                }
            }
        }
    }

    fn hint_what_is_due(&mut self) {
        let now = Instant::now();
        for (recheck, lane) in self.rechecks.iter_mut().zip(&self.shared.lanes) {
            if recheck.take_if(|due| *due <= now).is_some() {
                lane.hint(Source::Ready);
            }
        }
        if self.token_at.take_if(|due| *due <= now).is_some() {
            self.shared.lanes.iter().for_each(|lane| lane.hint(Source::Limited));
        }
    }

    /// One claim, if one is worth it; returns whether to look again at once.
    async fn fetch(&mut self) -> bool {
        let shared = self.shared.clone();
        let Some(generation) = shared.generation().filter(|generation| generation.is_live()) else { return false };
        if self.generation.as_ref().is_none_or(|known| known.id != generation.id) {
            let is_first = self.generation.replace(generation.clone()).is_none();
            (self.last_claimed_at, self.is_unsure) = (None, false);
            self.cursors.iter_mut().for_each(Cursor::reset);
            if is_first {
                self.go_on().await;
            }
        }
        if let Some(now) = shared.put_back.lock().expect("nothing panics while it is held").take() {
            self.last_claimed_at = self.last_claimed_at.min(Some(now));
        }
        if self.is_unsure && !self.make_sure(&generation).await {
            return true;
        }
        if let Some(last) = self.small_claim.take() {
            tokio::time::sleep_until((last + STREAM_GAP).into()).await;
        }
        let rooms: Vec<Room> = shared.lanes.iter().map(|lane| lane.room()).collect();
        let has_ready = rooms.iter().any(|room| room.ready > 0);
        let has_limited = rooms.iter().any(|room| room.limited > 0);
        if has_ready {
            self.claim_ready(&generation, &rooms).await;
        }
        // After a claim without an answer, the next round makes sure first.
        if has_limited && !self.is_unsure {
            self.claim_limited(&generation, &rooms).await;
        }
        has_ready || has_limited
    }

    async fn claim_ready(&mut self, generation: &Arc<Generation>, rooms: &[Room]) {
        let shared = self.shared.clone();
        let began = Instant::now();
        let asked: Vec<usize> = (0..rooms.len()).filter(|lane| rooms[*lane].ready > 0).collect();
        if let [lane] = asked[..]
            && let Some(id) = rooms[lane].lone
        {
            return self.claim_lone(generation, lane, id).await;
        }
        let (mut wanted, mut is_whole) = (Vec::with_capacity(asked.len()), Vec::with_capacity(asked.len()));
        for lane in &asked {
            let (ranges, whole) = self.cursors[*lane].ranges(began, self.last_claimed_at);
            wanted.push(Wanted { queue: &shared.lanes[*lane].queue, jobs: rooms[*lane].ready, ranges });
            is_whole.push(whole);
            shared.lanes[*lane].claiming(Source::Ready);
        }
        // Unsure until the answer is there, also if this task is dropped here.
        self.is_unsure = true;
        let claimed = timeout(shared.timing.lease, async {
            claim(self.link.get().await?, shared.shard, generation.id, &wanted).await
        });
        let claimed = claimed.await;
        let Some(claimed) = self.link.check(claimed).await else { return shared.hint_all() };
        self.is_unsure = false;
        let (ended, took) = (Instant::now(), began.elapsed());
        let wanted_in_all: usize = wanted.iter().map(|one| one.jobs).sum();
        self.small_claim = (claimed.len() < wanted_in_all / 4).then_some(began);
        note_claim(took, claimed.len());
        let mut starts = Vec::new();
        for ((lane, wanted), is_whole) in asked.iter().zip(&wanted).zip(is_whole) {
            let of_lane = || claimed.iter().filter(|job| job.queue == wanted.queue);
            let start = self.cursors[*lane].claimed(of_lane(), is_whole.then_some((ended, took)));
            starts.extend(start.map(|start| (*lane, start)));
            let is_full = of_lane().count() >= wanted.jobs;
            match self.cursors[*lane].whole_due().filter(|due| !is_whole && !is_full && *due > ended) {
                Some(due) => self.rechecks[*lane] = Some(due),
                None if is_full || !is_whole => shared.lanes[*lane].hint(Source::Ready),
                None => {}
            }
        }
        self.hand_over(generation, claimed);
        self.tell(starts).await;
    }

    /// Claims the job that came alone.
    async fn claim_lone(&mut self, generation: &Arc<Generation>, lane: usize, id: Uuid) {
        let (shared, began) = (self.shared.clone(), Instant::now());
        let lane = &shared.lanes[lane];
        lane.claiming(Source::Ready);
        self.is_unsure = true;
        let claimed = timeout(shared.timing.lease, async {
            lone::claim(self.link.get().await?, shared.shard, generation.id, &lane.queue, id).await
        });
        let claimed = claimed.await;
        let Some(claimed) = self.link.check(claimed).await else { return shared.hint_all() };
        self.is_unsure = false;
        let claimed = match claimed {
            Lone::Claimed(job) => vec![*job],
            Lone::OfLimitedQueue => return lane.hint(Source::Ready),
            Lone::Gone => Vec::new(),
        };
        self.small_claim = Some(began);
        note_claim(began.elapsed(), claimed.len());
        self.hand_over(generation, claimed);
    }

    /// Tells processes that begin what slow looks from the beginning have found.
    async fn tell(&mut self, starts: Vec<(usize, Start)>) {
        let shared = self.shared.clone();
        for (lane, start) in starts {
            let saved = timeout(shared.timing.lease, async {
                save(self.link.get().await?, shared.shard, &shared.lanes[lane].queue, &start).await
            });
            let saved = saved.await;
            self.link.check(saved).await;
        }
    }

    /// Goes on where others have got to, in the lanes whose beginning is slow to look at.
    async fn go_on(&mut self) {
        let shared = self.shared.clone();
        let queues: Vec<&str> = shared.lanes.iter().map(|lane| lane.queue.as_str()).collect();
        let starts =
            timeout(shared.timing.lease, async { load(self.link.get().await?, shared.shard, &queues).await }).await;
        for (queue, start) in self.link.check(starts).await.unwrap_or_default() {
            let lane = queues.iter().position(|of_lane| *of_lane == queue).expect("only these were asked for");
            self.rechecks[lane] = Some(Instant::now() + start.pause);
            self.cursors[lane].go_on(start, Instant::now());
        }
    }

    async fn claim_limited(&mut self, generation: &Arc<Generation>, rooms: &[Room]) {
        let shared = self.shared.clone();
        let lanes = || shared.lanes.iter().zip(rooms).filter(|(_, room)| room.limited > 0);
        let wanted: Vec<(&str, usize)> = lanes().map(|(lane, room)| (lane.queue.as_str(), room.limited)).collect();
        lanes().for_each(|(lane, _)| lane.claiming(Source::Limited));
        self.is_unsure = true;
        let taken = timeout(shared.timing.lease, async {
            self.round.claim(self.link.get().await?, shared.shard, generation.id, &wanted).await
        });
        let taken = taken.await;
        let Some(Taken { jobs, has_more, token_in }) = self.link.check(taken).await else { return shared.hint_all() };
        self.is_unsure = false;
        self.token_at = token_in.map(|wait| Instant::now() + wait.min(Duration::from_secs(3_600)));
        if has_more {
            lanes().for_each(|(lane, _)| lane.hint(Source::Limited));
        }
        self.hand_over(generation, jobs);
    }

    /// Hands back what a claim without an answer may have claimed.
    async fn make_sure(&mut self, generation: &Generation) -> bool {
        let shared = self.shared.clone();
        let taken_back = timeout(shared.timing.lease, async {
            take_back_since(self.link.get().await?, shared.shard, generation.id, self.last_claimed_at).await
        });
        let taken_back = taken_back.await;
        let taken_back = self.link.check(taken_back).await;
        self.cursors.iter_mut().for_each(Cursor::reset);
        if taken_back == Some(false) {
            tracing::warn!("somebody has locked a job that is to be taken back; nothing is claimed until that is done");
            tokio::time::sleep(LOCKED_GAP).await;
        }
        self.is_unsure = taken_back != Some(true);
        !self.is_unsure
    }

    /// Puts the jobs in their lanes.
    fn hand_over(&mut self, generation: &Arc<Generation>, claimed: Vec<Claimed>) {
        let shared = &self.shared;
        self.last_claimed_at = claimed.iter().map(|job| job.holding.claimed_at).max().or(self.last_claimed_at);
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
            metrics::counter!(JOBS_CLAIMED.name, "queue" => queue).increment(jobs.len() as u64);
            self.sort_out(generation, index, jobs);
        }
        shared.measure();
    }

    /// Puts what is to be run in the lane, and settles the rest.
    fn sort_out(&self, generation: &Arc<Generation>, index: usize, jobs: Vec<Claimed>) {
        let lane = &self.shared.lanes[index];
        let (mut known, mut unrun) = (Vec::with_capacity(jobs.len()), Vec::new());
        for job in jobs {
            match self.look_at(&job) {
                Ok(kind) => known.push((kind, job)),
                Err(verdict) => unrun.push(Settlement { holding: job.holding, ctid: None, verdict }),
            }
        }
        let late = lane.push(generation, known);
        self.shared.give_back(index, &late, Verdict::Returned);
        lane.took_in(unrun.len());
        self.shared.report(Outcome::unrun(index, unrun));
    }

    /// The kind of a job that is to be run, or what becomes of it instead.
    fn look_at(&self, job: &Claimed) -> Result<Arc<Kind>, Verdict> {
        if let Some(actor) = &job.cancelled_by {
            return Err(Verdict::Cancelled(Failure::text(format!("cancelled by {actor}"))));
        }
        if job.is_expired {
            return Err(Verdict::Discarded(Failure::text("it had expired before it could begin")));
        }
        if self.shared.paused_kinds().contains(&job.kind) {
            return Err(Verdict::Parked);
        }
        let Some(kind) = self.shared.executor.registry.find(&job.kind) else {
            tracing::error!(id = %job.holding.id, kind = job.kind, "no such kind of job; it goes to the dead letters");
            let failure = Failure::text(format!("the worker knows no kind of job named {}", job.kind));
            return Err(Verdict::Dead(DeadReason::UnknownKind, failure));
        };
        Ok(kind.clone())
    }
}

fn note_claim(took: Duration, jobs: usize) {
    metrics::histogram!(CLAIM_SECONDS.name).record(took);
    metrics::histogram!(CLAIM_SIZE.name).record(jobs as f64);
}
