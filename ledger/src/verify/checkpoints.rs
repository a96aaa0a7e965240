//! The checkpoints: their notes, signatures and cosignatures at once, their roots when the fold reaches their size.

use std::collections::HashMap;
use std::ops::Range;

use super::VerifyError;
use super::finding::Finding;
use super::fold::{Fold, Signed};
use super::rows::{CheckpointRow, CosignatureRow};
use super::source::Source;
use crate::Book;
use crate::checkpoint::note::{Body, origin};
use crate::keyring::Keyring;
use crate::witness::cosignature::CosignatureKey;

/// How many checkpoints there were, how many of them one of the keys signed, and how often witnesses did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    pub(super) checkpoints: u64,
    pub(super) signatures: u64,
    pub(super) cosignatures: u64,
}

/// Checks the checkpoints that cover what a range of leaves leads to, and gives their roots to the fold.
pub(super) async fn take(
    source: &mut impl Source,
    fold: &mut Fold,
    keys: &Keyring,
    leaves: Range<i64>,
    count: &mut Count,
) -> Result<(), VerifyError> {
    let sizes = leaves.start + 1..leaves.end + 1;
    let cosignatures = source.cosignatures(sizes.clone()).await?;
    let mut bodies = HashMap::new();
    for row in source.checkpoints(sizes).await? {
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
        bodies.extend(body.map(|body| (size, body)));
    }
    check_cosignatures(fold, &cosignatures, &bodies, count);
    Ok(())
}

/// Checks what witnesses signed beyond the head: they remember what was cut.
pub(super) async fn take_beyond(source: &mut impl Source, fold: &mut Fold, head: i64) -> Result<(), VerifyError> {
    let cosignatures = source.cosignatures(head.saturating_add(1)..i64::MAX).await?;
    check_cosignatures(fold, &cosignatures, &HashMap::new(), &mut Count::default());
    Ok(())
}

/// Whether each is a signature, by the key that stands beside it, of the checkpoint of its size.
fn check_cosignatures(fold: &mut Fold, rows: &[CosignatureRow], bodies: &HashMap<i64, Body>, count: &mut Count) {
    for CosignatureRow { size, witness, line } in rows {
        let key = CosignatureKey::parse(witness).ok();
        let signed_at = key.zip(bodies.get(size)).and_then(|(key, body)| key.time_of(body, line));
        match signed_at {
            Some(_) => count.cosignatures += 1,
            None => fold.findings.add(Finding::Cosignature { size: *size }),
        }
    }
}

/// Whether a key that may sign for its size signed the note, and for this book's log.
fn is_signed_for(book: Book, note: &str, body: Option<&Body>, keys: &Keyring) -> bool {
    let Some(body) = body else { return false };
    let is_own = keys.keys().iter().any(|key| body.origin == origin(book, key.key.name()));
    let Ok(size) = i64::try_from(body.size) else { return false };
    is_own && keys.accepts(size, note)
}
