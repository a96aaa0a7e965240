//! Inclusion and consistency proofs: which parts of the tree they are made of (RFC 6962 §2.1), and how they are checked
//! (RFC 9162 §2.1.3.2 and §2.1.4.2). What is proven rests on the check alone, wherever the hashes came from.

use std::ops::Range;

use super::{Hash, node_hash};

/// A full subtree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// Its leaves are 2^height.
    pub height: u32,
    /// Its place among those of its height.
    pub index: u64,
}

/// The leaves under each hash of the proof that the leaf at `index` is in a tree of `size` leaves.
pub fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    assert!(index < size, "a leaf is in the tree");
    let (mut tree, mut ranges) = (0..size, Vec::new());
    while tree.end - tree.start > 1 {
        let middle = split(&tree);
        let (inside, beside) = if index < middle {
            (tree.start..middle, middle..tree.end)
        } else {
            (middle..tree.end, tree.start..middle)
        };
        ranges.push(beside);
        tree = inside;
    }
    assert_eq!(tree, index..index + 1, "the way ends at the leaf");
    assert!(ranges.len() <= 64, "a tree is no higher than its size has bits");
    ranges.reverse();
    ranges
}

/// The leaves under each hash of the proof that a tree of `old` leaves is the beginning of one of `new` leaves.
pub fn consistency(old: u64, new: u64) -> Vec<Range<u64>> {
    assert!(0 < old && old <= new, "a tree with leaves grows");
    let (mut tree, mut ranges) = (0..new, Vec::new());
    while tree.end != old {
        let middle = split(&tree);
        let (inside, beside) =
            if old <= middle { (tree.start..middle, middle..tree.end) } else { (middle..tree.end, tree.start..middle) };
        ranges.push(beside);
        tree = inside;
    }
    assert_eq!(tree.end, old, "the way ends where the old tree does");
    assert!(ranges.len() <= 64, "a tree is no higher than its size has bits");
    // The old root itself is known to whoever checks.
    if tree.start != 0 {
        ranges.push(tree);
    }
    ranges.reverse();
    ranges
}

/// The full subtrees that a range of a proof is made of, from left to right.
pub fn subtrees(range: Range<u64>) -> Vec<Subtree> {
    let (mut start, mut subtrees) = (range.start, Vec::new());
    while start < range.end {
        let height = (range.end - start).ilog2();
        assert!(start.is_multiple_of(1 << height), "the ranges of a proof start where their largest subtree does");
        subtrees.push(Subtree { height, index: start >> height });
        start += 1 << height;
    }
    assert_eq!(start, range.end, "the subtrees are the whole range");
    subtrees
}

/// The hash over full subtrees that stand side by side, each no higher than the one before it.
pub fn join(hashes: &[Hash]) -> Hash {
    let (last, others) = hashes.split_last().expect("a range has a leaf");
    others.iter().rev().fold(*last, |right, left| node_hash(left, &right))
}

