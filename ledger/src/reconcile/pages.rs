//! The pages that checks go through: leaves in order, and the accounts that they touched, or all accounts.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Place, Scope};
use crate::Book;
use crate::leaf::Leaf;

/// Leaves in a page.
pub(super) const LEAVES: i64 = 32_768;
/// Accounts in a page.
const ACCOUNTS: i64 = 4_096;
/// The most rows that a check takes from one page: a ledger that is all wrong has to be told of, not to be listed.
pub(super) const FOUND_MAX: i64 = 1_000;

/// A leaf with what stands beside it in its row.
pub(super) struct LeafRow {
    pub(super) seq: i64,
    pub(super) id: Uuid,
    pub(super) recorded_at: chrono::DateTime<chrono::Utc>,
    pub(super) reverses: Option<Uuid>,
    pub(super) reverses_part: Option<Uuid>,
    pub(super) resolves: Option<Uuid>,
    pub(super) leaf: Vec<u8>,
}

/// The leaves from `start` on and below `stop`.
pub(super) async fn leaves(conn: &mut PgConnection, book: Book, start: i64, stop: i64) -> sqlx::Result<Vec<LeafRow>> {
    assert!(start <= stop && stop - start <= LEAVES, "a page is bounded");
    sqlx::query_as!(
        LeafRow,
        r#"select seq, id, recorded_at, reverses, reverses_part, resolves, leaf
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

/// The page of the window that begins at a place, and where the next one begins.
pub(super) fn window(scope: &Scope, place: Option<Place>) -> ((i64, i64), Option<Place>) {
    let start = match place {
        None => scope.from,
        Some(Place::Seq(seq)) => seq,
        Some(other) => unreachable!("a check goes on at its own places, not at {other:?}"),
    };
    let stop = scope.size.min(start + LEAVES);
    assert!(scope.from <= start && start <= stop, "pages follow one another");
    ((start, stop), (stop < scope.size).then_some(Place::Seq(stop)))
}

/// Accounts to look at.
pub(super) struct Accounts {
    pub(super) ids: Vec<Uuid>,
    /// Their entries from this leaf on are looked at.
    pub(super) from: i64,
    /// And below this one.
    pub(super) to: i64,
    /// Leaves or accounts that were read to know them.
    pub(super) scanned: u64,
    pub(super) next: Option<Place>,
}

/// The next accounts: of a sweep the next of all, else those that a page of leaves touched.
pub(super) async fn accounts(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Accounts> {
    if scope.is_sweep() { all(conn, scope, place).await } else { touched(conn, scope, place).await }
}

async fn all(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Accounts> {
    let after = match place {
        None => Uuid::nil(),
        Some(Place::Id(id)) => id,
        Some(other) => unreachable!("a sweep goes on after an account, not at {other:?}"),
    };
    let ids = sqlx::query_scalar!(
        r#"select id
           from ledger.account
           where shard = $1
               and book = $2
               and id > $3
           order by id
           limit $4"#,
        scope.book.shard,
        scope.book.id,
        after,
        ACCOUNTS
    )
    .fetch_all(conn)
    .await?;
    let next = (ids.len() as i64 == ACCOUNTS).then(|| Place::Id(*ids.last().expect("a full page has a last account")));
    Ok(Accounts { scanned: ids.len() as u64, ids, from: 0, to: scope.size, next })
}

async fn touched(conn: &mut PgConnection, scope: &Scope, place: Option<Place>) -> sqlx::Result<Accounts> {
    let ((start, stop), next) = window(scope, place);
    let rows = leaves(conn, scope.book, start, stop).await?;
    // A leaf that cannot be read is for the check of the log to tell of.
    let decoded = rows.iter().filter_map(|row| Leaf::decode(&row.leaf).ok());
    let ids: BTreeSet<Uuid> = decoded.flat_map(|leaf| leaf.legs).map(|leg| leg.account.0).collect();
    Ok(Accounts { ids: ids.into_iter().collect(), from: start, to: stop, scanned: rows.len() as u64, next })
}
