//! Opens the ledger accounts of a new user.

use domain::accounts::{self, NewUser, User, wallets};
use domain::events::{self, Event};
use domain::{Error, Principal, UserId};
use ledger::accounts::{NewAccount, Overdraft};
use ledger::{AccountId, Book};
use queue::{Job, JobContext, JobError, NewJob, Notifier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgPool;
use uuid::Uuid;

use crate::submitted::{self, Repeatable, Submitted};

/// Opens every wallet of the user that is not open yet.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, example = OpenWallets { shard: 0, book_id: 1, user_id: Uuid::nil() })]
pub struct OpenWallets {
    /// Where the book lives.
    shard: i16,
    /// The book.
    book_id: i32,
    /// The user whose wallets are to be open.
    user_id: Uuid,
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
    let Book { shard, id: book_id } = principal.book;
    let job = OpenWallets { shard, book_id, user_id: user.id.0 };
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

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let book = Book { shard: self.shard, id: self.book_id };
        let tx = ctx.tx().await?;
        let found = wallets::of_users(tx, self.shard, &[self.user_id]).await?;
        let opening: Vec<_> = found.into_iter().filter(|wallet| !wallet.is_open).collect();
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
        let opened = |id: &AccountId| Event {
            topic: format!("user:{}", UserId(self.user_id)),
            kind: "wallet.opened",
            payload: json!({ "user_id": self.user_id, "account_id": id.0 }),
        };
        events::publish(tx, book, &ids.iter().map(opened).collect::<Vec<_>>()).await?;
        Ok(())
    }
}
