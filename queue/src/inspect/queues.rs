//! Looks at queues, and at kinds that are paused.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};

use crate::counters::{self, QueueCounts};

/// A queue as it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QueueView {
    /// How many of its jobs are where, and how many ever ended how.
    #[serde(flatten)]
    pub counts: QueueCounts,
    /// Since when nothing is claimed from it; none if it is not paused.
    pub paused_at: Option<DateTime<Utc>>,
    /// Who paused it.
    pub paused_by: Option<String>,
    /// How many of its jobs may be claimed at once, over all processes; none for any number.
    pub running_max: Option<i32>,
    /// For how many seconds the job has been due that has waited longest for a worker; none when no job is ready.
    pub oldest_ready_s: Option<f64>,
}

/// A kind that is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindPause {
    /// The kind.
    pub kind: String,
    /// Since when.
    pub paused_at: DateTime<Utc>,
    /// Who paused it.
    pub paused_by: String,
}

/// A limit by name; it holds for each of its keys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitView {
    /// Its name.
    pub name: String,
    /// How many jobs of a key may be claimed at once; none for any number.
    pub running_max: Option<i32>,
    /// How many tokens a second a key's bucket gains; none for no rate.
    pub rate_per_s: Option<f64>,
    /// How many tokens a bucket holds at most.
    pub burst: Option<f64>,
    /// When it was last changed.
    pub changed_at: DateTime<Utc>,
    /// The operator whose value it is; none for the code's own.
    pub changed_by: Option<String>,
}

/// Every queue that has or had jobs or that an operator has said something of, and these, in alphabetical order.
///
/// # Errors
/// When the database fails.
pub async fn queues(conn: &mut PgConnection, shard: i16, known: &[&str]) -> sqlx::Result<Vec<QueueView>> {
    let mut views: BTreeMap<String, QueueView> = known.iter().map(|queue| view_of(none(queue))).collect();
    views.extend(counters::counts(&mut *conn, shard).await?.into_iter().map(view_of));
    let said = sqlx::query!(
        "select queue, paused_at, paused_by, running_max from queue.queue_control where shard = $1",
        shard,
    );
    for row in said.fetch_all(&mut *conn).await? {
        let view = views.entry(row.queue.clone()).or_insert_with(|| view_of(none(&row.queue)).1);
        (view.paused_at, view.paused_by, view.running_max) = (row.paused_at, row.paused_by, row.running_max);
    }
    let names: Vec<String> = views.keys().cloned().collect();
    for (queue, age_s) in oldest_ready(conn, shard, &names).await? {
        views.entry(queue).and_modify(|view| view.oldest_ready_s = Some(age_s));
    }
    Ok(views.into_values().collect())
}

fn view_of(counts: QueueCounts) -> (String, QueueView) {
    let queue = counts.queue.clone();
    (queue, QueueView { counts, paused_at: None, paused_by: None, running_max: None, oldest_ready_s: None })
}

/// A queue without jobs.
fn none(queue: &str) -> QueueCounts {
    QueueCounts {
        queue: queue.to_owned(),
        scheduled: 0,
        ready: 0,
        running: 0,
        waiting: 0,
        succeeded: 0,
        discarded: 0,
        cancelled: 0,
        dead: 0,
    }
}

/// For how long the oldest ready job of each of these queues has been due, where there is one: a hundred look-ups a queue.
///
/// # Errors
/// When the database fails.
pub async fn oldest_ready(conn: &mut PgConnection, shard: i16, queues: &[String]) -> sqlx::Result<Vec<(String, f64)>> {
    let mut tx = conn.begin().await?;
    // Look-ups only, whatever the statistics say; rolled back, so that a caller's settings stay its own.
    sqlx::raw_sql("set local enable_seqscan = off; set local enable_bitmapscan = off; set local jit = off")
        .execute(&mut *tx)
        .await?;
    let oldest = sqlx::query!(
        r#"
        select queue.name as "queue!", extract(epoch from statement_timestamp() - min(first.run_at))::float8 as "age_s!"
          from unnest($2::text[]) as queue (name)
         cross join generate_series(0, 99) as rank (priority)
         -- The first of each priority, by the index of claims.
         cross join lateral (
               select run_at
                 from queue.job
                where shard = $1 and queue = queue.name and priority = rank.priority::smallint and state = 1 and owner is null
                order by run_at
                limit 1
         ) as first
         group by queue.name
        "#,
        shard,
        queues,
    );
    let oldest = oldest.fetch_all(&mut *tx).await?;
    tx.rollback().await?;
    Ok(oldest.into_iter().map(|row| (row.queue, row.age_s.max(0.0))).collect())
}

/// The kinds that are paused, in alphabetical order.
///
/// # Errors
/// When the database fails.
pub async fn paused_kinds(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Vec<KindPause>> {
    let paused = sqlx::query_as!(
        KindPause,
        "select kind, paused_at, paused_by from queue.kind_pause where shard = $1 order by kind",
        shard,
    );
    paused.fetch_all(conn).await
}

/// Every limit, in alphabetical order; that of sequences is the queue's own.
///
/// # Errors
/// When the database fails.
pub async fn limits(conn: &mut PgConnection) -> sqlx::Result<Vec<LimitView>> {
    let limits = sqlx::query_as!(
        LimitView,
        "select name, running_max, rate_per_s, burst, changed_at, changed_by from queue.limit_rule order by name",
    );
    limits.fetch_all(conn).await
}
