//! What long jobs need: a sign of life, word of how far they are, and steps that are done once each.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::PgConnection;
use tokio::time::Instant;

use super::JobContext;
use crate::claim::Claimed;
use crate::own_tx::CommitError;
use crate::{JobError, LeaseLost, PAYLOAD_BYTES_MAX};

/// Heartbeats in between do not ask the database.
const LOOK_GAP: Duration = Duration::from_secs(1);

impl JobContext<'_> {
    /// Says that the job gets on: its kind's [`TIMEOUT`](crate::Job::TIMEOUT) begins anew. Costs next to nothing, so it
    /// may stand in an inner loop; at most once a second it asks the database whether the job is still this process's.
    ///
    /// # Errors
    /// [`JobError::LeaseLost`] when it is not. When the database does not answer, that is an error only once the
    /// process's lease may have run out.
    pub async fn heartbeat(&mut self) -> Result<(), JobError> {
        if self.generation.lost.is_cancelled() {
            return Err(LeaseLost(()).into());
        }
        self.pulse.beat();
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK_GAP) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        match self.is_ours().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(LeaseLost(()).into()),
            Err(error) if self.generation.is_live() => {
                tracing::debug!(%error, "a heartbeat was not answered; the lease still runs");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn is_ours(&mut self) -> sqlx::Result<bool> {
        let (shard, claimed) = (self.executor.shard, self.claimed);
        // On the job's own connection where there is one: that may be the last of the pool.
        if self.tx.has_begun() {
            return is_ours(self.tx.get().await?, shard, claimed).await;
        }
        is_ours(&mut *self.executor.source.pool().begin().await?, shard, claimed).await
    }

    /// Reports how far the job is, at once and outside its transaction. Counts as a [`heartbeat`](Self::heartbeat).
    ///
    /// # Errors
    /// When it does not serialise, or to more than [`PAYLOAD_BYTES_MAX`], or the database fails;
    /// [`JobError::LeaseLost`] when the job is not this process's any more.
    pub async fn progress(&self, progress: &impl Serialize) -> Result<(), JobError> {
        let progress = self.to_json("progress", progress, PAYLOAD_BYTES_MAX)?;
        let holding = self.claimed.holding;
        let reported = sqlx::query!(
            r#"
            update queue.job
               set progress = $5::text::json
             where shard = $1 and id = $2 and epoch = $3 and owner = $4 and claimed_at = $6
            "#,
            self.executor.shard,
            holding.id,
            holding.epoch,
            holding.owner,
            progress,
            holding.claimed_at,
        );
        // Planned each time: a plan from when the table was empty would read all of it. In a transaction, since a pool
        // between us and the server may give the parts of such a statement to different sessions.
        let mut tx = self.executor.source.pool().begin().await?;
        let reported = reported.persistent(false).execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        if reported == 0 {
            return Err(LeaseLost(()).into());
        }
        self.pulse.beat();
        Ok(())
    }

    /// Where the job's next step begins, as the last [`commit_step`](Self::commit_step) said, in this attempt or an
    /// earlier one; none before the first.
    ///
    /// # Errors
    /// When what was saved is no `T`: the job is discarded then. When the database fails; [`JobError::LeaseLost`] when
    /// the job is not this process's any more.
    pub async fn cursor<T: DeserializeOwned>(&mut self) -> Result<Option<T>, JobError> {
        let (shard, holding) = (self.executor.shard, self.claimed.holding);
        let saved = sqlx::query_scalar!(
            r#"
            select cursor::text
              from queue.job
             where shard = $1 and id = $2 and epoch = $3 and owner = $4 and claimed_at = $5
            "#,
            shard,
            holding.id,
            holding.epoch,
            holding.owner,
            holding.claimed_at,
        );
        let saved = saved.persistent(false);
        let saved = match self.tx.has_begun() {
            true => saved.fetch_optional(self.tx.get().await?).await?,
            false => saved.fetch_optional(&mut *self.executor.source.pool().begin().await?).await?,
        };
        let saved = saved.ok_or(LeaseLost(()))?;
        saved.map(|saved| serde_json::from_str(&saved).map_err(JobError::discard)).transpose()
    }

    /// Ends a step: commits what the job's transaction holds so far, together with where the next step begins. The next
    /// [`tx`](Self::tx) begins another transaction. Whatever happens to later steps, this one is done and is not done
    /// again: the next attempt, here or after a crash, begins at the cursor. Counts as a [`heartbeat`](Self::heartbeat).
    ///
    /// # Errors
    /// When the cursor does not serialise, or to more than [`PAYLOAD_BYTES_MAX`]; when the database fails, and it is
    /// for the next attempt to see in the cursor whether the step was committed. [`JobError::LeaseLost`] when the job is
    /// not this process's any more: the step is rolled back then.
    pub async fn commit_step(&mut self, cursor: &impl Serialize) -> Result<(), JobError> {
        let cursor = self.to_json("cursor", cursor, PAYLOAD_BYTES_MAX)?;
        let follow_ups = std::mem::take(&mut self.follow_ups);
        match self.tx.commit_step(self.executor.shard, self.claimed.holding, &cursor).await {
            Ok(()) => {}
            Err(CommitError::LeaseLost(_)) => return Err(LeaseLost(()).into()),
            Err(CommitError::Database(error)) => return Err(error.into()),
        }
        self.pulse.beat();
        self.executor.wake(follow_ups);
        Ok(())
    }
}

async fn is_ours(conn: &mut PgConnection, shard: i16, claimed: &Claimed) -> sqlx::Result<bool> {
    let holding = claimed.holding;
    let found = sqlx::query_scalar!(
        r#"
        select exists (
                   select from queue.job where shard = $1 and id = $2 and epoch = $3 and owner = $4 and claimed_at = $5
               ) as "is_ours!"
        "#,
        shard,
        holding.id,
        holding.epoch,
        holding.owner,
        holding.claimed_at,
    );
    found.persistent(false).fetch_one(conn).await
}
