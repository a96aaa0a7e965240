//! Full tiles, cut out of a growing tree (C2SP tlog-tiles): 256 hashes of one level, written once when the last is known.

use super::Hash;
use super::frontier::{Frontier, Node};

/// The hashes of a tile.
pub const TILE_WIDTH: usize = 256;
/// The levels of a tree of up to 2^56 leaves, each 256 times as high as the one below.
pub const LEVELS: usize = 7;

/// A full tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Its hashes are the roots of 256^level leaves.
    pub level: u8,
    /// Its place within the level.
    pub index: u64,
    /// The root over its hashes, which is a hash of the tile above.
    pub root: Hash,
    /// [`TILE_WIDTH`] hashes, one after the other.
    pub hashes: Vec<u8>,
}

/// For a level of the tree, the hashes of its open tile; `None` for a level whose tile cannot become full in what follows.
pub type Edges = [Option<Vec<Hash>>; LEVELS];

/// A tree that grows and collects the tiles that become full.
#[derive(Clone, Debug)]
pub struct Appender {
    frontier: Frontier,
    edges: Edges,
    full: Vec<Tile>,
}

impl Appender {
    /// Goes on from an edge of the tree and the open tiles above it.
    pub fn new(frontier: Frontier, edges: Edges) -> Appender {
        for (level, edge) in edges.iter().enumerate() {
            let open = open_width(frontier.size(), level);
            assert!(
                edge.as_ref().is_none_or(|edge| edge.len() == open),
                "level {level} has {open} hashes in its open tile"
            );
        }
        Appender { frontier, edges, full: Vec::new() }
    }

    /// Starts a tree without leaves.
    pub fn empty() -> Appender {
        Appender::new(Frontier::empty(), std::array::from_fn(|_| Some(Vec::new())))
    }

    /// Appends the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let (edges, full) = (&mut self.edges, &mut self.full);
        self.frontier.push(leaf, |node| {
            if node.height.is_multiple_of(8) {
                collect(edges, full, node)
            }
        });
    }

    /// The edge as it is now.
    pub const fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Takes the tiles that became full since the last call.
    pub fn take_full(&mut self) -> Vec<Tile> {
        std::mem::take(&mut self.full)
    }
}

/// How many hashes the open tile of a level has in a tree of this size.
pub const fn open_width(size: u64, level: usize) -> usize {
    ((size >> (8 * level)) % TILE_WIDTH as u64) as usize
}

/// Whether `count` more leaves make the open tile of a level full.
pub const fn fills(size: u64, count: u64, level: usize) -> bool {
    (size >> (8 * (level + 1))) != ((size + count) >> (8 * (level + 1)))
}

/// A node whose height is a whole count of levels is the root of a tile of the level below, and a hash of its own level.
fn collect(edges: &mut Edges, full: &mut Vec<Tile>, node: Node) {
    let level = (node.height / 8) as usize;
    assert!(level < LEVELS, "a tree of 2^56 leaves is full");
    if let Some(below) = level.checked_sub(1) {
        let edge = edges[below].as_mut().expect("a tile that becomes full is known from its first hash");
        assert_eq!(edge.len(), TILE_WIDTH, "a tile is full when its root is known");
        full.push(Tile { level: below as u8, index: node.index, root: node.hash, hashes: edge.concat() });
        edge.clear();
        assert_eq!(full.last().map(|tile| tile.hashes.len()), Some(TILE_WIDTH * 32));
    }
    if let Some(edge) = edges[level].as_mut() {
        assert_eq!(edge.len() as u64, node.index % TILE_WIDTH as u64, "hashes come in order");
        edge.push(node.hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::{leaf_hash, node_hash};

    /// The root of a full tile, level by level.
    fn root_of(hashes: &[Hash]) -> Hash {
        let mut hashes = hashes.to_vec();
        while hashes.len() > 1 {
            hashes = hashes.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
        }
        hashes[0]
    }

    #[test]
    fn each_tile_is_cut_once_and_its_root_is_a_hash_of_the_tile_above() {
        let leaves: Vec<Hash> = (0..70_000u32).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        let mut appender = Appender::empty();
        leaves.iter().for_each(|leaf| appender.push(*leaf));
        let tiles = appender.take_full();
        let (low, high): (Vec<&Tile>, Vec<&Tile>) = tiles.iter().partition(|tile| tile.level == 0);
        assert_eq!((low.len(), high.len()), (70_000 / 256, 1));
        for (index, tile) in low.iter().enumerate() {
            assert_eq!(tile.index, index as u64);
            assert_eq!(tile.hashes, leaves[index * 256..][..256].concat());
            assert_eq!(tile.root, root_of(&leaves[index * 256..][..256]));
        }
        let roots: Vec<Hash> = low[..256].iter().map(|tile| tile.root).collect();
        assert_eq!((high[0].level, high[0].index, &high[0].hashes), (1, 0, &roots.concat()));
        assert_eq!(high[0].root, root_of(&roots));
    }

    #[test]
    fn going_on_from_an_edge_gives_the_same_tiles() {
        let mut whole = Appender::empty();
        (0..600u16).for_each(|n| whole.push([n as u8; 32]));
        let mut first = Appender::empty();
        (0..500u16).for_each(|n| first.push([n as u8; 32]));
        let mut edges: Edges = Default::default();
        edges[0] = Some((256..500u16).map(|n| [n as u8; 32]).collect());
        assert!(fills(500, 100, 0) && !fills(500, 100, 1) && !fills(500, 11, 0) && fills(500, 12, 0));
        let mut second = Appender::new(first.frontier().clone(), edges);
        (500..600u16).for_each(|n| second.push([n as u8; 32]));
        assert_eq!(second.frontier(), whole.frontier());
        assert_eq!(second.take_full(), whole.take_full()[1..]);
    }
}
