//! The tree as the database keeps it: leaf hashes in their rows, full tiles, and the roots of these.
//!
//! Whatever is asked for is read by one statement, of index look-ups: a proof takes one round trip.

use std::ops::Range;

use sqlx::PgConnection;

use super::Hash;
use super::frontier::Frontier;
use super::path::{TileKind, TilePath};
use super::proof::{Subtree, join, subtrees};
use super::tiles::TILE_WIDTH;
use crate::Book;

/// Hashes of one level that stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Each hash is the root of 256^level leaves.
    pub level: u8,
    /// The place of the first within the level.
    pub start: u64,
    /// How many, from 1 to 256, none of them in the next tile.
    pub count: u64,
}

/// The hashes of a proof whose parts are these ranges of leaves.
///
/// # Errors
/// When a part is not in the database ([`sqlx::Error::RowNotFound`]), or the database fails.
pub async fn proof_hashes(
    conn: &mut PgConnection,
    book: Book,
    ranges: Vec<Range<u64>>,
) -> Result<Vec<Hash>, sqlx::Error> {
    let size = ranges.iter().map(|range| range.end).max().unwrap_or(0);
    let parts: Vec<Vec<Subtree>> = ranges.into_iter().map(subtrees).collect();
    let runs: Vec<Run> = parts.iter().flatten().map(|subtree| run_of(*subtree)).collect();
    let mut found = read_runs(conn, book, &runs, size).await?.into_iter();
    let mut hashes = Vec::with_capacity(parts.len());
    for part in &parts {
        assert!(!part.is_empty(), "a range has a leaf");
        let peaks: Vec<Hash> = found.by_ref().take(part.len()).map(|hashes| root_of(&hashes)).collect();
        hashes.push(join(&peaks));
    }
    assert!(found.next().is_none(), "every hash belongs to a range");
    Ok(hashes)
}

/// The root of the first `size` leaves, of which there is at least one.
///
/// # Errors
/// As [`proof_hashes`].
pub async fn root(conn: &mut PgConnection, book: Book, size: u64) -> Result<Hash, sqlx::Error> {
    assert!(size > 0, "the root of no leaves is not read");
    let root = proof_hashes(conn, book, std::iter::once(0..size).collect()).await?;
    Ok(root[0])
}

/// Reads runs of hashes, each whole and within one tile. Those in a tile that is full in a log of `size` leaves are a part of
/// it; the others are read one by one.
///
/// # Errors
/// When a hash is not in the database ([`sqlx::Error::RowNotFound`]), or the database fails.
pub async fn read_runs(
    conn: &mut PgConnection,
    book: Book,
    runs: &[Run],
    size: u64,
) -> Result<Vec<Vec<Hash>>, sqlx::Error> {
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let width = TILE_WIDTH as u64;
    assert!(runs.iter().all(|run| run.count > 0 && run.start % width + run.count <= width), "a run is within one tile");
    let (full, open): (Vec<_>, Vec<_>) = runs.iter().zip(0i32..).partition(|(run, _)| run.is_in_full_tile(size));
    let (low, high): (Vec<_>, Vec<_>) = open.into_iter().partition(|(run, _)| run.level == 0);
    let rows = sqlx::query_file!(
        "src/merkle/hashes.sql",
        book.shard,
        book.id,
        &of(&full, |_, place| place),
        &of(&full, |run, _| i16::from(run.level)),
        &of(&full, |run, _| (run.start / width) as i64),
        &of(&full, |run, _| (run.start % width) as i32 * 32),
        &of(&full, |run, _| run.count as i32 * 32),
        &of(&low, |_, place| place),
        &of(&low, |run, _| run.start as i64),
        &of(&low, |run, _| (run.start + run.count) as i64),
        &of(&high, |_, place| place),
        &of(&high, |run, _| i16::from(run.level)),
        &of(&high, |run, _| run.start as i64),
        &of(&high, |run, _| (run.start + run.count) as i64),
    )
    .fetch_all(conn)
    .await?;
    let mut found = vec![Vec::new(); runs.len()];
    for row in rows {
        found[row.place as usize] = row.hashes.as_chunks::<32>().0.to_vec();
    }
    match runs.iter().zip(&found).all(|(run, hashes)| hashes.len() as u64 == run.count) {
        true => Ok(found),
        false => Err(sqlx::Error::RowNotFound),
    }
}

impl Run {
    /// Whether its tile is full in a log of this size.
    fn is_in_full_tile(&self, size: u64) -> bool {
        TilePath::full(TileKind::Hashes(self.level), self.start / TILE_WIDTH as u64).is_within(size)
    }
}

/// One column of what is asked for.
fn of<T>(runs: &[(&Run, i32)], column: impl Fn(&Run, i32) -> T) -> Vec<T> {
    runs.iter().map(|(run, place)| column(run, *place)).collect()
}

/// The hashes of a tile that a full subtree has under it.
fn run_of(subtree: Subtree) -> Run {
    assert!(subtree.height < 56, "a tile of the highest level is never full");
    let above = subtree.height % 8;
    Run { level: (subtree.height / 8) as u8, start: subtree.index << above, count: 1 << above }
}

/// The root over the hashes of a full subtree.
fn root_of(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::empty();
    hashes.iter().for_each(|hash| frontier.push(*hash, |_| ()));
    assert!(frontier.size().is_power_of_two(), "a full subtree has a power of two of hashes");
    frontier.root()
}
