//! How many jobs are where, without ever counting them.
//!
//! Whatever moves jobs from one state to another adds a row of differences in the same transaction, so that no writer
//! waits for another. They are folded into one row a queue every few seconds; a reader adds what is not folded yet.

use sqlx::PgConnection;

/// The jobs of one queue.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct QueueCounts {
    /// The queue.
    pub queue: String,
    /// Jobs that are not due.
    pub scheduled: i64,
    /// Jobs that may be claimed.
    pub ready: i64,
    /// Jobs that are claimed.
    pub running: i64,
    /// Jobs that wait for others, for a limit, or for their kind to be resumed.
    pub waiting: i64,
    /// Jobs that ever succeeded.
    pub succeeded: i64,
    /// Jobs that were ever discarded.
    pub discarded: i64,
    /// Jobs that were ever cancelled.
    pub cancelled: i64,
    /// Jobs that ever died; redriving one takes none away.
    pub dead: i64,
}

/// The counts of every queue of a shard, in alphabetical order. They are exact: a queue's live counts are what a count of
/// its rows at the same moment would give.
///
/// # Errors
/// When the database fails.
pub async fn counts(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Vec<QueueCounts>> {
    sqlx::query_as!(
        QueueCounts,
        r#"
        select queue as "queue!",
               coalesce(sum(scheduled), 0)::bigint as "scheduled!",
               coalesce(sum(ready), 0)::bigint as "ready!",
               coalesce(sum(running), 0)::bigint as "running!",
               coalesce(sum(waiting), 0)::bigint as "waiting!",
               coalesce(sum(succeeded), 0)::bigint as "succeeded!",
               coalesce(sum(discarded), 0)::bigint as "discarded!",
               coalesce(sum(cancelled), 0)::bigint as "cancelled!",
               coalesce(sum(dead), 0)::bigint as "dead!"
          from (
               select * from queue.counter where shard = $1
                union all
               select * from queue.counter_change where shard = $1
               ) as parts
         group by queue
         order by queue
        "#,
        shard,
    )
    .fetch_all(conn)
    .await
}

/// Folds what has changed; what somebody else is folding is left to them.
pub(crate) async fn fold(conn: &mut PgConnection, shard: i16) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        with changes as (
            delete from queue.counter_change
             where ctid = any (array(
                       select ctid from queue.counter_change where shard = $1 for update skip locked
                   ))
            returning *
        )
        insert into queue.counter as counter (
            shard, queue, scheduled, ready, running, waiting, succeeded, discarded, cancelled, dead
        )
        select $1, queue, coalesce(sum(scheduled), 0), coalesce(sum(ready), 0), coalesce(sum(running), 0),
               coalesce(sum(waiting), 0), coalesce(sum(succeeded), 0), coalesce(sum(discarded), 0),
               coalesce(sum(cancelled), 0), coalesce(sum(dead), 0)
          from changes
         group by queue
         order by queue
            on conflict (shard, queue) do update
           set scheduled = counter.scheduled + excluded.scheduled,
               ready = counter.ready + excluded.ready,
               running = counter.running + excluded.running,
               waiting = counter.waiting + excluded.waiting,
               succeeded = counter.succeeded + excluded.succeeded,
               discarded = counter.discarded + excluded.discarded,
               cancelled = counter.cancelled + excluded.cancelled,
               dead = counter.dead + excluded.dead
        "#,
        shard,
    )
    .execute(conn)
    .await?;
    Ok(())
}
