//! Receipts: what proves, offline and to anyone, that one transaction is in the log (C2SP tlog-proof).
//!
//! A receipt is a text: the place of the leaf, the hashes of its inclusion proof, and a signed checkpoint word for word.
//! Together with the leaf and the log's public key it needs nothing else. It has at most [`BYTES_MAX`] bytes in logs of up
//! to a thousand million leaves, without the lines of witnesses.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::checkpoint::note::{Body, is_signed};
use crate::keyring::Keyring;
use crate::keys::VerifierKey;
use crate::merkle::proof::check_inclusion;
use crate::merkle::{Hash, leaf_hash};
use crate::witness::cosignature::CosignatureKey;

mod make;

pub use make::{MakeError, make, make_witnessed};

/// The most bytes of a receipt in a log of 10^9 leaves, two signatures under a name of up to 100 bytes included.
pub const BYTES_MAX: usize = 2_048;

/// What a receipt begins with.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes that a proof has.
const HASHES_MAX: usize = 63;

/// A proof that a leaf is in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The place of the leaf.
    pub index: u64,
    /// The hashes of the inclusion proof, the lowest first.
    pub hashes: Vec<Hash>,
    /// The checkpoint as it was signed.
    pub checkpoint: String,
}

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The log.
    pub origin: String,
    /// The place of the leaf in it.
    pub index: u64,
    /// The count of leaves that the checkpoint covers.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text is not built as a receipt is.
    #[error("this is not a receipt: its {0} is malformed")]
    Malformed(&'static str),
    /// None of the keys signed the checkpoint under its origin.
    #[error("the checkpoint in the receipt is not signed by a key of the log")]
    Signature,
    /// The checkpoint does not cover the leaf, or its root does not follow from leaf and hashes.
    #[error("the receipt does not prove that this leaf is in the log")]
    NotIncluded,
}

impl Receipt {
    /// The receipt as published.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.hashes {
            text.push_str(&BASE64.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        assert_eq!(Receipt::parse(&text).as_ref(), Ok(self), "a receipt reads back");
        text
    }

    /// Reads a receipt. A line of extra data, which the format allows before the index, is passed over.
    ///
    /// # Errors
    /// When the text is not built as a receipt is.
    pub fn parse(text: &str) -> Result<Receipt, ReceiptError> {
        use ReceiptError::Malformed;
        let (proof, checkpoint) = text.split_once("\n\n").ok_or(Malformed("end of the proof"))?;
        let mut lines = proof.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(Malformed("first line"));
        }
        if let Some(extra) = lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            BASE64.decode(extra).map_err(|_| Malformed("extra data"))?;
            lines.next();
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let index = index.ok_or(Malformed("index"))?;
        let hashes: Option<Vec<Hash>> = lines.map(read_hash).collect();
        let hashes = hashes.filter(|hashes| hashes.len() <= HASHES_MAX).ok_or(Malformed("hash"))?;
        Body::read(checkpoint).ok_or(Malformed("checkpoint"))?;
        Ok(Receipt { index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Whether the receipt proves that the log has this leaf, offline.
    ///
    /// # Errors
    /// When the checkpoint is not signed by a key that was in force, or the leaf is not shown to be under it.
    pub fn check(&self, leaf: &[u8], keys: &Keyring) -> Result<Proven, ReceiptError> {
        let body = Body::read(&self.checkpoint).ok_or(ReceiptError::Malformed("checkpoint"))?;
        let size = i64::try_from(body.size).map_err(|_| ReceiptError::NotIncluded)?;
        let is_own = |key: &VerifierKey| is_origin_of(&body.origin, key.name());
        let own: Vec<VerifierKey> = keys.in_force(size).map(|key| key.key.clone()).filter(is_own).collect();
        if !is_signed(&self.checkpoint, &own) {
            return Err(ReceiptError::Signature);
        }
        if !check_inclusion(&leaf_hash(leaf), self.index, body.size, &self.hashes, &body.root) {
            return Err(ReceiptError::NotIncluded);
        }
        assert!(self.index < body.size, "what is included is within the size");
        Ok(Proven { origin: body.origin, index: self.index, size: body.size, root: body.root })
    }

    /// Those of the keys whose witness signed the receipt's checkpoint, and when, by the witness's clock, in seconds since 1970.
    pub fn witnesses<'a>(&self, keys: &'a [CosignatureKey]) -> Vec<(&'a CosignatureKey, u64)> {
        let Some((body, (_, lines))) = Body::read(&self.checkpoint).zip(self.checkpoint.split_once("\n\n")) else {
            return Vec::new();
        };
        let time = |key: &CosignatureKey| lines.lines().find_map(|line| key.time_of(&body, line));
        keys.iter().filter_map(|key| Some((key, time(key)?))).collect()
    }
}

/// Reads a receipt and checks it against the leaf, offline: see [`Receipt::check`].
///
/// # Errors
/// As [`Receipt::parse`] and [`Receipt::check`].
pub fn check(text: &str, leaf: &[u8], keys: &Keyring) -> Result<Proven, ReceiptError> {
    Receipt::parse(text)?.check(leaf, keys)
}

/// Whether a key of this name signs for the origin: its own, or a book beside the main one.
fn is_origin_of(origin: &str, name: &str) -> bool {
    let Some(place) = origin.strip_prefix(name) else { return false };
    place.is_empty()
        || place.strip_prefix('/').is_some_and(|place| place.split('/').all(|part| decimal(part).is_some()))
}

/// A number as it is written in notes: digits, no leading zero.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// A hash as it is written in notes.
pub(crate) fn read_hash(line: &str) -> Option<Hash> {
    BASE64.decode(line).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
