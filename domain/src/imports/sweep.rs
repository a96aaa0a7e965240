//! What nobody tidied up: uploads that were cut, files whose job is gone, reports that are old.

use ledger::Book;
use sqlx::PgConnection;
use uuid::Uuid;

use super::progress::stop;
use crate::ids::UserId;

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

/// Stops the imports that this user sent or that are to become this user's products, and removes their files, the uploads among
/// them.
///
/// # Errors
/// When the database fails.
pub async fn stop_of_user(conn: &mut PgConnection, book: Book, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from app.import
         where shard = $1 and state = 'uploading' and (created_by = $2 or owner_id = $2)",
        book.shard,
        user.0,
    )
    .execute(&mut *conn)
    .await?;
    let open = sqlx::query_scalar!(
        "select id
         from app.import
         where shard = $1 and state in ('waiting', 'running') and (created_by = $2 or owner_id = $2)
         order by id",
        book.shard,
        user.0,
    )
    .fetch_all(&mut *conn)
    .await?;
    for import in open {
        stop(conn, book.shard, import).await?;
    }
    Ok(())
}
