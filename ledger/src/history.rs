//! What happened to an account, and what it had at any point: in the order of the book, and by the times that transactions
//! count from. Nothing here adds up more than it has to: a running balance stands in each entry, and a place in the log or
//! in an account's history is found by halving, since both have no gaps.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::leaf::Leaf;
use crate::{AccountId, Book, TransactionId};

mod balance;
mod page;
mod search;

pub use balance::{balance_at_seq, balance_effective_at, balance_recorded_at};
pub use page::{Order, Page, Query, SCAN_MAX, page};
pub use search::{seq_at, versions_at};

/// The most entries that one page has.
pub const LIMIT_MAX: i64 = 1_000;

/// One leg of one transaction, as its account saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the history of the account, from 1.
    pub version: i64,
    /// The transaction.
    pub transaction: TransactionId,
    /// The transaction's place in the book.
    pub seq: i64,
    /// Minor units; above zero raised the balance.
    pub amount: i128,
    /// The balance after it, in minor units.
    pub balance: i128,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// When it counts from, as the transaction says.
    pub effective_at: DateTime<Utc>,
    /// The transaction's code.
    pub code: u16,
}

/// A page of an account's entries, newest first: those with a version below `before`, or the newest if there is none.
/// At most `limit` of them, which is held between 1 and [`LIMIT_MAX`]. An unknown account has none.
///
/// # Errors
/// When the database fails.
pub async fn entries(
    conn: &mut PgConnection,
    book: Book,
    account: AccountId,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    let limit = limit.clamp(1, LIMIT_MAX);
    let rows = sqlx::query_as!(
        Row,
        r#"select e.version, e.seq, e.amount, e.balance, t.id as "id: TransactionId", t.recorded_at, t.leaf
           from (
               select *
               from ledger.entry
               where shard = $1
                   and book = $2
                   and account_id = $3
                   and version < $4
               order by version desc
               limit $5
           ) as e
           join ledger.transaction as t on t.shard = $1 and t.book = $2 and t.seq = e.seq
           order by e.version desc"#,
        book.shard,
        book.id,
        account.0,
        before.unwrap_or(i64::MAX),
        limit
    )
    .fetch_all(conn)
    .await?;
    assert!(rows.len() <= limit as usize, "the page is not longer than asked for");
    assert!(rows.is_sorted_by(|one, next| one.version > next.version), "the newest comes first");
    rows.into_iter().map(Entry::try_from).collect()
}

/// An entry and its transaction as their rows have them.
#[derive(Debug)]
struct Row {
    version: i64,
    seq: i64,
    amount: i64,
    balance: i64,
    id: TransactionId,
    recorded_at: DateTime<Utc>,
    leaf: Vec<u8>,
}

impl TryFrom<Row> for Entry {
    type Error = sqlx::Error;

    /// A leaf that was changed in the database is an error to whoever reads it, and a finding to the verifier.
    fn try_from(row: Row) -> Result<Entry, sqlx::Error> {
        let leaf = Leaf::decode(&row.leaf).map_err(|error| sqlx::Error::Decode(error.into()))?;
        if (leaf.seq, leaf.id) != (row.seq, row.id) {
            return Err(sqlx::Error::Decode(format!("leaf {} is not the one of its row", row.seq).into()));
        }
        Ok(Entry {
            version: row.version,
            transaction: row.id,
            seq: row.seq,
            amount: row.amount.into(),
            balance: row.balance.into(),
            recorded_at: row.recorded_at,
            effective_at: leaf.effective_at,
            code: leaf.code,
        })
    }
}
