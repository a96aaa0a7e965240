//! The API's half: many requests at once share a commit.
//!
//! Requests that arrive while the last commits are in flight are gathered and written together by a few statements; an
//! idle service adds no delay. Each request still stands alone: its decisions, its idempotency key and its answer are
//! its own, and a failure that only one causes is only its own.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use domain::idempotency::{self, Begin, Key};
use domain::transactions::{Decision, NewTransaction, Transaction, accept};
use domain::{Error, Principal, UserId};
use ledger::Book;
use queue::trace::{self, Span};
use queue::{BatchJob, Kept, NewJob, Notifier, Pace};
use serde_json::Value;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::RecordTransaction;
use crate::metrics::GROUP_SIZE;
use crate::submitted::{Repeatable, Submitted};

/// Transactions, or legs of those with many, that share a commit at most: enough that its cost is spread thin, few enough that nobody waits long.
const GROUP_MAX: usize = 1_000;

/// Commits that may be in flight at once: while one waits for the disk, the next one is being prepared.
const COMMITS_MAX: usize = 2;

/// A commit begins beside another one only for so many: fewer cost less when they wait and share the next one.
const SECOND_MIN: usize = 32;

/// How often to let others run before a group that is smaller than the last one is closed.
const YIELDS_MAX: usize = 8;

/// How long a commit may take, from its first statement on. After that nobody knows whether it was made, and whoever repeats
/// the request finds out; a server that is cut off without a word does not hold up those that come then.
const PATIENCE: Duration = Duration::from_secs(15);

/// Submissions that may wait for a commit; whoever comes then waits for a place.
const WAITING_MAX: usize = 4_096;

/// One request: a single transaction or a batch, each decided by itself.
#[derive(Debug)]
pub struct Submission {
    /// Who asks.
    pub principal: Principal,
    /// What is asked for; each has passed [`NewTransaction::validate`].
    pub transactions: Vec<NewTransaction>,
    /// How the answer is kept for the request's repetition.
    pub repeatable: Option<Repeatable<[Decision]>>,
    /// The trace context that its jobs carry.
    trace: Option<String>,
}

impl Submission {
    /// A request.
    pub fn new(
        principal: Principal,
        transactions: Vec<NewTransaction>,
        repeatable: Option<Repeatable<[Decision]>>,
    ) -> Submission {
        Submission { principal, transactions, repeatable, trace: None }
    }
}

type Answer = Result<Submitted<Vec<Decision>>, Error>;

/// A request and where its answer goes.
struct Waiting {
    submission: Submission,
    answer: oneshot::Sender<Answer>,
}

/// Takes requests from many tasks and writes them in groups.
#[derive(Debug, Clone)]
pub struct Submitter {
    sender: mpsc::Sender<Waiting>,
}

impl Submitter {
    /// Starts the task that writes; it ends when the last clone of the submitter is gone.
    pub fn spawn(pool: PgPool, notifier: Notifier) -> Submitter {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write_groups(connections(&pool), notifier, receiver));
        Submitter { sender }
    }

    /// Decides and saves the request; returns after the commit.
    ///
    /// # Errors
    /// [`Error::IdempotencyMismatch`]; [`Error::Unavailable`] or [`Error::Database`] when it may or may not have been
    /// saved: repeating it with the same key or the same references is safe.
    pub async fn submit(&self, mut submission: Submission) -> Answer {
        // From here to the commit, as whoever asks sees it; the task that writes works for many.
        let (kind, number) = (RecordTransaction::KIND, submission.transactions.len());
        let span = trace::current().map(|caller| Span::enqueue(caller, kind, RecordTransaction::QUEUE, number));
        submission.trace = span.as_ref().map(|span| span.context().to_string());
        let (answer, answered) = oneshot::channel();
        self.sender.send(Waiting { submission, answer }).await.map_err(|_| Error::Unavailable)?;
        answered.await.map_err(|_| Error::Unavailable)?
    }
}

/// A pool of the submitter's own: few connections, which know their statements.
fn connections(pool: &PgPool) -> PgPool {
    let options = pool.connect_options().as_ref().clone().application_name("bitnexus api submit");
    let own = queue::pool_options().max_connections(COMMITS_MAX as u32);
    own.acquire_timeout(pool.options().get_acquire_timeout()).connect_lazy_with(options)
}

