//! A worker process without its tasks: it does one thing when it is told to.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::{Outcome, Ran};
use crate::cancel::Cancellations;
use crate::claim::cursor::Cursor;
use crate::claim::limited::Round;
use crate::claim::{Claimed, Wanted, claim};
use crate::inspect::{self, JobView};
use crate::lease::{Generation, hand_back, register};
use crate::link::Link;
use crate::own_tx::TxSource;
use crate::promote::{BATCH_MAX, promote};
use crate::registry::Kind;
use crate::run::Executor;
use crate::settle::{Locked, Settlement, Verdict, settle};
use crate::{Notifier, Random, Registry};

/// The most jobs of one claim.
pub(super) const CLAIM_JOBS_MAX: usize = 10_000;
/// Longer than any test.
const LEASE: Duration = Duration::from_secs(3_600);
/// For locks, and for standing idle in a transaction.
const PATIENCE: Duration = Duration::from_secs(30);
const SHARD: i16 = 0;

pub(super) struct Session {
    link: Link,
    executor: Executor,
    generation: Generation,
}

impl Session {
    pub(super) async fn open(pool: &PgPool, registry: &Registry) -> Session {
        let mut link = Link::new("test", &pool.connect_options(), &[]);
        let conn = link.get().await.expect("the test's database answers");
        let generation =
            register(conn, SHARD, &registry.queues(), &registry.kinds(), LEASE).await.expect("a process can register");
        let executor = Executor {
            shard: SHARD,
            source: TxSource::new(pool.clone(), PATIENCE),
            registry: registry.clone(),
            notifier: Notifier::spawn(pool.clone()),
            cancellations: Cancellations::new(),
            random: Mutex::new(Random::seeded(0)),
        };
        Session { link, executor, generation }
    }

    async fn conn(&mut self) -> &mut PgConnection {
        self.link.get().await.expect("the test's database answers")
    }

    /// Makes what is due ready.
    pub(super) async fn promote(&mut self) {
        while promote(self.conn().await, SHARD).await.expect("due jobs are made ready").jobs == BATCH_MAX {}
    }

    pub(super) async fn find(&mut self, id: Uuid) -> JobView {
        let found = inspect::find(self.conn().await, SHARD, id).await.expect("the test's database answers");
        found.unwrap_or_else(|| panic!("there is no job {id}"))
    }

    /// Claims ready jobs, then those that wait for a place of their limit.
    pub(super) async fn claim(&mut self, queue: &str, jobs_max: usize) -> Vec<Claimed> {
        let process = self.generation.id;
        let (ranges, _) = Cursor::default().ranges(Instant::now(), None);
        let wanted = [Wanted { queue, jobs: jobs_max, ranges }];
        let mut claimed = claim(self.conn().await, SHARD, process, &wanted).await.expect("ready jobs are claimed");
        while claimed.len() < jobs_max {
            let wanted = [(queue, jobs_max - claimed.len())];
            let taken = Round::default().claim(self.conn().await, SHARD, process, &wanted).await;
            let taken = taken.expect("jobs under a limit are claimed").jobs;
            if taken.is_empty() {
                break;
            }
            claimed.extend(taken);
        }
        claimed
    }

    pub(super) async fn give_back(&mut self, jobs: &[Claimed]) {
        let returned = |job: &Claimed| Settlement { holding: job.holding, ctid: None, verdict: Verdict::Returned };
        self.settle(jobs.iter().map(returned).collect()).await;
    }

    /// Returns the jobs that were lost.
    async fn settle(&mut self, settlements: Vec<Settlement>) -> Vec<Uuid> {
        let settled = settle(self.conn().await, SHARD, &settlements, Locked::Briefly).await;
        settled.expect("outcomes are written").lost.into_iter().map(|holding| holding.id).collect()
    }

    fn kind(&self, job: &Claimed) -> Arc<Kind> {
        let found = self.executor.registry.find(&job.kind).cloned();
        found.unwrap_or_else(|| panic!("the registry has no kind of job named {}", job.kind))
    }

    /// Puts neighbours of one batch kind together.
    pub(super) fn runs(&self, claimed: Vec<Claimed>) -> Vec<Vec<Claimed>> {
        let mut runs: Vec<Vec<Claimed>> = Vec::new();
        for job in claimed {
            let batch_max = self.kind(&job).batch_max;
            match runs.last_mut() {
                Some(run) if run[0].kind == job.kind && run.len() < batch_max => run.push(job),
                _ => runs.push(vec![job]),
            }
        }
        runs
    }

    /// Runs jobs of one kind together and settles them.
    pub(super) async fn run(&mut self, jobs: &[Claimed]) -> Vec<Ran> {
        let kind = self.kind(&jobs[0]);
        let report = self.executor.run(&kind, &self.generation, jobs).await;
        let lost = self.settle(report.open).await;
        let mut ran = Vec::new();
        for job in jobs {
            let (id, kind, attempt) = (job.holding.id, job.kind.clone(), job.attempt.unsigned_abs().into());
            let is_lost = report.lost > 0 || lost.contains(&id);
            let outcome = Outcome::of(self.find(id).await, job.attempt, is_lost);
            ran.push(Ran { id, kind, attempt, outcome });
        }
        ran
    }

    /// Gives up the lease, with whatever is still held under it.
    pub(super) async fn close(mut self) {
        let process = self.generation.id;
        hand_back(self.conn().await, SHARD, process).await.expect("a lease can be given up");
    }
}
