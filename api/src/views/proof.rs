//! Proofs about the log. Hashes are in base64, as in checkpoints and receipts.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ledger::log::{Consistency, Inclusion};
use ledger::merkle::Hash;
use poem_openapi::Object;
use serde::Serialize;

/// A proof that a leaf is in the log.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "InclusionProof")]
pub(crate) struct InclusionView {
    /// The place of the leaf, from 0.
    pub index: i64,
    /// The count of leaves of the tree.
    pub size: i64,
    /// The hash of the leaf: SHA-256 of a zero byte and the leaf.
    pub leaf_hash: String,
    /// The root of the tree.
    pub root: String,
    /// The hashes beside the way from the leaf to the root, the lowest first.
    pub hashes: Vec<String>,
}

impl InclusionView {
    pub(crate) fn of(index: i64, size: i64, proof: &Inclusion) -> InclusionView {
        let (leaf_hash, root) = (base64(&proof.leaf), base64(&proof.root));
        InclusionView { index, size, leaf_hash, root, hashes: proof.hashes.iter().map(base64).collect() }
    }
}

/// A proof that one tree is the beginning of another.
#[derive(Debug, Object, Serialize)]
#[oai(rename = "ConsistencyProof")]
pub(crate) struct ConsistencyView {
    /// The count of leaves of the smaller tree.
    pub old: i64,
    /// The count of leaves of the larger tree.
    pub size: i64,
    /// The root of the smaller tree.
    pub old_root: String,
    /// The root of the larger tree.
    pub root: String,
    /// The hashes that lead to both roots.
    pub hashes: Vec<String>,
}

impl ConsistencyView {
    pub(crate) fn of(old: i64, size: i64, proof: &Consistency) -> ConsistencyView {
        let (old_root, root) = (base64(&proof.old_root), base64(&proof.new_root));
        ConsistencyView { old, size, old_root, root, hashes: proof.hashes.iter().map(base64).collect() }
    }
}

fn base64(hash: &Hash) -> String {
    BASE64_STANDARD.encode(hash)
}
