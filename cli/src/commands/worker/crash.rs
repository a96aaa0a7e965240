//! What is done about a worker process that died: its jobs go back at once, and a report is kept.

use std::os::unix::process::ExitStatusExt;

use ledger::Book;
use queue::crash::{self, Cause, Crash, Held};
use rustix::process::Signal;
use sqlx::PgPool;
use workers::supervisor::report::{self, Exit};

/// Gives back the jobs of the process, and keeps a report. Where that fails the jobs come back by their lease, seconds
/// later, and the log has what the report would.
pub(super) async fn clean_up_after(pool: PgPool, exit: Exit) {
    let (slot, pid) = (exit.name.clone(), exit.pid);
    match give_back(&pool, pid).await {
        Ok(held) => {
            let jobs: Vec<String> = held.jobs.iter().map(|(id, kind)| format!("{kind} {id}")).collect();
            if held.jobs_in_all > 0 {
                let (process, in_all) = (held.process, held.jobs_in_all);
                tracing::warn!(slot, pid, ?process, in_all, ?jobs, "the jobs of a dead process were given back");
            }
            let crash = crash_of(exit);
            let kept = match crash {
                Some(crash) => keep(&pool, &crash, &held).await,
                None => Ok(()),
            };
            if let Err(error) = kept {
                tracing::warn!(slot, pid, %error, "no crash report was kept");
            }
        }
        Err(error) => tracing::warn!(slot, pid, %error, "the jobs of a dead process were not given back yet"),
    }
}

async fn give_back(pool: &PgPool, pid: u32) -> sqlx::Result<Held> {
    let mut connection = pool.acquire().await?;
    crash::give_back(&mut connection, Book::MAIN.shard, pid).await
}

async fn keep(pool: &PgPool, crash: &Crash, held: &Held) -> sqlx::Result<()> {
    let mut connection = pool.acquire().await?;
    crash::report(&mut connection, Book::MAIN.shard, crash, held).await.map(drop)
}

/// The report of an end, if it was a crash: a process that was asked to end before it had set a handler was not.
fn crash_of(exit: Exit) -> Option<Crash> {
    let cause = match exit.cause {
        report::Cause::Died => Cause::Died,
        report::Cause::Silent => Cause::Silent,
        report::Cause::Overdue => Cause::Overdue,
        report::Cause::Asked if exit.status.signal() == Some(Signal::TERM.as_raw()) => return None,
        report::Cause::Asked => Cause::Died,
    };
    Some(Crash {
        slot: exit.name,
        pid: exit.pid,
        cause,
        exit_code: exit.status.code(),
        signal: exit.status.signal(),
        uptime_ms: exit.uptime.as_millis() as i64,
        rss_bytes_max: exit.rss_max.map(|bytes| bytes as i64),
        last_lines: exit.last_lines,
    })
}
