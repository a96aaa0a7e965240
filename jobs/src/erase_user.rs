//! Erases what is personal about a user, once nothing of theirs is still to be recorded.

use std::time::Duration;

use domain::accounts::{self, Erased};
use domain::events::{self, Event};
use domain::{Error, Principal, UserId};
use ledger::Book;
use queue::{Job, JobContext, JobError, NewJob, Notifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

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

/// Enqueues the erasure; returns the job to follow.
///
/// # Errors
/// [`Error::Forbidden`] unless an administrator asks; when the database fails.
pub async fn submit(pool: &PgPool, notifier: &Notifier, principal: &Principal, user: UserId) -> Result<Uuid, Error> {
    if principal.role != domain::Role::Admin {
        return Err(Error::Forbidden("only an administrator erases users"));
    }
    let mut tx = pool.begin().await?;
    let Book { shard, id: book_id } = principal.book;
    let job = EraseUser { shard, book_id, user_id: user.0 };
    let job = NewJob::of(&job).expect("the payload is plain data").actor(principal.user_id.to_string());
    let id = job.id;
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    tx.commit().await?;
    notifier.wake(EraseUser::QUEUE);
    Ok(id)
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
        let payload = json!({ "user_id": user.0, "transactions": transactions });
        events::publish(tx, book, &[Event { topic: format!("user:{user}"), kind: "user.erased", payload }]).await?;
        Ok(())
    }
}
