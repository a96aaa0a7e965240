//! Opens the ledger accounts of new users: of one, or of all that an import's batch created.

use domain::accounts::{self, NewUser, User, wallets};
use domain::events::{self, Event, topic};
use domain::{Error, Principal, UserId};
use ledger::accounts::{NewAccount, Overdraft};
use ledger::{AccountId, Book};
use queue::{BoxError, Job, JobContext, JobError, NewJob, Notifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::submitted::{self, Repeatable, Submitted};

/// Opens every wallet of the users that is not open yet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = OpenWallets { shard: 0, book_id: 1, user_ids: vec![Uuid::nil()] })]
pub struct OpenWallets {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// The users whose wallets are to be open.
    user_ids: Vec<Uuid>,
}

impl OpenWallets {
    /// The job for all of these users.
    pub(crate) fn of_many(book: Book, users: &[UserId]) -> OpenWallets {
        let user_ids = users.iter().map(|user| user.0).collect();
        OpenWallets { shard: book.shard, book_id: book.id, user_ids }
    }
}

/// A user and the job that opens the wallets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// The user, with wallets that are not open yet.
    pub user: User,
    /// The job to follow.
    pub job_id: Uuid,
}

/// Creates the user and enqueues the job, in one commit.
///
/// # Errors
/// As [`accounts::create`]; [`Error::IdempotencyMismatch`].
pub async fn submit(
    pool: &PgPool,
    notifier: &Notifier,
    principal: &Principal,
    new: &NewUser,
    repeatable: Option<&Repeatable<Created>>,
) -> Result<Submitted<Created>, Error> {
    let mut tx = pool.begin().await?;
    if let Some(kept) = submitted::begin(&mut tx, principal, repeatable).await? {
        return Ok(Submitted::Replayed(kept));
    }
    let user = accounts::create(&mut tx, principal, new).await?;
    let job = OpenWallets::of_many(principal.book, &[user.id]);
    let job = NewJob::of(&job).expect("the payload is plain data").actor(principal.user_id.to_string());
    let job_id = job.id;
    queue::enqueue(&mut tx, &[job]).await.map_err(crate::record_transaction::enqueue_error)?;
    let created = Created { user, job_id };
    submitted::finish(&mut tx, principal, repeatable, &created).await?;
    tx.commit().await?;
    notifier.wake(OpenWallets::QUEUE);
    Ok(Submitted::Done(created))
}

impl Job for OpenWallets {
    const KIND: &'static str = "accounts.open_wallets";
    const QUEUE: &'static str = crate::ACCOUNTS_QUEUE;
    /// The first named one user.
    const VERSION: u16 = 2;

    fn upgrade(_from: u16, mut payload: Value) -> Result<Value, BoxError> {
        let user = payload.as_object_mut().and_then(|fields| fields.remove("user_id"));
        payload["user_ids"] = json!([user.ok_or("a payload of version 1 names a user")?]);
        Ok(payload)
    }

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        open(ctx.tx().await?, book, &self.user_ids).await?;
        ctx.tell(events::CHANNEL);
        Ok(())
    }
}

/// Opens what is not open of these users' wallets and tells their followers; returns how many were opened.
pub(crate) async fn open(tx: &mut PgConnection, book: Book, users: &[Uuid]) -> sqlx::Result<usize> {
    let found = wallets::of_users(tx, book.shard, users).await?;
    let opening: Vec<_> = found.into_iter().filter(|wallet| !wallet.is_open && !wallet.is_closed).collect();
    let account = |wallet: &wallets::Wallet| NewAccount {
        id: wallet.account_id,
        currency: wallet.currency,
        overdraft: Overdraft::Forbidden,
        code: 0,
        group: None,
    };
    ledger::accounts::open(tx, book, &opening.iter().map(account).collect::<Vec<_>>()).await?;
    let ids: Vec<AccountId> = opening.iter().map(|wallet| wallet.account_id).collect();
    wallets::mark_open(tx, book, &ids).await?;
    let opened = |wallet: &wallets::Wallet| {
        let owner = wallet.owner_id.expect("a wallet of users has an owner");
        let payload = json!({
            "v": 1, "user_id": owner.0, "account_id": wallet.account_id.0, "currency": wallet.currency.code(),
        });
        Event::new("wallet.opened", [topic::user(owner.0)], &payload)
    };
    events::publish(tx, book, &opening.iter().map(opened).collect::<Vec<_>>()).await?;
    Ok(opening.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_of_the_first_version_is_read() {
        let user = Uuid::now_v7();
        let first = json!({ "shard": 0, "book_id": 1, "user_id": user });
        let read: OpenWallets = serde_json::from_value(OpenWallets::upgrade(1, first).unwrap()).unwrap();
        assert_eq!((read.user_ids, read.book_id), (vec![user], 1));
        assert!(OpenWallets::upgrade(1, json!({ "shard": 0 })).is_err());
    }
}
