//! R6: the log has no gap, hashes to its root through its tiles, and goes on from what was signed last.

use sqlx::PgConnection;

use super::pages::{FOUND_MAX, LEAVES};
use super::{Class, Found, Page, Place, Scope};
use crate::checkpoint::latest;
use crate::merkle::frontier::Frontier;
use crate::merkle::store::proof_hashes;
use crate::merkle::tiles::{LEVELS, TILE_WIDTH};
use crate::merkle::{Hash, leaf_hash, proof};

pub(super) async fn page(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Page> {
    let (start, edge) = match place {
        None => (scope.from, scope.frontier.clone()),
        Some(Place::Log(seq, frontier)) => (seq, frontier),
        Some(other) => unreachable!("the log is gone on with at a leaf, not at {other:?}"),
    };
    let mut frontier =
        Frontier::from_bytes(start as u64, &edge).expect("a run begins with the frontier that another one kept");
    let stop = scope.size.min(start + LEAVES);
    let mut page = Page { scanned: (stop - start) as u64, ..Page::default() };
    leaves(conn, scope, (start, stop), &mut frontier, &mut page.found).await?;
    page.found.extend(tiles(conn, scope, (start, stop)).await?);
    if stop < scope.size {
        page.next = Some(Place::Log(stop, frontier.to_bytes()));
        return Ok(page);
    }
    if frontier.size() == scope.size as u64 && frontier.root() != scope.root {
        let detail = format!("the head has another root at {} leaves than follows from them", scope.size);
        page.found.push(Found::new(Class::R6, "root", ("head", scope.book.to_string()), detail));
    }
    page.found.extend(follows(conn, scope).await?);
    page.frontier = (frontier.size() == scope.size as u64).then(|| frontier.to_bytes());
    Ok(page)
}

/// Hashes each leaf of the page, and grows the tree by what the leaves themselves hash to.
async fn leaves(
    conn: &mut PgConnection,
    scope: &Scope,
    (start, stop): (i64, i64),
    frontier: &mut Frontier,
    found: &mut Vec<Found>,
) -> sqlx::Result<()> {
    let rows = sqlx::query!(
        r#"select seq, leaf, leaf_hash
           from ledger.transaction
           where shard = $1
               and book = $2
               and seq >= $3
               and seq < $4
           order by seq"#,
        scope.book.shard,
        scope.book.id,
        start,
        stop
    )
    .fetch_all(conn)
    .await?;
    let mut rows = rows.into_iter().peekable();
    for seq in start..stop {
        let Some(row) = rows.next_if(|row| row.seq == seq) else {
            found.push(Found::leaf(Class::R6, "gap", seq, format!("leaf {seq} is missing")));
            // Nothing that comes after can be hashed: the tree would be another one.
            break;
        };
        let hash = leaf_hash(&row.leaf);
        if hash.as_slice() != row.leaf_hash {
            found.push(Found::leaf(Class::R6, "hash", seq, format!("leaf {seq} does not hash to its leaf_hash")));
        }
        frontier.push(hash, |_| ());
        if found.len() >= FOUND_MAX as usize {
            break;
        }
    }
    Ok(())
}

/// The full tiles whose last leaf lies in the page, held against the hashes below them.
async fn tiles(conn: &mut PgConnection, scope: &Scope, (start, stop): (i64, i64)) -> sqlx::Result<Vec<Found>> {
    let mut found = Vec::new();
    for level in 0..LEVELS as i16 {
        let width = 1_i64 << (8 * (level + 1));
        let (first, end) = (start / width, stop / width);
        if first == end {
            break;
        }
        let kept = tiles_of(conn, scope, level, (first, end)).await?;
        for index in first..end {
            let tile = kept.iter().find(|tile| tile.index == index);
            let problem = match tile {
                None => Some("is missing"),
                Some(tile) if tile.hashes != tile.below => Some("has other hashes than lie below it"),
                Some(tile) if root_of(&tile.hashes).as_slice() != tile.root => {
                    Some("has another root than its hashes make")
                }
                Some(_) => None,
            };
            let detail = |problem| format!("tile {level}/{index} {problem}");
            let subject = ("tile", format!("{level}/{index}"));
            found.extend(problem.map(|problem| Found::new(Class::R6, "tile", subject, detail(problem))));
        }
    }
    Ok(found)
}

/// A tile beside what it is made of.
struct TileRow {
    index: i64,
    root: Vec<u8>,
    hashes: Vec<u8>,
    below: Vec<u8>,
}

async fn tiles_of(
    conn: &mut PgConnection,
    scope: &Scope,
    level: i16,
    (first, end): (i64, i64),
) -> sqlx::Result<Vec<TileRow>> {
    sqlx::query_as!(
        TileRow,
        r#"select t.index, t.root, t.hashes, coalesce(leaves.hashes, roots.hashes, '') as "below!"
           from ledger.tile as t
           left join lateral (
               select string_agg(leaf_hash, '' order by seq) as hashes
               from ledger.transaction
               where $3::smallint = 0
                   and shard = t.shard
                   and book = t.book
                   and seq >= t.index * 256
                   and seq < (t.index + 1) * 256
           ) as leaves on true
           left join lateral (
               select string_agg(root, '' order by index) as hashes
               from ledger.tile
               where $3::smallint > 0
                   and shard = t.shard
                   and book = t.book
                   and level = $3 - 1
                   and index >= t.index * 256
                   and index < (t.index + 1) * 256
           ) as roots on true
           where t.shard = $1
               and t.book = $2
               and t.level = $3
               and t.index >= $4
               and t.index < $5
           order by t.index"#,
        scope.book.shard,
        scope.book.id,
        level,
        first,
        end
    )
    .fetch_all(conn)
    .await
}

/// The root over the hashes of a full tile.
fn root_of(hashes: &[u8]) -> Hash {
    let (hashes, rest) = hashes.as_chunks::<32>();
    assert!(rest.is_empty() && hashes.len() == TILE_WIDTH, "a CHECK holds tiles to their width");
    let mut frontier = Frontier::empty();
    hashes.iter().for_each(|hash| frontier.push(*hash, |_| ()));
    frontier.root()
}

/// Proves that this log is an extension of the one that was signed last.
async fn follows(conn: &mut PgConnection, scope: &Scope) -> sqlx::Result<Option<Found>> {
    let Some(signed) = latest(conn, scope.book).await? else { return Ok(None) };
    let found = |sub_class, detail: String| {
        Some(Found::new(Class::R6, sub_class, ("checkpoint", signed.size.to_string()), detail))
    };
    if signed.size > scope.size {
        // Signed after this run's size was taken: the next run proves it. A cut log has no leaf there at all.
        let last = signed.size as u64 - 1;
        let is_there = proof_hashes(conn, scope.book, std::iter::once(last..last + 1).collect()).await;
        return match is_there {
            Ok(_) => Ok(None),
            Err(sqlx::Error::RowNotFound) => {
                Ok(found("cut", format!("the checkpoint at {} leaves is beyond the log", signed.size)))
            }
            Err(error) => Err(error),
        };
    }
    assert!(signed.size > 0, "an empty log is not signed");
    let (old, new) = (signed.size as u64, scope.size as u64);
    let holds = match proof_hashes(conn, scope.book, proof::consistency(old, new)).await {
        Ok(hashes) => proof::check_consistency(old, &signed.root, new, &scope.root, &hashes),
        Err(sqlx::Error::RowNotFound) => false,
        Err(error) => return Err(error),
    };
    let detail = format!("the log at {new} leaves does not follow from the checkpoint at {old}");
    Ok(if holds { None } else { found("consistency", detail) })
}
