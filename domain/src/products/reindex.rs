//! Makes anew what searches use: the vector of each product, and the words of a book with how many products have each.
//!
//! Triggers keep both for what is written. A run is for rows of an earlier release, for words that no product has any more, and for the
//! counts, by which completions are ordered.

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::{self, Batch};
use crate::ids::ProductId;

/// Begins a run; returns when that was. There is one run of a book at a time.
///
/// # Errors
/// When the database fails.
pub async fn begin(conn: &mut PgConnection, book: Book) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query!(
        "update app.product_word
         set counted = 0
         where shard = $1 and book_id = $2 and counted <> 0",
        book.shard,
        book.id,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_scalar!(r#"select now() as "now!""#).fetch_one(conn).await
}

/// Makes the vectors of the next products after `after`, and counts their words.
///
/// # Errors
/// When the database fails.
pub async fn next(conn: &mut PgConnection, book: Book, after: Option<ProductId>) -> sqlx::Result<Batch> {
    let (ids, batch) = batch::lock(conn, book, after).await?;
    make_vectors(conn, book, &ids).await?;
    count_words(conn, book, &ids).await?;
    Ok(batch)
}

async fn make_vectors(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "update app.product
         -- Its trigger makes it.
         set search = null
         from unnest($2::uuid[]) as wanted (id)
         where product.shard = $1
           and product.id = wanted.id
           and product.search is distinct from app.search_vector(
               product.name, product.description, product.sku, product.owner_id, product.category_id, product.status
           )",
        book.shard,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn count_words(conn: &mut PgConnection, book: Book, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "with found as (
             select word, count(*)::integer as products
             from unnest($3::uuid[]) as wanted (id)
             cross join lateral (
                 select name, description
                 from app.product
                 where shard = $1 and id = wanted.id
                 offset 0
             ) as product
             cross join lateral app.words(product.name, product.description) as word
             group by word
         )
         insert into app.product_word (shard, book_id, word, stem, forms, counted)
         select $1, $2, found.word, stemmed.stems[1], app.word_forms(found.word), found.products
         from found
         cross join lateral (
             select tsvector_to_array(to_tsvector('pg_catalog.english', found.word)) as stems
         ) as stemmed
         where stemmed.stems <> '{}'
         order by found.word
         on conflict (shard, book_id, word) do update set counted = product_word.counted + excluded.counted",
        book.shard,
        book.id,
        ids,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends the run that began then: the counts hold from now on, and words that no product had are gone.
///
/// # Errors
/// When the database fails.
pub async fn end(conn: &mut PgConnection, book: Book, began_at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from app.product_word
         where shard = $1 and book_id = $2 and counted = 0 and added_at < $3",
        book.shard,
        book.id,
        began_at,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "update app.product_word
         set products = counted
         where shard = $1 and book_id = $2 and products <> counted",
        book.shard,
        book.id,
    )
    .execute(conn)
    .await?;
    Ok(())
}
