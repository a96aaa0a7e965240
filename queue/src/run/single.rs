//! Runs one job.

use std::collections::HashSet;

use futures::future::BoxFuture;

use super::guard::guard;
use super::{Executor, Pulse, Report, RunError, stopped};
use crate::claim::Claimed;
use crate::context::JobContext;
use crate::lease::Generation;
use crate::own_tx::OwnTx;
use crate::payload::{Reader, Stored};
use crate::registry::Kind;
use crate::{Job, JobError};

type RunSingle = for<'a, 'b> fn(&'a mut JobContext<'b>) -> BoxFuture<'a, Result<(), RunError>>;

/// [`Job::run`] without the type: decodes the payload and runs it.
pub(crate) fn run_single<'a, J: Job>(ctx: &'a mut JobContext<'_>) -> BoxFuture<'a, Result<(), RunError>> {
    Box::pin(async move {
        let stored = Stored { id: ctx.id(), version: ctx.claimed.version, text: &ctx.claimed.payload };
        let job: J = Reader::of::<J>(ctx.keyring()).read(stored).map_err(RunError::Payload)?;
        job.run(ctx).await.map_err(RunError::Job)
    })
}

impl Executor {
    pub(super) async fn run_single(
        &self,
        run: RunSingle,
        kind: &Kind,
        generation: &Generation,
        job: &Claimed,
        report: &mut Report,
    ) {
        // Heard of while it waited to be run.
        if let Some(who) = self.cancellations.who(job.holding) {
            return report.open.push(self.cancelled(kind, job, &who));
        }
        let pulse = Pulse::new();
        let mut ctx = JobContext {
            claimed: job,
            executor: self,
            generation,
            pulse: &pulse,
            tx: OwnTx::new(&self.source),
            result: None,
            follow_ups: HashSet::new(),
            looked: None,
        };
        let cancelled = async {
            self.cancellations.wanted(&[job.holding]).await;
            tokio::time::sleep(kind.cancel_grace).await;
            self.cancellations.who(job.holding).unwrap_or_default()
        };
        let ran = guard(generation, &pulse, kind.timeout, cancelled, run(&mut ctx)).await;
        let JobContext { tx, result, follow_ups, .. } = ctx;
        let error = match ran {
            Ok(Ok(())) if tx.has_begun() => {
                let settlement = self.settlement(kind, job, Ok(result));
                let lost = self.commit(tx, kind, &[job], vec![settlement], report).await;
                report.lost += lost.len() as u64;
                return self.wake(follow_ups);
            }
            Ok(Ok(())) => return report.open.push(self.settlement(kind, job, Ok(result))),
            Ok(Err(RunError::Job(JobError::LeaseLost(_)))) => None,
            Ok(Err(error)) => Some(error),
            Err(why) => stopped(kind, why),
        };
        // Rolled back before the outcome is written, so that the next attempt meets no lock of this one.
        tx.roll_back().await;
        match error {
            Some(error) => report.open.push(self.settlement(kind, job, Err(&error))),
            None => report.lost += 1,
        }
    }
}
