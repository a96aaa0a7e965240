//! Pauses and resumes queues and kinds.
//!
//! Nothing is claimed from a paused queue. Jobs of a paused kind are claimed and laid aside (`waits_for = -1`), so that
//! they are in nobody's way; when the kind is resumed they are put back.

use serde_json::json;
use sqlx::PgConnection;

use super::audit::Record;
use super::text::check_name;
use super::{Answer, Control, ControlError, begin};

/// How many jobs are put back in one transaction.
const BATCH: i64 = 1_000;

impl Control<'_> {
    /// Claims nothing more from the queue; what is claimed but has not begun is handed back as soon as its process
    /// hears of it, and what runs goes on. Returns as [`Answer::changed`] how many were not paused before: 1 or 0.
    ///
    /// # Errors
    /// [`ControlError::Text`], or when the database fails.
    pub async fn pause_queue(&mut self, queue: &str) -> Result<Answer, ControlError> {
        check_name("queue", queue)?;
        let record = Record::new(self, "pause_queue", json!({ "queue": queue }));
        let mut tx = begin(self.conn).await?;
        let paused = sqlx::query!(
            r#"
            insert into queue.queue_control as control (shard, queue, paused_at, paused_by)
            values ($1, $2, clock_timestamp(), $3)
                on conflict (shard, queue) do update
               set paused_at = excluded.paused_at, paused_by = excluded.paused_by
             where control.paused_at is null
            "#,
            self.shard,
            queue,
            self.actor,
        );
        let changed = paused.execute(&mut *tx).await?.rows_affected();
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(record.answer(1, changed))
    }

    /// Claims from the queue again.
    ///
    /// # Errors
    /// As [`Control::pause_queue`].
    pub async fn resume_queue(&mut self, queue: &str) -> Result<Answer, ControlError> {
        check_name("queue", queue)?;
        let record = Record::new(self, "resume_queue", json!({ "queue": queue }));
        let mut tx = begin(self.conn).await?;
        let resumed = sqlx::query!(
            r#"
            update queue.queue_control
               set paused_at = null, paused_by = null
             where shard = $1 and queue = $2 and paused_at is not null
            "#,
            self.shard,
            queue,
        );
        let changed = resumed.execute(&mut *tx).await?.rows_affected();
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(record.answer(1, changed))
    }

    /// Begins no more jobs of the kind, once a process has heard of it.
    ///
    /// # Errors
    /// As [`Control::pause_queue`].
    pub async fn pause_kind(&mut self, kind: &str) -> Result<Answer, ControlError> {
        check_name("kind", kind)?;
        let record = Record::new(self, "pause_kind", json!({ "kind": kind }));
        let mut tx = begin(self.conn).await?;
        let paused = sqlx::query!(
            r#"
            insert into queue.kind_pause (shard, kind, paused_at, paused_by)
            values ($1, $2, clock_timestamp(), $3)
                on conflict do nothing
            "#,
            self.shard,
            kind,
            self.actor,
        );
        let changed = paused.execute(&mut *tx).await?.rows_affected();
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        Ok(record.answer(1, changed))
    }

    /// Begins jobs of the kind again, and puts back those that were laid aside, which [`Answer::changed`] counts. The
    /// pause ends first, in a transaction of its own: if this is cut short, resuming again, or
    /// [`resume_stranded`], puts back the rest.
    ///
    /// # Errors
    /// As [`Control::pause_queue`].
    pub async fn resume_kind(&mut self, kind: &str) -> Result<Answer, ControlError> {
        check_name("kind", kind)?;
        let record = Record::new(self, "resume_kind", json!({ "kind": kind }));
        let mut tx = begin(self.conn).await?;
        // Waits for those who are laying jobs aside: they hold the row, and what they write is seen below.
        sqlx::query!("delete from queue.kind_pause where shard = $1 and kind = $2", self.shard, kind)
            .execute(&mut *tx)
            .await?;
        record.add(&mut tx, 0).await?;
        tx.commit().await?;
        let mut jobs = 0;
        loop {
            let mut tx = begin(self.conn).await?;
            let put_back = put_back(&mut tx, self.shard, kind).await?;
            record.add(&mut tx, put_back).await?;
            tx.commit().await?;
            jobs += put_back;
            if put_back == 0 {
                return Ok(record.answer(jobs, jobs));
            }
        }
    }
}

/// Puts back jobs that lie aside although their kind is not paused: somebody resumed it and did not live to the end of
/// that. Returns how many there were; costs a look-up for each kind that has jobs aside.
///
/// # Errors
/// When the database fails.
pub async fn resume_stranded(conn: &mut PgConnection, shard: i16) -> sqlx::Result<u64> {
    let kinds = sqlx::query_scalar!(
        r#"
        with recursive aside as (
            -- From kind to kind by the index.
            (
                select kind
                  from queue.job
                 where shard = $1 and state = 3 and waits_for = -1
                 order by kind
                 limit 1
            )
             union all
            select (
                       select job.kind
                         from queue.job as job
                        where job.shard = $1 and job.state = 3 and job.waits_for = -1 and job.kind > aside.kind
                        order by job.kind
                        limit 1
                   )
              from aside
             where aside.kind is not null
        )
        select kind as "kind!"
          from aside
         where kind is not null
           and not exists (select from queue.kind_pause as pause where pause.shard = $1 and pause.kind = aside.kind)
        "#,
        shard,
    );
    let kinds = kinds.fetch_all(&mut *conn).await?;
    let mut jobs = 0;
    for kind in kinds {
        loop {
            let mut tx = begin(conn).await?;
            let put_back = put_back(&mut tx, shard, &kind).await?;
            tx.commit().await?;
            jobs += put_back;
            if put_back == 0 {
                break;
            }
        }
    }
    Ok(jobs)
}

/// Puts back a batch of jobs of the kind, in a transaction; none is left when it says 0, or the kind is paused again.
async fn put_back(conn: &mut PgConnection, shard: i16, kind: &str) -> sqlx::Result<u64> {
    let ids = sqlx::query_scalar!(
        r#"
        select id
          from queue.job
         where shard = $1 and kind = $2 and state = 3 and waits_for = -1
         limit $3
        "#,
        shard,
        kind,
        BATCH,
    );
    let ids = ids.fetch_all(&mut *conn).await?;
    // Locked in the order of their ids, as everywhere.
    let ids = super::apply::lock_live(conn, shard, &ids, &[3]).await?;
    let put_back = sqlx::query_file_scalar!("src/control/put_back.sql", shard, &ids, kind);
    Ok(put_back.fetch_one(conn).await? as u64)
}
