//! Puts jobs in their queues, in the caller's transaction.

mod copy;
mod group;
mod plain;
mod unique;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, PgConnection};
use uuid::Uuid;

pub use group::Enqueuer;

use crate::error::BoxError;
use crate::inspect::JobState;
use crate::metrics::{JOBS_ENQUEUED, kind_label};
use crate::new_job::{NewJob, PAYLOAD_BYTES_MAX, Unique};
use crate::notify::CHANNEL;
use crate::trace;

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
    /// The kind's payloads are stored sealed: [`NewJob::encrypted`] takes the keyring.
    #[error("payloads of {kind} are stored sealed, which needs a keyring")]
    KeyNeeded {
        /// The kind's name.
        kind: &'static str,
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
/// A job without a trace is given that of the request or the job that the caller works for ([`trace::within`]).
///
/// The answers are in the order of the jobs. Where a job of the same unique key exists, its id and state are returned;
/// one that another transaction is about to insert is waited for, so that a rollback there makes no job vanish here.
///
/// # Errors
/// [`EnqueueError::Database`] and [`EnqueueError::Contended`].
pub async fn enqueue(conn: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Enqueued>, EnqueueError> {
    enqueue_and(conn, jobs, Wake::Later).await
}

/// The same, and the commit itself wakes the workers: nobody else has to, and they set off before the caller hears of it.
///
/// For a job that comes alone. Commits that wake somebody wait for each other, since NOTIFY takes a lock that they share
/// until each of them is on the disk: a stream of jobs is told of after its commits, by a [`Notifier`](crate::Notifier).
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_waking(conn: &mut PgConnection, jobs: &[NewJob]) -> Result<Vec<Enqueued>, EnqueueError> {
    enqueue_and(conn, jobs, Wake::WithCommit).await
}

/// Who tells the workers of the jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    /// The caller, after the commit.
    Later,
    /// The commit itself.
    WithCommit,
}

async fn enqueue_and(conn: &mut PgConnection, jobs: &[NewJob], wake: Wake) -> Result<Vec<Enqueued>, EnqueueError> {
    let span = trace::current().zip(jobs.first());
    let span = span.map(|(caller, job)| trace::Span::enqueue(caller, &job.kind, &job.queue, jobs.len()));
    let trace = span.as_ref().map(|span| span.context().to_string());
    let mut answers: Vec<Option<Enqueued>> = vec![None; jobs.len()];
    for (index, answer) in unique::hold(conn, jobs).await? {
        answers[index] = Some(answer);
    }
    let mut open: Vec<usize> = (0..jobs.len()).filter(|index| answers[*index].is_none()).collect();
    for _ in 0..ROUNDS_MAX {
        if open.is_empty() {
            break;
        }
        for (index, answer) in round(conn, jobs, &open, trace.as_deref(), wake).await? {
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
async fn round(
    conn: &mut PgConnection,
    jobs: &[NewJob],
    open: &[usize],
    trace: Option<&str>,
    wake: Wake,
) -> sqlx::Result<Vec<(usize, Enqueued)>> {
    let placed = |index: &usize| Placed { place: *index, job: &jobs[*index], trace };
    let mut asked: Vec<Placed<'_>> = open.iter().map(placed).collect();
    // In one order everywhere: an insert waits for another of its key, so two calls could wait for each other.
    asked.sort_by_key(|asked| asked.job.live_key());
    let mut created: HashMap<Uuid, JobState> = insert(conn, &asked, wake).await?;
    let (mut answers, mut blocked) = (Vec::with_capacity(open.len()), Vec::new());
    for index in open {
        let id = jobs[*index].id;
        // Removed when answered: of two jobs with one id in the same call, the first is the one created.
        match created.remove(&id) {
            Some(state) => answers.push((*index, Enqueued { id, created: true, state })),
            None => blocked.push(*index),
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

    /// The state that it is created in, if it is due later or not.
    fn state_at(&self, is_early: bool) -> JobState {
        match (self.waits_for > 0, is_early, &self.limited) {
            (true, ..) | (false, false, Some(_)) => JobState::Waiting,
            (false, true, _) => JobState::Scheduled,
            (false, false, None) => JobState::Ready,
        }
    }
}

/// A job and its place in the call, which decides who comes first of those that come due together.
struct Placed<'j> {
    place: usize,
    job: &'j NewJob,
    /// The trace of the caller.
    trace: Option<&'j str>,
}

impl<'j> Placed<'j> {
    fn trace(&self) -> Option<&'j str> {
        self.job.trace.as_deref().or(self.trace)
    }
}

/// What inserts jobs whose ids and keys may be there already.
const INSERT: &str = include_str!("enqueue/insert.sql");
/// What inserts jobs that nothing can stand in the way of: without a speculative insertion, which each row pays for.
static INSERT_FRESH: LazyLock<String> = LazyLock::new(|| INSERT.replace("on conflict do nothing", ""));

/// Inserts what nothing stands in the way of; returns the ids, and the states that they begin in.
async fn insert(conn: &mut PgConnection, jobs: &[Placed<'_>], wake: Wake) -> sqlx::Result<HashMap<Uuid, JobState>> {
    // Every job is asked, so that none is taken for fresh a second time.
    let stale = jobs.iter().filter(|asked| !asked.job.fresh.take() || asked.job.live_key().is_some()).count();
    let is_fresh = stale == 0;
    if is_fresh
        && wake == Wake::Later
        && jobs.len() >= copy::JOBS_MIN
        && let Some(created) = copy::copy(conn, jobs).await?
    {
        return Ok(created);
    }
    if is_fresh && jobs.iter().all(|asked| plain::is_plain(asked.job)) {
        return plain::insert(conn, jobs, wake).await;
    }
    let statement = if is_fresh { INSERT_FRESH.as_str() } else { INSERT };
    let arguments = arguments(jobs, wake).map_err(sqlx::Error::Encode)?;
    let created = sqlx::query_as_with(AssertSqlSafe(statement), arguments).fetch_one(conn).await?;
    let (ids, states, _told): (Vec<Uuid>, Vec<i16>, i64) = created;
    Ok(ids.into_iter().zip(states.into_iter().map(JobState::from_number)).collect())
}

/// A value of each of the jobs.
fn each<'j, T>(jobs: &[Placed<'j>], value: impl Fn(&'j NewJob) -> T) -> Vec<T> {
    jobs.iter().map(|asked| value(asked.job)).collect()
}

/// The arrays of insert.sql, in their order. A test prepares the statement, since no macro checks it here.
fn arguments(jobs: &[Placed<'_>], wake: Wake) -> Result<PgArguments, BoxError> {
    let mut all = PgArguments::default();
    all.add(each(jobs, |job| job.shard))?;
    all.add(each(jobs, |job| job.id))?;
    all.add(each(jobs, |job| job.queue.as_ref()))?;
    all.add(each(jobs, |job| job.kind.as_ref()))?;
    all.add(each(jobs, |job| job.priority.rank()))?;
    all.add(each(jobs, |job| job.max_attempts as i16))?;
    all.add(each(jobs, |job| job.due.delay_s()))?;
    all.add(each(jobs, |job| job.due.time()))?;
    all.add(each(jobs, |job| job.live_key()))?;
    all.add(each(jobs, |job| job.is_until_started()))?;
    all.add(each(jobs, |job| job.actor.as_deref()))?;
    all.add(jobs.iter().map(Placed::trace).collect::<Vec<_>>())?;
    all.add(each(jobs, |job| job.stored_payload(job.id)))?;
    all.add(each(jobs, |job| job.limited.as_ref().map(|limited| limited.name.as_str())))?;
    all.add(each(jobs, |job| job.limited.as_ref().map(|limited| limited.key.as_str())))?;
    all.add(each(jobs, |job| job.limited.as_ref().is_some_and(|limited| limited.is_sequence)))?;
    all.add(each(jobs, |job| job.limited.as_ref().map_or(1, |limited| limited.weight as i16)))?;
    all.add(each(jobs, |job| array_text(&job.tags)))?;
    all.add(each(jobs, |job| job.parent))?;
    all.add(each(jobs, |job| job.expires_at))?;
    all.add(each(jobs, |job| job.waits_for as i16))?;
    all.add(each(jobs, |job| job.version))?;
    all.add(jobs.iter().map(|asked| asked.place as i64).collect::<Vec<_>>())?;
    all.add((wake == Wake::WithCommit).then_some(CHANNEL))?;
    Ok(all)
}

/// An array of texts as PostgreSQL writes it, since arrays of arrays do not unnest row by row; none for no texts.
fn array_text(texts: &[String]) -> Option<String> {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    (!texts.is_empty()).then(|| format!("{{{}}}", texts.iter().map(quoted).collect::<Vec<_>>().join(",")))
}

/// Counts what was created; the caller may still roll back, which the metric's help says.
fn count(jobs: &[NewJob], answers: &[Enqueued]) {
    let mut created: HashMap<&Cow<'static, str>, u64> = HashMap::new();
    for (job, answer) in jobs.iter().zip(answers) {
        *created.entry(&job.kind).or_default() += u64::from(answer.created);
    }
    for (kind, number) in created {
        metrics::counter!(JOBS_ENQUEUED.name, "kind" => kind_label(kind)).increment(number);
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
