//! A lost database never ends a worker.

use std::time::Duration;

use queue::inspect::JobState;
use queue::{Enqueuer, Notifier};
use tests::database::Database;
use uuid::Uuid;

use super::support::{Act, Worker, count, cut, effects, enqueue, make_effects, reaches, told, waits_for};

#[tokio::test]
async fn a_worker_survives_the_loss_of_all_its_connections() {
    let database = Database::create().await;
    let (pool, outside) = (database.pool(10).await, database.pool(1).await);
    make_effects(&pool).await;
    let mut worker = Worker::start(&pool).await;
    for round in 0..5 {
        let jobs: Vec<_> = (0..20).map(|n| told(&format!("{round}-{n}"), Act::Write)).collect();
        // The pool of the test is cut as well, so the jobs are enqueued from outside.
        let ids = enqueue(&outside, &jobs).await;
        worker.next().await;
        assert!(cut(&outside).await > 0);
        for id in ids {
            reaches(&outside, id, JobState::Succeeded).await;
        }
    }
    assert_eq!(effects(&outside).await.len(), 100, "each once");
    assert_eq!(count(&outside, "select count(*) from queue.process").await, 1, "it kept its lease");
    worker.stop().await;
}

#[tokio::test]
async fn jobs_that_a_lost_claim_took_are_taken_back() {
    let database = Database::create().await;
    let (pool, outside) = (database.pool(10).await, database.pool(2).await);
    let mut worker = Worker::start(&pool).await;
    // A claim that was made and never answered: the row is ours, and nobody runs it.
    let ids = enqueue(&outside, &[told("a", Act::Succeed).delay(Duration::from_secs(3_600))]).await;
    let claim = "update queue.job set state = 1, owner = $1, attempt = 1, epoch = 1, claimed_at = clock_timestamp()";
    sqlx::query(claim).bind(worker.process).execute(&outside).await.unwrap();
    cut(&outside).await;
    assert_eq!(worker.next().await.attempt, 1);
    reaches(&outside, ids[0], JobState::Succeeded).await;
    worker.stop().await;
}

#[tokio::test]
async fn what_a_lost_claim_took_is_taken_back_when_nobody_has_it_locked() {
    let database = Database::create().await;
    let (pool, outside) = (database.pool(10).await, database.pool(2).await);
    let mut worker = Worker::start(&pool).await;
    let jobs: Vec<_> = ["free", "locked"].map(|name| told(name, Act::Succeed).delay(Duration::from_secs(3_600))).into();
    let ids = enqueue(&outside, &jobs).await;
    let claim = "update queue.job set state = 1, owner = $1, attempt = 1, epoch = 1, claimed_at = clock_timestamp()";
    sqlx::query(claim).bind(worker.process).execute(&outside).await.unwrap();
    let mut tx = outside.begin().await.unwrap();
    sqlx::query("select from queue.job where id = $1 for update").bind(ids[1]).execute(&mut *tx).await.unwrap();
    cut(&mut *tx).await;
    let (third, ready) = (database.pool(1).await, "select count(*) from queue.job where owner is null");
    waits_for(|| async { (count(&third, ready).await == 1).then_some(()) }).await;
    tx.rollback().await.unwrap();
    assert_eq!(worker.next_names(2).await, ["free", "locked"]);
    for id in ids {
        reaches(&outside, id, JobState::Succeeded).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn wake_ups_come_through_and_come_back_after_a_cut() {
    let database = Database::create().await;
    let (pool, outside) = (database.pool(10).await, database.pool(2).await);
    let mut worker = Worker::start_with(&pool, |config| config.consumer.poll = Duration::from_secs(3_600)).await;
    let notifier = queue::Notifier::spawn(outside.clone());
    for _ in 0..2 {
        // Listening again is announced by nothing but its effect, so the hint is repeated until it is heard.
        enqueue(&outside, &[told("a", Act::Succeed)]).await;
        waits_for(|| async {
            notifier.wake(super::support::QUEUE);
            (count(&outside, "select count(*) from queue.job").await == 0).then_some(())
        })
        .await;
        worker.next().await;
        cut(&outside).await;
    }
    worker.stop().await;
}

#[tokio::test]
async fn an_enqueuer_goes_on_after_a_cut() {
    let database = Database::create().await;
    let (pool, outside) = (database.pool(10).await, database.pool(1).await);
    let enqueuer = Enqueuer::spawn(pool.clone(), Notifier::spawn(pool));
    for round in 0..3 {
        let name = format!("before {round}");
        assert!(enqueuer.enqueue(told(&name, Act::Succeed)).await.unwrap().created);
        assert!(cut(&outside).await > 0);
        // What is asked for at once may meet the lost connection; then nobody knows whether it was written, and it is repeated.
        let id = Uuid::from_u128(round);
        let job = told("after", Act::Succeed).id(id);
        let first = enqueuer.enqueue(job.clone()).await;
        assert!(!first.as_ref().is_ok_and(|one| !one.created), "{first:?}");
        assert_eq!(enqueuer.enqueue(job).await.unwrap().id, id);
    }
    assert_eq!(count(&outside, "select count(*) from queue.job").await, 6, "each once");
}
