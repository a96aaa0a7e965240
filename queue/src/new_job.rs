//! A job that is about to be enqueued.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// How long a job keeps others of its unique key out, and what becomes of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unique {
    /// Until it is claimed for the first time: what happens while it runs makes a new job.
    UntilStarted,
    /// Until it has ended, retries included.
    WhileLive,
    /// For this long from its being enqueued, whether it still lives or not.
    For(Duration),
    /// Until it is claimed for the first time; until then the one that comes later gives it its own payload and due
    /// time. With a delay this is a debounce: the job runs once things have been quiet for that long.
    Replace,
}

/// Under which limit a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limited {
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) is_sequence: bool,
    pub(crate) weight: u16,
}

/// The limit that sequences are under; every key of it holds one job at a time.
pub(crate) const SEQUENCE: &str = "sequence";

/// A job to enqueue, with everything that may be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id: a fresh UUIDv7, unless [`NewJob::id`] chose one.
    pub id: Uuid,
    /// The kind's name.
    pub kind: Cow<'static, str>,
    /// The queue that it goes to.
    pub queue: Cow<'static, str>,
    pub(crate) fresh: Fresh,
    pub(crate) shard: i16,
    pub(crate) priority: Priority,
    pub(crate) max_attempts: u16,
    pub(crate) due: Due,
    pub(crate) unique: Option<(Vec<u8>, Unique)>,
    pub(crate) actor: Option<String>,
    pub(crate) trace: Option<String>,
    pub(crate) limited: Option<Limited>,
    pub(crate) tags: Vec<String>,
    pub(crate) parent: Option<Uuid>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    /// How many jobs it waits for; set by what makes flows.
    pub(crate) waits_for: u16,
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

/// Whether a job's id was made for it and has never been shown to the database: then no other job can have it. A clone
/// is not fresh, since both could be enqueued.
#[derive(Debug, Default)]
pub(crate) struct Fresh(AtomicBool);

impl Fresh {
    /// True once at most.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl Clone for Fresh {
    fn clone(&self) -> Fresh {
        Fresh::default()
    }
}

impl PartialEq for Fresh {
    /// It says nothing about the job.
    fn eq(&self, _: &Fresh) -> bool {
        true
    }
}

impl Eq for Fresh {}

/// When a job is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// This long after it is enqueued, by the database's clock.
    In(Duration),
    At(DateTime<Utc>),
}

impl Due {
    /// The delay, in seconds; 0 where a time is given.
    pub(crate) fn delay_s(self) -> f64 {
        match self {
            Due::In(delay) => delay.as_secs_f64(),
            Due::At(_) => 0.0,
        }
    }

