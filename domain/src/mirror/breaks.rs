//! Breaks of R10 that are about a mirror: their sub-classes begin with `mirror_`.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

/// The open break that says that this node lacks something.
///
/// # Errors
/// When the database fails.
pub async fn missing(conn: &mut PgConnection, book: Book, node: &str) -> sqlx::Result<Option<Uuid>> {
    sqlx::query_scalar!(
        "select id
         from reconciliation.break
         where shard = $1
           and book = $2
           and class = 'R10'
           and sub_class = 'mirror_missing'
           and subject = $3
           and state in ('open', 'assigned')",
        book.shard,
        book.id,
        node,
    )
    .fetch_optional(conn)
    .await
}
