//! What a running job sees of the queue.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cancel::Cancellations;
use crate::claim::Claimed;
use crate::own_tx::{OwnTx, TxSource};
use crate::registry::States;
use crate::{EnqueueError, Enqueued, Flow, FlowEnqueued, FlowError, JobError, NewJob, PAYLOAD_BYTES_MAX, enqueue};

/// The surroundings of one attempt of one job.
pub struct JobContext<'a> {
    pub(crate) claimed: &'a Claimed,
    pub(crate) shard: i16,
    pub(crate) source: &'a TxSource,
    pub(crate) tx: OwnTx<'a>,
    pub(crate) cancellations: &'a Cancellations,
    pub(crate) states: &'a States,
    pub(crate) result: Option<String>,
    /// The queues that follow-up jobs went to, to be woken after the commit.
    pub(crate) follow_ups: HashSet<&'static str>,
}

impl JobContext<'_> {
    /// The job's id.
    pub fn id(&self) -> Uuid {
        self.claimed.holding.id
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.claimed.attempt.unsigned_abs().into()
    }

    /// Whether a failure of this attempt is the job's end.
    pub fn is_last_attempt(&self) -> bool {
        self.claimed.attempt >= self.claimed.max_attempts
    }

    /// Who caused the job, as its enqueuer said.
    pub fn actor(&self) -> Option<&str> {
        self.claimed.actor.as_deref()
    }

    /// The W3C `traceparent` of the request that caused the job.
    pub fn trace(&self) -> Option<&str> {
        self.claimed.trace.as_deref()
    }

    /// The application's state of this type, as given to [`Registry::state`](crate::Registry::state).
    ///
    /// # Panics
    /// When there is none, which fails the attempt.
    pub fn state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.states.get()
    }

    /// Completes when somebody has asked for the job's end: tidy up and return, within the kind's
    /// [`Job::CANCEL_GRACE`](crate::Job::CANCEL_GRACE).
    pub async fn cancelled(&self) {
        self.cancellations.wanted(self.id()).await;
    }

    /// Whether somebody has asked for the job's end.
    pub fn is_cancelled(&self) -> bool {
        self.cancellations.is_wanted(self.id())
    }

    /// The job's own transaction, begun on first use. When [`Job::run`](crate::Job::run) succeeds, the job's completion
    /// joins it and it commits; when it fails, or the process lost the job meanwhile, it is rolled back. Do slow work
    /// before: the server ends a transaction that stands idle for half a lease (5 s).
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn tx(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.tx.get().await
    }

    /// Enqueues a follow-up job in the job's own transaction: it exists if this one succeeds.
    ///
    /// # Errors
    /// As [`enqueue`](crate::enqueue).
    pub async fn enqueue(&mut self, job: NewJob) -> Result<Enqueued, EnqueueError> {
        let (queue, job) = (job.queue, job.parent(self.id()));
        let enqueued = enqueue(self.tx.get().await?, std::slice::from_ref(&job)).await?;
        self.follow_ups.insert(queue);
        Ok(enqueued[0])
    }

    /// Enqueues a flow of follow-up jobs in the job's own transaction: they exist if this one succeeds.
    ///
    /// # Errors
    /// As [`Flow::enqueue`].
    pub async fn enqueue_flow(&mut self, flow: Flow) -> Result<FlowEnqueued, FlowError> {
        let enqueued = flow.parent(self.id()).enqueue(self.tx.get().await?).await?;
        self.follow_ups.extend(&enqueued.queues);
        Ok(enqueued)
    }

    /// Stores what the job returns; it is kept in the history when the job succeeds.
    ///
    /// # Errors
    /// When it does not serialise, or to more than [`PAYLOAD_BYTES_MAX`].
    pub fn set_result(&mut self, result: &impl Serialize) -> Result<(), JobError> {
        self.result = Some(to_json(result)?);
        Ok(())
    }

    /// Reports how far the job is, at once and outside its transaction.
    ///
    /// # Errors
    /// When it does not serialise, or to more than [`PAYLOAD_BYTES_MAX`], the database fails, or the job has been taken
    /// from this process.
    pub async fn progress(&self, progress: &impl Serialize) -> Result<(), JobError> {
        let progress = to_json(progress)?;
        let holding = self.claimed.holding;
        let reported = sqlx::query!(
            r#"
            update queue.job
               set progress = $5::text::json
             where shard = $1 and id = $2 and epoch = $3 and owner = $4
            "#,
            self.shard,
            holding.id,
            holding.epoch,
            holding.owner,
            progress,
        );
        // Planned each time: a plan from when the table was empty would read all of it.
        let reported = reported.persistent(false).execute(self.source.pool()).await?.rows_affected();
        if reported == 1 { Ok(()) } else { Err(JobError::retry("the job has been taken from this process")) }
    }
}

fn to_json(value: &impl Serialize) -> Result<String, JobError> {
    let json = serde_json::to_string(value).map_err(JobError::discard)?;
    if json.len() > PAYLOAD_BYTES_MAX {
        return Err(JobError::discard(format!("{} bytes of JSON are more than {PAYLOAD_BYTES_MAX}", json.len())));
    }
    Ok(json)
}
