//! Pages of an account's entries, either way and filtered.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::search::{seq_at, versions_at};
use super::{Entry, LIMIT_MAX, Row};
use crate::leaf::Leaf;
use crate::{AccountId, Book};

/// The most entries that one page looks at to find those that are wanted.
pub const SCAN_MAX: i64 = 2_000;

/// Which way a history is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The last entry first.
    #[default]
    NewestFirst,
    /// The first entry first.
    OldestFirst,
}

/// Which entries of an account are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Which way.
    pub order: Order,
    /// Those that follow this version, which is [`Page::next`] of the page before.
    pub after: Option<i64>,
    /// Recorded at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before this time.
    pub before: Option<DateTime<Utc>>,
    /// Of transactions with this code.
    pub code: Option<u16>,
    /// Of transactions that have a leg on this account too.
    pub counterparty: Option<AccountId>,
    /// At most so many, held between 1 and [`LIMIT_MAX`].
    pub limit: i64,
}

/// Entries, in the order that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those that were found: fewer than the limit, or none, says nothing of whether there are more.
    pub entries: Vec<Entry>,
    /// Where the next page goes on; none: there is nothing beyond this one.
    pub next: Option<i64>,
}

/// A page of an account's entries. The range of times is found by index; codes and counterparties are looked for in at most
/// [`SCAN_MAX`] entries, so a page may be short of its limit and still have a next one. An unknown account has no entries.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, book: Book, account: AccountId, query: &Query) -> Result<Page, sqlx::Error> {
    let limit = query.limit.clamp(1, LIMIT_MAX);
    let is_filtered = query.code.is_some() || query.counterparty.is_some();
    let scan = if is_filtered { SCAN_MAX } else { limit };
    let (mut low, mut high) = versions(conn, book, account, query).await?;
    match (query.order, query.after) {
        (Order::NewestFirst, Some(after)) => high = high.min(after.saturating_sub(1)),
        (Order::OldestFirst, Some(after)) => low = low.max(after),
        (_, None) => (),
    }
    let rows = match query.order {
        Order::NewestFirst => newest(conn, book, account, low, high, scan).await?,
        Order::OldestFirst => oldest(conn, book, account, low, high, scan).await?,
    };
    assert!(rows.len() <= scan as usize, "no more is read than asked for");
    let mut page = Page { entries: Vec::new(), next: None };
    let is_whole = rows.len() < scan as usize;
    for row in rows {
        if page.entries.len() as i64 == limit {
            return Ok(page);
        }
        page.next = Some(row.version);
        if matches(&row, account, query)? {
            page.entries.push(Entry::try_from(row)?);
        }
    }
    let is_last = |version: i64| match query.order {
        Order::NewestFirst => version <= low + 1,
        Order::OldestFirst => version >= high,
    };
    page.next = page.next.filter(|version| !is_whole && !is_last(*version));
    Ok(page)
}

/// The versions that were recorded in the range of times: above the first, up to the second.
async fn versions(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    query: &Query,
) -> Result<(i64, i64), sqlx::Error> {
    let mut bounds = (0, i64::MAX);
    for (time, bound) in [(query.from, &mut bounds.0), (query.before, &mut bounds.1)] {
        let Some(time) = time else { continue };
        // Times are whole microseconds, so this is the last moment before.
        let seq = seq_at(conn, book, time - TimeDelta::microseconds(1)).await?;
        *bound = match seq {
            Some(seq) => versions_at(conn, book, &[account], seq).await?[0],
            None => 0,
        };
    }
    assert!(bounds.0 >= 0 && bounds.1 >= 0, "versions count entries");
    Ok(bounds)
}

/// Whether it is one of those that are wanted.
fn matches(row: &Row, account: AccountId, query: &Query) -> Result<bool, sqlx::Error> {
    if query.code.is_none() && query.counterparty.is_none() {
        return Ok(true);
    }
    let leaf = Leaf::decode(&row.leaf).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let is_with = |other: AccountId| other != account && leaf.legs.iter().any(|leg| leg.account == other);
    Ok(query.code.is_none_or(|code| code == leaf.code) && query.counterparty.is_none_or(is_with))
}

async fn newest(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    low: i64,
    high: i64,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select e.version, e.seq, e.amount, e.balance, t.id as "id: _", t.recorded_at, t.leaf
           from (
               select *
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = $3
                   and version > $4
                   and version <= $5
               order by version desc
               limit $6
           ) as e
           join ledger.transaction as t on t.shard = $1 and t.book = $2 and t.seq = e.seq
           order by e.version desc"#,
        book.shard,
        book.id,
        account.0,
        low,
        high,
        limit
    );
    rows.fetch_all(conn).await
}

async fn oldest(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    low: i64,
    high: i64,
    limit: i64,
) -> Result<Vec<Row>, sqlx::Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"select e.version, e.seq, e.amount, e.balance, t.id as "id: _", t.recorded_at, t.leaf
           from (
               select *
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = $3
                   and version > $4
                   and version <= $5
               order by version
               limit $6
           ) as e
           join ledger.transaction as t on t.shard = $1 and t.book = $2 and t.seq = e.seq
           order by e.version"#,
        book.shard,
        book.id,
        account.0,
        low,
        high,
        limit
    );
    rows.fetch_all(conn).await
}
