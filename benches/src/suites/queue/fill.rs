//! Puts jobs there before the clock starts.

use std::time::{Duration, Instant};

use anyhow::Result;
use queue::{NewJob, enqueue};
use sqlx::PgPool;
use uuid::Uuid;

use super::job::{LIMIT, Nothing};

/// Jobs in a statement.
pub(super) const BULK: usize = 1_000;

/// Jobs that were enqueued in bulk.
#[derive(Debug)]
pub(super) struct Filled {
    /// How many.
    pub(super) jobs: usize,
    /// How long it took.
    pub(super) took: Duration,
    /// The first id of each statement, and the last of all: ids rise in the order of the jobs.
    marks: Vec<Uuid>,
}

impl Filled {
    /// The ids that the jobs from `from` up to `to` lie between, to the statement.
    pub(super) fn range(&self, from: usize, to: usize) -> (Uuid, Uuid) {
        (self.marks[from / BULK], self.marks[to.div_ceil(BULK)])
    }
}

/// Enqueues jobs that do nothing, [`BULK`] in each commit, each changed by `change`; `count` is a multiple of that.
///
/// # Errors
/// When the database fails.
pub(super) async fn fill(pool: &PgPool, count: usize, change: impl Fn(NewJob) -> NewJob) -> Result<Filled> {
    let mut conn = pool.acquire().await?;
    let (started, mut marks, mut last) = (Instant::now(), Vec::with_capacity(count / BULK + 1), Uuid::nil());
    for start in (0..count).step_by(BULK) {
        let jobs: Result<Vec<_>, _> = (start..start + BULK).map(|number| Nothing::job(number).map(&change)).collect();
        let jobs = jobs?;
        marks.push(jobs[0].id);
        last = jobs[BULK - 1].id;
        enqueue(&mut conn, &jobs).await?;
    }
    marks.push(last);
    Ok(Filled { jobs: count, took: started.elapsed(), marks })
}

/// As [`fill`], with jobs that are due at once in their own queue.
///
/// # Errors
/// As [`fill`].
pub(super) async fn ready(pool: &PgPool, count: usize) -> Result<Filled> {
    fill(pool, count, |job| job).await
}

/// As [`fill`], with jobs that are due in an hour.
///
/// # Errors
/// As [`fill`].
pub(super) async fn scheduled(pool: &PgPool, count: usize) -> Result<Filled> {
    fill(pool, count, |job| job.delay(Duration::from_secs(3_600))).await
}

/// As [`fill`], with jobs that are due at once in ten other queues, which nobody serves.
///
/// # Errors
/// As [`fill`].
pub(super) async fn other_queues(pool: &PgPool, count: usize) -> Result<Filled> {
    const OTHERS: [&str; 10] = ["o0", "o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9"];
    let choose = |mut job: NewJob| {
        job.queue = OTHERS[usize::from(job.id.as_bytes()[15]) % OTHERS.len()].into();
        job
    };
    fill(pool, count, choose).await
}

/// As [`fill`], with jobs that are due at once under a limit with a hundred keys.
///
/// # Errors
/// As [`fill`].
pub(super) async fn limited(pool: &PgPool, count: usize) -> Result<Filled> {
    fill(pool, count, |job| {
        let key = (job.id.as_bytes()[15] % 100).to_string();
        job.limit(LIMIT, key)
    })
    .await
}

/// Finished jobs of today, as if each had been run a moment after it was enqueued, in UUIDv7 order.
///
/// # Errors
/// When the database fails.
pub(super) async fn history(pool: &PgPool, count: usize) -> Result<()> {
    sqlx::query(
        "
        insert into queue.job_history (
            shard, state, attempt, crashes, epoch, priority, max_attempts,
            finished_at, started_at, process, id, run_at, created_at, queue, kind, payload
        )
        select 0, 4, 1, 0, 1, 50, 20,
               at.created_at, at.created_at, gen_random_uuid(),
               -- The milliseconds, then the version; the rest is chance.
               (lpad(to_hex((extract(epoch from at.created_at) * 1000)::bigint), 12, '0')
                   || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid,
               at.created_at, at.created_at, 'bench', 'bench.nothing',
               json_build_object('number', number, 'filler', repeat('x', 80))
          from generate_series(1, $1) as number
         cross join lateral (
                   -- Evenly over today, so that the drain adds to the partition that is full.
                   select date_trunc('day', now(), 'utc')
                       + (now() - date_trunc('day', now(), 'utc')) * (number / $1::float8) as created_at
               ) as at
        ",
    )
    .bind(i64::try_from(count)?)
    .execute(pool)
    .await?;
    Ok(())
}
