//! What is counted of each user, from the tables that it is the count of.

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::PgConnection;

use crate::error::Error;
use crate::ids::UserId;
use crate::principal::Principal;

/// What was counted of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// Products that are not archived.
    pub products: i64,
    /// Transactions that were recorded and moved the user's money.
    pub transactions: i64,
    /// When the user last asked for a transaction or created a product; none: never.
    pub last_active_at: Option<DateTime<Utc>>,
    /// When this was counted.
    pub counted_at: DateTime<Utc>,
}

/// The book's users behind `after`, in the order of their ids, at most so many.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, book: Book, after: Option<UserId>, limit: i64) -> sqlx::Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        "select id
         from app.account_user
         where shard = $1 and book_id = $2 and ($3::uuid is null or id > $3)
         order by id
         limit $4",
        book.shard,
        book.id,
        after.map(|user| user.0),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(UserId).collect())
}

/// Counts a user anew. Doing it again changes only what has changed.
///
/// # Errors
/// When the database fails.
pub async fn recount(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into app.user_statistics (shard, user_id, products, transactions, last_active_at)
         select $1, $2, owned.count, moved.count, greatest(owned.last_at, asked.last_at)
         from (
             select count(*) filter (where status = 'active') as count, max(created_at) as last_at
             from app.product
             where shard = $1 and owner_id = $2
         ) as owned
         cross join (
             -- One that moves money between two of the user's wallets counts once.
             select count(distinct found.id) as count
             from app.wallet
             cross join lateral (
                 select id from app.transaction where from_account = wallet.account_id and status = 'recorded'
                 union all
                 select id from app.transaction where to_account = wallet.account_id and status = 'recorded'
             ) as found
             where wallet.shard = $1 and wallet.owner_id = $2
         ) as moved
         cross join (
             -- What the user asked for moves the user's own money, but for staff.
             select max(found.created_at) as last_at
             from app.wallet
             cross join lateral (
                 select created_at
                 from app.transaction
                 where from_account = wallet.account_id and created_by = $2
                 order by id desc
                 limit 1
             ) as found
             where wallet.shard = $1 and wallet.owner_id = $2
         ) as asked
         on conflict (shard, user_id) do update
         set products = excluded.products,
             transactions = excluded.transactions,
             last_active_at = excluded.last_active_at,
             counted_at = excluded.counted_at",
        book.shard,
        user.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What was counted last of a user, if the caller may see it.
///
/// # Errors
/// [`Error::NotFound`] when there is no such user, or it is somebody else's, or it was never counted; when the database fails.
pub async fn find(conn: &mut PgConnection, principal: &Principal, user: UserId) -> Result<Statistics, Error> {
    let found = sqlx::query_as!(
        Statistics,
        "select counted.products, counted.transactions, counted.last_active_at, counted.counted_at
         from app.user_statistics as counted
         join app.account_user as account
           on account.shard = counted.shard and account.id = counted.user_id and account.book_id = $3
         where counted.shard = $1 and counted.user_id = $2 and ($4::uuid is null or counted.user_id = $4)",
        principal.book.shard,
        user.0,
        principal.book.id,
        principal.only_owner(),
    )
    .fetch_optional(conn)
    .await?;
    found.ok_or(Error::NotFound)
}
