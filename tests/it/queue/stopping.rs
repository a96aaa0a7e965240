//! A process that is asked to stop leaves nothing behind.

use std::time::Duration;

use queue::inspect::JobState;
use tests::database::Database;

use super::support::{Act, Worker, count, effects, enqueue, find, make_effects, reaches, told, waits_for};

#[tokio::test]
async fn what_was_not_begun_goes_back_at_once_and_what_runs_may_end() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start_with(&pool, |config| config.consumer.concurrency = 1).await;
    // A quick one first, so that the worker claims ahead.
    let quick = enqueue(&pool, &[told("quick", Act::Succeed)]).await;
    reaches(&pool, quick[0], JobState::Succeeded).await;
    worker.next().await;
    let jobs: Vec<_> = (0..20).map(|n| told(&n.to_string(), Act::Wait)).collect();
    let ids = enqueue(&pool, &jobs).await;
    worker.next().await;
    waits_for(|| async {
        (count(&pool, "select count(*) from queue.job where owner is not null").await == 20).then_some(())
    })
    .await;
    worker.ask_to_stop();
    waits_for(|| async {
        (count(&pool, "select count(*) from queue.job where state = 1 and owner is null").await == 19).then_some(())
    })
    .await;
    let returned = find(&pool, ids[1]).await;
    assert_eq!((returned.attempt, returned.errors.len()), (0, 0));
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Running);
    worker.stage.gate.add_permits(1);
    worker.stop().await;
    assert_eq!(find(&pool, ids[0]).await.state, JobState::Succeeded);
    assert_eq!(count(&pool, "select count(*) from queue.process").await, 0);
}

#[tokio::test]
async fn what_does_not_end_in_time_is_interrupted_and_goes_back_unharmed() {
    let pool = Database::create().await.pool(10).await;
    make_effects(&pool).await;
    let mut worker = Worker::start_with(&pool, |config| config.deadline = Duration::from_millis(100)).await;
    let ids = enqueue(&pool, &[told("a", Act::Hang), told("b", Act::WriteAndWait)]).await;
    worker.next_names(2).await;
    worker.stop().await;
    for id in ids {
        let job = find(&pool, id).await;
        assert_eq!((job.state, job.attempt, job.errors.len()), (JobState::Ready, 0, 0));
    }
    assert!(effects(&pool).await.is_empty());
    assert_eq!(count(&pool, "select count(*) from queue.process").await, 0);
}
