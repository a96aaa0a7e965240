//! Whether somebody runs what is ready.

use anyhow::Result;
use clap::parser::ValueSource;
use ledger::Book;
use queue::inspect::{self, ProcessView};
use sqlx::PgConnection;

use super::examine::Subject;
use super::report::{Seen, Severity, span};
use crate::commands;

/// Ready jobs of one kind in one queue.
struct Ready {
    queue: String,
    kind: String,
    jobs: i64,
    oldest_s: f64,
}

/// Compares worker processes with ready jobs.
pub(super) async fn check(subject: &Subject, conn: &mut PgConnection) -> Result<Seen> {
    let mut seen = Seen::default();
    let (live, gone): (Vec<ProcessView>, Vec<ProcessView>) =
        inspect::processes(&mut *conn, Book::MAIN.shard).await?.into_iter().partition(|process| process.is_live);
    let mut hosts: Vec<&str> = live.iter().map(|process| process.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    seen.fact("workers", format!("{} alive on {} machines", live.len(), hosts.len()));
    if live.is_empty() {
        seen.find(
            Severity::Error,
            "none",
            "no worker process is alive",
            "what is accepted stays pending",
            "start one: `bitnexus worker`, or `systemctl start bitnexus-worker`",
        );
    }
    children(&live, &mut seen);
    for process in gone {
        seen.find(
            Severity::Warning,
            "lost",
            format!("process {} on {} told nothing for {}", process.pid, process.host, span(process.heartbeat_age_s)),
            "it was killed, stopped or cut off; its jobs go to others",
            "see its supervisor's log for how it ended; `bitnexus queues workers` lists who is there",
        );
    }
    let paused: Vec<String> = paused(&mut *conn).await?;
    for ready in ready(conn).await?.iter().filter(|ready| !paused.contains(&ready.queue)) {
        let is_served = live.iter().any(|process| serves(process, ready));
        if !is_served && !live.is_empty() {
            seen.find(
                Severity::Error,
                "unserved",
                format!("{} jobs of {} are ready in the queue {}, and no live worker takes them", ready.jobs, ready.kind, ready.queue),
                "they wait for ever",
                "start a worker of this release, or one whose `--queues` has the queue; `bitnexus queues workers` lists who takes what",
            );
        } else if ready.oldest_s > subject.thresholds.ready_s {
            seen.find(
                Severity::Warning,
                "late",
                format!("{} jobs of {} are ready in the queue {}, the oldest for {}", ready.jobs, ready.kind, ready.queue, span(ready.oldest_s)),
                "more comes in than is done, or a limit holds it back",
                format!("`bitnexus jobs list --kind {} --state ready` and `bitnexus jobs explain` with an id say why; more `WORKER_PROCESSES` help where nothing holds them", ready.kind),
            );
        }
    }
    Ok(seen)
}

/// Where the environment says how many processes there are to be on this machine, and some are there: whether all are.
fn children(live: &[ProcessView], seen: &mut Seen) {
    let Ok(worker) = commands::read_environment("worker") else { return };
    if worker.value_source("processes") != Some(ValueSource::EnvVariable) {
        return;
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let here = live.iter().filter(|process| process.host == host.trim()).count();
    let wanted = worker.get_one::<u16>("processes").map_or(0, |processes| usize::from(*processes));
    if here > 0 && here < wanted {
        seen.find(
            Severity::Warning,
            "missing",
            format!("{here} worker processes are alive on this machine, and WORKER_PROCESSES is {wanted}"),
            "less is done at once; a process that dies again and again is started more and more slowly",
            "see the supervisor's log for how they ended: `journalctl -u bitnexus-worker`",
        );
    }
}

/// A process of an earlier release does not say which kinds it knows.
fn serves(process: &ProcessView, ready: &Ready) -> bool {
    process.queues.contains(&ready.queue) && (process.kinds.is_empty() || process.kinds.contains(&ready.kind))
}

/// The first hundred thousand: enough to know which kinds there are, and bounded.
async fn ready(conn: &mut PgConnection) -> sqlx::Result<Vec<Ready>> {
    sqlx::query_as!(
        Ready,
        r#"
        select queue as "queue!", kind as "kind!", count(*) as "jobs!",
               extract(epoch from clock_timestamp() - min(run_at))::float8 as "oldest_s!"
          from (select queue, kind, run_at from queue.job where shard = $1 and state = 1 limit 100000) as job
         group by queue, kind
         order by queue, kind
        "#,
        Book::MAIN.shard,
    )
    .fetch_all(conn)
    .await
}

async fn paused(conn: &mut PgConnection) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select queue from queue.queue_control where shard = $1 and paused_at is not null",
        Book::MAIN.shard
    )
    .fetch_all(conn)
    .await
}
