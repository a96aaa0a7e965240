//! Records accepted transactions in the ledger, in batches, each exactly once.
//!
//! The ledger's rows, the transaction's verdict, its event and the job's completion are one commit, which carries the
//! lease's fencing token: whoever lost the lease writes nothing.

mod submitter;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use domain::accounts::Owners;
use domain::events::{self, Event};
use domain::transactions::record::{self, ToRecord, Verdict};
use domain::transactions::{Ended, Status, statuses, told};
use ledger::posting::{self, AccountNow, Outcome, Posted};
use ledger::{Act, Book, TransactionId};
use queue::{Batch, BatchJob, EnqueueError, JobError, NewJob, Priority, Retry};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::publish_checkpoint;

pub use submitter::{Submission, Submitter};

/// Records one accepted transaction.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = RecordTransaction { shard: 0, transaction_id: Uuid::nil() })]
pub struct RecordTransaction {
    /// Where the book lives.
    shard: i16,
    /// The transaction; nothing is done for one that is unknown, recorded or rejected.
    transaction_id: Uuid,
}

impl RecordTransaction {
    /// The job of a request, under the same id as the first time.
    pub(crate) fn again(shard: i16, transaction_id: Uuid) -> NewJob {
        let payload = RecordTransaction { shard, transaction_id };
        NewJob::batch(&payload).expect("the payload is plain data").id(transaction_id).shard(shard)
    }
}

/// How long a reversal waits for its original, and a post or a void for its hold, to be recorded.
const ORIGINAL_PENDING: Duration = Duration::from_millis(250);

/// Legs that one commit records at most, beside those of its first transaction; what is beyond them waits for the next.
const LEGS_MAX: usize = 20_000;

impl BatchJob for RecordTransaction {
    const KIND: &'static str = "ledger.record_transaction";
    const QUEUE: &'static str = crate::LEDGER_QUEUE;
    const PRIORITY: Priority = Priority::HIGH;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(100)).max_attempts(50);
    const TIMEOUT: Duration = Duration::from_secs(30);
    const BATCH_MAX: usize = 1_000;

    async fn run(batch: &mut Batch<'_, Self>) -> Result<(), JobError> {
        let wanted: Vec<_> =
            batch.items().iter().map(|item| (item.payload.shard, item.payload.transaction_id)).collect();
        let positions: BTreeMap<_, _> = wanted.iter().enumerate().map(|(index, (_, id))| (*id, index)).collect();
        let mut by_shard: BTreeMap<i16, Vec<TransactionId>> = BTreeMap::new();
        for (shard, id) in wanted {
            by_shard.entry(shard).or_default().push(TransactionId(id));
        }
        if let [item] = batch.items() {
            tracing::Span::current().record("transaction_id", tracing::field::display(item.payload.transaction_id));
        }
        let state = batch.state::<crate::State>();
        batch.tell(events::CHANNEL);
        for (shard, ids) in by_shard {
            let (books, waiting) = record_all(batch.tx().await?, &state, shard, &ids).await?;
            for book in books {
                batch.enqueue(publish_checkpoint::of(book).map_err(JobError::retry)?).await.map_err(JobError::retry)?;
            }
            for id in waiting {
                batch.set(positions[&id.0], Err(JobError::Snooze(ORIGINAL_PENDING)));
            }
        }
        Ok(())
    }
}

/// Records what is still pending; returns the books that grew, and what has to wait: for the transaction that it follows
/// from, or for the next commit.
async fn record_all(
    conn: &mut PgConnection,
    state: &crate::State,
    shard: i16,
    ids: &[TransactionId],
) -> Result<(Vec<Book>, Vec<TransactionId>), JobError> {
    let mut by_book: BTreeMap<Book, Vec<ToRecord>> = BTreeMap::new();
    let (mut books, mut waiting, mut legs) = (Vec::new(), Vec::new(), 0);
    for wanted in record::load(conn, shard, ids).await? {
        if wanted.status != Status::Pending {
            continue;
        }
        if legs > LEGS_MAX {
            waiting.push(wanted.posting.id);
            continue;
        }
        legs += wanted.posting.legs.len();
        by_book.entry(wanted.book).or_default().push(wanted);
    }
    for (book, wanted) in by_book {
        waiting.extend(record_book(conn, state, book, wanted).await?);
        books.push(book);
    }
    Ok((books, waiting))
}

/// Records transactions of one book: ledger, verdicts and events.
async fn record_book(
    conn: &mut PgConnection,
    state: &crate::State,
    book: Book,
    wanted: Vec<ToRecord>,
) -> Result<Vec<TransactionId>, JobError> {
    let postings: Vec<_> = wanted.iter().map(|wanted| wanted.posting.clone()).collect();
    let began = Instant::now();
    let Posted { outcomes, accounts } =
        posting::post_all(conn, book, &postings, state.books()).await.map_err(JobError::retry)?;
    crate::metrics::posted(&outcomes, began.elapsed());
    let mut settled = Vec::new();
    let mut waiting = Vec::new();
    for (wanted, outcome) in wanted.iter().zip(outcomes) {
        match verdict(wanted, &outcome) {
            Some(verdict) => settled.push((wanted, verdict)),
            None => waiting.push(wanted.posting.id),
        }
    }
    let waiting = settle_orphans(conn, book.shard, &wanted, waiting, &mut settled).await?;
    let verdicts: Vec<_> = settled.iter().map(|(wanted, verdict)| (wanted.posting.id, verdict.clone())).collect();
    record::settle(conn, book.shard, &verdicts).await?;
    record::end(conn, book.shard, &ends(&settled)).await?;
    crate::expire_holds::submit(conn, book, &postings).await.map_err(JobError::retry)?;
    tell(conn, book, state.owners(), &settled, &accounts).await?;
    Ok(waiting)
}

