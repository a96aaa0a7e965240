//! Many jobs of one kind, run as one.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::enqueue::{EnqueueError, Enqueued, enqueue};
use crate::notify::{self, Hint};
use crate::own_tx::OwnTx;
use crate::registry::States;
use crate::{JobError, NewJob};

/// One job of a batch.
#[derive(Debug, Clone)]
pub struct Item<J> {
    /// The job's id.
    pub id: Uuid,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The job itself.
    pub payload: J,
}

/// The jobs of one run of a [`BatchJob`](crate::BatchJob), and their common transaction.
pub struct Batch<'a, J> {
    pub(crate) items: Vec<Item<J>>,
    pub(crate) outcomes: Vec<Result<(), JobError>>,
    pub(crate) tx: OwnTx<'a>,
    pub(crate) states: &'a States,
    /// Whom to wake after the commit: the workers of queues that follow-up jobs were put into, and others who listen.
    pub(crate) follow_ups: HashSet<Hint>,
}

impl<J> Batch<'_, J> {
    /// The jobs, in the order in which they were claimed.
    pub fn items(&self) -> &[Item<J>] {
        &self.items
    }

    /// Decides the outcome of one job; without that it is success. What the batch writes is committed all the same.
    ///
    /// # Panics
    /// When there is no item of this index.
    pub fn set(&mut self, index: usize, outcome: Result<(), JobError>) {
        self.outcomes[index] = outcome;
    }

    /// The batch's own transaction, as [`JobContext::tx`](crate::JobContext::tx): the completion of all its jobs joins it.
    ///
    /// # Errors
    /// When no connection is to be had.
    pub async fn tx(&mut self) -> sqlx::Result<&mut PgConnection> {
        self.tx.get().await
    }

    /// As [`JobContext::enqueue`](crate::JobContext::enqueue); what follows from many jobs has none of them as its parent.
    ///
    /// # Errors
    /// As [`enqueue`](crate::enqueue).
    pub async fn enqueue(&mut self, job: NewJob) -> Result<Enqueued, EnqueueError> {
        let enqueued = enqueue(self.tx.get().await?, std::slice::from_ref(&job)).await?[0];
        // Whoever enqueued the one that is there already has told of it.
        if enqueued.created {
            self.follow_ups.insert(notify::of_queue(job.queue));
        }
        Ok(enqueued)
    }

    /// As [`JobContext::tell`](crate::JobContext::tell).
    pub fn tell(&mut self, channel: &'static str) {
        self.follow_ups.insert(notify::of_channel(channel));
    }

    /// As [`JobContext::state`](crate::JobContext::state).
    ///
    /// # Panics
    /// When there is none.
    pub fn state<T: Send + Sync + 'static>(&self) -> Arc<T> {
        self.states.get()
    }
}
