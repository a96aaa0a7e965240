//! Gathers outcomes and writes them many at a time: when there are enough, when nothing more is to be expected soon, or
//! when the first has waited long enough.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use sqlx::postgres::PgConnectOptions;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Shared;
use crate::link::Link;
use crate::metrics::{JOBS_SETTLED, LEASE_LOST, OTHER, SETTLE_SECONDS, SETTLE_SIZE};
use crate::run::Report;
use crate::settle::{Freed, Holding, Locked, Settlement, Verdict, settle};

/// Outcomes in one statement.
const FLUSH_MAX: usize = 2_000;
/// Enough to be written without waiting for more.
const FLUSH_ENOUGH: usize = 1_000;

/// What became of the jobs of one run.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The lane that has the jobs in hand.
    lane: usize,
    kind: &'static str,
    report: Report,
}

impl Outcome {
    pub(crate) fn of(lane: usize, kind: &'static str, report: Report) -> Outcome {
        Outcome { lane, kind, report }
    }

    /// Of jobs that were not run.
    pub(crate) fn unrun(lane: usize, open: Vec<Settlement>) -> Outcome {
        Outcome { lane, kind: OTHER, report: Report { open, ..Report::default() } }
    }
}

/// An outcome that is to be written.
struct Open {
    lane: usize,
    kind: &'static str,
}

struct Flusher {
    shared: Arc<Shared>,
    link: Link,
    open: Vec<Open>,
    /// Beside `open`, one for one.
    settlements: Vec<Settlement>,
    /// When the first of them arrived.
    since: Instant,
    /// When the last ones were written.
    flushed: Option<Instant>,
}

pub(super) async fn run(
    shared: Arc<Shared>,
    options: Arc<PgConnectOptions>,
    mut outcomes: mpsc::UnboundedReceiver<Outcome>,
) {
    let link = Link::new("settle", &options, &[]);
    let (open, settlements) = (Vec::new(), Vec::new());
    let mut flusher = Flusher { shared: shared.clone(), link, open, settlements, since: Instant::now(), flushed: None };
    loop {
        tokio::select! {
            biased;
            outcome = outcomes.recv() => {
                flusher.take(outcome.expect("the sender is shared with this task"));
            }
            () = shared.ended.cancelled() => break,
        }
        flusher.gather(&mut outcomes).await;
        flusher.flush().await;
    }
    while let Ok(outcome) = outcomes.try_recv() {
        flusher.take(outcome);
    }
    flusher.flush().await;
    // Tells the lease's task, which waits for it, that nothing more will be written.
    outcomes.close();
}

impl Flusher {
    fn take(&mut self, outcome: Outcome) {
        let Outcome { lane, kind, report } = outcome;
        for (index, number) in report.closed.into_iter().enumerate().filter(|(_, number)| *number > 0) {
            metrics::counter!(JOBS_SETTLED.name, "kind" => kind, "outcome" => Verdict::NAMES[index]).increment(number);
        }
        if report.lost > 0 {
            tracing::warn!(kind, jobs = report.lost, "jobs were taken from this process before they were done");
            metrics::counter!(LEASE_LOST.name, "kind" => kind).increment(report.lost);
        }
        self.tell(report.freed, report.has_dependants);
        let done = report.closed.iter().sum::<u64>() + report.lost;
        if done > 0 {
            self.let_go(lane, done as usize);
        }
        if self.settlements.is_empty() {
            self.since = Instant::now();
        }
        self.open.extend(report.open.iter().map(|_| Open { lane, kind }));
        self.settlements.extend(report.open);
    }

    /// Waits for more outcomes, as long as that is worth it.
    async fn gather(&mut self, outcomes: &mut mpsc::UnboundedReceiver<Outcome>) {
        loop {
            while self.settlements.len() < FLUSH_MAX
                && let Ok(outcome) = outcomes.try_recv()
            {
                self.take(outcome);
            }
            if self.settlements.len() >= FLUSH_ENOUGH || self.settlements.is_empty() || !self.is_in_a_stream() {
                return;
            }
            let until = self.since + self.shared.timing.linger;
            match tokio::time::timeout_at(until.into(), outcomes.recv()).await {
                Ok(Some(outcome)) => self.take(outcome),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Whether more outcomes are to be expected soon: jobs are at hand, or the last ones were written a moment ago.
    fn is_in_a_stream(&self) -> bool {
        self.flushed.is_some_and(|at| at.elapsed() < self.shared.timing.linger)
            || self.shared.lanes.iter().any(|lane| lane.is_busy())
    }

    /// Writes what was gathered, however long the database is away; at the end, one attempt has to do.
    async fn flush(&mut self) {
        let mut is_repeated = false;
        while !self.settlements.is_empty() {
            let began = Instant::now();
            let settled = timeout(self.shared.timing.lease, async {
                settle(self.link.get().await?, self.shared.shard, &self.settlements, Locked::Briefly).await
            });
            let settled = settled.await;
            let Some(settled) = self.link.check(settled).await else {
                is_repeated = true;
                if self.shared.ended.is_cancelled() {
                    return;
                }
                continue;
            };
            metrics::histogram!(SETTLE_SECONDS.name).record(began.elapsed());
            metrics::histogram!(SETTLE_SIZE.name).record(self.settlements.len() as f64);
            self.flushed = Some(Instant::now());
            self.tell(settled.freed, settled.has_dependants);
            self.settled(settled.lost, is_repeated);
        }
    }

    fn settled(&mut self, lost: Vec<Holding>, is_repeated: bool) {
        let lost: HashSet<Holding> = lost.into_iter().collect();
        let mut counts: HashMap<(&'static str, usize), u64> = HashMap::new();
        let mut by_lane = vec![0; self.shared.lanes.len()];
        let mut is_scheduled = false;
        for (Settlement { holding, verdict, .. }, Open { lane, kind }) in
            self.settlements.drain(..).zip(self.open.drain(..))
        {
            by_lane[lane] += 1;
            if lost.contains(&holding) {
                // The first attempt may have been written, and only its answer lost.
                if !is_repeated {
                    tracing::warn!(id = %holding.id, kind, "the job was taken from this process: its outcome is refused");
                    metrics::counter!(LEASE_LOST.name, "kind" => kind).increment(1);
                }
                continue;
            }
            is_scheduled |= matches!(verdict, Verdict::Retried(..) | Verdict::Snoozed(_));
            *counts.entry((kind, verdict.index())).or_default() += 1;
        }
        for ((kind, index), number) in counts {
            metrics::counter!(JOBS_SETTLED.name, "kind" => kind, "outcome" => Verdict::NAMES[index]).increment(number);
        }
        for (lane, jobs) in by_lane.into_iter().enumerate().filter(|(_, jobs)| *jobs > 0) {
            self.let_go(lane, jobs);
        }
        if is_scheduled {
            self.shared.promote.notify_one();
        }
    }

    /// Tells the tasks whose work follows from what was settled.
    fn tell(&self, freed: Freed, has_dependants: bool) {
        self.shared.lanes.iter().for_each(|lane| lane.hint_freed(freed));
        if has_dependants {
            self.shared.unblock.notify_one();
        }
    }

    fn let_go(&self, lane: usize, jobs: usize) {
        self.shared.lanes[lane].settled(jobs);
    }
}
