//! What a schedule's last job does, and how it makes way for the next.

use sqlx::PgConnection;
use uuid::Uuid;

use super::plan::Previous;
use super::{Overlap, Schedule};
use crate::control::cancel_waiting;

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

/// Cancels the last job if it is to be replaced: one that waits is filed in the history, one that runs is asked to end. The
/// job is locked by [`look_at`].
pub(super) async fn make_way(
    conn: &mut PgConnection,
    schedule: &Schedule,
    previous: Previous,
    last_job_id: Option<Uuid>,
) -> sqlx::Result<()> {
    if schedule.overlap != Overlap::Replace || previous == Previous::Gone {
        return Ok(());
    }
    let last: Vec<Uuid> = last_job_id.into_iter().collect();
    cancel_waiting(conn, schedule.job.shard, &last, &format!("schedule:{}", schedule.name)).await
}
