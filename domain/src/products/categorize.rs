//! Gives products their category by rule: the first whose keyword the upper-cased name holds.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ids::ProductId;

/// Products whose names are matched in one statement.
const PAGE: i64 = 1_000;

/// How far a run over all products has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The last product that was looked at; none when all were.
    pub resume_after: Option<ProductId>,
    /// Products whose category changed.
    pub changed: u64,
}

/// Categorises one product; returns whether its category changed.
///
/// # Errors
/// When the database fails.
pub async fn one(conn: &mut PgConnection, book: Book, product: ProductId) -> sqlx::Result<bool> {
    let changed = apply(conn, book, &[product.0]).await?;
    Ok(changed == 1)
}

/// Categorises the next page of the book's products after `after`.
///
/// # Errors
/// When the database fails.
pub async fn page(conn: &mut PgConnection, book: Book, after: Option<ProductId>) -> sqlx::Result<Progress> {
    let ids = sqlx::query_scalar!(
        "select id
         from app.product
         where shard = $1 and book_id = $2 and ($3::uuid is null or id > $3)
         order by id
         limit $4",
        book.shard,
        book.id,
        after.map(|product| product.0),
        PAGE,
    )
    .fetch_all(&mut *conn)
    .await?;
    let changed = apply(conn, book, &ids).await?;
    let is_full = ids.len() as i64 == PAGE;
    Ok(Progress { resume_after: ids.last().filter(|_| is_full).map(|id| ProductId(*id)), changed })
}

/// The categories that the rules give to products of these names, in their order.
///
/// # Errors
/// When the database fails.
pub(crate) async fn of_names(conn: &mut PgConnection, names: &[String]) -> sqlx::Result<Vec<Option<i32>>> {
    sqlx::query_scalar!(
        "select (
             select rule.category_id
             from app.category_rule as rule
             where position(rule.keyword in candidate.upper_name) > 0
             order by rule.rank, rule.id
             limit 1
         ) as category_id
         from (
             select upper(given.name) as upper_name, given.place
             from unnest($1::text[]) with ordinality as given (name, place)
             -- Each name is raised once and not for each rule, which is four times as fast.
             offset 0
         ) as candidate
         order by candidate.place",
        names,
    )
    .fetch_all(conn)
    .await
}

/// Sets the category of these products where a rule gives another one than they have.
async fn apply(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "update app.product
         set category_id = matched.category_id, updated_at = now()
         from (
             select candidate.id, (
                 select rule.category_id
                 from app.category_rule as rule
                 where position(rule.keyword in upper(candidate.name)) > 0
                 order by rule.rank, rule.id
                 limit 1
             ) as category_id
             from app.product as candidate
             where candidate.shard = $1 and candidate.id = any($2)
         ) as matched
         where product.shard = $1
           and product.id = any($2)
           and product.id = matched.id
           and product.category_id is distinct from matched.category_id",
        book.shard,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
