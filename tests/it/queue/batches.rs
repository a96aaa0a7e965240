//! Batches: together when all is well, apart when one fails.

use queue::inspect::JobState;
use tests::database::Database;

use super::support::{Act, Worker, effects, enqueue, make_effects, reaches, together};

#[tokio::test]
async fn what_waits_is_run_as_one() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let jobs: Vec<_> = (0..100).map(|n| together(&format!("{n:03}"), Act::Write)).collect();
    let ids = enqueue(&pool, &jobs).await;
    let mut worker = Worker::start(&pool).await;
    let sizes = [worker.next().await, worker.next().await].map(|seen| seen.name.split(',').count());
    assert_eq!(sizes, [64, 36]);
    for id in ids {
        reaches(&pool, id, JobState::Succeeded).await;
    }
    assert_eq!(effects(&pool).await.len(), 100);
    worker.stop().await;
}

#[tokio::test]
async fn a_failing_batch_is_split_until_the_bad_ones_stand_alone() {
    for bad in [Act::Fail, Act::Panic] {
        let pool = Database::create().await.pool(10).await;
        make_effects(&pool).await;
        let act = |n| if n == 2 || n == 7 { bad.clone() } else { Act::Write };
        let jobs: Vec<_> = (0..8).map(|n| together(&n.to_string(), act(n))).collect();
        let ids = enqueue(&pool, &jobs).await;
        let worker = Worker::start(&pool).await;
        for (n, id) in ids.into_iter().enumerate() {
            let is_bad = n == 2 || n == 7;
            let job = reaches(&pool, id, if is_bad { JobState::Dead } else { JobState::Succeeded }).await;
            assert_eq!(job.attempt, if is_bad { 2 } else { 1 }, "{n}");
        }
        assert_eq!(effects(&pool).await, ["0", "1", "3", "4", "5", "6"]);
        worker.stop().await;
    }
}

#[tokio::test]
async fn one_item_can_have_an_outcome_of_its_own() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let jobs = [together("a", Act::Write), together("b", Act::Discard), together("c", Act::Write)];
    let ids = enqueue(&pool, &jobs).await;
    let mut worker = Worker::start(&pool).await;
    assert_eq!(worker.next().await.name, "a,b,c");
    let expected = [JobState::Succeeded, JobState::Discarded, JobState::Succeeded];
    for (id, state) in ids.into_iter().zip(expected) {
        reaches(&pool, id, state).await;
    }
    assert_eq!(effects(&pool).await, ["a", "c"]);
    assert!(!worker.has_more(), "nothing was run again");
    worker.stop().await;
}

#[tokio::test]
async fn an_item_that_does_not_parse_does_not_hold_up_the_others() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let ids = enqueue(&pool, &[together("a", Act::Write), together("b", Act::Write)]).await;
    sqlx::query("update queue.job set payload = '[]' where id = $1").bind(ids[0]).execute(&pool).await.unwrap();
    let worker = Worker::start(&pool).await;
    assert_eq!(reaches(&pool, ids[0], JobState::Dead).await.dead_reason.as_deref(), Some("undecodable"));
    reaches(&pool, ids[1], JobState::Succeeded).await;
    assert_eq!(effects(&pool).await, ["b"]);
    worker.stop().await;
}

/// A batch from which a job in another queue follows.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Leads;

impl queue::BatchJob for Leads {
    const KIND: &'static str = "test.leads";
    const QUEUE: &'static str = super::support::QUEUE;
    const BATCH_MAX: usize = 10;

    async fn run(batch: &mut queue::Batch<'_, Self>) -> Result<(), queue::JobError> {
        for _ in 0..2 {
            let follow_up = queue::NewJob::of(&Follows).unwrap().unique("one", queue::Unique::UntilStarted);
            batch.enqueue(follow_up).await.map_err(queue::JobError::retry)?;
        }
        Ok(())
    }
}

/// What follows.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Follows;

impl queue::Job for Follows {
    const KIND: &'static str = "test.follows";
    const QUEUE: &'static str = "elsewhere";

    async fn run(self, _: &mut queue::JobContext<'_>) -> Result<(), queue::JobError> {
        Ok(())
    }
}

#[tokio::test]
async fn what_follows_from_a_batch_is_told_of_when_it_is_committed() {
    let pool = Database::create().await.pool(10).await;
    let mut listener = sqlx::postgres::PgListener::connect_with(&pool).await.unwrap();
    listener.listen("queue_wake").await.unwrap();
    enqueue(&pool, &[queue::NewJob::batch(&Leads).unwrap()]).await;
    let worker = Worker::start_with(&pool, |config| {
        config.consumer.registry = queue::Registry::new().batch::<Leads>();
    })
    .await;
    assert_eq!(listener.recv().await.unwrap().payload(), "elsewhere");
    let waiting = super::support::count(&pool, "select count(*) from queue.job where kind = 'test.follows'").await;
    assert_eq!(waiting, 1, "the second was the same");
    worker.stop().await;
}