async fn write_groups(pool: PgPool, notifier: Notifier, mut receiver: mpsc::Receiver<Waiting>) {
    let mut in_flight: JoinSet<Kept> = JoinSet::new();
    let mut idle: Vec<Kept> = (0..COMMITS_MAX).map(|_| Kept::new(pool.clone())).collect();
    let (mut group, mut left_over, mut last, mut pace) = (Group::default(), None, 0, Pace::default());
    loop {
        let is_full = left_over.is_some() || group.size >= GROUP_MAX;
        let may_be_second = in_flight.len() < COMMITS_MAX && (is_full || group.size >= SECOND_MIN);
        if group.waiting.is_empty() || !(in_flight.is_empty() || may_be_second) {
            tokio::select! {
                waiting = receiver.recv(), if !is_full => match waiting {
                    Some(waiting) => left_over = group.add(waiting),
                    None => break,
                },
                Some(done) = in_flight.join_next() => idle.push(done.unwrap_or_else(|_panicked| Kept::new(pool.clone()))),
            }
            continue;
        }
        // Those who were answered a moment ago are about to ask again: they are let run first.
        for _ in 0..YIELDS_MAX {
            while left_over.is_none()
                && group.size < GROUP_MAX
                && let Ok(waiting) = receiver.try_recv()
            {
                left_over = group.add(waiting);
            }
            if left_over.is_some() || group.size >= last {
                break;
            }
            tokio::task::yield_now().await;
        }
        last = group.size;
        metrics::histogram!(GROUP_SIZE.name).record(f64::from(u32::try_from(group.size).unwrap_or(u32::MAX)));
        let is_alone = pace.is_alone(group.size, Instant::now());
        let next = left_over.take().map(Group::of).unwrap_or_default();
        let mut kept = idle.pop().expect("a connection for each commit");
        let (notifier, group) = (notifier.clone(), std::mem::replace(&mut group, next));
        in_flight.spawn(async move {
            group.write(&mut kept, &notifier, is_alone).await;
            kept
        });
    }
    while let Some(done) = in_flight.join_next().await {
        idle.extend(done);
    }
    // What was taken in is written, though nobody can ask for more.
    if !group.waiting.is_empty() {
        let mut kept = idle.pop().unwrap_or_else(|| Kept::new(pool));
        group.write(&mut kept, &notifier, false).await;
    }
}

/// Requests that share a commit.
#[derive(Default)]
struct Group {
    waiting: Vec<Waiting>,
    /// The idempotency keys among them, by user and route: the same one twice has to wait for the next commit, whatever
    /// the body and whichever of the user's credentials it came with.
    keys: HashSet<(UserId, &'static str, String)>,
    /// How many rows they come to, about: one for a transaction, or as many as it names legs.
    size: usize,
}

impl Group {
    fn of(first: Waiting) -> Group {
        let mut group = Group::default();
        let refused = group.add(first);
        assert!(refused.is_none(), "an empty group takes anything");
        group
    }

    /// Adds a request, or gives it back if it has to wait for this group's commit.
    fn add(&mut self, waiting: Waiting) -> Option<Waiting> {
        if let Some(repeatable) = &waiting.submission.repeatable
            && let Key { route, key, .. } = &repeatable.key
            && !self.keys.insert((waiting.submission.principal.user_id, route, key.clone()))
        {
            return Some(waiting);
        }
        // Each leg beyond the usual ones is a row of its own.
        self.size += waiting.submission.transactions.iter().map(|new| new.legs.len().max(1)).sum::<usize>();
        self.waiting.push(waiting);
        None
    }

