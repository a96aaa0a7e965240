//! Places in the log and in the history of an account, found by halving: 24 look-ups by index among 10 million.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{AccountId, Book};

/// The last transaction of the book that was recorded by then, by its seq; none before the first one.
///
/// # Errors
/// When the database fails.
pub async fn seq_at(conn: &mut PgConnection, book: Book, time: DateTime<Utc>) -> Result<Option<i64>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        // What is searched for is `low` or between it and `high`; -1 stands before the first transaction.
        r#"with recursive search (low, high) as (
               select -1::bigint, size - 1
               from ledger.book
               where shard = $1
                   and book = $2
               union all
               select case when probe.recorded_at <= $3 then probe.seq else search.low end,
                   case when probe.recorded_at <= $3 then search.high else probe.seq - 1 end
               from search
               cross join lateral (
                   select seq, recorded_at
                   from ledger.transaction
                   where shard = $1
                       and book = $2
                       and seq = (search.low + search.high + 1) / 2
                   offset 0
               ) as probe
               where search.low < search.high
           )
           select low as "low!"
           from search
           where low = high"#,
        book.shard,
        book.id,
        time
    )
    .fetch_optional(conn)
    .await?;
    assert!(found.is_none_or(|seq| seq >= -1), "a place is an index, or before the first");
    Ok(found.filter(|seq| *seq >= 0))
}

/// How many entries each account had after the transaction of this seq, and so the version of its last one then. In the
/// order of the accounts given; those that are not open have none.
///
/// # Errors
/// When the database fails.
pub async fn versions_at(
    conn: &mut PgConnection,
    book: Book,
    accounts: &[AccountId],
    seq: i64,
) -> Result<Vec<i64>, sqlx::Error> {
    let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
    let versions = sqlx::query_scalar!(
        r#"select coalesce(found.low, 0) as "version!"
           from unnest($3::uuid[]) with ordinality as wanted (id, n)
           left join lateral (
               with recursive search (low, high) as (
                   select 0::bigint, version
                   from ledger.account
                   where shard = $1
                       and book = $2
                       and id = wanted.id
                   union all
                   select case when probe.seq <= $4 then probe.version else search.low end,
                       case when probe.seq <= $4 then search.high else probe.version - 1 end
                   from search
                   cross join lateral (
                       select version, seq
                       from ledger.entry
                       where shard = $1
                           and book = $2
                           and account_id = wanted.id
                           and version = (search.low + search.high + 1) / 2
                       offset 0
                   ) as probe
                   where search.low < search.high
               )
               select low
               from search
               where low = high
           ) as found on true
           order by wanted.n"#,
        book.shard,
        book.id,
        &ids,
        seq
    )
    .fetch_all(conn)
    .await?;
    assert_eq!(versions.len(), accounts.len(), "each account has its answer");
    Ok(versions)
}
