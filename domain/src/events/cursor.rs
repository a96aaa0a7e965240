//! Cursors of durable followers: how far each has got, kept in the commit of what it did.

use sqlx::PgConnection;

use super::Position;

/// Where this follower goes on, locked until the caller's transaction ends: two processes that run the same follower take turns. A follower
/// that is new begins at `start`.
///
/// # Errors
/// When the database fails.
pub async fn lock(conn: &mut PgConnection, shard: i16, follower: &str, start: Position) -> sqlx::Result<Position> {
    sqlx::query!(
        "insert into app.event_cursor (shard, follower, seq, event)
         values ($1, $2, $3, $4)
         on conflict (shard, follower) do nothing",
        shard,
        follower,
        start.seq,
        start.event,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query_as!(
        Position,
        "select seq, event
         from app.event_cursor
         where shard = $1 and follower = $2
         for no key update",
        shard,
        follower,
    )
    .fetch_one(conn)
    .await
}

/// Moves the cursor that the caller's transaction has locked.
///
/// # Errors
/// When the database fails.
pub async fn advance(conn: &mut PgConnection, shard: i16, follower: &str, to: Position) -> sqlx::Result<()> {
    let moved = sqlx::query!(
        "update app.event_cursor
         set seq = $3, event = $4, moved_at = now()
         where shard = $1 and follower = $2 and (seq, event) <= ($3, $4)",
        shard,
        follower,
        to.seq,
        to.event,
    )
    .execute(conn)
    .await?;
    assert_eq!(moved.rows_affected(), 1, "a cursor is locked before it moves, and moves forward");
    Ok(())
}
