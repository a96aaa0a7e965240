//! The log of an export as C2SP clients read it: its bundles, its partial tiles and its checkpoint. Full tiles are compared by
//! the verification, as those of a database are.

use std::path::{Path, PathBuf};

use super::tiles::paths;
use crate::merkle::frontier::Frontier;
use crate::merkle::path::{TileKind, TilePath};
use crate::merkle::tiles::TILE_WIDTH;
use crate::verify::Finding;
use crate::verify::rows::{CheckpointRow, LeafRow};

/// The folder `tile` and the file `checkpoint`, as the leaves go by.
pub(super) struct StaticFiles {
    folder: PathBuf,
    /// The last checkpoint; without one there are no files.
    checkpoint: Option<CheckpointRow>,
    bundle: Vec<u8>,
    hashes: Vec<u8>,
}

impl StaticFiles {
    pub(super) fn new(folder: &Path, checkpoint: Option<CheckpointRow>) -> StaticFiles {
        StaticFiles { folder: folder.to_owned(), checkpoint, bundle: Vec::new(), hashes: Vec::new() }
    }

    /// How many leaves they cover.
    pub(super) fn size(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size.max(0) as u64)
    }

    /// Takes the next leaf, and compares the bundle that it ends.
    pub(super) fn take(&mut self, row: &LeafRow<'_>, findings: &mut Vec<Finding>) {
        let seq = row.seq as u64;
        if seq >= self.size() {
            return;
        }
        // Longer than its length can say, it differs from any bundle.
        self.bundle.extend_from_slice(&(row.leaf.len() as u16).to_be_bytes());
        self.bundle.extend_from_slice(row.leaf);
        self.hashes.extend_from_slice(row.leaf_hash);
        let (index, width) = (seq / TILE_WIDTH as u64, (seq % TILE_WIDTH as u64 + 1) as u16);
        if usize::from(width) == TILE_WIDTH || seq + 1 == self.size() {
            let entries = TilePath { kind: TileKind::Entries, index, width };
            self.compare(entries, &self.bundle, findings);
            let hashes = TilePath { kind: TileKind::Hashes(0), index, width };
            if !hashes.is_full() {
                self.compare(hashes, &self.hashes, findings);
            }
            self.bundle.clear();
            self.hashes.clear();
        }
    }

    /// Compares what is left when all leaves went by.
    pub(super) fn finish(&mut self, findings: &mut Vec<Finding>) {
        let size = self.size();
        let is_above = |path: &TilePath| !path.is_full() && matches!(path.kind, TileKind::Hashes(1..));
        for path in paths(size).filter(is_above) {
            let wanted = self.roots_below(path);
            self.compare(path, &wanted, findings);
        }
        let note = std::fs::read(self.folder.join("checkpoint")).ok();
        if note.as_deref() != self.checkpoint.as_ref().map(|checkpoint| checkpoint.note.as_bytes()) {
            findings.push(finding("checkpoint".to_owned(), "it is not the last of checkpoints.jsonl"));
        }
        if count(&self.folder.join("tile")) != paths(size).count() as u64 {
            findings.push(finding("tile".to_owned(), "it has more or fewer files than the last checkpoint covers"));
        }
    }

    fn compare(&self, path: TilePath, wanted: &[u8], findings: &mut Vec<Finding>) {
        let name = path.to_string();
        if std::fs::read(self.folder.join(&name)).ok().as_deref() != Some(wanted) {
            findings.push(finding(name, "it does not have what follows from the leaves"));
        }
    }

    /// The roots of the full tiles below a tile, whose files are compared elsewhere.
    fn roots_below(&self, path: TilePath) -> Vec<u8> {
        let start = path.index * TILE_WIDTH as u64;
        let root = |index| {
            let below = TilePath::full(TileKind::Hashes(path.level() - 1), index).to_string();
            let bytes = std::fs::read(self.folder.join(below)).unwrap_or_default();
            let mut frontier = Frontier::empty();
            bytes.as_chunks::<32>().0.iter().for_each(|hash| frontier.push(*hash, |_| ()));
            frontier.root()
        };
        assert!(path.level() > 0, "there are tiles below");
        (start..start + u64::from(path.width)).flat_map(root).collect()
    }
}

fn finding(file: String, problem: &'static str) -> Finding {
    Finding::Line { file, line: 0, problem }
}

/// How many files there are in a folder and those within.
fn count(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let count = |path: PathBuf| if path.is_dir() { count(&path) } else { 1 };
    entries.flatten().map(|entry| count(entry.path())).sum()
}
