//! Who tells workers of a job: its own commit, if it comes alone, and the notifier after the commits of a stream.

use std::time::Duration;

use futures::future::join_all;
use queue::inspect::JobState;
use queue::{Enqueuer, Notifier};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tests::database::{Database, told_by};
use uuid::Uuid;

use super::control::operate;
use super::support::{Act, QUEUE, Worker, count, enqueue, reaches, told};

const OWN_COMMIT: &str = "bitnexus queue enqueue";
const NOTIFIER: &str = "bitnexus queue notify";

#[tokio::test]
async fn a_job_that_comes_alone_is_told_of_by_its_own_commit_and_by_nobody_else() {
    let pool = Database::create().await.pool(4).await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("queue_wake").await.unwrap();
    let notifier = Notifier::spawn(pool.clone());
    let enqueuer = Enqueuer::spawn(pool.clone(), notifier.clone());
    let id = enqueuer.enqueue(told("a", Act::Succeed)).await.unwrap().id;
    assert_eq!(told_by(&mut listener, &pool).await, (format!("{QUEUE} {id}"), OWN_COMMIT.to_owned()));
    notifier.wake("the next word");
    assert_eq!(told_by(&mut listener, &pool).await, ("the next word".to_owned(), NOTIFIER.to_owned()));
}

#[tokio::test]
async fn a_stream_is_told_of_after_its_commits() {
    let pool = Database::create().await.pool(4).await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("queue_wake").await.unwrap();
    let enqueuer = Enqueuer::spawn(pool.clone(), Notifier::spawn(pool.clone()));
    join_all((0..20).map(|number| enqueuer.enqueue(told(&number.to_string(), Act::Succeed)))).await;
    assert_eq!(told_by(&mut listener, &pool).await, (QUEUE.to_owned(), NOTIFIER.to_owned()));
}

/// As when a listener has not read for so long that the server's queue of messages is full.
#[tokio::test]
async fn a_job_is_enqueued_though_nobody_can_be_told() {
    let database = Database::create().await;
    let pool = database.pool(4).await;
    let full = "create schema full_queue;
        create function full_queue.pg_notify(text, text) returns void language plpgsql as
            $$ begin raise 'too many notifications in the NOTIFY queue' using errcode = '54000'; end $$;
        do $$ begin execute 'alter database ' || current_database() || ' set search_path = full_queue, pg_catalog, public'; end $$;";
    sqlx::raw_sql(full).execute(&pool).await.unwrap();
    let pool = database.pool(4).await;
    let enqueuer = Enqueuer::spawn(pool.clone(), Notifier::spawn(pool.clone()));
    let answer = enqueuer.enqueue(told("a", Act::Succeed)).await.unwrap();
    assert!(answer.created);
    assert_eq!(count(&pool, "select count(*) from queue.job").await, 1);
}

/// A worker that finds next to nothing by polling.
async fn listener_of(pool: &PgPool) -> Worker {
    Worker::start_with(pool, |config| config.consumer.poll = Duration::from_secs(3_600)).await
}

#[tokio::test]
async fn a_job_that_comes_alone_is_claimed_by_one_worker_and_run_once() {
    let pool = Database::create().await.pool(20).await;
    let mut workers = [listener_of(&pool).await, listener_of(&pool).await];
    let enqueuer = Enqueuer::spawn(pool.clone(), Notifier::spawn(pool.clone()));
    for number in 0..20 {
        let name = number.to_string();
        enqueuer.enqueue(told(&name, Act::Succeed)).await.unwrap();
        let [one, other] = &mut workers;
        let seen = tokio::select! { seen = one.next() => seen, seen = other.next() => seen };
        assert_eq!((seen.name, seen.attempt), (name, 1));
    }
    for mut worker in workers {
        assert!(!worker.has_more());
        worker.stop().await;
    }
    assert_eq!(count(&pool, "select count(*) from queue.job_history where attempt = 1 and epoch = 1").await, 20);
}

#[tokio::test]
async fn a_job_that_comes_alone_keeps_to_the_limit_of_its_queue() {
    let pool = Database::create().await.pool(20).await;
    let _ = operate!(pool, limit_queue, QUEUE, Some(1));
    let mut worker = listener_of(&pool).await;
    let enqueuer = Enqueuer::spawn(pool.clone(), Notifier::spawn(pool.clone()));
    let first = enqueuer.enqueue(told("first", Act::Wait)).await.unwrap();
    assert_eq!(worker.next().await.name, "first");
    enqueuer.enqueue(told("second", Act::Succeed)).await.unwrap();
    let running = "select running from queue.queue_control";
    assert_eq!(sqlx::query_scalar::<_, i32>(running).fetch_one(&pool).await.unwrap(), 1);
    assert!(!worker.has_more());
    worker.stage.gate.add_permits(1);
    assert_eq!(worker.next().await.name, "second");
    reaches(&pool, first.id, JobState::Succeeded).await;
    for number in 0..20 {
        let id = enqueuer.enqueue(told(&number.to_string(), Act::Succeed)).await.unwrap().id;
        assert_eq!(worker.next().await.name, number.to_string());
        // So that the next one's place is free, and nobody looks for it.
        reaches(&pool, id, JobState::Succeeded).await;
    }
    worker.stop().await;
}

/// By the statement itself: when a worker has not claimed cannot be waited for.
#[tokio::test]
async fn a_job_that_comes_alone_is_left_where_no_claim_may_take_it() {
    let pool = Database::create().await.pool(5).await;
    let process = Uuid::from_u128(1);
    let id = enqueue(&pool, &[told("a", Act::Succeed)]).await[0];
    let lone = async |queue: &str| {
        let lone = sqlx::query(include_str!("../../../queue/src/claim/lone.sql")).bind(0_i16).bind(process);
        lone.bind(queue).bind(id).fetch_all(&pool).await.unwrap().len()
    };
    assert_eq!(lone(QUEUE).await, 0, "the process has no lease");
    let lease = "insert into queue.process (id, pid, host, queues, started_at, heartbeat_at, expires_at)
        values ($1, 1, 'h', '{}', now(), now(), now() + '1 hour')";
    sqlx::query(lease).bind(process).execute(&pool).await.unwrap();
    assert_eq!(lone("another").await, 0, "it is in another queue");
    let _ = operate!(pool, pause_queue, QUEUE);
    assert_eq!(lone(QUEUE).await, 0, "its queue is paused");
    let _ = operate!(pool, resume_queue, QUEUE);
    let mut locked = pool.begin().await.unwrap();
    sqlx::query("select from queue.job for update").execute(&mut *locked).await.unwrap();
    assert_eq!(lone(QUEUE).await, 0, "somebody has locked it, and is not waited for");
    locked.rollback().await.unwrap();
    assert_eq!(lone(QUEUE).await, 1);
    assert_eq!(lone(QUEUE).await, 0, "somebody has it");
}
