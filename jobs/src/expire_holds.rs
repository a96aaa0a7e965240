//! Lets holds of the ledger expire when their time is over.
//!
//! Nothing runs while nothing is held: whoever posts a hold submits a job that comes due when the hold does. A sweep each
//! minute finds those that somebody posted without.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use domain::accounts::Owners;
use domain::events::{self, Event};
use domain::transactions::{self, told};
use ledger::holds::Expired;
use ledger::posting::Posting;
use ledger::{Act, Book, holds};
use queue::schedule::{Overlap, Schedule};
use queue::{EnqueueError, Job, JobContext, JobError, NewJob, Unique};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

/// Lets the holds expire that are due.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = ExpireHolds { shard: 0, of: None })]
pub struct ExpireHolds {
    /// Where the books live.
    shard: i16,
    /// One book, and when holds of it come due; without it, every book of the shard, now.
    of: Option<(i32, DateTime<Utc>)>,
}

/// How many holds expire in one job.
const EXPIRE_MAX: usize = 2_000;

/// Holds that come due within this time of each other share a job, and so wait that long at most.
const GRAIN: TimeDelta = TimeDelta::milliseconds(250);

/// What comes due sooner is waited for: workers look for scheduled jobs that nothing told them of only this often.
const SOON: Duration = Duration::from_secs(2);

/// Sees to it that the holds among these postings expire when they are due, in the transaction that posts them.
///
/// # Errors
/// When the database fails.
pub async fn submit(conn: &mut PgConnection, book: Book, postings: &[Posting]) -> Result<(), EnqueueError> {
    let due = |posting: &Posting| match posting.act {
        Act::Hold { expires_at } => expires_at.map(grain_after),
        _ => None,
    };
    let due: BTreeSet<DateTime<Utc>> = postings.iter().filter_map(due).collect();
    let jobs: Vec<NewJob> = due.into_iter().map(|due| job(book, due)).collect::<Result<_, _>>()?;
    if !jobs.is_empty() {
        queue::enqueue(conn, &jobs).await?;
    }
    Ok(())
}

/// The job of a book that comes due then: one, whoever asks and however often.
fn job(book: Book, due: DateTime<Utc>) -> Result<NewJob, EnqueueError> {
    let job = NewJob::of(&ExpireHolds { shard: book.shard, of: Some((book.id, due)) })?;
    let key = format!("{}/{}/{}/{}", ExpireHolds::KIND, book.shard, book.id, due.timestamp_millis());
    // Early by the time that workers may take to see it; the job then waits for the rest.
    Ok(job.run_at(due - SOON).unique(key, Unique::UntilStarted))
}

/// The first moment of the grain that is not before this time.
fn grain_after(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_round_up(GRAIN).unwrap_or(time)
}

/// Looks each minute for holds that are overdue.
pub(crate) fn sweep() -> Schedule {
    let sweep = ExpireHolds { shard: 0, of: None };
    let schedule = Schedule::of("ledger.expire_holds", &sweep, "@every 1m").expect("it is well formed");
    schedule.overlap(Overlap::Skip)
}

impl Job for ExpireHolds {
    const KIND: &'static str = "ledger.expire_holds";
    const QUEUE: &'static str = crate::LEDGER_QUEUE;
    const HISTORY_DAYS: Option<u16> = Some(1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let state = ctx.state::<crate::State>();
        ctx.tell(events::CHANNEL);
        let tx = ctx.tx().await?;
        let books = match self.of {
            Some((id, due)) => {
                let wait = holds::until(tx, due).await?;
                if !wait.is_zero() {
                    return Err(JobError::Snooze(wait));
                }
                vec![Book { shard: self.shard, id }]
            }
            None => holds::books_with_due(tx, self.shard).await?,
        };
        let mut next = Vec::new();
        for book in books {
            let expired = holds::expire(tx, book, EXPIRE_MAX).await.map_err(JobError::retry)?;
            tell(tx, book, state.owners(), &expired).await?;
            if expired.due > 0 {
                next.push(crate::publish_checkpoint::of(book));
            }
            if expired.due == EXPIRE_MAX {
                next.push(NewJob::of(&self));
            }
        }
        for job in next {
            ctx.enqueue(job.map_err(JobError::retry)?).await.map_err(JobError::retry)?;
        }
        Ok(())
    }
}

/// Publishes that holds have expired, and what their accounts hold now. A hold that somebody posted without a request is nobody's to hear of.
async fn tell(conn: &mut PgConnection, book: Book, owners: &Owners, expired: &Expired) -> sqlx::Result<()> {
    let ids: Vec<_> = expired.ended.iter().map(|ended| ended.hold).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let holds = transactions::find_many(conn, book, &ids).await?;
    let legs = holds.iter().flat_map(|hold| hold.all_legs()).map(|leg| leg.account);
    let concerned: Vec<_> = legs.chain(expired.accounts.iter().map(|now| now.account)).collect();
    let owners = owners.of(conn, book, concerned).await?;
    let told = expired.ended.iter().filter_map(|ended| {
        let hold = holds.iter().find(|hold| hold.id == ended.hold)?;
        Some(told::expired(hold, ended, &owners))
    });
    let events: Vec<Event> = told.chain(told::balances(&expired.accounts, &owners)).collect();
    events::publish(conn, book, &events).await
}
