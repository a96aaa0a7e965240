//! Jobs that a test can hold up in one process and not in another.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use queue::{Batch, BatchJob, Job, JobContext, JobError};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};

/// What the jobs know of their process.
pub(super) struct State {
    /// Connections that have nothing to do with the jobs' own transactions.
    pub(super) pool: PgPool,
    /// While this file is there, jobs of this process wait.
    pub(super) gate: PathBuf,
    /// Whether this process, once it is a zombie, has no heartbeat that would tell it so.
    pub(super) is_oblivious: bool,
}

impl State {
    async fn begin(&self) -> sqlx::Result<()> {
        write(&mut *self.pool.acquire().await?, "insert into zombie.begun (pid) values ($1)").await
    }

    async fn note_refusal(&self) -> sqlx::Result<()> {
        write(&mut *self.pool.acquire().await?, "insert into zombie.refused (pid) values ($1)").await
    }

    /// Asks nobody, so that a process that goes on after a stop ends its job before it learns of anything.
    async fn wait(&self) {
        while self.gate.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn write(conn: &mut PgConnection, statement: &'static str) -> sqlx::Result<()> {
    let pid = i32::try_from(std::process::id()).expect("Linux counts processes in 22 bits");
    sqlx::query(statement).bind(pid).execute(conn).await.map(|_| ())
}

const EFFECT: &str = "insert into zombie.effect (pid) values ($1)";

/// When the job writes, seen from where it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mode {
    WriteNothing,
    WriteThenWait,
    WaitThenWrite,
    /// An oblivious process answers this, others succeed.
    WaitThenAnswer(Answer),
}

/// What an oblivious process makes of the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Answer {
    Progress,
    Snooze,
    Cancel,
    Discard,
    Retry,
}

impl Answer {
    async fn give(self, ctx: &JobContext<'_>, state: &State) -> Result<(), JobError> {
        match self {
            Answer::Progress => {
                let reported = ctx.progress(&"by the zombie").await;
                if reported.is_err() {
                    state.note_refusal().await?;
                }
                reported
            }
            Answer::Snooze => Err(JobError::Snooze(Duration::ZERO)),
            Answer::Cancel => Err(JobError::cancel("cancelled by the zombie")),
            Answer::Discard => Err(JobError::discard("discarded by the zombie")),
            Answer::Retry => Err(JobError::retry("failed by the zombie")),
        }
    }
}

/// A job that waits at the gate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) mode: Mode,
}

impl Job for Hold {
    const KIND: &'static str = "zombie.hold";
    const QUEUE: &'static str = "zombie";

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let state: Arc<State> = ctx.state();
        if self.mode == Mode::WriteThenWait {
            write(ctx.tx().await?, EFFECT).await?;
        }
        state.begin().await?;
        state.wait().await;
        match self.mode {
            Mode::WaitThenWrite => write(ctx.tx().await?, EFFECT).await?,
            Mode::WaitThenAnswer(answer) if state.is_oblivious => return answer.give(ctx, &state).await,
            Mode::WaitThenAnswer(_) => ctx.progress(&"by the heir").await?,
            Mode::WriteNothing | Mode::WriteThenWait => {}
        }
        Ok(())
    }
}

/// The same as a batch.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HoldBatch {
    pub(super) mode: Mode,
}

impl BatchJob for HoldBatch {
    const KIND: &'static str = "zombie.hold_batch";
    const QUEUE: &'static str = "zombie";
    const BATCH_MAX: usize = 10;

    async fn run(batch: &mut Batch<'_, Self>) -> Result<(), JobError> {
        let state: Arc<State> = batch.state();
        state.begin().await?;
        state.wait().await;
        write(batch.tx().await?, EFFECT).await?;
        Ok(())
    }
}
