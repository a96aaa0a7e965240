//! What a schedule's last job does, and how it makes way for the next.

use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::Previous;
use super::{Overlap, Schedule};

/// Where the last job is. One that may have to make way is locked, so that it does not begin meanwhile.
pub(super) async fn look_at(
    conn: &mut PgConnection,
    schedule: &Schedule,
    last_job_id: Option<Uuid>,
) -> sqlx::Result<Previous> {
    let (Some(id), Overlap::Skip | Overlap::Replace) = (last_job_id, schedule.overlap) else {
        return Ok(Previous::Gone);
    };
    // Planned each time: a plan from when the table was empty would read all of it.
    let is_running = sqlx::query_scalar!(
        r#"select owner is not null as "is_running!" from queue.job where shard = $1 and id = $2 for update"#,
        schedule.job.shard,
        id,
    );
    Ok(match is_running.persistent(false).fetch_optional(conn).await? {
        None => Previous::Gone,
        Some(true) => Previous::Running,
        Some(false) => Previous::Waiting,
    })
}

/// Cancels the last job if it waits and is to be replaced: it is filed in the history. The job is locked by [`look_at`].
pub(super) async fn make_way(
    conn: &mut PgConnection,
    schedule: &Schedule,
    previous: Previous,
    last_job_id: Option<Uuid>,
) -> sqlx::Result<()> {
    if schedule.overlap != Overlap::Replace || previous != Previous::Waiting {
        return Ok(());
    }
    let filed = sqlx::query!(
        r#"
        with gone as (
            delete from queue.job
             where shard = $1 and id = $2 and owner is null
            returning *
        )
        insert into queue.job_history (
            shard, state, attempt, crashes, epoch, priority, max_attempts, finished_at, started_at, process, id,
            run_at, created_at, queue, kind, actor, trace, progress, errors, result, payload
        )
        select shard, 6, attempt, crashes, epoch, priority, max_attempts, statement_timestamp(), null, null, id,
               run_at, created_at, queue, kind, actor, trace, progress, errors, null, payload
          from gone
        "#,
        schedule.job.shard,
        last_job_id,
    );
    filed.persistent(false).execute(conn).await.map(|_| ())
}
