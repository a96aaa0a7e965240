//! The body of `add-checkpoint`: the old size, a consistency proof, an empty line, a checkpoint.

use crate::checkpoint::note::Body;
use crate::merkle::Hash;
use crate::receipt::{decimal, read_hash};

/// The most hashes that a proof may have.
const PROOF_MAX: usize = 63;

/// A request for a cosignature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size that the sender believes the witness signed for last.
    pub old: u64,
    /// The hashes of the proof from there to the checkpoint.
    pub proof: Vec<Hash>,
    /// The checkpoint as its log signed it.
    pub checkpoint: String,
    /// What the checkpoint says.
    pub body: Body,
}

/// Why a request is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's {0} is malformed")]
pub struct RequestError(pub &'static str);

impl AddCheckpoint {
    /// A request for this checkpoint.
    ///
    /// # Errors
    /// When the checkpoint is not one, or is smaller than `old`.
    pub fn new(old: u64, proof: Vec<Hash>, checkpoint: &str) -> Result<AddCheckpoint, RequestError> {
        let body = Body::read(checkpoint).ok_or(RequestError("checkpoint"))?;
        if old > body.size {
            return Err(RequestError("old size"));
        }
        if proof.len() > PROOF_MAX {
            return Err(RequestError("proof"));
        }
        Ok(AddCheckpoint { old, proof, checkpoint: checkpoint.to_owned(), body })
    }

    /// Reads a request.
    ///
    /// # Errors
    /// When it is not built as a request is.
    pub fn parse(bytes: &[u8]) -> Result<AddCheckpoint, RequestError> {
        let text = std::str::from_utf8(bytes).map_err(|_| RequestError("text"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(RequestError("end of the proof"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let proof: Option<Vec<Hash>> = lines.map(read_hash).collect();
        let (old, proof) = (old.ok_or(RequestError("old size"))?, proof.ok_or(RequestError("proof"))?);
        AddCheckpoint::new(old, proof, checkpoint)
    }

    /// The request as it is sent.
    pub fn to_text(&self) -> String {
        use base64::Engine as _;
        let hash = |hash: &Hash| format!("{}\n", base64::engine::general_purpose::STANDARD.encode(hash));
        let proof: String = self.proof.iter().map(hash).collect();
        let text = format!("old {}\n{proof}\n{}", self.old, self.checkpoint);
        assert_eq!(AddCheckpoint::parse(text.as_bytes()).as_ref(), Ok(self), "a request reads back");
        text
    }
}
