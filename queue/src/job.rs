//! What a developer writes to add a kind of job: its payload, its policy and what it does.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::payload::no_upgrade;
use crate::{Batch, BoxError, JobContext, JobError, Priority, Retry};

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
    /// How long one attempt may take from its beginning, or from its last [`JobContext::heartbeat`],
    /// [`JobContext::progress`] or [`JobContext::commit_step`]; then it is dropped, its transaction rolled back, and it
    /// counts as failed.
    const TIMEOUT: Duration = TIMEOUT;
    /// How many days its ended jobs are kept, if that is fewer than the process keeps all
    /// ([`history_days`](crate::backend::ConsumerConfig::history_days)).
    const HISTORY_DAYS: Option<u16> = None;
    /// How long a running job goes on after somebody has asked for its end; then it is dropped, its transaction rolled
    /// back, and it is filed as cancelled. None by default: a job that has to tidy up says how long that takes, and
    /// waits for [`JobContext::cancelled`].
    const CANCEL_GRACE: Duration = Duration::ZERO;
    /// The version of the payload, which is stored with each job. Raise it when the type changes in a way that older
    /// payloads, or older workers, would not understand. A worker puts off jobs of a newer version than it knows.
    const VERSION: u16 = 1;
    /// Whether payloads are stored sealed: then they are enqueued by [`NewJob::encrypted`](crate::NewJob::encrypted).
    const ENCRYPTED: bool = false;

    /// Turns a payload of an older version into one of [`Job::VERSION`], which is then parsed. It is called with
    /// whatever version is still stored, so it goes through all that ever were.
    ///
    /// # Errors
    /// Whatever makes it no payload; the job then goes to the dead letters. Without an upgrade of its own a kind refuses.
    fn upgrade(from: u16, _payload: Value) -> Result<Value, BoxError> {
        no_upgrade(Self::KIND, from)
    }

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
    /// As [`Job::HISTORY_DAYS`].
    const HISTORY_DAYS: Option<u16> = None;
    /// As [`Job::VERSION`].
    const VERSION: u16 = 1;
    /// As [`Job::ENCRYPTED`], by [`NewJob::encrypted_batch`](crate::NewJob::encrypted_batch).
    const ENCRYPTED: bool = false;
    /// The most jobs in a batch.
    const BATCH_MAX: usize;
    /// How many batches of this kind a process runs at once. With one, what arrives meanwhile makes up the next batch.
    const CONCURRENCY: usize = 1;

    /// As [`Job::upgrade`].
    ///
    /// # Errors
    /// As [`Job::upgrade`].
    fn upgrade(from: u16, _payload: Value) -> Result<Value, BoxError> {
        no_upgrade(Self::KIND, from)
    }

    /// Does the work of all of [`Batch::items`]. An error fails the batch: it is rolled back and its halves are run
    /// instead, until the jobs that fail stand alone. [`Batch::set`] fails or postpones one job without that.
    fn run(batch: &mut Batch<'_, Self>) -> impl Future<Output = Result<(), JobError>> + Send
    where
        Self: Sized;
}
