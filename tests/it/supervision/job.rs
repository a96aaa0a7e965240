//! Jobs that do to their process what a test wants.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use queue::{Job, JobContext, JobError, Retry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

/// What the jobs of these tests write.
pub(super) const TABLES: &str = "
    create schema supervision;
    create table supervision.begun (job uuid not null, pid integer not null);
    create table supervision.effect (job uuid not null, pid integer not null, at timestamptz not null);
";

/// What the jobs know of their process.
pub(super) struct State {
    /// Connections that have nothing to do with the jobs' own transactions.
    pub(super) pool: PgPool,
    /// While this file is there, jobs wait.
    pub(super) gate: PathBuf,
}

/// What a job does before it writes. All but the first two do it only the first time that they are begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Act {
    /// Nothing.
    Nothing,
    /// Waits while the gate is shut.
    Wait,
    /// Panics.
    Panic,
    /// Ends the process.
    Abort,
    /// Blocks every thread of the runtime, for ever.
    Block,
    /// Takes so many MiB of memory and never gives them back.
    Leak(usize),
}

/// Does something, and writes that it did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) act: Act,
}

impl Job for Task {
    const KIND: &'static str = "supervision.task";
    const QUEUE: &'static str = "supervision";
    const RETRY: Retry = Retry::exponential(Duration::from_millis(10)).max_attempts(5);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let (state, job) = (ctx.state::<State>(), ctx.id());
        let pid = i32::try_from(std::process::id()).expect("Linux counts processes in 22 bits");
        if self.act != Act::Nothing {
            let begun = "select count(*) from supervision.begun where job = $1";
            let begun: i64 = sqlx::query_scalar(begun).bind(job).fetch_one(&state.pool).await?;
            let begin = sqlx::query("insert into supervision.begun (job, pid) values ($1, $2)").bind(job).bind(pid);
            begin.execute(&state.pool).await?;
            if begun == 0 || self.act == Act::Wait {
                self.act.carry_out(&state).await;
            }
        }
        let effect = "insert into supervision.effect (job, pid, at) values ($1, $2, clock_timestamp())";
        sqlx::query(effect).bind(job).bind(pid).execute(ctx.tx().await?).await?;
        Ok(())
    }
}

impl Act {
    async fn carry_out(self, state: &Arc<State>) {
        match self {
            Act::Nothing => {}
            Act::Wait => {
                while state.gate.exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Act::Panic => panic!("told to panic"),
            Act::Abort => {
                eprintln!("told to abort");
                std::process::abort();
            }
            Act::Block => {
                for _ in 0..16 {
                    tokio::spawn(async { block() });
                }
                block();
            }
            Act::Leak(mib) => drop(vec![1_u8; mib << 20].leak()),
        }
    }
}

fn block() {
    loop {
        std::thread::park();
    }
}
