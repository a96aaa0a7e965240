//! Verification: derives everything that the ledger holds again from its leaves, over one snapshot, changing nothing.

use sqlx::PgConnection;

use crate::Book;
use crate::keys::VerifierKey;
use crate::merkle::Hash;

mod finding;

pub use finding::Finding;

/// The most findings that a report names; the rest are counted.
pub const FINDINGS_MAX: usize = 100;

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
    /// What is wrong, by kind and then by place; at most [`FINDINGS_MAX`] of them.
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
    _: &mut PgConnection,
    book: Book,
    _: &[VerifierKey],
    _: impl FnMut(Progress),
) -> Result<Report, VerifyError> {
    Err(VerifyError::NoSuchBook(book))
}
