//! Jobs that an administrator enqueues by hand: any kind of the catalogue, with a payload that fits its schema.

use chrono::{DateTime, Datelike, Utc};
use domain::error::FieldError;
use domain::{Error, Principal};
use ledger::Book;
use queue::{NewJob, Notifier, Priority, Unique, control};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::catalogue::{self, Kind};
use crate::submitted::{self, Repeatable, Submitted};

/// The years that a job may be due in.
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2200;

/// A job as it is asked for by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct ByHand {
    /// The kind's name.
    pub kind: String,
    /// Its payload.
    pub payload: Value,
    /// Another queue than the kind's.
    pub queue: Option<String>,
    /// When it is due; now without it.
    pub run_at: Option<DateTime<Utc>>,
    /// Another priority than the kind's.
    pub priority: Option<Priority>,
    /// How many attempts it has, if not as many as the kind says.
    pub max_attempts: Option<u16>,
    /// No other job of its kind with this key is enqueued while it lives.
    pub unique_key: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

impl ByHand {
    /// The job, in this book.
    ///
    /// # Errors
    /// [`Error::Invalid`], with pointers into an object of this type.
    pub fn job(&self, book: Book) -> Result<NewJob, Error> {
        let kind = known(&self.kind)?;
        let mut job = check(kind, &self.payload, book)?.shard(book.shard);
        if let Some(queue) = &self.queue {
            let is_served = crate::QUEUES.contains(&queue.as_str()) && (kind.batch_max == 1 || kind.queue == queue);
            if !is_served {
                let detail = format!("no worker takes jobs of this kind from this queue; its own is {}", kind.queue);
                return Err(Error::field("/queue", "unknown_queue", detail));
            }
            job.queue = queue.clone().into();
        }
        if let Some(at) = self.run_at {
            if !YEARS.contains(&at.year()) {
                return Err(Error::field("/run_at", "out_of_range", "a job is due between the years 1900 and 2200"));
            }
            job = job.run_at(at);
        }
        job = self.priority.map_or(job.clone(), |priority| job.priority(priority));
        job = self.max_attempts.map_or(job.clone(), |attempts| job.max_attempts(attempts));
        if let Some(key) = &self.unique_key {
            job = job.unique(key, Unique::WhileLive);
        }
        Ok(self.tags.iter().fold(job, |job, tag| job.tag(tag)))
    }
}

/// The kind of this name.
///
/// # Errors
/// [`Error::Invalid`] under `/kind`.
pub fn known(name: &str) -> Result<&'static Kind, Error> {
    catalogue::find(name).ok_or_else(|| {
        let names: Vec<&str> = catalogue::catalogue().iter().map(|kind| kind.name).collect();
        Error::field("/kind", "unknown_kind", format!("there is no such kind; there are {}", names.join(", ")))
    })
}

/// A job of the kind with this payload, which has to be about this book.
///
/// # Errors
/// [`Error::Invalid`] under `/payload`.
pub fn check(kind: &Kind, payload: &Value, book: Book) -> Result<NewJob, Error> {
    let wrong = kind.check(payload);
    if !wrong.is_empty() {
        let field = |wrong: catalogue::Wrong| FieldError {
            pointer: format!("/payload{}", wrong.pointer),
            code: wrong.code,
            detail: wrong.detail,
        };
        return Err(Error::Invalid(wrong.into_iter().map(field).collect()));
    }
    let own = [("shard", i64::from(book.shard)), ("book_id", i64::from(book.id))];
    let other = own.iter().find(|(member, own)| payload.get(member).is_some_and(|given| given.as_i64() != Some(*own)));
    if let Some((member, own)) = other {
        let detail = format!("you act in another book, whose {member} is {own}");
        return Err(Error::field(&format!("/payload/{member}"), "other_book", detail));
    }
    kind.job(payload).map_err(|error| Error::field("/payload", "undecodable", error_chain(&error)))
}

fn error_chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Enqueues the job on the caller's connection, with a row in the audit of the queue; returns its id.
///
/// # Errors
/// [`Error::Conflict`] when another job has its unique key; when the database fails.
pub async fn enqueue(conn: &mut PgConnection, actor: &str, shard: i16, job: NewJob) -> Result<Uuid, Error> {
    let (kind, queue) = (job.kind.clone(), job.queue.clone());
    let enqueued =
        queue::enqueue(&mut *conn, &[job.actor(actor)]).await.map_err(crate::record_transaction::enqueue_error)?;
    let enqueued = enqueued[0];
    if !enqueued.created {
        let detail = "another job of this kind with this unique key has not ended".to_owned();
        return Err(Error::Conflict { code: "job_exists", detail, existing: Some(enqueued.id) });
    }
    let target = json!({ "kind": kind, "queue": queue, "ids": [enqueued.id] });
    control::note(conn, shard, actor, "enqueue", target).await?;
    Ok(enqueued.id)
}

/// Enqueues the job, in one commit; returns its id.
///
/// # Errors
/// As [`ByHand::job`] and [`enqueue`]; [`Error::IdempotencyMismatch`].
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    by_hand: &ByHand,
    repeatable: Option<&Repeatable<Uuid>>,
) -> Result<Submitted<Uuid>, Error> {
    let job = by_hand.job(principal.book)?;
    let queue = job.queue.clone();
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let id = enqueue(&mut tx, &principal.user_id.to_string(), principal.book.shard, job).await?;
    submitted::finish(&mut tx, principal, repeatable, &id).await?;
    tx.commit().await?;
    notifier.wake(queue);
    Ok(Submitted::Done(id))
}
