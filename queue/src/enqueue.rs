//! Puts jobs in their queues, in the caller's transaction.

mod group;
mod unique;

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

pub use group::Enqueuer;

use crate::inspect::JobState;
use crate::metrics::JOBS_ENQUEUED;
use crate::new_job::{Due, Limited, NewJob, PAYLOAD_BYTES_MAX, Unique};

/// What became of one of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The job's id, or that of the job which stands in its way.
    pub id: Uuid,
    /// False when a job of the same id or unique key was there already.
    pub created: bool,
    /// Where that job was in its life when we looked.
    pub state: JobState,
}

/// Why jobs could not be enqueued; nothing has been then.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The payload does not serialise.
    #[error("the payload does not serialise")]
    Payload(#[from] serde_json::Error),
    /// The payload is over the limit.
    #[error("the payload of {kind} has {bytes} bytes, more than {PAYLOAD_BYTES_MAX}")]
    PayloadTooLarge {
        /// The kind's name.
        kind: &'static str,
        /// The size of its JSON.
        bytes: usize,
    },
    /// Jobs of the same unique key came and went each time we looked.
    #[error("jobs of the same unique key came and went too quickly to name one")]
    Contended,
    /// A commit that was shared with other jobs failed: whether the job was enqueued is unknown.
    #[error("a shared commit failed: {0}")]
    Shared(String),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// How often to look again for the job that stood in the way and was gone when we asked for its id.
const ROUNDS_MAX: usize = 10;

/// Enqueues the jobs on the caller's connection; they exist when, and only if, the caller's transaction commits. Tell
/// the workers after the commit ([`Notifier::wake`](crate::Notifier::wake)), or they find out by polling within a second.
///
/// The answers are in the order of the jobs. Where a job of the same unique key exists, its id and state are returned;
/// one that another transaction is about to insert is waited for, so that a rollback there makes no job vanish here.
///
/// # Errors
/// [`EnqueueError::Database`] and [`EnqueueError::Contended`].
pub async fn enqueue(conn: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Enqueued>, EnqueueError> {
    let mut answers: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    for (index, answer) in unique::hold(conn, jobs).await? {
        answers[index] = Some(answer);
    }
    let mut open: Vec<usize> = (0..jobs.len()).filter(|index| answers[*index].is_none()).collect();
    for _ in 0..ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        for (index, answer) in round(conn, jobs, &open).await? {
            answers[index] = Some(answer);
        }
        open.retain(|index| answers[*index].is_none());
    }
    let answers: Option<Vec<Enqueued>> = answers.into_iter().collect();
    let answers = answers.ok_or(EnqueueError::Contended)?;
    count(jobs, &answers);
    Ok(answers)
}

/// Inserts what nothing stands in the way of, and looks for what stands in the way of the rest.
async fn round(conn: &mut PgConnection, jobs: &[NewJob], open: &[usize]) -> sqlx::Result<Vec<(usize, Enqueued)>> {
    let mut asked: Vec<&NewJob> = open.iter().map(|index| &jobs[*index]).collect();
    // In one order everywhere: an insert waits for another of its key, so two calls could wait for each other.
    asked.sort_by_key(|job| job.live_key());
    let mut created: HashSet<Uuid> = insert(conn, &asked).await?.into_iter().collect();
    let (mut answers, mut blocked) = (Vec::with_capacity(open.len()), Vec::new());
    for index in open {
        let (id, state) = (jobs[*index].id, jobs[*index].first_state());
        // Removed when answered: of two jobs with one id in the same call, the first is the one created.
        match created.remove(&id) {
            true => answers.push((*index, Enqueued { id, created: true, state })),
            false => blocked.push(*index),
        }
    }
    answers.extend(unique::replace(conn, jobs, &mut blocked).await?);
    answers.extend(unique::find_existing(conn, jobs, &blocked).await?);
    Ok(answers)
}

impl NewJob {
    /// The unique key that the row itself carries.
    fn live_key(&self) -> Option<&[u8]> {
        let (key, unique) = self.unique.as_ref()?;
        (!matches!(unique, Unique::For(_))).then_some(key.as_slice())
    }

    fn is_until_started(&self) -> bool {
        matches!(self.unique, Some((_, Unique::UntilStarted | Unique::Replace)))
    }

    /// The state that it is created in, by this process's clock.
    fn first_state(&self) -> JobState {
        let is_early = match self.due {
            Due::In(delay) => !delay.is_zero(),
            Due::At(at) => at > Utc::now(),
        };
        match (self.waits_for > 0, is_early, &self.limited) {
            (true, ..) | (false, false, Some(_)) => JobState::Waiting,
            (false, true, _) => JobState::Scheduled,
            (false, false, None) => JobState::Ready,
        }
    }
}

/// Inserts what nothing stands in the way of; returns the ids.
async fn insert(conn: &mut PgConnection, jobs: &[&NewJob]) -> sqlx::Result<Vec<Uuid>> {
    let each = || jobs.iter();
    let limited = |job: &&NewJob| job.limited.as_ref().map(|limited: &Limited| limited.name.clone());
    let limit_key = |job: &&NewJob| job.limited.as_ref().map(|limited: &Limited| limited.key.clone());
    let inserted = sqlx::query_file_scalar!(
        "src/enqueue/insert.sql",
        &each().map(|job| job.shard).collect::<Vec<_>>(),
        &each().map(|job| job.id).collect::<Vec<_>>(),
        &each().map(|job| job.queue).collect::<Vec<_>>() as &[&str],
        &each().map(|job| job.kind).collect::<Vec<_>>() as &[&str],
        &each().map(|job| job.priority.rank()).collect::<Vec<_>>(),
        &each().map(|job| job.max_attempts as i16).collect::<Vec<_>>(),
        &each().map(|job| job.due.delay_s()).collect::<Vec<_>>(),
        &each().map(|job| job.due.time()).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &each().map(|job| job.live_key()).collect::<Vec<_>>() as &[Option<&[u8]>],
        &each().map(|job| job.is_until_started()).collect::<Vec<_>>(),
        &each().map(|job| job.actor.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &each().map(|job| job.trace.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &each().map(|job| job.payload.as_str()).collect::<Vec<_>>() as &[&str],
        &each().map(limited).collect::<Vec<_>>() as &[Option<String>],
        &each().map(limit_key).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|job| job.limited.as_ref().is_some_and(|limited| limited.is_sequence)).collect::<Vec<_>>(),
        &each().map(|job| job.limited.as_ref().map_or(1, |limited| limited.weight as i16)).collect::<Vec<_>>(),
        &each().map(|job| array_text(&job.tags)).collect::<Vec<_>>() as &[Option<String>],
        &each().map(|job| job.parent).collect::<Vec<_>>() as &[Option<Uuid>],
        &each().map(|job| job.expires_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &each().map(|job| job.waits_for as i16).collect::<Vec<_>>(),
    );
    inserted.fetch_one(conn).await
}

/// An array of texts as PostgreSQL writes it, since arrays of arrays do not unnest row by row; none for no texts.
fn array_text(texts: &[String]) -> Option<String> {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    (!texts.is_empty()).then(|| format!("{{{}}}", texts.iter().map(quoted).collect::<Vec<_>>().join(",")))
}

/// Counts what was created; the caller may still roll back, which the metric's help says.
fn count(jobs: &[NewJob], answers: &[Enqueued]) {
    let mut created: HashMap<&'static str, u64> = HashMap::new();
    for (job, answer) in jobs.iter().zip(answers) {
        *created.entry(job.kind).or_default() += u64::from(answer.created);
    }
    for (kind, number) in created {
        metrics::counter!(JOBS_ENQUEUED.name, "kind" => kind).increment(number);
    }
}

#[cfg(test)]
mod tests {
    use super::array_text;

    #[test]
    fn an_array_is_written_as_postgres_reads_it() {
        assert_eq!(array_text(&[]), None);
        let texts = ["a b", "say \"x\"", "back\\slash", "{,}"].map(str::to_owned);
        assert_eq!(array_text(&texts).as_deref(), Some(r#"{"a b","say \"x\"","back\\slash","{,}"}"#));
    }
}
