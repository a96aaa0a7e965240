//! Runs claimed jobs and decides what becomes of them.
//!
//! A run ends in one of three ways for each job: its outcome was committed with its own transaction (`closed`), its
//! outcome is still to be written (`open`), or the job is no longer ours (`lost`).

mod batch;
mod guard;
mod pulse;
mod single;
mod traced;

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::cancel::Cancellations;
use crate::claim::{Claimed, put_on_trial};
use crate::context::JobContext;
use crate::error::Failure;
use crate::lease::Generation;
use crate::metrics::UNREADABLE;
use crate::notify::Hint;
use crate::own_tx::{CommitError, OwnTx, TxSource};
use crate::payload::Unreadable;
use crate::registry::{Kind, Registry};
use crate::settle::{DeadReason, Freed, Settlement, Verdict};
use crate::{JobError, Notifier, Random};
use traced::Traced;

pub(crate) use batch::{BatchRun, RanBatch, run_batch};
pub(crate) use guard::Stopped;
pub(crate) use pulse::Pulse;
pub(crate) use single::run_single;

/// How a kind without its type is run.
pub(crate) enum RunKind {
    Single(for<'a, 'b> fn(&'a mut JobContext<'b>) -> BoxFuture<'a, Result<(), RunError>>),
    Batch(for<'a> fn(BatchRun<'a>) -> BoxFuture<'a, RanBatch<'a>>),
}

impl std::fmt::Debug for RunKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RunKind::Single(_) => "Single",
            RunKind::Batch(_) => "Batch",
        })
    }
}

/// Why a run did not succeed.
#[derive(Debug)]
pub(crate) enum RunError {
    Payload(Unreadable),
    Job(JobError),
}

impl std::fmt::Display for RunError {
    /// Without the causes: what a database says in detail has values of rows in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Payload(unreadable) => unreadable.fmt(f),
            RunError::Job(error) => error.fmt(f),
        }
    }
}

/// For how long a job is put off that another process may be able to read.
const UNREADABLE_SNOOZE: Duration = Duration::from_secs(30);

/// What became of the jobs of one run.
#[derive(Debug, Default)]
pub struct Report {
    /// Outcomes that are still to be written.
    pub(crate) open: Vec<Settlement>,
    /// Outcomes that were committed with the jobs' own transaction, by [`Verdict::index`].
    pub(crate) closed: [u64; Verdict::NAMES.len()],
    /// How many jobs were refused, because they had been taken from this process.
    pub(crate) lost: u64,
    /// Places of limits that what is closed has freed.
    pub(crate) freed: Freed,
    /// Other jobs wait for one that is closed.
    pub(crate) has_dependants: bool,
}

/// Everything that a run needs and that all runs of a process share.
#[derive(Debug)]
pub(crate) struct Executor {
    pub(crate) shard: i16,
    pub(crate) source: TxSource,
    pub(crate) registry: Registry,
    pub(crate) notifier: Notifier,
    pub(crate) cancellations: Cancellations,
    pub(crate) random: Mutex<Random>,
}

impl Executor {
    /// Runs these jobs, all of one kind; more than one only if it is a batch kind.
    pub(crate) async fn run(&self, kind: &Kind, generation: &Generation, jobs: &[Claimed]) -> Report {
        let mut report = Report::default();
        let suspects: Vec<_> = jobs.iter().filter(|job| job.crashes > 0).map(|job| job.holding).collect();
        if !suspects.is_empty() && !self.put_on_trial(&suspects, jobs, kind, &mut report).await {
            return report;
        }
        match kind.run {
            RunKind::Single(run) => {
                for job in jobs {
                    let traced = Traced::of(kind, std::slice::from_ref(job), &report);
                    traced.around(self.run_single(run, kind, generation, job, &mut report)).await;
                    traced.end(&report);
                }
            }
            RunKind::Batch(run) => {
                let traced = Traced::of(kind, jobs, &report);
                traced.around(self.run_batch(run, kind, generation, jobs, &mut report)).await;
                traced.end(&report);
            }
        }
        jobs.iter().for_each(|job| self.cancellations.forget(job.holding));
        report
    }

    /// The report of jobs that a layer around them failed.
    pub(crate) fn failed(&self, kind: &Kind, jobs: &[Claimed], error: crate::BoxError) -> Report {
        let error = RunError::Job(JobError::Retry(error));
        let open = jobs.iter().map(|job| self.settlement(kind, job, Err(&error))).collect();
        Report { open, ..Report::default() }
    }

    /// Returns false when the jobs may not be run, which the report then says.
    async fn put_on_trial(
        &self,
        suspects: &[crate::settle::Holding],
        jobs: &[Claimed],
        kind: &Kind,
        report: &mut Report,
    ) -> bool {
        let marked = async {
            let mut tx = self.source.pool().begin().await?;
            let marked = put_on_trial(&mut tx, self.shard, suspects).await?;
            tx.commit().await?;
            Ok::<bool, sqlx::Error>(marked)
        };
        match marked.await {
            Ok(true) => return true,
            Ok(false) => report.lost += jobs.len() as u64,
            Err(error) => {
                let error = RunError::Job(error.into());
                report.open.extend(jobs.iter().map(|job| self.settlement(kind, job, Err(&error))));
            }
        }
        false
    }

