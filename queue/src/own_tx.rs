//! A job's own transaction: begun on first use, committed together with the job's outcome, or not at all.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};

use crate::settle::{Holding, Locked, PLANNER, Settled, Settlement, settle};

/// Where jobs begin their transactions.
#[derive(Debug)]
pub(crate) struct TxSource {
    pool: PgPool,
    begin: String,
}

impl TxSource {
    /// Transactions on this pool that neither wait for a lock nor stand idle for longer than `patience`. It is shorter
    /// than a lease: a process that is stopped in mid-transaction lets go of its row locks before its jobs are taken.
    pub(crate) fn new(pool: PgPool, patience: Duration) -> TxSource {
        let patience_ms = patience.as_millis().max(1);
        let begin = format!(
            "begin; set local lock_timeout = '{patience_ms}ms'; \
             set local idle_in_transaction_session_timeout = '{patience_ms}ms'"
        );
        TxSource { pool, begin }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// One job's (or batch's) transaction, if it has begun.
pub(crate) struct OwnTx<'a> {
    source: &'a TxSource,
    tx: Option<Transaction<'static, Postgres>>,
}

/// Why a transaction was not committed.
#[derive(Debug)]
pub(crate) enum CommitError {
    /// These jobs have been taken from this process: all of it was rolled back.
    LeaseLost(Vec<Holding>),
    Database(sqlx::Error),
}

impl From<sqlx::Error> for CommitError {
    fn from(error: sqlx::Error) -> CommitError {
        CommitError::Database(error)
    }
}

impl<'a> OwnTx<'a> {
    pub(crate) fn new(source: &'a TxSource) -> OwnTx<'a> {
        OwnTx { source, tx: None }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.tx.is_some()
    }

    /// The transaction, begun if need be.
    pub(crate) async fn get(&mut self) -> sqlx::Result<&mut PgConnection> {
        if self.tx.is_none() {
            self.tx = Some(self.source.pool.begin_with(AssertSqlSafe(self.source.begin.as_str())).await?);
        }
        Ok(self.tx.as_mut().expect("it has just begun"))
    }

    /// Settles in the transaction and commits it. When a single one of the claims was lost, nothing is written.
    pub(crate) async fn commit(mut self, shard: i16, settlements: &[Settlement]) -> Result<Settled, CommitError> {
        let mut tx = self.tx.take().expect("only what has begun is committed");
        // The commit is all that follows, so no statement of the job's author is planned under these.
        let planner: Vec<String> = PLANNER.iter().map(|(name, value)| format!("set local {name} = {value}")).collect();
        sqlx::raw_sql(AssertSqlSafe(planner.join("; "))).execute(&mut *tx).await?;
        let settled = settle(&mut tx, shard, settlements, Locked::ToTheEnd).await?;
        if !settled.lost.is_empty() {
            tx.rollback().await?;
            return Err(CommitError::LeaseLost(settled.lost));
        }
        tx.commit().await?;
        Ok(settled)
    }

    /// Commits what there is of the transaction together with where the next step begins; another one begins on the
    /// next use. When the claim was lost, nothing is written.
    pub(crate) async fn commit_step(&mut self, shard: i16, holding: Holding, cursor: &str) -> Result<(), CommitError> {
        self.get().await?;
        let mut tx = self.tx.take().expect("it has just begun");
        let kept = sqlx::query!(
            r#"
            update queue.job
               set cursor = $5::text::json
             where shard = $1 and id = $2 and epoch = $3 and owner = $4 and claimed_at = $6
            "#,
            shard,
            holding.id,
            holding.epoch,
            holding.owner,
            cursor,
            holding.claimed_at,
        );
        // Planned each time: a plan from when the table was empty would read all of it.
        if kept.persistent(false).execute(&mut *tx).await?.rows_affected() == 0 {
            tx.rollback().await?;
            return Err(CommitError::LeaseLost(vec![holding]));
        }
        tx.commit().await?;
        Ok(())
    }

    /// Rolls back what has begun; a failure to do so is the same, since the server then does.
    pub(crate) async fn roll_back(mut self) {
        if let Some(tx) = self.tx.take()
            && let Err(error) = tx.rollback().await
        {
            tracing::debug!(%error, "a job's transaction ended with its connection");
        }
    }
}
