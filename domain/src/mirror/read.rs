//! What the mirror reads of the ledger.

use ledger::leaf::Leaf;
use ledger::{AccountId, Book};
use sqlx::PgConnection;
use uuid::Uuid;

/// Transactions from a place of the log on, without a gap, at most `limit`.
///
/// The book's one writer commits in the order of the log, so what can be read is always a beginning of it.
///
/// # Errors
/// When the database fails, or holds a leaf that cannot be read.
pub async fn leaves(conn: &mut PgConnection, book: Book, from: i64, limit: i64) -> sqlx::Result<Vec<Leaf>> {
    let leaves = sqlx::query_scalar!(
        "select leaf
         from ledger.transaction
         where shard = $1
             and book = $2
             and seq >= $3
             and seq < $3 + $4
         order by seq",
        book.shard,
        book.id,
        from,
        limit,
    );
    let leaves = leaves.fetch_all(conn).await?;
    let decode = |leaf: &Vec<u8>| Leaf::decode(leaf).map_err(|error| sqlx::Error::Decode(error.into()));
    let leaves: Vec<Leaf> = leaves.iter().map(decode).collect::<sqlx::Result<_>>()?;
    for (leaf, seq) in leaves.iter().zip(from..) {
        if leaf.seq != seq {
            return Err(sqlx::Error::Decode(format!("the log has no leaf {seq}; run `ledger verify`").into()));
        }
    }
    Ok(leaves)
}

/// An account, and how many entries it has.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its entries.
    pub entries: i64,
}

/// Accounts, in the order of their ids, after this one.
///
/// # Errors
/// When the database fails.
pub async fn accounts(conn: &mut PgConnection, book: Book, after: Uuid, limit: i64) -> sqlx::Result<Vec<Account>> {
    let rows = sqlx::query!(
        "select id, version
         from ledger.account
         where shard = $1
             and book = $2
             and id > $3
         order by id
         limit $4",
        book.shard,
        book.id,
        after,
        limit,
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| Account { id: AccountId(row.id), entries: row.version }).collect())
}

/// These accounts, those with the fewest entries first.
///
/// # Errors
/// When the database fails.
pub async fn accounts_of(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<Vec<Account>> {
    let rows = sqlx::query!(
        "select a.id, a.version
         from unnest($3::uuid[]) as wanted (id)
         cross join lateral (
             select id, version
             from ledger.account
             where shard = $1
                 and book = $2
                 and id = wanted.id
             limit 1
         ) as a
         order by a.version, a.id",
        book.shard,
        book.id,
        ids,
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| Account { id: AccountId(row.id), entries: row.version }).collect())
}
