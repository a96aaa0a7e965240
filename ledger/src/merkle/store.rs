//! The tree as the database keeps it: leaf hashes in their rows, and above them the roots of full tiles.

use std::ops::Range;

use sqlx::PgConnection;

use super::Hash;
use super::frontier::Frontier;
use super::proof::{Subtree, join, subtrees};
use crate::Book;

/// The hashes of a proof whose parts are these ranges of leaves.
///
/// # Errors
/// When a part is not in the database, or the database fails.
pub async fn proof_hashes(
    conn: &mut PgConnection,
    book: Book,
    ranges: Vec<Range<u64>>,
) -> Result<Vec<Hash>, sqlx::Error> {
    let mut hashes = Vec::with_capacity(ranges.len());
    for range in ranges {
        let mut parts = Vec::new();
        for subtree in subtrees(range) {
            parts.push(subtree_hash(conn, book, subtree).await?);
        }
        assert!(!parts.is_empty(), "a range has a leaf");
        hashes.push(join(&parts));
    }
    Ok(hashes)
}

/// The hash of a full subtree: of a tile's hashes, those under it.
async fn subtree_hash(conn: &mut PgConnection, book: Book, subtree: Subtree) -> Result<Hash, sqlx::Error> {
    assert!(subtree.height < 56, "a tile of the highest level is never full");
    let (level, count) = (subtree.height / 8, 1 << (subtree.height % 8));
    let start = (subtree.index << (subtree.height % 8)) as i64;
    let hashes = match level {
        0 => leaf_hashes(conn, book, start, start + count).await?,
        _ => tile_roots(conn, book, level as i16 - 1, start, start + count).await?,
    };
    if hashes.len() as i64 != count {
        return Err(sqlx::Error::RowNotFound);
    }
    let mut frontier = Frontier::empty();
    for hash in hashes {
        frontier.push(Hash::try_from(hash).expect("a CHECK holds hashes to 32 bytes"), |_| ());
    }
    assert_eq!(frontier.size(), count as u64);
    Ok(frontier.root())
}

async fn leaf_hashes(conn: &mut PgConnection, book: Book, start: i64, stop: i64) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select leaf_hash
           from ledger.transaction
           where shard = $1
               and book = $2
               and seq >= $3
               and seq < $4
           order by seq"#,
        book.shard,
        book.id,
        start,
        stop
    )
    .fetch_all(conn)
    .await
}

async fn tile_roots(
    conn: &mut PgConnection,
    book: Book,
    level: i16,
    start: i64,
    stop: i64,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select root
           from ledger.tile
           where shard = $1
               and book = $2
               and level = $3
               and index >= $4
               and index < $5
           order by index"#,
        book.shard,
        book.id,
        level,
        start,
        stop
    )
    .fetch_all(conn)
    .await
}
