//! Gives products their category by rule: the first whose keyword the upper-cased name holds. What a person said, no rule overrules.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::{self, Batch};
use crate::ids::{ProductId, UserId};

/// How far a run over all products has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What was looked at.
    pub batch: Batch,
    /// Products whose category changed.
    pub changed: u64,
}

/// Categorises one product; returns whether its category changed.
///
/// # Errors
/// When the database fails.
pub async fn one(conn: &mut PgConnection, book: Book, product: ProductId) -> sqlx::Result<bool> {
    let is_changed = apply(conn, book, &[product.0]).await? == 1;
    if is_changed {
        let owner = sqlx::query_scalar!(
            "select owner_id
             from app.product
             where shard = $1 and id = $2",
            book.shard,
            product.0,
        );
        let owner = UserId(owner.fetch_one(&mut *conn).await?);
        super::tell(conn, book, "product.updated", product, owner).await?;
    }
    Ok(is_changed)
}

/// Categorises the next products of the book after `after`.
///
/// # Errors
/// When the database fails.
pub async fn next(conn: &mut PgConnection, book: Book, after: Option<ProductId>) -> sqlx::Result<Progress> {
    let (ids, batch) = batch::lock(conn, book, after).await?;
    let changed = apply(conn, book, &ids).await?;
    Ok(Progress { batch, changed })
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

/// Sets the category of these products where the rules give another one than they have.
async fn apply(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<u64> {
    // Whoever deletes a category waits until this transaction has ended, or has ended before: no product gets one that is gone.
    sqlx::query!("lock table app.category in row exclusive mode").execute(&mut *conn).await?;
    let done = sqlx::query!(
        "update app.product
         set category_id = matched.category_id,
             category_by = case when matched.category_id is not null then 'rule' end,
             updated_at = now()
         from (
             select candidate.id, (
                 select rule.category_id
                 from app.category_rule as rule
                 where position(rule.keyword in upper(candidate.name)) > 0
                 order by rule.rank, rule.id
                 limit 1
             ) as category_id
             from unnest($2::uuid[]) as wanted (id)
             cross join lateral (
                 select id, name
                 from app.product
                 where shard = $1 and id = wanted.id
                 -- One look-up each, whatever the statistics say.
                 offset 0
             ) as candidate
         ) as matched
         where product.shard = $1
           and product.id = matched.id
           and product.category_by is distinct from 'hand'
           and product.category_id is distinct from matched.category_id",
        book.shard,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
