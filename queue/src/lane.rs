//! The jobs of one queue that this process has claimed: what waits to be run, what runs, and how much more to claim.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::claim::Claimed;
use crate::lease::Generation;
use crate::registry::Kind;
use crate::settle::Freed;
use crate::share::Share;

/// Jobs are claimed ahead for as long as this, by what runs have taken lately.
const AHEAD: Duration = Duration::from_millis(100);
/// The most jobs claimed ahead of what runs: with fewer, those that wait to be settled leave too few to be run.
const AHEAD_JOBS_MAX: usize = 10_000;
/// The most jobs of one claim, so that the first of them need not wait long for the last.
const CLAIM_JOBS_MAX: usize = 2_000;
/// Room for fewer is not worth a round trip while others wait to be run.
const CLAIM_JOBS_MIN: usize = 1_000;
/// While all places are taken, or those of a batch kind are, claims are at least this far apart: each then brings more.
const SATURATED_GAP: Duration = Duration::from_millis(20);
/// A suspect of one crash shares its batch with this part of the usual number; a suspect of two stands alone.
const SUSPECT_SHARE: usize = 8;

/// Where jobs are claimed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The jobs that are ready.
    Ready,
    /// Those that wait for a place of their limit.
    Limited,
}

/// How many jobs to claim from each source now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) ready: usize,
    pub(crate) limited: usize,
    /// The one job that is ready, if no other is known of.
    pub(crate) lone: Option<Uuid>,
}

/// What is to be run at once: one job, or several of a batch kind.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) kind: Arc<Kind>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) jobs: Arc<Vec<Claimed>>,
}

/// One queue of this process.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) queue: String,
    concurrency: usize,
    inner: Mutex<Inner>,
    /// The runs that all queues of the process share, and this one's place among them, if they do.
    share: Option<(Arc<Share>, usize)>,
    worker: AtomicWaker,
    closer: AtomicWaker,
    /// Tells the claiming task that there is room.
    fetch: Arc<Notify>,
}

#[derive(Debug)]
struct Inner {
    lines: Vec<Line>,
    waiting: usize,
    runs: usize,
    /// Claimed and not settled: what waits, what runs, and outcomes that are not written yet.
    in_hand: usize,
    /// How long runs of single jobs have taken lately, in seconds; none before the first.
    run_s: Option<f64>,
    may_have_ready: bool,
    /// A job that is ready; others may be only if the above says so.
    lone: Option<Uuid>,
    may_have_limited: bool,
    /// Jobs under a limit have been seen in this queue.
    has_limits: bool,
    /// Who gets the larger half of the room, while there are jobs of both sources.
    is_turn_of_limited: bool,
    last_claim: Option<Instant>,
    next_place: u64,
    is_stopped: bool,
}

/// The waiting jobs of one kind, in the order in which they were claimed.
#[derive(Debug)]
struct Line {
    kind: Arc<Kind>,
    runs: usize,
    jobs: VecDeque<(u64, Arc<Generation>, Claimed)>,
}

impl Line {
    fn may_begin(&self) -> bool {
        self.kind.concurrency.is_none_or(|max| self.runs < max)
    }

    /// Takes the first job, and for a batch kind those that may share its batch.
    fn take(&mut self) -> Vec<Claimed> {
        let (_, generation, first) = self.jobs.pop_front().expect("only a line with jobs is taken from");
        let crashes = first.crashes;
        let max = match crashes {
            0 => self.kind.batch_max,
            1 => (self.kind.batch_max / SUSPECT_SHARE).max(1),
            _ => 1,
        };
        let mut jobs = vec![first];
        let joins =
            |(_, next, job): &(u64, Arc<Generation>, Claimed)| job.crashes == crashes && Arc::ptr_eq(next, &generation);
        while jobs.len() < max && self.jobs.front().is_some_and(joins) {
            jobs.extend(self.jobs.pop_front().map(|(_, _, job)| job));
        }
        jobs
    }
}

