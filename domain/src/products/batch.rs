//! The products of a book, a batch at a time, for what goes through all of them.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::ProductId;

/// Products of one batch: short enough for the lock on each to be held for a moment only.
const BATCH: i64 = 1_000;

/// How far one batch brings a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// The last product that was looked at; none when all were.
    pub resume_after: Option<ProductId>,
    /// Products that were looked at.
    pub products: u64,
}

/// The ids of the next products after `after`; nobody else changes them before the caller's transaction has ended.
pub(super) async fn lock(
    conn: &mut PgConnection,
    book: Book,
    after: Option<ProductId>,
) -> sqlx::Result<(Vec<Uuid>, Batch)> {
    let ids = sqlx::query_scalar!(
        "select id
         from app.product
         where shard = $1 and book_id = $2 and id > coalesce($3, '00000000-0000-0000-0000-000000000000'::uuid)
         -- In one order, so that two runs never wait for each other.
         order by id
         limit $4
         for update",
        book.shard,
        book.id,
        after.map(|product| product.0),
        BATCH,
    )
    .fetch_all(conn)
    .await?;
    let is_full = i64::try_from(ids.len()).is_ok_and(|found| found == BATCH);
    let resume_after = ids.last().filter(|_| is_full).map(|id| ProductId(*id));
    let products = u64::try_from(ids.len()).expect("a batch is small");
    Ok((ids, Batch { resume_after, products }))
}

/// How many products the book has.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &mut PgConnection, book: Book) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from app.product where shard = $1 and book_id = $2"#,
        book.shard,
        book.id,
    );
    Ok(u64::try_from(count.fetch_one(conn).await?).expect("a count is not negative"))
}
