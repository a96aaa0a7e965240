//! Jobs that end without waiting follow each other in one task, and everything holds that holds for those with a task each.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use queue::inspect::JobState;
use queue::{Job, JobContext, JobError, NewJob, Registry};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tests::database::Database;
use tokio::task::Id;

use super::support::{Act, QUEUE, Worker, count, enqueue, find, reaches, told, waits_for};

/// In which order jobs ran, and in which tasks.
#[derive(Default)]
struct Ran(Mutex<Vec<(String, Id)>>);

impl Ran {
    fn note(&self, name: String) {
        self.0.lock().unwrap().push((name, tokio::task::id()));
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }

    fn tasks(&self) -> usize {
        self.0.lock().unwrap().iter().map(|(_, task)| *task).collect::<HashSet<Id>>().len()
    }
}

/// Ends at once.
#[derive(Debug, Serialize, Deserialize)]
struct Quick(String);

impl Job for Quick {
    const KIND: &'static str = "test.quick";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        ctx.state::<Ran>().note(self.0);
        Ok(())
    }
}

/// The same, of another kind.
#[derive(Debug, Serialize, Deserialize)]
struct QuickToo(String);

impl Job for QuickToo {
    const KIND: &'static str = "test.quick_too";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        ctx.state::<Ran>().note(self.0);
        Ok(())
    }
}

/// Waits for nothing, and takes longer than others may be held up.
#[derive(Debug, Serialize, Deserialize)]
struct Busy(String);

impl Job for Busy {
    const KIND: &'static str = "test.busy";
    const QUEUE: &'static str = QUEUE;

    async fn run(self, ctx: &mut JobContext<'_>) -> Result<(), JobError> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(150) {}
        ctx.state::<Ran>().note(self.0);
        Ok(())
    }
}

/// A worker with so many places for all three kinds.
async fn start(pool: &PgPool, places: usize) -> (Worker, Arc<Ran>) {
    let ran = Arc::new(Ran::default());
    let registry = Registry::new().job::<Quick>().job::<QuickToo>().job::<Busy>().state(ran.clone());
    let worker = Worker::start_with(pool, |config| {
        config.consumer.registry = registry;
        config.consumer.concurrency = places;
    });
    (worker.await, ran)
}

fn quick(number: usize) -> NewJob {
    NewJob::of(&Quick(number.to_string())).unwrap()
}

async fn all_succeeded(pool: &PgPool, jobs: usize) {
    waits_for(|| async {
        let succeeded = count(pool, "select count(*) from queue.job_history where state = 4").await;
        (succeeded == jobs as i64).then_some(())
    })
    .await;
}

#[tokio::test]
async fn jobs_that_end_at_once_share_a_task_in_their_order() {
    let pool = Database::create().await.pool(10).await;
    let jobs: Vec<NewJob> = (0..300).map(quick).collect();
    enqueue(&pool, &jobs).await;
    let (worker, ran) = start(&pool, 1).await;
    all_succeeded(&pool, 300).await;
    assert_eq!(ran.names(), (0..300).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(ran.tasks() < 300, "{} tasks", ran.tasks());
    worker.stop().await;
}

#[tokio::test]
async fn a_job_of_another_kind_is_not_passed_over() {
    let pool = Database::create().await.pool(10).await;
    let job = |number: usize| match number % 5 {
        0 => NewJob::of(&QuickToo(number.to_string())).unwrap(),
        _ => quick(number),
    };
    enqueue(&pool, &(0..100).map(job).collect::<Vec<_>>()).await;
    let (worker, ran) = start(&pool, 1).await;
    all_succeeded(&pool, 100).await;
    assert_eq!(ran.names(), (0..100).map(|number| number.to_string()).collect::<Vec<_>>());
    worker.stop().await;
}

#[tokio::test]
async fn a_job_that_takes_its_time_is_the_last_of_its_task() {
    let pool = Database::create().await.pool(10).await;
    let job = |number: usize| NewJob::of(&Busy(number.to_string())).unwrap();
    enqueue(&pool, &(0..40).map(job).collect::<Vec<_>>()).await;
    let (worker, ran) = start(&pool, 2).await;
    all_succeeded(&pool, 40).await;
    assert_eq!(ran.tasks(), 40);
    worker.stop().await;
}

#[tokio::test]
async fn what_ended_at_once_is_settled_while_the_job_after_it_waits() {
    let pool = Database::create().await.pool(10).await;
    let acts = [Act::Succeed, Act::Fail, Act::Succeed, Act::Wait, Act::Succeed];
    let jobs: Vec<NewJob> = acts.iter().map(|act| told(&format!("{act:?}"), act.clone())).collect();
    let ids = enqueue(&pool, &jobs).await;
    let mut worker = Worker::start_with(&pool, |config| config.consumer.concurrency = 1).await;
    for index in [0, 2] {
        reaches(&pool, ids[index], JobState::Succeeded).await;
    }
    assert_eq!(find(&pool, ids[3]).await.state, JobState::Running);
    assert_eq!(worker.next_names(4).await, ["Succeed", "Fail", "Succeed", "Wait"], "there is one place");
    assert!(!worker.has_more());
    worker.stage.gate.add_permits(1);
    for index in [3, 4] {
        reaches(&pool, ids[index], JobState::Succeeded).await;
    }
    let failed = reaches(&pool, ids[1], JobState::Dead).await;
    assert_eq!((failed.attempt, failed.errors.len()), (3, 3));
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_stops_in_the_middle_leaves_the_rest_ready() {
    const JOBS: usize = 20_000;
    let pool = Database::create().await.pool(10).await;
    enqueue(&pool, &(0..JOBS).map(quick).collect::<Vec<_>>()).await;
    let (worker, ran) = start(&pool, 8).await;
    waits_for(|| async { (ran.names().len() > 500).then_some(()) }).await;
    worker.stop().await;
    let ran = ran.names().len() as i64;
    assert_eq!(count(&pool, "select count(*) from queue.job_history where state = 4 and attempt = 1").await, ran);
    let rest = "select count(*) from queue.job where state = 1 and owner is null and attempt = 0";
    assert_eq!(count(&pool, rest).await, JOBS as i64 - ran);
    assert!(ran < JOBS as i64, "it was stopped in the middle");
}
