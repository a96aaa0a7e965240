//! An account's statement for a period, page by page: entries are never changed, so its pages fit together whenever they
//! are read.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use ledger::history::{self, Entry, LIMIT_MAX, Order, Query};
use ledger::{AccountId, Book};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Kind;

/// Which entries of which account a statement tells: those that were recorded in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statement {
    /// The book that the account is in.
    pub book: Book,
    /// The account.
    pub account: AccountId,
    /// The first moment.
    pub from: DateTime<Utc>,
    /// The moment after the last one.
    pub before: DateTime<Utc>,
}

/// An entry, and what the request for its transaction says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The entry.
    pub entry: Entry,
    /// The other account; none where there are many, or the transaction was not asked for here.
    pub counterparty: Option<AccountId>,
    /// The name that the transaction was given.
    pub reference: Option<String>,
    /// The words that it was given.
    pub description: Option<String>,
}

impl Line {
    /// What the transaction is for, if it is of a kind of ours.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_code(self.entry.code)
    }
}

impl Statement {
    /// The balance before the period, in minor units.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn opening(&self, conn: &mut PgConnection) -> sqlx::Result<i128> {
        // Times are whole microseconds, so this is the last moment before.
        history::balance_recorded_at(conn, self.book, self.account, self.from - TimeDelta::microseconds(1)).await
    }

    /// The next lines, oldest first, and what the page after them follows; none: there is no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn page(&self, conn: &mut PgConnection, after: Option<i64>) -> sqlx::Result<(Vec<Line>, Option<i64>)> {
        let query = Query {
            order: Order::OldestFirst,
            after,
            from: Some(self.from),
            before: Some(self.before),
            limit: LIMIT_MAX,
            ..Query::default()
        };
        let page = history::page(conn, self.book, self.account, &query).await?;
        let mut words = words(conn, self.book, self.account, &page.entries).await?;
        let line = |entry: Entry| {
            let (counterparty, reference, description) = words.remove(&entry.transaction.0).unwrap_or_default();
            Line { entry, counterparty, reference, description }
        };
        Ok((page.entries.into_iter().map(line).collect(), page.next))
    }
}

/// Counterparty, reference and description.
type Words = (Option<AccountId>, Option<String>, Option<String>);

/// What the requests for these entries say, by transaction.
async fn words(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    entries: &[Entry],
) -> sqlx::Result<HashMap<Uuid, Words>> {
    let ids: Vec<Uuid> = entries.iter().map(|entry| entry.transaction.0).collect();
    let rows = sqlx::query!(
        r#"select found.id, found.reference, found.description,
                  case
                      when found.leg_count is not null then null
                      when found.from_account = $3 then found.to_account
                      else found.from_account
                  end as counterparty
           from unnest($2::uuid[]) as input (id)
           -- One look-up in the primary key for each, whatever the planner thinks of the table.
           cross join lateral (
               select *
               from app.transaction
               where shard = $1 and id = input.id
               offset 0
           ) as found"#,
        book.shard,
        &ids,
        account.0,
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter();
    Ok(rows.map(|row| (row.id, (row.counterparty.map(AccountId), row.reference, row.description))).collect())
}