    /// Commits the outcomes with the jobs' transaction. Returns the jobs that were lost, if nothing was written for that.
    async fn commit(
        &self,
        tx: OwnTx<'_>,
        kind: &Kind,
        jobs: &[&Claimed],
        settlements: Vec<Settlement>,
        report: &mut Report,
    ) -> Vec<crate::settle::Holding> {
        match tx.commit(self.shard, &settlements).await {
            Ok(settled) => {
                for settlement in &settlements {
                    report.closed[settlement.verdict.index()] += 1;
                }
                report.freed |= settled.freed;
                report.has_dependants |= settled.has_dependants;
                Vec::new()
            }
            Err(CommitError::LeaseLost(lost)) => lost,
            Err(CommitError::Database(error)) => {
                // Whether it was committed is unknown; if it was, the settlement that follows is refused.
                let error = RunError::Job(error.into());
                report.open.extend(jobs.iter().map(|job| self.settlement(kind, job, Err(&error))));
                Vec::new()
            }
        }
    }

    pub(crate) fn wake(&self, hints: HashSet<Hint>) {
        hints.into_iter().for_each(|hint| self.notifier.hint(hint));
    }

    /// Of a job that is not run, or not run again with its batch, since somebody wants it ended.
    fn cancelled(&self, kind: &Kind, job: &Claimed, who: &str) -> Settlement {
        let cancelled = RunError::Job(JobError::cancel(format!("cancelled by {who}")));
        self.settlement(kind, job, Err(&cancelled))
    }

    fn settlement(&self, kind: &Kind, job: &Claimed, ran: Result<Option<String>, &RunError>) -> Settlement {
        let verdict = match ran {
            Ok(result) => Verdict::Succeeded(result),
            Err(error) => self.verdict(kind, job, error),
        };
        if let Some(failure) = verdict.failure() {
            let (id, attempt, outcome) = (job.holding.id, job.attempt, Verdict::NAMES[verdict.index()]);
            tracing::warn!(job_id = %id, kind = kind.name, attempt, outcome, error = failure.message(), "a job failed");
        }
        Settlement { holding: job.holding, ctid: Some(job.ctid.clone()), verdict }
    }

    fn verdict(&self, kind: &Kind, job: &Claimed, error: &RunError) -> Verdict {
        let again = |delay, failure| {
            let is_last = job.attempt >= job.max_attempts;
            if is_last { Verdict::Dead(DeadReason::Exhausted, failure) } else { Verdict::Retried(delay, failure) }
        };
        match error {
            RunError::Payload(unreadable) => unread(kind, job, unreadable),
            RunError::Job(JobError::Retry(error)) => {
                let mut random = self.random.lock().expect("nothing panics while it is held");
                again(kind.retry.delay(job.attempt.unsigned_abs(), &mut random), Failure::of(error.as_ref()))
            }
            RunError::Job(JobError::RetryAfter(error, delay)) => again(*delay, Failure::of(error.as_ref())),
            RunError::Job(JobError::Snooze(delay)) => Verdict::Snoozed(*delay),
            RunError::Job(JobError::Discard(error)) => Verdict::Discarded(Failure::of(error.as_ref())),
            RunError::Job(JobError::Cancel(error)) => Verdict::Cancelled(Failure::of(error.as_ref())),
            // Refused when it is written, unless the error is another job's.
            RunError::Job(JobError::LeaseLost(_)) => Verdict::Returned,
        }
    }
}

/// A payload that another process may be able to read is left to it: what this one lacks, such as the code or the key
/// of a release that is being rolled out, is no fault of the job.
fn unread(kind: &Kind, job: &Claimed, unreadable: &Unreadable) -> Verdict {
    let Some(reason) = unreadable.lack() else {
        return Verdict::Dead(DeadReason::Undecodable, Failure::text(unreadable.to_string()));
    };
    tracing::warn!(job_id = %job.holding.id, kind = kind.name, error = %unreadable, "a job is left to another process");
    metrics::counter!(UNREADABLE.name, "kind" => kind.name, "reason" => reason).increment(1);
    Verdict::Snoozed(UNREADABLE_SNOOZE)
}

/// A run that panicked or took too long has failed like any other; none if the job is no longer ours.
fn stopped(kind: &Kind, stopped: Stopped) -> Option<RunError> {
    match stopped {
        Stopped::Panicked(message) => Some(RunError::Job(JobError::retry(format!("panicked: {message}")))),
        Stopped::TimedOut => Some(RunError::Job(JobError::retry(format!("timed out after {:?}", kind.timeout)))),
        Stopped::Cancelled(who) => Some(RunError::Job(JobError::cancel(format!("cancelled by {who} while it ran")))),
        Stopped::LeaseLost => None,
    }
}
