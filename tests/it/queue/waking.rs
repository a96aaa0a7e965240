//! Who tells workers of a job: its own commit, if it comes alone, and the notifier after the commits of a stream.

use futures::future::join_all;
use queue::{Enqueuer, Notifier};
use sqlx::postgres::PgListener;
use tests::database::{Database, told_by};

use super::support::{Act, QUEUE, count, told};

const OWN_COMMIT: &str = "bitnexus queue enqueue";
const NOTIFIER: &str = "bitnexus queue notify";

#[tokio::test]
async fn a_job_that_comes_alone_is_told_of_by_its_own_commit_and_by_nobody_else() {
    let pool = Database::create().await.pool(4).await;
    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("queue_wake").await.unwrap();
    let notifier = Notifier::spawn(pool.clone());
    let enqueuer = Enqueuer::spawn(pool.clone(), notifier.clone());
    enqueuer.enqueue(told("a", Act::Succeed)).await.unwrap();
    assert_eq!(told_by(&mut listener, &pool).await, (QUEUE.to_owned(), OWN_COMMIT.to_owned()));
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
