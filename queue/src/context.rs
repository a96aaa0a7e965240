//! What a running job sees of the queue.

mod steps;

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use tokio::time::Instant;
use uuid::Uuid;

use crate::claim::Claimed;
use crate::encryption::Keyring;
use crate::lease::Generation;
use crate::notify::{self, Hint};
use crate::own_tx::OwnTx;
use crate::run::{Executor, Pulse};
use crate::{EnqueueError, Enqueued, Flow, FlowEnqueued, FlowError, JobError, NewJob, enqueue};

/// The largest result of a job, in bytes of JSON. It is kept for as long as the history and sent whole to whoever asks
/// after the job, so what is larger belongs in a table of its own, with its key in the result.
pub const RESULT_BYTES_MAX: usize = 1 << 16;

/// The surroundings of one attempt of one job.
pub struct JobContext<'a> {
    pub(crate) claimed: &'a Claimed,
    pub(crate) executor: &'a Executor,
    pub(crate) generation: &'a Generation,
    pub(crate) pulse: &'a Pulse,
    pub(crate) tx: OwnTx<'a>,
    pub(crate) result: Option<String>,
    /// Whom to wake after the commit: the workers of queues that follow-up jobs went to, and others who listen.
    pub(crate) follow_ups: HashSet<Hint>,
    /// When a heartbeat last asked the database.
    pub(crate) looked: Option<Instant>,
}

impl<'a> JobContext<'a> {
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
        self.executor.registry.states.get()
    }

    /// The keys of [`Registry::keyring`](crate::Registry::keyring), for follow-up jobs that are stored sealed.
    pub fn keyring(&self) -> Option<&'a Keyring> {
        self.executor.registry.keyring.as_ref()
    }

    /// The connections of the worker, for reading outside the job's own transaction, such as over a snapshot that is held
    /// for longer than a transaction of a job may stand idle. What is written there is not fenced: write through
    /// [`tx`](Self::tx).
    pub fn pool(&self) -> &'a PgPool {
        self.executor.source.pool()
    }

    /// Completes when somebody has asked for the job's end: tidy up and return, within the kind's
    /// [`Job::CANCEL_GRACE`](crate::Job::CANCEL_GRACE).
    pub async fn cancelled(&self) {
        self.executor.cancellations.wanted(&[self.claimed.holding]).await;
    }

    /// Whether somebody has asked for the job's end.
    pub fn is_cancelled(&self) -> bool {
        self.executor.cancellations.who(self.claimed.holding).is_some()
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
        let (queue, job) = (job.queue.clone(), job.parent(self.id()));
        let enqueued = enqueue(self.tx.get().await?, std::slice::from_ref(&job)).await?;
        self.follow_ups.insert(notify::of_queue(queue));
        Ok(enqueued[0])
    }

    /// Enqueues a flow of follow-up jobs in the job's own transaction: they exist if this one succeeds.
    ///
    /// # Errors
    /// As [`Flow::enqueue`].
    pub async fn enqueue_flow(&mut self, flow: Flow) -> Result<FlowEnqueued, FlowError> {
        let enqueued = flow.parent(self.id()).enqueue(self.tx.get().await?).await?;
        self.follow_ups.extend(enqueued.queues.iter().cloned().map(notify::of_queue));
        Ok(enqueued)
    }

    /// Wakes who listens on this channel, after the commit of the job's own transaction.
    pub fn tell(&mut self, channel: &'static str) {
        self.follow_ups.insert(notify::of_channel(channel));
    }

    /// Stores what the job returns; it is kept in the history when the job succeeds.
    ///
    /// # Errors
    /// When it does not serialise, or to more than [`RESULT_BYTES_MAX`].
    pub fn set_result(&mut self, result: &impl Serialize) -> Result<(), JobError> {
        self.result = Some(self.to_json("result", result, RESULT_BYTES_MAX)?);
        Ok(())
    }

    /// As text, if that is short enough. Another attempt would make it no shorter, so the job is discarded otherwise.
    fn to_json(&self, what: &str, value: &impl Serialize, bytes_max: usize) -> Result<String, JobError> {
        let json = serde_json::to_string(value).map_err(JobError::discard)?;
        if json.len() > bytes_max {
            let (kind, bytes) = (&self.claimed.kind, json.len());
            return Err(JobError::discard(format!("the {what} of {kind} has {bytes} bytes, more than {bytes_max}")));
        }
        Ok(json)
    }
}
