//! Erases what is personal about a user, once nothing of theirs is still to be recorded.

use std::time::Duration;

use domain::accounts::{self, Erased};
use domain::audit;
use domain::events::{self, Event, topic};
use domain::{Error, Principal, UserId};
use ledger::Book;
use queue::{Job, JobContext, JobError, NewJob, Notifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::submitted::{self, Repeatable, Submitted};

/// Erases one user.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = EraseUser { shard: 0, book_id: 1, user_id: Uuid::nil() })]
pub struct EraseUser {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// The user to erase; this cannot be undone.
    user_id: Uuid,
}

/// How long it waits for what is still to be recorded.
const PENDING: Duration = Duration::from_secs(1);

/// An erasure that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The job to follow.
    pub job_id: Uuid,
}

/// Enqueues the erasure and writes down who asked for it, in one commit.
///
/// # Errors
/// [`Error::Forbidden`] unless an administrator asks; [`Error::NotFound`]; [`Error::Conflict`] `own_account` when it is the
/// caller, as somebody must be left; [`Error::IdempotencyMismatch`]; when the database fails.
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    user: UserId,
    repeatable: Option<&Repeatable<Asked>>,
) -> Result<Submitted<Asked>, Error> {
    if principal.role != domain::Role::Admin {
        return Err(Error::Forbidden("only an administrator erases users"));
    }
    if user == principal.user_id {
        let detail = "you cannot erase yourself; another administrator can".to_owned();
        return Err(Error::Conflict { code: "own_account", detail, existing: None });
    }
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    accounts::find(&mut tx, principal, user).await?;
    let Book { shard, id: book_id } = principal.book;
    let job = EraseUser { shard, book_id, user_id: user.0 };
    let job = NewJob::of(&job).expect("the payload is plain data").actor(principal.user_id.to_string());
    let asked = Asked { job_id: job.id };
    audit::record(&mut tx, principal, "user.erase", &user.to_string(), json!({ "job_id": asked.job_id })).await?;
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    submitted::finish(&mut tx, principal, repeatable, &asked).await?;
    tx.commit().await?;
    notifier.wake(EraseUser::QUEUE);
    Ok(Submitted::Done(asked))
}

impl Job for EraseUser {
    const KIND: &'static str = "accounts.erase";
    const QUEUE: &'static str = crate::ACCOUNTS_QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let user = UserId(self.user_id);
        let tx = ctx.tx().await?;
        let erased = match accounts::erase(tx, book, user).await {
            Ok(erased) => erased,
            Err(Error::NotFound) => return Err(JobError::discard(format!("there is no user {user}"))),
            Err(error) => return Err(JobError::retry(error)),
        };
        let Erased::Done { transactions } = erased else { return Err(JobError::Snooze(PENDING)) };
        let payload = json!({ "v": 1, "user_id": user.0, "transactions": transactions });
        events::publish(tx, book, &[Event::new("user.erased", [topic::user(user.0)], &payload)]).await?;
        ctx.tell(events::CHANNEL);
        Ok(())
    }
}
