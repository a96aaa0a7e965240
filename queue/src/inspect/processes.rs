//! Looks at worker processes.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// A worker process, by its lease.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProcessView {
    /// Unique to one boot of one process.
    pub id: Uuid,
    /// The machine it runs on.
    pub host: String,
    /// Its process id there.
    pub pid: i32,
    /// The queues it serves.
    pub queues: Vec<String>,
    /// The kinds of job that it knows.
    pub kinds: Vec<String>,
    /// When it registered.
    pub started_at: DateTime<Utc>,
    /// How many seconds ago it renewed its lease last.
    pub heartbeat_age_s: f64,
    /// Whether its lease runs; if not, its jobs are about to be given to others.
    pub is_live: bool,
    /// How many jobs it has in hand; none if there are too many jobs to count in a second.
    pub jobs: Option<i64>,
}

/// Every process that holds a lease or held one until just now, the newest first.
///
/// # Errors
/// When the database fails.
pub async fn processes(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Vec<ProcessView>> {
    let jobs = in_hand(&mut *conn, shard).await?;
    let rows = sqlx::query!(
        r#"
        select id, host, pid, queues, kinds, started_at,
               extract(epoch from clock_timestamp() - heartbeat_at)::float8 as "age_s!",
               lost_at is null and expires_at > clock_timestamp() as "is_live!"
          from queue.process
         where shard = $1
         order by id desc
        "#,
        shard,
    );
    let rows = rows.fetch_all(conn).await?;
    Ok(rows
        .into_iter()
        .map(|row| ProcessView {
            id: row.id,
            host: row.host,
            pid: row.pid,
            queues: row.queues,
            kinds: row.kinds,
            started_at: row.started_at,
            heartbeat_age_s: row.age_s.max(0.0),
            is_live: row.is_live,
            jobs: jobs.as_ref().map(|jobs| jobs.get(&row.id).copied().unwrap_or(0)),
        })
        .collect())
}

/// How many jobs each process has claimed. No index knows owners, since every claim would write it: the table of live
/// jobs is read, for a second at most.
async fn in_hand(conn: &mut PgConnection, shard: i16) -> sqlx::Result<Option<HashMap<Uuid, i64>>> {
    let mut tx = conn.begin().await?;
    sqlx::raw_sql("set local statement_timeout = '1s'").execute(&mut *tx).await?;
    let counted = sqlx::query!(
        r#"
        select owner as "owner!", count(*) as "jobs!"
          from queue.job
         where shard = $1 and owner is not null
         group by owner
        "#,
        shard,
    );
    let counted = counted.fetch_all(&mut *tx).await;
    tx.rollback().await?;
    match counted {
        Ok(rows) => Ok(Some(rows.into_iter().map(|row| (row.owner, row.jobs)).collect())),
        // 57014: it took longer than it may.
        Err(error) if error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("57014")) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
