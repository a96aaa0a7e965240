//! What nobody tidied up: uploads that were cut, files whose job is gone, reports that are old.

use sqlx::PgConnection;
use uuid::Uuid;

/// An upload that is older than this was given up: the longest that the API allows is shorter.
const UPLOAD_HOURS: i32 = 1;

/// Imports that ended are kept for so long, as long as the history of their jobs.
const KEPT_DAYS: i32 = 30;

/// The imports that are under way by what they say, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn active(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "select id
         from app.import
         where shard = $1 and state in ('waiting', 'running')
         order by id",
        shard,
    )
    .fetch_all(conn)
    .await
}

/// Removes uploads that were cut; returns how many.
///
/// # Errors
/// When the database fails.
pub async fn forget_uploads(conn: &mut PgConnection, shard: i16) -> sqlx::Result<u64> {
    let forgotten = sqlx::query!(
        "delete from app.import
         where shard = $1 and state = 'uploading' and created_at < now() - make_interval(hours => $2)",
        shard,
        UPLOAD_HOURS,
    );
    Ok(forgotten.execute(conn).await?.rows_affected())
}

/// Removes imports that ended long ago, with their findings; returns how many.
///
/// # Errors
/// When the database fails.
pub async fn forget_old(conn: &mut PgConnection, shard: i16) -> sqlx::Result<u64> {
    let forgotten = sqlx::query!(
        "delete from app.import
         where shard = $1
           and state in ('finished', 'stopped')
           and finished_at < now() - make_interval(days => $2)",
        shard,
        KEPT_DAYS,
    );
    Ok(forgotten.execute(conn).await?.rows_affected())
}
