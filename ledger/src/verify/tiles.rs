//! The tiles that became full on a page, against those that are there.

use std::collections::HashMap;

use super::VerifyError;
use super::finding::Finding;
use super::fold::Fold;
use super::source::Source;
use crate::merkle::tiles::Tile;

/// Compares everything that became full since the last call.
pub(super) async fn check(source: &mut impl Source, fold: &mut Fold) -> Result<(), VerifyError> {
    let mut full = fold.appender.take_full();
    full.sort_unstable_by_key(|tile| (tile.level, tile.index));
    for level in full.chunk_by(|one, next| one.level == next.level) {
        check_level(source, fold, level).await?;
    }
    Ok(())
}

/// Compares tiles of one level, side by side.
async fn check_level(source: &mut impl Source, fold: &mut Fold, tiles: &[Tile]) -> Result<(), VerifyError> {
    let (Some(first), Some(last)) = (tiles.first(), tiles.last()) else { return Ok(()) };
    let level = i16::from(first.level);
    assert_eq!(last.index - first.index + 1, tiles.len() as u64, "the tiles stand side by side");
    let rows = source.tiles(level, first.index as i64..last.index as i64 + 1).await?;
    let mut stored = HashMap::with_capacity(rows.len());
    for row in rows {
        if let Some(other) = stored.insert(row.index, row) {
            fold.findings.add(Finding::Tile { level, index: other.index, column: "index" });
        }
    }
    for tile in tiles {
        let index = tile.index as i64;
        if (index + 1) << (8 * (level + 1)) > source.tiled() {
            continue;
        }
        let Some(row) = stored.get(&index) else {
            fold.findings.add(Finding::TileMissing { level, index });
            continue;
        };
        if row.hashes != tile.hashes {
            fold.findings.add(Finding::Tile { level, index, column: "hashes" });
        }
        if row.root.as_ref().is_some_and(|root| *root != tile.root) {
            fold.findings.add(Finding::Tile { level, index, column: "root" });
        }
    }
    Ok(())
}
