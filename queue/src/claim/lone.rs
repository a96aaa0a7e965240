//! Takes the one job that came alone, by the id that its own commit told: half of what a claim of one job costs is to look for it.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Claimed, Row, in_order};

/// What became of it.
#[derive(Debug)]
pub(crate) enum Lone {
    /// It is ours.
    Claimed(Box<Claimed>),
    /// Its queue has a limit for all processes, which only a claim of any jobs keeps to.
    OfLimitedQueue,
    /// Somebody else has it, or nobody is to begin it now: whoever changes that tells of it, or a poll finds it.
    Gone,
}

/// Claims the job if it is ready and the process's lease is alive. Needs [`PLANNER`](crate::settle::PLANNER) in force.
pub(crate) async fn claim(
    conn: &mut PgConnection,
    shard: i16,
    process: Uuid,
    queue: &str,
    id: Uuid,
) -> sqlx::Result<Lone> {
    let claimed = sqlx::query_file_as!(Row, "src/claim/lone.sql", shard, process, queue, id);
    if let Some(job) = in_order(process, claimed.fetch_all(&mut *conn).await?).pop() {
        return Ok(Lone::Claimed(Box::new(job)));
    }
    let is_limited = sqlx::query_scalar!(
        r#"
        select exists (
                   select from queue.queue_control where shard = $1 and queue = $2 and running_max is not null
               ) as "is_limited!"
        "#,
        shard,
        queue,
    );
    Ok(if is_limited.fetch_one(conn).await? { Lone::OfLimitedQueue } else { Lone::Gone })
}
