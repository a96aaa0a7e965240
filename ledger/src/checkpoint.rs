//! Signed heads of a book's log: a C2SP tlog-checkpoint in a C2SP signed-note, never inconsistent with the one before.

use chrono::{DateTime, Utc};

use sqlx::{Connection as _, PgConnection};

use crate::Book;
use crate::keyring::{self, KeyringError};
use crate::keys::SigningKey;
use crate::merkle::store::proof_hashes;
use crate::merkle::{Hash, proof};

pub mod cosigned;
pub mod note;

use note::Body;

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
    /// None of the keys may sign for the log at its present size.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
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

/// Signs the head of the book with one key; see [`sign_head_by`].
///
/// # Errors
/// As [`sign_head_by`].
pub async fn sign_head(conn: &mut PgConnection, book: Book, key: &SigningKey) -> Result<Option<Checkpoint>, SignError> {
    sign_head_by(conn, book, std::slice::from_ref(key)).await
}

/// Signs the head of the book with those of the keys that are in force, if there are leaves since the last checkpoint;
/// otherwise there is nothing to sign. A log without keys takes the first of these as the one that it begins with.
///
/// # Errors
/// When the head does not follow from the last checkpoint, none of the keys is in force, or the database fails.
pub async fn sign_head_by(
    conn: &mut PgConnection,
    book: Book,
    keys: &[SigningKey],
) -> Result<Option<Checkpoint>, SignError> {
    // The checkpoint first: one that is signed between the two statements must not seem to be beyond the head.
    let last = latest(conn, book).await?;
    let head = head(conn, book).await?.ok_or(SignError::NoSuchBook(book))?;
    if let Some(last) = &last {
        check_follows(conn, book, last, &head).await?;
    }
    if head.size == last.map_or(0, |last| last.size) {
        return Ok(None);
    }
    assert!(head.size > 0, "an empty log has nothing to sign");
    let keys = keyring::in_force(conn, book, keys, head.size).await?;
    let body = Body { origin: note::origin(book, keys[0].name()), size: head.size as u64, root: head.root };
    let checkpoint = insert(conn, book, &head, &body.sign_by(&keys)).await?;
    assert!(checkpoint.as_ref().is_none_or(|checkpoint| checkpoint.size == head.size));
    Ok(checkpoint)
}

/// Waits until whoever writes to the book now has committed, and holds nobody up afterwards: what was written by somebody
/// who asked for a checkpoint before this call is in the head that is read after it.
///
/// # Errors
/// When the database fails.
pub async fn wait_for_writer(conn: &mut PgConnection, book: Book) -> Result<(), sqlx::Error> {
    // Going back to a savepoint gives up the lock that was taken after it.
    let mut inner = conn.begin().await?;
    sqlx::query!(
        r#"select book
           from ledger.book
           where shard = $1
               and book = $2
           for share"#,
        book.shard,
        book.id
    )
    .fetch_optional(&mut *inner)
    .await?;
    inner.rollback().await
}

/// Proves that the head is an extension of the last checkpoint. The proof is made of what the database holds now, and checked
/// against what was signed then: nothing that was changed in between can make it pass.
async fn check_follows(conn: &mut PgConnection, book: Book, last: &Checkpoint, head: &Head) -> Result<(), SignError> {
    let inconsistent = SignError::Inconsistent { book, signed: last.size, size: head.size };
    let signed = Body::read(&last.note);
    if last.size > head.size || signed.is_none_or(|body| (body.size, body.root) != (last.size as u64, last.root)) {
        return Err(inconsistent);
    }
    assert!(0 < last.size && last.size <= head.size, "a log grows");
    let (old, new) = (last.size as u64, head.size as u64);
    let proof = match proof_hashes(conn, book, proof::consistency(old, new)).await {
        Ok(proof) => proof,
        Err(sqlx::Error::RowNotFound) => return Err(inconsistent),
        Err(error) => return Err(error.into()),
    };
    match proof::check_consistency(old, &last.root, new, &head.root, &proof) {
        true => Ok(()),
        false => Err(inconsistent),
    }
}

/// The head as one statement sees it.
struct Head {
    size: i64,
    root: Hash,
}

async fn head(conn: &mut PgConnection, book: Book) -> Result<Option<Head>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select size, root
           from ledger.book
           where shard = $1
               and book = $2"#,
        book.shard,
        book.id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Head { size: row.size, root: hash(row.root) }))
}

/// Keeps the checkpoint, unless another process signed the same size in the meantime.
async fn insert(
    conn: &mut PgConnection,
    book: Book,
    head: &Head,
    note: &str,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let signed_at = sqlx::query_scalar!(
        r#"insert into ledger.checkpoint (shard, book, size, root, note)
           values ($1, $2, $3, $4, $5)
           on conflict (shard, book, size) do nothing
           returning signed_at"#,
        book.shard,
        book.id,
        head.size,
        head.root.as_slice(),
        note
    )
    .fetch_optional(conn)
    .await?;
    Ok(signed_at.map(|signed_at| Checkpoint { size: head.size, root: head.root, note: note.to_owned(), signed_at }))
}

/// The first checkpoint of the book that covers more than `seq` leaves, and so the leaf at `seq`.
///
/// # Errors
/// When the database fails.
pub async fn covering(conn: &mut PgConnection, book: Book, seq: i64) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select size, root, note, signed_at
           from ledger.checkpoint
           where shard = $1
               and book = $2
               and size > $3
           order by size
           limit 1"#,
        book.shard,
        book.id,
        seq
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Checkpoint { size: row.size, root: hash(row.root), note: row.note, signed_at: row.signed_at }))
}

/// The last checkpoint of the book.
///
/// # Errors
/// When the database fails.
pub async fn latest(conn: &mut PgConnection, book: Book) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select size, root, note, signed_at
           from ledger.checkpoint
           where shard = $1
               and book = $2
           order by size desc
           limit 1"#,
        book.shard,
        book.id
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Checkpoint { size: row.size, root: hash(row.root), note: row.note, signed_at: row.signed_at }))
}

fn hash(bytes: Vec<u8>) -> Hash {
    bytes.try_into().expect("a CHECK holds hashes to 32 bytes")
}
