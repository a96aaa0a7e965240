//! A job that is about to be enqueued.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::encryption::{Binding, Keyring};
use crate::payload::{NewPayload, version};
use crate::{BatchJob, EnqueueError, Job, Priority, Retry};

/// The largest payload, in bytes of JSON. What is larger belongs in a table of its own, with its id in the job.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;

/// How long a job keeps others of its unique key out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// Until it is claimed for the first time: what happens while it runs makes a new job.
    UntilStarted,
    /// Until it has ended, retries included.
    WhileLive,
}

/// A job to enqueue, with everything that may be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id: a fresh UUIDv7, unless [`NewJob::id`] chose one.
    pub id: Uuid,
    /// The kind's name.
    pub kind: &'static str,
    /// The queue that it goes to.
    pub queue: &'static str,
    pub(crate) shard: i16,
    pub(crate) priority: Priority,
    pub(crate) max_attempts: u16,
    pub(crate) due: Due,
    pub(crate) unique: Option<(Vec<u8>, Unique)>,
    pub(crate) actor: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) version: i16,
    pub(crate) payload: NewPayload,
}

/// What [`NewJob`] takes from a kind.
struct Policy {
    kind: &'static str,
    queue: &'static str,
    priority: Priority,
    retry: Retry,
    version: i16,
    is_encrypted: bool,
}

impl Policy {
    fn of<J: Job>() -> Policy {
        Policy {
            kind: J::KIND,
            queue: J::QUEUE,
            priority: J::PRIORITY,
            retry: J::RETRY,
            version: const { version(J::VERSION) },
            is_encrypted: J::ENCRYPTED,
        }
    }

    fn of_batch<J: BatchJob>() -> Policy {
        Policy {
            kind: J::KIND,
            queue: J::QUEUE,
            priority: J::PRIORITY,
            retry: J::RETRY,
            version: const { version(J::VERSION) },
            is_encrypted: J::ENCRYPTED,
        }
    }
}

/// When a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// This long after it is enqueued, by the database's clock.
    In(Duration),
    At(DateTime<Utc>),
}

impl NewJob {
    /// A job of a kind that runs one at a time.
    ///
    /// # Errors
    /// When the payload does not serialise, or to more than [`PAYLOAD_BYTES_MAX`], or the kind is
    /// [`ENCRYPTED`](Job::ENCRYPTED).
    pub fn of<J: Job>(job: &J) -> Result<NewJob, EnqueueError> {
        NewJob::new(Policy::of::<J>(), job, None)
    }

    /// A job of a kind that runs in batches.
    ///
    /// # Errors
    /// As [`NewJob::of`].
    pub fn batch<J: BatchJob>(job: &J) -> Result<NewJob, EnqueueError> {
        NewJob::new(Policy::of_batch::<J>(), job, None)
    }

    /// A job whose payload is sealed with the keyring's current key, whether its kind asks for that or not. It is
    /// sealed when it is enqueued, for the id that the job has then.
    ///
    /// # Errors
    /// As [`NewJob::of`], save that a key is there.
    pub fn encrypted<J: Job>(job: &J, keyring: &Keyring) -> Result<NewJob, EnqueueError> {
        NewJob::new(Policy::of::<J>(), job, Some(keyring))
    }

    /// As [`NewJob::encrypted`], of a kind that runs in batches.
    ///
    /// # Errors
    /// As [`NewJob::encrypted`].
    pub fn encrypted_batch<J: BatchJob>(job: &J, keyring: &Keyring) -> Result<NewJob, EnqueueError> {
        NewJob::new(Policy::of_batch::<J>(), job, Some(keyring))
    }

    fn new(policy: Policy, payload: &impl Serialize, keyring: Option<&Keyring>) -> Result<NewJob, EnqueueError> {
        let Policy { kind, queue, priority, retry, version, is_encrypted } = policy;
        if is_encrypted && keyring.is_none() {
            return Err(EnqueueError::KeyNeeded { kind });
        }
        let mut payload = Zeroizing::new(serde_json::to_string(payload)?);
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(EnqueueError::PayloadTooLarge { kind, bytes: payload.len() });
        }
        let payload = match keyring {
            None => NewPayload::Plain(std::mem::take(&mut payload)),
            Some(keyring) => NewPayload::Secret(payload, keyring.clone()),
        };
        Ok(NewJob {
            id: Uuid::now_v7(),
            kind,
            queue,
            shard: 0,
            priority,
            max_attempts: retry.attempts(),
            due: Due::In(Duration::ZERO),
            unique: None,
            actor: None,
            trace: None,
            version,
            payload,
        })
    }

    /// The payload as the table holds it in the row of this id.
    pub(crate) fn stored_payload(&self, id: Uuid) -> Cow<'_, str> {
        self.payload.stored(Binding { id, kind: self.kind, version: self.version })
    }

    /// With an id of the caller's choice; while a job of this id is live, another is not created.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> NewJob {
        self.id = id;
        self
    }

    /// In this shard instead of 0.
    #[must_use]
    pub fn shard(mut self, shard: i16) -> NewJob {
        self.shard = shard;
        self
    }

    /// Due this long after it is enqueued.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> NewJob {
        self.due = Due::In(delay);
        self
    }

    /// Due at this time; at once if that has passed.
    #[must_use]
    pub fn run_at(mut self, at: DateTime<Utc>) -> NewJob {
        self.due = Due::At(at);
        self
    }

    /// With this priority instead of its kind's.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> NewJob {
        self.priority = priority;
        self
    }

    /// Not created while another live job of its kind has the same key.
    #[must_use]
    pub fn unique(mut self, key: impl AsRef<str>, unique: Unique) -> NewJob {
        // The kind's length first, so that no kind and key together look like another kind and key.
        let mut hash = Sha256::new();
        hash.update((self.kind.len() as u64).to_be_bytes());
        hash.update(self.kind);
        hash.update(key.as_ref());
        self.unique = Some((hash.finalize()[..16].to_vec(), unique));
        self
    }

    /// Caused by this actor (a user id, a schedule's name), for the record.
    #[must_use]
    pub fn actor(mut self, actor: impl Into<String>) -> NewJob {
        self.actor = Some(actor.into());
        self
    }

    /// Caused by the request of this W3C `traceparent`.
    #[must_use]
    pub fn trace(mut self, traceparent: impl Into<String>) -> NewJob {
        self.trace = Some(traceparent.into());
        self
    }
}
