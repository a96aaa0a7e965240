//! Who did what, and when.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Answer, Control};

/// The most entries of one page.
const PAGE_MAX: i64 = 1_000;

/// One thing that an operator did.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AuditEntry {
    /// UUIDv7.
    pub id: Uuid,
    /// When it began, by the database's clock.
    pub at: DateTime<Utc>,
    /// Who.
    pub actor: String,
    /// What: `cancel`, `retry`, `reschedule`, `prioritise`, `delete`, `redrive`, `pause_queue`, `resume_queue`, `pause_kind`,
    /// `resume_kind`, `limit_queue`, `set_limit`, `reset_limit`, or what a caller of [`note`] said.
    pub action: String,
    /// To what: the filter or the ids, the queue, kind or limit, and the values that were set.
    pub target: Value,
    /// How many jobs it touched.
    pub jobs: i64,
}

/// What was done, the latest first: up to `limit` entries, at most 1,000, that are older than the entry `after`.
///
/// # Errors
/// When the database fails.
pub async fn audit(
    conn: &mut PgConnection,
    shard: i16,
    after: Option<Uuid>,
    limit: u32,
) -> sqlx::Result<Vec<AuditEntry>> {
    sqlx::query_as!(
        AuditEntry,
        r#"
        select id, at, actor, action, target, jobs
          from queue.audit
         where shard = $1 and id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
         order by id desc
         limit $3
        "#,
        shard,
        after,
        i64::from(limit).min(PAGE_MAX),
    )
    .fetch_all(conn)
    .await
}

/// Which entries are asked for; each condition that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// What this one did.
    pub actor: Option<String>,
    /// What was done so.
    pub action: Option<String>,
    /// What was done to the queue, kind, limit or schedule of this name, or to the job of this id.
    pub target: Option<String>,
    /// At or after this time.
    pub from: Option<DateTime<Utc>>,
    /// Before this time.
    pub to: Option<DateTime<Utc>>,
    /// Older than this entry.
    pub after: Option<Uuid>,
}

/// The entries that are asked for, the latest first: up to `limit`, at most 1,000.
///
/// # Errors
/// When the database fails.
pub async fn log(conn: &mut PgConnection, shard: i16, log: &Log, limit: u32) -> sqlx::Result<Vec<AuditEntry>> {
    let entries = sqlx::query_as!(
        AuditEntry,
        r#"
        select id, at, actor, action, target, jobs
          from queue.audit
         where shard = $1
           and id < coalesce($2, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
           and ($3::text is null or actor = $3)
           and ($4::text is null or action = $4)
           and ($5::text is null
                or $5 in (target ->> 'queue', target ->> 'kind', target ->> 'limit', target ->> 'schedule')
                or target -> 'ids' ? $5)
           and ($6::timestamptz is null or at >= $6)
           and ($7::timestamptz is null or at < $7)
         order by id desc
         limit $8
        "#,
        shard,
        log.after,
        log.actor,
        log.action,
        log.target,
        log.from,
        log.to,
        i64::from(limit).min(PAGE_MAX),
    );
    entries.fetch_all(conn).await
}

/// Leaves a row of what somebody did that is none of [`Control`]'s calls, in the caller's transaction: `action` is a word
/// such as `change_schedule`, `target` an object that names what it was done to.
///
/// # Errors
/// When the database fails.
pub async fn note(
    conn: &mut PgConnection,
    shard: i16,
    actor: &str,
    action: &'static str,
    target: Value,
) -> sqlx::Result<()> {
    Record { id: Uuid::now_v7(), shard, actor: actor.to_owned(), action, target }.add(conn, 0).await
}

/// An entry that is being written.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: Uuid,
    shard: i16,
    actor: String,
    action: &'static str,
    target: Value,
}

impl Record {
    pub(super) fn new(control: &Control<'_>, action: &'static str, target: Value) -> Record {
        Record { id: Uuid::now_v7(), shard: control.shard, actor: control.actor.clone(), action, target }
    }

    /// Writes the entry, or adds these jobs to it; in the transaction that changes them.
    pub(super) async fn add(&self, conn: &mut PgConnection, jobs: u64) -> sqlx::Result<()> {
        sqlx::query!(
            r#"
            insert into queue.audit as entry (shard, id, at, actor, action, target, jobs)
            values ($1, $2, clock_timestamp(), $3, $4, $5, $6)
                on conflict (shard, id) do update
               set jobs = entry.jobs + excluded.jobs
            "#,
            self.shard,
            self.id,
            self.actor,
            self.action,
            self.target,
            jobs as i64,
        )
        .execute(conn)
        .await?;
        Ok(())
    }

    /// The answer of a call that is done.
    pub(super) fn answer(&self, matched: u64, changed: u64) -> Answer {
        Answer { audit: self.id, matched, changed, asked: 0, has_more: false }
    }
}
