//! What a developer writes to add a kind of job: its payload, its policy and what it does.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Batch, JobContext, JobError, Priority, Retry};

/// The timeout of a kind that names none.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A kind of job that runs one at a time. The type is the payload, the constants are its policy.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The kind's name, `area.verb_noun`. It is stored with each job, so it stays.
    const KIND: &'static str;
    /// The queue that it is put in.
    const QUEUE: &'static str;
    /// Its place among the ready jobs of its queue, unless the enqueuer says otherwise.
    const PRIORITY: Priority = Priority::NORMAL;
    /// When it is tried again after a failure.
    const RETRY: Retry = Retry::DEFAULT;
    /// How long one attempt may take; then it is dropped, its transaction rolled back, and it counts as failed.
    const TIMEOUT: Duration = TIMEOUT;
    /// How long a running job goes on after somebody has asked for its end; then it is dropped, its transaction rolled
    /// back, and it is filed as cancelled. None by default: a job that has to tidy up says how long that takes, and
    /// waits for [`JobContext::cancelled`].
    const CANCEL_GRACE: Duration = Duration::ZERO;

    /// Does the work. It may be started more than once; what it writes through [`JobContext::tx`] happens once.
    fn run(self, ctx: &mut JobContext<'_>) -> impl Future<Output = Result<(), JobError>> + Send;
}

/// A kind of job that is run many at a time, in one transaction.
pub trait BatchJob: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// As [`Job::KIND`].
    const KIND: &'static str;
    /// As [`Job::QUEUE`].
    const QUEUE: &'static str;
    /// As [`Job::PRIORITY`].
    const PRIORITY: Priority = Priority::NORMAL;
    /// As [`Job::RETRY`], for each job of the batch.
    const RETRY: Retry = Retry::DEFAULT;
    /// How long one batch may take; a batch that takes longer is split.
    const TIMEOUT: Duration = TIMEOUT;
    /// The most jobs in a batch.
    const BATCH_MAX: usize;
    /// How many batches of this kind a process runs at once. With one, what arrives meanwhile makes up the next batch.
    const CONCURRENCY: usize = 1;

    /// Does the work of all of [`Batch::items`]. An error fails the batch: it is rolled back and its halves are run
    /// instead, until the jobs that fail stand alone. [`Batch::set`] fails or postpones one job without that.
    fn run(batch: &mut Batch<'_, Self>) -> impl Future<Output = Result<(), JobError>> + Send
    where
        Self: Sized;
}