/// Publishes what was decided, and what accounts hold now.
async fn tell(
    conn: &mut PgConnection,
    book: Book,
    owners: &Owners,
    settled: &[(&ToRecord, Verdict)],
    accounts: &[AccountNow],
) -> sqlx::Result<()> {
    let concerned = settled.iter().flat_map(|(wanted, _)| told::accounts_of(wanted));
    let concerned: Vec<_> = concerned.chain(accounts.iter().map(|now| now.account)).collect();
    let owners = owners.of(conn, book, concerned).await?;
    let decided = settled.iter().flat_map(|(wanted, verdict)| told::decided(wanted, verdict, &owners));
    let events: Vec<Event> = decided.chain(told::balances(accounts, &owners)).collect();
    events::publish(conn, book, &events).await
}

/// The holds that were ended, and how.
fn ends(settled: &[(&ToRecord, Verdict)]) -> Vec<(TransactionId, Ended)> {
    let recorded = settled.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Recorded { .. }));
    let end = |(wanted, _): &(&ToRecord, Verdict)| match wanted.posting.act {
        Act::Capture(hold) => Some((hold, Ended::Posted)),
        Act::Void(hold) => Some((hold, Ended::Voided)),
        _ => None,
    };
    recorded.filter_map(end).collect()
}

/// The transaction that it cannot be recorded before.
fn original(wanted: &ToRecord) -> Option<TransactionId> {
    let act = wanted.posting.act;
    act.reverses().or(act.reverses_part()).or(act.resolves())
}

/// Why it never can be, if that one was rejected.
fn orphaned(wanted: &ToRecord) -> Verdict {
    let reason = if wanted.posting.act.resolves().is_some() { "hold_rejected" } else { "original_rejected" };
    Verdict::Rejected { reason: reason.to_owned() }
}

/// What the ledger's answer means; none: not decided, because the original is not there yet.
fn verdict(wanted: &ToRecord, outcome: &Outcome) -> Option<Verdict> {
    let rejected = |reason: String| Some(Verdict::Rejected { reason });
    match outcome {
        Outcome::Created { seq, recorded_at } | Outcome::Exists { seq, recorded_at } => {
            Some(Verdict::Recorded { seq: *seq, recorded_at: *recorded_at })
        }
        Outcome::ExistsWithDifferent(field) => rejected(format!("exists_with_different_{}", field.as_str())),
        Outcome::Refused(refusal) if refusal.is_final() => rejected(refusal.as_str().to_owned()),
        Outcome::Refused(_) if wanted.original_status == Some(Status::Rejected) => Some(orphaned(wanted)),
        Outcome::Refused(_) => None,
    }
}

/// What follows from a transaction that was rejected in this very batch will never find it: it is rejected as well.
async fn settle_orphans<'a>(
    conn: &mut PgConnection,
    shard: i16,
    wanted: &'a [ToRecord],
    waiting: Vec<TransactionId>,
    settled: &mut Vec<(&'a ToRecord, Verdict)>,
) -> sqlx::Result<Vec<TransactionId>> {
    if waiting.is_empty() {
        return Ok(waiting);
    }
    // What waits for an account to be opened waits on: it is no orphan.
    let following: Vec<_> = wanted.iter().filter(|wanted| waiting.contains(&wanted.posting.id)).collect();
    let originals: Vec<_> = following.iter().copied().filter_map(original).collect();
    let statuses: BTreeMap<_, _> = statuses(conn, shard, &originals).await?.into_iter().collect();
    let is_orphan = |wanted: &ToRecord| {
        let Some(original) = original(wanted) else { return false };
        let here = settled
            .iter()
            .any(|(other, verdict)| other.posting.id == original && matches!(verdict, Verdict::Rejected { .. }));
        here || statuses.get(&original) == Some(&Status::Rejected)
    };
    let (orphans, still): (Vec<&ToRecord>, Vec<&ToRecord>) =
        following.into_iter().partition(|wanted| is_orphan(wanted));
    settled.extend(orphans.into_iter().map(|orphan| (orphan, orphaned(orphan))));
    Ok(still.into_iter().map(|wanted| wanted.posting.id).collect())
}

/// A failure to enqueue, as the API's callers are told of it.
pub(crate) fn enqueue_error(error: EnqueueError) -> domain::Error {
    match error {
        EnqueueError::Database(error) => domain::Error::Database(error),
        other => unreachable!("payloads of ours are small and well formed: {other}"),
    }
}
