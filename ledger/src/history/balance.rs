//! What an account had at some point.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::search::{seq_at, versions_at};
use crate::{AccountId, Book};

/// The balance after the transaction of this seq, in minor units. An account that is not open has nothing.
///
/// # Errors
/// When the database fails.
pub async fn balance_at_seq(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    seq: i64,
) -> Result<i128, sqlx::Error> {
    let version = versions_at(conn, book, &[account], seq).await?[0];
    assert!(version >= 0, "a version counts entries");
    if version == 0 {
        return Ok(0);
    }
    let balance = sqlx::query_scalar!(
        r#"select balance
           from ledger.entry
           where shard = $1
               and book = $2
               and account_id = $3
               and version = $4"#,
        book.shard,
        book.id,
        account.0,
        version
    );
    Ok(balance.fetch_one(conn).await?.into())
}

/// The balance as the ledger had it at this time, in minor units: of everything that was recorded by then.
///
/// # Errors
/// When the database fails.
pub async fn balance_recorded_at(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    time: DateTime<Utc>,
) -> Result<i128, sqlx::Error> {
    match seq_at(conn, book, time).await? {
        Some(seq) => balance_at_seq(conn, book, account, seq).await,
        None => Ok(0),
    }
}

/// The balance by the times that transactions count from, in minor units: of everything that counts from this time or
/// before, whenever it was recorded. Costs as much as [`balance_recorded_at`], and a row of an index for each entry of the
/// account that has a time of its own.
///
/// # Errors
/// When the database fails.
pub async fn balance_effective_at(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    time: DateTime<Utc>,
) -> Result<i128, sqlx::Error> {
    let found = sqlx::query_file_scalar!("src/history/balance_effective.sql", book.shard, book.id, account.0, time);
    // Sums of bigints are wider than one, and are read as text.
    let balance = found.fetch_optional(conn).await?;
    Ok(balance.map_or(0, |balance| balance.parse().expect("a sum of whole numbers is a whole number")))
}
