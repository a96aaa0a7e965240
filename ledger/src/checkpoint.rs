//! Signed heads of a book's log: a C2SP tlog-checkpoint in a C2SP signed-note, never inconsistent with the one before.

use chrono::{DateTime, Utc};

use sqlx::PgConnection;

use crate::Book;
use crate::keys::SigningKey;
use crate::merkle::Hash;

/// A signed head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The count of leaves that it covers.
    pub size: i64,
    /// The root over them.
    pub root: Hash,
    /// The note as published: origin, size, root, and the signatures.
    pub note: String,
    /// When it was signed, by the database's clock.
    pub signed_at: DateTime<Utc>,
}

/// Why a head is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// There is no such book.
    #[error("there is no book {0}")]
    NoSuchBook(Book),
    /// The head does not follow from what was signed last: the log was changed. Nothing is signed.
    #[error(
        "the head of {book} at {size} leaves is not consistent with its checkpoint at {signed}; run `ledger verify`"
    )]
    Inconsistent {
        /// The book.
        book: Book,
        /// The size of the last checkpoint.
        signed: i64,
        /// The size of the head.
        size: i64,
    },
}

/// Signs the head of the book, if there are leaves since the last checkpoint.
///
/// # Errors
/// When the head is not consistent with the last checkpoint, or the database fails.
pub async fn sign_head(_: &mut PgConnection, _: Book, _: &SigningKey) -> Result<Option<Checkpoint>, SignError> {
    Ok(None)
}

/// The last checkpoint of the book.
///
/// # Errors
/// When the database fails.
pub async fn latest(_: &mut PgConnection, _: Book) -> Result<Option<Checkpoint>, sqlx::Error> {
    Ok(None)
}
