//! A witness: somebody else who remembers how long a log was, and signs that it only grew (C2SP tlog-witness).
//!
//! The witness keeps, for each log that it knows, the last checkpoint that it signed for. It signs for another one only if
//! that is proven to be a continuation, and only after it has written it down: a log that was rolled back or forked cannot
//! get the signature, whoever runs it and whatever was killed in between. No HTTP and no clock is in here.

use crate::checkpoint::note::{Body, is_signed};
use crate::keys::VerifierKey;
use crate::merkle::proof::check_consistency;

pub mod cosignature;
mod request;
mod store;

use cosignature::CosignerKey;
pub use request::{AddCheckpoint, RequestError};
pub use store::{Store, StoreError};

/// Why a witness does not sign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The request is not one; 400.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The witness does not know a log of this origin; 404.
    #[error("this witness knows no log `{0}`")]
    UnknownOrigin(String),
    /// None of the log's keys signed the checkpoint; 403.
    #[error("the checkpoint is not signed by a known key of its log")]
    UnknownKey,
    /// The old size is not that of the last checkpoint that the witness signed for, or the log of that very size has another
    /// root; 409 with that size.
    #[error("the last checkpoint that was signed for has {signed} leaves")]
    Conflict {
        /// The size of the last checkpoint.
        signed: u64,
    },
    /// The checkpoint is not proven to be a continuation; 422.
    #[error("the proof does not show that the log only grew")]
    NotConsistent,
    /// The witness could not write it down, so it did not sign; 500.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A witness.
#[derive(Debug)]
pub struct Witness {
    key: CosignerKey,
    logs: Vec<VerifierKey>,
    store: Store,
}

impl Witness {
    /// A witness that signs with this key for these logs: each key for the origin that is its name.
    pub fn new(key: CosignerKey, logs: Vec<VerifierKey>, store: Store) -> Witness {
        Witness { key, logs, store }
    }

    /// Checks a request, writes its checkpoint down, and answers with the line of the cosignature, made at `now_s`, seconds
    /// since 1970. One request is done at a time.
    ///
    /// # Errors
    /// When the request is wrong, the log unknown, the checkpoint not a continuation, or the store fails.
    pub fn add_checkpoint(&self, request: &[u8], now_s: u64) -> Result<String, WitnessError> {
        let request = AddCheckpoint::parse(request)?;
        let body = &request.body;
        let of_origin: Vec<VerifierKey> = self.logs.iter().filter(|key| key.name() == body.origin).cloned().collect();
        if of_origin.is_empty() {
            return Err(WitnessError::UnknownOrigin(body.origin.clone()));
        }
        if !is_signed(&request.checkpoint, &of_origin) {
            return Err(WitnessError::UnknownKey);
        }
        let mut held = self.store.hold(&body.origin)?;
        decide(held.last(), &request)?;
        // Written down before it is signed: a signature that nobody remembers could be given to another fork.
        held.replace(&request.checkpoint)?;
        assert_eq!(held.last(), Some(body), "what is signed for is what is remembered");
        Ok(self.key.cosign(body, now_s))
    }
}

/// Whether the checkpoint continues what was signed for last.
fn decide(last: Option<&Body>, request: &AddCheckpoint) -> Result<(), WitnessError> {
    let (new, signed) = (&request.body, last.map_or(0, |last| last.size));
    if request.old != signed {
        return Err(WitnessError::Conflict { signed });
    }
    assert!(request.old <= new.size, "a request does not shrink the log");
    let is_consistent = match last {
        // Of a log without leaves everything is a continuation.
        None | Some(Body { size: 0, .. }) => request.proof.is_empty(),
        Some(last) if last.size == new.size && last.root != new.root => return Err(WitnessError::Conflict { signed }),
        Some(last) => check_consistency(last.size, &last.root, new.size, &new.root, &request.proof),
    };
    if is_consistent { Ok(()) } else { Err(WitnessError::NotConsistent) }
}

#[cfg(test)]
mod tests;
