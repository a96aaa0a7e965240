//! The log as C2SP tlog-tiles shows it: tiles of hashes, bundles of entries, proofs between any two sizes.
//!
//! Nothing here says what may be shown: whoever serves it keeps to the last checkpoint, as what is signed stays for ever.

use std::ops::Range;

use sqlx::PgConnection;

use crate::merkle::path::{TileKind, TilePath};
use crate::merkle::store::{Run, proof_hashes, read_runs};
use crate::merkle::tiles::TILE_WIDTH;
use crate::merkle::{Hash, proof};
use crate::{Book, TransactionId};

/// A proof that a leaf is in the tree of a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The hash of the leaf.
    pub leaf: Hash,
    /// The root of the tree.
    pub root: Hash,
    /// The hashes of the proof, the lowest first.
    pub hashes: Vec<Hash>,
}

/// A proof that one tree is the beginning of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The root of the smaller tree.
    pub old_root: Hash,
    /// The root of the larger tree.
    pub new_root: Hash,
    /// The hashes of the proof.
    pub hashes: Vec<Hash>,
}

/// Why the log shows nothing.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The database failed.
    #[error(transparent)]
    Database(sqlx::Error),
    /// The log is shorter than that, or a part of it is missing.
    #[error("the log does not have that")]
    Missing,
    /// The hashes that the database has do not lead from one to the other.
    #[error("the log is damaged; run `ledger verify`")]
    Damaged,
}

impl From<sqlx::Error> for LogError {
    fn from(error: sqlx::Error) -> LogError {
        match error {
            sqlx::Error::RowNotFound => LogError::Missing,
            error => LogError::Database(error),
        }
    }
}

/// The bytes of a tile or bundle of entries, full or partial.
///
/// # Errors
/// When the log does not have all of it, or the database fails.
pub async fn tile(conn: &mut PgConnection, book: Book, path: TilePath) -> Result<Vec<u8>, LogError> {
    let start = path.index.checked_mul(TILE_WIDTH as u64).ok_or(LogError::Missing)?;
    let (start, count) = (i64::try_from(start).map_err(|_| LogError::Missing)?, u64::from(path.width));
    assert!((1..=TILE_WIDTH as u64).contains(&count), "a tile has hashes");
    match path.kind {
        TileKind::Entries => Ok(bundle(&leaves(conn, book, start, start.saturating_add(count as i64)).await?)),
        TileKind::Hashes(level) if level > 6 => Err(LogError::Missing),
        TileKind::Hashes(level) if path.is_full() => Ok(full_tile(conn, book, level, path.index as i64).await?),
        TileKind::Hashes(level) => {
            let run = Run { level, start: start as u64, count };
            Ok(read_runs(conn, book, &[run], 0).await?.concat().concat())
        }
    }
}

/// Entries as a bundle: each leaf after its length, two bytes, big-endian.
pub(crate) fn bundle<T: AsRef<[u8]>>(leaves: &[T]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(leaves.iter().map(|leaf| 2 + leaf.as_ref().len()).sum());
    for leaf in leaves {
        let length = u16::try_from(leaf.as_ref().len()).expect("a CHECK holds leaves to 65,535 bytes");
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(leaf.as_ref());
    }
    bytes
}

/// The leaves from `start` to before `stop`, all of them.
pub(crate) async fn leaves(
    conn: &mut PgConnection,
    book: Book,
    start: i64,
    stop: i64,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    let leaves = sqlx::query_scalar!(
        r#"select leaf
           from ledger.transaction
           where shard = $1
               and book = $2
               and seq >= $3
               and seq < $4
           order by seq
           limit $5"#,
        book.shard,
        book.id,
        start,
        stop,
        stop - start
    )
    .fetch_all(conn)
    .await?;
    if leaves.len() as i64 == stop - start { Ok(leaves) } else { Err(sqlx::Error::RowNotFound) }
}

async fn full_tile(conn: &mut PgConnection, book: Book, level: u8, index: i64) -> Result<Vec<u8>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select hashes
           from ledger.tile
           where shard = $1
               and book = $2
               and level = $3
               and index = $4"#,
        book.shard,
        book.id,
        i16::from(level),
        index
    )
    .fetch_one(conn)
    .await
}

/// The leaf of a transaction, by its id; none if the book did not record it.
///
/// # Errors
/// When the database fails.
pub async fn leaf(conn: &mut PgConnection, book: Book, id: TransactionId) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select leaf
           from ledger.transaction
           where shard = $1
               and id = $2
               and book = $3"#,
        book.shard,
        id.0,
        book.id
    )
    .fetch_optional(conn)
    .await
}

/// Proves that the leaf at `index` is in the tree of the first `size` leaves, in one statement.
///
/// # Errors
/// When the log is shorter or damaged, or the database fails.
pub async fn inclusion(conn: &mut PgConnection, book: Book, index: u64, size: u64) -> Result<Inclusion, LogError> {
    assert!(index < size, "a leaf is in the tree");
    let (leaf, root, hashes) = prove(conn, book, index..index + 1, 0..size, proof::inclusion(index, size)).await?;
    match proof::check_inclusion(&leaf, index, size, &hashes, &root) {
        true => Ok(Inclusion { leaf, root, hashes }),
        false => Err(LogError::Damaged),
    }
}

/// Proves that the first `old` leaves are the beginning of the first `new` ones, in one statement.
///
/// # Errors
/// When the log is shorter or damaged, or the database fails.
pub async fn consistency(conn: &mut PgConnection, book: Book, old: u64, new: u64) -> Result<Consistency, LogError> {
    assert!(0 < old && old <= new, "a tree with leaves grows");
    let (old_root, new_root, hashes) = prove(conn, book, 0..old, 0..new, proof::consistency(old, new)).await?;
    match proof::check_consistency(old, &old_root, new, &new_root, &hashes) {
        true => Ok(Consistency { old_root, new_root, hashes }),
        false => Err(LogError::Damaged),
    }
}

/// The hashes over two ranges of leaves, and those of a proof.
async fn prove(
    conn: &mut PgConnection,
    book: Book,
    first: Range<u64>,
    second: Range<u64>,
    mut ranges: Vec<Range<u64>>,
) -> Result<(Hash, Hash, Vec<Hash>), LogError> {
    ranges.splice(0..0, [first, second]);
    let mut hashes = proof_hashes(conn, book, ranges).await?;
    let rest = hashes.split_off(2);
    Ok((hashes[0], hashes[1], rest))
}
