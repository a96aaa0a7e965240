//! The checkpoints: their notes and signatures at once, their roots when the fold reaches their size.

use sqlx::PgConnection;

use super::VerifyError;
use super::finding::Finding;
use super::fold::{Fold, Signed};
use crate::Book;
use crate::checkpoint::note::{Body, is_signed, origin};
use crate::keys::VerifierKey;

/// How many checkpoints there were, and how many of them one of the keys signed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) checkpoints: u64,
    pub(super) signatures: u64,
}

/// Checks the checkpoints of more than `start` leaves and at most `stop`, and gives their roots to the fold.
pub(super) async fn take_range(
    conn: &mut PgConnection,
    fold: &mut Fold,
    keys: &[VerifierKey],
    (start, stop): (i64, i64),
    count: &mut Count,
) -> Result<(), VerifyError> {
    let rows = sqlx::query!(
        r#"select size, root, note
           from ledger.checkpoint
           where shard = $1
               and book = $2
               and size > $3
               and size <= $4
           order by size"#,
        fold.book.shard,
        fold.book.id,
        start,
        stop
    )
    .fetch_all(conn)
    .await?;
    for row in rows {
        let (size, root) = (row.size, row.root);
        let body = Body::read(&row.note);
        if body.as_ref().is_none_or(|body| body.size != size as u64 || body.root.as_slice() != root) {
            fold.findings.add(Finding::CheckpointNote { size });
        }
        count.checkpoints += 1;
        if is_signed_for(fold.book, &row.note, body.as_ref(), keys) {
            count.signatures += 1;
        } else if !keys.is_empty() {
            fold.findings.add(Finding::CheckpointSignature { size });
        }
        fold.signed.push_back(Signed { size, root });
    }
    Ok(())
}

/// Whether one of the keys signed the note, and for this book's log.
fn is_signed_for(book: Book, note: &str, body: Option<&Body>, keys: &[VerifierKey]) -> bool {
    let is_own = |key: &&VerifierKey| body.is_some_and(|body| body.origin == origin(book, key.name()));
    let own: Vec<VerifierKey> = keys.iter().filter(is_own).cloned().collect();
    is_signed(note, &own)
}

/// Finds the checkpoints that cover more leaves than there are.
pub(super) async fn check_none_beyond(conn: &mut PgConnection, fold: &mut Fold, size: i64) -> Result<(), VerifyError> {
    let beyond = sqlx::query_scalar!(
        r#"select size
           from ledger.checkpoint
           where shard = $1
               and book = $2
               and size > $3
           order by size"#,
        fold.book.shard,
        fold.book.id,
        size
    )
    .fetch_all(conn)
    .await?;
    beyond.into_iter().for_each(|size| fold.findings.add(Finding::CheckpointBeyondHead { size }));
    Ok(())
}
