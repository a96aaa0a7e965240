//! The Merkle tree of RFC 6962 over SHA-256: hashes, the right edge that grows ([`frontier`]), full tiles ([`tiles`]),
//! proofs ([`proof`]), the paths of tiles ([`path`]), and the tree as the database keeps it ([`store`]).

use sha2::{Digest, Sha256};

pub mod frontier;
pub mod path;
pub mod proof;
pub mod store;
pub mod tiles;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of a leaf: a zero byte keeps it apart from those of nodes.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(leaf).finalize().into()
}

/// The hash of a node over its two children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of a tree without leaves.
pub fn empty_root() -> Hash {
    Sha256::digest(b"").into()
}
