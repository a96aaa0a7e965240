//! Where a tile stands: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, as C2SP tlog-tiles writes them.

use std::fmt;

use super::tiles::TILE_WIDTH;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TileKind {
    /// Hashes of a level, 0 to 63.
    Hashes(u8),
    /// The leaves themselves, each after its length in two bytes.
    Entries,
}

/// The path of a tile, full or partial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TilePath {
    /// Hashes or entries.
    pub kind: TileKind,
    /// Its place within the level.
    pub index: u64,
    /// How many hashes or entries it has: 256, or fewer at the right edge.
    pub width: u16,
}

/// The text is not the path of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not the path of a tile: the level is 0 to 63 or `entries`, the index is in groups of three digits as in x001/x234/067, a partial tile ends in .p/1 to .p/255"
)]
pub struct TilePathError;

impl TilePath {
    /// A full tile.
    pub const fn full(kind: TileKind, index: u64) -> TilePath {
        TilePath { kind, index, width: TILE_WIDTH as u16 }
    }

    /// Whether it has all its hashes.
    pub const fn is_full(&self) -> bool {
        self.width as usize == TILE_WIDTH
    }

    /// The level whose hashes it has, or whose leaves.
    pub const fn level(&self) -> u8 {
        match self.kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        }
    }

    /// Whether a tree of `size` leaves has all of it.
    pub const fn is_within(&self, size: u64) -> bool {
        // A level of 8 and more has hashes only in trees of 2^64 leaves.
        let hashes = if self.level() >= 8 { 0 } else { size >> (8 * self.level()) };
        match self.index.checked_mul(TILE_WIDTH as u64) {
            Some(start) => start.saturating_add(self.width as u64) <= hashes,
            None => false,
        }
    }

    /// Reads the path that [`fmt::Display`] writes, from its level on (`0/x001/067.p/8`). There is one way to write each.
    ///
    /// # Errors
    /// When it is not written that way.
    pub fn parse(text: &str) -> Result<TilePath, TilePathError> {
        let (level, rest) = text.split_once('/').ok_or(TilePathError)?;
        let kind = match level {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(level.parse().map_err(|_| TilePathError)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| TilePathError)?),
            None => (rest, TILE_WIDTH as u16),
        };
        let path = TilePath { kind, index: parse_index(index)?, width };
        let in_range = path.level() < 64 && (1..=TILE_WIDTH as u16).contains(&width);
        // Leading zeros, signs, a full tile written as a partial one: what is not written back the same is no path.
        if in_range && path.to_string().strip_prefix("tile/") == Some(text) { Ok(path) } else { Err(TilePathError) }
    }
}

/// Reads groups of three digits, each but the last after an `x`.
fn parse_index(text: &str) -> Result<u64, TilePathError> {
    text.split('/').try_fold(0u64, |index, group| {
        let digits: u64 = group.trim_start_matches('x').parse().map_err(|_| TilePathError)?;
        index.checked_mul(1_000).and_then(|index| index.checked_add(digits)).ok_or(TilePathError)
    })
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}")?,
            TileKind::Entries => write!(f, "tile/entries")?,
        }
        let digits = self.index.to_string();
        let groups = digits.len().div_ceil(3);
        let padded = format!("{:0>width$}", digits, width = groups * 3);
        assert_eq!(padded.len() % 3, 0, "groups have three digits");
        for (number, group) in padded.as_bytes().chunks(3).enumerate() {
            let mark = if number + 1 < groups { "x" } else { "" };
            write!(f, "/{mark}{}", std::str::from_utf8(group).expect("digits are ASCII"))?;
        }
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_written_as_a_path_is_none() {
        let wrong = [
            "",
            "0",
            "0/",
            "0/67",
            "0/0067",
            "0/x067",
            "0/000/067",
            "00/067",
            "64/000",
            "-1/000",
            "+1/000",
            "0/067.p/0",
            "0/067.p/256",
            "0/067.p/08",
            "0/067.p/",
            "0/067.p",
            "0/067/",
            "/0/067",
            "data/000",
            "0/xx001/067",
            "0/x001/x067",
            "0/+67",
            "entries/67",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
        ];
        for text in wrong {
            assert_eq!(TilePath::parse(text), Err(TilePathError), "{text:?}");
        }
    }

    #[test]
    fn a_tile_is_within_a_tree_that_has_all_its_hashes() {
        let tile = |text: &str| TilePath::parse(text).unwrap();
        assert!(tile("0/000").is_within(256) && !tile("0/000").is_within(255));
        assert!(tile("0/001.p/44").is_within(300) && !tile("0/001.p/45").is_within(300));
        assert!(tile("1/000.p/1").is_within(256) && !tile("1/000.p/1").is_within(255));
        assert!(tile("entries/001.p/44").is_within(300) && !tile("entries/001").is_within(511));
        assert!(!tile("8/000.p/1").is_within(u64::MAX) && !tile("63/000.p/1").is_within(u64::MAX));
    }

    proptest! {
        #[test]
        fn paths_are_those_of_another_implementation(level in 0u8..8, index in 0u64..1 << 40, width in 1u16..=256) {
            let ours = TilePath { kind: TileKind::Hashes(level), index, width };
            let theirs = tlog_tiles::Tile::new(8, level, index, width.into(), false);
            prop_assert_eq!(ours.to_string().replacen("tile/", "tile/8/", 1), theirs.path());
            prop_assert_eq!(TilePath::parse(ours.to_string().strip_prefix("tile/").unwrap()), Ok(ours));
            let entries = TilePath { kind: TileKind::Entries, ..ours };
            prop_assert_eq!(TilePath::parse(entries.to_string().strip_prefix("tile/").unwrap()), Ok(entries));
        }
    }
}
