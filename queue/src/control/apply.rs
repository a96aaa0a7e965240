//! The statements that lock and change one batch of jobs.
//!
//! Locking comes first, by itself, so that the statement after it sees what those who had the locks have written. They
//! run in a transaction of [`begin`](super::begin), so that each is planned for its own arguments.

use sqlx::PgConnection;
use uuid::Uuid;

use super::bulk::{Action, Done};

/// Locks the live jobs of these ids that are in one of these states, in the order of their ids; returns them.
pub(super) async fn lock_live(
    conn: &mut PgConnection,
    shard: i16,
    ids: &[Uuid],
    states: &[i32],
) -> sqlx::Result<Vec<Uuid>> {
    let locked = sqlx::query_scalar!(
        r#"
        select id
          from queue.job
         where shard = $1
           and id = any ($2)
           -- Not as the partial indexes have it: by those, each batch would read all jobs of the state.
           and case when owner is null then state::integer else 2 end = any ($3::integer[])
         order by id
           for update
        "#,
        shard,
        ids,
        states,
    );
    locked.fetch_all(conn).await
}

/// The same for dead letters.
pub(super) async fn lock_dead(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    let locked = sqlx::query_scalar!(
        "select id from queue.dead_job where shard = $1 and id = any ($2) order by id for update",
        shard,
        ids,
    );
    locked.fetch_all(conn).await
}

/// Ends jobs that do not run, with a history or without, and asks those that run to end.
pub(super) async fn end(
    conn: &mut PgConnection,
    shard: i16,
    ids: &[Uuid],
    actor: &str,
    is_kept: bool,
) -> sqlx::Result<Done> {
    let ended = sqlx::query_file!("src/control/end.sql", shard, ids, actor, is_kept);
    let row = ended.fetch_one(conn).await?;
    Ok(Done { changed: (row.ended + row.asked) as u64, asked: row.asked as u64 })
}

/// Gives jobs another time or another priority; `place` is how many jobs of the call come before them.
pub(super) async fn change(
    conn: &mut PgConnection,
    shard: i16,
    ids: &[Uuid],
    action: &Action,
    place: usize,
) -> sqlx::Result<Done> {
    let changed = sqlx::query_file_scalar!(
        "src/control/change.sql",
        shard,
        ids,
        matches!(action, Action::Retry),
        action.time(),
        action.priority(),
        place as i64,
    );
    Ok(Done { changed: changed.fetch_one(conn).await? as u64, asked: 0 })
}

/// Gives dead letters another life.
pub(super) async fn redrive(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<Done> {
    let redriven = sqlx::query_file_scalar!("src/control/redrive.sql", shard, ids);
    Ok(Done { changed: redriven.fetch_one(conn).await? as u64, asked: 0 })
}

/// Takes dead letters away.
pub(super) async fn delete_dead(conn: &mut PgConnection, shard: i16, ids: &[Uuid]) -> sqlx::Result<Done> {
    let deleted = sqlx::query!("delete from queue.dead_job where shard = $1 and id = any ($2)", shard, ids);
    Ok(Done { changed: deleted.execute(conn).await?.rows_affected(), asked: 0 })
}
