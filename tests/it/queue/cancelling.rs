//! Jobs that somebody wants ended: they may wait, run, or lie in the hands of a process that dies.

use std::sync::Arc;
use std::time::{Duration, Instant};

use queue::control::{self, Filter};
use queue::inspect::JobState;
use queue::{Job, JobContext, JobError, NewJob, Retry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;
use workers::child::ChildConfig;

use super::control::{assert_counters_hold, operate};
use super::support::{Act, Worker, count, effects, enqueue, find, make_effects, reaches, together, told, waits_for};

/// A job that tidies up when it is cancelled.
#[derive(Serialize, Deserialize)]
struct Tidy {
    /// Whether it leaves it at that, or says that it has succeeded all the same.
    gives_in: bool,
}

/// A job that fails as soon as somebody has asked for its end, without looking.
#[derive(Serialize, Deserialize)]
struct Failing;

impl Job for Failing {
    const KIND: &'static str = "test.failing";
    const QUEUE: &'static str = super::support::QUEUE;
    const RETRY: Retry = Retry::exponential(Duration::from_millis(1));

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let asked = "select count(*) from queue.job where cancelled_by is not null";
        let pool = ctx.state::<PgPool>();
        waits_for(|| async { (count(&pool, asked).await == 1).then_some(()) }).await;
        Err(JobError::retry("failed by itself"))
    }
}

impl Job for Tidy {
    const KIND: &'static str = "test.tidy";
    const QUEUE: &'static str = super::support::QUEUE;
    const CANCEL_GRACE: Duration = Duration::from_secs(20);

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        sqlx::query("insert into effect values ('begun')").execute(ctx.tx().await?).await?;
        ctx.progress(&"begun").await?;
        ctx.cancelled().await;
        assert!(ctx.is_cancelled());
        if self.gives_in { Err(JobError::cancel("tidied up")) } else { Ok(()) }
    }
}

fn with_tidy(config: &mut ChildConfig) {
    config.consumer.registry = std::mem::take(&mut config.consumer.registry).job::<Tidy>();
    config.consumer.heartbeat = Duration::from_secs(1);
}

async fn wake(pool: &PgPool) {
    control::wake(&mut pool.acquire().await.unwrap()).await.unwrap();
}

#[tokio::test]
async fn what_waits_is_filed_at_once_with_who_did_it() {
    let pool = Database::create().await.pool(10).await;
    let jobs = [
        told("ready", Act::Succeed),
        told("scheduled", Act::Succeed).delay(Duration::from_secs(3_600)),
        told("limited", Act::Succeed).limit("nobody", "k"),
    ];
    let ids = enqueue(&pool, &jobs).await;
    let answer = operate!(pool, cancel, &Filter::kind("test.told").into());
    assert_eq!((answer.changed, answer.asked), (3, 0));
    for id in ids {
        let job = find(&pool, id).await;
        assert_eq!((job.state, job.attempt), (JobState::Cancelled, 0));
        assert_eq!(job.errors[0].error, "cancelled by operator:ada");
        assert!(job.errors[0].process.is_none() && job.finished_at.is_some_and(|at| at >= job.created_at));
    }
    assert_counters_hold(&pool).await;
}

/// Cancels a job that runs, and returns how long it took to end.
async fn cancel_running(heartbeat: Duration, is_woken: bool) -> Duration {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let mut worker = Worker::start_with(&pool, |config| config.consumer.heartbeat = heartbeat).await;
    let ids = enqueue(&pool, &[told("a", Act::WriteAndWait)]).await;
    worker.next().await;
    let began = Instant::now();
    let answer = operate!(pool, cancel, &ids[0].into());
    assert_eq!((answer.changed, answer.asked), (1, 1));
    if is_woken {
        wake(&pool).await;
    }
    let job = reaches(&pool, ids[0], JobState::Cancelled).await;
    let took = began.elapsed();
    assert_eq!(job.errors[0].error, "cancelled by operator:ada while it ran");
    assert!(effects(&pool).await.is_empty(), "what it wrote is rolled back");
    // The process says with its next heartbeat that it has heard.
    wake(&pool).await;
    waits_for(|| async { (count(&pool, "select count(*) from queue.cancel_request").await == 0).then_some(()) }).await;
    assert_eq!(operate!(pool, cancel, &ids[0].into()).changed, 0);
    worker.stop().await;
    assert_counters_hold(&pool).await;
    took
}

