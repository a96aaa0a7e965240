//! Lists jobs, live, dead and ended together, the newest id first.
//!
//! No index of the hot tables knows a kind, a tag or an error, since every job would pay for it. So a list walks the
//! primary keys downwards and looks at each job, a bounded number of them for a page. A page that found less than it was
//! asked for says where to go on. Children are found by their parent's own index, and without that bound.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use super::JobState;

/// How many jobs of each table are looked at, window by window, for one page: a list without conditions ends in the
/// first, and all of them together take a fraction of a second.
const WINDOWS: [i64; 4] = [1_000, 10_000, 100_000, 100_000];

/// What jobs have to be like to be listed; each condition that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// In this queue.
    pub queue: Option<String>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In one of these states; none for any.
    pub states: Vec<JobState>,
    /// With this tag.
    pub tag: Option<String>,
    /// Caused by this actor.
    pub actor: Option<String>,
    /// Enqueued by this job.
    pub parent: Option<Uuid>,
    /// Enqueued at or after this time.
    pub created_after: Option<DateTime<Utc>>,
    /// Enqueued before this time.
    pub created_before: Option<DateTime<Utc>>,
    /// Due at or after this time.
    pub run_after: Option<DateTime<Utc>>,
    /// Due before this time.
    pub run_before: Option<DateTime<Utc>>,
    /// With this text in its last error, whatever the case.
    pub error: Option<String>,
}

/// A job as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobSummary {
    /// Its id.
    pub id: Uuid,
    /// The kind's name.
    pub kind: String,
    /// Its queue.
    pub queue: String,
    /// Where it is in its life.
    pub state: JobState,
    /// 0 to 99, the smaller runs first.
    pub priority: i16,
    /// Attempts begun.
    pub attempt: i16,
    /// Attempts allowed.
    pub max_attempts: i16,
    /// When it is or was due.
    pub run_at: DateTime<Utc>,
    /// When it was enqueued.
    pub created_at: DateTime<Utc>,
    /// When its last attempt was claimed.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Who caused it.
    pub actor: Option<String>,
    /// The job that enqueued it.
    pub parent: Option<Uuid>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Why it is dead: `exhausted`, `poison`, `unknown_kind` or `undecodable`.
    pub dead_reason: Option<String>,
    /// What went wrong last, its first 1,000 characters.
    pub last_error: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct JobPage {
    /// Up to as many jobs as were asked for; there may be fewer, or none, although the list goes on.
    pub items: Vec<JobSummary>,
    /// Where the list goes on; none at its end.
    pub next: Option<Uuid>,
}

/// Up to `limit` jobs with ids below `after`, the highest first.
///
/// # Errors
/// When the database fails, or takes more than five seconds for one of its looks.
pub async fn list(
    conn: &mut PgConnection,
    shard: i16,
    search: &Search,
    after: Option<Uuid>,
    limit: u16,
) -> sqlx::Result<JobPage> {
    let mut tx = conn.begin().await?;
    // In order by the index, whatever the statistics say; rolled back, so that a caller's settings stay its own.
    sqlx::raw_sql(
        "set local enable_seqscan = off; set local enable_bitmapscan = off; set local jit = off;
         set local plan_cache_mode = force_custom_plan; set local statement_timeout = '5s'",
    )
    .execute(&mut *tx)
    .await?;
    let mut page = JobPage { items: Vec::new(), next: after };
    for window in WINDOWS {
        let floor = search.floor(&mut tx, shard, page.next, window).await?;
        let wanted = i64::from(limit) + 1 - page.items.len() as i64;
        page.items.extend(search.look(&mut tx, shard, (page.next, floor), wanted).await?);
        page.next = floor;
        if page.items.len() > usize::from(limit) {
            page.items.truncate(usize::from(limit));
            page.next = page.items.last().map(|last| last.id);
            break;
        }
        if floor.is_none() {
            break;
        }
    }
    tx.rollback().await?;
    Ok(page)
}

impl Search {
    /// Whether live, dead and ended jobs can pass.
    fn places(&self) -> [bool; 3] {
        use JobState::{Cancelled, Dead, Discarded, Succeeded};
        let any = |fits: fn(&JobState) -> bool| self.states.is_empty() || self.states.iter().any(fits);
        let is_ended = |state: &JobState| matches!(state, Succeeded | Discarded | Cancelled);
        [any(|state| !state.is_final()), any(|state| *state == Dead), any(is_ended)]
    }

    /// The states that can pass.
    fn states(&self) -> Vec<i16> {
        if self.states.is_empty() {
            (0..=7).collect()
        } else {
            self.states.iter().map(|state| state.number()).collect()
        }
    }

    /// Down to which id to look, so that no table has more than so many jobs above it; none if there are fewer.
    async fn floor(
        &self,
        conn: &mut PgConnection,
        shard: i16,
        below: Option<Uuid>,
        window: i64,
    ) -> sqlx::Result<Option<Uuid>> {
        if self.parent.is_some() {
            return Ok(None);
        }
        let [live, dead, ended] = self.places();
        let floor = sqlx::query_scalar!(
            r#"
            select id as "id!"
              from (
                   (select id from queue.job where shard = $1 and $4 and id < $2 order by id desc offset $3 limit 1)
                    union all
                   (select id from queue.dead_job where shard = $1 and $5 and id < $2 order by id desc offset $3 limit 1)
                    union all
                   (
                       select id
                         from queue.job_history
                        where shard = $1 and $6 and id < $2 and finished_at >= coalesce($7::timestamptz, '-infinity')
                        order by id desc
                       offset $3
                        limit 1
                   )
                   ) as floors
             order by id desc
             limit 1
            "#,
            shard,
            below.unwrap_or(Uuid::max()),
            window - 1,
            live,
            dead,
            ended,
            self.created_after,
        );
        floor.persistent(false).fetch_optional(conn).await
    }

    /// The jobs between two ids that pass.
    async fn look(
        &self,
        conn: &mut PgConnection,
        shard: i16,
        (below, floor): (Option<Uuid>, Option<Uuid>),
        limit: i64,
    ) -> sqlx::Result<Vec<JobSummary>> {
        let [live, dead, ended] = self.places();
        let found = sqlx::query_file!(
            "src/inspect/list.sql",
            shard,
            below.unwrap_or(Uuid::max()),
            floor.unwrap_or(Uuid::nil()),
            live,
            dead,
            ended,
            self.parent,
            &self.states(),
            self.queue,
            self.kind,
            self.tag,
            self.actor,
            self.created_after,
            self.created_before,
            self.run_after,
            self.run_before,
            self.error,
            limit,
        );
        let found = found.fetch_all(conn).await?;
        Ok(found
            .into_iter()
            .map(|row| JobSummary {
                id: row.id,
                kind: row.kind,
                queue: row.queue,
                state: JobState::from_number(row.state),
                priority: row.priority,
                attempt: row.attempt,
                max_attempts: row.max_attempts,
                run_at: row.run_at,
                created_at: row.created_at,
                started_at: row.started_at,
                finished_at: row.finished_at,
                actor: row.actor,
                parent: row.parent,
                tags: row.tags,
                dead_reason: row.reason,
                last_error: row.last_error,
            })
            .collect())
    }
}
