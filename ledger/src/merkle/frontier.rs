//! The right edge of a tree: the roots of its largest full subtrees, which is all that appending needs (RFC 9162 §2.1.2
//! builds a root the same way; others call it a compact range).

use super::{Hash, empty_root, node_hash};

/// The right edge of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One for each bit of `size` that is set, the largest first.
    peaks: Vec<Hash>,
}

/// The root of a full subtree that came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its leaves are 2^height.
    pub height: u32,
    /// Its place among those of its height.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The stored frontier does not fit its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frontier of {bytes} bytes does not belong to a tree of {size} leaves")]
pub struct FrontierError {
    /// The count of leaves.
    pub size: u64,
    /// The length of what should be its frontier.
    pub bytes: usize,
}

impl Frontier {
    /// The edge of a tree without leaves.
    pub const fn empty() -> Frontier {
        Frontier { size: 0, peaks: Vec::new() }
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the count of hashes is not the one that a tree of this size has.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Result<Frontier, FrontierError> {
        let (peaks, rest) = bytes.as_chunks::<32>();
        if !rest.is_empty() || peaks.len() != size.count_ones() as usize {
            return Err(FrontierError { size, bytes: bytes.len() });
        }
        assert_eq!(peaks.is_empty(), size == 0);
        Ok(Frontier { size, peaks: peaks.to_vec() })
    }

    /// The hashes one after the other, those of the largest subtrees first.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.peaks.concat()
    }

    /// The count of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; tells of each full subtree that it completes, the smallest first.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(Node)) {
        assert!(self.size < u64::MAX, "the tree has room");
        let mut node = Node { height: 0, index: self.size, hash: leaf };
        completed(node);
        while node.index & 1 == 1 {
            let left = self.peaks.pop().expect("an odd index has a full subtree on its left");
            node = Node { height: node.height + 1, index: node.index >> 1, hash: node_hash(&left, &node.hash) };
            completed(node);
        }
        assert_eq!(
            node.height,
            self.size.trailing_ones(),
            "a leaf completes as many subtrees as its index ends in ones"
        );
        self.peaks.push(node.hash);
        self.size += 1;
        assert_eq!(self.peaks.len(), self.size.count_ones() as usize, "one peak for each bit of the size");
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        let Some((last, peaks)) = self.peaks.split_last() else {
            assert_eq!(self.size, 0);
            return empty_root();
        };
        peaks.iter().rev().fold(*last, |right, left| node_hash(left, &right))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::leaf_hash;

    /// RFC 6962 §2.1, word for word.
    fn root_by_definition(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => leaf_hash(leaf),
            _ => {
                let half = leaves.len().next_power_of_two() / 2;
                node_hash(&root_by_definition(&leaves[..half]), &root_by_definition(&leaves[half..]))
            }
        }
    }

    #[test]
    fn the_root_is_the_one_of_the_rfc_and_of_another_implementation() {
        let mut frontier = Frontier::empty();
        let mut other = ct_merkle::mem_backed_tree::MemoryBackedTree::<sha2_011::Sha256, Vec<u8>>::new();
        let mut leaves = Vec::new();
        for n in 0..300u32 {
            assert_eq!(frontier.root(), root_by_definition(&leaves));
            assert_eq!(frontier.root().as_slice(), other.root().as_bytes().as_slice());
            let leaf = n.to_be_bytes().repeat(n as usize % 7);
            frontier.push(leaf_hash(&leaf), |_| ());
            other.push(leaf.clone());
            leaves.push(leaf);
        }
    }

    #[test]
    fn a_frontier_reads_back_and_one_of_another_size_does_not() {
        let mut frontier = Frontier::empty();
        for n in 0..100u8 {
            frontier.push([n; 32], |_| ());
            assert_eq!(Frontier::from_bytes(frontier.size(), &frontier.to_bytes()), Ok(frontier.clone()));
        }
        let (size, bytes) = (frontier.size(), frontier.to_bytes());
        assert_eq!(Frontier::from_bytes(size + 3, &bytes), Err(FrontierError { size: size + 3, bytes: bytes.len() }));
        assert!(Frontier::from_bytes(size, &bytes[1..]).is_err());
    }
}
