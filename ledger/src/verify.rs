//! Verification: derives everything that the ledger holds again from its leaves, over one snapshot, changing nothing.

use sqlx::{Connection as _, PgConnection};

use crate::Book;
use crate::keys::VerifierKey;
use crate::merkle::Hash;
use crate::merkle::tiles::LEVELS;

mod checkpoints;
mod copy;
mod entries;
mod finding;
mod fold;
mod leaves;
mod rest;

use fold::{EntryHasher, Fold};

pub use finding::Finding;

/// The most findings of one kind that a report names, the first of them; the rest are counted.
pub const FINDINGS_OF_A_KIND_MAX: usize = 20;

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Leaves verified so far.
    pub leaves: u64,
    /// Leaves in all.
    pub leaves_total: u64,
}

/// What a verification found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Leaves in the log.
    pub leaves: u64,
    /// Entries, one for each leg.
    pub entries: u64,
    /// Accounts of the book.
    pub accounts: u64,
    /// Full tiles.
    pub tiles: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// Checkpoints whose signature one of the given keys made.
    pub signatures: u64,
    /// Refused ids.
    pub refusals: u64,
    /// The root that follows from the leaves.
    pub root: Hash,
    /// What is wrong, in the order in which it was found; of each kind at most [`FINDINGS_OF_A_KIND_MAX`].
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub findings_left_out: u64,
}

/// Why a verification came to no end.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// There is no such book.
    #[error("there is no book {0}")]
    NoSuchBook(Book),
    /// The database answered in a way that is not its protocol.
    #[error("the database sent a row that cannot be read: {0}")]
    Row(&'static str),
}

impl Report {
    /// Whether everything follows from the leaves.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty() && self.findings_left_out == 0
    }
}

/// Verifies a book. The connection must not be in a transaction: this opens one of its own, repeatable read and read only.
/// Every checkpoint must be signed by one of the keys; with no keys, signatures are not checked (see [`Report::signatures`]).
///
/// # Errors
/// When the database fails or there is no such book. What is wrong with the ledger is not an error but a [`Finding`].
pub async fn verify(
    conn: &mut PgConnection,
    book: Book,
    keys: &[VerifierKey],
    progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    // One snapshot for all: what is posted meanwhile is not seen.
    let mut tx = conn.begin_with("begin transaction isolation level repeatable read, read only").await?;
    let report = verify_snapshot(&mut tx, book, keys, progress).await?;
    tx.rollback().await?;
    Ok(report)
}

async fn verify_snapshot(
    conn: &mut PgConnection,
    book: Book,
    keys: &[VerifierKey],
    mut progress: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    let head = rest::head(conn, book).await?;
    let accounts = rest::accounts(conn, book).await?;
    let mut fold = Fold::new(book, accounts, EntryHasher::default());
    let mut count = checkpoints::Count::default();
    while fold.next_seq() < head.size {
        let range = (fold.next_seq(), head.size.min(fold.next_seq() + leaves::PAGE));
        checkpoints::take_range(conn, &mut fold, keys, range, &mut count).await?;
        leaves::take_page(conn, &mut fold, head.size).await?;
        leaves::check_page(conn, &mut fold).await?;
        progress(Progress { leaves: fold.next_seq() as u64, leaves_total: head.size as u64 });
    }
    assert_eq!(fold.next_seq(), head.size, "the log is read to its end");
    assert!(fold.signed.is_empty(), "each checkpoint up to the head is reached");
    rest::check_head(&mut fold, &head);
    rest::check_none_beyond(conn, &mut fold, head.size).await?;
    checkpoints::check_none_beyond(conn, &mut fold, head.size).await?;
    entries::check(conn, &mut fold, head.size).await?;
    fold.check_accounts();
    let refusals = rest::check_refusals(conn, &mut fold).await?;
    Ok(report(fold, count, refusals))
}

fn report(fold: Fold, count: checkpoints::Count, refusals: u64) -> Report {
    let frontier = fold.appender.frontier();
    let leaves = frontier.size();
    Report {
        leaves,
        entries: fold.entries,
        accounts: fold.accounts.len() as u64,
        tiles: (1..=LEVELS).map(|level| leaves.checked_shr(8 * level as u32).unwrap_or(0)).sum(),
        checkpoints: count.checkpoints,
        signatures: count.signatures,
        refusals,
        root: frontier.root(),
        findings: fold.findings.named,
        findings_left_out: fold.findings.left_out,
    }
}