impl Lane {
    /// An empty lane; `concurrency` is how many runs it has at once, `share` what it shares with the others.
    pub(crate) fn new<'a>(
        queue: &str,
        concurrency: usize,
        kinds: impl Iterator<Item = &'a Arc<Kind>>,
        share: Option<(Arc<Share>, usize)>,
        fetch: Arc<Notify>,
    ) -> Lane {
        let lines = kinds.map(|kind| Line { kind: kind.clone(), runs: 0, jobs: VecDeque::new() }).collect();
        let inner = Inner {
            lines,
            waiting: 0,
            runs: 0,
            in_hand: 0,
            run_s: None,
            may_have_ready: true,
            lone: None,
            may_have_limited: false,
            has_limits: false,
            is_turn_of_limited: false,
            last_claim: None,
            next_place: 0,
            is_stopped: false,
        };
        let (worker, closer) = (AtomicWaker::new(), AtomicWaker::new());
        Lane { queue: queue.to_owned(), concurrency, inner: Mutex::new(inner), share, worker, closer, fetch }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("nothing panics while a lane is locked")
    }

    /// Adds jobs of known kinds, in their order, and wakes the worker. Returns those that came after a stop; they are in
    /// hand all the same.
    pub(crate) fn push(&self, generation: &Arc<Generation>, jobs: Vec<(Arc<Kind>, Claimed)>) -> Vec<Claimed> {
        let mut inner = self.lock();
        // Lost while the claim's answer was on its way; from here on, purging finds them.
        if generation.lost.is_cancelled() {
            return Vec::new();
        }
        if inner.is_stopped {
            inner.in_hand += jobs.len();
            return jobs.into_iter().map(|(_, job)| job).collect();
        }
        for (kind, job) in jobs {
            let place = inner.next_place;
            inner.next_place += 1;
            inner.waiting += 1;
            inner.in_hand += 1;
            let line = inner.line(&kind);
            line.jobs.push_back((place, generation.clone(), job));
        }
        drop(inner);
        self.worker.wake();
        Vec::new()
    }

    /// These many jobs are in hand without ever waiting to be run.
    pub(crate) fn took_in(&self, jobs: usize) {
        self.lock().in_hand += jobs;
    }

    /// The next run, when there is a job and a free place for it.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Run> {
        self.worker.register(cx.waker());
        if let Some((share, queue)) = &self.share {
            share.register(*queue, cx.waker());
        }
        let mut inner = self.lock();
        let Some((index, generation)) = inner.next(None).filter(|_| inner.runs < self.concurrency) else {
            drop(inner);
            self.share.iter().for_each(|(share, queue)| share.has_nothing(*queue));
            return Poll::Pending;
        };
        if self.share.as_ref().is_some_and(|(share, queue)| !share.may_begin(*queue)) {
            return Poll::Pending;
        }
        inner.runs += 1;
        inner.lines[index].runs += 1;
        Poll::Ready(self.begin(&mut inner, index, generation))
    }

    fn begin(&self, inner: &mut Inner, index: usize, generation: Arc<Generation>) -> Run {
        let line = &mut inner.lines[index];
        let (kind, jobs) = (line.kind.clone(), line.take());
        inner.waiting -= jobs.len();
        if inner.waiting == 0 && inner.may_have_more() {
            self.fetch.notify_one();
        }
        Run { kind, generation, jobs: Arc::new(jobs) }
    }

    /// The run that takes the place of this one, which has ended after this time: the next one of all, if it is of the same kind
    /// and nobody else waits for the place. Otherwise the run has still to be said to have [`Lane::ended`].
    pub(crate) fn follow(&self, run: &Run, took: Duration) -> Option<Run> {
        let mut inner = self.lock();
        let ended = inner.lines.iter().position(|line| Arc::ptr_eq(&line.kind, &run.kind));
        let (index, generation) = inner.next(ended).filter(|(next, _)| Some(*next) == ended)?;
        if self.share.as_ref().is_some_and(|(share, queue)| share.others_wait(*queue)) {
            return None;
        }
        inner.took(run, took);
        Some(self.begin(&mut inner, index, generation))
    }

    /// A run has ended after this time, or without it: been dropped.
    pub(crate) fn ended(&self, run: &Run, took: Option<Duration>) {
        let mut inner = self.lock();
        inner.runs -= 1;
        self.share.iter().for_each(|(share, _)| share.ended());
        inner.line(&run.kind).runs -= 1;
        if let Some(took) = took {
            inner.took(run, took);
        }
        if inner.waiting == 0 && inner.may_have_more() {
            self.fetch.notify_one();
        }
        drop(inner);
        self.worker.wake();
    }

    /// These many jobs are no longer in hand.
    pub(crate) fn settled(&self, jobs: usize) {
        let mut inner = self.lock();
        inner.in_hand -= jobs;
        if inner.may_have_more() {
            self.fetch.notify_one();
        }
        drop(inner);
        self.closer.wake();
    }

    /// How many jobs to claim now; none while there is no hint of any, or no sensible room.
    pub(crate) fn room(&self) -> Room {
        let mut inner = self.lock();
        if !inner.may_have_more() || inner.is_stopped || inner.is_gated(self.concurrency) {
            return Room::default();
        }
        let capacity = inner.capacity(self.concurrency);
        let room = capacity.saturating_sub(inner.in_hand);
        let is_worth_it = inner.waiting == 0 || room >= CLAIM_JOBS_MIN.min(capacity / 4);
        if is_worth_it { inner.divide(room.min(CLAIM_JOBS_MAX)) } else { Room::default() }
    }

    /// When to ask again for [`Lane::room`] although nothing happens.
    pub(crate) fn ask_again_in(&self) -> Option<Duration> {
        let inner = self.lock();
        let is_held_back = inner.may_have_more() && !inner.is_stopped && inner.is_gated(self.concurrency);
        is_held_back.then(|| SATURATED_GAP.saturating_sub(inner.last_claim.map_or(SATURATED_GAP, |at| at.elapsed())))
    }

    /// There may be jobs to claim from this source.
    pub(crate) fn hint(&self, source: Source) {
        let mut inner = self.lock();
        match source {
            Source::Ready => inner.may_have_ready = true,
            Source::Limited => (inner.may_have_limited, inner.has_limits) = (true, true),
        }
    }

    /// This job came alone.
    pub(crate) fn hint_lone(&self, id: Uuid) {
        let mut inner = self.lock();
        // Of several, none is alone.
        inner.may_have_ready |= inner.lone.replace(id).is_some();
    }

    /// There may be jobs to claim from any source that the queue has.
    pub(crate) fn hint_all(&self) {
        let mut inner = self.lock();
        inner.may_have_ready = true;
        inner.may_have_limited |= inner.has_limits;
    }

    /// There may be jobs to claim that waited for these places.
    pub(crate) fn hint_freed(&self, freed: Freed) {
        if freed.of_queues {
            self.hint_all();
        } else if freed.of_keys {
            let mut inner = self.lock();
            inner.may_have_limited |= inner.has_limits;
        }
    }

    /// A claim begins: hints from now on are about what it may not see.
    pub(crate) fn claiming(&self, source: Source) {
        let mut inner = self.lock();
        match source {
            Source::Ready => (inner.may_have_ready, inner.lone) = (false, None),
            Source::Limited => inner.may_have_limited = false,
        }
        inner.last_claim = Some(Instant::now());
    }

    /// Takes out what waits to be run and is of these kinds; it stays in hand until it is [`Lane::settled`].
    pub(crate) fn take_waiting(&self, is_taken: impl Fn(&str) -> bool) -> Vec<Claimed> {
        let mut inner = self.lock();
        let lines = inner.lines.iter_mut().filter(|line| is_taken(line.kind.name));
        let taken: Vec<Claimed> = lines.flat_map(|line| line.jobs.drain(..)).map(|(_, _, job)| job).collect();
        inner.waiting -= taken.len();
        taken
    }

    /// Whether anything waits or runs.
    pub(crate) fn is_busy(&self) -> bool {
        let inner = self.lock();
        inner.waiting > 0 || inner.runs > 0
    }

    /// How many runs go on, and how many jobs are in hand.
    pub(crate) fn load(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.runs, inner.in_hand)
    }

    /// How many runs go on at once at most.
    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// The worker may look again: a lease was renewed.
    pub(crate) fn wake(&self) {
        self.worker.wake();
    }

    /// Drops what was claimed under a lease that is lost.
    pub(crate) fn purge(&self) {
        let mut inner = self.lock();
        let mut dropped = 0;
        for line in &mut inner.lines {
            let before = line.jobs.len();
            line.jobs.retain(|(_, generation, _)| !generation.lost.is_cancelled());
            dropped += before - line.jobs.len();
        }
        inner.waiting -= dropped;
        inner.in_hand -= dropped;
        inner.may_have_ready = true;
        inner.may_have_limited = inner.has_limits;
    }

    /// Claims and begins nothing more; returns what waits. It stays in hand until it is [`Lane::settled`].
    pub(crate) fn stop(&self) -> Vec<Claimed> {
        let mut inner = self.lock();
        inner.is_stopped = true;
        inner.waiting = 0;
        let waiting = inner.lines.iter_mut().flat_map(|line| line.jobs.drain(..)).map(|(_, _, job)| job).collect();
        drop(inner);
        self.closer.wake();
        waiting
    }

    /// Ready when nothing is in hand.
    pub(crate) fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.closer.register(cx.waker());
        if self.lock().in_hand == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Inner {
    /// The line whose first job is to be run next, if a run of this line has just ended, and the lease that it was claimed under.
    fn next(&self, ended: Option<usize>) -> Option<(usize, Arc<Generation>)> {
        let may_begin = |index: usize| Some(index) == ended || self.lines[index].may_begin();
        let place = |index: &usize| self.lines[*index].jobs.front().map(|(place, ..)| *place);
        let ready = (0..self.lines.len()).filter(|index| may_begin(*index) && place(index).is_some());
        let index = ready.min_by_key(place)?;
        let (_, generation, _) = self.lines[index].jobs.front().expect("it has jobs");
        // Past the lease nothing begins: either a heartbeat renews it, or the jobs are purged.
        generation.is_live().then(|| (index, generation.clone()))
    }

    /// A run has ended after this time.
    fn took(&mut self, run: &Run, took: Duration) {
        if run.kind.batch_max == 1 {
            let took_s = took.as_secs_f64();
            self.run_s = Some(self.run_s.map_or(took_s, |run_s| 0.9 * run_s + 0.1 * took_s));
        }
    }

    fn has_ready(&self) -> bool {
        self.may_have_ready || self.lone.is_some()
    }

    fn may_have_more(&self) -> bool {
        self.has_ready() || self.may_have_limited
    }

    /// Half the room for each source while there may be jobs of both, so that neither keeps the other out.
    fn divide(&mut self, room: usize) -> Room {
        let lone = self.lone.filter(|_| !self.may_have_ready);
        match (self.has_ready(), self.may_have_limited) {
            (true, true) => {
                self.is_turn_of_limited = !self.is_turn_of_limited;
                let (less, more) = (room / 2, room.div_ceil(2));
                let limited = if self.is_turn_of_limited { more } else { less };
                Room { ready: room - limited, limited, lone }
            }
            (false, true) => Room { ready: 0, limited: room, lone },
            (_, false) => Room { ready: room, limited: 0, lone },
        }
    }

    fn line(&mut self, kind: &Arc<Kind>) -> &mut Line {
        let index = self.lines.iter().position(|line| line.kind.name == kind.name).unwrap_or_else(|| {
            self.lines.push(Line { kind: kind.clone(), runs: 0, jobs: VecDeque::new() });
            self.lines.len() - 1
        });
        &mut self.lines[index]
    }

    /// Whether claims are held back, because what they bring could not begin now.
    fn is_gated(&self, concurrency: usize) -> bool {
        let at_limit = |line: &Line| line.kind.concurrency.is_some() && !line.may_begin();
        let is_saturated = self.runs >= concurrency || self.lines.iter().any(at_limit);
        is_saturated && self.last_claim.is_some_and(|at| at.elapsed() < SATURATED_GAP)
    }

    /// How many jobs to have in hand: what can run at once, and as many more as run within [`AHEAD`].
    fn capacity(&self, concurrency: usize) -> usize {
        let ahead = self.run_s.map_or(0.0, |run_s| concurrency as f64 * AHEAD.as_secs_f64() / run_s.max(1e-9));
        let of_batches = |line: &Line| line.kind.concurrency.map_or(0, |runs| (runs + 1) * line.kind.batch_max);
        let batches: usize = self.lines.iter().map(of_batches).sum();
        concurrency + (ahead as usize).min(AHEAD_JOBS_MAX) + batches
    }
}