    /// Writes the group in one commit, which wakes the workers itself if it is alone, and answers everybody in it.
    async fn write(self, kept: &mut Kept, notifier: &Notifier, is_alone: bool) {
        let (submissions, answers): (Vec<_>, Vec<_>) =
            self.waiting.into_iter().map(|waiting| (waiting.submission, waiting.answer)).unzip();
        let written = commit(kept, notifier, &submissions, is_alone).await;
        match written {
            Ok(results) => {
                for (answer, result) in answers.into_iter().zip(results) {
                    // A caller that has gone away does not need its answer.
                    let _ = answer.send(result);
                }
            }
            // The database refused something that one of them brought: each by itself, so that only that one fails. Or it
            // takes no messages any more, because somebody does not read theirs: nothing is told then.
            Err(error) if error.as_database_error().is_some() && (submissions.len() > 1 || is_alone) => {
                tracing::warn!(%error, requests = submissions.len(), "a shared commit failed; writing one by one");
                for (answer, submission) in answers.into_iter().zip(submissions) {
                    let _ = answer.send(alone(kept, notifier, submission).await);
                }
            }
            Err(error) => {
                tracing::error!(%error, requests = submissions.len(), "a shared commit failed");
                for answer in answers {
                    let _ = answer.send(Err(Error::Unavailable));
                }
            }
        }
    }
}

async fn alone(kept: &mut Kept, notifier: &Notifier, submission: Submission) -> Answer {
    let mut results = commit(kept, notifier, &[submission], false).await?;
    results.pop().expect("one request, one answer")
}

/// Decides and saves all of them in one transaction.
async fn commit(
    kept: &mut Kept,
    notifier: &Notifier,
    submissions: &[Submission],
    is_alone: bool,
) -> sqlx::Result<Vec<Answer>> {
    let saved = timeout(PATIENCE, save(kept.get().await?, submissions, is_alone)).await;
    let (answers, has_accepted) = saved.unwrap_or_else(|_late| {
        kept.close();
        Err(sqlx::Error::PoolTimedOut)
    })?;
    kept.answered();
    if has_accepted && !is_alone {
        notifier.wake(RecordTransaction::QUEUE);
    }
    Ok(answers)
}

/// Returns the answers, and whether there is anything to record.
async fn save(
    conn: &mut PgConnection,
    submissions: &[Submission],
    is_alone: bool,
) -> sqlx::Result<(Vec<Answer>, bool)> {
    let mut tx = conn.begin().await?;
    let begun = begin(&mut tx, submissions).await?;
    let fresh: Vec<&Submission> = submissions
        .iter()
        .zip(&begun)
        .filter(|(_, begun)| matches!(begun, Ok(Begin::New)))
        .map(|(one, _)| one)
        .collect();
    let mut decided = decide(&mut tx, &fresh).await?;
    enqueue(&mut tx, &fresh, &decided, is_alone).await?;
    keep(&mut tx, &fresh, &decided).await?;
    tx.commit().await?;
    let has_accepted = decided.iter().flatten().any(|decision| matches!(decision, Decision::Accepted(_)));
    decided.reverse();
    let answer = |begun| match begun {
        Ok(Begin::New) => Ok(Submitted::Done(decided.pop().expect("each fresh request was decided"))),
        Ok(Begin::Replay(kept)) => Ok(Submitted::Replayed(kept)),
        Err(error) => Err(error),
    };
    Ok((begun.into_iter().map(answer).collect(), has_accepted))
}

/// Claims the idempotency keys; a request without one is always new.
async fn begin(conn: &mut PgConnection, submissions: &[Submission]) -> sqlx::Result<Vec<Result<Begin, Error>>> {
    let keyed = |one: &'_ Submission| one.repeatable.is_some();
    let keys: Vec<(&Principal, &Key)> = submissions
        .iter()
        .filter_map(|one| one.repeatable.as_ref().map(|repeatable| (&one.principal, &repeatable.key)))
        .collect();
    let mut begun = idempotency::begin(conn, &keys).await?.into_iter();
    let next = |one| if keyed(one) { begun.next().expect("each key has an answer") } else { Ok(Begin::New) };
    Ok(submissions.iter().map(next).collect())
}

/// Decides every transaction of every request, those of one book together.
async fn decide(conn: &mut PgConnection, submissions: &[&Submission]) -> sqlx::Result<Vec<Vec<Decision>>> {
    let mut decided: Vec<Vec<Decision>> = submissions.iter().map(|_| Vec::new()).collect();
    let mut by_book: BTreeMap<Book, Vec<usize>> = BTreeMap::new();
    for (index, submission) in submissions.iter().enumerate() {
        by_book.entry(submission.principal.book).or_default().push(index);
    }
    for (book, indexes) in by_book {
        let mut requests = Vec::new();
        for submission in indexes.iter().map(|index| submissions[*index]) {
            requests.extend(submission.transactions.iter().map(|new| (submission.principal, new)));
        }
        let mut decisions = accept(conn, book, &requests).await?.into_iter();
        for index in indexes {
            decided[index] = decisions.by_ref().take(submissions[index].transactions.len()).collect();
        }
    }
    Ok(decided)
}

/// Enqueues a job for each accepted transaction; it has the transaction's id.
async fn enqueue(
    conn: &mut PgConnection,
    submissions: &[&Submission],
    decided: &[Vec<Decision>],
    is_alone: bool,
) -> sqlx::Result<()> {
    let mut jobs = Vec::new();
    for (submission, decisions) in submissions.iter().zip(decided) {
        let accepted = decisions.iter().filter_map(|decision| match decision {
            Decision::Accepted(transaction) => Some(transaction),
            Decision::Exists(_) | Decision::Refused(_) => None,
        });
        jobs.extend(accepted.map(|transaction| job(submission, transaction)));
    }
    let enqueued = if is_alone { queue::enqueue_waking(conn, &jobs).await } else { queue::enqueue(conn, &jobs).await };
    match enqueued {
        Ok(_) => Ok(()),
        Err(queue::EnqueueError::Database(error)) => Err(error),
        Err(other) => unreachable!("payloads of ours are small and well formed: {other}"),
    }
}

fn job(submission: &Submission, transaction: &Transaction) -> NewJob {
    let payload = RecordTransaction { shard: submission.principal.book.shard, transaction_id: transaction.id.0 };
    let job = NewJob::batch(&payload).expect("the payload is plain data").fresh_id(transaction.id.0);
    let job = job.actor(submission.principal.user_id.to_string());
    match &submission.trace {
        Some(trace) => job.trace(trace.clone()),
        None => job,
    }
}

/// Keeps the answers of the requests that may be repeated.
async fn keep(conn: &mut PgConnection, submissions: &[&Submission], decided: &[Vec<Decision>]) -> sqlx::Result<()> {
    let mut kept: Vec<(&Principal, &Key, Value)> = Vec::new();
    let mut given_up: Vec<(&Principal, &Key)> = Vec::new();
    for (submission, decisions) in submissions.iter().zip(decided) {
        let Some(Repeatable { key, keep }) = &submission.repeatable else { continue };
        match keep(decisions) {
            Some(value) => kept.push((&submission.principal, key, value)),
            None => given_up.push((&submission.principal, key)),
        }
    }
    idempotency::finish(conn, &kept).await?;
    idempotency::abandon(conn, &given_up).await
}
