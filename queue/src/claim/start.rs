//! Where the claims of a queue have got to, kept for processes that begin while a look from the beginning is slow.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// What a slow look from the beginning leaves behind.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Start {
    /// Of each priority, when the last claimed job was due.
    pub(crate) reached: BTreeMap<i16, DateTime<Utc>>,
    /// How long from now on nobody need look from the beginning again.
    pub(crate) pause: Duration,
}

/// Keeps it for others; the last one stands.
pub(crate) async fn save(conn: &mut PgConnection, shard: i16, queue: &str, start: &Start) -> sqlx::Result<()> {
    let saved = sqlx::query!(
        r#"
        insert into queue.claim_start (shard, queue, looked_at, pause_s, priorities, times)
        values ($1, $2, clock_timestamp(), $3, $4, $5)
            on conflict (shard, queue) do update
           set (looked_at, pause_s, priorities, times) = (
                   excluded.looked_at, excluded.pause_s, excluded.priorities, excluded.times
               )
        "#,
        shard,
        queue,
        start.pause.as_secs_f64(),
        &start.reached.keys().copied().collect::<Vec<_>>(),
        &start.reached.values().copied().collect::<Vec<_>>(),
    );
    saved.execute(conn).await?;
    Ok(())
}

/// What others have left of these queues, as long as it holds.
pub(crate) async fn load(conn: &mut PgConnection, shard: i16, queues: &[&str]) -> sqlx::Result<Vec<(String, Start)>> {
    let left = sqlx::query!(
        r#"
        select queue, priorities, times,
               -- Not longer than it was, should the clock have been set back.
               least(pause_s, pause_s - extract(epoch from clock_timestamp() - looked_at)::float8) as "left_s!"
          from queue.claim_start
         where shard = $1 and queue = any ($2::text[])
        "#,
        shard,
        queues as &[&str],
    );
    let left = left.fetch_all(conn).await?.into_iter().filter(|row| row.left_s > 0.0);
    let start = |priorities: Vec<i16>, times: Vec<DateTime<Utc>>, left_s| Start {
        reached: priorities.into_iter().zip(times).collect(),
        pause: Duration::from_secs_f64(left_s),
    };
    Ok(left.map(|row| (row.queue, start(row.priorities, row.times, row.left_s))).collect())
}