    pub(crate) fn time(self) -> Option<DateTime<Utc>> {
        match self {
            Due::In(_) => None,
            Due::At(at) => Some(at),
        }
    }
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
        Ok(NewJob::plain(kind.into(), queue.into(), priority, retry.attempts(), (version, payload)))
    }

    /// A job as it is stored with a schedule, of a kind and a queue that are known by name only.
    pub(crate) fn stored(
        (kind, queue): (String, String),
        shard: i16,
        priority: Priority,
        max_attempts: u16,
        (version, payload): (i16, String),
    ) -> NewJob {
        let payload = (version, NewPayload::Plain(payload));
        NewJob::plain(kind.into(), queue.into(), priority, max_attempts, payload).shard(shard)
    }

    fn plain(
        kind: Cow<'static, str>,
        queue: Cow<'static, str>,
        priority: Priority,
        max_attempts: u16,
        (version, payload): (i16, NewPayload),
    ) -> NewJob {
        NewJob {
            id: Uuid::now_v7(),
            kind,
            queue,
            fresh: Fresh(AtomicBool::new(true)),
            shard: 0,
            priority,
            max_attempts,
            due: Due::In(Duration::ZERO),
            unique: None,
            actor: None,
            trace: None,
            limited: None,
            tags: Vec::new(),
            parent: None,
            expires_at: None,
            waits_for: 0,
            version,
            payload,
        }
    }

    /// The payload of a job that is no secret, which those of schedules never are: [`NewJob::of`] refuses such kinds.
    pub(crate) fn plain_payload(&self) -> &str {
        match &self.payload {
            NewPayload::Plain(text) => text,
            NewPayload::Secret(..) => unreachable!("the job was not made with a keyring"),
        }
    }

    /// Whether its payload is stored sealed.
    pub(crate) fn is_sealed(&self) -> bool {
        matches!(self.payload, NewPayload::Secret(..))
    }

    /// The payload as the table holds it in the row of this id.
    pub(crate) fn stored_payload(&self, id: Uuid) -> Cow<'_, str> {
        self.payload.stored(Binding { id, kind: &self.kind, version: self.version })
    }

    /// With an id of the caller's choice; while a job of this id is live, another is not created.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> NewJob {
        (self.id, self.fresh) = (id, Fresh::default());
        self
    }

    /// With an id that the caller has made for it just now and used for no other job, as [`Uuid::now_v7`] makes one. Nothing
    /// looks whether a job of this id is live: if one is, enqueueing fails as a whole.
    #[must_use]
    pub fn fresh_id(mut self, id: Uuid) -> NewJob {
        (self.id, self.fresh) = (id, Fresh(AtomicBool::new(true)));
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

    /// With this many attempts in all instead of its kind's; at least one, at most 32,767.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u16) -> NewJob {
        self.max_attempts = attempts.clamp(1, i16::MAX as u16);
        self
    }

    /// Not created while another live job of its kind has the same key.
    #[must_use]
    pub fn unique(mut self, key: impl AsRef<str>, unique: Unique) -> NewJob {
        // The kind's length first, so that no kind and key together look like another kind and key.
        let mut hash = Sha256::new();
        hash.update((self.kind.len() as u64).to_be_bytes());
        hash.update(self.kind.as_ref());
        hash.update(key.as_ref());
        self.unique = Some((hash.finalize()[..16].to_vec(), unique));
        self
    }

    /// Under the limit of this name ([`Limit`](crate::Limit)), which holds for each key by itself. The job waits until
    /// its key has room.
    #[must_use]
    pub fn limit(mut self, name: impl Into<String>, key: impl Into<String>) -> NewJob {
        let weight = self.limited.as_ref().map_or(1, |limited| limited.weight);
        self.limited = Some(Limited { name: name.into(), key: key.into(), is_sequence: false, weight });
        self
    }

    /// Takes this many tokens of its limit's rate instead of one.
    ///
    /// # Panics
    /// When the job is under no limit, or the weight is 0 or over 32,767.
    #[must_use]
    pub fn weight(mut self, weight: u16) -> NewJob {
        assert!(0 < weight && weight <= i16::MAX as u16, "a weight is 1 to 32767");
        self.limited.as_mut().expect("a weight needs a limit, which is said first").weight = weight;
        self
    }

    /// One of a sequence: jobs of the same key run one after the other, by priority and then in the order of their
    /// coming due. The next one begins when this one has ended, its retries included. The order holds within a queue;
    /// jobs of several queues with one key run one at a time, in no order between the queues.
    #[must_use]
    pub fn sequence(mut self, key: impl Into<String>) -> NewJob {
        self.limited = Some(Limited { name: SEQUENCE.to_owned(), key: key.into(), is_sequence: true, weight: 1 });
        self
    }

    /// With this word to find it by.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> NewJob {
        self.tags.push(tag.into());
        self
    }

    /// Enqueued by this job. [`JobContext::enqueue`](crate::JobContext::enqueue) says so by itself.
    #[must_use]
    pub fn parent(mut self, job: Uuid) -> NewJob {
        self.parent = Some(job);
        self
    }

    /// Discarded instead of run if it has not begun by then.
    #[must_use]
    pub fn expires_at(mut self, at: DateTime<Utc>) -> NewJob {
        self.expires_at = Some(at);
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
