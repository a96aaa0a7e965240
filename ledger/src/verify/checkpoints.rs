//! The checkpoints: their notes and signatures at once, their roots when the fold reaches their size.

use std::ops::Range;

use super::VerifyError;
use super::finding::Finding;
use super::fold::{Fold, Signed};
use super::rows::CheckpointRow;
use super::source::Source;
use crate::Book;
use crate::checkpoint::note::{Body, origin};
use crate::keyring::Keyring;

/// How many checkpoints there were, and how many of them one of the keys signed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) checkpoints: u64,
    pub(super) signatures: u64,
}

/// Checks the checkpoints that cover what a range of leaves leads to, and gives their roots to the fold.
pub(super) async fn take(
    source: &mut impl Source,
    fold: &mut Fold,
    keys: &Keyring,
    leaves: Range<i64>,
    count: &mut Count,
) -> Result<(), VerifyError> {
    for row in source.checkpoints(leaves.start + 1..leaves.end + 1).await? {
        let CheckpointRow { size, root, note } = row;
        let body = Body::read(&note);
        if body.as_ref().is_none_or(|body| body.size != size as u64 || body.root.as_slice() != root) {
            fold.findings.add(Finding::CheckpointNote { size });
        }
        count.checkpoints += 1;
        if is_signed_for(fold.book, &note, body.as_ref(), keys) {
            count.signatures += 1;
        } else if !keys.keys().is_empty() {
            fold.findings.add(Finding::CheckpointSignature { size });
        }
        assert!(leaves.start < size && size <= leaves.end, "a source gives what it is asked for");
        fold.signed.push_back(Signed { size, root });
    }
    Ok(())
}

/// Whether a key that may sign for its size signed the note, and for this book's log.
fn is_signed_for(book: Book, note: &str, body: Option<&Body>, keys: &Keyring) -> bool {
    let Some(body) = body else { return false };
    let is_own = keys.keys().iter().any(|key| body.origin == origin(book, key.key.name()));
    let Ok(size) = i64::try_from(body.size) else { return false };
    is_own && keys.accepts(size, note)
}
