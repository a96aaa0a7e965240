//! What enqueueing promises its callers.

use std::time::Duration;

use queue::inspect::JobState;
use queue::{EnqueueError, NewJob, PAYLOAD_BYTES_MAX, Unique, enqueue};
use tests::database::Database;

use super::support::{Act, Told, Worker, count, find, reaches, told};

#[tokio::test]
async fn a_rolled_back_enqueue_leaves_nothing() {
    let pool = Database::create().await.pool(2).await;
    let mut tx = pool.begin().await.unwrap();
    enqueue(&mut tx, &[told("a", Act::Succeed)]).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 0);
}

#[tokio::test]
async fn nothing_is_enqueued_from_nothing() {
    let pool = Database::create().await.pool(2).await;
    assert!(enqueue(&mut pool.acquire().await.unwrap(), &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_one_unique_key_there_is_one_live_job() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let keyed = |key: &str| told("a", Act::Succeed).unique(key, Unique::WhileLive);
    let jobs = [keyed("x"), told("free", Act::Succeed), keyed("x"), keyed("y")];
    let first = enqueue(&mut conn, &jobs).await.unwrap();
    assert_eq!(first.iter().map(|one| one.created).collect::<Vec<_>>(), [true, true, false, true]);
    assert_eq!(first[2].id, first[0].id, "also within one call");
    let second = enqueue(&mut conn, &[keyed("y"), keyed("z")]).await.unwrap();
    assert_eq!((second[0].created, second[0].id), (false, first[3].id));
    assert!(second[1].created);
}

#[tokio::test]
async fn of_one_id_there_is_one_live_job() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let job = told("a", Act::Succeed);
    let answers = enqueue(&mut conn, &[job.clone(), job.clone()]).await.unwrap();
    assert_eq!(answers.iter().map(|one| (one.id, one.created)).collect::<Vec<_>>(), [(job.id, true), (job.id, false)]);
}

#[tokio::test]
async fn a_rolled_back_winner_makes_no_job_vanish() {
    let pool = Database::create().await.pool(3).await;
    let keyed = || told("a", Act::Succeed).unique("x", Unique::WhileLive);
    let mut winner = pool.begin().await.unwrap();
    enqueue(&mut winner, &[keyed()]).await.unwrap();
    let loser = tokio::spawn({
        let pool = pool.clone();
        async move { enqueue(&mut pool.acquire().await.unwrap(), &[keyed()]).await.unwrap() }
    });
    super::support::waits_for(|| async {
        let waiting = "select count(*) from pg_locks where not granted and locktype = 'transactionid'";
        (count(&pool, waiting).await > 0).then_some(())
    })
    .await;
    winner.rollback().await.unwrap();
    assert!(loser.await.unwrap()[0].created, "it waited and then inserted its own");
}

#[tokio::test]
async fn a_key_until_started_is_free_while_the_job_runs() {
    let pool = Database::create().await.pool(10).await;
    let mut worker = Worker::start(&pool).await;
    let keyed = |unique| told("a", Act::Wait).unique("x", unique);
    let mut conn = pool.acquire().await.unwrap();
    let first = enqueue(&mut conn, &[keyed(Unique::UntilStarted)]).await.unwrap();
    worker.next().await;
    let second = enqueue(&mut conn, &[keyed(Unique::WhileLive)]).await.unwrap();
    assert!(second[0].created, "the first has been started");
    worker.next().await;
    let third = enqueue(&mut conn, &[keyed(Unique::WhileLive)]).await.unwrap();
    assert_eq!((third[0].created, third[0].id), (false, second[0].id), "the second holds its key while it runs");
    worker.stage.gate.add_permits(2);
    for one in [&first[0], &second[0]] {
        reaches(&pool, one.id, JobState::Succeeded).await;
    }
    let fourth = enqueue(&mut conn, &[told("b", Act::Succeed).unique("x", Unique::WhileLive)]).await.unwrap();
    assert!(fourth[0].created, "it is free again");
    worker.stop().await;
}

#[tokio::test]
async fn a_delayed_job_is_scheduled_and_a_past_one_is_ready() {
    let pool = Database::create().await.pool(2).await;
    let mut conn = pool.acquire().await.unwrap();
    let now: chrono::DateTime<chrono::Utc> = sqlx::query_scalar("select now()").fetch_one(&pool).await.unwrap();
    let jobs = [
        told("later", Act::Succeed).delay(Duration::from_secs(60)),
        told("past", Act::Succeed).run_at(now - Duration::from_secs(60)),
        told("future", Act::Succeed).run_at(now + Duration::from_secs(60)),
    ];
    let enqueued = enqueue(&mut conn, &jobs).await.unwrap();
    let expected = [JobState::Scheduled, JobState::Ready, JobState::Scheduled];
    for (one, state) in enqueued.iter().zip(expected) {
        assert_eq!(find(&pool, one.id).await.state, state);
    }
}

#[test]
fn a_payload_over_the_limit_is_refused_by_name() {
    let refused = NewJob::of(&Told { name: "x".repeat(PAYLOAD_BYTES_MAX), act: Act::Succeed });
    assert!(matches!(refused, Err(EnqueueError::PayloadTooLarge { kind: "test.told", .. })));
}
