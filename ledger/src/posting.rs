//! Posting: what is asked for, what becomes of it, and the one writer that decides.
//!
//! [`post`] holds the row of the book until the caller's transaction ends, reads all that the batch needs in one statement,
//! decides in memory and in order (`decide` knows no SQL), and writes everything in one statement.

use chrono::{DateTime, Utc};

use sqlx::PgConnection;

use crate::{AccountId, Act, Book, Money, TransactionId};

pub(crate) mod decide;
mod memory;
mod read;
mod refusal;
mod write;

pub use memory::Memory;
pub use refusal::{Field, Refusal};

/// The most legs that a posting can have.
pub const LEGS_MAX: usize = 1_000;
/// The most postings in one call.
pub const BATCH_MAX: usize = 8_190;

/// What a posting does to one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// The account; each at most once in a posting.
    pub account: AccountId,
    /// Signed minor units of the account's currency: above zero raises its balance, below zero lowers it.
    pub amount: i128,
}

/// A transaction to record: its legs add up to zero in each currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The transaction's name; posting it again changes nothing.
    pub id: TransactionId,
    /// What the caller calls this kind of transaction.
    pub code: u16,
    /// Two legs or more. A void and an expiry have none, a closing has one of amount 0, and a capture may have none, which
    /// means those of its hold.
    pub legs: Vec<Leg>,
    /// When it counts from, kept to the microsecond; none: from when it is recorded.
    pub effective_at: Option<DateTime<Utc>>,
    /// What it is.
    pub act: Act,
    /// The hash of whatever else the caller keeps about it; salted, if that is personal.
    pub metadata_hash: [u8; 32],
    /// Chained to the next posting of the batch. A chain is recorded whole or not at all: the first posting of it that
    /// cannot be recorded says why, the others are [`Refusal::LinkedFailed`].
    pub linked: bool,
}

/// What became of a [`Posting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is recorded now.
    Created {
        /// Its place in the book.
        seq: i64,
        /// When it was recorded.
        recorded_at: DateTime<Utc>,
    },
    /// It was recorded already, just so.
    Exists {
        /// Its place in the book.
        seq: i64,
        /// When it was recorded.
        recorded_at: DateTime<Utc>,
    },
    /// Its id is that of a recorded transaction that differs, first of all in this field.
    ExistsWithDifferent(Field),
    /// It is not recorded, and if the refusal is final, its id never will be.
    Refused(Refusal),
}

/// Why nothing could be posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The database failed; the caller's transaction is lost.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// There is no such book.
    #[error("there is no book {0}")]
    NoSuchBook(Book),
    /// More postings than [`BATCH_MAX`].
    #[error("{0} postings in one call, the most is {BATCH_MAX}")]
    BatchTooLarge(usize),
    /// Rows of accounts were moved behind the back of a [`Memory`], as `vacuum full` does; the caller's transaction is to be
    /// rolled back, and the same posting succeeds the next time.
    #[error("accounts of {0} lie elsewhere than is remembered: post again")]
    Moved(Book),
    /// What the database holds contradicts itself; nothing is written.
    #[error("the ledger is damaged: {0}; run `ledger verify`")]
    Damaged(String),
}

/// Posts in the caller's transaction, in the order given, and answers for each in that order. Holds the row of the book
/// until that transaction ends, so commit soon.
///
/// # Errors
/// When the database fails, there is no such book, the batch is too large, or the ledger is damaged.
pub async fn post(conn: &mut PgConnection, book: Book, postings: &[Posting]) -> Result<Vec<Outcome>, PostError> {
    Ok(post_all(conn, book, postings, &Memory::default()).await?.outcomes)
}

/// What became of a whole call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posted {
    /// One for each posting, in the order given.
    pub outcomes: Vec<Outcome>,
    /// The accounts that it changed, as they are afterwards, in no order.
    pub accounts: Vec<AccountNow>,
}

/// An account after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountNow {
    /// Which.
    pub account: AccountId,
    /// What it holds, of its currency.
    pub balance: Money,
    /// What open holds would take, in minor units.
    pub held_out: i64,
    /// What open holds would bring, in minor units.
    pub held_in: i64,
    /// The number of its last entry.
    pub version: i64,
}

/// [`post`], which also tells how the accounts are afterwards, and need not read those that it remembers from the last time.
///
/// # Errors
/// As [`post`], and when accounts are no longer where they are remembered to lie.
pub async fn post_all(
    conn: &mut PgConnection,
    book: Book,
    postings: &[Posting],
    memory: &Memory,
) -> Result<Posted, PostError> {
    if postings.len() > BATCH_MAX {
        return Err(PostError::BatchTooLarge(postings.len()));
    }
    if postings.is_empty() {
        return Ok(Posted::default());
    }
    let head = read::lock(conn, book).await?;
    let before = write::Before { place: head.place.clone(), version: head.version.clone() };
    let mut remembered = memory.take(book, &head.version);
    let (state, appender, places) = read::read(conn, book, head, postings, &remembered).await?;
    let decision = decide::decide(state, postings);
    let version = write::write(conn, book, before, appender, &places, &decision, &mut remembered).await?;
    memory.keep(book, remembered, version);
    let accounts = decision.accounts.iter().map(|(account, state)| AccountNow {
        account: *account,
        balance: Money { minor: i128::from(state.balance), currency: state.currency },
        held_out: state.held_out,
        held_in: state.held_in,
        version: state.version,
    });
    Ok(Posted { accounts: accounts.collect(), outcomes: decision.outcomes })
}
