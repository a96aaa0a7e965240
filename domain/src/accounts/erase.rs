//! Erases a person: everything personal goes, every id stays, so that leaves, root and proofs stay as they are.

use ledger::Book;
use sqlx::PgConnection;

use crate::access::revoked;
use crate::error::Error;
use crate::ids::UserId;
use crate::imports;
use crate::webhooks::sweep;

/// What an erasure came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Everything personal is gone, now or since an earlier erasure.
    Done {
        /// Transactions that lost their words and their salt now.
        transactions: u64,
    },
    /// Transactions of the user are still to be recorded, and their words are part of what is recorded: try again later.
    Pending,
}

/// Erases a user, in the caller's transaction: name, address, country, profile, password, sessions, keys, kept answers, counts, webhooks, files
/// of theirs that are being imported, and of the transactions that the user made or that moved the user's money the description, the reference that the user gave and
/// the salt of their metadata hash. Doing it again changes nothing.
///
/// # Errors
/// [`Error::NotFound`]; when the database fails.
pub async fn erase(conn: &mut PgConnection, book: Book, user: UserId) -> Result<Erased, Error> {
    lock(conn, book, user).await?;
    if has_pending(conn, book, user).await? {
        return Ok(Erased::Pending);
    }
    let transactions = erase_transactions(conn, book, user).await?;
    erase_credentials(conn, book, user).await?;
    erase_answers(conn, book, user).await?;
    imports::stop_of_user(conn, book, user).await?;
    sweep::erase_of_user(conn, book, user).await?;
    sqlx::query!("delete from app.user_statistics where shard = $1 and user_id = $2", book.shard, user.0)
        .execute(&mut *conn)
        .await?;
    sqlx::query!(
        "update app.account_user
         set email = id::text || '@erased.invalid',
             name = 'erased',
             country = null,
             phone = null,
             locale = null,
             time_zone = null,
             avatar_url = null,
             bio = null,
             password_hash = null,
             status = case when status = 'deleted' then status else 'suspended' end,
             updated_at = case when erased_at is null then now() else updated_at end,
             erased_at = coalesce(erased_at, now())
         where shard = $1 and book_id = $2 and id = $3",
        book.shard,
        book.id,
        user.0,
    )
    .execute(conn)
    .await?;
    Ok(Erased::Done { transactions })
}

/// Holds the user's row, so that nobody logs in or erases meanwhile.
async fn lock(conn: &mut PgConnection, book: Book, user: UserId) -> Result<(), Error> {
    let found = sqlx::query_scalar!(
        "select id
         from app.account_user
         where shard = $1 and book_id = $2 and id = $3
         for update",
        book.shard,
        book.id,
        user.0,
    )
    .fetch_optional(conn)
    .await?;
    found.map(|_| ()).ok_or(Error::NotFound)
}

async fn has_pending(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (
               select
               from app.transaction as t
               where t.shard = $1
                 and t.status = 'pending'
                 and (
                     t.created_by = $2
                     or t.from_account in (select account_id from app.wallet where shard = $1 and owner_id = $2)
                     or t.to_account in (select account_id from app.wallet where shard = $1 and owner_id = $2)
                     or t.id in (
                         select leg.transaction_id
                         from app.transaction_leg as leg
                         join app.wallet on wallet.shard = leg.shard and wallet.account_id = leg.account_id
                         where wallet.shard = $1 and wallet.owner_id = $2
                     )
                 )
           ) as "exists!""#,
        book.shard,
        user.0,
    )
    .fetch_one(conn)
    .await
}

async fn erase_transactions(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<u64> {
    let erased = sqlx::query!(
        "update app.transaction as t
         set description = null,
             -- Somebody else's reference is theirs.
             reference = case when t.created_by = $2 then null else t.reference end,
             metadata_salt = null
         where t.shard = $1
           and t.metadata_salt is not null
           and (
               t.created_by = $2
               or t.from_account in (select account_id from app.wallet where shard = $1 and owner_id = $2)
               or t.to_account in (select account_id from app.wallet where shard = $1 and owner_id = $2)
               or t.id in (
                   select leg.transaction_id
                   from app.transaction_leg as leg
                   join app.wallet on wallet.shard = leg.shard and wallet.account_id = leg.account_id
                   where wallet.shard = $1 and wallet.owner_id = $2
               )
           )",
        book.shard,
        user.0,
    )
    .execute(conn)
    .await?;
    Ok(erased.rows_affected())
}

async fn erase_credentials(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "with gone as (
             delete from app.session
             where shard = $1 and user_id = $2
         ), unused as (
             delete from app.password_reset
             where shard = $1 and user_id = $2
         )
         delete from app.api_key
         where shard = $1 and user_id = $2",
        book.shard,
        user.0,
    )
    .execute(&mut *conn)
    .await?;
    revoked(conn, user).await
}

/// Answers that are kept for repeated requests: those to the user, and those that show the user.
async fn erase_answers(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from app.idempotency
         where shard = $1 and (principal_id = $2 or answer ->> 'id' = $3)",
        book.shard,
        user.0,
        user.to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}
