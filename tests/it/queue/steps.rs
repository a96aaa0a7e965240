//! Long jobs: steps that are done once each, and signs of life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use queue::inspect::JobState;
use queue::testing::{Outcome, advance, drain, run_inline, run_one};
use queue::{Job, JobContext, JobError, NewJob, PAYLOAD_BYTES_MAX, RESULT_BYTES_MAX, Registry, Retry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;

use super::support::{Act, QUEUE, Told, Worker, count, effects, enqueue, find, make_effects, reaches, told};

/// Writes rows 0, 1, 2 …, two in a step, each step with a follow-up job; it goes wrong at one row as often as told.
#[derive(Debug, Serialize, Deserialize)]
struct Import {
    rows: u32,
    bad_row: u32,
    how: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Wrong {
    Fails,
    Snoozes,
    Panics,
}

/// How often it still goes wrong.
type Failures = AtomicU32;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Next {
    row: u32,
}

impl Job for Import {
    const KIND: &'static str = "test.import";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_secs(60)).max_attempts(2);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let mut next = ctx.cursor::<Next>().await?.map_or(0, |next| next.row);
        while next < self.rows {
            for row in next..(next + 2).min(self.rows) {
                write(ctx, row).await?;
                if row == self.bad_row && goes_wrong(&ctx.state::<Failures>()) {
                    return self.how.end();
                }
            }
            next = (next + 2).min(self.rows);
            ctx.enqueue(told(&format!("after {next}"), Act::Succeed).delay(Duration::from_secs(3_600))).await?;
            ctx.commit_step(&Next { row: next }).await?;
            assert_eq!(ctx.cursor::<Next>().await?, Some(Next { row: next }));
        }
        Ok(())
    }
}

impl Wrong {
    fn end(self) -> Result<(), JobError> {
        match self {
            Wrong::Fails => Err(JobError::retry("told to fail")),
            Wrong::Snoozes => Err(JobError::Snooze(Duration::from_secs(60))),
            Wrong::Panics => panic!("told to panic"),
        }
    }
}

async fn write(ctx: &mut JobContext<'_>, row: u32) -> Result<(), JobError> {
    sqlx::query("insert into effect values ($1)").bind(row.to_string()).execute(ctx.tx().await?).await?;
    Ok(())
}

fn goes_wrong(failures: &Failures) -> bool {
    failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

fn registry(failures: u32) -> Registry {
    Registry::new().job::<Import>().job::<Told>().state(Arc::new(Failures::new(failures)))
}

async fn follow_ups(pool: &PgPool) -> i64 {
    count(pool, "select count(*) from queue.job where kind = 'test.told'").await
}

#[tokio::test]
async fn an_import_goes_on_where_it_was_and_does_each_row_once() {
    for how in [Wrong::Fails, Wrong::Snoozes, Wrong::Panics] {
        let pool = Database::create().await.pool(5).await;
        make_effects(&pool).await;
        let registry = registry(1);
        let first = run_inline(&pool, &registry, NewJob::of(&Import { rows: 7, bad_row: 5, how }).unwrap()).await;
        match how {
            Wrong::Snoozes => assert!(matches!(first.outcome, Outcome::Snoozed { .. }), "{first:?}"),
            Wrong::Fails | Wrong::Panics => assert!(matches!(first.outcome, Outcome::Retried { .. }), "{first:?}"),
        }
        assert_eq!(effects(&pool).await, ["0", "1", "2", "3"], "the step that went wrong is rolled back, and only it");
        assert_eq!(follow_ups(&pool).await, 2);
        advance(&pool, Duration::from_secs(100)).await;
        let second = run_one(&pool, &registry, first.id).await;
        assert_eq!(second.outcome, Outcome::Succeeded(None));
        assert_eq!(effects(&pool).await, ["0", "1", "2", "3", "4", "5", "6"]);
        assert_eq!(follow_ups(&pool).await, 4);
    }
}

#[tokio::test]
async fn a_dead_job_keeps_its_cursor() {
    let pool = Database::create().await.pool(5).await;
    make_effects(&pool).await;
    let registry = registry(2);
    let job = NewJob::of(&Import { rows: 7, bad_row: 3, how: Wrong::Fails }).unwrap();
    let first = run_inline(&pool, &registry, job).await;
    advance(&pool, Duration::from_secs(100)).await;
    let second = run_one(&pool, &registry, first.id).await;
    assert!(matches!(second.outcome, Outcome::Dead { .. }), "{second:?}");
    assert_eq!(effects(&pool).await, ["0", "1"]);
    let kept = "select (cursor ->> 'row')::bigint from queue.dead_job";
    assert_eq!(count(&pool, kept).await, 2);
}

/// What the worker's process is killed in.
#[derive(Debug, Serialize, Deserialize)]
struct HangsInThirdStep;

impl Job for HangsInThirdStep {
    const KIND: &'static str = "test.hangs_in_third_step";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let began = ctx.cursor::<u32>().await?.unwrap_or_default();
        for step in began..4 {
            write(ctx, step).await?;
            if step == 2 && ctx.state::<Failures>().fetch_add(1, Ordering::Relaxed) == 0 {
                ctx.progress(&"hanging").await?;
                return std::future::pending().await;
            }
            ctx.commit_step(&(step + 1)).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_rescued_job_goes_on_where_the_dead_process_was() {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let state = Arc::new(Failures::new(0));
    let registry = || Registry::new().job::<HangsInThirdStep>().state(state.clone());
    let dead = Worker::start_with(&pool, |config| {
        config.consumer.registry = registry();
        config.consumer.heartbeat = Duration::from_secs(3_600);
    })
    .await;
    let ids = enqueue(&pool, &[NewJob::of(&HangsInThirdStep).unwrap()]).await;
    super::support::waits_for(|| async { find(&pool, ids[0]).await.progress }).await;
    let process = dead.process;
    queue::lease::release(&mut pool.acquire().await.unwrap(), 0, process).await.unwrap();
    let heir = Worker::start_with(&pool, |config| config.consumer.registry = registry()).await;
    reaches(&pool, ids[0], JobState::Succeeded).await;
    assert_eq!(effects(&pool).await, ["0", "1", "2", "3"]);
    heir.stop().await;
    dead.abandon();
}

/// Takes longer than its timeout, with a sign of life in between.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Slow {
    Silent,
    Heartbeat,
    Progress,
    Step,
}

impl Job for Slow {
    const KIND: &'static str = "test.slow";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::DEFAULT.max_attempts(1);
    const TIMEOUT: Duration = Duration::from_secs(1);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        for round in 0..4 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            match self {
                Slow::Silent => {}
                Slow::Heartbeat => ctx.heartbeat().await?,
                Slow::Progress => ctx.progress(&round).await?,
                Slow::Step => ctx.commit_step(&round).await?,
            }
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_job_that_shows_signs_of_life_does_not_time_out() {
    let pool = Database::create().await.pool(20).await;
    let worker = Worker::start_with(&pool, |config| config.consumer.registry = Registry::new().job::<Slow>()).await;
    let kinds = [Slow::Silent, Slow::Heartbeat, Slow::Progress, Slow::Step];
    let ids = enqueue(&pool, &kinds.map(|slow| NewJob::of(&slow).unwrap())).await;
    assert_eq!(reaches(&pool, ids[0], JobState::Dead).await.errors[0].error, "timed out after 1s");
    for id in &ids[1..] {
        reaches(&pool, *id, JobState::Succeeded).await;
    }
    worker.stop().await;
}

/// Beats as told, with its own transaction open or not.
#[derive(Debug, Serialize, Deserialize)]
struct Beats {
    in_transaction: bool,
}

impl Job for Beats {
    const KIND: &'static str = "test.beats";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        if self.in_transaction {
            ctx.tx().await?;
        }
        let began = std::time::Instant::now();
        for _ in 0..100_000 {
            ctx.heartbeat().await?;
        }
        ctx.set_result(&began.elapsed().as_millis())
    }
}

#[tokio::test]
async fn heartbeats_in_a_tight_loop_cost_next_to_nothing() {
    // One connection only: a heartbeat may not need a second one.
    let pool = Database::create().await.pool(1).await;
    let registry = Registry::new().job::<Beats>();
    for in_transaction in [false, true] {
        let ran = run_inline(&pool, &registry, NewJob::of(&Beats { in_transaction }).unwrap()).await;
        let Outcome::Succeeded(Some(took_ms)) = ran.outcome else { panic!("{ran:?}") };
        // A round trip each would be 5 s and more.
        assert!(took_ms.as_u64().unwrap() < 2_000, "{took_ms} ms");
    }
}

/// Returns, reports or saves a text of this length.
#[derive(Debug, Serialize, Deserialize)]
enum Large {
    Result(usize),
    Progress(usize),
    Cursor(usize),
}

impl Job for Large {
    const KIND: &'static str = "test.large";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        // The quotes count.
        let text = |bytes: usize| "x".repeat(bytes - 2);
        match self {
            Large::Result(bytes) => ctx.set_result(&text(bytes)),
            Large::Progress(bytes) => ctx.progress(&text(bytes)).await,
            Large::Cursor(bytes) => ctx.commit_step(&text(bytes)).await,
        }
    }
}

#[tokio::test]
async fn what_a_job_leaves_behind_has_a_limit_that_its_error_names() {
    let pool = Database::create().await.pool(5).await;
    let registry = Registry::new().job::<Large>();
    let (kept, reported) = (RESULT_BYTES_MAX, PAYLOAD_BYTES_MAX);
    let table = [
        ("result", kept, [Large::Result(kept), Large::Result(kept + 1)]),
        ("progress", reported, [Large::Progress(reported), Large::Progress(reported + 1)]),
        ("cursor", reported, [Large::Cursor(reported), Large::Cursor(reported + 1)]),
    ];
    for (what, bytes_max, jobs) in table {
        enqueue(&pool, &jobs.map(|job| NewJob::of(&job).unwrap())).await;
        let ran = drain(&pool, &registry, QUEUE).await;
        assert!(matches!(ran[0].outcome, Outcome::Succeeded(_)), "{what}");
        let told = format!("the {what} of test.large has {} bytes, more than {bytes_max}", bytes_max + 1);
        assert_eq!(ran[1].outcome, Outcome::Discarded(told));
    }
}
