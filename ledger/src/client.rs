//! The ledger as its clients call it: record a transaction, and read the history of whoever owns some accounts.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::history::{LIMIT_MAX, versions_at};
use crate::leaf::Leaf;
use crate::posting::{Outcome, PostError, Posting, post};
use crate::{AccountId, Book};

/// A client of one book. It holds nothing: each call is on the caller's connection and in the caller's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LedgerClient {
    book: Book,
}

/// Transactions of some accounts, the last one first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionPage {
    /// Each once, whole, however many of the accounts it touches.
    pub transactions: Vec<Leaf>,
    /// Where the next page goes on; none: there is nothing before this one.
    pub next: Option<i64>,
}

impl LedgerClient {
    /// A client of this book.
    pub const fn new(book: Book) -> LedgerClient {
        LedgerClient { book }
    }

    /// Records one transaction; it is durable when the caller's transaction commits. Doing it again changes nothing.
    ///
    /// # Errors
    /// As [`post`].
    pub async fn record_transaction(
        &self,
        conn: &mut PgConnection,
        transaction: &Posting,
    ) -> Result<Outcome, PostError> {
        let outcomes = post(conn, self.book, std::slice::from_ref(transaction)).await?;
        assert_eq!(outcomes.len(), 1, "each posting has its outcome");
        Ok(outcomes[0])
    }

    /// What moved on a user's accounts, newest first: the ledger knows no users, so the caller says which accounts are
    /// theirs. `before` is [`TransactionPage::next`] of the page before; the limit is held between 1 and [`LIMIT_MAX`].
    ///
    /// # Errors
    /// When the database fails, or holds a leaf that cannot be read.
    pub async fn get_transaction_history(
        &self,
        conn: &mut PgConnection,
        accounts: &[AccountId],
        before: Option<i64>,
        limit: i64,
    ) -> Result<TransactionPage, sqlx::Error> {
        let limit = limit.clamp(1, LIMIT_MAX);
        let versions = match before {
            Some(seq) => versions_at(conn, self.book, accounts, seq.saturating_sub(1)).await?,
            None => vec![i64::MAX; accounts.len()],
        };
        let leaves = self.last_of_each(conn, accounts, &versions, limit).await?;
        assert!(leaves.len() <= limit as usize, "the page is not longer than asked for");
        let decode = |leaf: &Vec<u8>| Leaf::decode(leaf).map_err(|error| sqlx::Error::Decode(error.into()));
        let transactions: Vec<Leaf> = leaves.iter().map(decode).collect::<Result<_, _>>()?;
        assert!(transactions.is_sorted_by(|one, next| one.seq > next.seq), "the newest comes first");
        let is_full = transactions.len() as i64 == limit;
        let next = transactions.last().map(|last| last.seq).filter(|seq| is_full && *seq > 0);
        Ok(TransactionPage { transactions, next })
    }

    /// The last transactions of all of the accounts: they are among the last so many of each.
    async fn last_of_each(
        &self,
        conn: &mut PgConnection,
        accounts: &[AccountId],
        versions: &[i64],
        limit: i64,
    ) -> Result<Vec<Vec<u8>>, sqlx::Error> {
        let ids: Vec<Uuid> = accounts.iter().map(|account| account.0).collect();
        let leaves = sqlx::query_scalar!(
            r#"select t.leaf
               from (
                   select distinct e.seq
                   from unnest($3::uuid[], $4::bigint[]) as wanted (id, version)
                   cross join lateral (
                       select seq
                       from ledger.entry
                       where shard = $1
                           and book = $2
                           and account_id = wanted.id
                           and version <= wanted.version
                       order by version desc
                       limit $5
                   ) as e
                   order by e.seq desc
                   limit $5
               ) as last
               cross join lateral (
                   select *
                   from ledger.transaction
                   where shard = $1
                       and book = $2
                       and seq = last.seq
                   offset 0
               ) as t
               order by t.seq desc"#,
            self.book.shard,
            self.book.id,
            &ids,
            versions,
            limit
        );
        leaves.fetch_all(conn).await
    }
}
