//! Puts jobs in their queues, in the caller's transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::metrics::JOBS_ENQUEUED;
use crate::new_job::{Due, NewJob, PAYLOAD_BYTES_MAX, Unique};

/// What became of one of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enqueued {
    /// The job's id, or that of the live job which stands in its way.
    pub id: Uuid,
    /// False when a live job of the same id or unique key was there already.
    pub created: bool,
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
    /// The kind's payloads are stored sealed: [`NewJob::encrypted`] takes the keyring.
    #[error("payloads of {kind} are stored sealed, which needs a keyring")]
    KeyNeeded {
        /// The kind's name.
        kind: &'static str,
    },
    /// Jobs of the same unique key came and went each time we looked.
    #[error("jobs of the same unique key came and went too quickly to name one")]
    Contended,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// How often to look again for the job that stood in the way and was gone when we asked for its id.
const ROUNDS_MAX: usize = 10;

/// Enqueues the jobs on the caller's connection; they exist when, and only if, the caller's transaction commits. Tell
/// the workers after the commit ([`Notifier::wake`](crate::Notifier::wake)), or they find out by polling within a second.
///
/// The answers are in the order of the jobs. Where a live job of the same unique key exists, its id is returned; one
/// that another transaction is about to insert is waited for, so that a rollback there makes no job vanish here.
///
/// # Errors
/// [`EnqueueError::Database`] and [`EnqueueError::Contended`].
pub async fn enqueue(conn: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Enqueued>, EnqueueError> {
    let mut answers: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    let mut open: Vec<usize> = (0..jobs.len()).collect();
    for _ in 0..ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        let mut asked: Vec<&NewJob> = open.iter().map(|index| &jobs[*index]).collect();
        // In one order everywhere: an insert waits for another of its key, so two calls could wait for each other.
        asked.sort_by_key(|job| job.unique.as_ref().map(|(key, _)| key));
        let mut created: HashSet<Uuid> = insert(conn, &asked).await?.into_iter().collect();
        // Removed when answered: of two jobs with one id in the same call, the first is the one created.
        for index in &open {
            let id = jobs[*index].id;
            answers[*index] = created.remove(&id).then_some(Enqueued { id, created: true });
        }
        open.retain(|index| answers[*index].is_none());
        for (index, id) in find_existing(conn, jobs, &open).await? {
            answers[index] = Some(Enqueued { id, created: false });
        }
        open.retain(|index| answers[*index].is_none());
    }
    let answers: Option<Vec<Enqueued>> = answers.into_iter().collect();
    let answers = answers.ok_or(EnqueueError::Contended)?;
    count(jobs, &answers);
    Ok(answers)
}

/// Inserts what nothing stands in the way of; returns the ids.
async fn insert(conn: &mut PgConnection, jobs: &[&NewJob]) -> sqlx::Result<Vec<Uuid>> {
    let delay = |job: &&NewJob| match job.due {
        Due::In(delay) => delay.as_secs_f64(),
        Due::At(_) => 0.0,
    };
    let run_at = |job: &&NewJob| match job.due {
        Due::In(_) => None,
        Due::At(at) => Some(at),
    };
    let key = |job: &&NewJob| job.unique.as_ref().map(|(key, _)| key.clone());
    let until_started = |job: &&NewJob| matches!(job.unique, Some((_, Unique::UntilStarted)));
    let payloads: Vec<_> = jobs.iter().map(|job| job.stored_payload(job.id)).collect();
    let inserted = sqlx::query_file_scalar!(
        "src/enqueue.sql",
        &jobs.iter().map(|job| job.shard).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.queue).collect::<Vec<_>>() as &[&str],
        &jobs.iter().map(|job| job.kind).collect::<Vec<_>>() as &[&str],
        &jobs.iter().map(|job| job.priority.rank()).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.max_attempts as i16).collect::<Vec<_>>(),
        &jobs.iter().map(delay).collect::<Vec<_>>(),
        &jobs.iter().map(run_at).collect::<Vec<_>>() as &[Option<DateTime<Utc>>],
        &jobs.iter().map(key).collect::<Vec<_>>() as &[Option<Vec<u8>>],
        &jobs.iter().map(until_started).collect::<Vec<_>>(),
        &jobs.iter().map(|job| job.actor.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &jobs.iter().map(|job| job.trace.as_deref()).collect::<Vec<_>>() as &[Option<&str>],
        &payloads.iter().map(|payload| &**payload).collect::<Vec<_>>() as &[&str],
        &jobs.iter().map(|job| job.version).collect::<Vec<_>>(),
    );
    inserted.fetch_one(conn).await
}

/// The live jobs that stand in the way of these, by the index of the job.
async fn find_existing(conn: &mut PgConnection, jobs: &[NewJob], open: &[usize]) -> sqlx::Result<Vec<(usize, Uuid)>> {
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let open_jobs = || open.iter().map(|index| &jobs[*index]);
    let key = |job: &NewJob| job.unique.as_ref().map(|(key, _)| key.clone());
    let found = sqlx::query!(
        r#"
        select asked.place as "place!", there.id
          from unnest($1::smallint[], $2::uuid[], $3::bytea[]) with ordinality as asked(shard, id, unique_key, place)
         cross join lateral (
                   select job.id from queue.job where job.shard = asked.shard and job.id = asked.id
                    union all
                   select job.id from queue.job where job.shard = asked.shard and job.unique_key = asked.unique_key
                    limit 1
               ) as there
        "#,
        &open_jobs().map(|job| job.shard).collect::<Vec<_>>(),
        &open_jobs().map(|job| job.id).collect::<Vec<_>>(),
        &open_jobs().map(key).collect::<Vec<_>>() as &[Option<Vec<u8>>],
    );
    let found = found.fetch_all(conn).await?;
    Ok(found
        .into_iter()
        .map(|row| (open[row.place as usize - 1], row.id.expect("a primary key is not null")))
        .collect())
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
