//! What is old is forgotten, and what an erased user had.

use chrono::{DateTime, Utc};
use ledger::Book;
use sqlx::PgConnection;

use super::DELIVERY_DAYS;
use super::replay::first_of;
use crate::ids::UserId;

/// Removes deliveries that are older than [`DELIVERY_DAYS`] days, with their attempts, at most so many; how many there were.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(conn: &mut PgConnection, shard: i16, limit: i64) -> sqlx::Result<u64> {
    let until: DateTime<Utc> =
        sqlx::query_scalar!(r#"select now() - make_interval(days => $1) as "until!""#, i32::from(DELIVERY_DAYS))
            .fetch_one(&mut *conn)
            .await?;
    // Ids begin with the time of the event, so the oldest are the first of the table's key.
    let forgotten = sqlx::query!(
        "with old as materialized (
             select id
             from app.webhook_delivery
             where shard = $1 and id < $2
             order by id
             limit $3
         ), attempts as (
             delete from app.webhook_attempt
             where shard = $1 and delivery_id in (select id from old)
         )
         delete from app.webhook_delivery
         where shard = $1 and id in (select id from old)",
        shard,
        first_of(until),
        limit,
    )
    .persistent(false)
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Removes everything of a user who is erased, in the caller's transaction: endpoints, deliveries and attempts.
///
/// # Errors
/// When the database fails.
pub(crate) async fn erase_of_user(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "with endpoints as (
             delete from app.webhook_endpoint
             where shard = $1 and owner_id = $2
             returning id
         ), deliveries as (
             delete from app.webhook_delivery
             where shard = $1 and endpoint_id in (select id from endpoints)
             returning id
         )
         delete from app.webhook_attempt
         where shard = $1 and delivery_id in (select id from deliveries)",
        book.shard,
        user.0,
    )
    .persistent(false)
    .execute(conn)
    .await?;
    Ok(())
}
