//! The pass over the log: pages of leaves in order, and after each page the tiles, checkpoints and originals it leads to.

use std::collections::HashMap;

use sqlx::PgConnection;
use uuid::Uuid;

use super::VerifyError;
use super::copy::{Row, for_each_row};
use super::finding::Finding;
use super::fold::{Fold, LeafRow, Reversal};
use crate::Book;
use crate::leaf::Leaf;
use crate::merkle::tiles::Tile;
use crate::posting::decide::is_inverse;

/// Leaves in a page: those of 256 tiles.
pub(super) const PAGE: i64 = 65_536;

/// Takes the leaves from where the fold is, a page of them or as many as there are below `size`.
pub(super) async fn take_page(conn: &mut PgConnection, fold: &mut Fold, size: i64) -> Result<(), VerifyError> {
    let start = fold.next_seq();
    let stop = size.min(start + PAGE);
    assert!(start < stop, "there are leaves to read");
    for_each_row(conn, &page_query(fold.book, start, stop), |row| {
        fold.take(&leaf_row(&row)?);
        Ok(())
    })
    .await?;
    fold.skip_to(stop);
    assert_eq!(fold.next_seq(), stop, "the page is read to its end");
    Ok(())
}

/// The page's statement; a copy takes no parameters, and these are numbers.
pub(super) fn page_query(book: Book, start: i64, stop: i64) -> String {
    let Book { shard, id } = book;
    format!(
        "select seq, id, recorded_at, reverses, leaf_hash, leaf \
         from ledger.transaction \
         where shard = {shard} and book = {id} and seq >= {start} and seq < {stop} \
         order by seq"
    )
}

pub(super) fn leaf_row<'a>(row: &Row<'a, 6>) -> Result<LeafRow<'a>, VerifyError> {
    Ok(LeafRow {
        seq: row.bigint(0)?,
        id: row.uuid(1)?,
        recorded_at: row.micros(2)?,
        reverses: row.uuid_or_null(3)?,
        leaf_hash: row.bytes(4)?,
        leaf: row.bytes(5)?,
    })
}

/// Everything that a page leads to.
pub(super) async fn check_page(conn: &mut PgConnection, fold: &mut Fold) -> Result<(), VerifyError> {
    let full = fold.appender.take_full();
    for level in full.chunk_by(|one, next| one.level == next.level) {
        check_tiles(conn, fold, level).await?;
    }
    check_reversals(conn, fold).await
}

/// Compares tiles of one level, side by side, with those that are stored.
async fn check_tiles(conn: &mut PgConnection, fold: &mut Fold, tiles: &[Tile]) -> Result<(), VerifyError> {
    let (Some(first), Some(last)) = (tiles.first(), tiles.last()) else { return Ok(()) };
    let level = i16::from(first.level);
    assert_eq!(last.index - first.index + 1, tiles.len() as u64, "the tiles stand side by side");
    let rows = sqlx::query!(
        r#"select index, root, hashes
           from ledger.tile
           where shard = $1
               and book = $2
               and level = $3
               and index between $4 and $5"#,
        fold.book.shard,
        fold.book.id,
        level,
        first.index as i64,
        last.index as i64
    )
    .fetch_all(conn)
    .await?;
    let stored: HashMap<i64, _> = rows.into_iter().map(|row| (row.index, (row.root, row.hashes))).collect();
    for tile in tiles {
        let index = tile.index as i64;
        match stored.get(&index) {
            None => fold.findings.add(Finding::TileMissing { level, index }),
            Some((_, hashes)) if *hashes != tile.hashes => {
                fold.findings.add(Finding::Tile { level, index, column: "hashes" });
            }
            Some((root, _)) if *root != tile.root => fold.findings.add(Finding::Tile { level, index, column: "root" }),
            Some(_) => (),
        }
    }
    Ok(())
}

/// Compares the page's reversals with their originals.
async fn check_reversals(conn: &mut PgConnection, fold: &mut Fold) -> Result<(), VerifyError> {
    let reversals = std::mem::take(&mut fold.reversals);
    let originals: Vec<Uuid> = reversals.iter().map(|reversal| reversal.original.0).collect();
    if originals.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select t.id, t.seq, t.leaf
           from unnest($3::uuid[]) as wanted (id)
           cross join lateral (
               select *
               from ledger.transaction
               where shard = $1
                   and id = wanted.id
               offset 0
           ) as t
           where t.book = $2"#,
        fold.book.shard,
        fold.book.id,
        &originals
    )
    .fetch_all(conn)
    .await?;
    let originals: HashMap<Uuid, _> = rows.into_iter().map(|row| (row.id, (row.seq, row.leaf))).collect();
    for Reversal { seq, original, legs } in reversals {
        let problem = match originals.get(&original.0) {
            Some((original_seq, _)) if *original_seq >= seq => Some("it is not recorded before"),
            Some((_, leaf)) if Leaf::decode(leaf).is_ok_and(|leaf| is_inverse(&legs, &leaf.legs)) => None,
            Some(_) => Some("the legs are not its inverse"),
            None => Some("it is not recorded"),
        };
        if let Some(problem) = problem {
            fold.findings.add(Finding::Reversal { seq, original, problem });
        }
    }
    Ok(())
}