#[tokio::test]
async fn a_running_job_hears_of_it_with_the_next_heartbeat() {
    let took = cancel_running(Duration::from_secs(1), false).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn a_running_job_hears_of_it_at_once_when_its_process_is_woken() {
    // Nothing else could tell it in time.
    let took = cancel_running(Duration::from_secs(25), true).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_job_may_tidy_up_within_its_grace_and_may_end_well() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let worker = Worker::start_with(&pool, with_tidy).await;
    let tidy = |gives_in| NewJob::of(&Tidy { gives_in }).unwrap();
    let ids = enqueue(&pool, &[tidy(true), tidy(false)]).await;
    for id in &ids {
        waits_for(|| async { find(&pool, *id).await.progress }).await;
    }
    assert_eq!(operate!(pool, cancel, &Filter::kind("test.tidy").into()).asked, 2);
    wake(&pool).await;
    let job = reaches(&pool, ids[0], JobState::Cancelled).await;
    assert_eq!(job.errors[0].error, "tidied up");
    reaches(&pool, ids[1], JobState::Succeeded).await;
    assert_eq!(effects(&pool).await, ["begun"], "of the one that went on to its end");
    worker.stop().await;
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn a_job_whose_process_dies_is_cancelled_instead_of_run_again() {
    let pool = Database::create().await.pool(20).await;
    let mut first = Worker::start(&pool).await;
    let ids = enqueue(&pool, &[told("a", Act::Hang)]).await;
    first.next().await;
    let dead = first.process;
    first.abandon();
    assert_eq!(operate!(pool, cancel, &ids[0].into()).asked, 1);
    queue::lease::release(&mut pool.acquire().await.unwrap(), 0, dead).await.unwrap();
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Ready);
    let mut second = Worker::start(&pool).await;
    let job = reaches(&pool, ids[0], JobState::Cancelled).await;
    assert_eq!(job.errors.last().unwrap().error, "cancelled by operator:ada");
    assert!(!second.has_more());
    second.stop().await;
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn a_cancelled_job_that_fails_meanwhile_is_not_tried_again() {
    let pool = Database::create().await.pool(10).await;
    // A heartbeat that never comes: the job ends by itself before it could hear.
    let worker = Worker::start_with(&pool, |config| {
        let registry = std::mem::take(&mut config.consumer.registry);
        config.consumer.registry = registry.job::<Failing>().state(Arc::new(pool.clone()));
        config.consumer.heartbeat = Duration::from_secs(20);
    })
    .await;
    let ids = enqueue(&pool, &[NewJob::of(&Failing).unwrap()]).await;
    reaches(&pool, ids[0], JobState::Running).await;
    assert_eq!(operate!(pool, cancel, &ids[0].into()).asked, 1);
    let job = reaches(&pool, ids[0], JobState::Cancelled).await;
    assert_eq!(job.errors.last().unwrap().error, "cancelled by operator:ada");
    assert_eq!(job.errors[0].error, "failed by itself");
    worker.stop().await;
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn cancelling_races_with_workers_and_every_job_ends_once() {
    let pool = Database::create().await.pool(20).await;
    make_effects(&pool).await;
    let workers = [Worker::start(&pool).await, Worker::start(&pool).await];
    for _ in 0..10 {
        enqueue(&pool, &(0..200).map(|n| told(&n.to_string(), Act::Write)).collect::<Vec<_>>()).await;
        let _ = operate!(pool, cancel, &Filter::kind("test.told").into());
        wake(&pool).await;
    }
    waits_for(|| async { (count(&pool, "select count(*) from queue.job").await == 0).then_some(()) }).await;
    for worker in workers {
        worker.stop().await;
    }
    let succeeded = "select count(*) from queue.job_history where state = 4";
    assert_eq!(effects(&pool).await.len() as i64, count(&pool, succeeded).await);
    assert_eq!(count(&pool, "select count(distinct id) from queue.job_history").await, 2_000);
    assert_counters_hold(&pool).await;
}

#[tokio::test]
async fn a_batch_goes_on_without_the_job_that_is_not_wanted() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let jobs = [together("a", Act::Write), together("b", Act::WriteAndWait), together("c", Act::Write)];
    let ids = enqueue(&pool, &jobs).await;
    let mut worker = Worker::start(&pool).await;
    assert_eq!(worker.next().await.name, "a,b,c");
    assert_eq!(operate!(pool, cancel, &ids[1].into()).asked, 1);
    assert_eq!(worker.next().await.name, "a,c");
    let cancelled = reaches(&pool, ids[1], JobState::Cancelled).await;
    assert_eq!(cancelled.errors[0].error, "cancelled by operator:ada");
    for id in [ids[0], ids[2]] {
        reaches(&pool, id, JobState::Succeeded).await;
    }
    assert_eq!(effects(&pool).await, ["a", "c"]);
    worker.stop().await;
    assert_counters_hold(&pool).await;
}