/// Whether the proof shows that the leaf is at `index` of the tree of `size` leaves with this root.
pub fn check_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last, mut hash) = (index, size - 1, *leaf);
    for other in proof {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            hash = node_hash(other, &hash);
            while position & 1 == 0 && position != 0 {
                (position, last) = (position >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, other);
        }
        (position, last) = (position >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the proof shows that the tree of `old` leaves is the beginning of the tree of `new` leaves.
pub fn check_consistency(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let (first, rest) = match (old.is_power_of_two(), proof.split_first()) {
        (true, _) => (*old_root, proof),
        (false, Some((first, rest))) => (*first, rest),
        (false, None) => return false,
    };
    let shift = (old - 1).trailing_ones();
    let (mut position, mut last) = ((old - 1) >> shift, (new - 1) >> shift);
    let (mut old_hash, mut new_hash) = (first, first);
    for other in rest {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            old_hash = node_hash(other, &old_hash);
            new_hash = node_hash(other, &new_hash);
            while position & 1 == 0 && position != 0 {
                (position, last) = (position >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, other);
        }
        (position, last) = (position >> 1, last >> 1);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

/// Where a tree of two leaves or more divides: its left side is the largest full subtree that is not all of it.
fn split(tree: &Range<u64>) -> u64 {
    let count = tree.end - tree.start;
    assert!(count > 1, "a leaf does not divide");
    tree.start + (1 << (count - 1).ilog2())
}

#[cfg(test)]
mod tests {
    use ct_merkle::mem_backed_tree::MemoryBackedTree;
    use proptest::prelude::*;
    use sha2_011::Sha256;

    use super::*;
    use crate::merkle::frontier::Frontier;
    use crate::merkle::leaf_hash;

    fn leaf(n: u64) -> Vec<u8> {
        n.to_be_bytes().to_vec()
    }

    fn root(size: u64) -> Hash {
        let mut frontier = Frontier::empty();
        (0..size).for_each(|n| frontier.push(leaf_hash(&leaf(n)), |_| ()));
        frontier.root()
    }

    fn hash(subtree: Subtree) -> Hash {
        let mut frontier = Frontier::empty();
        let start = subtree.index << subtree.height;
        (start..start + (1 << subtree.height)).for_each(|n| frontier.push(leaf_hash(&leaf(n)), |_| ()));
        frontier.root()
    }

    fn hashes(ranges: Vec<Range<u64>>) -> Vec<Hash> {
        let one = |range| join(&subtrees(range).into_iter().map(hash).collect::<Vec<_>>());
        ranges.into_iter().map(one).collect()
    }

    fn other_tree(size: u64) -> MemoryBackedTree<Sha256, Vec<u8>> {
        let mut tree = MemoryBackedTree::new();
        (0..size).for_each(|n| tree.push(leaf(n)));
        tree
    }

    /// Whether any proof with one bit turned passes too.
    fn a_turned_bit_passes(proof: &[Hash], check: impl Fn(&[Hash]) -> bool) -> bool {
        (0..proof.len()).any(|n| {
            let mut proof = proof.to_vec();
            proof[n][n % 32] ^= 1 << (n % 8);
            check(&proof)
        })
    }

    #[test]
    fn every_proof_of_a_small_tree_checks_and_no_other() {
        for size in 1..40 {
            for n in 0..size {
                let proof = hashes(inclusion(n, size));
                let check = |proof: &[Hash]| check_inclusion(&leaf_hash(&leaf(n)), n, size, proof, &root(size));
                assert!(check(&proof) && !a_turned_bit_passes(&proof, check));
                assert!(!check_inclusion(&leaf_hash(&leaf(n + 1)), n, size, &proof, &root(size)));
                assert!(!check_inclusion(&leaf_hash(&leaf(n)), size, size, &proof, &root(size)));
            }
            for old in 1..=size {
                let proof = hashes(consistency(old, size));
                let check = |proof: &[Hash]| check_consistency(old, &root(old), size, &root(size), proof);
                assert!(check(&proof) && !a_turned_bit_passes(&proof, check), "{old} {size}");
                assert!(!check_consistency(old, &root(old + 1), size, &root(size), &proof));
                assert!(!check_consistency(old, &root(old), size, &root(size + 1), &proof));
            }
        }
        assert!(!check_consistency(0, &root(0), 1, &root(1), &[]) && !check_consistency(2, &root(2), 1, &root(1), &[]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn proofs_are_those_of_another_implementation(size in 1u64..700, a in any::<u64>(), b in any::<u64>()) {
            let (tree, index, old) = (other_tree(size), a % size, b % size + 1);
            let ours = hashes(inclusion(index, size)).concat();
            let theirs = tree.prove_inclusion(index as usize);
            prop_assert_eq!(ours.as_slice(), theirs.as_bytes());
            let ours = hashes(consistency(old, size)).concat();
            let theirs = tree.prove_consistency((size - old) as usize);
            prop_assert_eq!(ours.as_slice(), theirs.as_bytes());
        }
    }
}
