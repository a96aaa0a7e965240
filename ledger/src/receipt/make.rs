//! Makes receipts, in two statements; those under witnessed checkpoints in four.

use sqlx::PgConnection;

use super::Receipt;
use crate::checkpoint::cosigned;
use crate::checkpoint::note::Body;
use crate::merkle::store::proof_hashes;
use crate::merkle::{Hash, proof};
use crate::{Book, TransactionId};

/// Why there is no receipt.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The transaction is not recorded in this book.
    #[error("there is no such transaction in the log")]
    NotFound,
    /// No checkpoint covers it yet; one will within a second.
    #[error("no checkpoint covers the transaction yet")]
    NotSigned,
    /// Not enough witnesses have signed a checkpoint that covers it.
    #[error("no checkpoint that so many witnesses signed covers the transaction")]
    NotWitnessed,
    /// What the database holds does not prove it: the log was changed after it was signed.
    #[error("the log does not follow from its checkpoint; run `ledger verify`")]
    Damaged,
}

/// The leaf of a transaction and the first checkpoint that covers it.
struct Found {
    seq: i64,
    leaf_hash: Vec<u8>,
    note: Option<String>,
}

/// The receipt of a transaction: its proof under the first checkpoint that covers it, so that it is always the same.
///
/// # Errors
/// When the transaction is not in the book's log or not signed for yet, or the database fails or is damaged.
pub async fn make(conn: &mut PgConnection, book: Book, id: TransactionId) -> Result<Receipt, MakeError> {
    let mut found = find(conn, book, id).await?.ok_or(MakeError::NotFound)?;
    let checkpoint = found.note.take().ok_or(MakeError::NotSigned)?;
    prove(conn, book, found, checkpoint).await
}

/// A receipt of a transaction under the last checkpoint that so many witnesses signed, with the lines of all that did: it
/// proves as well that somebody else vouches for the log. Each witness adds a line, of some 110 bytes and its name.
///
/// # Errors
/// As [`make`], and when too few witnesses have signed a checkpoint that covers the transaction.
pub async fn make_witnessed(
    conn: &mut PgConnection,
    book: Book,
    id: TransactionId,
    witnesses: u32,
) -> Result<Receipt, MakeError> {
    let found = find(conn, book, id).await?.ok_or(MakeError::NotFound)?;
    let last = cosigned::latest(conn, book, witnesses).await?;
    let last = last.filter(|last| last.size > found.seq).ok_or(MakeError::NotWitnessed)?;
    prove(conn, book, found, last.note).await
}

async fn prove(conn: &mut PgConnection, book: Book, found: Found, checkpoint: String) -> Result<Receipt, MakeError> {
    let leaf: Hash = found.leaf_hash.try_into().expect("a CHECK holds hashes to 32 bytes");
    let (index, body) = (found.seq as u64, Body::read(&checkpoint).ok_or(MakeError::Damaged)?);
    if index >= body.size {
        return Err(MakeError::Damaged);
    }
    let hashes = match proof_hashes(conn, book, proof::inclusion(index, body.size)).await {
        Ok(hashes) => hashes,
        Err(sqlx::Error::RowNotFound) => return Err(MakeError::Damaged),
        Err(error) => return Err(error.into()),
    };
    // A receipt that proves nothing is worse than none.
    if !proof::check_inclusion(&leaf, index, body.size, &hashes, &body.root) {
        return Err(MakeError::Damaged);
    }
    Ok(Receipt { index, hashes, checkpoint })
}

async fn find(conn: &mut PgConnection, book: Book, id: TransactionId) -> Result<Option<Found>, sqlx::Error> {
    sqlx::query_as!(
        Found,
        r#"select recorded.seq, recorded.leaf_hash, covering.note as "note?"
           from ledger.transaction as recorded
           left join lateral (
               select note
               from ledger.checkpoint
               where shard = $1
                   and book = $2
                   and size > recorded.seq
               order by size
               limit 1
           ) as covering on true
           where recorded.shard = $1
               and recorded.id = $3
               and recorded.book = $2"#,
        book.shard,
        book.id,
        id.0
    )
    .fetch_optional(conn)
    .await
}
