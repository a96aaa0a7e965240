//! Runs a batch; one that fails is split until the jobs that fail stand alone.

use std::collections::HashSet;

use futures::future::BoxFuture;

use super::guard::{Stopped, guard};
use super::{Executor, Pulse, Report, RunError, stopped};
use crate::batch::{Batch, Item};
use crate::claim::Claimed;
use crate::encryption::Keyring;
use crate::lease::Generation;
use crate::notify::Hint;
use crate::own_tx::{OwnTx, TxSource};
use crate::payload::{Reader, Stored, Unreadable};
use crate::registry::{Kind, States};
use crate::settle::Settlement;
use crate::{BatchJob, JobError};

type RunBatch = for<'a> fn(BatchRun<'a>) -> BoxFuture<'a, RanBatch<'a>>;

/// What [`run_batch`] is given.
pub(crate) struct BatchRun<'a> {
    jobs: &'a [&'a Claimed],
    source: &'a TxSource,
    states: &'a States,
    keyring: Option<&'a Keyring>,
}

/// What became of a batch.
pub(crate) enum RanBatch<'a> {
    /// Nothing was run, because these cannot be read.
    Unread(Vec<(usize, Unreadable)>),
    Failed(JobError, OwnTx<'a>),
    /// An outcome for each job.
    Done(Done<'a>),
}

/// A batch that came to its end.
pub(crate) struct Done<'a> {
    outcomes: Vec<Result<(), JobError>>,
    tx: OwnTx<'a>,
    /// Whom to wake after the commit.
    follow_ups: HashSet<Hint>,
}

/// [`BatchJob::run`] without the type: decodes the payloads and runs them.
pub(crate) fn run_batch<J: BatchJob>(run: BatchRun<'_>) -> BoxFuture<'_, RanBatch<'_>> {
    Box::pin(async move {
        let reader = Reader::of_batch::<J>(run.keyring);
        let (mut items, mut unread) = (Vec::with_capacity(run.jobs.len()), Vec::new());
        for (index, job) in run.jobs.iter().enumerate() {
            let (id, attempt) = (job.holding.id, job.attempt.unsigned_abs().into());
            match reader.read(Stored { id, version: job.version, text: &job.payload }) {
                Ok(payload) => items.push(Item { id, attempt, payload }),
                Err(error) => unread.push((index, error)),
            }
        }
        if !unread.is_empty() {
            return RanBatch::Unread(unread);
        }
        let outcomes = items.iter().map(|_| Ok(())).collect();
        let tx = OwnTx::new(run.source);
        let mut batch = Batch::<J> { items, outcomes, tx, states: run.states, follow_ups: HashSet::new() };
        let ran = J::run(&mut batch).await;
        let Batch { outcomes, tx, follow_ups, .. } = batch;
        match ran {
            Ok(()) => RanBatch::Done(Done { outcomes, tx, follow_ups }),
            Err(error) => RanBatch::Failed(error, tx),
        }
    })
}

impl Executor {
    pub(super) async fn run_batch(
        &self,
        run: RunBatch,
        kind: &Kind,
        generation: &Generation,
        jobs: &[Claimed],
        report: &mut Report,
    ) {
        // Parts that are still to be run, the first on top.
        let mut parts: Vec<Vec<&Claimed>> = vec![jobs.iter().collect()];
        while let Some(mut part) = parts.pop() {
            part.retain(|job| match self.cancellations.who(job.holding) {
                Some(who) => {
                    report.open.push(self.cancelled(kind, job, &who));
                    false
                }
                None => true,
            });
            if part.is_empty() {
                continue;
            }
            let (states, keyring) = (&self.registry.states, self.registry.keyring.as_ref());
            let given = BatchRun { jobs: &part, source: &self.source, states, keyring };
            let holdings: Vec<_> = part.iter().map(|job| job.holding).collect();
            let cancelled = async {
                self.cancellations.wanted(&holdings).await;
                String::new()
            };
            let failed = match guard(generation, &Pulse::new(), kind.timeout, cancelled, run(given)).await {
                // Without those that are not wanted, once more: what the others did is rolled back.
                Err(Stopped::Cancelled(_)) => {
                    parts.push(part);
                    continue;
                }
                Ok(RanBatch::Unread(unread)) => {
                    parts.push(self.set_aside(kind, &part, unread, report));
                    continue;
                }
                Ok(RanBatch::Done(done)) => {
                    parts.extend(self.end_batch(kind, &part, done, report).await);
                    continue;
                }
                Ok(RanBatch::Failed(error, tx)) => {
                    tx.roll_back().await;
                    RunError::Job(error)
                }
                Err(why) => match stopped(kind, why) {
                    Some(error) => error,
                    None => {
                        report.lost += part.len() as u64;
                        continue;
                    }
                },
            };
            if part.len() > 1 && may_split(&failed) {
                let second = part[part.len() / 2..].to_vec();
                let mut first = part;
                first.truncate(first.len() / 2);
                tracing::info!(kind = kind.name, jobs = first.len() + second.len(), error = ?failed, "a batch is split");
                parts.extend([second, first]);
            } else {
                report.open.extend(part.iter().map(|job| self.settlement(kind, job, Err(&failed))));
            }
        }
    }

    /// Reports what becomes of jobs that cannot be read; returns the rest.
    fn set_aside<'a>(
        &self,
        kind: &Kind,
        part: &[&'a Claimed],
        unread: Vec<(usize, Unreadable)>,
        report: &mut Report,
    ) -> Vec<&'a Claimed> {
        let mut is_unread = vec![false; part.len()];
        for (index, error) in unread {
            is_unread[index] = true;
            report.open.push(self.settlement(kind, part[index], Err(&RunError::Payload(error))));
        }
        part.iter().zip(is_unread).filter(|(_, is_unread)| !is_unread).map(|(job, _)| *job).collect()
    }

    /// Commits a batch that succeeded. When single jobs were lost meanwhile, returns the others, to be run again.
    async fn end_batch<'a>(
        &self,
        kind: &Kind,
        part: &[&'a Claimed],
        done: Done<'_>,
        report: &mut Report,
    ) -> Option<Vec<&'a Claimed>> {
        let Done { outcomes, tx, follow_ups } = done;
        let settlement = |(job, outcome): (&&Claimed, Result<(), JobError>)| {
            let outcome = outcome.map_err(RunError::Job);
            self.settlement(kind, job, outcome.as_ref().map(|()| None))
        };
        let settlements: Vec<Settlement> = part.iter().zip(outcomes).map(settlement).collect();
        if !tx.has_begun() {
            report.open.extend(settlements);
            return None;
        }
        let lost = self.commit(tx, kind, part, settlements, report).await;
        report.lost += lost.len() as u64;
        if lost.is_empty() {
            self.wake(follow_ups);
            return None;
        }
        Some(part.iter().filter(|job| !lost.contains(&job.holding)).copied().collect())
    }
}

/// Whether halves might fare better: not when the database is to blame, nor when the batch asked for another time.
fn may_split(error: &RunError) -> bool {
    match error {
        RunError::Payload(_) => false,
        RunError::Job(error) => {
            !error.is_transient()
                && !matches!(error, JobError::Snooze(_) | JobError::RetryAfter(..) | JobError::LeaseLost(_))
        }
    }
}
